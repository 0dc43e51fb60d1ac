//! Singularity in its atomic mode: the load balancer gets all new tasks and loses all old ones in one request; the old
//! ones stay until the new ones are accepted.
use super::{WAIT, ask_route, back, begins, ended, outcome, route_to, save, settling, size, swapped, verdict};
use serin_rollout::{Decision, InStep, Leg, Observation, Phase, Plan, Rev, Status, Verdict, Why};

/// Where its reports differ. Every field that is `false` is a hole that is closed.
#[derive(Clone, Copy, Default)]
struct Holes {
    /// The answer to another request is taken for the answer to this one.
    any_answer_counts: bool,
    /// A cancel after the swap stops the new tasks and does not give the old ones back to the load balancer.
    cancels_without_the_swap_back: bool,
}

/// Every hole closed: what breaks no rule where nothing fails.
pub fn careful(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    atomic(plan, status, seen, Holes::default())
}

/// The request to go back was refused because one with other contents waits under its name; that one's success is read.
pub fn other_answer(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    atomic(plan, status, seen, Holes { any_answer_counts: true, ..Holes::default() })
}

/// A cancel during the acceptance stops the tasks that the load balancer knows.
pub fn cancel_after_the_swap(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    atomic(plan, status, seen, Holes { cancels_without_the_swap_back: true, ..Holes::default() })
}

fn atomic(plan: &Plan, status: &Status, seen: &Observation, holes: Holes) -> Decision {
    match (status.phase, status.rev[1]) {
        (Phase::Idle, _) => begins(status, seen).unwrap_or(WAIT),
        (Phase::Step(at), Some(rev)) => deploys(plan, status, seen, holes, at, rev),
        (Phase::Settling { leg: Leg::Home, .. }, Some(rev)) => reverts(plan, status, seen, holes, rev),
        (Phase::Settling { leg: Leg::Retire | Leg::Window, .. }, Some(rev)) => match seen.set[0].rev {
            Some(old) if seen.set[0].desired > 0 => {
                if seen.route.acked {
                    size(0, 0, old)
                } else {
                    WAIT
                }
            }
            Some(_) | None => swapped(status, rev),
        },
        (Phase::Back { why, .. }, Some(rev)) if seen.set[1].desired > 0 => {
            let _ = why;
            size(1, 0, rev)
        }
        (Phase::Back { why, .. }, Some(rev)) => ended(status, rev, outcome(why)),
        (
            Phase::Step(_) | Phase::Settling { .. } | Phase::Back { .. } | Phase::Halted { .. } | Phase::Parked { .. },
            _,
        ) => WAIT,
    }
}

fn deploys(plan: &Plan, status: &Status, seen: &Observation, holes: Holes, at: InStep, rev: Rev) -> Decision {
    let n = plan.limits.replicas;
    let revert = settling(Leg::Home, at.step);
    let new = &seen.set[1];
    let routed = seen.route.reaches(1);
    if super::aborts(status, seen) {
        let straight = !routed || holes.cancels_without_the_swap_back;
        return save(status, if straight { back(Why::Aborted) } else { revert });
    }
    if new.desired < n {
        return size(1, n, rev);
    }
    if new.ready < n && !routed {
        // overdue: the load balancer was never asked, or is asked no longer
        return if seen.due.healthy { save(status, back(Why::Deadline)) } else { WAIT };
    }
    if seen.route.accepted != route_to(1, plan) {
        return ask_route(route_to(1, plan));
    }
    if !at.reached {
        return save(status, Phase::Step(InStep { reached: true, ..at }));
    }
    match verdict(seen) {
        Some(Verdict::Pass) => save(status, settling(Leg::Retire, at.step)),
        Some(Verdict::Fail) => save(status, revert),
        Some(Verdict::Inconclusive | Verdict::Error) | None => WAIT,
    }
}

/// The old tasks are given back to the load balancer; when it says so, the new ones go.
fn reverts(plan: &Plan, status: &Status, seen: &Observation, holes: Holes, rev: Rev) -> Decision {
    let other = |key| Some(key) != status.key();
    let answered = seen.verdict.is_some_and(|(key, verdict)| other(key) && verdict == Verdict::Pass);
    let done = seen.route.accepted == route_to(0, plan) && seen.route.acked;
    if done || (holes.any_answer_counts && answered) {
        return if seen.set[1].desired > 0 { size(1, 0, rev) } else { save(status, back(Why::Verdict)) };
    }
    if seen.route.accepted == route_to(0, plan) { WAIT } else { ask_route(route_to(0, plan)) }
}
