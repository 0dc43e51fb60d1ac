//! `show examples`: every directory of `examples/` as its page says it: served, asked, another version of it deployed by
//! a change of its environment (or of what its page names), asked again, and ended.

use crate::parts::debian;
use crate::parts::podinfo::{self, get};
use crate::run::{Run, Stop, fail};
use crate::stage::controller::{DEPLOY, Released, last_ending};
use crate::stage::spec::Spec;
use crate::stage::{Stage, Tools};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

/// The longest that one release of an example may take on a busy machine.
const RELEASE: Duration = Duration::from_secs(240);

/// One example, and what its page promises.
struct Example {
    directory: &'static str,
    /// The options of `serin deploy`.
    deploy: &'static [&'static str],
    path: &'static str,
    /// What an answer of the old version says, and one of the new.
    says: [&'static str; 2],
    /// Holds and windows as short as a test wants them; what happens is the same.
    short: &'static [&'static str],
}

const EXAMPLES: [Example; 4] = [
    Example {
        directory: "podinfo",
        deploy: &["--env", "PODINFO_UI_MESSAGE=hello again"],
        path: "/",
        says: ["hello from the first version", "hello again"],
        short: &["release.weights.bake=3s", "release.window=3s", "release.min_healthy=2s"],
    },
    Example {
        directory: "static-site",
        deploy: &["--set", "run.cwd=v2"],
        path: "/index.html",
        says: ["The first version", "The second version"],
        short: &["release.blue_green.after.bake=4s", "release.window=3s", "release.min_healthy=2s"],
    },
    Example {
        directory: "websocket",
        deploy: &["--env", "GREETING=good morning"],
        path: "/",
        says: ["hello\n", "good morning"],
        short: &["release.canary_kept.bake=4s", "release.window=3s", "release.min_healthy=2s"],
    },
    Example {
        directory: "fixed-port",
        deploy: &["--env", "RELEASE=2"],
        path: "/serin.yaml",
        says: ["service: legacy", "service: legacy"],
        short: &["release.window=3s"],
    },
];

/// All of them, one after the other.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    if debian::find("python3").is_none() {
        return Err(Stop::Skip("three of the examples are served by Python: install python3".to_owned()));
    }
    let tools = Tools::build(run)?;
    let program = podinfo::build(run, "6.0.1")?;
    let (mut answers, mut names) = (0, Vec::new());
    for example in &EXAMPLES {
        answers += show(run, &tools, example, &program)?;
        names.push(example.directory);
    }
    run.fact("examples", names.join(","));
    run.fact("answers", answers);
    Ok(())
}

/// One example from the first start to the end. Returns how many requests were answered; one that was not is a failure.
fn show(run: &mut Run, tools: &Tools, example: &Example, program: &Path) -> Result<u64, Stop> {
    let source = run.root().join("examples").join(example.directory);
    let text = std::fs::read_to_string(source.join("serin.yaml"))?;
    let mut stage = stage(run, tools, &text)?;
    copy(&source, stage.place())?;
    let text = moved(&text, stage.listen())?;
    std::fs::write(stage.file(), text)?;
    if example.directory == "podinfo" {
        std::fs::copy(program, stage.place().join("podinfo"))?;
    }
    stage.up()?;
    let listen = stage.listen();
    let mut answers = ask(listen, example.path, &example.says[..1])?;
    let mut socket = match example.directory {
        "websocket" => Some(greeted(listen, example.says[0])?),
        _ => None,
    };
    let mut words: Vec<&str> = DEPLOY.iter().chain(example.deploy).copied().collect();
    words.extend(example.short.iter().flat_map(|pair| ["--set", pair]));
    let mut deploy = stage.begin(&words)?;
    // Requests from its beginning to its end: without them there is nothing to judge.
    let released = std::thread::scope(|scope| {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let asking = scope.spawn(move || {
            let mut answers = 0;
            while ended.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                answers += ask(listen, example.path, &example.says)?;
                // New requests reach the new version, and the old connection goes on for as long as its user wants.
                if let Some(mut open) = socket.take_if(|_| ask(listen, example.path, &example.says[1..]).is_ok()) {
                    echoed(&mut open)?;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            if socket.is_some() { fail("the new version never answered") } else { Ok::<u64, Stop>(answers) }
        });
        let said = deploy.end(RELEASE);
        drop(end);
        let answered = asking.join().unwrap_or_else(|_| fail("a thread panicked"))?;
        Ok::<_, Stop>((Released::read(&said?)?, answered))
    });
    let (released, during) = released?;
    answers += during;
    if released.code != 0 || released.outcome != "promoted" {
        return fail(format!("{}: the release was not promoted: {released:?}", example.directory));
    }
    answers += ask(listen, example.path, &example.says[1..])?;
    let status = stage.rests("nothing is left to do")?;
    if last_ending(&status) != Some("promoted") {
        return fail(format!("{}: the status does not say that it was promoted: {status}", example.directory));
    }
    stage.say(format!("promoted; {answers} answers"));
    stage.end()?;
    Ok(answers)
}

fn stage(run: &mut Run, tools: &Tools, text: &str) -> Result<Stage, Stop> {
    let name = text.lines().find_map(|line| line.strip_prefix("service: "));
    let Some(name) = name else { return fail("an example without a service") };
    let mut spec = Spec::podinfo(Path::new("podinfo"), 1);
    spec.service = name.to_owned();
    Stage::set(run, tools, &mut spec)
}

/// The file with addresses of its own, so that an example that a person runs beside this is not disturbed.
fn moved(text: &str, listen: SocketAddr) -> Result<String, Stop> {
    let Some(old) = text.lines().find_map(|line| line.strip_prefix("listen: ")) else {
        return fail("an example without an address");
    };
    let fixed = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    Ok(text.replace(old, &listen.to_string()).replace("9083", &fixed.to_string()))
}

fn copy(from: &Path, to: &Path) -> Result<(), Stop> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir_all(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// One request, which must be answered with 200 and one of these texts.
fn ask(listen: SocketAddr, path: &str, says: &[&str]) -> Result<u64, Stop> {
    let answer = get(listen, path)?;
    if !answer.starts_with("HTTP/1.1 200") && !answer.starts_with("HTTP/1.0 200") {
        return fail(format!("{path} was answered with {:?}", answer.lines().next()));
    }
    if !says.iter().any(|text| answer.contains(text)) {
        return fail(format!("{path} says none of {says:?}: {answer}"));
    }
    Ok(1)
}

/// A WebSocket that was greeted by the old version.
fn greeted(listen: SocketAddr, greeting: &str) -> Result<TcpStream, Stop> {
    let mut socket = TcpStream::connect(listen)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let head = format!(
        "GET /ws HTTP/1.1\r\nHost: {listen}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(head.as_bytes())?;
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte)?;
        answer.push(byte[0]);
    }
    // The key and the answer to it are those of RFC 6455 §1.3.
    if !String::from_utf8_lossy(&answer).contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") {
        return fail(format!("no WebSocket: {}", String::from_utf8_lossy(&answer)));
    }
    let text = frame(&mut socket)?;
    if text == greeting.trim_end() { Ok(socket) } else { fail(format!("the WebSocket greets with {text:?}")) }
}

/// A message still comes back on it, although its version is on its way out.
fn echoed(socket: &mut TcpStream) -> Result<(), Stop> {
    // FIN and text, masked with zeros, five bytes long (RFC 6455 §5.2).
    socket.write_all(&[&[0x81, 0x85, 0, 0, 0, 0][..], b"still"].concat())?;
    let text = frame(socket)?;
    if text == "still" { Ok(()) } else { fail(format!("the WebSocket echoes {text:?}")) }
}

fn frame(socket: &mut TcpStream) -> Result<String, Stop> {
    let mut head = [0; 2];
    socket.read_exact(&mut head)?;
    if head[0] != 0x81 || head[1] > 125 {
        return fail(format!("no short text frame: {head:?}"));
    }
    let mut text = vec![0; usize::from(head[1])];
    socket.read_exact(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
