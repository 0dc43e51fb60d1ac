//! What a load counted.

use crate::outcome::Outcome;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Latencies in milliseconds, from the intended start to the end of the response, of all requests that were answered.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Latency {
    /// Half of the requests took no longer.
    pub p50: f64,
    /// Nine of ten took no longer.
    pub p90: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// 999 of 1000 took no longer.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

/// What a load counted. `due = sent + unsent + in_flight`, and `sent` is the sum of `by_outcome`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Requests whose time had come.
    pub due: u64,
    /// Requests that were sent, or for which a connection was tried, and that ended.
    pub sent: u64,
    /// Requests that were started and have not ended; 0 once the load has stopped.
    pub in_flight: u64,
    /// Requests that were not even tried, because no connection came free within half of the timeout.
    pub unsent: u64,
    /// Of `sent`: started more than 10 ms after they should have been.
    pub late: u64,
    /// How requests ended.
    pub by_outcome: BTreeMap<Outcome, u64>,
    /// The same by revision, for responses that named theirs.
    pub by_revision: BTreeMap<String, BTreeMap<Outcome, u64>>,
    /// The same by instance, for responses that named theirs.
    pub by_instance: BTreeMap<String, BTreeMap<Outcome, u64>>,
    /// WebSockets that were opened.
    pub ws_opened: u64,
    /// WebSockets that could not be opened.
    pub ws_refused: u64,
    /// WebSockets that ended although nobody here ended them.
    pub ws_lost: u64,
    /// Of `ws_lost`: ended by the peer's close frame.
    pub ws_closed_by_peer: u64,
    /// Messages whose echo came back.
    pub ws_echoed: u64,
    /// Latencies of the requests that were answered.
    pub latency: Latency,
    /// How long requests were started for, in seconds.
    pub seconds: f64,
    /// Requests a second that were asked for.
    pub rate_asked: f64,
}

impl Summary {
    /// Requests that ended in this way.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.by_outcome.get(&outcome).copied().unwrap_or(0)
    }

    /// Requests that got a whole answer that says what it should, whatever its status.
    pub fn answered(&self) -> u64 {
        self.sum(|o| matches!(o, Outcome::Answered(_)))
    }

    /// Requests whose user would have had to try again: [`Outcome::is_failure`].
    pub fn failed(&self) -> u64 {
        self.sum(Outcome::is_failure)
    }

    /// Requests that were started a second.
    pub fn rate_achieved(&self) -> f64 {
        if self.seconds > 0.0 { (self.sent + self.in_flight) as f64 / self.seconds } else { 0.0 }
    }

    fn sum(&self, of: impl Fn(Outcome) -> bool) -> u64 {
        self.by_outcome.iter().filter(|(o, _)| of(**o)).map(|(_, n)| n).sum()
    }

    /// The summary as one JSON object; its keys are the command's contract.
    pub fn to_json(&self) -> Value {
        let by_status: BTreeMap<String, u64> = self
            .by_outcome
            .iter()
            .filter(|(o, _)| matches!(o, Outcome::Answered(_)))
            .map(|(o, n)| (o.name(), *n))
            .collect();
        json!({
            "due": self.due, "sent": self.sent, "unsent": self.unsent, "late": self.late,
            "answered": self.answered(), "failed": self.failed(),
            "by_status": by_status,
            "by_revision": nested(&self.by_revision),
            "by_instance": nested(&self.by_instance),
            "refused": self.count(Outcome::Refused),
            "reset": self.count(Outcome::Reset) + self.count(Outcome::ResetReused),
            "reset_reused": self.count(Outcome::ResetReused),
            "timeouts": self.count(Outcome::Timeout),
            "truncated": self.count(Outcome::Truncated),
            "malformed": self.count(Outcome::Malformed),
            "unable": self.count(Outcome::Unable),
            "wrong_body": self.sum(|o| matches!(o, Outcome::WrongBody(_))),
            "ws_opened": self.ws_opened, "ws_refused": self.ws_refused, "ws_lost": self.ws_lost,
            "ws_closed_by_peer": self.ws_closed_by_peer, "ws_echoed": self.ws_echoed,
            "latency_ms": {
                "p50": round(self.latency.p50), "p90": round(self.latency.p90), "p99": round(self.latency.p99),
                "p999": round(self.latency.p999), "max": round(self.latency.max),
            },
            "seconds": round(self.seconds), "rate_asked": self.rate_asked, "rate_achieved": round(self.rate_achieved()),
        })
    }
}

/// Counts by the names of outcomes, as JSON. Two outcomes may share a name; their counts are added.
pub fn named(counts: &BTreeMap<Outcome, u64>) -> BTreeMap<String, u64> {
    let mut out = BTreeMap::new();
    for (outcome, count) in counts {
        *out.entry(outcome.name()).or_default() += count;
    }
    out
}

/// The same for each of several.
pub fn nested(all: &BTreeMap<String, BTreeMap<Outcome, u64>>) -> BTreeMap<&str, BTreeMap<String, u64>> {
    all.iter().map(|(name, counts)| (name.as_str(), named(counts))).collect()
}

/// To a microsecond, or a thousandth: more digits would only look exact.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
