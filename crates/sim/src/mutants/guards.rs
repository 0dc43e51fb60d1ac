//! The first key with each of its guards taken away.
use super::Mutant;
use crate::configs::Flow;
use crate::env::Env;
use crate::invariants::Rule;
use crate::quiet::Mode;
use crate::subject::Subject;
use serin_rollout::Guards;

macro_rules! guard_off {
    ($($(#[$doc:meta])* $name:ident: $guard:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;
        impl Guards for $name {
            const $guard: bool = false;
        }
    )*};
}
pub(super) use guard_off;

guard_off! {
    /// Writes of a dead incarnation are not fenced.
    NoClaim: CLAIM;
    /// A route is taken for in force when it was accepted.
    NoAck: ACK;
    /// A view older than the own last write is believed.
    NoFresh: FRESH;
    /// Others may lower what carries or will carry traffic.
    NoPin: PIN;
    /// Traffic goes forwards to what is not ready.
    NoReadyForward: READY_FORWARD;
    /// Traffic goes back to what is not ready.
    NoReadyBack: READY_BACK;
    /// A set is retired although nothing else is whole.
    NoSurvivor: SURVIVOR;
    /// The fallback to a set stays while the set is retired.
    NoCleanRoute: CLEAN_ROUTE;
    /// Open requests are not waited for.
    NoDrain: DRAIN;
    /// No failure is a pass.
    NoVerdict: VERDICT;
    /// Old verdicts and commands count.
    NoKeyed: KEYED;
    /// A failure after the commit is ignored.
    NoFailAnywhere: FAIL_ANYWHERE;
    /// A newer revision does not end the older one's rollout.
    NoSupersede: SUPERSEDE;
    /// A dead new set does not lead back to the warm old one.
    NoFlipBack: FLIP_BACK;
    /// Traffic stays on what does not serve.
    NoRescue: RESCUE;
    /// An unproven revision may get more than its step allows.
    NoCap: CAP;
    /// A set that exists is given another revision.
    NoImmutable: IMMUTABLE;
    /// Writes go out without a fresh read.
    NoPermit: PERMIT;
}

/// The first key alone, on views that are never old, with failures and late data planes: what the guards of the first
/// key are for when nobody stands behind it.
const ALONE: Env = Env { down: true, late: true, lower: true, busy: true, ..Env::CALM };

fn alone<G: Guards>(name: &'static str) -> Subject {
    Subject::with::<G>(name).alone()
}

/// Each guard and the smallest world in which it is missed.
pub(super) fn list() -> Vec<Mutant> {
    let mut list = capacity();
    list.extend(writes());
    list.extend(judgement());
    list
}

fn capacity() -> Vec<Mutant> {
    let w = Flow::Weights;
    let deaths = Env { crash: true, zombie: true, down: true, late: true, ..Env::CALM };
    let old_views = Env { stale: true, lenient: true, ..ALONE };
    vec![
        Mutant::breaks(
            Subject::with::<NoClaim>("no claim"),
            Rule::Destruction,
            "A controller that lost its lease, or died, or was started twice still has a write under way. Its successor does not fence the objects first, and the late write lands between its own.",
        )
        .also("argo-2117", 42)
        .also("flyctl-1728", 43)
        .in_world(w, 1, deaths),
        Mutant::breaks(
            alone::<NoAck>("no acknowledgement"),
            Rule::Acceptance,
            "A route counts as in force when it was accepted.",
        )
            .in_world(w, 1, ALONE),
        Mutant::breaks(
            alone::<NoFresh>("no read-your-writes"),
            Rule::RouteWrite,
            "A cache that is older than the own last write is believed.",
        )
        .in_world(Flow::Kept, 1, old_views),
        Mutant::breaks(alone::<NoPin>("no pin"), Rule::Pinned, "Others may lower what carries or will carry traffic.")
            .in_world(w, 1, ALONE),
        Mutant::breaks(
            alone::<NoReadyForward>("no readiness forwards"),
            Rule::RouteWrite,
            "Traffic goes forwards to what is not ready.",
        )
        .in_world(w, 1, ALONE),
        Mutant::breaks(
            alone::<NoReadyBack>("no readiness back"),
            Rule::RouteWrite,
            "Traffic goes back to what is not ready.",
        )
        .in_world(w, 1, ALONE),
        Mutant::breaks(
            alone::<NoSurvivor>("no survivor"),
            Rule::Destruction,
            "A set is retired although nothing else is whole.",
        )
        .in_world(w, 1, ALONE),
        Mutant::sticks(
            alone::<NoCleanRoute>("no clean route"),
            Mode::Pass,
            "The old set is retired without taking it out of the route first. As the route's fallback it is in force, so it must never go, and the release never ends.",
        )
        .in_world(w, 1, ALONE),
        Mutant::breaks(
            alone::<NoDrain>("no drain"),
            Rule::Drain,
            "An instance is stopped as soon as no new request reaches it. Those that are open, and every long connection, die with it.",
        )
        .also("argo-3761", 49)
        .also("flagger-256", 49)
        .in_world(w, 1, ALONE),
    ]
}

fn writes() -> Vec<Mutant> {
    let w = Flow::Weights;
    let drift = Env { drift: true, ..ALONE };
    vec![
        Mutant::breaks(
            alone::<NoImmutable>("sets are rewritten"),
            Rule::Identity,
            "A set that exists is given another revision.",
        )
        .in_world(w, 1, drift),
        Mutant::breaks(
            Subject::with::<NoPermit>("no second key"),
            Rule::RouteWrite,
            "Writes go out on what was seen some time ago.",
        )
        .in_world(w, 1, Env { stale: true, ..ALONE }),
    ]
}

fn judgement() -> Vec<Mutant> {
    let w = Flow::Weights;
    let three = Env { revisions: 3, ..ALONE };
    let stale_verdicts = Env { stale_verdicts: true, ..Env::CALM };
    vec![
        Mutant::breaks(
            Subject::with::<NoVerdict>("no verdict is a pass"),
            Rule::Acceptance,
            "Whatever is not a failure is a pass.",
        )
        .in_world(w, 1, Env::CALM),
        Mutant::breaks(
            Subject::with::<NoKeyed>("old verdicts count"),
            Rule::Acceptance,
            "A verdict about an attempt that is over counts for the present one.",
        )
        .in_world(w, 1, stale_verdicts),
        Mutant::sticks(
            Subject::with::<NoFailAnywhere>("failure after the commit ignored"),
            Mode::Fail,
            "A failure is only looked at during the analysis, not while the old set is still warm.",
        )
        .in_world(w, 1, Env::CALM),
        Mutant::breaks(
            Subject::with::<NoSupersede>("not superseded"),
            Rule::Acceptance,
            "A revision that nobody wants any more is promoted.",
        )
        .in_world(w, 1, three),
        Mutant::sticks(
            Subject::with::<NoFlipBack>("no way back in the window"),
            Mode::NeverReady,
            "The new set dies while the old one is still there, and the traffic stays.",
        )
        .in_world(w, 1, ALONE),
        Mutant::sticks(Subject::with::<NoRescue>("no rescue"), Mode::Frozen, "Traffic stays on what does not serve.")
            .in_world(w, 2, ALONE),
        Mutant::breaks(
            Subject::with::<NoCap>("no cap"),
            Rule::Share,
            "To relieve a weak stable set, the canary gets more than its step allows.",
        )
        .in_world(w, 2, ALONE),
    ]
}
