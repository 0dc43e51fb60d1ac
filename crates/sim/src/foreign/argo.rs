//! Argo Rollouts: a stable and a canary set behind a router; at the end the canary's set is the stable one.
use super::{
    WAIT, ask_route, back, begins, ended, outcome, route_to, save, save_with_delay, settling, size, swapped, verdict,
};
use serin_rollout::{Decision, InStep, Leg, Observation, Phase, Plan, Rev, Route, Status, Target, Verdict, Why, Write};

/// What lies between writing a route and stopping what it no longer reaches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    /// Every data plane confirmed it.
    Confirmed,
    /// A fixed delay is over.
    Delay,
    /// Nothing.
    Accepted,
}

/// How many instances of the set that gets everything back must be there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Enough {
    /// As many as carry it.
    All,
    /// One.
    One,
    /// It is not asked.
    Any,
}

/// Where its versions and reports differ.
#[derive(Clone, Copy)]
struct Version {
    /// Before the old set goes after a promotion.
    promoted: Gate,
    /// Before the canary goes after an abort or a failure.
    aborted: Gate,
    /// Before the canary goes after a newer revision came.
    superseded: Gate,
    /// Before everything returns to the stable set.
    returns: Enough,
    /// The set of an abandoned revision is given the next one while it still has its share.
    relabels: bool,
    /// A change of the canary's size takes its weight away for a moment.
    scaling_drops_the_weight: bool,
    /// After an abort the stable set grows once the canary is gone, and the canary goes once the stable set is whole.
    waits_for_itself: bool,
    /// After an abort the selector goes to and fro as long as the canary lives.
    flaps: bool,
    /// An abort stops the canary's instances at once.
    kills: bool,
}

const CAREFUL: Version = Version {
    promoted: Gate::Confirmed,
    aborted: Gate::Confirmed,
    superseded: Gate::Confirmed,
    returns: Enough::All,
    relabels: false,
    scaling_drops_the_weight: false,
    waits_for_itself: false,
    flaps: false,
    kills: false,
};

/// Every hole closed: what breaks no rule where nothing fails.
pub fn careful(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    argo(plan, status, seen, CAREFUL)
}

/// The old set goes when a delay is over, whatever the load balancer made of the new weight.
pub fn delay_after_promotion(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    argo(plan, status, seen, Version { promoted: Gate::Delay, ..CAREFUL })
}

/// The old set goes as soon as the mesh accepted the new weight.
pub fn accepted_is_applied(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    argo(plan, status, seen, Version { promoted: Gate::Accepted, ..CAREFUL })
}

/// After an abort the canary goes when a delay is over that began before the traffic had moved.
pub fn delay_after_abort(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    argo(plan, status, seen, Version { aborted: Gate::Delay, ..CAREFUL })
}

/// The canary of an abandoned revision is named nowhere in the status any more, so it goes.
pub fn unreferenced(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    argo(plan, status, seen, Version { superseded: Gate::Accepted, ..CAREFUL })
}

/// The stable set shrank with its share (it does where the plan says so), and a newer revision sends everything to what is left of it.
pub fn interrupted(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    argo(plan, status, seen, Version { returns: Enough::Any, ..CAREFUL })
}

/// The same when people want the stable revision again: one instance of it is enough.
pub fn one_is_available(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    argo(plan, status, seen, Version { returns: Enough::One, ..CAREFUL })
}

/// After the release a person goes back, and the selector moves when the first old instance is there again.
pub fn rollback_window(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let asked = seen.intent.rollback == Some(status.rollout);
    if status.phase == Phase::Idle && status.good == 1 && asked {
        return save(&Status { good: 0, ..*status }, back(Why::RolledBack));
    }
    argo(plan, status, seen, Version { returns: Enough::One, ..CAREFUL })
}

/// The subset of the abandoned canary gets the newer revision's label while a part of the traffic goes there.
pub fn relabelled(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    argo(plan, status, seen, Version { relabels: true, ..CAREFUL })
}

/// A step that only sets the canary's size sets its weight to nothing for a moment, and the stable set is small.
pub fn scaling_drops_the_weight(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    argo(plan, status, seen, Version { scaling_drops_the_weight: true, ..CAREFUL })
}

/// The stable set and the canary wait for each other.
pub fn waits_for_itself(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    argo(plan, status, seen, Version { waits_for_itself: true, ..CAREFUL })
}

/// Two parts of the tool point the canary's selector at different sets, in turn.
pub fn flaps(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    argo(plan, status, seen, Version { flaps: true, ..CAREFUL })
}

/// The canary's instances are stopped on an abort, not asked to go.
pub fn kills(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    argo(plan, status, seen, Version { kills: true, ..CAREFUL })
}

/// An abort empties the set that it takes for the canary; where nothing is released this is the stable one.
pub fn aborts_at_rest(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let stable = &seen.set[0];
    match stable.rev {
        Some(rev) if status.phase == Phase::Idle && super::aborts(status, seen) && stable.desired > 0 => {
            size(0, 0, rev)
        }
        Some(_) | None => careful(plan, status, seen),
    }
}

/// A restart stops instances before it starts others.
pub fn restarts(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let stable = &seen.set[0];
    let asked = status.phase == Phase::Idle && seen.intent.retry == Some(status.rollout);
    match stable.rev {
        Some(rev) if asked && stable.desired > 0 => size(0, stable.desired - 1, rev),
        Some(_) | None => careful(plan, status, seen),
    }
}

/// Two parts of the tool judge by themselves whether the new set is there: one instance is enough to stop the old set,
/// all of them are needed to move the selector.
pub fn two_conditions(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let n = plan.limits.replicas;
    let (Phase::Step(_), Some(rev)) = (status.phase, status.rev[1]) else {
        return careful(plan, status, seen);
    };
    let (old, new) = (&seen.set[0], &seen.set[1]);
    match old.rev {
        _ if new.desired < n => size(1, n, rev),
        _ if new.ready >= n && seen.route.accepted != route_to(1, plan) => ask_route(route_to(1, plan)),
        Some(old_rev) if new.ready >= 1 && old.desired > 0 => size(0, 0, old_rev),
        Some(_) if new.ready >= n => swapped(status, rev),
        Some(_) | None => WAIT,
    }
}

/// An abort does not move the selector back while the new set misses an instance, and stops the new set all the same
/// when a delay is over.
pub fn abort_after_the_switch(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let n = plan.limits.replicas;
    let (Phase::Back { .. }, Some(rev)) = (status.phase, status.rev[1]) else {
        return careful(plan, status, seen);
    };
    let new = &seen.set[1];
    if new.ready < n && seen.route.reaches(1) {
        return if seen.due.drain && new.desired > 0 { size(1, 0, rev) } else { WAIT };
    }
    careful(plan, status, seen)
}

/// When a service is taken over, its selector moves to the tool's own set before that is ready.
pub fn first_adoption(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let (Phase::Step(_), Some(rev)) = (status.phase, status.rev[1]) else {
        return careful(plan, status, seen);
    };
    if seen.set[1].desired < plan.limits.replicas {
        size(1, plan.limits.replicas, rev)
    } else if seen.route.accepted != route_to(1, plan) {
        ask_route(route_to(1, plan))
    } else {
        careful(plan, status, seen)
    }
}

fn argo(plan: &Plan, status: &Status, seen: &Observation, version: Version) -> Decision {
    match (status.phase, status.rev[1]) {
        (Phase::Step(at), Some(rev)) => steps(plan, status, seen, version, at, rev),
        (Phase::Back { why, .. }, Some(rev)) => returns(plan, status, seen, version, why, rev),
        (Phase::Settling { .. }, Some(rev)) => retires(plan, status, seen, version, rev),
        (Phase::Idle, _) => begins(status, seen).unwrap_or(WAIT),
        (
            Phase::Step(_) | Phase::Back { .. } | Phase::Settling { .. } | Phase::Halted { .. } | Phase::Parked { .. },
            _,
        ) => WAIT,
    }
}

fn is_open(gate: Gate, seen: &Observation) -> bool {
    match gate {
        Gate::Confirmed => seen.route.acked,
        Gate::Delay => seen.due.drain,
        Gate::Accepted => true,
    }
}

fn steps(plan: &Plan, status: &Status, seen: &Observation, version: Version, at: InStep, rev: Rev) -> Decision {
    if seen.intent.wanted != rev {
        if version.relabels && seen.route.reaches(1) && seen.set[1].rev == Some(rev) {
            return Decision::Ask(Write::Rewrite { slot: 1, rev: seen.intent.wanted });
        }
        return save_with_delay(status, back(Why::Superseded));
    }
    if super::aborts(status, seen) {
        if version.kills && seen.set[1].desired > 0 {
            return size(1, 0, rev);
        }
        return save_with_delay(status, back(Why::Aborted));
    }
    if at.reached && verdict(seen) == Some(Verdict::Fail) {
        return save_with_delay(status, back(Why::Verdict));
    }
    let Some(Target { size: [stable, canary], route }) = plan.steps.get(usize::from(at.step)).map(|step| step.target)
    else {
        return WAIT;
    };
    let route = Route::plain(route.split);
    if seen.set[1].desired < canary {
        let weighted = seen.route.reaches(1) && version.scaling_drops_the_weight;
        return if weighted { ask_route(route_to(0, plan)) } else { size(1, canary, rev) };
    }
    if seen.set[1].ready < canary {
        return if seen.due.healthy { save_with_delay(status, back(Why::Deadline)) } else { WAIT };
    }
    if seen.route.accepted != route {
        return ask_route(route);
    }
    if !seen.route.acked && version.promoted == Gate::Confirmed {
        return WAIT;
    }
    if let Some(old) = seen.set[0].rev
        && stable > 0
        && seen.set[0].desired > stable
    {
        return size(0, stable, old);
    }
    if !at.reached {
        return save(status, Phase::Step(InStep { reached: true, ..at }));
    }
    let last = usize::from(at.step) + 1 >= plan.steps.len();
    match verdict(seen) {
        Some(Verdict::Pass) if last => save_with_delay(status, settling(Leg::Retire, at.step)),
        Some(Verdict::Pass) => save(status, Phase::Step(InStep::begin(at.step + 1, 0))),
        Some(Verdict::Fail | Verdict::Inconclusive | Verdict::Error) | None => WAIT,
    }
}

fn retires(plan: &Plan, status: &Status, seen: &Observation, version: Version, rev: Rev) -> Decision {
    match seen.set[0].rev {
        Some(old) if seen.set[0].desired > 0 => {
            if is_open(version.promoted, seen) && seen.set[1].ready >= plan.limits.replicas {
                size(0, 0, old)
            } else {
                WAIT
            }
        }
        Some(_) | None => swapped(status, rev),
    }
}

fn returns(plan: &Plan, status: &Status, seen: &Observation, version: Version, why: Why, rev: Rev) -> Decision {
    let n = plan.limits.replicas;
    let gate = match why {
        Why::Superseded => version.superseded,
        Why::Aborted | Why::Verdict | Why::Deadline | Why::Unready | Why::RolledBack | Why::Drift => version.aborted,
    };
    let (stable, canary) = (&seen.set[0], &seen.set[1]);
    let waits = version.waits_for_itself && why == Why::Aborted && canary.desired > 0;
    let Some(old) = status.rev[0] else { return WAIT };
    if stable.desired < n {
        return if waits { WAIT } else { size(0, n, old) };
    }
    let enough = match version.returns {
        Enough::All => n,
        Enough::One => 1,
        Enough::Any => 0,
    };
    if seen.route.accepted != route_to(0, plan) {
        return if stable.ready >= enough { ask_route(route_to(0, plan)) } else { WAIT };
    }
    if version.flaps && why == Why::Aborted && canary.desired >= n && canary.ready >= n {
        return ask_route(route_to(1, plan));
    }
    if canary.desired > 0 {
        return if is_open(gate, seen) && stable.ready >= n { size(1, 0, rev) } else { WAIT };
    }
    ended(status, rev, outcome(why))
}
