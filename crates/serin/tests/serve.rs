//! `serin serve` with a service of its own: what others see of it while it starts, and while many look.
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// A service whose instances are the demo's own program, ended when dropped.
struct Service {
    directory: tempfile::TempDir,
    controller: Option<Child>,
}

impl Service {
    fn start() -> Service {
        let directory = tempfile::tempdir().unwrap();
        let listen = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let program = serde_json::Value::from(env!("CARGO_BIN_EXE_serin"));
        let file = format!(
            "service: early\nlisten: {listen}\n\
             run: {{command: [{program}, demo, --app, \"{{{{port}}}}\"], env: {{DEMO_VERSION: \"1\"}}}}\n\
             health: {{http: {{path: /healthz}}, interval: 200ms}}\n\
             release: {{weights: {{steps: [{{weight: 50%}}], bake: 1s}}, window: 1s, min_healthy: 3s}}\n\
             analysis: {{interval: 500ms, metrics: [{{success_rate: {{min: 99%}}, no_data: pass}}]}}\n"
        );
        std::fs::write(directory.path().join("serin.yaml"), file).unwrap();
        let mut service = Service { directory, controller: None };
        service.controller = Some(service.serin(&["serve"]).stdout(Stdio::null()).spawn().unwrap());
        service
    }

    fn place(&self) -> &Path {
        self.directory.path()
    }

    fn serin(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
        command.args(words).current_dir(self.place()).env("SERIN_STATE", self.place().join("state"));
        command.stdin(Stdio::null());
        command
    }

    fn ask(&self, words: &[&str]) -> Output {
        self.serin(words).output().unwrap()
    }

    /// Its status; null while no controller answers.
    fn status(&self) -> serde_json::Value {
        serde_json::from_slice(&self.ask(&["status", "--output", "json"]).stdout).unwrap_or_default()
    }

    /// The answer of the API to one look, as it comes.
    fn raw_status(&self) -> String {
        let mut stream = UnixStream::connect(self.place().join("state/early/control.sock")).unwrap();
        stream.write_all(b"GET /v1/status HTTP/1.1\r\nHost: serin\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// Waits until its instance is ready and the route in force.
    fn serves(&self) {
        let begin = Instant::now();
        loop {
            let status = self.status();
            if status["slots"][0]["ready"] == 1 && status["route"]["in_force"] == true {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "it does not serve: {status}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let down = self.ask(&["down", "--purge"]);
        if let Some(mut controller) = self.controller.take() {
            let _ = controller.kill(); // `serin down` has ended it already where all is well
            let _ = controller.wait();
        }
        assert!(std::thread::panicking() || down.status.success(), "{down:?}");
    }
}

#[test]
fn a_deploy_before_the_first_revision_is_proven_is_followed_to_its_own_end() {
    let service = Service::start();
    // All of the first revision serves, and has not been healthy for long enough.
    service.serves();
    let deploy = service.ask(&["deploy", "--env", "DEMO_VERSION=2", "--timeout", "90s"]);
    assert_eq!(deploy.status.code(), Some(0), "{deploy:?}");
    let status = service.status();
    let slots = status["slots"].as_array().unwrap();
    let stable = slots.iter().find(|slot| slot["track"] == "stable").unwrap();
    let out = String::from_utf8_lossy(&deploy.stdout).into_owned();
    let released = stable["revision"]["short"].as_str().unwrap();
    assert!(out.contains(&format!("revision {released}")), "another revision is stable: {out}\n{status}");
}

#[test]
fn however_many_look_each_sees_everything() {
    let service = Service::start();
    service.serves();
    let begin = Instant::now();
    // Long enough for many rounds of the driver, each of which says anew what there is.
    let look = || {
        let mut looks = 0;
        while begin.elapsed() < Duration::from_secs(5) {
            let status = service.raw_status();
            let whole = status.contains("\"id\":\"early-") && status.contains("\"main\":\"127.0.0.1:");
            assert!(whole, "something is missing: {status}");
            looks += 1;
        }
        looks
    };
    let looks: u32 = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(look)).collect();
        all.into_iter().map(|one| one.join().expect("each sees everything")).sum()
    });
    assert!(looks > 100, "{looks} looks show nothing");
}
