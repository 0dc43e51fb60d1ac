//! Flaws of the core that the model checker and the simulator found, each as the one decision in which it showed. The
//! list with their cures is `docs/decisions/0001-flaws-found-by-the-checker.md`.
use serin_rollout::*;

fn set(rev: u32, desired: u16, ready: u16) -> SetSeen {
    SetSeen { rev: Some(Rev(rev)), desired, total: desired, ready, healthy: ready, busy: 0, pinned: true, fresh: true }
}

fn seen(sets: [SetSeen; 2], accepted: Route) -> Observation {
    Observation {
        claimed: true,
        set: sets,
        route: RouteSeen { accepted, acked: true, in_force: vec![] },
        intent: Intent::of(Rev(2)),
        verdict: None,
        due: Timers::default(),
        failed: None,
    }
}

fn status(good: Slot, rev: [u32; 2], proven: [bool; 2], phase: Phase) -> Status {
    let rev = rev.map(|rev| (rev > 0).then_some(Rev(rev)));
    Status { rollout: 1, good, rev, proven, phase, armed: Armed::NONE, last: None }
}

fn plan(preset: Preset, replicas: u16) -> Plan {
    Plan::compile(&preset, replicas, 0, preset == Preset::InPlace { after: checks() }).unwrap()
}

fn checks() -> Accept {
    Accept { bake_ms: None, checks: true, manual: false }
}

fn kept() -> Preset {
    Preset::CanaryKept { one_by_one: false, first: checks(), each: Accept::default() }
}

fn step(step: u16, reached: bool) -> Phase {
    Phase::Step(InStep { reached, ..InStep::begin(step, 0) })
}

fn window() -> Phase {
    Phase::Settling { leg: Leg::Window, step: 0, attempt: 0 }
}

fn retire() -> Phase {
    Phase::Settling { leg: Leg::Retire, step: 0, attempt: 0 }
}

fn route(decision: Decision) -> Route {
    match decision {
        Decision::Ask(Write::Route(route)) => route,
        Decision::Save(..) | Decision::Ask(_) | Decision::Wait(_) => panic!("not a route: {decision:?}"),
    }
}

fn saved(decision: Decision) -> Status {
    match decision {
        Decision::Save(status, _) => status,
        Decision::Ask(_) | Decision::Wait(_) => panic!("not saved: {decision:?}"),
    }
}

#[test]
fn traffic_is_not_asked_for_where_the_pin_is_not_seen_yet() {
    // After a restart the view of the good set has not come yet, and the canary is ready.
    let status = status(0, [1, 2], [true, false], step(0, false));
    let unseen = SetSeen { fresh: false, rev: None, pinned: false, ..set(1, 0, 0) };
    let o = seen([unseen, set(2, 1, 1)], Route::plain(Split::all(0, 1)));
    assert_eq!(decide(&plan(kept(), 1), &status, &o), Decision::Wait(WaitingOn::Ready(0)));
}

#[test]
fn a_target_that_is_lost_after_it_was_reached_has_a_deadline() {
    let plan = plan(Preset::BlueGreen { before: checks(), after: checks() }, 1);
    let at = status(0, [1, 2], [true, false], step(0, true));
    let mut o = seen([set(1, 1, 1), set(2, 1, 0)], Route::plain(Split::all(0, 1)));
    let watched = saved(decide(&plan, &at, &o));
    assert!(watched.armed.healthy, "a canary without traffic died, and nobody waits for it for ever");
    assert_eq!(decide(&plan, &watched, &o), Decision::Wait(WaitingOn::Ready(1)));
    o.due.healthy = true;
    assert_eq!(saved(decide(&plan, &watched, &o)).phase, Phase::Back { why: Why::Deadline, keep: false });
    o = seen([set(1, 1, 1), set(2, 1, 1)], Route::plain(Split::all(0, 1)));
    assert!(!saved(decide(&plan, &watched, &o)).armed.healthy, "it came back in time");
}

#[test]
fn the_platform_may_stop_the_ready_one_of_two() {
    let limits = Limits { replicas: 1, floor: 1 };
    let o = seen([SetSeen::EMPTY, set(2, 2, 1)], Route::plain(Split::all(1, 1)));
    let write = Write::Resize { slot: 1, to: 1, rev: Rev(2), pin: true };
    assert_eq!(permit(&limits, &o, &write), Err(Refusal::Needed(1)));
    let status = status(0, [1, 2], [true, false], step(3, false));
    assert!(matches!(decide(&plan(kept(), 1), &status, &o), Decision::Wait(_)), "both keys count alike");
}

#[test]
fn instances_that_are_still_to_be_created_count_as_there() {
    let limits = Limits { replicas: 4, floor: 3 };
    let accepted = Route::plain(Split::Members([2, 2]));
    let growing = SetSeen { total: 2, ..set(1, 4, 2) };
    let o = seen([growing, set(2, 2, 2)], accepted);
    let write = Write::Resize { slot: 0, to: 2, rev: Rev(1), pin: true };
    assert_eq!(permit(&limits, &o, &write), Err(Refusal::Needed(0)), "two are created, and then the other two stop");
    assert_eq!(permit(&limits, &seen([set(1, 4, 4), set(2, 2, 2)], accepted), &write), Ok(()));
}

#[test]
fn a_weak_fallback_is_not_written_again() {
    // The commit takes the lease off the route; the old set, which it falls back to, is weak by now.
    let leased = Route { split: Split::all(1, 2), fallback: Some(Split::all(0, 2)), lease: true };
    let status = status(1, [1, 2], [true, true], window());
    let o = seen([set(1, 2, 1), set(2, 2, 2)], leased);
    let plan = plan(Preset::Direct, 2);
    let asked = route(decide(&plan, &status, &o));
    assert_eq!(asked, Route::plain(Split::all(1, 2)));
    assert_eq!(permit(&plan.limits, &o, &Write::Route(asked)), Ok(()));
}

#[test]
fn two_weak_sets_share_the_traffic_while_settling() {
    for phase in [window(), retire()] {
        let status = status(1, [1, 2], [true, true], phase);
        let o = seen([set(1, 2, 1), set(2, 2, 1)], Route::plain(Split::all(1, 2)));
        assert_eq!(route(decide(&plan(Preset::Direct, 2), &status, &o)).split, Split::share_to(1, 5_000));
    }
}

#[test]
fn what_is_only_fallen_back_to_stays_pinned() {
    let limits = Limits { replicas: 1, floor: 1 };
    let held = Route { split: Split::Members([0, 0]), fallback: Some(Split::all(1, 1)), lease: true };
    let o = seen([set(1, 1, 0), set(1, 1, 1)], held);
    let unpin = Write::Resize { slot: 1, to: 1, rev: Rev(1), pin: false };
    assert_eq!(permit(&limits, &o, &unpin), Err(Refusal::Unpinned(1)));
    let o = seen([SetSeen::EMPTY, set(1, 1, 1)], Route::plain(Split::all(1, 1)));
    assert_eq!(permit(&limits, &o, &unpin), Ok(()), "at rest others may scale it");
}

#[test]
fn a_set_that_was_not_asked_for_yet_is_not_late() {
    let plan = plan(Preset::InPlace { after: checks() }, 1);
    let status = status(0, [1, 2], [true, false], Phase::Back { why: Why::Aborted, keep: false });
    let mut o = seen([SetSeen::EMPTY, set(2, 1, 0)], Route::NOWHERE);
    o.route.acked = false;
    o.due.healthy = true;
    assert_eq!(decide(&plan, &status, &o), Decision::Wait(WaitingOn::Acknowledged));
}

#[test]
fn a_set_with_another_revision_is_no_way_back() {
    let warm = Route { split: Split::all(1, 1), fallback: Some(Split::all(0, 1)), lease: false };
    let status = status(1, [1, 2], [true, true], window());
    let mut o = seen([set(9, 1, 1), set(2, 1, 1)], warm);
    o.intent.rollback = Some(1);
    assert_eq!(decide(&plan(Preset::Direct, 1), &status, &o), Decision::Wait(WaitingOn::Window));
    o.set[0] = set(1, 1, 1);
    assert_eq!(saved(decide(&plan(Preset::Direct, 1), &status, &o)).good, 0);
}

#[test]
fn a_set_with_another_revision_is_not_adopted() {
    let from = Interrupted::Back { why: Why::Drift, keep: false };
    let status = status(0, [1, 2], [true, false], Phase::Halted { from });
    let mut o = seen([set(1, 1, 0), set(9, 1, 1)], Route::plain(Split::all(1, 1)));
    o.intent.wanted = Rev(3);
    assert_eq!(decide(&plan(Preset::Direct, 1), &status, &o), Decision::Wait(WaitingOn::Good(Why::Drift)));
    o.set[1] = set(2, 1, 1);
    assert_eq!(saved(decide(&plan(Preset::Direct, 1), &status, &o)).good, 1);
}

#[test]
fn of_two_sets_that_never_were_good_the_one_that_serves_stays() {
    let status = Status { rollout: 0, ..status(0, [2, 1], [false; 2], Phase::Idle) };
    let mut o = seen([set(2, 2, 2), set(1, 2, 2)], Route::plain(Split::all(1, 2)));
    o.intent.wanted = Rev(3);
    let plan = plan(Preset::Direct, 2);
    let next = saved(decide(&plan, &status, &o));
    assert_eq!(next.good, 1, "the other one is the good one now, and is not cleared away under its traffic");
    assert!(saved(decide(&plan, &next, &o)).proven[1], "it serves whole and alone");
}

#[test]
fn a_degraded_split_by_members_keeps_the_canarys_share() {
    let status = status(0, [1, 2], [true, false], Phase::Back { why: Why::Superseded, keep: false });
    let accepted = Route { split: Split::Members([6, 1]), fallback: Some(Split::all(0, 6)), lease: true };
    let o = seen([set(1, 7, 4), set(2, 2, 2)], accepted);
    let asked = route(decide(&plan(kept(), 7), &status, &o));
    assert!(asked.split.share(1) <= accepted.split.share(1), "{asked:?}");
}

#[test]
fn a_parked_share_may_be_taken_up_again_when_it_serves_more() {
    let status = status(1, [3, 2], [false, true], Phase::Parked { split: Split::all(0, 10), step: 0, attempt: 0 });
    let mut o = seen([set(3, 10, 8), set(2, 10, 9)], Route::plain(Split::all(1, 10)));
    o.intent.wanted = Rev(3);
    let asked = route(decide(&plan(Preset::Direct, 10), &status, &o));
    assert!(asked.split.reaches(0) && asked.split.reaches(1), "{asked:?}");
}

#[test]
fn nobody_parks_a_release_while_requests_are_held() {
    let plan = plan(Preset::InPlace { after: checks() }, 1);
    let status = status(0, [1, 2], [true, false], step(0, false));
    let mut o = seen([SetSeen::EMPTY, SetSeen::EMPTY], Route::NOWHERE);
    o.intent.park = Some(1);
    assert!(matches!(decide(&plan, &status, &o), Decision::Ask(Write::Resize { slot: 1, to: 1, .. })));
}

#[test]
fn an_unseen_set_takes_room() {
    // After a restart the view of the set that serves has not come yet; there is room for one only.
    let plan = plan(Preset::InPlace { after: checks() }, 1);
    let status = status(0, [1, 2], [true, false], step(0, false));
    let unseen = SetSeen { fresh: false, rev: None, pinned: false, ..set(1, 0, 0) };
    let o = seen([unseen, SetSeen::EMPTY], Route::plain(Split::all(0, 1)));
    assert_eq!(decide(&plan, &status, &o), Decision::Wait(WaitingOn::Ready(0)));
}

#[test]
fn a_halted_release_in_place_starts_the_good_set_where_there_is_room() {
    let plan = plan(Preset::InPlace { after: checks() }, 1);
    let from = Interrupted::Back { why: Why::Aborted, keep: false };
    let status = status(0, [1, 2], [true, false], Phase::Halted { from });
    let grow = Decision::Ask(Write::Resize { slot: 0, to: 1, rev: Rev(1), pin: true });
    assert_eq!(decide(&plan, &status, &seen([SetSeen::EMPTY; 2], Route::NOWHERE)), grow);
    let o = seen([SetSeen::EMPTY, set(2, 1, 0)], Route::NOWHERE);
    assert!(matches!(decide(&plan, &status, &o), Decision::Wait(_)), "there is no room beside the other one");
}

#[test]
fn a_lease_is_claimed_while_there_is_only_something_to_wait_for() {
    // After a restart in the middle of a bake: whoever has not claimed the service may not renew the canary's lease.
    let hold = Accept { bake_ms: Some(60_000), ..Accept::default() };
    let plan = plan(Preset::Weights(vec![WeightStep { weight: 5_000, accept: hold }]), 1);
    let mut at = status(0, [1, 2], [true, false], step(0, true));
    at.armed.bake = true;
    let leased = Route { split: Split::share_to(1, 5_000), fallback: Some(Split::all(0, 1)), lease: true };
    let mut o = seen([set(1, 1, 1), set(2, 1, 1)], leased);
    assert_eq!(decide(&plan, &at, &o), Decision::Wait(WaitingOn::Bake));
    o.claimed = false;
    assert_eq!(decide(&plan, &at, &o), Decision::Ask(Write::Claim));
    let rest = status(0, [2, 0], [true, false], Phase::Idle);
    o = seen([set(2, 1, 1), SetSeen::EMPTY], Route::plain(Split::all(0, 1)));
    (o.claimed, o.set[0].pinned) = (false, false);
    assert_eq!(decide(&plan, &rest, &o), Decision::Wait(WaitingOn::Nothing), "at rest nothing has to be fenced");
}
