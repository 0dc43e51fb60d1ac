//! What must not be forgotten, under its names in the store.
use crate::judging::Judging;
use crate::store::{Store, StoreError};
use crate::timers::Armed;
use serde::{Deserialize, Serialize};
use serin_analysis::Checks;
use serin_rollout::{Intent, Plan, Rev, Status};

pub(crate) const STATUS: &str = "status";
pub(crate) const INTENT: &str = "intent";
pub(crate) const WISH: &str = "wish";
pub(crate) const FROZEN: &str = "frozen";
pub(crate) const TIMERS: &str = "timers";
pub(crate) const JUDGING: &str = "judging";
pub(crate) const NOTES: &str = "notes";

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

/// The saved state of one service, as it was loaded or last saved.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    pub status: Status,
    pub intent: Intent,
    pub wish: Wish,
    /// Set whenever rest is left, and of no account at rest.
    pub frozen: Option<Frozen>,
    pub timers: Vec<Armed>,
    pub judging: Option<Judging>,
    pub notes: Notes,
}

impl Saved {
    /// What the store holds; `None` where the service never ran.
    pub fn load(store: &Store) -> Result<Option<Saved>, StoreError> {
        let (Some(status), Some(intent), Some(wish)) = (store.state(STATUS)?, store.state(INTENT)?, store.state(WISH)?)
        else {
            return Ok(None);
        };
        Ok(Some(Saved {
            status,
            intent,
            wish,
            frozen: store.state(FROZEN)?,
            timers: store.state(TIMERS)?.unwrap_or_default(),
            judging: store.state(JUDGING)?,
            notes: store.state(NOTES)?.unwrap_or_default(),
        }))
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
