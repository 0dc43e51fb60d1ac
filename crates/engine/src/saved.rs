//! What must not be forgotten.
use crate::judging::Judging;
use crate::store::RolloutRecord;
use crate::timers::Armed;
use serde::{Deserialize, Serialize};
use serin_analysis::Checks;
use serin_rollout::{Intent, Plan, Rev, Status};

/// What somebody wants to run, and how it is to be released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// The revision.
    pub rev: Rev,
    /// How to get there, and what the service keeps at rest.
    pub plan: Plan,
    /// How the canary is judged; without checks it is not.
    pub checks: Option<Checks>,
    /// The whole resolved spec, for the platform's settings.
    pub spec: serde_json::Value,
    /// The hash of the file that it came from; a file with the same hash asks for nothing new.
    pub file_hash: Option<String>,
    /// Who asked for it.
    pub by: String,
    /// How the command line changed the file, by key path.
    pub changes: Vec<String>,
}

/// What was wanted when the service left rest, and is kept to until it rests again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// The plan.
    pub plan: Plan,
    /// The checks.
    pub checks: Option<Checks>,
    /// Who asked for it.
    pub by: String,
    /// How the command line changed the file, by key path.
    pub changes: Vec<String>,
}

/// Who gave a command that has lasting effect, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Who.
    pub by: String,
    /// Why, in their words.
    pub reason: String,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// The notes on the present rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// Why the canary was left live.
    pub park: Option<Note>,
    /// Why nothing advances.
    pub pause: Option<Note>,
    /// Why the rollout was given up.
    pub abort: Option<Note>,
}

/// The whole state of one service, as it was loaded or last kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Where the release is.
    pub status: Status,
    /// What people ask for.
    pub intent: Intent,
    /// What is wanted.
    pub wish: Wish,
    /// Set whenever rest is left, and of no account at rest.
    pub frozen: Option<Frozen>,
    /// The timers that run.
    pub timers: Vec<Armed>,
    /// The analysis so far.
    pub judging: Option<Judging>,
    /// Who parked, paused or gave up, and why.
    pub notes: Notes,
    /// The last rollout; `None` before the first.
    pub rollout: Option<RolloutRecord>,
}

impl Saved {
    /// A service that never ran and now wants its first revision.
    pub fn first(wish: Wish) -> Saved {
        Saved {
            status: Status::first(wish.rev),
            intent: Intent::of(wish.rev),
            wish,
            frozen: None,
            timers: Vec::new(),
            judging: None,
            notes: Notes::default(),
            rollout: None,
        }
    }

    /// The plan that counts now: at rest that of what is wanted, else the one that rest was left with.
    pub fn plan(&self) -> &Plan {
        match &self.frozen {
            Some(frozen) if !self.status.is_idle() => &frozen.plan,
            Some(_) | None => &self.wish.plan,
        }
    }

    /// The checks that count now.
    pub fn checks(&self) -> Option<&Checks> {
        match &self.frozen {
            Some(frozen) if !self.status.is_idle() => frozen.checks.as_ref(),
            Some(_) | None => self.wish.checks.as_ref(),
        }
    }
}
