//! What one track did: counts that add and subtract, and the windows that rounds are judged on.

use serde::{Deserialize, Serialize};

use crate::Histogram;

/// Counts of one track, either since its data plane began to count or over a window of time.
///
/// Invariants: `failed <= finished`. The latencies may be fewer than `finished` (what failed before a response has none).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Attempts that this track finished, well or badly. An attempt that failed here and was then answered by the other track is one of
    /// them: a success for the user, a failure for the judge.
    pub finished: u64,
    /// Those that failed: a status of 500 or more, no response, or a connection refused or reset.
    pub failed: u64,
    /// How long they took.
    pub latency: Histogram,
}

impl Sample {
    /// Adds what `other` counted.
    pub fn add(&mut self, other: &Self) {
        self.finished = self.finished.saturating_add(other.finished);
        self.failed = self.failed.saturating_add(other.failed);
        self.latency.add(&other.latency);
    }

    /// What was counted between `earlier` and this reading of the same cumulative counters.
    ///
    /// `None` when a counter went backwards: then the data plane restarted in between, and this reading begins at its restart. A restart
    /// after which every counter has already overtaken its old value cannot be seen from the counts; who knows of a restart begins anew.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Option<Self> {
        Some(Self {
            finished: self.finished.checked_sub(earlier.finished)?,
            failed: self.failed.checked_sub(earlier.failed)?,
            latency: self.latency.since(&earlier.latency)?,
        })
    }
}

/// What one round is judged on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// What the track did since the round before: sees a sudden fault at once.
    pub round: Sample,
    /// What it did since the step was reached, this round included: sees a slow leak that no single round can prove.
    pub step: Sample,
    /// Whether the data plane restarted since the round before; then `round` holds only what it counted since the restart.
    pub restarted: bool,
}

/// Turns readings of cumulative counters into windows. Kept from round to round, stored by the caller beside the
/// [`History`](crate::History), begun anew with every attempt of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    last: Sample,
    step: Sample,
}

impl Reading {
    /// Begins at these cumulative counters: nothing that they hold belongs to the step.
    #[must_use]
    pub fn begin(counters: Sample) -> Self {
        Self { last: counters, step: Sample::default() }
    }

    /// Takes the next reading and returns what happened since the last one.
    pub fn next(&mut self, counters: Sample) -> Window {
        let (round, restarted) = match counters.since(&self.last) {
            Some(round) => (round, false),
            None => (counters.clone(), true),
        };
        self.step.add(&round);
        self.last = counters;
        Window { round, step: self.step.clone(), restarted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(finished: u64, failed: u64, latencies: &[u64]) -> Sample {
        let mut latency = Histogram::default();
        for nanos in latencies {
            latency.record(*nanos);
        }
        Sample { finished, failed, latency }
    }

    #[test]
    fn windows_are_differences_and_add_up_to_the_step() {
        let mut reading = Reading::begin(sample(100, 50, &[1_000_000]));
        let first = reading.next(sample(110, 51, &[1_000_000, 2_000_000]));
        assert_eq!(first.round, sample(10, 1, &[2_000_000]));
        assert_eq!(first.step, first.round);
        let second = reading.next(sample(130, 51, &[1_000_000, 2_000_000, 9_000]));
        assert_eq!(second.round, sample(20, 0, &[9_000]));
        assert_eq!(second.step, sample(30, 1, &[2_000_000, 9_000]));
        assert!(!second.restarted);
    }

    #[test]
    fn a_restarted_data_plane_loses_no_step_and_invents_no_requests() {
        for restart in [sample(3, 1, &[]), sample(500, 1, &[5]), sample(500, 200, &[])] {
            let mut reading = Reading::begin(sample(100, 50, &[1 << 20]));
            let before = reading.next(sample(140, 52, &[1 << 20, 1 << 21]));
            let after = reading.next(restart.clone());
            assert!(after.restarted, "{restart:?}");
            assert_eq!(after.round, restart);
            assert_eq!(after.step.finished, before.step.finished + restart.finished);
            let next = reading.next(sample(501, 201, &[5, 6]));
            assert!(!next.restarted, "the next reading continues from the restart");
        }
    }

    #[test]
    fn adding_and_subtracting_are_inverse() {
        let a = sample(7, 2, &[5, 5_000, 1 << 39]);
        let mut sum = a.clone();
        let b = sample(11, 0, &[5_000, 77_000_000]);
        sum.add(&b);
        assert_eq!(sum.since(&a), Some(b.clone()));
        assert_eq!(sum.since(&b), Some(a));
        let mut full = sample(u64::MAX, u64::MAX, &[]);
        full.add(&b);
        assert_eq!(full.finished, u64::MAX, "a hostile counter saturates");
    }
}
