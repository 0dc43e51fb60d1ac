//! The verbs of the real binary against a controller in memory, over a real unix socket: exit codes, following a
//! release over a controller that restarts, leaving, and commands that come late.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command as Process, Output, Stdio},
    sync::{Arc, Mutex},
};

use serin_api::{
    Addresses, Answer, ApiError, Command, CommandRequest, Controller, DeployAnswer, DeployRequest, Ending, EventView,
    Level, LogLine, LogQuery, PhaseWord, RolloutDetail, RolloutView, RouteView, SlotView, Split, StatusView, StepKey,
    Strength, serve,
};
use tokio::sync::{mpsc, oneshot, watch};

const KEY: StepKey = StepKey { rollout: 7, step: 1, attempt: 0 };

/// A controller that says what it is told to say.
struct Puppet {
    events: Mutex<Vec<EventView>>,
    asked: Mutex<Vec<CommandRequest>>,
    deployed: Mutex<Vec<DeployRequest>>,
    changes: Mutex<watch::Sender<u64>>,
}

impl Puppet {
    fn say(&self, message: &str, ending: Option<Ending>) {
        let mut events = self.events.lock().unwrap();
        let seq = events.len() as u64 + 1;
        events.push(EventView {
            seq,
            at: seq,
            kind: "x".into(),
            level: Level::Info,
            key: Some(KEY),
            message: message.into(),
            did: None,
            ending,
        });
        drop(events);
        self.changes.lock().unwrap().send_modify(|n| *n += 1);
    }
}

impl Controller for Puppet {
    async fn status(&self) -> Result<StatusView, ApiError> {
        let slot = SlotView {
            track: None,
            revision: None,
            warm: false,
            desired: 0,
            total: 0,
            ready: 0,
            healthy: 0,
            instances: vec![],
        };
        Ok(StatusView {
            service: "shop".into(),
            now: 1,
            seq: 0,
            key: KEY,
            phase: PhaseWord::Step,
            message: "the canary takes 20%".into(),
            waiting: None,
            rollout: None,
            slots: [slot.clone(), slot],
            route: RouteView {
                split: Split::Weighted([8000, 2000]),
                fallback: None,
                lease_ms: None,
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
        })
    }
    async fn events(&self, after: u64, limit: usize) -> Result<Vec<EventView>, ApiError> {
        Ok(self.events.lock().unwrap().iter().filter(|e| e.seq > after).take(limit).cloned().collect())
    }
    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.lock().unwrap().subscribe()
    }
    async fn command(&self, request: CommandRequest) -> Result<Answer, ApiError> {
        let answer = match &request.command {
            Command::Promote { .. } => Answer::Done { message: "going on".into() },
            Command::Approve => Answer::Already { message: "ann approved it".into() },
            Command::Abort { .. } => {
                Answer::Late { now: StepKey { step: 2, ..KEY }, message: "step 2 has passed".into() }
            }
            Command::Pause | Command::Resume | Command::Weight { .. } | Command::Rollback | Command::Park { .. } => {
                Answer::Refused { why: "not now".into(), instead: "wait".into() }
            }
        };
        self.asked.lock().unwrap().push(request);
        Ok(answer)
    }
    async fn deploy(&self, request: DeployRequest) -> Result<DeployAnswer, ApiError> {
        let forced = request.force;
        self.deployed.lock().unwrap().push(request);
        if forced {
            return Ok(DeployAnswer::Refused { why: "a canary is parked".into(), instead: "resume it".into() });
        }
        Ok(DeployAnswer::Started { rollout: KEY.rollout, revision: "ab".repeat(32), after: 1 })
    }
    async fn history(&self, _: usize) -> Result<Vec<RolloutView>, ApiError> {
        Ok(vec![])
    }
    async fn rollout(&self, _: u64) -> Result<Option<RolloutDetail>, ApiError> {
        Ok(None)
    }
    async fn logs(&self, query: LogQuery) -> Result<mpsc::Receiver<LogLine>, ApiError> {
        let (send, receive) = mpsc::channel(2);
        send.try_send(LogLine {
            instance: query.instance.unwrap_or("a-1".into()),
            at: None,
            stream: "out".into(),
            text: "line \x07".into(),
        })
        .unwrap();
        Ok(receive)
    }
}

struct Stage {
    dir: tempfile::TempDir,
    puppet: Arc<Puppet>,
    end: Option<oneshot::Sender<()>>,
}

impl Stage {
    fn new() -> Stage {
        let dir = tempfile::tempdir().unwrap();
        fs::write(
            dir.path().join("serin.yaml"),
            "service: shop\nlisten: 127.0.0.1:8080\nrun:\n  command: sleep {{port}}\nhealth:\n  http: {path: /a}\n",
        )
        .unwrap();
        fs::create_dir_all(dir.path().join("state/shop")).unwrap();
        let puppet = Arc::new(Puppet {
            events: Mutex::default(),
            asked: Mutex::default(),
            deployed: Mutex::default(),
            changes: watch::Sender::new(0).into(),
        });
        puppet.say("an event before the release", None);
        Stage { dir, puppet, end: None }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("state/shop/control.sock")
    }

    /// The controller starts; it is there when this returns.
    async fn up(&mut self) {
        let (end, ended) = oneshot::channel::<()>();
        let (socket, puppet) = (self.socket(), self.puppet.clone());
        tokio::spawn(async move { serve(&socket, puppet, async { drop(ended.await) }).await });
        self.end = Some(end);
        while tokio::net::UnixStream::connect(self.socket()).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    /// The controller ends, and cuts every connection.
    async fn down(&mut self) {
        self.end.take().unwrap().send(()).unwrap();
        while tokio::net::UnixStream::connect(self.socket()).await.is_ok() {
            tokio::task::yield_now().await;
        }
        *self.puppet.changes.lock().unwrap() = watch::Sender::new(0); // its followers see that it has gone
    }

    fn serin(&self, args: &[&str]) -> Process {
        let mut command = Process::new(env!("CARGO_BIN_EXE_serin"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("SERIN_STATE", "state")
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    async fn run(&self, args: &[&str]) -> Said {
        let child = self.serin(args).spawn().unwrap();
        finish(child).await
    }
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

async fn finish(child: Child) -> Said {
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
    Said { code: status.code(), out: String::from_utf8(stdout).unwrap(), err: String::from_utf8(stderr).unwrap() }
}

impl Stage {
    /// Waits until the follower is connected and has been told everything: nobody else subscribes to the changes.
    async fn followed(&self) {
        while self.puppet.deployed.lock().unwrap().is_empty()
            || self.puppet.changes.lock().unwrap().receiver_count() == 0
        {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_release_that_ends_sets_the_exit_code() {
    for (ending, code) in
        [(Ending::Promoted, 0), (Ending::RolledBack, 1), (Ending::Failed, 1), (Ending::Halted, 3), (Ending::Aborted, 4)]
    {
        let mut stage = Stage::new();
        stage.up().await;
        stage.puppet.say("Starting canary analysis for shop", None);
        stage.puppet.say("the end", Some(ending));
        let said = stage.run(&["deploy", "--env", "A=1"]).await;
        assert_eq!(said.code, Some(code), "{}{}", said.out, said.err);
        assert!(
            said.out.contains("+ run.env.A: 1") && said.out.contains("Starting canary analysis for shop"),
            "{}",
            said.out
        );
        assert!(!said.out.contains("before the release"), "{}", said.out);
        let deployed = stage.puppet.deployed.lock().unwrap();
        assert_eq!(deployed[0].spec["run"]["env"]["A"], "1");
        assert_eq!(deployed[0].changes, ["+ run.env.A: 1"]);
    }
}

#[tokio::test]
async fn following_goes_on_over_a_controller_that_restarts() {
    let mut stage = Stage::new();
    stage.up().await;
    let child = stage.serin(&["deploy"]).spawn().unwrap();
    stage.followed().await;
    stage.puppet.say("Advance shop canary weight 10", None);
    stage.down().await;
    stage.up().await;
    stage.puppet.say("Advance shop canary weight 20", None);
    stage.puppet.say("Promotion completed! shop", Some(Ending::Promoted));
    let said = finish(child).await;
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    for message in ["canary weight 10", "canary weight 20", "was promoted"] {
        assert_eq!(said.out.matches(message).count(), 1, "{}", said.out);
    }
    assert!(
        said.err.contains("the release goes on when the controller is back")
            && said.err.contains("the controller is back\n"),
        "{}",
        said.err
    );
}

#[tokio::test]
async fn leaving_says_that_the_release_goes_on() {
    let mut stage = Stage::new();
    stage.up().await;
    let child = stage.serin(&["deploy"]).spawn().unwrap();
    stage.followed().await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let said = finish(child).await;
    assert_eq!(said.code, Some(4), "{}{}", said.out, said.err);
    assert!(said.out.contains("rollout 7 of shop goes on"), "{}", said.out);
    let late = stage.run(&["deploy", "--timeout", "50ms"]).await;
    assert_eq!(late.code, Some(4), "{}{}", late.out, late.err);
    assert!(late.out.contains("--timeout"), "{}", late.out);
    let detached = stage.run(&["deploy", "--detach"]).await;
    assert_eq!(detached.code, Some(0), "{}{}", detached.out, detached.err);
}

#[tokio::test]
async fn what_cannot_be_released_exits_with_2() {
    let mut stage = Stage::new();
    let said = stage.run(&["deploy"]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(
        said.err.contains("no controller runs for service shop: start it with serin serve -f serin.yaml"),
        "{}",
        said.err
    );
    stage.up().await;
    let said = stage.run(&["deploy", "--force"]).await;
    assert!(said.code == Some(2) && said.err.contains("a canary is parked\n  resume it"), "{}", said.err);
    let said = stage.run(&["deploy", "--set", "replicas=0"]).await;
    assert!(said.code == Some(2) && said.err.contains("`replicas` is too small"), "{}", said.err);
    fs::write(stage.dir.path().join("serin.yaml"), "service: shop\nrun: {}\n").unwrap();
    let said = stage.run(&["deploy"]).await;
    assert!(said.code == Some(2) && said.err.contains("nothing was changed"), "{}", said.err);
    assert_eq!(stage.puppet.deployed.lock().unwrap().len(), 1, "only --force reached the controller");
    // A broken file still names its service, so one can look and abort.
    assert_eq!(stage.run(&["status"]).await.code, Some(0));
}

#[tokio::test]
async fn commands_cite_the_step_that_was_seen_and_say_what_became_of_them() {
    let mut stage = Stage::new();
    stage.up().await;
    let expect = [
        (vec!["promote", "--full"], 0, "✔ promote shop: going on"),
        (vec!["approve"], 0, "nothing to do, ann approved it"),
        (vec!["abort", "--reason", "x"], 1, "too late, nothing was done"),
        (vec!["weight", "25%"], 2, "refused, not now"),
        (vec!["park", "until Friday"], 2, "refused, not now"),
        (vec!["rollback"], 2, "refused"),
        (vec!["pause"], 2, "refused"),
        (vec!["resume"], 2, "refused"),
    ];
    for (args, code, text) in &expect {
        let said = stage.run(args).await;
        assert_eq!(said.code, Some(*code), "{args:?} {}{}", said.out, said.err);
        assert!(said.out.contains(text), "{args:?} {}", said.out);
        let json = stage.run(&[args.as_slice(), &["-o", "json"]].concat()).await;
        assert!(serde_json::from_str::<Answer>(&json.out).is_ok(), "{}", json.out);
    }
    let asked = stage.puppet.asked.lock().unwrap();
    assert_eq!(asked.len(), expect.len() * 2);
    assert!(asked.iter().all(|a| a.key == KEY && !a.by.is_empty()));
    assert!(asked.iter().any(|a| a.command == Command::Weight { bp: 2500 }));
}

#[tokio::test]
async fn json_is_json_on_every_verb_that_shows_something() {
    let mut stage = Stage::new();
    stage.up().await;
    stage.puppet.say("the end", Some(Ending::Promoted));
    for args in [vec!["status"], vec!["history"], vec!["logs"], vec!["lint"], vec!["deploy"]] {
        let said = stage.run(&[args.as_slice(), &["--output", "json"]].concat()).await;
        assert_eq!(said.code, Some(0), "{args:?} {}{}", said.out, said.err);
        assert!(
            !said.out.is_empty() && said.out.lines().all(|l| serde_json::from_str::<serde_json::Value>(l).is_ok()),
            "{args:?} {}",
            said.out
        );
    }
    let said = stage.run(&["history", "3", "-o", "json"]).await;
    assert!(
        said.code == Some(2)
            && serde_json::from_str::<ApiError>(&said.err).is_ok_and(|e| e.error.contains("no rollout 3")),
        "{}",
        said.err
    );
    let said = stage.run(&["logs"]).await;
    assert_eq!(said.out, "a-1 | line ?\n");
}

#[test]
fn every_example_passes_lint() {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut seen = 0;
    for entry in fs::read_dir(examples).unwrap() {
        let dir = entry.unwrap().path();
        let out =
            Process::new(env!("CARGO_BIN_EXE_serin")).args(["lint", "--no-state"]).current_dir(&dir).output().unwrap();
        assert!(out.status.success(), "{}: {}", dir.display(), String::from_utf8_lossy(&out.stderr));
        assert!(dir.join("README.md").exists());
        seen += 1;
    }
    assert!(seen >= 4);
}

#[test]
fn a_service_is_named_or_found_or_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let out = Process::new(env!("CARGO_BIN_EXE_serin"))
            .args(args)
            .current_dir(dir.path())
            .env("SERIN_STATE", "state")
            .output()
            .unwrap();
        (out.status.code(), String::from_utf8(out.stderr).unwrap())
    };
    let (code, said) = run(&["status"]);
    assert!(code == Some(2) && said.contains("there is no file serin.yaml here, and no service runs"), "{said}");
    for service in ["a", "b"] {
        fs::create_dir_all(dir.path().join("state").join(service)).unwrap();
        fs::write(dir.path().join("state").join(service).join("store.redb"), "").unwrap();
    }
    let (_, said) = run(&["status"]);
    assert!(said.contains("name one with --service: a, b"), "{said}");
    let (_, said) = run(&["status", "--service", "b"]);
    assert!(said.contains("no controller runs for service b"), "{said}");
    fs::remove_dir_all(dir.path().join("state/a")).unwrap();
    let (_, said) = run(&["status"]);
    assert!(said.contains("no controller runs for service b"), "{said}");
    assert!(run(&["status", "--service", "../b"]).1.contains("no name of a service"));
}
