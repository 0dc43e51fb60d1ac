//! The program itself: what it prints, and how it is stopped.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_serin-load");

/// A process that is killed when the test ends, however it ends.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn backend(options: &[&str]) -> (Guard, String) {
    let mut child =
        Command::new(PROGRAM).arg("backend").args(options).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    (Guard(child), format!("http://{}/", line.trim()))
}

fn summary(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn it_prints_one_summary() {
    let (_backend, url) = backend(&["--version", "3", "--fail-share", "0.5"]);
    let options = ["--rate", "100", "--seconds", "1", "--slow-share", "0", "--post-share", "0"];
    let output = Command::new(PROGRAM).arg(&url).args(options).stdin(Stdio::null()).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let summary = summary(&String::from_utf8_lossy(&output.stdout));
    assert_eq!((&summary["sent"], &summary["failed"]), (&100.into(), &50.into()), "{summary}");
    assert_eq!(summary["by_status"], serde_json::json!({"200": 50, "500": 50}));
    assert_eq!(summary["by_revision"], serde_json::json!({"3": {"200": 50}}));
}

/// Starts an endless load, ends it with `end` once it has run for a moment, and returns its summary.
fn ended_by(end: impl FnOnce(&mut Child)) -> Value {
    let (_backend, url) = backend(&[]);
    let timeline = tempfile::NamedTempFile::new().expect("a file");
    let mut command = Command::new(PROGRAM);
    command.arg(&url).args(["--rate", "100", "--slow-share", "0", "--timeline"]).arg(timeline.path());
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut child = Guard(child);
    let begin = Instant::now();
    while std::fs::metadata(timeline.path()).expect("it is there").len() == 0 {
        assert!(begin.elapsed() < Duration::from_secs(30), "no line of the timeline");
        std::thread::sleep(Duration::from_millis(10));
    }
    end(&mut child.0);
    let mut text = String::new();
    child.0.stdout.take().expect("piped").read_to_string(&mut text).expect("read");
    assert!(child.0.wait().expect("it ends").success());
    summary(&text)
}

#[test]
fn the_end_of_its_input_ends_it() {
    let summary = ended_by(|child| drop(child.stdin.take()));
    assert!(summary["sent"].as_u64() > Some(0) && summary["failed"] == 0, "{summary}");
}

#[test]
fn sigterm_ends_it() {
    let summary = ended_by(|child| {
        let id = rustix::process::Pid::from_child(child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it runs");
    });
    assert!(summary["sent"].as_u64() > Some(0) && summary["failed"] == 0, "{summary}");
}

#[test]
fn a_wrong_command_line_is_explained() {
    let output = Command::new(PROGRAM).args(["http://127.0.0.1:1/", "--speed", "1"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no option --speed"));
}
