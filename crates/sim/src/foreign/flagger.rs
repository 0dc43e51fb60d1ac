//! Flagger: the new revision is proven in a canary and then copied into the primary, which is rewritten in place;
//! traffic returns to the primary and the canary goes.
use super::{WAIT, ask_route, back, begins, ended, outcome, route_to, save, settling, size, verdict};
use serin_rollout::{
    Decision, InStep, Interrupted, Leg, Observation, Outcome, Phase, Plan, Rev, Route, Split, Status, Why, Write,
};

/// Where its versions and reports differ. Every field that is `false` is a hole that is closed.
#[derive(Clone, Copy, Default)]
struct Holes {
    /// The copy is made first, and that one promotes is written down after it.
    copies_before_it_says_so: bool,
    /// A primary that is not ready in time is "rolled back to" while promoting, too.
    returns_to_a_late_primary: bool,
    /// The copy is not waited for.
    does_not_wait_for_the_copy: bool,
    /// A promoted primary is ready when all that it happens to have is.
    promotes_to_any_size: bool,
    /// A rollback does not ask what the primary can carry.
    returns_to_anything: bool,
    /// A newer revision sends everything to the primary at once.
    restarts_at_once: bool,
    /// Others may scale the primary while a release is under way.
    leaves_the_primary_to_others: bool,
    /// That one rolls back is written down last.
    returns_before_it_says_so: bool,
    /// A weight of 0 gets lost between the tool and the router, which then shares evenly.
    loses_zero: bool,
}

/// Every hole closed: what breaks no rule where nothing fails.
pub fn careful(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    flagger(plan, status, seen, Holes::default())
}

/// Promotion copies the canary's revision into the primary, in place; a primary that does not become ready in time is
/// "rolled back": all traffic goes to it.
pub fn late_primary(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let holes = Holes { returns_to_a_late_primary: true, returns_to_anything: true, ..Holes::default() };
    flagger(plan, status, seen, holes)
}

/// The cure of the above: while promoting, a late primary does not roll back. Whether one is promoting is written down
/// after the copy, and a crash lies in between.
pub fn crash_window(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let holes = Holes { copies_before_it_says_so: true, returns_to_anything: true, ..Holes::default() };
    flagger(plan, status, seen, holes)
}

/// Routes home, empties the canary, and dies before it writes down that it rolled back.
pub fn halfway_back(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    flagger(plan, status, seen, Holes { returns_before_it_says_so: true, ..Holes::default() })
}

/// Traffic returns as soon as the copy is written.
pub fn slow_start(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    flagger(plan, status, seen, Holes { does_not_wait_for_the_copy: true, ..Holes::default() })
}

/// The primary that was scaled down while the canary had everything gets everything.
pub fn shrunken_promotion(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    flagger(
        plan,
        status,
        seen,
        Holes { promotes_to_any_size: true, leaves_the_primary_to_others: true, ..Holes::default() },
    )
}

/// The same on a rollback.
pub fn shrunken_rollback(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let holes = Holes { returns_to_anything: true, leaves_the_primary_to_others: true, ..Holes::default() };
    flagger(plan, status, seen, holes)
}

/// The same when a newer revision restarts the analysis.
pub fn shrunken_restart(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let holes = Holes { restarts_at_once: true, leaves_the_primary_to_others: true, ..Holes::default() };
    flagger(plan, status, seen, holes)
}

/// The tool writes 100 and 0, the router keeps 50 and 50, and what the tool reads back looks right to it.
pub fn lost_zero(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    flagger(plan, status, seen, Holes { loses_zero: true, ..Holes::default() })
}

/// Deleting the tool's object takes the primary with it, which everybody uses, while the original set is at zero.
pub fn deletes_the_primary(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let deleted = seen.intent.retire == Some(status.rollout) && status.phase == Phase::Idle;
    match (deleted, seen.set[0].rev) {
        (true, Some(rev)) if seen.set[0].desired > 0 => size(0, 0, rev),
        (true | false, Some(_) | None) => careful(plan, status, seen),
    }
}

fn flagger(plan: &Plan, status: &Status, seen: &Observation, holes: Holes) -> Decision {
    let Some(rev) = status.rev[1] else {
        return begins(status, seen).unwrap_or(WAIT);
    };
    let primary = &seen.set[0];
    let returns_with_care = holes.promotes_to_any_size && matches!(status.phase, Phase::Back { .. });
    if let Some(runs) = primary.rev
        && status.phase != Phase::Idle
        && !(primary.pinned || holes.leaves_the_primary_to_others && !returns_with_care)
    {
        return size(0, plan.limits.replicas, runs);
    }
    match status.phase {
        Phase::Idle => begins(status, seen).unwrap_or(WAIT),
        Phase::Step(at) => progresses(plan, status, seen, holes, at),
        Phase::Back { why, .. } => rolls_back(plan, status, seen, holes, why),
        Phase::Settling { leg, .. } => promotes(plan, status, seen, holes, leg),
        Phase::Halted { .. } | Phase::Parked { .. } => ended(status, rev, Outcome::Failed),
    }
}

/// All traffic to the primary, as the router takes it.
fn home(plan: &Plan, holes: Holes) -> Route {
    if holes.loses_zero { Route::plain(Split::share_to(1, 5_000)) } else { route_to(0, plan) }
}

fn progresses(plan: &Plan, status: &Status, seen: &Observation, holes: Holes, at: InStep) -> Decision {
    let n = plan.limits.replicas;
    let Some(rev) = status.rev[1] else { return WAIT };
    let copied = seen.set[0].rev == Some(rev);
    let promoting = settling(Leg::Home, 0);
    if copied && seen.claimed {
        return save(status, promoting);
    }
    if seen.intent.wanted != rev {
        if holes.restarts_at_once && seen.route.accepted != home(plan, holes) {
            return ask_route(home(plan, holes));
        }
        return save(status, back(Why::Superseded));
    }
    let failed = at.reached && verdict(seen) == Some(serin_rollout::Verdict::Fail);
    let returning = at.reached && seen.claimed && seen.route.accepted == home(plan, holes);
    if holes.returns_before_it_says_so && (failed || returning) {
        return rolls_back(plan, status, seen, holes, Why::Verdict);
    }
    if seen.set[1].desired < n && !(holes.returns_before_it_says_so && at.reached) {
        return size(1, n, rev);
    }
    if seen.set[0].ready < n || seen.set[1].ready < seen.set[1].desired {
        return if seen.due.healthy { save(status, back(Why::Deadline)) } else { WAIT };
    }
    if copied {
        return save(status, promoting);
    }
    if failed {
        return save(status, back(Why::Verdict));
    }
    if seen.route.accepted != route_to(1, plan) {
        return ask_route(route_to(1, plan));
    }
    if !at.reached {
        return save(status, Phase::Step(InStep { reached: true, ..at }));
    }
    match verdict(seen) {
        Some(serin_rollout::Verdict::Pass) if holes.copies_before_it_says_so => copy(rev),
        Some(serin_rollout::Verdict::Pass) => save(status, promoting),
        Some(_) | None => WAIT,
    }
}

fn copy(rev: Rev) -> Decision {
    Decision::Ask(Write::Rewrite { slot: 0, rev })
}

/// Traffic to the primary, then the canary goes.
fn rolls_back(plan: &Plan, status: &Status, seen: &Observation, holes: Holes, why: Why) -> Decision {
    let Some(rev) = status.rev[1] else { return WAIT };
    let ready = seen.set[0].ready.min(seen.set[0].desired) >= plan.limits.replicas;
    if seen.route.accepted != home(plan, holes) {
        let goes = ready || holes.returns_to_anything;
        return if goes { ask_route(home(plan, holes)) } else { WAIT };
    }
    if seen.set[1].desired > 0 { size(1, 0, rev) } else { ended(status, rev, outcome(why)) }
}

fn promotes(plan: &Plan, status: &Status, seen: &Observation, holes: Holes, leg: Leg) -> Decision {
    let Some(rev) = status.rev[1] else { return WAIT };
    let primary = &seen.set[0];
    if primary.rev != Some(rev) {
        return copy(rev);
    }
    let enough = if holes.promotes_to_any_size { primary.desired.max(1) } else { plan.limits.replicas };
    if primary.ready < enough && !holes.does_not_wait_for_the_copy {
        return match (seen.due.healthy, holes.returns_to_a_late_primary) {
            (false, _) => WAIT,
            (true, true) => save(status, back(Why::Deadline)),
            (true, false) => save(status, Phase::Halted { from: Interrupted::Step { step: 0, attempt: 0 } }),
        };
    }
    match leg {
        Leg::Window | Leg::Home if seen.route.accepted != home(plan, holes) => ask_route(home(plan, holes)),
        Leg::Window | Leg::Home => save(status, settling(Leg::Retire, 0)),
        Leg::Retire if seen.set[1].desired > 0 => size(1, 0, rev),
        Leg::Retire => ended(status, rev, Outcome::Succeeded),
    }
}
