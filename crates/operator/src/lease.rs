//! Who of several operators may write: one at a time, by a Lease object (coordination.k8s.io/v1).
//!
//! The protocol is that of Kubernetes' own components, so that `kubectl get lease` tells people what they expect, with
//! four things made stricter:
//!
//! * **Clocks are never compared.** A holder counts as alive until its record was seen unchanged for the whole duration
//!   on the clock of whoever looks. That clock is `CLOCK_BOOTTIME`: a machine that slept knows that it did.
//! * **A holder ends before another one may begin.** Its right lasts until the *sending* of its last renewal that was
//!   accepted, plus `renew_deadline`, which is shorter than the duration after which another may take it.
//! * **The epoch only grows**, also when the Lease object is deleted and made again: see [`epoch`].
//! * **A new Lease is nobody's at first.** Whoever makes it waits for one duration before taking it like any other:
//!   somebody may hold the one that was there before, and not know yet that it is gone.
//!
//! Every write has the resource version as its precondition. Who holds is told through a channel; who uses it must look at
//! [`Leadership::epoch`] directly before each write, because the right may end while a task was not run.

mod evaluate;
mod keep;
mod record;

pub use evaluate::{Next, Sight, evaluate};
pub use keep::{Candidate, Elected};
pub use record::{Record, epoch};

use std::time::Duration;

/// How long everything takes. The defaults are those of Kubernetes' own components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// After so long without a change of the record another may take it; at least 2 s.
    pub duration: Duration,
    /// So long after the sending of its last good renewal a holder stops being one; shorter than `duration`.
    pub renew_deadline: Duration,
    /// Between two looks, and between two renewals; shorter than `renew_deadline`.
    pub retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let secs = Duration::from_secs;
        Timing { duration: secs(15), renew_deadline: secs(10), retry: secs(2) }
    }
}

impl Timing {
    /// Why two could hold at once with these, or nobody for long; `None` where all is well.
    pub fn wrong(&self) -> Option<String> {
        let sentence = |text: &str| Some(text.to_owned());
        if self.duration < Duration::from_secs(2) || self.duration.subsec_nanos() != 0 {
            return sentence("the lease duration is a whole number of seconds, and at least 2");
        }
        if self.renew_deadline >= self.duration {
            return sentence("the renew deadline must be shorter than the lease duration, or two could hold at once");
        }
        if self.retry.is_zero() || self.retry * 2 > self.renew_deadline {
            return sentence("the retry period is more than nothing, and at most half of the renew deadline");
        }
        None
    }
}

/// Whether this process may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// It may, until then.
    Holds {
        /// Greater than that of everybody who held before.
        epoch: u64,
        /// In milliseconds since the machine was started, sleep included.
        until_ms: u64,
    },
    /// It may not.
    Follows {
        /// Who may, as far as is known.
        holder: Option<String>,
    },
}

impl Leadership {
    /// The epoch, if this process may write at `now_ms` (milliseconds since the machine was started, sleep included).
    pub fn epoch(&self, now_ms: u64) -> Option<u64> {
        match self {
            Leadership::Holds { epoch, until_ms } => (now_ms < *until_ms).then_some(*epoch),
            Leadership::Follows { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_ends_with_its_time_and_not_with_a_message() {
        let held = Leadership::Holds { epoch: 7, until_ms: 100 };
        assert_eq!((held.epoch(99), held.epoch(100)), (Some(7), None));
        assert_eq!(Leadership::Follows { holder: None }.epoch(0), None);
    }

    #[test]
    fn timings_under_which_two_could_hold_are_refused() {
        let secs = Duration::from_secs;
        assert_eq!(Timing::default().wrong(), None);
        for (duration, renew_deadline, retry) in [(15, 15, 2), (1, 1, 1), (15, 10, 6), (15, 10, 0)] {
            let timing = Timing { duration: secs(duration), renew_deadline: secs(renew_deadline), retry: secs(retry) };
            assert!(timing.wrong().is_some(), "{timing:?}");
        }
    }
}
