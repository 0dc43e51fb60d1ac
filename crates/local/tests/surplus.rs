//! Which instances are stopped when there are too many, and when: with real shims, a real proxy, and open requests.
use serde_json::Value;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const FIXTURE: &str = env!("CARGO_BIN_EXE_local-fixture");
/// For a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);
/// A drain time that no test waits for.
const LONG: u64 = 3_600_000;

/// A service, ended when it is dropped.
struct World {
    dir: tempfile::TempDir,
    controller: Option<(Child, ChildStdin, BufReader<ChildStdout>)>,
    epoch: u64,
}

impl Drop for World {
    fn drop(&mut self) {
        self.kill();
        drop(Command::new(FIXTURE).arg("down").arg(self.dir.path()).status());
    }
}

impl World {
    fn begin(drain_ms: u64) -> World {
        let mut world = World { dir: tempfile::tempdir().unwrap(), controller: None, epoch: 0 };
        world.control(drain_ms);
        world
    }

    /// The next controller.
    fn control(&mut self, drain_ms: u64) {
        self.epoch += 1;
        let mut command = Command::new(FIXTURE);
        command.arg("controller").arg(self.dir.path()).args([self.epoch, drain_ms].map(|number| number.to_string()));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        self.controller = Some((child, stdin, stdout));
        self.until("the proxy", |seen| seen["route"] != Value::Null);
        assert_eq!(self.say("claim")["done"], true);
    }

    fn kill(&mut self) {
        if let Some((mut child, ..)) = self.controller.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn say(&mut self, what: &str) -> Value {
        let (_, stdin, stdout) = self.controller.as_mut().unwrap();
        writeln!(stdin, "{what}").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn until(&mut self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            let seen = self.say("look");
            if holds(&seen) {
                return seen;
            }
            assert!(begin.elapsed() < PATIENCE, "{what} never came: {seen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Long after the proxy has confirmed a table without them, all of a slot's instances are there.
    fn nobody_goes(&mut self, slot: u64, count: usize) {
        for _ in 0..20 {
            let seen = self.until("the table", |seen| seen["route"]["acked"] == true);
            assert_eq!(staying(&seen, slot).len(), count, "told to stop with open requests: {seen}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// `a` and `b` instances with an open request on each, of which the first one of slot 0 gets all new ones. The
    /// requests, the oldest instance's first.
    fn serve(&mut self, a: u16, b: u16) -> Vec<Held> {
        for order in [format!("resize 0 {a}"), format!("resize 1 {b}")] {
            assert_eq!(self.say(&order)["done"], true);
        }
        let whole = move |seen: &Value| seen["sets"][0]["ready"] == a && seen["sets"][1]["ready"] == b;
        self.until("ready instances", whole);
        assert_eq!(self.say(&format!("members {a} {b}"))["done"], true);
        let seen = self.until("the route", |seen| seen["route"]["acked"] == true && whole(seen));
        let main = seen["addresses"][0][1].as_str().unwrap().parse().unwrap();
        let mut held: Vec<Held> = Vec::new();
        while held.len() < usize::from(a + b) {
            let next = Held::open(main);
            if held.iter().all(|held| held.id != next.id) {
                held.push(next);
            }
        }
        held.sort_by_key(Held::turn);
        assert_eq!(self.say("members 1 0")["done"], true);
        self.until("the other route", |seen| {
            let busy = [0, 1].map(|slot: usize| seen["sets"][slot]["busy"].as_u64());
            seen["route"]["acked"] == true && busy == [a - 1, b].map(|count| Some(u64::from(count)))
        });
        held
    }
}

/// A request that is answered for as long as anybody listens.
struct Held {
    stream: TcpStream,
    id: String,
}

impl Held {
    fn open(address: SocketAddr) -> Held {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let (mut text, mut byte) = (String::new(), [0]);
        while !text.ends_with('\n') || !text.contains("\r\n\r\n") || text.ends_with("\r\n") {
            stream.read_exact(&mut byte).unwrap();
            text.push(char::from(byte[0]));
        }
        let id = text.trim_end().rsplit('\n').next().unwrap().to_owned();
        stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        Held { stream, id }
    }

    fn turn(&self) -> u64 {
        self.id.rsplit('-').next().unwrap().parse().unwrap()
    }

    /// It was not cut off.
    fn is_open(&mut self) -> bool {
        match self.stream.read_exact(&mut [0]) {
            Ok(()) => false,
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}

/// The names of the instances of a slot that were not told to stop.
fn staying(seen: &Value, slot: u64) -> Vec<&str> {
    let all = seen["instances"].as_array().unwrap().iter();
    all.filter(|one| one["slot"] == slot && one["state"] != "stopping").map(|one| one["id"].as_str().unwrap()).collect()
}

#[test]
fn an_idle_instance_goes_before_a_younger_one_with_an_open_request() {
    let mut world = World::begin(LONG);
    let mut held = world.serve(3, 0);
    let [oldest, middle, youngest] = [0, 1, 2].map(|at: usize| held[at].id.clone());
    held.drain(..2);
    world.until("one open request", |seen| seen["sets"][0]["busy"] == 1);
    assert_eq!(world.say("resize 0 2")["done"], true);
    let seen = world.until("one fewer", |seen| seen["sets"][0]["total"] == 2);
    assert_eq!(staying(&seen, 0), [oldest.as_str(), youngest.as_str()], "{middle} had nothing to do");
    assert!(held[0].is_open());
}

#[test]
fn what_is_open_on_an_instance_that_goes_has_its_time_also_with_the_next_controller() {
    let mut world = World::begin(LONG);
    let mut held = world.serve(1, 2).split_off(1);
    assert_eq!(world.say("resize 1 0")["done"], true);
    world.nobody_goes(1, 2);
    world.kill();
    world.control(LONG);
    world.until("a controller that knows what there is", |seen| seen["sets"][1]["fresh"] == true);
    world.nobody_goes(1, 2);
    assert!(held.iter_mut().all(Held::is_open), "nobody told them to stop");
    drop(held.remove(0));
    let seen = world.until("the idle one to go", |seen| seen["sets"][1]["total"] == 1);
    assert_eq!(staying(&seen, 1), [held[0].id.as_str()]);
    assert!(held[0].is_open());
    held.clear();
    world.until("the other one to go", |seen| seen["sets"][1]["total"] == 0);
}

#[test]
fn what_is_open_for_longer_than_the_drain_time_is_cut() {
    let mut world = World::begin(300);
    let mut held = world.serve(1, 1).split_off(1);
    assert_eq!(world.say("resize 1 0")["done"], true);
    world.until("it to go", |seen| seen["sets"][1]["total"] == 0);
    assert!(!held[0].is_open());
}
