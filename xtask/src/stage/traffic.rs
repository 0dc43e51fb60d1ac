//! The load of a stage: 500 requests a second at a constant rate whatever comes back, 5 % POSTs, 2 % that take a
//! second, three WebSockets. Nothing is tried again, and latency counts from the intended start.

use super::Stage;
use super::dataplane::Counters;
use crate::json::Value;
use crate::process::Process;
use crate::run::{Stop, fail};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

/// Requests a second.
pub const RATE: f64 = 500.0;
/// WebSockets that are open all the time.
pub const SOCKETS: u64 = 3;
/// How long a person keeps one, in seconds. Shorter than a drain may take, so that none has to be cut.
const SOCKET_LIFE: f64 = 3.0;
/// How long the load may take to end: requests that are open are waited for.
const ENDS: Duration = Duration::from_secs(30);

/// A load that differs from the common one.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Requests a second.
    pub rate: f64,
    /// Share of the requests that take a second.
    pub slow: f64,
    /// Share of the requests that are POSTs.
    pub posts: f64,
    /// WebSockets that are open all the time.
    pub sockets: u64,
    /// How long each is kept, in seconds; `None`: as long as the load runs.
    pub socket_life: Option<f64>,
    /// The most connections at a time.
    pub connections: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Shape {
            rate: RATE,
            slow: 0.02,
            posts: 0.05,
            sockets: SOCKETS,
            socket_life: Some(SOCKET_LIFE),
            connections: 256,
        }
    }
}

/// A load that runs; it ends when dropped.
#[derive(Debug)]
pub struct Traffic {
    process: Process,
    out: PathBuf,
    timeline: PathBuf,
}

/// What a load saw.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The whole of it.
    pub all: Value,
    /// Its timeline: one object for each 100 ms.
    pub timeline: Vec<Value>,
}

impl Stage {
    /// Starts the common load on the service.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn traffic(&self, seed: u64) -> Result<Traffic, Stop> {
        self.traffic_of(seed, Shape::default())
    }

    /// Starts a load of this shape on the service.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn traffic_of(&self, seed: u64, shape: Shape) -> Result<Traffic, Stop> {
        let number = self.commands.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let [out, timeline] = ["json", "timeline"].map(|kind| self.place().join(format!("load-{number}.{kind}")));
        let mut command = std::process::Command::new(&self.tools.load);
        command.arg(format!("http://{}/", self.listen()));
        let mut option = |name: &str, value: String| {
            command.args([name, &value]);
        };
        option("--rate", shape.rate.to_string());
        option("--slow-share", shape.slow.to_string());
        option("--post-share", shape.posts.to_string());
        option("--websockets", shape.sockets.to_string());
        if let Some(life) = shape.socket_life {
            option("--websocket-seconds", life.to_string());
        }
        option("--connections", shape.connections.to_string());
        option("--seed", seed.to_string());
        command.arg("--timeline").arg(&timeline);
        // An input that stays open: the load ends when it is told to, or when this process is gone.
        command.stdin(Stdio::piped()).stdout(std::fs::File::create(&out)?);
        Ok(Traffic { process: self.start(&mut command)?, out, timeline })
    }
}

impl Traffic {
    /// Ends the load once what is open has been answered, and reads what it saw.
    ///
    /// # Errors
    /// When it had ended before, does not end, or says nothing.
    pub fn stop(mut self) -> Result<Summary, Stop> {
        self.process.signal("TERM")?;
        if self.process.wait(ENDS)?.is_none() {
            return fail("the load does not end");
        }
        let text = std::fs::read_to_string(&self.out)?;
        let all = Value::parse(text.trim()).map_err(|e| Stop::Fail(format!("the load's summary: {e}: {text:?}")))?;
        let lines = std::fs::read_to_string(&self.timeline)?;
        let timeline = lines.lines().filter_map(|line| Value::parse(line).ok()).collect();
        Ok(Summary { all, timeline })
    }
}

impl Summary {
    /// A count by its name in the summary, such as `sent` or `by_status.500`.
    pub fn count(&self, path: &str) -> u64 {
        self.all.find(path).and_then(Value::number).unwrap_or_default() as u64
    }

    /// Answers of the class 5xx.
    pub fn server_errors(&self) -> u64 {
        let by_status = self.all.get("by_status").into_iter().flat_map(Value::members);
        let errors = by_status.filter(|(status, _)| status.starts_with('5'));
        errors.filter_map(|(_, count)| count.number()).sum::<f64>() as u64
    }

    /// Requests that nobody answered as they should have been, but for as many 5xx as `allowed`: those that a bad
    /// canary gave itself.
    pub fn lost(&self, allowed: u64) -> u64 {
        self.count("unsent") + self.count("failed") - self.server_errors().min(allowed)
    }

    /// Whether as much was asked as should have been: no fewer than nine of ten requests.
    pub fn is_full(&self) -> bool {
        let number = |name: &str| self.all.get(name).and_then(Value::number).unwrap_or_default();
        number("sent") >= 0.9 * number("rate_asked") * number("seconds") && number("sent") > 0.0
    }

    /// Fails unless nothing was lost but what instances of `bad` (a slot) answered themselves with 5xx, no WebSocket
    /// was lost, the proxy made no errors of its own, nothing came after an acknowledgement, and the load was full.
    ///
    /// # Errors
    /// What was lost, with the summary.
    pub fn must_be_whole(&self, what: &str, counted: &Counters, bad: Option<usize>) -> Result<(), Stop> {
        let allowed = bad.map_or(0, |slot| counted.slots[slot].server_errors);
        let (lost, sockets) = (self.lost(allowed), self.count("ws_lost"));
        let whole = lost == 0 && sockets == 0 && counted.own_errors == 0 && counted.after_ack() == 0;
        let echoed = self.count("ws_opened") >= 1 && self.count("ws_echoed") >= 1;
        match (whole, self.is_full() && echoed) {
            (true, true) => Ok(()),
            (true, false) => fail(format!("{what}: too little was asked: {}", self.all)),
            (false, _) => fail(format!(
                "{what}: lost={lost} ws_lost={sockets}; the load: {}; the proxy since then: {counted:?}",
                self.all
            )),
        }
    }
}
