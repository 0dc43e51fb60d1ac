//! Mistakes that nobody reported and that one could make in this very core.
use super::Mutant;
use crate::configs::Flow;
use crate::env::Env;
use crate::foreign::ours;
use crate::invariants::Rule;
use crate::quiet::Mode;
use crate::subject::Subject;

/// All of them.
pub(super) fn list() -> Vec<Mutant> {
    let w = Flow::Weights;
    let blind = Subject {
        permit: Some(ours::blind::permits),
        ..Subject::twisted("lease-expires-while-retiring", ours::blind::decide)
    };
    vec![
        Mutant::sticks(
            Subject::twisted("never-promotes", ours::never_promotes),
            Mode::Pass,
            "Safe because nothing happens: the last step is never accepted.",
        )
        .in_world(w, 1, Env::CALM),
        Mutant::sticks(
            Subject::twisted("always-halts", ours::always_halts),
            Mode::Pass,
            "Safe because nothing happens: the rollout waits for a person where it should be promoted.",
        )
        .in_world(w, 1, Env::CALM),
        Mutant::breaks(
            blind,
            Rule::Destruction,
            "The controller falls silent while it retires a set; the data plane returns to that set by itself, as its fallback says.",
        )
        .in_world(w, 1, Env { down: true, late: true, ..Env::CALM }),
    ]
}
