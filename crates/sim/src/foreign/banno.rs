//! A pipeline without a router: the share follows from the numbers of instances, which are taken from the production's.
use super::{WAIT, ask_route, begins, size};
use serin_rollout::{Decision, Observation, Phase, Plan, Route, Split, Status};

/// Of a single instance the only share is a half; for more than that production itself is shrunk.
pub fn shrinks_production(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let n = plan.limits.replicas;
    let (Phase::Step(_), Some(rev)) = (status.phase, status.rev[1]) else {
        return begins(status, seen).unwrap_or(WAIT);
    };
    let both = Route::plain(Split::Members([n, 1]));
    let more = seen.intent.weight.is_some_and(|(_, share)| share > 5_000);
    match seen.set[0].rev {
        _ if seen.set[1].desired == 0 => size(1, 1, rev),
        _ if seen.set[1].ready == 0 => WAIT,
        _ if seen.route.accepted != both => ask_route(both),
        Some(old) if more && seen.set[0].desired == n => size(0, n - 1, old),
        Some(_) | None => WAIT,
    }
}
