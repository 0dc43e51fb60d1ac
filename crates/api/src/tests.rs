//! Router and client together over a real unix socket, against a small controller in memory.

use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, oneshot, watch};

use crate::*;

/// One step of one rollout: every command moves it one step on, so that the second of two is late.
struct Memory {
    status: Mutex<StatusView>,
    events: Mutex<Vec<EventView>>,
    changes: watch::Sender<u64>,
}

fn slot(track: Option<Track>) -> SlotView {
    SlotView { track, revision: None, warm: false, desired: 0, total: 0, ready: 0, healthy: 0, instances: vec![] }
}

impl Memory {
    fn new() -> Arc<Self> {
        let status = StatusView {
            service: "shop".into(),
            now: 1,
            seq: 0,
            key: StepKey { rollout: 1, step: 0, attempt: 0 },
            phase: PhaseWord::Step,
            message: "10% of 50%".into(),
            waiting: None,
            rollout: None,
            slots: [slot(Some(Track::Stable)), slot(None)],
            route: RouteView {
                split: Split::Weighted([9000, 1000]),
                fallback: Some(Split::Weighted([10_000, 0])),
                lease_ms: Some(15_000),
                in_force: true,
                strength: Strength::Dataplane,
                falling_back: false,
                circuit: [false; 2],
            },
            addresses: Addresses { main: "127.0.0.1:8080".into(), stable: None, canary: None },
            analysis: None,
            gates: vec![],
            parked: None,
            paused: None,
            warnings: vec![],
            last: None,
        };
        Arc::new(Memory { status: status.into(), events: Mutex::default(), changes: watch::Sender::new(0) })
    }
    fn say(&self, message: &str) {
        let mut events = self.events.lock().unwrap();
        let seq = events.len() as u64 + 1;
        events.push(EventView {
            seq,
            at: seq,
            kind: "said".into(),
            level: Level::Info,
            key: None,
            message: message.into(),
            did: None,
            ending: None,
        });
        drop(events);
        self.changes.send_modify(|n| *n += 1);
    }
}

impl Controller for Memory {
    async fn status(&self) -> Result<StatusView, ApiError> {
        Ok(self.status.lock().unwrap().clone())
    }
    async fn events(&self, after: u64, limit: usize) -> Result<Vec<EventView>, ApiError> {
        Ok(self.events.lock().unwrap().iter().filter(|e| e.seq > after).take(limit).cloned().collect())
    }
    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
    async fn command(&self, request: CommandRequest) -> Result<Answer, ApiError> {
        {
            let mut status = self.status.lock().unwrap();
            if request.key != status.key {
                return Ok(Answer::Late { now: status.key, message: format!("step {} has passed", request.key.step) });
            }
            status.key.step += 1;
        }
        self.say(request.command.verb());
        Ok(Answer::Done { message: "done".into() })
    }
    async fn deploy(&self, request: DeployRequest) -> Result<DeployAnswer, ApiError> {
        match request.spec["bad"].as_bool() {
            Some(true) => Err(ApiError::new(422, "this spec is bad", "write a good one")),
            Some(false) | None => Ok(DeployAnswer::Started { rollout: 2, revision: "ab".repeat(32), after: 0 }),
        }
    }
    async fn history(&self, limit: usize) -> Result<Vec<RolloutView>, ApiError> {
        let one = |number| RolloutView {
            number,
            from: None,
            to: Revision::new("cd".repeat(32)),
            started: 1,
            ended: Some(2),
            ending: Some(Ending::Promoted),
            reason: String::new(),
            by: "ann".into(),
            peak: 10_000,
        };
        Ok((1..=3).rev().map(one).take(limit).collect())
    }
    async fn rollout(&self, number: u64) -> Result<Option<RolloutDetail>, ApiError> {
        let found = self.history(9).await?.into_iter().find(|r| r.number == number);
        Ok(found.map(|rollout| RolloutDetail { rollout, changes: vec![], events: vec![], measurements: vec![] }))
    }
    async fn logs(&self, query: LogQuery) -> Result<mpsc::Receiver<LogLine>, ApiError> {
        let (send, receive) = mpsc::channel(8);
        for n in 0..query.tail.min(3) {
            let line = LogLine {
                instance: query.instance.clone().unwrap_or("a".into()),
                at: None,
                stream: "out".into(),
                text: n.to_string(),
            };
            send.try_send(line).unwrap();
        }
        if query.follow {
            tokio::spawn(async move { send.closed().await });
        }
        Ok(receive)
    }
}

struct Running {
    memory: Arc<Memory>,
    client: Client,
    end: Option<oneshot::Sender<()>>,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
    _dir: tempfile::TempDir,
}

async fn start() -> Running {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control.sock");
    std::fs::write(&socket, "left over").unwrap();
    let memory = Memory::new();
    let (end, ended) = oneshot::channel::<()>();
    let (at, c) = (socket.clone(), memory.clone());
    let server = tokio::spawn(async move { serve(&at, c, async { drop(ended.await) }).await });
    let client = Client::new("shop", "serin.yaml", socket);
    while client.status().await.is_err() {
        assert!(!server.is_finished(), "the server ended");
        tokio::task::yield_now().await;
    }
    Running { memory, client, end: Some(end), server, _dir: dir }
}

#[tokio::test]
async fn a_second_command_for_the_same_step_is_late() {
    let r = start().await;
    let seen = r.client.status().await.unwrap();
    let request = CommandRequest { key: seen.key, by: "ann".into(), command: Command::Promote { full: false } };
    assert!(matches!(r.client.command(&request).await.unwrap(), Answer::Done { .. }));
    let Answer::Late { now, .. } = r.client.command(&request).await.unwrap() else {
        panic!("the double click did something")
    };
    assert_eq!(now, StepKey { step: 1, ..seen.key });
}

#[tokio::test]
async fn events_follow_and_go_on_where_they_were_left() {
    let r = start().await;
    r.memory.say("one");
    r.memory.say("two");
    let mut follow = r.client.events(0, true).await.unwrap();
    assert_eq!(follow.next().await.unwrap().map(|e| e.message), Some("one".into()));
    drop(follow);
    let mut follow = r.client.events(1, true).await.unwrap();
    assert_eq!(follow.next().await.unwrap().map(|e| e.message), Some("two".into()));
    r.memory.say("three");
    assert_eq!(follow.next().await.unwrap().map(|e| e.seq), Some(3));
    let mut once = r.client.events(2, false).await.unwrap();
    assert_eq!(once.next().await.unwrap().map(|e| e.seq), Some(3));
    assert!(once.next().await.unwrap().is_none());
}

#[tokio::test]
async fn watching_shows_the_status_again_when_it_changes() {
    let r = start().await;
    let mut watch = r.client.watch().await.unwrap();
    let first = watch.next().await.unwrap().unwrap();
    let request = CommandRequest { key: first.key, by: "ann".into(), command: Command::Pause };
    r.client.command(&request).await.unwrap();
    let mut now = watch.next().await.unwrap().unwrap();
    while now.key == first.key {
        now = watch.next().await.unwrap().unwrap();
    }
    assert_eq!(now.key.step, 1);
}

#[tokio::test]
async fn history_and_logs_arrive_whole() {
    let r = start().await;
    assert_eq!(r.client.history(2).await.unwrap().iter().map(|h| h.number).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(r.client.rollout(1).await.unwrap().rollout.number, 1);
    let missing = r.client.rollout(9).await.unwrap_err();
    assert!(
        matches!(&missing, ClientError::Api(e) if e.status == 404 && e.error.contains("no rollout 9")),
        "{missing}"
    );
    let mut logs = r.client.logs(&LogQuery { instance: Some("b-1".into()), tail: 2, follow: false }).await.unwrap();
    let mut lines = vec![];
    while let Some(line) = logs.next().await.unwrap() {
        lines.push((line.instance, line.text));
    }
    assert_eq!(lines, [("b-1".into(), "0".to_owned()), ("b-1".into(), "1".into())]);
    let bad = LogQuery { instance: Some("a&follow".into()), tail: 1, follow: false };
    assert!(r.client.logs(&bad).await.is_err());
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let mut r = start().await;
    let request = |spec| DeployRequest { spec, force: false, file_hash: None, by: "ann".into(), changes: vec![] };
    let error = r.client.deploy(&request(serde_json::json!({"bad": true}))).await.unwrap_err();
    assert_eq!(error.to_string(), "this spec is bad\nwrite a good one");
    let large = "x".repeat(9 << 20);
    let error = r.client.deploy(&request(large.into())).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Api(e) if e.status == 413) || matches!(error, ClientError::Broken { .. }),
        "{error}"
    );
    r.end.take().unwrap().send(()).unwrap();
    (&mut r.server).await.unwrap().unwrap();
    let error = r.client.status().await.unwrap_err();
    assert_eq!(error.to_string(), "no controller runs for service shop: start it with serin serve -f serin.yaml");
}

#[tokio::test]
async fn what_is_no_request_is_refused_as_json() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let r = start().await;
    let body = "{\"key\": 1}";
    let post = format!(
        "POST /v1/commands HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    for (request, status) in [
        ("GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "404"),
        ("DELETE /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "405"),
        ("GET /v1/events?after=x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "400"),
        (post.as_str(), "400"),
    ] {
        let mut stream = tokio::net::UnixStream::connect(r.client.socket()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains("{\"error\":"),
            "{request}\n{answer}"
        );
    }
}

#[tokio::test]
async fn only_the_owner_may_connect() {
    use std::os::unix::fs::PermissionsExt;
    let r = start().await;
    assert_eq!(std::fs::metadata(r.client.socket()).unwrap().permissions().mode() & 0o777, 0o600);
}
