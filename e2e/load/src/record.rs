//! The counters of a running load, and its timeline: one line for each 100 ms.

use crate::config::Config;
use crate::histogram::Histogram;
use crate::outcome::Outcome;
use crate::pool::Fate;
use crate::summary::{Latency, Summary, named, nested};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The length of one line of the timeline.
pub const TICK: Duration = Duration::from_millis(100);

/// Something that happened to a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Socket {
    /// It was opened.
    Opened,
    /// It could not be opened.
    Refused,
    /// A message came back.
    Echoed,
    /// It ended, and nobody here ended it; `clean`: by the peer's close frame.
    Lost {
        /// Whether the peer said that it ends.
        clean: bool,
    },
}

/// What happened within the current 100 ms.
#[derive(Debug, Default)]
struct Tick {
    started: u64,
    by_outcome: BTreeMap<Outcome, u64>,
    by_revision: BTreeMap<String, BTreeMap<Outcome, u64>>,
    ws_lost: u64,
    slowest: Duration,
}

/// The counters.
#[derive(Debug)]
pub struct Record {
    begin: Instant,
    began_at: Duration,
    total: Summary,
    latencies: Histogram,
    tick: Tick,
    ticks: u32,
    timeline: Option<File>,
    failed: Option<std::io::Error>,
}

impl Record {
    /// Counters at zero, with their file open.
    ///
    /// # Errors
    /// When the timeline's file cannot be made.
    pub fn new(config: &Config, begin: Instant) -> Result<Self, std::io::Error> {
        Ok(Record {
            begin,
            began_at: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            total: Summary { rate_asked: config.rate, ..Summary::default() },
            latencies: Histogram::new(),
            tick: Tick::default(),
            ticks: 0,
            timeline: config.timeline.as_ref().map(File::create).transpose()?,
            failed: None,
        })
    }

    /// A request is due.
    pub fn started(&mut self) {
        self.total.due += 1;
        self.total.in_flight += 1;
        self.tick.started += 1;
    }

    /// A request that was due has met its fate, so long after its intended start.
    pub fn ended(&mut self, fate: Fate, took: Duration) {
        self.total.in_flight -= 1;
        let (ended, late) = match fate {
            Fate::Unsent => {
                self.total.unsent += 1;
                return;
            }
            Fate::Sent { ended, late } => (ended, late),
        };
        self.total.sent += 1;
        self.total.late += u64::from(late);
        if matches!(ended.outcome, Outcome::Answered(_) | Outcome::WrongBody(_)) {
            self.latencies.add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        }
        self.tick.slowest = self.tick.slowest.max(took);
        *self.total.by_outcome.entry(ended.outcome).or_default() += 1;
        *self.tick.by_outcome.entry(ended.outcome).or_default() += 1;
        if let Some(revision) = ended.revision {
            *self.tick.by_revision.entry(revision.clone()).or_default().entry(ended.outcome).or_default() += 1;
            *self.total.by_revision.entry(revision).or_default().entry(ended.outcome).or_default() += 1;
        }
        if let Some(instance) = ended.instance {
            *self.total.by_instance.entry(instance).or_default().entry(ended.outcome).or_default() += 1;
        }
    }

    /// Something happened to a WebSocket.
    pub fn socket(&mut self, what: Socket) {
        match what {
            Socket::Opened => self.total.ws_opened += 1,
            Socket::Refused => self.total.ws_refused += 1,
            Socket::Echoed => self.total.ws_echoed += 1,
            Socket::Lost { clean } => {
                self.total.ws_lost += 1;
                self.total.ws_closed_by_peer += u64::from(clean);
                self.tick.ws_lost += 1;
            }
        }
    }

    /// Writes the lines of all ticks that are over by `now`; `end`: also that of the one that is not.
    pub fn close_ticks(&mut self, now: Instant, end: bool) {
        let over = u32::try_from((now - self.begin).as_millis() / TICK.as_millis()).unwrap_or(u32::MAX);
        while self.ticks < over || end && self.tick.started + self.tick.by_outcome.len() as u64 > 0 {
            let tick = std::mem::take(&mut self.tick);
            self.ticks += 1;
            let Some(file) = &mut self.timeline else { continue };
            let at = TICK * self.ticks;
            let line = json!({
                "ms": at.as_millis() as u64, "unix_ms": (self.began_at + at).as_millis() as u64,
                "started": tick.started, "by_outcome": named(&tick.by_outcome),
                "by_revision": nested(&tick.by_revision), "ws_lost": tick.ws_lost,
                "slowest_ms": tick.slowest.as_millis() as u64,
            });
            if let Err(e) = writeln!(file, "{line}") {
                self.failed.get_or_insert(e);
            }
        }
    }

    /// The counts so far.
    pub fn summary(&self, seconds: f64) -> Summary {
        let quantile = |share| self.latencies.quantile(share);
        let latency = Latency {
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: self.latencies.most(),
        };
        Summary { latency, seconds, ..self.total.clone() }
    }

    /// The first error of writing the timeline, if there was one.
    pub fn take_error(&mut self) -> Option<std::io::Error> {
        self.failed.take()
    }
}
