//! I4 and I5 for saves: what a release may go on from, and which revision may become the one to go back to.
use crate::invariants::Rule;
use crate::state::View;
use serin_rollout::{FULL, InStep, Interrupted, Leg, Observation, Phase, Plan, Split, Status, Verdict, other};

/// The rule that the change from `a` to `b` breaks, judged on what the decision saw.
pub fn judge(plan: &Plan, a: &Status, b: &Status, seen: &Observation) -> Option<Rule> {
    if !advance(plan, a, b, seen) {
        return Some(Rule::Acceptance);
    }
    if !way_back(plan, a, b, seen) { Some(Rule::WayBack) } else { None }
}

/// I4: see [`Rule::Acceptance`].
fn advance(plan: &Plan, a: &Status, b: &Status, seen: &Observation) -> bool {
    let settled = matches!(a.phase, Phase::Settling { .. }); // what was promoted already
    let commits = matches!(b.phase, Phase::Settling { .. }) && a.good != b.good && !settled;
    let halted = matches!(a.phase, Phase::Halted { .. }); // a person makes good what serves
    if commits && !halted && a.rev[b.good] != Some(seen.intent.wanted) {
        return false; // what nobody wants any more is not promoted
    }
    let promote = seen.intent.promote.filter(|(key, _)| a.key() == Some(*key));
    match (a.phase, b.phase) {
        (Phase::Step(from), Phase::Step(to)) => {
            to.step <= from.step || promote.is_some() || accepted(plan, a, from, seen)
        }
        (Phase::Step(from), Phase::Settling { .. }) => {
            let everything = seen.route.accepted.split.share(other(a.good)) == FULL;
            usize::from(from.step) + 1 == plan.steps.len() && everything && accepted(plan, a, from, seen)
        }
        (Phase::Halted { from: Interrupted::Home { .. } }, Phase::Settling { leg: Leg::Home | Leg::Retire, .. }) => {
            a.good == b.good // it was promoted before the copy was made
        }
        (Phase::Halted { .. }, Phase::Settling { leg: Leg::Retire | Leg::Home, .. }) => {
            promote.is_some_and(|(_, rest)| rest)
        }
        (Phase::Idle, Phase::Settling { leg: Leg::Home, .. }) => a.good == b.good,
        (Phase::Halted { from: Interrupted::Step { step, .. } }, Phase::Step(to)) => to.step <= step,
        (Phase::Parked { step, .. }, Phase::Step(to)) => to.step <= step,
        (Phase::Idle, Phase::Step(to)) => to.step == 0,
        (Phase::Settling { .. }, Phase::Settling { .. }) => true,
        (_, Phase::Step(_) | Phase::Settling { .. }) => false,
        (_, Phase::Idle | Phase::Back { .. } | Phase::Halted { .. } | Phase::Parked { .. }) => true,
    }
}

/// The split that the step asks for.
fn target(plan: &Plan, status: &Status, at: InStep) -> Option<Split> {
    let step = plan.steps.get(usize::from(at.step))?;
    let good = status.good;
    Some(match at.weight {
        None => step.target.for_good(good).route.split,
        Some(0) => Split::all(good, plan.limits.replicas),
        Some(share) => Split::share_to(other(good), share),
    })
}

fn accepted(plan: &Plan, status: &Status, at: InStep, seen: &Observation) -> bool {
    let Some(step) = plan.steps.get(usize::from(at.step)) else { return false };
    let in_force = target(plan, status, at) == Some(seen.route.accepted.split)
        && seen.route.acked
        && seen.route.in_force.is_empty();
    let key = status.key();
    let passed = seen.verdict.is_some_and(|(of, verdict)| Some(of) == key && verdict == Verdict::Pass);
    let approved = seen.intent.approved.is_some() && seen.intent.approved == key;
    let answered = (!step.accept.checks || passed)
        && (!step.accept.manual || approved)
        && (step.accept.bake_ms.is_none() || seen.due.bake);
    at.reached && in_force && (answered || at.forced) && seen.intent.pause != Some(status.rollout)
}

/// I5: see [`Rule::WayBack`].
fn way_back(plan: &Plan, a: &Status, b: &Status, seen: &Observation) -> bool {
    let whole = |k: usize| serin_rollout::usable_of(&seen.set[k]) >= plan.limits.replicas.min(plan.limits.floor.max(1));
    let alone = |k: usize| !seen.route.reaches(other(k)) && seen.route.acked;
    let committed = matches!((a.phase, b.phase), (Phase::Step(_) | Phase::Halted { .. }, Phase::Settling { .. }));
    let adopted = matches!((a.phase, b.phase), (Phase::Halted { .. }, Phase::Idle)) && b.good != a.good;
    let adopted = adopted && whole(b.good) && alone(b.good);
    let began = matches!((a.phase, b.phase), (Phase::Idle, Phase::Idle));
    let served = began && a.good == b.good && whole(b.good) && alone(b.good);
    let copied = matches!((a.phase, b.phase), (Phase::Settling { leg: Leg::Home, .. }, Phase::Settling { .. }));
    let healthy = |k: usize| seen.set[k].fresh && seen.set[k].healthy >= plan.limits.replicas && whole(k);
    let is_copy =
        |k: usize| a.proven[other(k)] && a.rev[k] == a.rev[other(k)] && seen.set[k].rev == a.rev[k] && healthy(k);
    let newly = (0..2).filter(|k| b.proven[*k] && !a.proven[*k]);
    let proofs = newly.into_iter().all(|k| {
        let mine = a.rev[k] == b.rev[k] && k == b.good;
        mine && (committed || adopted || served) || copied && a.rev == b.rev && is_copy(k)
    });
    let replaced = began && !a.proven[a.good] && !a.proven[b.good];
    proofs && (a.good == b.good || committed || adopted || replaced || a.proven[b.good])
}

/// I4 for the commit itself: the set that becomes the good one runs the revision that was analysed, as far as is seen.
pub fn promotes_what_it_says(a: &Status, b: &Status, view: &[View; 2]) -> Option<Rule> {
    let runs = b.rev[b.good].map(|rev| rev.0 as u8);
    let wrong = a.good != b.good && b.proven[b.good] && runs != Some(view[b.good].set.rev);
    wrong.then_some(Rule::Acceptance)
}
