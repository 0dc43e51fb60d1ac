//! Argo Rollouts' reports about judging, commands and deadlines: our own core with the one mistake around it.
use super::sound_on;
use serin_rollout::{Decision, Observation, Phase, Plan, Status, Verdict, Write};

/// The last weight is taken for applied when it was accepted.
pub fn weight_not_verified(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let in_step = matches!(status.phase, Phase::Step(_));
    sound_on(plan, status, seen, |seen| {
        seen.route.acked |= in_step;
        if in_step {
            seen.route.in_force.clear();
        }
    })
}

/// A failed analysis does not stop the release.
pub fn failure_ignored(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    sound_on(plan, status, seen, |seen| seen.verdict = seen.verdict.filter(|(_, verdict)| *verdict != Verdict::Fail))
}

/// Once a person asked for the full promotion, an abort is not looked at.
pub fn abort_ignored(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let forced = matches!(status.phase, Phase::Step(at) if at.forced);
    sound_on(plan, status, seen, |seen| seen.intent.abort = seen.intent.abort.filter(|_| !forced))
}

/// Whatever is approved is approved now: the second click, or the one that came late, is for the next step.
pub fn late_click_counts(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    sound_on(plan, status, seen, |seen| seen.intent.approved = seen.intent.approved.and(status.key()))
}

/// The time that open requests have was written empty, and empty is over.
pub fn empty_deadline(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    sound_on(plan, status, seen, |seen| seen.due.drain = true)
}

/// Somebody applies the file from the repository, whose number of instances others may change: nothing of the stable
/// set is held on to.
pub fn number_from_the_repository(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let good = status.good;
    let decision = sound_on(plan, status, seen, |seen| seen.set[good].pinned |= seen.set[good].desired > 0);
    match decision {
        Decision::Ask(Write::Resize { slot, to, rev, .. }) if slot == good => {
            Decision::Ask(Write::Resize { slot, to, rev, pin: false })
        }
        Decision::Ask(_) | Decision::Save(..) | Decision::Wait(_) => decision,
    }
}
