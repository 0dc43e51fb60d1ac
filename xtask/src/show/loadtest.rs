//! `show loadtest`: the guide to the load tester with the real binary: the token, commands, refusals, gates over a restart, the
//! orderly end and the other one; and no process is left of any of it.

use crate::parts::debian::find;
use crate::process::Process;
use crate::run::{Run, Stop, fail};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Nothing that is waited for here takes as long on a machine that runs at all.
const PATIENCE: Duration = Duration::from_secs(20);
/// All processes of this show have it in their environment.
const MARK: &str = "SERIN_SHOW_LOADTEST";
const PODINFO: &str = r#"{"name": "podinfo", "namespace": "test"}"#;

/// A load tester that runs.
struct Tester {
    process: Process,
    address: String,
    mark: String,
}

/// What was counted.
#[derive(Debug, Default)]
struct Count {
    payloads: u64,
    answered: u64,
    wrong: Vec<String>,
}

/// All of it.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    run.build(&["--package", "serin"])?;
    let curl = find("curl").ok_or(Stop::Skip("the guide's commands are curl's: install curl".to_owned()))?;
    let place = run.scratch().to_owned();
    let mark = format!("{}-{}", run.seed(), std::process::id());
    token(run, &place)?;
    let mut count = Count::default();
    let mut first = start(run, &place, &mark)?;
    commands(&first, &curl, &mut count)?;
    gates(&first, &curl, &mut count)?;
    let ran = running(&first)?;
    if ran < 2 {
        return fail(format!("{ran} processes run, and a keeper and a program should"));
    }
    run.say("SIGTERM while a command runs");
    first.process.signal("TERM")?;
    match first.process.wait(PATIENCE)? {
        Some(status) if status.success() => {}
        ended => return fail(format!("after SIGTERM it ended with {ended:?}")),
    }
    let mut left = running(&first)?;
    run.say("a second one, which is killed while commands run");
    let mut second = start(run, &place, &mark)?;
    let mut asked = |path: &str, body: &str, expected: u16| post(&second, &curl, path, body, expected, &mut count);
    asked("/gate/check", PODINFO, 200)?;
    asked("/rollback/check", PODINFO, 403)?;
    for name in ["a", "b", "c"] {
        asked("/", &payload(name, "cmd", "sleep 600"), 202)?;
    }
    second.process.signal("KILL")?;
    second.process.wait(PATIENCE)?;
    let begin = Instant::now();
    while running(&second)? > 0 && begin.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(20));
    }
    left += running(&second)?;
    run.fact("payloads", count.payloads);
    run.fact("answered", count.answered);
    run.fact("wrong", count.wrong.len());
    run.fact("processes_left", left);
    match (count.wrong.as_slice(), left) {
        ([], 0) if count.answered == count.payloads && count.payloads > 0 => Ok(()),
        (wrong, left) => fail(format!("not as it should be: {}; {left} processes are left", wrong.join(", "))),
    }
}

/// As the guide makes it.
fn token(run: &Run, place: &Path) -> Result<(), Stop> {
    let mut shell = Command::new("sh");
    shell.args(["-c", "head -c 24 /dev/urandom | base64 | tr '+/' '-_' > token"]).current_dir(place);
    run.must(&mut shell)
}

fn start(run: &mut Run, place: &Path, mark: &str) -> Result<Tester, Stop> {
    let mut command = Command::new(run.built("serin", false));
    command.args(["loadtest", "--listen", "127.0.0.1:0", "--token-file", "token", "--state", "state"]);
    for program in ["curl", "sleep"] {
        command.args(["--allow", program]);
    }
    command.env(MARK, mark).current_dir(place).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = run.start(&mut command)?;
    let out = process.child.stdout.take().ok_or(Stop::Fail("there is no pipe".to_owned()))?;
    let mut lines = BufReader::new(out).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    // Its log is read to the end, so that it never has to wait for us.
    std::thread::spawn(move || lines.for_each(drop));
    let line =
        crate::json::Value::parse(&first).map_err(|e| Stop::Fail(format!("{first:?} is no line of JSON: {e:?}")))?;
    let Some(address) = line.get("address").and_then(|value| value.text()).map(str::to_owned) else {
        return fail(format!("it does not say where it listens: {first}"));
    };
    Ok(Tester { process, address, mark: format!("{MARK}={mark}") })
}

fn payload(name: &str, kind: &str, cmd: &str) -> String {
    format!(
        r#"{{"name": "{name}", "namespace": "test", "metadata": {{"type": "{kind}", "cmd": "{cmd}", "returnCmdOutput": "true"}}}}"#
    )
}

fn commands(tester: &Tester, curl: &PathBuf, count: &mut Count) -> Result<(), Stop> {
    let health = format!("curl -s http://{}/healthz", tester.address);
    let deep = "[".repeat(60_000);
    let long = payload("podinfo", "cmd", &"x".repeat(70_000));
    for (body, expected) in [
        (payload("podinfo", "bash", &health), 200),
        (payload("podinfo", "bash", "curl -s http://127.0.0.1:1/"), 500),
        (payload("podinfo", "cmd", &health), 202),
        (payload("podinfo", "cmd", "sleep 600"), 202),
        (payload("podinfo", "cmd", "sleep 600"), 202),
        (payload("podinfo", "cmd", "sh -c 'sleep 600'"), 403),
        (payload("podinfo", "cmd", "sleep 600; sleep 600"), 400),
        (payload("podinfo", "cmd", "sleep 'open"), 400),
        (payload("podinfo", "cmd", "sleep \\u0000"), 400),
        (payload("podinfo", "helm", "test podinfo"), 400),
        ("nonsense".to_owned(), 400),
        (r#"{"metadata": {"cmd": 7}}"#.to_owned(), 400),
        (deep, 400),
        (long, 413),
    ] {
        post(tester, curl, "/", &body, expected, count)?;
    }
    // In the webhook's address, as the guide writes it; and without a token.
    let token = std::fs::read_to_string(token_of(tester)?)?;
    let address = format!("http://any:{}@{}/gate/approve", token.trim(), tester.address);
    judged("a token in the address", ask(curl, &address, PODINFO, None)?, 200, count);
    let address = format!("http://{}/gate/approve", tester.address);
    judged("no token", ask(curl, &address, PODINFO, None)?, 401, count);
    Ok(())
}

/// Opened for good, and one that is closed again.
fn gates(tester: &Tester, curl: &PathBuf, count: &mut Count) -> Result<(), Stop> {
    for (path, expected) in [
        ("/gate/check", 403),
        ("/gate/open", 202),
        ("/gate/check", 200),
        ("/gate/close", 202),
        ("/gate/check", 403),
        ("/gate/open", 202),
        ("/rollback/check", 403),
        ("/rollback/open", 202),
        ("/rollback/check", 200),
        ("/rollback/close", 202),
        ("/gate/halt", 403),
    ] {
        post(tester, curl, path, PODINFO, expected, count)?;
    }
    Ok(())
}

fn token_of(tester: &Tester) -> Result<PathBuf, Stop> {
    let place = std::fs::read_link(format!("/proc/{}/cwd", tester.process.id()))?;
    Ok(place.join("token"))
}

fn post(tester: &Tester, curl: &PathBuf, path: &str, body: &str, expected: u16, count: &mut Count) -> Result<(), Stop> {
    let token = std::fs::read_to_string(token_of(tester)?)?;
    let address = format!("http://{}{path}", tester.address);
    let status = ask(curl, &address, body, Some(token.trim()))?;
    let shown: String = body.chars().take(100).collect();
    judged(&format!("{path} {shown}"), status, expected, count);
    Ok(())
}

fn judged(what: &str, status: u16, expected: u16, count: &mut Count) {
    count.payloads += 1;
    count.answered += u64::from(status != 0);
    if status != expected {
        count.wrong.push(format!("{what} was answered with {status} and not {expected}"));
    }
}

/// The status; 0 when nothing was answered.
fn ask(curl: &PathBuf, address: &str, body: &str, token: Option<&str>) -> Result<u16, Stop> {
    let mut command = Command::new(curl);
    command.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "30", "--noproxy", "*"]);
    if let Some(token) = token {
        command.args(["-H", &format!("Authorization: Bearer {token}")]);
    }
    command.args(["-d", body, address]).stdin(Stdio::null());
    let output = command.output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0))
}

/// How many processes there are below a load tester, by the mark that all of them inherit.
fn running(tester: &Tester) -> Result<usize, Stop> {
    let own = tester.process.id().to_string();
    let marked = |pid: &str| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|pair| pair == tester.mark.as_bytes())
    };
    let mut found = 0;
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.bytes().all(|byte| byte.is_ascii_digit()) && name != own && marked(&name) {
            found += 1;
        }
    }
    Ok(found)
}
