//! Flagger's reports about judging: our own core with the one mistake around it.
use super::{ask_route, route_to, save, sound_on};
use serin_rollout::{Decision, InStep, Interrupted, Observation, Phase, Plan, Status, Verdict, WaitingOn, Why, decide};

/// The core, on an observation in which `from` was taken for `to`.
fn mistakes(plan: &Plan, status: &Status, seen: &Observation, from: Verdict, to: Verdict) -> Decision {
    sound_on(plan, status, seen, |seen| {
        if let Some((_, verdict)) = seen.verdict.as_mut()
            && *verdict == from
        {
            *verdict = to;
        }
    })
}

/// No traffic reached the canary, the query gave no number, and no number was read as a good one.
pub fn no_number_is_a_pass(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    mistakes(plan, status, seen, Verdict::Inconclusive, Verdict::Pass)
}

/// The metrics could not be asked, and a check that did not fail was counted as one that passed.
pub fn no_answer_is_a_pass(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    mistakes(plan, status, seen, Verdict::Error, Verdict::Pass)
}

/// A newer revision takes the place of the one under analysis, and the analysis goes on where it was.
pub fn analysis_resumes(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let side = serin_rollout::other(status.good);
    if let Phase::Step(_) = status.phase
        && status.rev[side] != Some(seen.intent.wanted)
    {
        let mut next = *status;
        next.rev[side] = Some(seen.intent.wanted);
        return Decision::Save(next, vec![]);
    }
    sound_on(plan, status, seen, |seen| {
        if seen.set[side].rev.is_some() && matches!(status.phase, Phase::Step(_)) {
            seen.set[side].rev = status.rev[side]; // it takes its own word for what runs
        }
    })
}

/// A gate that cannot be called stops the release, and nobody calls it again.
pub fn gate_is_not_called_again(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    if let Phase::Halted { .. } = status.phase {
        return Decision::Wait(WaitingOn::Good(Why::Unready));
    }
    match (status.phase, seen.verdict) {
        (Phase::Step(InStep { step, attempt, reached: true, .. }), Some((_, Verdict::Error))) => {
            save(status, Phase::Halted { from: Interrupted::Step { step, attempt } })
        }
        (_, Some(_) | None) => decide(plan, status, seen),
    }
}

/// Somebody edits the release while it is under way: the route is written anew, without the canary, and the analysis
/// goes on as if the canary had its share.
pub fn analysis_without_traffic(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let Phase::Step(InStep { step, reached: true, .. }) = status.phase else {
        return decide(plan, status, seen);
    };
    let home = route_to(status.good, plan);
    if seen.intent.weight.is_some() && seen.route.accepted != home {
        return ask_route(home);
    }
    let target = plan.steps.get(usize::from(step)).map(|step| step.target.for_good(status.good));
    sound_on(plan, status, seen, |seen| {
        seen.intent.weight = None;
        if let Some(target) = target
            && seen.route.accepted == home
        {
            seen.route.accepted = target.route;
        }
    })
}
