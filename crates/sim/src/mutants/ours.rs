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
        Mutant::breaks(
            Subject::twisted("copies-too-early", ours::copies_too_early).alone(),
            Rule::Identity,
            "The way home begins: the route without the old set is accepted, and the old set is rewritten while some data plane still sends to it.",
        )
        .in_world(Flow::Home, 1, Env { late: true, ..Env::CALM }),
        Mutant::breaks(
            Subject::twisted("copy-judged-by-the-old-pods", ours::believes_the_old_report).alone(),
            Rule::WayBack,
            "The old set was whole when it was rewritten. That report is believed of the copy, and what has not started yet becomes the way back.",
        )
        .in_world(Flow::Home, 1, Env::CALM),
        Mutant::breaks(
            Subject::twisted("rolls-back-onto-the-copy", ours::returns_to_the_copy),
            Rule::WayBack,
            "The copy is not ready in time. Home is where the good set has always been, so the release goes back to it: to the copy that is not ready.",
        )
        .in_world(Flow::Home, 1, Env::CALM),
    ]
}
