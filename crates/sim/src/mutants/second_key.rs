//! The second key with each of its rules taken away, asked by somebody who writes whatever it allows.
use super::Mutant;
use super::guards::guard_off;
use crate::configs::Flow;
use crate::env::Env;
use crate::foreign::ours;
use crate::invariants::Rule;
use crate::subject::Subject;
use serin_rollout::{Guards, Sound};

guard_off! {
    /// The second key counts instances that are being stopped.
    NoSurplus: SURPLUS;
    /// Traffic may go to sets that others lower.
    NoKeyPinned: KEY_PINNED;
    /// Traffic may go to what does not carry it.
    NoKeyCapacity: KEY_CAPACITY;
    /// A set that exists may get another revision.
    NoKeyOccupied: KEY_OCCUPIED;
    /// What some data plane still uses may go.
    NoKeyAcked: KEY_ACKED;
    /// What gets requests may go.
    NoKeyRouted: KEY_ROUTED;
    /// What has open requests may go.
    NoKeyBusy: KEY_BUSY;
    /// What a split in force needs may go.
    NoKeyNeeded: KEY_NEEDED;
    /// The last healthy copies may go.
    NoKeyFloor: KEY_FLOOR;
    /// A set may be rewritten while the other one is not whole.
    NoKeyWhole: KEY_WHOLE;
}

/// Anybody writes what the second key allows; nothing else goes wrong but what a rule needs to be missed.
const ANYBODY: Env = Env { anybody: true, revisions: 1, generations: 1, people: &[], ..Env::CALM };

fn weak<G: Guards>(name: &'static str, rule: Rule, told: &'static str) -> Mutant {
    Mutant::breaks(Subject::with::<G>(name), rule, told).in_world(Flow::Direct, 1, ANYBODY)
}

/// Each rule and the smallest world in which it is missed.
pub(super) fn list() -> Vec<Mutant> {
    let d = Flow::Direct;
    let by_readiness =
        Subject { permit: Some(ours::permit_by_readiness), ..Subject::with::<Sound>("permit-by-readiness") };
    vec![
        weak::<NoSurplus>("second key: counts the surplus", Rule::Destruction, "Instances that are being stopped count.")
            .in_world(d, 2, Env { down: true, ..ANYBODY }),
        weak::<NoKeyPinned>(
            "second key: unpinned",
            Rule::Pinned,
            "Traffic may go to a set that an autoscaler lowers.",
        ),
        weak::<NoKeyCapacity>("second key: capacity", Rule::RouteWrite, "Traffic may go to a set that is not ready."),
        weak::<NoKeyOccupied>("second key: occupied", Rule::Identity, "A set that exists may get another revision."),
        Mutant {
            closed: Some(Subject { permit: Some(ours::unlisted::<Sound>), ..Subject::SOUND }),
            ..Mutant::breaks(
                Subject { permit: Some(ours::unlisted::<NoKeyAcked>), ..Subject::with::<Sound>("second key: acknowledged") },
                Rule::Destruction,
                "A set may go while some data plane still sends to it. A router that lists the splits in force would betray it; this one can only say whether the last one is confirmed.",
            )
            .in_world(d, 1, Env { late: true, ..ANYBODY })
        },
        weak::<NoKeyRouted>("second key: routed", Rule::Identity, "Instances that get requests may be rewritten or stopped."),
        weak::<NoKeyBusy>("second key: busy", Rule::Drain, "Instances with open requests may be stopped.")
            .in_world(d, 1, Env { busy: true, ..ANYBODY }),
        weak::<NoKeyNeeded>(
            "second key: needed",
            Rule::Destruction,
            "What a split in force needs may be stopped.",
        )
        .in_world(d, 2, Env { down: true, ..ANYBODY }),
        weak::<NoKeyFloor>("second key: floor", Rule::Destruction, "The last healthy instances may be stopped.")
            .in_world(d, 1, Env { down: true, ..ANYBODY }),
        weak::<NoKeyWhole>(
            "second key: whole",
            Rule::Destruction,
            "A set may be rewritten while the other one is not whole.",
        )
        .in_world(d, 1, Env { down: true, ..ANYBODY }),
        Mutant::breaks(
            by_readiness,
            Rule::Pinned,
            "A second key that counts what is ready now: instances that are being stopped, and sets that others may shrink.",
        )
        .in_world(d, 1, Env { late: true, down: true, ..ANYBODY }),
    ]
}
