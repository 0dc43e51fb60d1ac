//! Where what must not be forgotten is kept: a file beside one machine's service, the object itself in a cluster.
use crate::judging::Judged;
use crate::ports::{PortError, Revision};
use crate::saved::Saved;
use crate::store::RolloutRecord;
use crate::wording::Outgoing;
use serin_rollout::Rev;
use std::future::Future;

/// Keeps the state of one service. One controller holds it at a time.
pub trait Ledger {
    /// The fencing number of this holder: greater than that of every holder before.
    fn epoch(&self) -> u64;
    /// What is kept, read again from where it is kept; `None` where the service never ran.
    fn load(&mut self) -> impl Future<Output = Result<Option<Saved>, PortError>>;
    /// Keeps all of `change` or nothing, and returns when it will not be lost any more. After an error it may be there
    /// nevertheless: whoever asked must [`Ledger::load`] before anything follows from it.
    fn commit(&mut self, change: &Change) -> impl Future<Output = Result<(), PortError>>;
    /// The number of the revision with this hash: the one that it has, or the one that it gets with its first commit.
    fn number(&mut self, hash: &str) -> impl Future<Output = Result<Rev, PortError>>;
    /// The revision with its content; `None` where it was never kept, or not for so long.
    fn revision(&mut self, rev: Rev) -> impl Future<Output = Result<Option<Revision>, PortError>>;
    /// The revision that served before `rev` was promoted, as far back as the history goes.
    fn before(&mut self, rev: Rev) -> impl Future<Output = Result<Option<Rev>, PortError>>;
}

/// Everything that changes at once.
#[derive(Clone, Debug)]
pub struct Change {
    /// The whole state from now on.
    pub saved: Saved,
    /// A revision that the state begins to name. A number has the same content for ever.
    pub revision: Option<Revision>,
    /// The rollout that begins with this change or ends with it.
    pub rollout: Option<RolloutRecord>,
    /// What happened, in its order.
    pub events: Vec<Happened>,
    /// A round of the analysis.
    pub judged: Option<Judged>,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// One event of a change.
#[derive(Clone, Debug)]
pub struct Happened {
    /// The rollout that it belongs to, if to any.
    pub rollout: Option<u64>,
    /// What it says.
    pub what: Outgoing,
}

impl Change {
    /// To `saved`, with nothing to tell about it.
    pub fn to(saved: Saved, at_ms: u64) -> Change {
        Change { saved, revision: None, rollout: None, events: Vec::new(), judged: None, at_ms }
    }
}
