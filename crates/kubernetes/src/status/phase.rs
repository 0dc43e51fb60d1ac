//! Flagger's phase of a release, from ours.
//!
//! | Serin | and | Flagger |
//! |---|---|---|
//! | nothing saved, or Idle before the first rollout | the first revision never served | Initializing |
//! | Idle before the first rollout | it serves | Initialized |
//! | Idle | the last rollout succeeded | Succeeded |
//! | Idle | it failed, or a person gave it up | Failed |
//! | Idle | it gave way to another revision | Progressing |
//! | Idle | another revision was seen than was promoted | Progressing |
//! | Idle, another revision was seen | `confirm-rollout` does not agree | Waiting |
//! | Step | `confirm-promotion` does not agree | WaitingPromotion |
//! | Step | anything else, at 100 % too | Progressing |
//! | Settling | the window, or the copy home and the way there | Promoting |
//! | Settling | the canary is drained and stopped | Finalising |
//! | Back | another revision is wanted | Progressing |
//! | Back | anything else; the outcome is certain | Failed |
//! | Halted | in a step | Progressing, condition `Halted` |
//! | Halted | on the way back, or at the copy home | Failed, condition `Halted` |
//! | Parked | | WaitingPromotion |
//! | anything | the object is being deleted | Terminating |
//!
//! A copy home that fails is `Failed`, as in Flagger since it stopped rolling back to a broken primary; the canary's
//! weight is then 100. It goes back to `Promoting` by itself as soon as the copy becomes healthy.
use super::Seen;
use crate::wanted::Moment;
use serde::{Deserialize, Serialize};
use serin_rollout::{Interrupted, Leg, Outcome, Phase as Core, Status, Why};

/// Where a release stands, in Flagger's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Nothing was ever promoted, and nothing serves yet.
    #[default]
    Initializing,
    /// The first revision serves.
    Initialized,
    /// A new revision waits for an approval.
    Waiting,
    /// A canary is on its way.
    Progressing,
    /// A canary waits for the approval of its promotion.
    WaitingPromotion,
    /// The new revision is copied home.
    Promoting,
    /// The canary is drained and stopped.
    Finalising,
    /// The new revision serves.
    Succeeded,
    /// It does not.
    Failed,
    /// The object is being deleted.
    Terminating,
    /// The object was deleted. Flagger has the word, and never writes it.
    Terminated,
}

impl Phase {
    /// All of them.
    pub const ALL: [Phase; 11] = [
        Phase::Initializing,
        Phase::Initialized,
        Phase::Waiting,
        Phase::Progressing,
        Phase::WaitingPromotion,
        Phase::Promoting,
        Phase::Finalising,
        Phase::Succeeded,
        Phase::Failed,
        Phase::Terminating,
        Phase::Terminated,
    ];

    /// The word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Initializing => "Initializing",
            Self::Initialized => "Initialized",
            Self::Waiting => "Waiting",
            Self::Progressing => "Progressing",
            Self::WaitingPromotion => "WaitingPromotion",
            Self::Promoting => "Promoting",
            Self::Finalising => "Finalising",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Terminating => "Terminating",
            Self::Terminated => "Terminated",
        }
    }
}

/// The phase of what was seen.
#[must_use]
pub fn phase(seen: &Seen<'_>) -> Phase {
    if seen.deleting {
        return Phase::Terminating;
    }
    let Some(status) = seen.status else { return Phase::Initializing };
    match status.phase {
        Core::Idle if seen.gate == Some(Moment::ConfirmRollout) => Phase::Waiting,
        Core::Idle => at_rest(status, seen.applied != seen.promoted),
        Core::Step(_) if seen.gate == Some(Moment::ConfirmPromotion) => Phase::WaitingPromotion,
        Core::Step(_) | Core::Halted { from: Interrupted::Step { .. } } => Phase::Progressing,
        Core::Settling { leg: Leg::Window | Leg::Home, .. } => Phase::Promoting,
        Core::Settling { leg: Leg::Retire, .. } => Phase::Finalising,
        Core::Back { why: Why::Superseded, .. } => Phase::Progressing,
        Core::Back { .. } | Core::Halted { from: Interrupted::Back { .. } | Interrupted::Home { .. } } => Phase::Failed,
        Core::Parked { .. } => Phase::WaitingPromotion,
    }
}

/// A revision that was only `seen` is about to be rolled out: nobody shall take the end of the rollout before it for its
/// end. Of one that failed it cannot be said, as that one was seen and not promoted either.
fn at_rest(status: &Status, seen: bool) -> Phase {
    match status.last {
        Some(last) => match (last.outcome, last.why) {
            (Outcome::Succeeded, _) if seen => Phase::Progressing,
            (Outcome::Succeeded, _) => Phase::Succeeded,
            (Outcome::Aborted, Some(Why::Superseded)) => Phase::Progressing,
            (Outcome::Failed | Outcome::Aborted, _) => Phase::Failed,
        },
        None if !status.proven[status.good] => Phase::Initializing,
        None if seen => Phase::Progressing,
        None => Phase::Initialized,
    }
}
