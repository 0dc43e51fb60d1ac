//! `serin-bench ADDRESS…`: a backend that costs as little as it can, so that a proxy before it can be measured.
//!
//! One thread, edge-triggered epoll, a fixed answer for each request head: `/1k` and `/64k` choose the size of the body,
//! anything else gets 13 bytes. It reads no bodies and no pipelines: what measures sends neither.

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send, sockopt};
use std::collections::HashMap;
use std::error::Error;
use std::net::TcpListener;
use std::process::ExitCode;

/// An open connection.
struct Connection {
    socket: OwnedFd,
    /// What of the last answer did not fit into the socket.
    pending: Vec<u8>,
}

struct Answers {
    small: Vec<u8>,
    medium: Vec<u8>,
    large: Vec<u8>,
}

impl Answers {
    fn new() -> Self {
        Answers { small: answer(13), medium: answer(1024), large: answer(64 * 1024) }
    }

    fn to(&self, request: &[u8]) -> &[u8] {
        let target = request.strip_prefix(b"GET ").unwrap_or_default();
        if target.starts_with(b"/1k ") {
            &self.medium
        } else if target.starts_with(b"/64k ") {
            &self.large
        } else {
            &self.small
        }
    }
}

/// An answer with the fields that a real service sends.
fn answer(length: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Sat, 21 Nov 2026 06:00:00 GMT\r\nContent-Type: text/plain\r\n\
         Content-Length: {length}\r\nETag: \"5f3c-1a2b\"\r\n\r\n"
    );
    let mut bytes = head.into_bytes();
    bytes.resize(bytes.len() + length, b'x');
    bytes
}

fn main() -> ExitCode {
    let addresses: Vec<String> = std::env::args().skip(1).collect();
    match serve(&addresses) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("serin-bench: {e}");
            ExitCode::FAILURE
        }
    }
}

fn serve(addresses: &[String]) -> Result<(), Box<dyn Error>> {
    if addresses.is_empty() {
        return Err("usage: serin-bench ADDRESS…".into());
    }
    let listeners = addresses.iter().map(TcpListener::bind).collect::<Result<Vec<_>, _>>()?;
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    for listener in &listeners {
        listener.set_nonblocking(true)?;
        epoll::add(&poll, listener, token(listener), EventFlags::IN)?;
    }
    let answers = Answers::new();
    let mut open: HashMap<u64, Connection> = HashMap::new();
    let (mut events, mut buffer) = (Vec::with_capacity(256), vec![0; 64 * 1024]);
    loop {
        events.clear();
        match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        for event in &events {
            let at = event.data.u64();
            if let Some(listener) = listeners.iter().find(|l| token(*l).u64() == at) {
                while let Ok(socket) = accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                    sockopt::set_tcp_nodelay(&socket, true)?;
                    let wanted = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
                    epoll::add(&poll, &socket, token(&socket), wanted)?;
                    open.insert(token(&socket).u64(), Connection { socket, pending: Vec::new() });
                }
            } else if let Some(connection) = open.get_mut(&at)
                && !connection.go_on(event.flags, &mut buffer, &answers)
            {
                open.remove(&at);
            }
        }
    }
}

fn token(socket: impl AsFd) -> EventData {
    EventData::new_u64(u64::from(socket.as_fd().as_raw_fd().unsigned_abs()))
}

impl Connection {
    /// Sends what is pending and answers what came; whether the connection is still alive.
    fn go_on(&mut self, flags: EventFlags, buffer: &mut [u8], answers: &Answers) -> bool {
        if !self.flush() {
            return false;
        }
        if !flags.contains(EventFlags::IN) {
            return true;
        }
        match recv(&self.socket, &mut *buffer, RecvFlags::empty()) {
            Ok((0, _)) => false,
            Ok((count, _)) => self.put(answers.to(&buffer[..count])),
            Err(Errno::AGAIN | Errno::INTR) => true,
            Err(_) => false,
        }
    }

    fn put(&mut self, answer: &[u8]) -> bool {
        if !self.pending.is_empty() {
            self.pending.extend_from_slice(answer);
            return true;
        }
        match send(&self.socket, answer, SendFlags::NOSIGNAL) {
            Ok(count) => self.pending.extend_from_slice(&answer[count..]),
            Err(Errno::AGAIN) => self.pending.extend_from_slice(answer),
            Err(_) => return false,
        }
        true
    }

    fn flush(&mut self) -> bool {
        while !self.pending.is_empty() {
            match send(&self.socket, &self.pending, SendFlags::NOSIGNAL) {
                Ok(count) => drop(self.pending.drain(..count)),
                Err(Errno::AGAIN) => return true,
                Err(_) => return false,
            }
        }
        true
    }
}
