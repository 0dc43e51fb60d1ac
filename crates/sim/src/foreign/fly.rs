//! flyctl: a canary that is destroyed before the machines are updated in place, and blue/green.
use super::{WAIT, ask_route, back, begins, ended, outcome, route_to, save, save_with_delay, settling, size, swapped};
use serin_rollout::{Decision, InStep, Leg, Observation, Outcome, Phase, Plan, Rev, Status, Why, Write};

/// The canary is made, found healthy and destroyed; then the machines are updated in place.
pub fn canary_first(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
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

/// Where the versions of blue/green differ. Every field that is `false` is a hole that is closed.
#[derive(Clone, Copy, Default)]
struct Holes {
    /// Blue goes as soon as green was announced.
    does_not_wait_for_the_proxy: bool,
    /// When blue does not stop in time, the release is "rolled back": green goes.
    rolls_back_without_blue: bool,
    /// When green does not become healthy and its destruction fails too, it stays.
    leaves_green: bool,
}

/// Every hole closed: what breaks no rule where nothing fails.
pub fn careful(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    blue_green(plan, status, seen, Holes::default())
}

/// Blue goes before the proxy has heard of green.
pub fn blue_goes_at_once(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    blue_green(plan, status, seen, Holes { does_not_wait_for_the_proxy: true, ..Holes::default() })
}

/// An error while blue is stopped destroys green, which has the traffic.
pub fn green_goes_for_blue(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    blue_green(plan, status, seen, Holes { rolls_back_without_blue: true, ..Holes::default() })
}

/// A release that failed leaves its machines behind.
pub fn green_is_left(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    blue_green(plan, status, seen, Holes { leaves_green: true, ..Holes::default() })
}

fn blue_green(plan: &Plan, status: &Status, seen: &Observation, holes: Holes) -> Decision {
    match (status.phase, status.rev[1]) {
        (Phase::Idle, _) => begins(status, seen).unwrap_or(WAIT),
        (Phase::Step(at), Some(rev)) => green_comes(plan, status, seen, at, rev),
        (Phase::Settling { .. }, Some(rev)) => blue_goes(status, seen, holes, rev),
        (Phase::Back { why, .. }, Some(rev)) => {
            let leaves = holes.leaves_green && why != Why::Aborted;
            if seen.set[1].desired > 0 && !leaves { size(1, 0, rev) } else { ended(status, rev, outcome(why)) }
        }
        (
            Phase::Step(_) | Phase::Settling { .. } | Phase::Back { .. } | Phase::Halted { .. } | Phase::Parked { .. },
            _,
        ) => WAIT,
    }
}

fn green_comes(plan: &Plan, status: &Status, seen: &Observation, at: InStep, rev: Rev) -> Decision {
    let n = plan.limits.replicas;
    let green = &seen.set[1];
    if !at.reached && super::aborts(status, seen) {
        save(status, back(Why::Aborted))
    } else if !at.reached && green.desired < n {
        size(1, n, rev)
    } else if !at.reached && green.ready < n {
        if seen.due.healthy { save(status, back(Why::Deadline)) } else { WAIT }
    } else if !at.reached {
        save(status, Phase::Step(InStep { reached: true, ..at }))
    } else if seen.route.accepted != route_to(1, plan) {
        ask_route(route_to(1, plan))
    } else {
        save_with_delay(status, settling(Leg::Retire, 0))
    }
}

fn blue_goes(status: &Status, seen: &Observation, holes: Holes, rev: Rev) -> Decision {
    let blue = &seen.set[0];
    match blue.rev {
        Some(old) if blue.desired > 0 => {
            if seen.route.acked || holes.does_not_wait_for_the_proxy {
                size(0, 0, old)
            } else {
                WAIT
            }
        }
        Some(_) if blue.total > 0 => {
            if holes.rolls_back_without_blue && seen.due.healthy {
                save(status, back(Why::Deadline))
            } else {
                WAIT
            }
        }
        Some(_) | None => swapped(status, rev),
    }
}
