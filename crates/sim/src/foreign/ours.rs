//! Our own core with one thing wrong that is no guard of it, and second keys that one might have written.
use super::{WAIT, route_to, save, size, sound_on};
use serin_rollout::{
    Decision, Guards, Interrupted, Leg, Limits, Observation, Phase, Plan, Refusal, Split, Status, WaitingOn, Why,
    Write, decide, other, permit_with,
};

/// Sound, but for the last step: it is never promoted.
pub fn never_promotes(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    match serin_rollout::decide(plan, status, seen) {
        Decision::Save(next, _) if matches!(next.phase, Phase::Settling { .. }) => WAIT,
        decision @ (Decision::Save(..) | Decision::Ask(_) | Decision::Wait(_)) => decision,
    }
}

/// Sound, but a rollout halts where it should be promoted, and waits for a person.
pub fn always_halts(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    if let Phase::Halted { .. } = status.phase {
        return Decision::Wait(WaitingOn::Good(Why::Unready));
    }
    match serin_rollout::decide(plan, status, seen) {
        Decision::Save(next, _) if matches!(next.phase, Phase::Settling { .. }) => {
            let from = serin_rollout::Interrupted::Step { step: 0, attempt: 0 };
            save(status, Phase::Halted { from })
        }
        decision @ (Decision::Save(..) | Decision::Ask(_) | Decision::Wait(_)) => decision,
    }
}

/// The way home with one thing wrong.
fn on_the_way_home(status: &Status) -> bool {
    matches!(status.phase, Phase::Settling { leg: Leg::Home, .. })
}

/// The old set is rewritten when the route without it was accepted.
pub fn copies_too_early(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    sound_on(plan, status, seen, |seen| {
        if on_the_way_home(status) {
            seen.route.acked = true;
            seen.route.in_force.clear();
        }
    })
}

/// A copy counts as healthy by what was reported of the set before it was rewritten.
pub fn believes_the_old_report(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let side = other(status.good);
    sound_on(plan, status, seen, |seen| {
        let set = &mut seen.set[side];
        if on_the_way_home(status) && set.rev == status.rev[side] {
            (set.ready, set.healthy) = (set.total, set.total);
        }
    })
}

/// A copy that is late is rolled back to, because home is where the good set always was.
pub fn returns_to_the_copy(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    match decide(plan, status, seen) {
        Decision::Save(next, events) if matches!(next.phase, Phase::Halted { from: Interrupted::Home { .. } }) => {
            let phase = Phase::Back { why: Why::Deadline, keep: false };
            Decision::Save(Status { good: other(status.good), phase, ..next }, events)
        }
        decision @ (Decision::Save(..) | Decision::Ask(_) | Decision::Wait(_)) => decision,
    }
}

/// A copy may take for ever.
pub fn copies_for_ever(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    sound_on(plan, status, seen, |seen| {
        if on_the_way_home(status) {
            (seen.due.healthy, seen.due.progress) = (false, false);
        }
    })
}

/// Sound, until the canary could not carry its share once: then it gets everything, ready or not.
pub fn bolder_after_a_loss(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let bold = matches!(status.phase, Phase::Step(at) if at.lost > 0);
    let whole = seen.set[1].desired >= plan.limits.replicas && seen.claimed;
    if bold && whole && seen.route.accepted != route_to(1, plan) {
        return Decision::Ask(Write::Route(route_to(1, plan)));
    }
    serin_rollout::decide(plan, status, seen)
}

/// Sound, but on the way back a route to the canary alone is taken for the way home.
pub fn takes_an_edit_for_home(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let back = matches!(status.phase, Phase::Back { .. }) && status.good == 0 && seen.claimed;
    let canary = &seen.set[1];
    if let Some(rev) = canary.rev
        && back
        && canary.desired > 0
        && seen.route.accepted == route_to(1, plan)
    {
        return size(1, 0, rev);
    }
    serin_rollout::decide(plan, status, seen)
}

/// Both keys believe that only the split is in force, and not what the data plane may fall back to.
pub mod blind {
    use super::{Decision, Observation, Plan, Status, Write};
    use crate::mutants::guards::NoCleanRoute;
    use serin_rollout::{Limits, Refusal, decide_with, permit};

    /// The observation with the fallbacks left out.
    fn without_fallbacks(seen: &Observation) -> Observation {
        let mut seen = seen.clone();
        seen.route.accepted.fallback = None;
        seen.route.accepted.lease = false;
        if seen.route.acked {
            seen.route.in_force.clear();
        }
        seen
    }

    /// The first key. It leaves the fallback in the route while it retires the set that this falls back to.
    pub fn decide(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
        let retires = matches!(status.phase, serin_rollout::Phase::Settling { leg: serin_rollout::Leg::Retire, .. });
        let blind = if retires { without_fallbacks(seen) } else { seen.clone() };
        decide_with::<NoCleanRoute>(plan, status, &blind)
    }

    /// The second key.
    ///
    /// # Errors
    /// The rule that the write would break, if there were no fallbacks.
    pub fn permits(limits: &Limits, seen: &Observation, write: &Write) -> Result<(), Refusal> {
        permit(limits, &without_fallbacks(seen), write)
    }
}

/// A second key that counts what is ready now: instances that are being stopped count, and sets that others may shrink.
///
/// # Errors
/// The rule that it thinks the write would break.
pub fn permit_by_readiness(limits: &Limits, seen: &Observation, write: &Write) -> Result<(), Refusal> {
    let ready = [seen.set[0].ready, seen.set[1].ready];
    match *write {
        Write::Claim => Ok(()),
        Write::Resize { slot, to, rev, .. } => {
            let set = &seen.set[slot];
            if set.rev != Some(rev) && !set.is_empty() {
                Err(Refusal::Occupied(slot))
            } else if to >= set.desired {
                Ok(())
            } else if seen.route.reaches(slot) {
                Err(Refusal::Routed(slot))
            } else if !seen.route.acked {
                Err(Refusal::Unacknowledged)
            } else if set.busy > 0 {
                Err(Refusal::Busy(slot))
            } else if ready[other(slot)] < limits.replicas {
                Err(Refusal::NotWhole(other(slot)))
            } else {
                Ok(())
            }
        }
        Write::Route(route) => {
            let carried = |split: Split| crate::invariants::carried(split, ready, limits.floor);
            let somewhere = |split: Split| split.reaches(0) || split.reaches(1);
            let good = route.splits().all(|split| carried(split) && somewhere(split));
            if good { Ok(()) } else { Err(Refusal::Capacity) }
        }
        Write::Rewrite { slot, .. } => Err(Refusal::Occupied(slot)),
    }
}

/// The second key with the guards `G`, told by a router that can say whether everybody confirmed the last route, and not
/// what they still apply.
///
/// # Errors
/// The rule that the write would break.
pub fn unlisted<G: Guards>(limits: &Limits, seen: &Observation, write: &Write) -> Result<(), Refusal> {
    let mut seen = seen.clone();
    seen.route.in_force.clear();
    permit_with::<G>(limits, &seen, write)
}
