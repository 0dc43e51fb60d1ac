//! Where a release stands: all that must survive a crash of the controller.
use crate::split::{Bp, Pair, Slot, Split};
use serde::{Deserialize, Serialize};

/// A revision, as a number that the service's store gave it for good. The store holds the full hash and the content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Rev(pub u32);

/// The number of a rollout; the first one is 1.
pub type RolloutId = u32;

/// A step of a rollout, and the how-manieth attempt at it. Verdicts, approvals and commands name it or are ignored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct StepKey {
    /// The rollout.
    pub rollout: RolloutId,
    /// The index of the step in the plan.
    pub step: u16,
    /// Counts from 0; a weight override, a resume or a loss of the canary begins the next one.
    pub attempt: u16,
}

impl StepKey {
    /// The step of a key that stands for a rollout that has left its plan.
    pub const NONE: u16 = u16::MAX;
    /// The step of a key that stands for no rollout: a service at rest is brought home.
    pub const AT_REST: u16 = u16::MAX - 1;

    /// Whether it names a step of a plan.
    pub const fn is_of_a_step(&self) -> bool {
        self.step < Self::AT_REST
    }
}

/// The saved state of one service.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The running or, at rest, the last rollout; 0 before the first.
    pub rollout: RolloutId,
    /// The slot to go back to.
    pub good: Slot,
    /// What each slot is meant to run.
    pub rev: Pair<Option<Rev>>,
    /// Whether the revision in a slot has ever been good: it passed its analysis, or it is the first one and served.
    pub proven: Pair<bool>,
    /// What is going on.
    pub phase: Phase,
    /// The timers that run.
    pub armed: Armed,
    /// How the last rollout ended.
    pub last: Option<Last>,
}

impl Status {
    /// A service that has never run, and is to run `rev`.
    pub const fn first(rev: Rev) -> Status {
        Status {
            rollout: 0,
            good: 0,
            rev: [Some(rev), None],
            proven: [false; 2],
            phase: Phase::Idle,
            armed: Armed::NONE,
            last: None,
        }
    }

    /// The step whose verdict, approval and commands count now: of the phases in which the canary may get traffic.
    pub const fn key(&self) -> Option<StepKey> {
        let (step, attempt) = match self.phase {
            Phase::Step(at) => (at.step, at.attempt),
            Phase::Parked { step, attempt, .. } => (step, attempt),
            Phase::Halted { from: Interrupted::Step { step, attempt } | Interrupted::Home { step, attempt } } => {
                (step, attempt)
            }
            Phase::Settling { step, attempt, .. } => (step, attempt),
            Phase::Halted { from: Interrupted::Back { .. } } => (StepKey::NONE, 0),
            Phase::Idle | Phase::Back { .. } => return None,
        };
        Some(StepKey { rollout: self.rollout, step, attempt })
    }

    /// What a command that is given now names: the step, or else the rollout with its first step.
    pub const fn now(&self) -> StepKey {
        match self.key() {
            Some(key) => key,
            None => StepKey { rollout: self.rollout, step: 0, attempt: 0 },
        }
    }

    /// Whether no rollout is under way.
    pub const fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    /// What a timer is armed for. When the answer changes, the timer starts anew with its full duration.
    pub const fn timer(&self, timer: Timer) -> Option<TimerKey> {
        let extra = match timer {
            Timer::Bake if self.armed.bake => 0,
            Timer::Healthy if self.armed.healthy => 0,
            Timer::Drain if self.armed.drain => 0,
            Timer::Window if self.armed.window => 0,
            Timer::Progress => match self.armed.progress {
                Some(best) => best,
                None => return None,
            },
            Timer::Bake | Timer::Healthy | Timer::Drain | Timer::Window => return None,
        };
        let (phase, step, attempt) = match self.phase {
            Phase::Idle => (0, 0, 0),
            Phase::Step(at) => (1, at.step, at.attempt),
            Phase::Settling { leg: Leg::Window, step, attempt } => (2, step, attempt),
            Phase::Settling { leg: Leg::Retire, step, attempt } => (3, step, attempt),
            Phase::Settling { leg: Leg::Home, step, attempt } => (7, step, attempt),
            Phase::Back { .. } => (4, 0, 0),
            Phase::Halted { .. } => (5, 0, 0),
            Phase::Parked { step, attempt, .. } => (6, step, attempt),
        };
        Some(TimerKey { timer, key: StepKey { rollout: self.rollout, step, attempt }, phase, extra })
    }
}

/// What is going on. Each variant says what has happened, what it waits for, and where it goes on failure.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The good slot carries everything. Waits for another revision to be wanted; repairs what the world breaks.
    Idle,
    /// A rollout moves to this step's target, or has `reached` it and waits for its acceptance. A failed verdict, an
    /// abort, a deadline or a newer revision leads to [`Phase::Back`]; a stable track without a ready instance to
    /// [`Phase::Halted`].
    Step(InStep),
    /// The rollout is committed: `good` is the new revision's slot. The rest is clean-up; while the old set is warm,
    /// a failure leads back to it.
    Settling {
        /// Which part of the clean-up.
        leg: Leg,
        /// The last step, whose key the verdicts go on to carry.
        step: u16,
        /// Its attempt.
        attempt: u16,
    },
    /// Traffic returns to the good slot as fast as its capacity allows; then the other set is retired.
    Back {
        /// What made the rollout go back.
        why: Why,
        /// Whether the other set stays, without traffic, for a person to look at.
        keep: bool,
    },
    /// The good slot cannot serve, or the copy of its revision does not become healthy: everything that serves goes on
    /// serving. Waits for it to recover, for a person, or for another revision.
    Halted {
        /// Where it goes on when the good slot is whole again.
        from: Interrupted,
    },
    /// A person left the canary live on purpose. Waits for that person.
    Parked {
        /// The split that is kept.
        split: Split,
        /// The step to go on with.
        step: u16,
        /// Its attempt.
        attempt: u16,
    },
}

/// Where a rollout stands within a step.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct InStep {
    /// The index in the plan.
    pub step: u16,
    /// Which attempt at it.
    pub attempt: u16,
    /// Whether the target was reached in this attempt.
    pub reached: bool,
    /// The share that a person gave the canary in this step instead of the plan's.
    pub weight: Option<Bp>,
    /// A person asked not to wait for any acceptance any more.
    pub forced: bool,
    /// How often the canary could no longer carry its share; at the third time the rollout goes back.
    pub lost: u8,
}

impl InStep {
    /// The beginning of an attempt.
    pub const fn begin(step: u16, attempt: u16) -> InStep {
        InStep { step, attempt, reached: false, weight: None, forced: false, lost: 0 }
    }
}

/// The parts of settling after the commit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leg {
    /// The rollback window: the old set is kept warm.
    Window,
    /// The route is written without the old set, which is drained and stopped.
    Retire,
    /// The good revision is not where the service rests. The other set is drained and rewritten to it; once that is
    /// whole, the traffic goes there. A copy that does not become healthy in time leads to [`Phase::Halted`], and the
    /// good slot goes on carrying everything.
    Home,
}

/// What a halted release goes on with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interrupted {
    /// The step in which the good slot stopped serving.
    Step {
        /// The index in the plan.
        step: u16,
        /// Its attempt.
        attempt: u16,
    },
    /// The return to the good slot.
    Back {
        /// What made the rollout go back.
        why: Why,
        /// Whether the other set stays.
        keep: bool,
    },
    /// The copy of the good revision to where the service rests. It is tried on, without a deadline.
    Home {
        /// The index in the plan.
        step: u16,
        /// Its attempt.
        attempt: u16,
    },
}

/// Why a rollout goes back or halts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The analysis failed.
    Verdict,
    /// The canary was not healthy in time, or nothing made progress.
    Deadline,
    /// The canary could not carry its share any more.
    Unready,
    /// A person gave it up.
    Aborted,
    /// Another revision is wanted.
    Superseded,
    /// A person returned to the revision before, after the commit.
    RolledBack,
    /// Somebody changed the revision of a set from outside.
    Drift,
}

/// How a rollout ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// On the new revision.
    Succeeded,
    /// On the old one, because the new one is not good.
    Failed,
    /// On the old one, because a person or a newer revision wanted it.
    Aborted,
}

/// The end of the last rollout.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Last {
    /// Its revision.
    pub rev: Rev,
    /// How it ended.
    pub outcome: Outcome,
    /// What made it go back, where it did.
    pub why: Option<Why>,
}

/// The named timers. Their durations are the plan's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    /// A step's timed hold.
    Bake,
    /// The time in which a step's instances must be healthy, or the good set whole.
    Healthy,
    /// The time without any instance becoming healthy after which a rollout is given up.
    Progress,
    /// The time that open requests get to end before their instance is stopped.
    Drain,
    /// The rollback window.
    Window,
}

impl Timer {
    /// All of them.
    pub const ALL: [Timer; 5] = [Timer::Bake, Timer::Healthy, Timer::Progress, Timer::Drain, Timer::Window];
}

/// The timers that run. The driver computes a deadline when [`Status::timer`] gives a new key, and reports when it has
/// passed; the core never sees a number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Armed {
    /// See [`Timer::Bake`].
    pub bake: bool,
    /// See [`Timer::Healthy`].
    pub healthy: bool,
    /// See [`Timer::Progress`]; the number is the most instances that have been healthy at once: more of them start it
    /// anew.
    pub progress: Option<u16>,
    /// See [`Timer::Drain`].
    pub drain: bool,
    /// See [`Timer::Window`].
    pub window: bool,
}

impl Armed {
    /// No timer runs.
    pub const NONE: Armed = Armed { bake: false, healthy: false, progress: None, drain: false, window: false };
}

/// A set of timers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Timers {
    /// See [`Timer::Bake`].
    pub bake: bool,
    /// See [`Timer::Healthy`].
    pub healthy: bool,
    /// See [`Timer::Progress`].
    pub progress: bool,
    /// See [`Timer::Drain`].
    pub drain: bool,
    /// See [`Timer::Window`].
    pub window: bool,
}

/// What a timer is armed for; a level, so that a restart of the controller finds the same deadline.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct TimerKey {
    /// Which timer.
    pub timer: Timer,
    /// The step that it belongs to.
    pub key: StepKey,
    /// The phase that it belongs to, as a number.
    pub phase: u8,
    /// See [`Armed::progress`].
    pub extra: u16,
}
