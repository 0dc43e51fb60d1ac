//! podinfo, the application of the examples: a real service in Go, in as many versions as a test wants.
//!
//! Its module is pinned by `e2e/podinfo/go.mod` and `go.sum`.

use super::golang::{self, Program};
use crate::json::Value;
use crate::process::Process;
use crate::run::{Run, Stop, fail};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PACKAGE: &str = "github.com/stefanprodan/podinfo/cmd/podinfo";
const VERSION: &str = "github.com/stefanprodan/podinfo/pkg/version.VERSION";
const PATIENCE: Duration = Duration::from_secs(20);

/// The program that says it is `version`, built where it is not there yet. Not counted.
///
/// # Errors
/// [`Stop::Skip`] without Go; a failure when the build fails.
pub fn build(run: &mut Run, version: &str) -> Result<PathBuf, Stop> {
    if version.is_empty() || !version.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')) {
        return fail(format!("a version is made of letters, digits, dots and dashes, and {version:?} is not"));
    }
    let (name, set) = (format!("podinfo-{version}"), format!("-X {VERSION}={version}"));
    golang::build(run, &Program { module: "e2e/podinfo", package: PACKAGE, name: &name, set: &set, sources: &[] })
}

/// `parts podinfo`: builds each version named (two, where none is), and sends each a little load, whose answers must
/// all be right and say which version made them.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    let named = run.words().to_vec();
    let versions = if named.is_empty() { vec!["6.0.1".to_owned(), "6.0.2".to_owned()] } else { named };
    run.build(&["--package", "serin-load"])?;
    let (mut sent, mut echoed) = (0.0, 0.0);
    for version in &versions {
        let program = build(run, version)?;
        let (mut process, address) = start(run, &program)?;
        let summary = load(run, address)?;
        let count = |name: &str| summary.get(name).and_then(Value::number).unwrap_or(f64::NAN);
        let named = summary.get("by_revision").and_then(|r| r.get(version)).and_then(|r| r.get("200"));
        if named.and_then(Value::number).is_none_or(|n| n < 1.0) {
            return fail(format!("podinfo {version} does not say that it is {version}: {summary}"));
        }
        if !(count("sent") >= 0.9 * RATE * SECONDS && count("failed") == 0.0 && count("unsent") == 0.0) {
            return fail(format!(
                "podinfo {version} did not answer everything that it should have been asked: {summary}"
            ));
        }
        if !(count("ws_opened") == 2.0 && count("ws_lost") == 0.0 && count("ws_echoed") > 2.0) {
            return fail(format!("podinfo {version} did not echo: {summary}"));
        }
        (sent, echoed) = (sent + count("sent"), echoed + count("ws_echoed"));
        // It pauses for three seconds when it is asked to leave; here nobody is left to serve.
        process.signal("KILL")?;
        run.say(format!("{version}: {}", program.display()));
    }
    run.fact("versions", versions.join(","));
    run.fact("sent", sent);
    run.fact("echoed", echoed);
    Ok(())
}

const RATE: f64 = 100.0;
const SECONDS: f64 = 2.0;

/// A load that is ended by SIGTERM, as a verb ends one whose time it does not know before.
fn load(run: &mut Run, address: SocketAddr) -> Result<Value, Stop> {
    let mut command = Command::new(run.built("serin-load", false));
    command.arg(format!("http://{address}/")).args(["--rate", &RATE.to_string(), "--websockets", "2"]);
    command.args(["--seed", &run.seed().to_string()]);
    let mut process = run.start(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
    std::thread::sleep(Duration::from_secs_f64(SECONDS));
    process.signal("TERM")?;
    let mut text = String::new();
    if let Some(mut out) = process.child.stdout.take() {
        out.read_to_string(&mut text)?;
    }
    Value::parse(&text).map_err(|e| Stop::Fail(format!("the load's summary cannot be read: {e}: {text}")))
}

/// Starts podinfo on a free port and waits until it is ready.
pub fn start(run: &mut Run, program: &Path) -> Result<(Process, SocketAddr), Stop> {
    let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let mut command = Command::new(program);
    command.arg(format!("--port={}", address.port())).args(["--host=127.0.0.1", "--level=error"]);
    let mut process = run.start(command.stdin(Stdio::null()).stdout(Stdio::null()))?;
    let begin = Instant::now();
    while !get(address, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
        if !process.is_running()? || begin.elapsed() > PATIENCE {
            return fail(format!("{} does not become ready on {address}", program.display()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok((process, address))
}

/// One GET on a connection of its own; the whole answer as text.
pub fn get(address: SocketAddr, path: &str) -> Result<String, Stop> {
    exchange(address, "GET", path)
}

/// One POST without a body, such as `/readyz/disable`, which must be accepted.
pub fn post(address: SocketAddr, path: &str) -> Result<(), Stop> {
    let answer = exchange(address, "POST", path)?;
    let accepted = answer.starts_with("HTTP/1.1 2");
    if accepted { Ok(()) } else { fail(format!("podinfo answered a POST of {path} with {answer}")) }
}

fn exchange(address: SocketAddr, method: &str, path: &str) -> Result<String, Stop> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
