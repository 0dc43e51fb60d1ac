//! What the tests stand on: a real proxy process, real instances, and clients that speak raw bytes.
#![allow(dead_code, reason = "each test file uses its part")]
pub mod backend;
pub mod load;

use serin_proxy::Client;
use serin_proxy::protocol::{Endpoint, Measures, Report, Settings, SlotTable, Split, Table, Track};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Nothing in a test takes so long unless it is broken, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A proxy process, ended when the test ends.
pub struct Proxy {
    child: Child,
    pub dir: PathBuf,
    pub main: SocketAddr,
    pub stable: Option<SocketAddr>,
    pub canary: Option<SocketAddr>,
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Proxy {
    /// Starts one with `workers` workers, and all three addresses.
    pub fn start(dir: &Path, workers: usize) -> Proxy {
        Proxy::start_at(dir, "127.0.0.1:0", workers)
    }

    pub fn start_at(dir: &Path, main: &str, workers: usize) -> Proxy {
        let mut child = Command::new(env!("CARGO_BIN_EXE_proxy-alone"))
            .arg(dir)
            .args([main, "stable=127.0.0.1:0", "canary=127.0.0.1:0", &format!("workers={workers}")])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the proxy starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut address = |name: &str| -> SocketAddr {
            let line = lines.next().expect("a line").expect("text");
            let (said, address) = line.split_once(' ').expect("two words");
            assert_eq!(said, name);
            address.parse().expect("an address")
        };
        let (main, stable, canary) = (address("main"), Some(address("stable")), Some(address("canary")));
        Proxy::reach(child, dir, main, [stable, canary])
    }

    /// Starts one with a socket that outlives it, as a shim does.
    pub fn start_under(dir: &Path, listener: &TcpListener) -> Proxy {
        let passed = listener.try_clone().expect("a descriptor");
        let script = format!(
            "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=main exec {} {}",
            env!("CARGO_BIN_EXE_proxy-alone"),
            dir.display()
        );
        let mut shell = Command::new("sh");
        let child = shell.args(["-c", &script]).stdin(OwnedFd::from(passed)).spawn().expect("the proxy starts");
        Proxy::reach(child, dir, listener.local_addr().expect("an address"), [None, None])
    }

    fn reach(child: Child, dir: &Path, main: SocketAddr, [stable, canary]: [Option<SocketAddr>; 2]) -> Proxy {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = Client::new(&dir.join("control.sock"), PATIENCE);
        let mut proxy = Proxy { child, dir: dir.to_owned(), main, stable, canary, runtime, client };
        wait_for("the control socket", || proxy.try_report().is_some());
        proxy
    }

    pub fn ask<T>(&mut self, call: impl AsyncFnOnce(&mut Client) -> T) -> T {
        self.runtime.block_on(call(&mut self.client))
    }

    fn try_report(&mut self) -> Option<Report> {
        self.ask(async |c| c.report().await.ok())
    }

    pub fn report(&mut self) -> Report {
        self.ask(async |c| c.report().await.expect("a report"))
    }

    pub fn measure(&mut self) -> Measures {
        self.ask(async |c| c.measure().await.expect("measures"))
    }

    /// What was counted when nothing is open any more: the last answer arrives before it is counted.
    pub fn quiet(&mut self) -> Measures {
        wait_for("quiet", || self.report().instances.iter().all(|i| i.open == 0));
        self.measure()
    }

    /// Applies a table and waits until it is acknowledged.
    pub fn apply(&mut self, table: &Table) {
        self.ask(async |c| c.apply(table).await).expect("the table is accepted");
        wait_for("the acknowledgement", || self.report().acknowledged >= table.version);
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn terminate(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    }

    pub fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < until, "the proxy does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `holds`, and fails when it does not for very long.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn endpoint(id: &str, address: SocketAddr) -> Endpoint {
    Endpoint { id: id.into(), address, ready: true }
}

/// A first table: slot 0 stable, slot 1 canary, with ids a0, a1, … and b0, b1, ….
pub fn table(split: Split, slots: [&[SocketAddr]; 2]) -> Table {
    let named = |letter: char, addresses: &[SocketAddr]| {
        addresses.iter().enumerate().map(|(n, a)| endpoint(&format!("{letter}{n}"), *a)).collect()
    };
    Table {
        epoch: 1,
        version: 1,
        generation: 1,
        split,
        fallback: None,
        lease_ms: None,
        slots: [
            SlotTable { track: Track::Stable, endpoints: named('a', slots[0]) },
            SlotTable { track: Track::Canary, endpoints: named('b', slots[1]) },
        ],
        settings: Settings::default(),
    }
}

/// A client that speaks raw bytes.
pub struct Raw {
    pub stream: TcpStream,
    pub reader: BufReader<TcpStream>,
}

/// A response as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    pub trailers: String,
}

impl Raw {
    pub fn connect(address: SocketAddr) -> Raw {
        let stream = TcpStream::connect(address).expect("the proxy accepts");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let reader = BufReader::new(stream.try_clone().expect("a socket"));
        Raw { stream, reader }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the proxy reads");
    }

    /// Sends and reads the answer; a proxy that closes while we still send may have answered all the same.
    pub fn ask(&mut self, bytes: &[u8]) -> Answer {
        let _ = self.stream.write_all(bytes);
        self.answer(bytes.starts_with(b"HEAD")).expect("an answer")
    }

    pub fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        Some(head)
    }

    /// The next response, or nothing if the connection ended before a whole one.
    pub fn answer(&mut self, to_head: bool) -> Option<Answer> {
        let head = self.head()?;
        let status: u16 = head.get(9..12)?.parse().ok()?;
        let mut answer = Answer { status, body: Vec::new(), trailers: String::new(), head };
        if to_head || status < 200 || status == 204 || status == 304 {
            return Some(answer);
        }
        if let Some(length) = field(&answer.head, "content-length") {
            answer.body = vec![0; length.parse().ok()?];
            self.reader.read_exact(&mut answer.body).ok()?;
        } else if field(&answer.head, "transfer-encoding").is_some() {
            answer.trailers = read_chunks(&mut self.reader, &mut answer.body)?;
        } else {
            self.reader.read_to_end(&mut answer.body).ok()?;
        }
        Some(answer)
    }

    /// The proxy closed, and said nothing more.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.reader.read(&mut [0]), Ok(0))
            || self.reader.read(&mut [0]).is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset)
    }
}

/// Reads a chunked body into `body`; says its trailers.
pub fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> Option<String> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let size = usize::from_str_radix(line.trim().split(';').next()?, 16).ok()?;
        if size == 0 {
            break;
        }
        let at = body.len();
        body.resize(at + size, 0);
        reader.read_exact(&mut body[at..]).ok()?;
        reader.read_exact(&mut [0; 2]).ok()?;
    }
    let mut trailers = String::new();
    loop {
        let at = trailers.len();
        if reader.read_line(&mut trailers).ok()? == 0 {
            return None;
        }
        if &trailers[at..] == "\r\n" {
            trailers.truncate(at);
            return Some(trailers);
        }
    }
}

/// The value of a field, by its lower-case name.
pub fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// A request without a body.
pub fn get(path: &str) -> Vec<u8> {
    request("GET", path, "")
}

/// A request with more fields, each ending in CRLF.
pub fn request(method: &str, path: &str, fields: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n").into_bytes()
}
