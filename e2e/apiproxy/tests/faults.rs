//! Every fault, against a small real server behind the proxy that counts what reaches it.

use serin_apiproxy::{Arguments, Server, start};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The proxy on a thread of its own, and a server behind it.
struct Stage {
    server: Server,
    /// Requests that reached the server.
    reached: Arc<AtomicU64>,
    /// What ends a watch.
    watch: std::sync::mpsc::Sender<()>,
}

fn stage() -> Stage {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let upstream = listener.local_addr().expect("bound").to_string();
    let reached = Arc::new(AtomicU64::new(0));
    let (watch, ended) = std::sync::mpsc::channel();
    let (count, ended) = (Arc::clone(&reached), Arc::new(std::sync::Mutex::new(ended)));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (count, ended) = (Arc::clone(&count), Arc::clone(&ended));
            std::thread::spawn(move || serve(stream, &count, &ended));
        }
    });
    let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let arguments = Arguments { upstream, authority: None, listen: any, control: any, identity: None };
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            tell.send(start(&arguments).await.expect("it starts")).expect("somebody waits");
            std::future::pending::<()>().await;
        });
    });
    Stage { server: told.recv().expect("it started"), reached, watch }
}

/// Answers requests on one connection: 201 with the token that came, and two pieces to a watch.
fn serve(stream: TcpStream, count: &AtomicU64, ended: &std::sync::Mutex<std::sync::mpsc::Receiver<()>>) {
    let mut out = stream.try_clone().expect("a second handle");
    let mut input = BufReader::new(stream);
    while let Some((head, _)) = read_head(&mut input) {
        count.fetch_add(1, Ordering::SeqCst);
        let token = head.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap_or("none").to_owned();
        if head.contains("watch=true") {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";
            out.write_all(head.as_bytes()).expect("the proxy reads");
            ended.lock().expect("one at a time").recv().expect("the test says when");
            out.write_all(b"6\r\nsecond\r\n0\r\n\r\n").expect("the proxy reads");
        } else {
            let answer = format!("HTTP/1.1 201 Created\r\nContent-Length: {}\r\n\r\n{token}", token.len());
            out.write_all(answer.as_bytes()).expect("the proxy reads");
        }
    }
}

/// A head and the length of the body, which is read too; `None` at the end.
fn read_head(input: &mut impl BufRead) -> Option<(String, usize)> {
    let mut head = String::new();
    loop {
        let begin = head.len();
        if input.read_line(&mut head).ok()? == 0 {
            return None;
        }
        if &head[begin..] == "\r\n" {
            break;
        }
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok()).unwrap_or(0);
    input.read_exact(&mut vec![0; length]).ok()?;
    Some((head, length))
}

/// One request on a connection of its own; the whole answer, empty where there is none.
fn exchange(to: SocketAddr, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(to).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: serin/1 test\r\nAuthorization: Bearer T\r\n\
         Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut answer = String::new();
    // A connection that is dropped may end by a reset.
    let _ = stream.read_to_string(&mut answer);
    answer
}

const ROUTE: &str = "/apis/gateway.networking.k8s.io/v1/namespaces/a/httproutes/podinfo";

impl Stage {
    fn call(&self, method: &str, path: &str) -> String {
        exchange(self.server.api, method, path, "{}")
    }

    fn fault(&self, fault: &str) -> String {
        exchange(self.server.control, "POST", "/faults", fault)
    }

    fn report(&self) -> serde_json::Value {
        let answer = exchange(self.server.control, "GET", "/calls", "");
        serde_json::from_str(answer.split_once("\r\n\r\n").expect("an answer").1).expect("JSON")
    }

    fn reached(&self) -> u64 {
        self.reached.load(Ordering::SeqCst)
    }
}

/// A process that ends only when it is killed.
fn sleeper() -> Child {
    Command::new("sleep").arg("1000").spawn().expect("sleep starts")
}

fn must_be_killed(mut child: Child) {
    assert_eq!(child.wait().expect("it ended").signal(), Some(9));
}

#[test]
fn without_a_fault_everything_is_passed_on_and_counted() {
    let stage = stage();
    for _ in 0..3 {
        let answer = stage.call("PATCH", ROUTE);
        assert!(answer.starts_with("HTTP/1.1 201") && answer.ends_with("bearer t"), "{answer}");
    }
    stage.call("GET", "/api/v1/namespaces/a/pods");
    let report = stage.report();
    assert_eq!((stage.reached(), &report["total"]), (4, &serde_json::json!(4)));
    let list = serde_json::json!({"verb": "list", "resource": "pods", "count": 1, "forwarded": 1});
    assert_eq!(report["calls"][0], list);
}

#[test]
fn a_conflict_is_not_passed_on_and_is_there_once() {
    let stage = stage();
    stage.fault(r#"{"verb":"patch","resource":"httproutes","agent":"serin","at":2,"do":"conflict"}"#);
    assert!(stage.call("PATCH", ROUTE).starts_with("HTTP/1.1 201"));
    stage.call("GET", ROUTE);
    let answer = stage.call("PATCH", ROUTE);
    assert!(answer.starts_with("HTTP/1.1 409"), "{answer}");
    let status: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").expect("two").1).expect("JSON");
    assert_eq!(
        (&status["kind"], &status["reason"], &status["code"]),
        (&"Status".into(), &"Conflict".into(), &409.into())
    );
    let details = serde_json::json!({"name": "podinfo", "group": "gateway.networking.k8s.io", "kind": "httproutes"});
    assert_eq!(status["details"], details);
    assert!(stage.call("PATCH", ROUTE).starts_with("HTTP/1.1 201"));
    assert_eq!((stage.reached(), &stage.report()["faults"][0]["fired"]), (3, &1.into()));
}

#[test]
fn an_error_comes_although_it_was_done() {
    let stage = stage();
    stage.fault(r#"{"do":"error_after"}"#);
    let answer = stage.call("PUT", ROUTE);
    assert!(answer.starts_with("HTTP/1.1 500") && answer.contains("had answered 201"), "{answer}");
    assert_eq!(stage.reached(), 1);
}

#[test]
fn a_connection_is_dropped_before_or_after_it_was_done() {
    let stage = stage();
    stage.fault(r#"{"do":"drop_before"}"#);
    assert_eq!((stage.call("PUT", ROUTE), stage.reached()), (String::new(), 0));
    stage.fault(r#"{"do":"drop_after"}"#);
    assert_eq!((stage.call("PUT", ROUTE), stage.reached()), (String::new(), 1));
    assert!(stage.call("PUT", ROUTE).starts_with("HTTP/1.1 201"));
}

#[test]
fn a_process_is_killed_before_or_after_it_was_done() {
    let stage = stage();
    let (before, after) = (sleeper(), sleeper());
    stage.fault(&format!(r#"{{"do":{{"kill_before":{{"pid":{}}}}}}}"#, before.id()));
    assert_eq!((stage.call("PUT", ROUTE), stage.reached()), (String::new(), 0));
    must_be_killed(before);
    stage.fault(&format!(r#"{{"do":{{"kill_after":{{"pid":{}}}}}}}"#, after.id()));
    assert_eq!((stage.call("PUT", ROUTE), stage.reached()), (String::new(), 1));
    must_be_killed(after);
}

#[test]
fn a_call_is_late_by_as_much_as_was_asked_at_least() {
    let stage = stage();
    stage.fault(r#"{"do":{"delay":{"millis":300}}}"#);
    let begin = Instant::now();
    assert!(stage.call("PUT", ROUTE).starts_with("HTTP/1.1 201"));
    assert!(begin.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_watch_streams_as_it_comes() {
    let stage = stage();
    let mut stream = TcpStream::connect(stage.server.api).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    stream.write_all(b"GET /api/v1/pods?watch=true HTTP/1.1\r\nHost: x\r\n\r\n").expect("it reads");
    let mut seen = String::new();
    let mut until = |stream: &mut TcpStream, wanted: &str| {
        let mut buffer = [0u8; 1024];
        while !seen.contains(wanted) {
            let count = stream.read(&mut buffer).expect("something comes");
            assert!(count > 0, "{wanted} did not come: {seen}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        seen.clone()
    };
    // The second piece is sent only when the first one is here.
    assert!(!until(&mut stream, "first").contains("second"));
    stage.watch.send(()).expect("the server waits");
    until(&mut stream, "second");
    assert_eq!(stage.report()["calls"][0]["verb"], "watch");
}

#[test]
fn faults_that_make_no_sense_are_refused_and_all_can_be_taken_away() {
    let stage = stage();
    for wrong in ["", "{}", r#"{"do":"dance"}"#, r#"{"do":"conflict","at":0}"#, r#"{"do":{"kill_after":{"pid":1}}}"#] {
        assert!(stage.fault(wrong).starts_with("HTTP/1.1 400"), "{wrong}");
    }
    assert!(stage.fault(r#"{"do":"conflict"}"#).starts_with("HTTP/1.1 200"));
    assert!(exchange(stage.server.control, "DELETE", "/faults", "").starts_with("HTTP/1.1 200"));
    assert!(stage.call("PUT", ROUTE).starts_with("HTTP/1.1 201"));
    assert!(exchange(stage.server.control, "GET", "/dance", "").starts_with("HTTP/1.1 404"));
}

#[test]
fn a_server_that_is_not_there_is_said_to_be() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
    let mut child = Command::new(env!("CARGO_BIN_EXE_serin-apiproxy"))
        .arg(format!("http://{free}"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let said: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let api: SocketAddr = said["api"].as_str().expect("an address").parse().expect("an address");
    let answer = exchange(api, "GET", "/api/v1/pods", "");
    assert!(answer.starts_with("HTTP/1.1 502") && answer.contains("cannot be reached"), "{answer}");
    drop(child.stdin.take());
    assert!(child.wait().expect("it ends with its input").success());
}
