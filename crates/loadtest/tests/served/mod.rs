//! A load tester of its own for each test: a real process on a port of its own, and every process below it known by a mark
//! in its environment.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Nothing that is waited for takes as long on a machine that runs at all.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The commands that the tests run.
pub const FIXTURE: &str = env!("CARGO_BIN_EXE_loadtest-fixture");

/// A load tester; ended and looked after when dropped.
pub struct Tester {
    child: Child,
    pub address: SocketAddr,
    lines: Arc<Mutex<Vec<Value>>>,
    mark: String,
}

/// Waits until something is so.
pub fn until(what: &str, so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !so() {
        assert!(begin.elapsed() < PATIENCE, "{what} does not come to be");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A payload that runs the fixture with these words.
pub fn payload(name: &str, kind: &str, words: &str) -> String {
    let cmd = format!("{FIXTURE} {words}");
    let metadata = serde_json::json!({"type": kind, "cmd": cmd, "returnCmdOutput": "true", "logCmdOutput": "true"});
    serde_json::json!({"name": name, "namespace": "prod", "phase": "Progressing", "metadata": metadata}).to_string()
}

impl Tester {
    /// One that allows the fixture, with these further options.
    pub fn start(options: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("SERIN_LOADTEST_MARK={}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (name, value) = mark.split_once('=').unwrap();
        let mut command = Command::new(FIXTURE);
        command.arg("serve").arg(format!("allow={FIXTURE}")).args(options).env(name, value);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let first: Value = serde_json::from_str(&out.next().expect("it says where it listens").unwrap()).unwrap();
        let address = first["address"].as_str().unwrap().parse().unwrap();
        let lines = Arc::new(Mutex::new(vec![first]));
        let kept = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in out.map_while(Result::ok) {
                kept.lock().unwrap().push(serde_json::from_str(&line).expect("a line of JSON"));
            }
        });
        Self { child, address, lines, mark }
    }

    /// Sends these bytes, and gives back status and body; 0 when the connection ended without an answer.
    pub fn raw(&self, bytes: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may refuse, and close, before all of it is sent.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        (status, text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    pub fn ask(&self, method: &str, path: &str, fields: &str, body: &str) -> (u16, String) {
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: {length}\r\n\r\n");
        self.raw(&[head.as_bytes(), body.as_bytes()].concat())
    }

    pub fn post(&self, path: &str, body: &str) -> (u16, String) {
        self.ask("POST", path, "", body)
    }

    /// A number of the page of metrics.
    pub fn metric(&self, name: &str) -> u64 {
        let (status, page) = self.ask("GET", "/metrics", "", "");
        assert_eq!(status, 200);
        let line = page.lines().find_map(|line| line.strip_prefix(&format!("serin_loadtest_{name} ")));
        line.unwrap_or_else(|| panic!("{name} is not in {page}")).parse().unwrap()
    }

    /// The lines of the log that say this.
    pub fn said(&self, what: &str) -> Vec<Value> {
        self.lines.lock().unwrap().iter().filter(|line| line["what"] == what).cloned().collect()
    }

    /// The first so many of these, once they have been read.
    pub fn heard(&self, what: &str, number: usize) -> Vec<Value> {
        until(what, || self.said(what).len() >= number);
        self.said(what)
    }

    /// Every process below it, by the mark that all of them inherit, but not itself.
    pub fn processes(&self) -> Vec<i32> {
        let own = i32::try_from(self.child.id()).unwrap();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().map_while(Result::ok) {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            // A zombie's environment is empty.
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            if pid != own && environment.split(|byte| *byte == 0).any(|pair| pair == self.mark.as_bytes()) {
                found.push(pid);
            }
        }
        found
    }

    /// Waits until it has no process below it.
    pub fn is_alone(&self) {
        until("that no process is left", || self.processes().is_empty());
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap(), signal).unwrap();
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begin.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Tester {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if !std::thread::panicking() {
            self.is_alone();
        }
    }
}

/// A directory with a token in it, and the token.
pub fn token() -> (tempfile::TempDir, PathBuf, &'static str) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, "a-token-for-the-tests\n").unwrap();
    (dir, path, "a-token-for-the-tests")
}

/// An option with a path.
pub fn option(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}
