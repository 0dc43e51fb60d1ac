//! What is so now, for whoever wants to show it.
use crate::judging::Judging;
use crate::ports::{InstanceSeen, RouterSeen};
use crate::saved::{Notes, Wish};
use crate::timers::Armed;
use serin_analysis::Checks;
use serin_rollout::{Intent, Observation, Plan, Status, WaitingOn};

/// One round's view of a service. Complete in itself: nothing in it is older than the round.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The saved status.
    pub status: Status,
    /// What people ask for.
    pub intent: Intent,
    /// What is wanted.
    pub wish: Wish,
    /// The plan that counts now.
    pub plan: Plan,
    /// The last observation.
    pub seen: Observation,
    /// What it waits for.
    pub waiting: WaitingOn,
    /// Since when it waits for that, in milliseconds since the Unix epoch.
    pub waiting_since_ms: u64,
    /// Why the last round did not end, in a sentence: a full disk, a platform that does not answer.
    pub trouble: Option<String>,
    /// The analysis so far.
    pub judging: Option<Judging>,
    /// The timers that run.
    pub timers: Vec<Armed>,
    /// The checks that count now.
    pub checks: Option<Checks>,
    /// What keeps instances from being started, in sentences.
    pub troubles: Vec<String>,
    /// Every instance.
    pub instances: Vec<InstanceSeen>,
    /// The router.
    pub router: RouterSeen,
    /// The hashes of the revisions in the slots.
    pub hashes: [Option<String>; 2],
    /// Who parked, paused or gave up, and why.
    pub notes: Notes,
}
