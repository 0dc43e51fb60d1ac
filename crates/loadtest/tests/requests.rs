//! Requests: who may, what is refused, gates, and clients that mean no good.

mod served;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use served::{FIXTURE, PATIENCE, Tester, option, payload, until};

const PODINFO: &str = r#"{"name": "podinfo", "namespace": "prod"}"#;

#[test]
fn gates_are_closed_until_somebody_opens_them() {
    let tester = Tester::start(&[]);
    assert_eq!(tester.post("/gate/approve", PODINFO), (200, "OK\n".to_owned()));
    assert_eq!(tester.post("/gate/halt", PODINFO), (403, "Forbidden\n".to_owned()));
    for kind in ["gate", "rollback"] {
        let path = |verb: &str| format!("/{kind}/{verb}");
        assert_eq!(tester.post(&path("check"), PODINFO).0, 403);
        assert_eq!(tester.post(&path("open"), PODINFO).0, 202);
        assert_eq!(tester.post(&path("check"), PODINFO).0, 200);
        assert_eq!(tester.post(&path("check"), &PODINFO.replace("prod", "test")).0, 403);
        assert_eq!(tester.metric(&format!("gates_open{{kind=\"{kind}\"}}")), 1);
        assert_eq!(tester.post(&path("close"), PODINFO).0, 202);
        assert_eq!(tester.post(&path("check"), PODINFO).0, 403);
        assert_eq!(tester.post(&path("check"), "{}").0, 400);
    }
    // A gate that says no has done what was asked of it.
    assert_eq!(tester.metric("requests_refused_total"), 2);
}

#[test]
fn no_restart_closes_a_gate() {
    let dir = tempfile::tempdir().unwrap();
    let state = option("state", dir.path());
    let mut first = Tester::start(&[&state]);
    assert_eq!(first.post("/gate/open", PODINFO).0, 202);
    assert_eq!(first.post("/rollback/open", &PODINFO.replace("prod", "test")).0, 202);
    first.signal(rustix::process::Signal::KILL);
    first.wait();
    let second = Tester::start(&[&state]);
    assert_eq!(second.post("/gate/check", PODINFO).0, 200);
    assert_eq!(second.post("/rollback/check", PODINFO).0, 403);
    assert_eq!(second.post("/rollback/check", &PODINFO.replace("prod", "test")).0, 200);
    assert!(second.said("listening")[0]["gates"].as_str().unwrap().starts_with("kept in"));
    assert!(Tester::start(&[]).said("listening")[0]["gates"].as_str().unwrap().contains("a restart closes them"));
}

#[test]
fn without_the_token_nothing_is_done() {
    let (_dir, path, token) = served::token();
    let tester = Tester::start(&[&option("token", &path)]);
    let basic = |pair: &str| {
        use base64::Engine;
        format!("Authorization: Basic {}\r\n", base64::engine::general_purpose::STANDARD.encode(pair))
    };
    for fields in [String::new(), "Authorization: Bearer a-token-for-the-test\r\n".to_owned(), basic("user:wrong")] {
        for path in ["/", "/gate/open", "/gate/check", "/gate/approve", "/nothing"] {
            let (status, text) = tester.ask("POST", path, &fields, &payload("podinfo", "cmd", "wait"));
            assert!(status == 401 && text.contains("http://any:TOKEN@"), "{path} {status} {text}");
        }
    }
    assert_eq!(tester.metric("requests_refused_total"), 15);
    assert_eq!((tester.metric("commands_started_total"), tester.metric("gates_open{kind=\"gate\"}")), (0, 0));
    assert_eq!(tester.ask("GET", "/healthz", "", ""), (200, "ok\n".to_owned()));
    for fields in [format!("Authorization: Bearer {token}\r\n"), basic(&format!("any:{token}"))] {
        assert_eq!(tester.ask("POST", "/", &fields, &payload("podinfo", "bash", "say 0 a")).0, 200);
        assert_eq!(tester.ask("POST", "/gate/open", &fields, PODINFO).0, 202);
    }
}

#[test]
fn a_page_in_a_browser_may_not_command() {
    let tester = Tester::start(&[]);
    for field in ["Origin: http://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        assert_eq!(tester.ask("POST", "/", field, &payload("podinfo", "cmd", "wait")).0, 403);
    }
    assert_eq!(tester.metric("commands_started_total"), 0);
}

#[test]
fn without_a_token_it_listens_to_this_machine_alone() {
    let refused = |options: &[&str]| {
        let output = Command::new(FIXTURE).arg("serve").args(options).stdin(Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = refused(&["allow=hey", "listen=0.0.0.0:0"]);
    assert!(code == Some(2) && text.contains("anybody") && text.contains("--insecure-without-token"), "{text}");
    let (code, text) = refused(&["allow=hey", "token=/nothing/here"]);
    assert!(code == Some(2) && text.contains("/nothing/here cannot be read"), "{text}");
    let (code, text) = refused(&[]);
    assert!(code == Some(2) && text.contains("--allow"), "{text}");
    let tester = Tester::start(&[]);
    let (code, text) = refused(&["allow=hey", &format!("listen={}", tester.address)]);
    assert!(code == Some(1) && text.contains("--listen"), "{text}");
}

#[test]
fn whatever_is_sent_nothing_is_started_and_the_next_one_is_served() {
    let tester = Tester::start(&["patience=400"]);
    let long = "x".repeat(70_000);
    let nested = "[".repeat(60_000);
    let open_quote = payload("podinfo", "cmd", "say 0 'open");
    let bodies: [(&str, u16); 14] = [
        ("", 400),
        ("nonsense", 400),
        ("null", 400),
        (&nested, 400),
        (&long, 413),
        (r#"{"metadata":{"cmd":["hey"]}}"#, 400),
        (r#"{"metadata":"cmd"}"#, 400),
        (r#"{"name":{"a":1}}"#, 400),
        (r#"{"metadata":{"cmd":"hey \u0000"}}"#, 400),
        (r#"{"metadata":{"type":"helm","cmd":"test"}}"#, 400),
        (r#"{"metadata":{"cmd":"sh -c 'rm -rf /'"}}"#, 403),
        (r#"{"metadata":{"cmd":"hey a; rm b"}}"#, 400),
        (r#"{"name":"../../etc","namespace":"prod"}"#, 400),
        (&open_quote, 400),
    ];
    for (body, expected) in bodies {
        let (status, text) = tester.post("/", body);
        assert_eq!(status, expected, "{body:.60} {text}");
        assert!(text.trim().len() > 30, "no sentence: {text}");
    }
    for (method, path, expected) in
        [("GET", "/", 405), ("PUT", "/gate/open", 405), ("POST", "/metrics", 405), ("POST", "/../etc/passwd", 404)]
    {
        assert_eq!(tester.ask(method, path, "", PODINFO).0, expected, "{method} {path}");
    }
    let chunked =
        format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n", long.len());
    assert_eq!(tester.raw(chunked.as_bytes()).0, 413);
    let fields = "A: b\r\n".repeat(100);
    assert_eq!(tester.ask("POST", "/", &fields, PODINFO).0, 431);
    let field = format!("A: {}\r\n", "b".repeat(40_000));
    assert_eq!(tester.ask("POST", "/", &field, PODINFO).0, 431);
    assert_eq!(tester.raw(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").0, 400);
    // These are cut: no head, half a head, half a body.
    for half in ["", "POST / HTTP/1.1\r\nHos", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"] {
        assert_eq!(tester.raw(half.as_bytes()).0, 0, "{half:?}");
    }
    assert_eq!((tester.metric("commands_started_total"), tester.metric("commands_running")), (0, 0));
    assert_eq!(tester.post("/", &payload("podinfo", "bash", "say 0 a")), (200, "a\n".to_owned()));
}

#[test]
fn many_that_say_nothing_keep_nobody_out() {
    let tester = Tester::start(&["patience=400", "most=1"]);
    let silent: Vec<_> = (0..200).map(|_| TcpStream::connect(tester.address).unwrap()).collect();
    assert_eq!(tester.ask("GET", "/healthz", "", "").0, 200);
    for mut stream in silent {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0, "it was not cut");
    }
}

#[test]
fn an_answer_that_nobody_takes_is_dropped() {
    let tester = Tester::start(&["patience=400", "most=1"]);
    let body = payload("podinfo", "bash", "flood 100000");
    let streams: Vec<_> = (0..3)
        .map(|_| {
            let mut stream = TcpStream::connect(tester.address).unwrap();
            write!(stream, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
            stream
        })
        .collect();
    until("nothing runs", || tester.said("answered").len() == 3 && tester.metric("commands_running") == 0);
    assert_eq!(tester.post("/", &payload("podinfo", "bash", "say 0 a")).0, 200);
    drop(streams);
}
