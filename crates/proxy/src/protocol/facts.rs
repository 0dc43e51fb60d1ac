//! What the proxy says about itself: what is in force, and what it counted.
use super::Split;
use serde::{Deserialize, Serialize};

/// What is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The highest epoch seen.
    pub epoch: u64,
    /// The version accepted; 0 before the first table.
    pub version: u64,
    /// The highest version for which no worker still picks from an older table and no picker is between pick and send.
    pub acknowledged: u64,
    /// The generation of the accepted table.
    pub generation: u64,
    /// The split of the accepted table.
    pub split: Option<Split>,
    /// The fallback of the accepted table.
    pub fallback: Option<Split>,
    /// Why the fallback is in force now instead of the split, in any worker.
    pub falling_back: Option<FallingBack>,
    /// How long the lease still holds, in milliseconds; nothing without a lease.
    pub lease_left_ms: Option<u64>,
    /// Slots whose requests are answered by the fallback's slot now.
    pub circuit: Vec<Circuit>,
    /// Requests that wait for an instance now.
    pub held: u64,
    /// The instances of the table, and those that left it with requests or tunnels still open.
    pub instances: Vec<InstanceReport>,
    /// The proxy was told to end; it accepts no connections.
    pub draining: bool,
    /// How many workers there are.
    pub workers: usize,
}

/// Why the fallback is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FallingBack {
    /// The lease was not renewed.
    Lease,
}

/// A slot whose instances all refuse or reset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circuit {
    /// The slot, 0 or 1.
    pub slot: usize,
    /// How many milliseconds ago it broke.
    pub since_ms: u64,
    /// Requests that the other slot answered in its place since then.
    pub requests: u64,
}

/// What is open on one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceReport {
    /// The endpoint's id.
    pub id: String,
    /// Its slot in the accepted table; nothing when it left.
    pub slot: Option<usize>,
    /// Requests that are open, never fewer than there are. Tunnels are not among them.
    pub open: u64,
    /// Upgraded connections that are open.
    pub tunnels: u64,
    /// Requests sent to it after a table without it was acknowledged. Anything but 0 is a defect.
    pub started_after_ack: u64,
}

/// What was counted since the proxy started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measures {
    /// The last generations, oldest first, at most 8.
    pub generations: Vec<GenerationMeasure>,
    /// The sum over all generations, also the older ones; of the instances only those of the last generations.
    pub total: [SlotMeasure; 2],
    /// What concerns no instance.
    pub front: FrontMeasure,
}

/// What was counted under one generation of the route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationMeasure {
    /// The generation.
    pub generation: u64,
    /// Both slots.
    pub slots: [SlotMeasure; 2],
}

/// What was counted for a slot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotMeasure {
    /// Requests that the split gave to this slot, whoever answered them in the end.
    pub chosen: u64,
    /// Of these, those that the fallback's slot was asked to answer.
    pub diverted: u64,
    /// The sum over its instances, also those that are not listed.
    pub counts: Counts,
    /// Each instance, by id.
    pub instances: Vec<InstanceMeasure>,
}

/// What was counted for an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceMeasure {
    /// The endpoint's id.
    pub id: String,
    /// Its counts.
    pub counts: Counts,
}

/// Attempts, not requests: a request that was tried on two instances counts once on each, so that the one that failed
/// it is charged although the user got an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Attempts that chose this instance.
    pub started: u64,
    /// Attempts that ended, in whatever way. `started - finished` are open, never fewer than there are.
    pub finished: u64,
    /// Of those finished: the instance refused, reset, did not answer in time, or its response was bad or cut off.
    pub failed: u64,
    /// Of those finished: the client left, or stalled, before the end.
    pub abandoned: u64,
    /// Of those finished: an idle connection turned out to be dead; the same instance was asked again.
    pub stale: u64,
    /// Of those finished: given up before anything was sent, as the table had changed.
    pub withdrawn: u64,
    /// Of those started: through the track's own address, not by the split.
    pub direct: u64,
    /// Finished attempts by class: none, 1xx (that is 101), 2xx, 3xx, 4xx, 5xx. A failed attempt without a response
    /// head counts as none; stale, withdrawn and abandoned ones without a head count nowhere.
    pub status: [u64; 6],
    /// Upgraded connections, opened and closed.
    pub tunnels: [u64; 2],
    /// Bytes sent to the instance.
    pub bytes_in: u64,
    /// Bytes received from the instance.
    pub bytes_out: u64,
    /// Requests sent after a table without the instance was acknowledged. Anything but 0 is a defect.
    pub started_after_ack: u64,
    /// Time from the choice of the instance to the end of the response, as (bucket, count); buckets as in
    /// `serin_analysis::bucket`. Empty buckets are left out.
    pub latency: Vec<(u16, u64)>,
}

impl Counts {
    /// Requests that are open, never fewer than there are.
    pub fn open(&self) -> u64 {
        self.started.saturating_sub(self.finished)
    }

    /// Adds what another counted.
    pub fn add(&mut self, other: &Counts) {
        self.started += other.started;
        self.finished += other.finished;
        self.failed += other.failed;
        self.abandoned += other.abandoned;
        self.stale += other.stale;
        self.withdrawn += other.withdrawn;
        self.direct += other.direct;
        for (sum, n) in self.status.iter_mut().zip(other.status) {
            *sum += n;
        }
        for (sum, n) in self.tunnels.iter_mut().zip(other.tunnels) {
            *sum += n;
        }
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.started_after_ack += other.started_after_ack;
        for &(bucket, n) in &other.latency {
            match self.latency.binary_search_by_key(&bucket, |b| b.0) {
                Ok(at) => self.latency[at].1 += n,
                Err(at) => self.latency.insert(at, (bucket, n)),
            }
        }
    }
}

/// What concerns no instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontMeasure {
    /// Client connections accepted.
    pub accepted: u64,
    /// Client connections that are open, never fewer than there are.
    pub open: u64,
    /// Request heads that were understood.
    pub requests: u64,
    /// Requests that had to wait for an instance.
    pub held: u64,
    /// Attempts after the first, for whatever reason.
    pub retried: u64,
    /// Answers of the proxy's own, as (status, count).
    pub refused: Vec<(u16, u64)>,
}
