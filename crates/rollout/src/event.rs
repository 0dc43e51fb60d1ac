//! What happened. Events exist only together with a saved status; they are the outbox of logs, webhooks and streams.
use crate::split::{Bp, Slot};
use crate::status::{Outcome, Rev, StepKey, Why};
use serde::{Deserialize, Serialize};

/// One fact of a release, saved in the same transaction as the status that it led to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The first revision of the service serves with all its instances.
    Serving(Rev),
    /// A first revision that never served was replaced by another one.
    Replaced(Rev),
    /// A rollout began.
    Started(Rev),
    /// A step's target was reached: the canary has this share, in force in every data plane.
    Reached(StepKey, Bp),
    /// A step was accepted.
    Accepted(StepKey),
    /// A person chose the canary's share.
    Overridden(StepKey, Bp),
    /// A person asked to go on without this step's acceptance, with `true` without any.
    Skipped(StepKey, bool),
    /// The canary could not carry its share; its step is attempted anew.
    Lost(StepKey),
    /// The new revision is the good one.
    Promoted(Rev),
    /// The old set is no longer kept warm.
    WindowClosed,
    /// The good revision is written to the set where the service rests.
    Copying(Rev),
    /// The good revision is whole where the service rests; the traffic follows.
    Copied(Rev),
    /// The copy was not healthy in time. It is tried on; what serves goes on serving.
    CopyFailed(Rev),
    /// The rollout goes back.
    GoingBack(Why),
    /// The good slot cannot serve; what serves goes on serving.
    Halted(Slot),
    /// This slot is whole again, or no longer needed.
    Recovered(Slot),
    /// The slot that serves was made the good one, because the other one does not and another revision is wanted.
    Adopted(Slot),
    /// A person left the canary live.
    Parked(Bp),
    /// A person resumed a parked rollout.
    Resumed(StepKey),
    /// The rollout is over.
    Ended(Outcome, Option<Why>),
}

impl Event {
    /// How the rollout ended and what made it go back, where this event says so.
    #[must_use]
    pub fn ended(self) -> Option<(Outcome, Option<Why>)> {
        if let Self::Ended(outcome, why) = self { Some((outcome, why)) } else { None }
    }
}
