//! Why nothing is being done, as a type.
use crate::observation::WriteError;
use crate::split::Slot;
use crate::status::{StepKey, Why};
use serde::{Deserialize, Serialize};

/// The one thing that a release waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingOn {
    /// At rest: another revision.
    Nothing,
    /// Instances of this slot to become ready, or healthy for long enough.
    Ready(Slot),
    /// The data planes to confirm the route.
    Acknowledged,
    /// Instances of this slot to finish their requests or to be gone.
    Drained(Slot),
    /// The analysis of this step.
    Verdict(StepKey),
    /// A person's approval of this step.
    Approval(StepKey),
    /// The end of this step's timed hold.
    Bake,
    /// The end of the rollback window.
    Window,
    /// A person to resume the rollout.
    Paused,
    /// A person to resume or retire the parked canary.
    Parked,
    /// The good slot to become whole, a person, or another revision.
    Good(Why),
    /// The copy of the good revision in this slot to become healthy, or another revision.
    Copy(Slot),
    /// Somebody to undo a change from outside: this slot runs another revision than was written.
    Drift(Slot),
    /// The platform, which did not take the last write.
    Platform(WriteError),
}
