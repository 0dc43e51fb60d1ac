//! Nomad: old allocations are replaced by new ones, and a deployment is a thing that can fail and be promoted.
use super::{WAIT, ask_route, begins, outcome, save, size, sound_on, swapped};
use serin_rollout::{Decision, InStep, Observation, Phase, Plan, Rev, Route, Split, Status, Why, decide, other};

/// One in, one out, by membership. `counts_failed`: an allocation that failed counts as placed.
fn replaces(plan: &Plan, status: &Status, seen: &Observation, counts_failed: bool) -> Decision {
    let n = plan.limits.replicas;
    let (Phase::Step(_), Some(rev)) = (status.phase, status.rev[1]) else {
        return match status.phase {
            Phase::Idle => begins(status, seen).unwrap_or(WAIT),
            Phase::Back { why, .. } => super::ended(status, Rev(0), outcome(why)),
            Phase::Step(_) | Phase::Settling { .. } | Phase::Halted { .. } | Phase::Parked { .. } => WAIT,
        };
    };
    let (old, new) = (&seen.set[0], &seen.set[1]);
    let placed = new.ready >= new.desired || (counts_failed && seen.due.healthy);
    let members = Split::Members([old.desired, new.desired.min(new.ready)]);
    if new.desired + old.desired <= n && new.desired < n {
        return size(1, new.desired + 1, rev);
    }
    if !placed {
        return WAIT;
    }
    if new.ready >= new.desired && seen.route.accepted != Route::plain(members) && old.desired + new.desired > n {
        let left = Split::Members([old.desired.saturating_sub(1), new.desired]);
        if seen.route.accepted != Route::plain(left) {
            return ask_route(Route::plain(left));
        }
    }
    match old.rev {
        Some(old_rev) if old.desired > 0 && (seen.route.acked || counts_failed) => size(0, old.desired - 1, old_rev),
        Some(_) if old.desired > 0 => WAIT,
        Some(_) | None => swapped(status, rev),
    }
}

/// Every hole closed: what breaks no rule where nothing fails.
pub fn careful(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    replaces(plan, status, seen, false)
}

/// The new allocation failed, and the old one whose place it takes is stopped all the same.
pub fn failed_is_placed(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    replaces(plan, status, seen, true)
}

/// An old allocation that is lost during the canary is replaced by one of the new version.
pub fn replaced_by_the_new(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let good = &seen.set[status.good];
    let new = status.rev[other(status.good)];
    let judged = seen.route.reaches(other(status.good));
    match (status.phase, new) {
        (Phase::Step(_), Some(rev)) if good.ready < good.desired && good.rev != Some(rev) && judged => {
            size(status.good, good.desired, rev)
        }
        (_, Some(_) | None) => decide(plan, status, seen),
    }
}

/// The revert is a release like any other: it waits for a promotion, and what failed stays.
pub fn revert_is_a_canary(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let waits = matches!(status.phase, Phase::Parked { .. });
    let decision = sound_on(plan, status, seen, |seen| seen.verdict = seen.verdict.filter(|_| !waits));
    match (&decision, status.phase) {
        (Decision::Save(next, _), Phase::Step(InStep { step, attempt, .. }))
            if matches!(next.phase, Phase::Back { why: Why::Verdict, .. })
                && seen.route.reaches(other(status.good)) =>
        {
            save(status, Phase::Parked { split: seen.route.accepted.split, step, attempt })
        }
        (Decision::Save(..) | Decision::Ask(_) | Decision::Wait(_), _) => decision,
    }
}

/// Promotion registers the instances anew, and every check begins as failing: for a moment nobody is routed.
pub fn promotion_registers_anew(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    match decide(plan, status, seen) {
        Decision::Save(next, _) if next.good != status.good && seen.route.accepted != Route::NOWHERE => {
            ask_route(Route::NOWHERE)
        }
        decision @ (Decision::Save(..) | Decision::Ask(_) | Decision::Wait(_)) => decision,
    }
}

/// A node with the canary is drained; the deployment counts a canary that is gone and never asks for another one.
pub fn lost_canary(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let decision = decide(plan, status, seen);
    match (&decision, status.phase) {
        (Decision::Save(next, _), Phase::Step(at)) if matches!(next.phase, Phase::Step(to) if to.lost > at.lost) => {
            let split = seen.route.accepted.split;
            save(status, Phase::Parked { split, step: at.step, attempt: at.attempt })
        }
        (Decision::Save(..) | Decision::Ask(_) | Decision::Wait(_), _) => decision,
    }
}
