//! Kamal: the new container, then the proxy, then the old container goes; what was going on is written down nowhere.
use super::{WAIT, ask_route, back, begins, ended, outcome, route_to, save, size, swapped};
use serin_rollout::{Decision, Observation, Phase, Plan, Status, Why};

/// A release that is interrupted after the proxy moved is over for the next one, which does not know the old container.
pub fn stale_container(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let n = plan.limits.replicas;
    match (status.phase, status.rev[1]) {
        (Phase::Idle, _) => begins(status, seen).unwrap_or(WAIT),
        (Phase::Step(_), Some(rev)) => match seen.set[0].rev {
            _ if seen.set[1].desired < n => size(1, n, rev),
            _ if seen.route.accepted != route_to(1, plan) => {
                if seen.set[1].ready >= n {
                    ask_route(route_to(1, plan))
                } else if seen.due.healthy {
                    save(status, back(Why::Deadline))
                } else {
                    WAIT
                }
            }
            Some(old) if seen.claimed && seen.set[0].desired > 0 => {
                if seen.route.acked {
                    size(0, 0, old)
                } else {
                    WAIT
                }
            }
            Some(_) | None => swapped(status, rev),
        },
        (Phase::Back { .. }, Some(rev)) if seen.set[1].desired > 0 => size(1, 0, rev),
        (Phase::Back { why, .. }, Some(rev)) => ended(status, rev, outcome(why)),
        (
            Phase::Step(_) | Phase::Back { .. } | Phase::Settling { .. } | Phase::Halted { .. } | Phase::Parked { .. },
            _,
        ) => WAIT,
    }
}
