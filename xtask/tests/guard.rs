//! The guard as a process: what is on its list ends when its pipe does, which is what a killed xtask leaves behind.

use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};

/// A process at the head of its own group, and the line with which xtask names it.
fn sleeper() -> (Child, String) {
    let child = Command::new("sleep").arg("1000").process_group(0).spawn().expect("sleep starts");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("it runs");
    let since = stat.rsplit(')').next().and_then(|s| s.split_whitespace().nth(19)).expect("a start time").to_owned();
    let line = format!("+{} {since}\n", child.id());
    (child, line)
}

#[test]
fn what_is_on_the_list_ends_and_nothing_else() {
    let (mut listed, line) = sleeper();
    let (mut forgotten, other) = sleeper();
    let (mut stranger, third) = sleeper();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let mut guard = command.arg("__guard").stdin(Stdio::piped()).spawn().expect("the guard starts");
    let mut pipe = guard.stdin.take().expect("piped");
    // A process that has the id of one on the list, but started at another time, is somebody else's.
    let reused = third.replace(['\n'], "9\n");
    let forget = format!("-{}\n", forgotten.id());
    for text in [&line, &other, &forget, &reused] {
        pipe.write_all(text.as_bytes()).expect("it reads");
    }
    assert!(listed.try_wait().expect("asked").is_none());
    drop(pipe);
    assert!(guard.wait().expect("it ends").success());
    assert_eq!(listed.wait().expect("it ended").signal(), Some(15));
    for child in [&mut forgotten, &mut stranger] {
        assert!(child.try_wait().expect("asked").is_none(), "a process that is not on the list was ended");
        child.kill().expect("it runs");
        child.wait().expect("it ended");
    }
}

#[test]
fn a_command_line_that_makes_no_sense_shows_the_table() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("dance").output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no verb \"dance\"") && said.contains("tidy"), "{said}");
}
