//! What other tools do, as first keys over the same world. They were written from descriptions of the incidents; the
//! names are those of the reports.
//!
//! Two forms. Where a tool writes in an order of its own, it is a whole first key: slot A is the primary, the stable set
//! or the old machines, slot B the canary or the new ones. A tool's versions share one function with a switch for each
//! hole; with every hole closed it breaks no rule in the world in which the holes are found. Where a report tells of an
//! algorithm like ours with one thing wrong, it is the sound core with that one thing put around it.
use serin_rollout::{
    Armed, Decision, InStep, Last, Leg, Observation, Outcome, Phase, Plan, Rev, Route, Split, Status, Verdict,
    WaitingOn, Why, Write,
};

pub mod argo;
pub mod argo_judged;
pub mod banno;
pub mod dokku;
pub mod flagger;
pub mod flagger_judged;
pub mod fly;
pub mod kamal;
pub mod nomad;
pub mod ours;
pub mod singularity;

const WAIT: Decision = Decision::Wait(WaitingOn::Nothing);

fn route_to(slot: usize, plan: &Plan) -> Route {
    Route::plain(Split::all(slot, plan.limits.replicas))
}

fn save(status: &Status, phase: Phase) -> Decision {
    Decision::Save(Status { phase, ..*status }, vec![])
}

/// Saves the phase and starts the clock of a fixed delay.
fn save_with_delay(status: &Status, phase: Phase) -> Decision {
    let armed = Armed { drain: true, ..status.armed };
    Decision::Save(Status { phase, armed, ..*status }, vec![])
}

fn size(slot: usize, to: u16, rev: Rev) -> Decision {
    Decision::Ask(Write::Resize { slot, to, rev, pin: to > 0 })
}

fn ask_route(route: Route) -> Decision {
    Decision::Ask(Write::Route(route))
}

const fn settling(leg: Leg, step: u16) -> Phase {
    Phase::Settling { leg, step, attempt: 0 }
}

const fn back(why: Why) -> Phase {
    Phase::Back { why, keep: false }
}

/// The end of a release that came back to A, or whose revision was copied there.
fn ended(status: &Status, rev: Rev, outcome: Outcome) -> Decision {
    let last = Some(Last { rev, outcome, why: None });
    let mut next = Status { phase: Phase::Idle, armed: Armed::NONE, last, ..*status };
    if outcome == Outcome::Succeeded {
        next.rev[0] = Some(rev);
    }
    next.rev[1] = None;
    Decision::Save(next, vec![])
}

/// The end of a release after which B is the stable set.
fn swapped(status: &Status, rev: Rev) -> Decision {
    let last = Some(Last { rev, outcome: Outcome::Succeeded, why: None });
    let armed = Armed::NONE;
    Decision::Save(Status { phase: Phase::Idle, armed, last, good: 1, proven: [true; 2], ..*status }, vec![])
}

fn begins(status: &Status, seen: &Observation) -> Option<Decision> {
    let wanted = seen.intent.wanted;
    let handled = status.rev.contains(&Some(wanted)) || status.last.is_some_and(|last| last.rev == wanted);
    if handled || status.good != 0 || !seen.set[1].is_empty() {
        return None;
    }
    let mut next = Status { phase: Phase::Step(InStep::begin(0, 0)), ..*status };
    next.rev[1] = Some(wanted);
    next.armed.healthy = true;
    Some(Decision::Save(next, vec![]))
}

fn verdict(seen: &Observation) -> Option<Verdict> {
    seen.verdict.map(|(_, verdict)| verdict)
}

fn aborts(status: &Status, seen: &Observation) -> bool {
    seen.intent.abort == Some(status.rollout)
}

fn outcome(why: Why) -> Outcome {
    match why {
        Why::Verdict | Why::Deadline | Why::Unready | Why::Drift => Outcome::Failed,
        Why::Aborted | Why::Superseded | Why::RolledBack => Outcome::Aborted,
    }
}

/// The sound first key on an observation that was changed on the way.
fn sound_on(plan: &Plan, status: &Status, seen: &Observation, change: impl FnOnce(&mut Observation)) -> Decision {
    let mut changed = seen.clone();
    change(&mut changed);
    serin_rollout::decide(plan, status, &changed)
}
