//! The generator and the backend against each other over real sockets: each one's counts must be the other's.

use serde_json::Value;
use serin_load::backend::{Backend, Config as Service, Faults};
use serin_load::{Config, Load, Outcome, Summary};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// Runs a load of `seconds` against a backend and returns what both counted.
async fn against(backend: &Backend, rate: f64, seconds: f64, change: impl FnOnce(&mut Config)) -> Summary {
    let mut config = Config::new(backend.address(), rate);
    config.duration = Some(Duration::from_secs_f64(seconds));
    config.slow_path = "/delay/0.05".to_owned();
    change(&mut config);
    Load::start(config).expect("a load").wait().await.expect("a summary")
}

fn consistent(summary: &Summary) {
    assert_eq!(summary.in_flight, 0);
    assert_eq!(summary.due, summary.sent + summary.unsent);
    assert_eq!(summary.sent, summary.by_outcome.values().sum::<u64>());
}

#[tokio::test]
async fn counts_agree_with_the_backend() {
    let faults = Faults { fail_share: 0.1, reset_share: 0.02, truncate_share: 0.01, ..Faults::default() };
    let backend = Backend::start(loopback(), Service { faults, ..Service::new("7") }).await.expect("a backend");
    let summary = against(&backend, 500.0, 2.0, |c| c.websockets = 3).await;
    let counts = backend.stop().await;
    consistent(&summary);
    assert_eq!((summary.due, summary.unsent), (1000, 0));
    assert_eq!(counts.requests, 1000);
    assert_eq!(counts.by_status[&500], summary.count(Outcome::Answered(500)));
    assert_eq!(counts.by_status[&200], summary.count(Outcome::Answered(200)));
    assert_eq!(counts.by_status[&202], summary.count(Outcome::Answered(202)));
    assert_eq!(counts.resets, summary.count(Outcome::Reset) + summary.count(Outcome::ResetReused));
    assert_eq!(counts.truncated, summary.count(Outcome::Truncated));
    assert!(counts.resets.abs_diff(20) <= 1 && counts.truncated.abs_diff(10) <= 1, "{counts:?}");
    assert!(counts.posts > 20, "{counts:?}");
    assert_eq!(summary.failed(), counts.by_status[&500] + counts.resets + counts.truncated);
    assert_eq!(summary.by_revision["7"][&Outcome::Answered(200)], counts.by_status[&200]);
    assert_eq!((summary.ws_opened, summary.ws_lost, summary.ws_refused), (3, 0, 0));
    assert!(summary.ws_echoed >= 3 && summary.ws_echoed <= counts.ws_messages, "{summary:?} {counts:?}");
    assert_eq!((counts.ws_opened, counts.ws_open, counts.in_flight), (3, 0, 0));
}

/// What is asked for is started, and in time: within two percent in at least one of five tries, because a machine that is
/// busy with something else for 60 ms at the end of one is no fault of the generator's.
#[tokio::test]
async fn the_rate_is_met_within_two_percent() {
    let mut achieved = Vec::new();
    for _ in 0..5 {
        let backend = Backend::start(loopback(), Service::new("1")).await.expect("a backend");
        let summary = against(&backend, 1000.0, 3.0, |_| {}).await;
        consistent(&summary);
        assert_eq!((summary.due, summary.failed()), (3000, 0), "{summary:?}");
        assert_eq!(backend.stop().await.requests, 3000);
        achieved.push(summary.rate_achieved());
        if achieved.iter().any(|rate| (980.0..=1020.0).contains(rate)) {
            return;
        }
    }
    panic!("{achieved:?} requests a second for 1000 asked");
}

#[tokio::test]
async fn a_stall_is_measured_from_the_intended_start() {
    let backend = Backend::start(loopback(), Service::new("1")).await.expect("a backend");
    backend.set_faults(Faults { delay: Duration::from_millis(300), ..Faults::default() });
    // One connection and 300 ms each: the twentieth request waits for nineteen others, and that is its latency.
    let summary = against(&backend, 100.0, 0.2, |c| {
        (c.connections, c.slow_share, c.timeout) = (1, 0.0, PATIENCE);
    })
    .await;
    consistent(&summary);
    assert_eq!((summary.due, summary.sent), (20, 20));
    assert!(summary.latency.max > 5000.0, "{summary:?}");
    assert!(summary.late >= 19, "{summary:?}");
}

#[tokio::test]
async fn what_could_not_be_sent_is_said() {
    let backend = Backend::start(loopback(), Service::new("1")).await.expect("a backend");
    backend.set_faults(Faults { delay: Duration::from_secs(20), ..Faults::default() });
    let summary = against(&backend, 50.0, 0.2, |c| {
        (c.connections, c.timeout) = (1, Duration::from_secs(4));
    })
    .await;
    consistent(&summary);
    assert_eq!((summary.due, summary.answered()), (10, 0), "{summary:?}");
    assert_eq!((summary.unsent, summary.count(Outcome::Timeout)), (9, 1), "{summary:?}");
}

#[tokio::test]
async fn a_wrong_body_is_no_answer() {
    let backend = Backend::start(loopback(), Service::new("1")).await.expect("a backend");
    let summary = against(&backend, 100.0, 0.5, |c| {
        (c.path, c.post_share, c.slow_share) = ("/status/200".to_owned(), 0.0, 0.0);
    })
    .await;
    assert_eq!(summary.count(Outcome::WrongBody(200)), 50, "{summary:?}");
    assert_eq!(summary.failed(), 50);
}

#[tokio::test]
async fn nobody_listening_is_refused() {
    let listener = std::net::TcpListener::bind(loopback()).expect("a port");
    let mut config = Config::new(listener.local_addr().expect("bound"), 100.0);
    drop(listener);
    (config.duration, config.websockets) = (Some(Duration::from_millis(300)), 1);
    let summary = Load::start(config).expect("a load").wait().await.expect("a summary");
    assert_eq!(summary.count(Outcome::Refused), 30, "{summary:?}");
    assert!(summary.ws_refused > 0 && summary.ws_opened == 0);
}

/// A backend as a process of its own, which can be killed as the world kills.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(options: &[&str]) -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_serin-load"))
            .arg("backend")
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("a line");
        Process { child, address: line.trim().parse().expect("an address") }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("read");
        answer
    }

    fn counts(&self) -> Value {
        let answer = self.ask("GET", "/counts", "");
        serde_json::from_str(answer.split("\r\n\r\n").nth(1).expect("a body")).expect("JSON")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have been killed already; waiting is for both cases.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_killed_backend_gives_exactly_the_resets() {
    let mut backend = Process::start(&["--version", "2"]);
    let mut config = Config::new(backend.address, 100.0);
    (config.slow_share, config.post_share, config.slow_path) = (1.0, 0.0, "/delay/60".to_owned());
    (config.timeout, config.websockets) = (Duration::from_secs(120), 2);
    let load = Load::start(config).expect("a load");
    let begin = Instant::now();
    while load.now().in_flight < 50 || load.now().ws_echoed < 2 {
        assert!(begin.elapsed() < PATIENCE, "{:?}", load.now());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    load.brake()();
    // The brake is pulled: what was due before is sent, and then the backend's own count stands still.
    let under_way = loop {
        let (first, second) = (backend.counts()["in_flight"].clone(), load.now());
        if first.as_u64() == Some(second.in_flight) && second.in_flight == second.due {
            break second.in_flight;
        }
        assert!(begin.elapsed() < PATIENCE, "{first} {second:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    backend.child.kill().expect("killed");
    let summary = load.wait().await.expect("a summary");
    consistent(&summary);
    assert_eq!(summary.count(Outcome::Reset), under_way, "{summary:?}");
    assert_eq!(summary.sent, under_way, "{summary:?}");
}

#[tokio::test]
async fn a_websocket_that_the_other_side_ends_is_lost() {
    let mut backend = Process::start(&[]);
    let mut config = Config::new(backend.address, 20.0);
    (config.websockets, config.post_share, config.slow_share) = (4, 0.0, 0.0);
    let load = Load::start(config).expect("a load");
    let begin = Instant::now();
    while load.now().ws_echoed < 8 {
        assert!(begin.elapsed() < PATIENCE, "{:?}", load.now());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    backend.child.kill().expect("killed");
    while load.now().ws_lost < 4 || load.now().ws_refused < 4 {
        assert!(begin.elapsed() < PATIENCE, "{:?}", load.now());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let summary = load.stop().await.expect("a summary");
    assert_eq!((summary.ws_opened, summary.ws_lost, summary.ws_closed_by_peer), (4, 4, 0), "{summary:?}");
    assert!(summary.count(Outcome::Refused) > 0, "{summary:?}");
}

#[tokio::test]
async fn a_backend_that_stops_in_order_loses_no_request() {
    let backend = Backend::start(loopback(), Service::new("1")).await.expect("a backend");
    let mut config = Config::new(backend.address(), 100.0);
    (config.slow_share, config.post_share, config.slow_path) = (1.0, 0.0, "/delay/0.5".to_owned());
    (config.duration, config.websockets) = (Some(Duration::from_millis(200)), 1);
    let load = Load::start(config).expect("a load");
    let begin = Instant::now();
    while backend.counts().in_flight < 20 || backend.counts().ws_messages == 0 {
        assert!(begin.elapsed() < PATIENCE, "{:?}", backend.counts());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let counts = backend.stop().await;
    let summary = load.wait().await.expect("a summary");
    assert_eq!(summary.count(Outcome::Answered(200)), 20, "{summary:?}");
    assert_eq!(counts.by_status[&200], 20);
}

#[tokio::test]
async fn the_timeline_adds_up() {
    let backend = Backend::start(loopback(), Service::new("9")).await.expect("a backend");
    let file = tempfile::NamedTempFile::new().expect("a file");
    let summary = against(&backend, 200.0, 1.0, |c| c.timeline = Some(file.path().to_owned())).await;
    let text = std::fs::read_to_string(file.path()).expect("written");
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let sum = |pointer: &str| lines.iter().filter_map(|l| l.pointer(pointer)?.as_u64()).sum::<u64>();
    assert!(lines.len() >= 9, "{}", lines.len());
    assert_eq!(sum("/started"), 200);
    assert_eq!(sum("/by_outcome/200"), summary.count(Outcome::Answered(200)));
    assert_eq!(sum("/by_revision/9/200"), summary.by_revision["9"][&Outcome::Answered(200)]);
    assert!(lines.iter().zip(1u64..).all(|(l, n)| l["ms"] == n * 100));
}
