//! Commands: what is started, how often, what is answered, and that nothing of them is left.

mod served;

use std::io::Write;
use std::net::TcpStream;

use rustix::process::{Pid, Signal, kill_process};
use served::{FIXTURE, Tester, payload, until};

#[test]
fn a_command_is_started_once_for_each_canary() {
    let tester = Tester::start(&[]);
    let posts = || tester.post("/", &payload("podinfo", "cmd", "wait"));
    let answers: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(posts)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|(status, _)| *status == 202), "{answers:?}");
    assert_eq!(answers.iter().filter(|(_, text)| text == "started\n").count(), 1, "{answers:?}");
    assert_eq!(tester.post("/", &payload("other", "cmd", "wait")), (202, "started\n".to_owned()));
    assert_eq!(tester.post("/", &payload("podinfo", "cmd", "wait again")).0, 202);
    assert_eq!(tester.metric("commands_started_total"), 3);
    assert_eq!(tester.metric("commands_repeated_total"), 7);
    // The third one has words that the fixture does not know.
    until("one has failed", || tester.metric("commands_failed_total") == 1);
    assert_eq!(tester.metric("commands_running"), 2);
    // A keeper and a program each.
    until("both run", || tester.processes().len() == 4);
}

#[test]
fn what_has_ended_may_be_started_again() {
    let tester = Tester::start(&[]);
    for round in 1..=3 {
        assert_eq!(tester.post("/", &payload("podinfo", "cmd", "say 0 hello")), (202, "started\n".to_owned()));
        until("it has ended", || tester.metric("commands_running") == 0);
        assert_eq!(tester.metric("commands_succeeded_total"), round);
    }
    let ended = tester.heard("ended", 3);
    assert_eq!((ended[0]["output"].as_str(), ended[0]["for"].as_str()), (Some("hello\n"), Some("podinfo.prod")));
    tester.is_alone();
}

#[test]
fn who_waits_is_told_what_came_of_it() {
    let tester = Tester::start(&[]);
    let (status, text) = tester.post("/", &payload("podinfo", "bash", "say 0 'a b' \"c\""));
    assert_eq!((status, text.as_str()), (200, "a b|c\n"));
    let quiet = payload("podinfo", "bash", "say 0 secret").replace("\"true\"", "\"false\"");
    assert_eq!(tester.post("/", &quiet), (200, "OK\n".to_owned()));
    let (status, text) = tester.post("/", &payload("podinfo", "bash", "say 7 no luck"));
    assert_eq!((status, text.as_str()), (500, "the command ended with status 7\nno|luck\n"));
    let ended = tester.heard("ended", 3);
    assert!(ended[1]["output"].is_null(), "{}", ended[1]);
    assert_eq!(ended[2]["success"], false);
    assert_eq!((tester.metric("commands_succeeded_total"), tester.metric("commands_failed_total")), (2, 1));
}

#[test]
fn the_output_is_bounded_and_its_end_is_kept() {
    let tester = Tester::start(&[]);
    let (status, text) = tester.post("/", &payload("podinfo", "bash", "flood 20000000"));
    assert_eq!(status, 200);
    assert!(text.len() < 40_000 && text.ends_with("xxthe end\n") && text.contains("are left out"), "{}", text.len());
}

#[test]
fn a_command_gets_no_descriptor_of_the_load_tester() {
    let (_dir, path, token) = served::token();
    let tester = Tester::start(&[&served::option("token", &path)]);
    // Another one runs, whose socket and pipes must not be there either.
    let bearer = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(tester.ask("POST", "/", &bearer, &payload("a", "cmd", "wait")).0, 202);
    let (status, text) = tester.ask("POST", "/", &bearer, &payload("b", "bash", "descriptors"));
    assert_eq!(status, 200);
    let mut all: Vec<_> = text.lines().collect();
    all.sort_unstable();
    // Standard input, both outputs, and the directory that it reads.
    assert_eq!(all.len(), 4, "{all:?}");
    assert!(all[2].starts_with("pipe:") && all[2] == all[3] && all.contains(&"/dev/null"), "{all:?}");
}

#[test]
fn no_more_than_the_most_run_at_once() {
    let tester = Tester::start(&["most=2"]);
    assert_eq!(tester.post("/", &payload("a", "cmd", "wait")).0, 202);
    assert_eq!(tester.post("/", &payload("b", "cmd", "wait")).0, 202);
    for kind in ["cmd", "bash"] {
        let (status, text) = tester.post("/", &payload("c", kind, "wait"));
        assert!(status == 429 && text.contains("--most"), "{status} {text}");
    }
    // The same one is not one more.
    assert_eq!(tester.post("/", &payload("a", "cmd", "wait")).0, 202);
    assert_eq!((tester.metric("commands_started_total"), tester.metric("commands_running")), (2, 2));
}

#[test]
fn what_takes_too_long_is_ended_and_then_killed() {
    let tester = Tester::start(&["timeout=300", "grace=300"]);
    for words in ["wait", "stubborn", "family 3"] {
        let (status, text) = tester.post("/", &payload("podinfo", "bash", words));
        assert!(status == 500 && text.contains("it took longer than 0.3 s"), "{words}: {status} {text}");
        tester.is_alone();
    }
    assert_eq!(tester.metric("commands_failed_total"), 3);
}

#[test]
fn a_command_that_nobody_waits_for_any_more_is_ended() {
    let tester = Tester::start(&["grace=300"]);
    let body = payload("podinfo", "bash", "family 4");
    let mut stream = TcpStream::connect(tester.address).unwrap();
    write!(stream, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    // Its keeper, itself, four children and their children.
    until("all of it runs", || tester.processes().len() == 10);
    drop(stream);
    tester.is_alone();
    until("it is said", || tester.said("ended").iter().any(|line| line["how"].to_string().contains("waits no longer")));
}

#[test]
fn what_a_command_leaves_behind_ends_with_it() {
    let tester = Tester::start(&["shell=/bin/sh"]);
    let body = payload("podinfo", "bash", "family 3 & sleep 0.3; echo done | cat");
    let (status, text) = tester.post("/", &body);
    assert!(status == 200 && text.ends_with("done\n"), "{status} {text}");
    tester.is_alone();
}

#[test]
fn a_program_that_is_not_there_is_said_at_once() {
    let tester = Tester::start(&["allow=no-such-program", "allow=/etc/passwd"]);
    for (program, words) in [("no-such-program", "is in no directory of PATH"), ("/etc/passwd", "is not executable")] {
        let body = payload("podinfo", "cmd", "wait").replace(FIXTURE, program);
        let (status, text) = tester.post("/", &body);
        assert!(status == 500 && text.contains(words), "{status} {text}");
    }
    assert_eq!((tester.metric("commands_started_total"), tester.metric("commands_running")), (0, 0));
}

#[test]
fn the_load_tester_ends_in_order_and_leaves_nothing() {
    let mut tester = Tester::start(&["grace=500"]);
    for (name, words) in [("a", "wait"), ("b", "stubborn"), ("c", "family 10")] {
        assert_eq!(tester.post("/", &payload(name, "cmd", words)).0, 202);
    }
    let (address, body) = (tester.address, payload("d", "bash", "wait"));
    let waits = std::thread::spawn(move || {
        use std::io::Read;
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    });
    until("all run", || tester.processes().len() == 2 + 2 + 22 + 2);
    tester.signal(Signal::TERM);
    assert_eq!(tester.wait().code(), Some(0));
    assert!(tester.processes().is_empty(), "it ended before what it had started");
    let answer = waits.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 500") && answer.contains("the load tester ends"), "{answer}");
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn killed_it_leaves_nothing_either() {
    let mut tester = Tester::start(&[]);
    for (name, words) in [("a", "wait"), ("b", "stubborn"), ("c", "family 25")] {
        assert_eq!(tester.post("/", &payload(name, "cmd", words)).0, 202);
    }
    until("all run", || tester.processes().len() == 2 + 2 + 52);
    tester.signal(Signal::KILL);
    assert_eq!(tester.wait().code(), None);
    tester.is_alone();
}

#[test]
fn a_keeper_that_is_killed_takes_its_command_with_it() {
    let tester = Tester::start(&[]);
    assert_eq!(tester.post("/", &payload("podinfo", "cmd", "wait")).0, 202);
    until("both run", || tester.processes().len() == 2);
    let keeper = tester.processes().into_iter().find(|pid| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.ends_with(b"keeper\0")
    });
    kill_process(Pid::from_raw(keeper.expect("a keeper")).unwrap(), Signal::KILL).unwrap();
    tester.is_alone();
    until("it is said", || tester.metric("commands_failed_total") == 1);
    assert!(tester.heard("ended", 1)[0]["how"].to_string().contains("killed together with its keeper"));
    assert_eq!(tester.post("/", &payload("podinfo", "cmd", "wait")), (202, "started\n".to_owned()));
}
