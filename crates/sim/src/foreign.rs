//! What other tools do, as first keys over the same world: slot A is the primary or the machine, slot B the canary.
//! They were written from descriptions of the incidents; the names are those of the reports.
use serin_rollout::{
    Decision, InStep, Last, Leg, Observation, Outcome, Phase, Plan, Rev, Route, Split, Status, WaitingOn, Why, Write,
    other,
};

const WAIT: Decision = Decision::Wait(WaitingOn::Nothing);

fn route_to(slot: usize, plan: &Plan) -> Route {
    Route::plain(Split::all(slot, plan.limits.replicas))
}

fn save(status: &Status, phase: Phase) -> Decision {
    Decision::Save(Status { phase, ..*status }, vec![])
}

fn size(slot: usize, to: u16, rev: Rev) -> Decision {
    Decision::Ask(Write::Resize { slot, to, rev, pin: to > 0 })
}

fn ended(status: &Status, rev: Rev, outcome: Outcome) -> Decision {
    let last = Some(Last { rev, outcome, why: None });
    let mut next = Status { phase: Phase::Idle, last, ..*status };
    if outcome == Outcome::Succeeded {
        next.rev[0] = Some(rev);
    }
    next.rev[1] = None;
    Decision::Save(next, vec![])
}

fn begins(status: &Status, seen: &Observation) -> Option<Decision> {
    let wanted = seen.intent.wanted;
    let handled = status.rev[0] == Some(wanted) || status.last.is_some_and(|last| last.rev == wanted);
    if handled {
        return None;
    }
    let mut next = Status { phase: Phase::Step(InStep::begin(0, 0)), ..*status };
    next.rev[1] = Some(wanted);
    next.armed.healthy = true;
    Some(Decision::Save(next, vec![]))
}

/// Traffic to the primary, whatever it is worth; then the canary goes.
fn rolls_back(plan: &Plan, status: &Status, seen: &Observation, rev: Rev) -> Decision {
    if seen.route.accepted != route_to(0, plan) {
        Decision::Ask(Write::Route(route_to(0, plan)))
    } else if seen.set[1].desired > 0 {
        size(1, 0, rev)
    } else {
        ended(status, rev, Outcome::Failed)
    }
}

/// Promotion copies the canary's revision into the primary, in place; a primary that does not become ready in time is
/// "rolled back": all traffic goes to it.
pub fn flagger_1898(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    flagger(plan, status, seen, false)
}

/// The cure of 1898: while promoting, a late primary does not roll back. Whether one is promoting is written down after
/// the copy, and a crash lies in between.
pub fn flagger_1931(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    flagger(plan, status, seen, true)
}

fn flagger(plan: &Plan, status: &Status, seen: &Observation, cured: bool) -> Decision {
    let n = plan.limits.replicas;
    let Phase::Step(at) = status.phase else {
        return match status.phase {
            Phase::Idle => begins(status, seen).unwrap_or(WAIT),
            Phase::Back { .. } => rolls_back(plan, status, seen, status.rev[1].unwrap_or(Rev(0))),
            Phase::Settling { leg, .. } => flagger_promotes(plan, status, seen, leg, cured),
            Phase::Step(_) | Phase::Halted { .. } | Phase::Parked { .. } => WAIT,
        };
    };
    let Some(rev) = status.rev[1] else { return WAIT };
    let back = || save(status, Phase::Back { why: Why::Deadline, keep: false });
    let copied = seen.set[0].rev == Some(rev);
    if copied && seen.claimed {
        return save(status, Phase::Settling { leg: Leg::Window, step: 0, attempt: 0 });
    }
    if seen.set[1].desired < n {
        return size(1, n, rev);
    }
    if seen.set[0].ready < n || seen.set[1].ready < n {
        return if seen.due.healthy { back() } else { WAIT };
    }
    if copied {
        return save(status, Phase::Settling { leg: Leg::Window, step: 0, attempt: 0 });
    }
    let verdict = seen.verdict.map(|(_, verdict)| verdict);
    if at.reached && verdict == Some(serin_rollout::Verdict::Fail) {
        return back();
    }
    if seen.route.accepted != route_to(1, plan) {
        return Decision::Ask(Write::Route(route_to(1, plan)));
    }
    if !at.reached {
        return save(status, Phase::Step(InStep { reached: true, ..at }));
    }
    if verdict != Some(serin_rollout::Verdict::Pass) {
        return WAIT;
    }
    Decision::Ask(Write::Rewrite { slot: 0, rev })
}

fn flagger_promotes(plan: &Plan, status: &Status, seen: &Observation, leg: Leg, cured: bool) -> Decision {
    let Some(rev) = status.rev[1] else { return WAIT };
    if seen.set[0].ready < plan.limits.replicas {
        let gives_up = seen.due.healthy && !cured;
        let back = Phase::Back { why: Why::Deadline, keep: false };
        return if gives_up { save(status, back) } else { WAIT };
    }
    match leg {
        Leg::Window if seen.route.accepted != route_to(0, plan) => Decision::Ask(Write::Route(route_to(0, plan))),
        Leg::Window => save(status, Phase::Settling { leg: Leg::Retire, step: 0, attempt: 0 }),
        Leg::Retire if seen.set[1].desired > 0 => size(1, 0, rev),
        Leg::Retire => ended(status, rev, Outcome::Succeeded),
    }
}

/// The canary is made, found healthy and destroyed; then the machines are updated in place.
pub fn flyctl_4745(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let n = plan.limits.replicas;
    match status.phase {
        Phase::Idle => begins(status, seen).unwrap_or(WAIT),
        Phase::Step(at) => {
            let Some(rev) = status.rev[1] else { return WAIT };
            let canary = &seen.set[1];
            if at.reached {
                if canary.desired > 0 {
                    return size(1, 0, rev);
                }
                if seen.set[0].rev != Some(rev) {
                    return Decision::Ask(Write::Rewrite { slot: 0, rev });
                }
                return if seen.set[0].ready >= n { ended(status, rev, Outcome::Succeeded) } else { WAIT };
            }
            if canary.desired == 0 {
                return size(1, 1, rev);
            }
            if canary.ready >= 1 { save(status, Phase::Step(InStep { reached: true, ..at })) } else { WAIT }
        }
        Phase::Settling { .. } | Phase::Back { .. } | Phase::Halted { .. } | Phase::Parked { .. } => WAIT,
    }
}

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
    use crate::mutants::NoCleanRoute;
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
pub fn permit_by_readiness(
    limits: &serin_rollout::Limits,
    seen: &Observation,
    write: &Write,
) -> Result<(), serin_rollout::Refusal> {
    use serin_rollout::Refusal;
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
