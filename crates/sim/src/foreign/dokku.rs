//! Dokku: every process type of an app is deployed in turn, and the proxy is written at the end.
use super::{WAIT, ask_route, begins, route_to, save, settling, size, swapped, verdict};
use serin_rollout::{Decision, Leg, Observation, Phase, Plan, Status, Verdict};

/// The new web is there and the old one is told to go; then another process type fails, and the proxy is never
/// written.
pub fn proxy_comes_last(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let n = plan.limits.replicas;
    match (status.phase, status.rev[1]) {
        (Phase::Idle, _) => begins(status, seen).unwrap_or(WAIT),
        (Phase::Step(_), Some(rev)) => match verdict(seen) {
            _ if seen.set[1].desired < n => size(1, n, rev),
            _ if seen.set[1].ready < n => WAIT,
            Some(Verdict::Fail) => save(status, settling(Leg::Retire, 0)),
            _ if seen.route.accepted != route_to(1, plan) => ask_route(route_to(1, plan)),
            Some(_) | None => save(status, settling(Leg::Retire, 0)),
        },
        (Phase::Settling { .. }, Some(rev)) => match seen.set[0].rev {
            Some(old) if seen.set[0].desired > 0 => size(0, 0, old),
            Some(_) | None => swapped(status, rev),
        },
        (
            Phase::Step(_) | Phase::Back { .. } | Phase::Settling { .. } | Phase::Halted { .. } | Phase::Parked { .. },
            _,
        ) => WAIT,
    }
}
