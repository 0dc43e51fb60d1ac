//! Counts with one writer each and any number of readers: plain loads and stores, no locked instruction.
use crate::protocol::Counts;
use serin_analysis::{BUCKETS, bucket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::time::Duration;

/// Statuses that the proxy itself answers with.
pub const OWN_STATUSES: [u16; 8] = [400, 408, 431, 501, 502, 503, 504, 500];

/// An instance as all workers see it.
#[derive(Debug)]
pub struct Instance {
    /// The endpoint's id.
    pub id: String,
    /// A table without it was acknowledged: nothing may start on it.
    pub withdrawn: AtomicBool,
}

/// What one worker counts for one instance in one slot under one generation. See `protocol::Counts`.
#[derive(Debug)]
#[repr(align(128))]
#[expect(missing_docs, reason = "the names are those of protocol::Counts")]
pub struct Block {
    pub started: AtomicU64,
    pub finished: AtomicU64,
    pub failed: AtomicU64,
    pub abandoned: AtomicU64,
    pub stale: AtomicU64,
    pub withdrawn: AtomicU64,
    pub direct: AtomicU64,
    pub started_after_ack: AtomicU64,
    pub status: [AtomicU64; 6],
    pub tunnels: [AtomicU64; 2],
    pub bytes_in: AtomicU64,
    pub bytes_out: AtomicU64,
    pub latency: [AtomicU64; BUCKETS],
}

impl Default for Block {
    fn default() -> Self {
        Block {
            started: AtomicU64::default(),
            finished: AtomicU64::default(),
            failed: AtomicU64::default(),
            abandoned: AtomicU64::default(),
            stale: AtomicU64::default(),
            withdrawn: AtomicU64::default(),
            direct: AtomicU64::default(),
            started_after_ack: AtomicU64::default(),
            status: Default::default(),
            tunnels: Default::default(),
            bytes_in: AtomicU64::default(),
            bytes_out: AtomicU64::default(),
            latency: [const { AtomicU64::new(0) }; BUCKETS],
        }
    }
}

impl Block {
    /// An attempt with a response head ended; `took` is its whole time.
    pub fn answered(&self, status: u16, took: Duration) {
        bump(&self.status[usize::from(status / 100).min(5)]);
        bump(&self.latency[bucket(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX))]);
    }

    /// What was counted until now. What ended is read first, so that what is open can only be too high.
    pub fn read(&self) -> Counts {
        let finished = self.finished.load(Acquire);
        let closed = self.tunnels[1].load(Acquire);
        let of = |counter: &AtomicU64| counter.load(Acquire);
        let counted = self.latency.iter().enumerate().map(|(n, c)| (n as u16, of(c)));
        Counts {
            started: of(&self.started),
            finished,
            failed: of(&self.failed),
            abandoned: of(&self.abandoned),
            stale: of(&self.stale),
            withdrawn: of(&self.withdrawn),
            direct: of(&self.direct),
            status: self.status.each_ref().map(of),
            tunnels: [of(&self.tunnels[0]), closed],
            bytes_in: of(&self.bytes_in),
            bytes_out: of(&self.bytes_out),
            started_after_ack: of(&self.started_after_ack),
            latency: counted.filter(|c| c.1 > 0).collect(),
        }
    }

    /// Nothing is open.
    pub fn is_quiet(&self) -> bool {
        let [finished, closed] = [self.finished.load(Acquire), self.tunnels[1].load(Acquire)];
        finished == self.started.load(Acquire) && closed == self.tunnels[0].load(Acquire)
    }
}

/// What one worker counts for one slot under one generation.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct SlotBlock {
    /// Requests that the split gave to this slot.
    pub chosen: AtomicU64,
    /// Of these, those that the other slot was asked to answer.
    pub diverted: AtomicU64,
}

/// What one worker counts that concerns no instance.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Front {
    /// Client connections accepted, and ended.
    pub connections: [AtomicU64; 2],
    /// Request heads that were understood.
    pub requests: AtomicU64,
    /// Requests that had to wait, and those that stopped waiting.
    pub held: [AtomicU64; 2],
    /// Attempts after the first.
    pub retried: AtomicU64,
    /// Own answers, by `OWN_STATUSES`.
    pub refused: [AtomicU64; OWN_STATUSES.len()],
    /// Per slot: when it broke, in boot milliseconds; 0 while it works.
    pub broken_since: [AtomicU64; 2],
    /// Per slot: requests diverted since it broke.
    pub broken_requests: [AtomicU64; 2],
}

impl Front {
    /// Counts an answer of the proxy's own.
    pub fn refuse(&self, status: u16) {
        let at = OWN_STATUSES.iter().position(|s| *s == status).unwrap_or(OWN_STATUSES.len() - 1);
        bump(&self.refused[at]);
    }

    /// A request of `slot` goes to the other slot.
    pub fn divert(&self, slot: usize, now_ms: u64) {
        if self.broken_since[slot].load(Relaxed) == 0 {
            self.broken_requests[slot].store(0, Relaxed);
            self.broken_since[slot].store(now_ms.max(1), Relaxed);
        }
        bump(&self.broken_requests[slot]);
    }

    /// `slot` answers again.
    pub fn mend(&self, slot: usize) {
        if self.broken_since[slot].load(Relaxed) != 0 {
            self.broken_since[slot].store(0, Relaxed);
        }
    }
}

/// A plain add: the only writer is the worker that owns the counter.
pub fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed) + n, Release);
}

/// A plain add of one.
pub fn bump(counter: &AtomicU64) {
    add(counter, 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_can_only_be_too_high() {
        let block = Block::default();
        bump(&block.started);
        assert!(!block.is_quiet() && block.read().open() == 1);
        block.answered(204, Duration::from_millis(1));
        bump(&block.finished);
        assert!(block.is_quiet());
        let counts = block.read();
        assert_eq!((counts.status, counts.latency), ([0, 0, 1, 0, 0, 0], vec![(bucket(1_000_000) as u16, 1)]));
    }
}
