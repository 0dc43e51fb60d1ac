//! Instances: real listeners whose answers depend on the path.
use super::{field, read_chunks};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What an instance and its threads share.
#[derive(Default)]
struct State {
    dead: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
    requests: AtomicU64,
}

/// An instance; it dies when it is dropped.
pub struct Backend {
    pub address: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
    /// Keeps the port of a dead one from other tests: bound, but nobody listens.
    reserved: Option<OwnedFd>,
}

impl Backend {
    /// One that answers with `name` (see `serve`).
    pub fn start(name: &str) -> Backend {
        Backend::start_at("127.0.0.1:0".parse().expect("an address"), name)
    }

    /// A dead one comes back at the same address.
    pub fn revive(&mut self, name: &str) {
        self.die();
        self.reserved = None;
        *self = Backend::start_at(self.address, name);
    }

    fn start_at(address: SocketAddr, name: &str) -> Backend {
        let mut bound = TcpListener::bind(address);
        super::wait_for("the port", || {
            if bound.is_err() {
                bound = TcpListener::bind(address);
            }
            bound.is_ok()
        });
        let listener = bound.expect("bound");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State::default());
        let (name, shared) = (name.to_owned(), state.clone());
        let accepting = std::thread::spawn(move || accept(&listener, &name, &shared));
        Backend { address, state, accepting: Some(accepting), reserved: None }
    }

    /// Requests whose heads arrived.
    pub fn requests(&self) -> u64 {
        self.state.requests.load(SeqCst)
    }

    /// Connections that were ever accepted.
    pub fn connections(&self) -> usize {
        self.state.connections.lock().expect("no panic").len()
    }

    /// Closes the listener and resets every connection, as the death of a process does.
    pub fn die(&mut self) {
        self.state.dead.store(true, SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            accepting.join().expect("no panic");
        }
        for connection in self.state.connections.lock().expect("no panic").drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
        if self.reserved.is_none() {
            self.reserved = reserve(self.address).ok();
        }
    }
}

fn reserve(address: SocketAddr) -> rustix::io::Result<OwnedFd> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt::set_socket_reuseaddr};
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    Ok(socket)
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.die();
    }
}

fn accept(listener: &TcpListener, name: &str, state: &Arc<State>) {
    while let Ok((stream, _)) = listener.accept() {
        if state.dead.load(SeqCst) {
            return;
        }
        stream.set_nodelay(true).expect("a socket");
        state.connections.lock().expect("no panic").push(stream.try_clone().expect("a socket"));
        let (name, state) = (name.to_owned(), state.clone());
        std::thread::spawn(move || serve(stream, &name, &state));
    }
}

/// Answers until the connection, or the instance, ends. Errors are the proxy's affair.
fn serve(stream: TcpStream, name: &str, state: &State) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    let mut served = 0;
    while let Some(head) = read_head(&mut reader) {
        state.requests.fetch_add(1, SeqCst);
        served += 1;
        if state.dead.load(SeqCst) || answer(&stream, &mut reader, &head, name, served).is_none() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

fn read_head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

/// Answers one request; `None` closes the connection.
fn answer(stream: &TcpStream, reader: &mut BufReader<TcpStream>, head: &str, name: &str, served: u32) -> Option<()> {
    let mut out = stream;
    let path = head.split(' ').nth(1)?;
    let mut say = |bytes: &[u8]| out.write_all(bytes).ok();
    match path {
        "/die" => return None,
        "/die-reused" if served > 1 => return None,
        "/continue" => say(b"HTTP/1.1 100 Continue\r\n\r\n")?,
        "/early" => {
            say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
            std::thread::sleep(Duration::from_millis(200));
            return None;
        }
        "/tunnel" if field(head, "upgrade") == Some("websocket") => {
            say(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")?;
            let mut buf = [0; 1000];
            loop {
                match reader.read(&mut buf).ok()? {
                    0 => return None,
                    n => out.write_all(&buf[..n]).ok()?,
                }
            }
        }
        _ => {}
    }
    let mut body = Vec::new();
    if let Some(length) = field(head, "content-length") {
        body.resize(length.parse().ok()?, 0);
        reader.read_exact(&mut body).ok()?;
    } else if field(head, "transfer-encoding").is_some() {
        let trailers = read_chunks(reader, &mut body)?;
        if path == "/trailers" {
            body = trailers.into_bytes();
        }
    }
    respond(out, reader, head, name, path, &body)
}

/// Answers a request that was read whole; `None` closes the connection.
fn respond(
    mut out: &TcpStream,
    reader: &mut BufReader<TcpStream>,
    head: &str,
    name: &str,
    path: &str,
    body: &[u8],
) -> Option<()> {
    let to_head = head.starts_with("HEAD ");
    let whole = |body: &[u8]| {
        let mut text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        text.extend_from_slice(if to_head { b"" } else { body });
        text
    };
    let mut say = |bytes: &[u8]| out.write_all(bytes).ok();
    match path {
        "/name" => say(&whole(name.as_bytes())),
        "/head" => say(&whole(head.as_bytes())),
        "/slow" => {
            std::thread::sleep(Duration::from_millis(300));
            say(&whole(name.as_bytes()))
        }
        "/never" => {
            let _ = reader.read(&mut [0]);
            None
        }
        "/500" => say(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"),
        "/204" => say(b"HTTP/1.1 204 No\r\nX: y\r\n\r\n"),
        "/304" => say(b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n"),
        "/interim" => say(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        "/both" => say(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        "/twice" => say(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
        "/extra" => {
            say(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad")
        }
        "/cut" => {
            say(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")?;
            None
        }
        "/close" => {
            say(b"HTTP/1.1 200 OK\r\n\r\nuntil-close")?;
            None
        }
        "/pieces" => {
            for piece in
                ["HTTP/1.1 200 OK\r\nTransfer-Enc", "oding: chunked\r\n\r\n5;a=b\r\nhel", "lo\r\n0\r", "\nT: 1\r\n\r\n"]
            {
                say(piece.as_bytes())?;
                std::thread::sleep(Duration::from_millis(20));
            }
            Some(())
        }
        "/big" => say(&whole(&vec![b'z'; 8 << 20])),
        _ => say(&whole(body)),
    }
}
