//! Is the instance ready, and for how long has it been well without a break? Pure: outcomes and times in, answers out.
//!
//! Two different clocks. *Ready* has patience: it takes `rise` passing checks to become ready and `fall` failing ones
//! to be so no longer. *Continuous health* has none: a single failing check or a restart puts it back to nothing, as
//! Nomad's `min_healthy_time` does. How much continuous health is enough is decided by the caller.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How checks are made and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// From the end of one check to the begin of the next.
    pub interval: Duration,
    /// A check that takes longer fails.
    pub timeout: Duration,
    /// Passing checks in a row that make an instance ready; at least 1.
    pub rise: u32,
    /// Failing checks in a row that make it unready; at least 1.
    pub fall: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), timeout: Duration::from_secs(5), rise: 1, fall: 3 }
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Pass,
    /// It is not; the sentence says what.
    Fail(String),
}

/// Whether the instance may get traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It has not been ready since it was started (or found).
    Starting {
        /// Since when we look.
        since: Instant,
        /// What the last check found, if it failed.
        why: Option<String>,
    },
    /// It is.
    Ready {
        /// Since when.
        since: Instant,
    },
    /// It was, and is no longer.
    Unready {
        /// Since when.
        since: Instant,
        /// What the last failing check found.
        why: String,
    },
}

impl Readiness {
    /// Whether it is [`Readiness::Ready`].
    pub fn is_ready(&self) -> bool {
        match self {
            Self::Ready { .. } => true,
            Self::Starting { .. } | Self::Unready { .. } => false,
        }
    }

    /// Since when it is as it is.
    pub fn since(&self) -> Instant {
        match self {
            Self::Starting { since, .. } | Self::Ready { since } | Self::Unready { since, .. } => *since,
        }
    }
}

/// The health of one instance.
#[derive(Debug, Clone)]
pub struct Health {
    settings: Settings,
    readiness: Readiness,
    /// Passing checks in a row, and failing ones: one of the two is 0.
    passes: u32,
    fails: u32,
    /// The first passing check of the unbroken run.
    well_since: Option<Instant>,
    checked: Option<Instant>,
}

impl Health {
    /// An instance of which nothing is known yet.
    pub fn new(settings: Settings, now: Instant) -> Self {
        let readiness = Readiness::Starting { since: now, why: None };
        Self { settings, readiness, passes: 0, fails: 0, well_since: None, checked: None }
    }

    /// Takes what a check found at `now`.
    pub fn observe(&mut self, now: Instant, outcome: Outcome) {
        // In a gap nobody looked: what was before it proves nothing about it.
        if self.is_stale(now) {
            self.well_since = None;
        }
        self.checked = Some(now);
        match outcome {
            Outcome::Pass => self.pass(now),
            Outcome::Fail(why) => self.fail(now, why),
        }
    }

    fn pass(&mut self, now: Instant) {
        self.fails = 0;
        self.passes = self.passes.saturating_add(1);
        self.well_since = self.well_since.or(Some(now));
        if self.passes >= self.settings.rise.max(1) && !self.readiness.is_ready() {
            self.readiness = Readiness::Ready { since: now };
        }
    }

    fn fail(&mut self, now: Instant, why: String) {
        self.passes = 0;
        self.fails = self.fails.saturating_add(1);
        self.well_since = None;
        let enough = self.fails >= self.settings.fall.max(1);
        match &mut self.readiness {
            Readiness::Starting { why: last, .. } => *last = Some(why),
            Readiness::Unready { why: last, .. } => *last = why,
            Readiness::Ready { .. } if enough => self.readiness = Readiness::Unready { since: now, why },
            Readiness::Ready { .. } => {}
        }
    }

    /// The program was started again at `now`: whatever was known was about another process.
    pub fn restarted(&mut self, now: Instant) {
        self.passes = 0;
        self.fails = 0;
        self.well_since = None;
        self.readiness = match std::mem::replace(&mut self.readiness, Readiness::Ready { since: now }) {
            Readiness::Ready { .. } => Readiness::Unready { since: now, why: "the program was started again".into() },
            other @ (Readiness::Starting { .. } | Readiness::Unready { .. }) => other,
        };
    }

    /// Whether it may get traffic, as far as was last known: see [`Self::is_stale`].
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Whether enough checks have been made to say that it is ready, or that it is not.
    pub fn is_settled(&self) -> bool {
        match self.readiness {
            Readiness::Starting { .. } => self.fails >= self.settings.fall.max(1),
            Readiness::Ready { .. } | Readiness::Unready { .. } => true,
        }
    }

    /// For how long it has been ready and every check has passed, without a restart or a gap; `None` when it is not.
    /// It is known up to the last check and not a moment longer.
    pub fn healthy_for(&self, now: Instant) -> Option<Duration> {
        if !self.readiness.is_ready() || self.is_stale(now) {
            return None;
        }
        let known = self.checked?.min(now);
        self.well_since.map(|since| known.saturating_duration_since(since))
    }

    /// Whether the last check is so long ago that it says nothing about `now`: two intervals and a timeout.
    pub fn is_stale(&self, now: Instant) -> bool {
        let longest = self.settings.interval * 2 + self.settings.timeout;
        self.checked.is_some_and(|checked| now.saturating_duration_since(checked) > longest)
    }

    /// When a check was last made.
    pub fn checked(&self) -> Option<Instant> {
        self.checked
    }

    /// How checks are made and counted.
    pub fn settings(&self) -> Settings {
        self.settings
    }
}

#[cfg(test)]
mod tests;
