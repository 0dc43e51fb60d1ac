//! `serin demo`, run as a person runs it: everything happens, nothing is lost, nothing is left behind.
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A busy machine may take long; a demo that hangs may not take for ever.
const PATIENCE: Duration = Duration::from_secs(700);

fn demo(temporary: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
    command.args(["demo", "--rate", "50"]).args(words).env("TMPDIR", temporary).env_remove("SERIN_STATE");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Processes that have `what` in their command line.
fn running(what: &str) -> Vec<String> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| text(&line).replace('\0', " ")).filter(|line| line.contains(what)).collect()
}

/// Nothing is in the directory, and nothing runs that was started for it.
fn nothing_is_left(temporary: &Path) {
    let files: Vec<_> = std::fs::read_dir(temporary).unwrap().flatten().map(|entry| entry.path()).collect();
    assert!(files.is_empty(), "{files:?}");
    let begin = Instant::now();
    while !running(temporary.to_str().unwrap()).is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", running(temporary.to_str().unwrap()));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_good_release_is_promoted_and_the_bad_one_is_rolled_back() {
    let temporary = tempfile::tempdir().unwrap();
    let Output { status, stdout, stderr } =
        demo(temporary.path(), &["--output", "json"]).spawn().unwrap().wait_with_output().unwrap();
    let (out, err) = (text(&stdout), text(&stderr));
    assert!(status.success(), "{status}\n{out}\n{err}");
    assert_eq!(out.lines().count(), 1, "one object and nothing else: {out}");
    let facts: serde_json::Value = serde_json::from_str(&out).unwrap();
    let number = |pointer: &str| facts.pointer(pointer).and_then(serde_json::Value::as_u64).unwrap();
    assert_eq!(facts["ok"], true, "{out}");
    assert_eq!(number("/lost"), 0, "{out}");
    assert_eq!(number("/sent"), number("/answered"), "{out}");
    assert_eq!(facts["good_release"]["ending"], "promoted", "{out}");
    assert_eq!(facts["bad_release"]["ending"], "rolled_back", "{out}");
    assert_eq!(number("/versions/2/bad"), 0, "{out}");
    assert_eq!(number("/versions/3/bad"), number("/bad"), "{out}");
    assert!(number("/versions/3/bad") > 0, "{out}");
    nothing_is_left(temporary.path());
}

#[test]
fn ctrl_c_ends_everything_that_was_started() {
    interrupted(rustix::process::Signal::INT, false);
}

#[test]
fn a_closed_terminal_ends_everything_that_was_started() {
    interrupted(rustix::process::Signal::HUP, true);
}

/// Starts it, and ends it by `signal` when there is something to end; also when nobody reads what it says.
fn interrupted(signal: rustix::process::Signal, deaf: bool) {
    let temporary = tempfile::tempdir().unwrap();
    let mut child = demo(temporary.path(), &[]).spawn().unwrap();
    let begin = Instant::now();
    // Two instances and the proxy under their shims: by then there is something to end.
    while running(temporary.path().to_str().unwrap()).iter().filter(|line| line.contains(" shim ")).count() < 3 {
        assert!(begin.elapsed() < PATIENCE, "{:?}", running(temporary.path().to_str().unwrap()));
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = rustix::process::Pid::from_child(&child);
    if deaf {
        drop(child.stdout.take());
    }
    rustix::process::kill_process(pid, signal).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}\n{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stderr).contains("nothing is left"), "{}", text(&output.stderr));
    nothing_is_left(temporary.path());
}
