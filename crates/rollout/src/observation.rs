//! What the driver saw: facts only, gathered in one round.
use crate::permit::Refusal;
use crate::split::{Bp, Pair, Route, Slot, Split};
use crate::status::{Rev, RolloutId, StepKey, Timers};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Everything that [`crate::decide`] may know of the world.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Observation {
    /// Whether this incarnation of the controller has fenced the service's objects, so that no write of an earlier one
    /// can still land.
    pub claimed: bool,
    /// The two sets of instances.
    pub set: Pair<SetSeen>,
    /// The route and what the data planes make of it.
    pub route: RouteSeen,
    /// What people ask for.
    pub intent: Intent,
    /// The judgement of a step, named with the step that it is about.
    pub verdict: Option<(StepKey, Verdict)>,
    /// Which of the armed timers are due. The only form in which time enters.
    pub due: Timers,
    /// Why the last write was refused or failed, until one succeeds.
    pub failed: Option<WriteError>,
}

/// A set of instances as its platform reports it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct SetSeen {
    /// The revision that its instances run; `None` where there never was one.
    pub rev: Option<Rev>,
    /// The number of instances that the platform was told to keep.
    pub desired: u16,
    /// The number of instances that exist, those that are being stopped included.
    pub total: u16,
    /// The number that is ready to serve. Never more than `total`.
    pub ready: u16,
    /// The number that has been ready without a break for the minimum time. Never more than `ready`.
    pub healthy: u16,
    /// The number that no split in force reaches and that still have open requests.
    pub busy: u16,
    /// Whether nobody but Serin may lower `desired`.
    pub pinned: bool,
    /// Whether this view is at least as new as the own last write to the set.
    pub fresh: bool,
}

impl SetSeen {
    /// A slot in which there is nothing.
    pub const EMPTY: SetSeen =
        SetSeen { rev: None, desired: 0, total: 0, ready: 0, healthy: 0, busy: 0, pinned: false, fresh: true };

    /// Nothing exists here and nothing is asked for. A stale view is never empty.
    pub const fn is_empty(&self) -> bool {
        self.fresh && self.desired == 0 && self.total == 0
    }

    /// The instances that exist or will.
    pub const fn present(&self) -> u16 {
        if self.total > self.desired { self.total } else { self.desired }
    }
}

/// The route as the router accepted it, and as the data planes apply it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RouteSeen {
    /// What was written last.
    pub accepted: Route,
    /// Whether every data plane reports that it applies exactly this generation.
    pub acked: bool,
    /// Every split that some data plane may still apply: the fallback of a generation counts as much as its split.
    /// What `accepted` holds is in force whether it is listed here or not.
    pub in_force: Vec<Split>,
}

impl RouteSeen {
    /// Every split that may be in force, the accepted route's included.
    pub fn splits(&self) -> impl Iterator<Item = Split> + '_ {
        self.accepted.splits().chain(self.in_force.iter().copied())
    }

    /// Whether any split that may be in force sends anything to `slot`.
    pub fn reaches(&self, slot: Slot) -> bool {
        self.splits().any(|split| split.reaches(slot))
    }
}

/// What people ask for, as a level: it stays until it is taken back, and names what it was meant for, so that a double
/// click, a late approval or a replay does nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Intent {
    /// The revision that should be running.
    pub wanted: Rev,
    /// Try the failed revision of this rollout again.
    pub retry: Option<RolloutId>,
    /// Give this rollout up.
    pub abort: Option<RolloutId>,
    /// Return from this rollout's revision to the one before, while that is still warm.
    pub rollback: Option<RolloutId>,
    /// Do not advance this rollout. Judging goes on.
    pub pause: Option<RolloutId>,
    /// Leave the canary of this rollout live with the share that it has.
    pub park: Option<RolloutId>,
    /// Drain and stop the parked canary of this rollout.
    pub retire: Option<RolloutId>,
    /// Go on with the rollout that was parked at this step.
    pub resume: Option<StepKey>,
    /// The answer to this step's gate.
    pub approved: Option<StepKey>,
    /// Do not wait for this step's acceptance; with `true` for none of the later ones either.
    pub promote: Option<(StepKey, bool)>,
    /// Give the canary this share during this step instead of the plan's.
    pub weight: Option<(StepKey, Bp)>,
}

impl Intent {
    /// Nothing but a revision that should be running.
    pub const fn of(wanted: Rev) -> Intent {
        Intent {
            wanted,
            retry: None,
            abort: None,
            rollback: None,
            pause: None,
            park: None,
            retire: None,
            resume: None,
            approved: None,
            promote: None,
            weight: None,
        }
    }
}

/// The outcome of a step's analysis so far. Only an explicit `Pass` is a pass.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every check passed as often as it must.
    Pass,
    /// The failure budget is used up.
    Fail,
    /// Not enough is known.
    Inconclusive,
    /// The source could not be asked.
    Error,
}

/// One write to the platforms. Versioned, idempotent and fenced by whoever carries it out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Write {
    /// Fence every object of the service for this incarnation of the controller.
    Claim,
    /// Ask for `to` instances of `rev` in `slot`.
    Resize {
        /// Which set.
        slot: Slot,
        /// How many instances.
        to: u16,
        /// What they run. Another revision than the set's only where the slot is empty.
        rev: Rev,
        /// Whether nobody else may lower the number.
        pin: bool,
    },
    /// Write this route as a new generation.
    Route(Route),
    /// Give the existing set in `slot` another revision, in the platform's own way.
    Rewrite {
        /// Which set.
        slot: Slot,
        /// The revision that it gets.
        rev: Rev,
    },
}

/// Why the last write did not happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteError {
    /// The second key refused it.
    Refused(Refusal),
    /// The platform did not take it; its own words are in the log.
    Platform,
    /// Somebody else changed the object first.
    Conflict,
}
