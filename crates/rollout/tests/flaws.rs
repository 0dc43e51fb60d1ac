//! Flaws of the core that the model checker, the simulator and others found, each as the one decision in which it showed.
//! The list with their cures is `docs/decisions/0001-flaws-found-by-the-checker.md`.
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

/// The view after a restart, before the platform's answer has come.
fn unseen() -> SetSeen {
    SetSeen { fresh: false, ..SetSeen::EMPTY }
}

fn judged(step: u16, verdict: Verdict) -> Option<(StepKey, Verdict)> {
    Some((StepKey { rollout: 1, step, attempt: 0 }, verdict))
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
    let o = seen([unseen(), set(2, 1, 1)], Route::plain(Split::all(0, 1)));
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
    let o = seen([unseen(), SetSeen::EMPTY], Route::plain(Split::all(0, 1)));
    assert_eq!(decide(&plan, &status, &o), Decision::Wait(WaitingOn::Ready(0)));
}

#[test]
fn a_set_that_is_asked_to_shrink_keeps_its_pin_while_it_is_routed() {
    let limits = Limits { replicas: 2, floor: 2 };
    let lower = |pin| Write::Resize { slot: 0, to: 1, rev: Rev(1), pin };
    let mut o = seen([set(1, 2, 2), set(2, 1, 1)], Route::plain(Split::Members([1, 1])));
    assert_eq!(permit(&limits, &o, &lower(false)), Err(Refusal::Unpinned(0)), "an autoscaler may stop the other one");
    assert_eq!(permit(&limits, &o, &lower(true)), Ok(()));
    o = seen([set(1, 2, 2), set(2, 2, 2)], Route::plain(Split::all(1, 2)));
    assert_eq!(permit(&limits, &o, &lower(false)), Ok(()), "what nothing reaches needs no pin");
}

#[test]
fn traffic_waits_for_a_view_of_what_it_goes_to() {
    // Of two old instances one is enough. The old set's pin was seen before the own last write to it.
    let plan = Plan::compile(&kept(), 2, 1, false).unwrap();
    let status = status(0, [1, 2], [true, false], step(1, false));
    let leased = Route { split: Split::Members([2, 1]), fallback: Some(Split::all(0, 2)), lease: true };
    let mut o = seen([SetSeen { fresh: false, ..set(1, 2, 2) }, set(2, 1, 1)], leased);
    let write = Write::Route(Route::plain(Split::Members([1, 1])));
    assert_eq!(permit(&plan.limits, &o, &write), Err(Refusal::Unpinned(0)));
    assert_eq!(decide(&plan, &status, &o), Decision::Wait(WaitingOn::Ready(0)), "both keys count alike");
    o.set[0].fresh = true;
    assert_eq!(permit(&plan.limits, &o, &write), Ok(()));
    assert_eq!(route(decide(&plan, &status, &o)).split, Split::Members([1, 1]));
}

#[test]
fn what_may_be_the_last_ready_instance_stays() {
    // One of two old instances is being stopped, and the platform has not said which; the new set is dead.
    let plan = plan(Preset::Direct, 1);
    let mut o = seen([SetSeen { total: 2, ..set(1, 1, 1) }, set(2, 1, 0)], Route::plain(Split::all(1, 1)));
    let stop = Write::Resize { slot: 0, to: 0, rev: Rev(1), pin: false };
    let hold = Write::Route(Route::NOWHERE);
    let status = status(1, [1, 2], [true, true], retire());
    assert_eq!(permit(&plan.limits, &o, &stop), Err(Refusal::Floor));
    assert_eq!(permit(&plan.limits, &o, &hold), Err(Refusal::Capacity), "it may still serve");
    assert_eq!(decide(&plan, &status, &o), Decision::Wait(WaitingOn::Ready(1)), "both keys count alike");
    (o.set[0].ready, o.set[0].healthy) = (0, 0);
    assert_eq!(permit(&plan.limits, &o, &stop), Ok(()));
    assert_eq!(permit(&plan.limits, &o, &hold), Ok(()));
    assert_eq!(decide(&plan, &status, &o), Decision::Ask(stop), "nothing can be lost any more");
}

#[test]
fn what_a_share_reaches_keeps_its_instances() {
    // The service had two instances when the rollout began, and its plan keeps one.
    let plan = plan(Preset::Weights(vec![WeightStep { weight: 5_000, accept: checks() }]), 1);
    let leased = |split| Route { split, fallback: Some(Split::all(0, 1)), lease: true };
    let mut o = seen([set(1, 2, 2), set(2, 1, 1)], leased(Split::share_to(1, 5_000)));
    let at = status(0, [1, 2], [true, false], step(0, false));
    assert_eq!(saved(decide(&plan, &at, &o)).phase, step(0, true), "the second one is no reason to wait");
    o.route.accepted = leased(Split::all(1, 1));
    let at = status(0, [1, 2], [true, false], step(1, false));
    let lower = Write::Resize { slot: 0, to: 1, rev: Rev(1), pin: true };
    assert_eq!(decide(&plan, &at, &o), Decision::Ask(lower), "it goes when the share has gone");
}

#[test]
fn an_unseen_set_may_have_open_requests() {
    let plan = plan(Preset::Direct, 1);
    let status = status(1, [1, 2], [true, true], retire());
    let mut o = seen([SetSeen { fresh: false, ..set(1, 1, 1) }, set(2, 1, 1)], Route::plain(Split::all(1, 1)));
    let stop = Write::Resize { slot: 0, to: 0, rev: Rev(1), pin: false };
    let rewrite = Write::Rewrite { slot: 0, rev: Rev(2) };
    assert_eq!(permit(&plan.limits, &o, &stop), Err(Refusal::Busy(0)));
    assert_eq!(permit(&plan.limits, &o, &rewrite), Err(Refusal::Busy(0)));
    assert_eq!(decide(&plan, &status, &o), Decision::Wait(WaitingOn::Drained(0)), "both keys count alike");
    o.set[0].fresh = true;
    assert_eq!(permit(&plan.limits, &o, &rewrite), Ok(()));
    assert_eq!(decide(&plan, &status, &o), Decision::Ask(stop), "it is seen to be idle");
}

#[test]
fn where_there_is_room_for_one_the_old_set_had_to_go() {
    // Somebody wrote the route to the slot that was emptied, and the new set is ready.
    let plan = plan(Preset::InPlace { after: checks() }, 1);
    let status = status(0, [1, 2], [true, false], step(0, false));
    let o = seen([SetSeen::EMPTY, set(2, 1, 1)], Route::plain(Split::all(0, 1)));
    let write = Route::plain(Split::all(1, 1));
    assert_eq!(route(decide(&plan, &status, &o)), write);
    assert_eq!(permit(&plan.limits, &o, &Write::Route(write)), Ok(()));
}

#[test]
fn a_window_does_not_end_before_its_way_back_is_seen() {
    // After a restart: the window is due, the analysis failed, and the view of the old set has not come yet.
    let plan = plan(Preset::Direct, 1);
    let status = status(1, [1, 2], [true, true], window());
    let warm = Route { split: Split::all(1, 1), fallback: Some(Split::all(0, 1)), lease: false };
    let mut o = seen([unseen(), set(2, 1, 1)], warm);
    (o.due.window, o.verdict) = (true, judged(0, Verdict::Fail));
    assert_eq!(decide(&plan, &status, &o), Decision::Wait(WaitingOn::Ready(0)));
    o.set[0] = set(1, 1, 1);
    let back = saved(decide(&plan, &status, &o));
    assert_eq!((back.good, back.phase), (0, Phase::Back { why: Why::Verdict, keep: false }));
}

#[test]
fn only_what_carried_everything_is_promoted() {
    // A person gave the canary a share of its own in the last step, and the analysis passed.
    let plan = plan(Preset::Weights(vec![WeightStep { weight: 5_000, accept: checks() }]), 1);
    let home = Split::all(0, 1);
    let shared = |share| Route { split: Split::share_to(1, share), fallback: Some(home), lease: true };
    for (share, accepted) in [(0, Route::plain(home)), (2_500, shared(2_500)), (FULL, shared(FULL))] {
        let at = InStep { reached: true, weight: Some(share), ..InStep::begin(1, 0) };
        let mut o = seen([set(1, 1, 1), set(2, 1, 1)], accepted);
        o.verdict = judged(1, Verdict::Pass);
        let next = saved(decide(&plan, &status(0, [1, 2], [true, false], Phase::Step(at)), &o));
        if share == FULL {
            assert_eq!((next.good, next.phase), (1, Phase::Settling { leg: Leg::Window, step: 1, attempt: 0 }));
        } else {
            assert_eq!(next.phase, Phase::Step(InStep::begin(1, 1)), "the same step again, with the plan's target");
        }
    }
}

/// A service that rests in slot 0; its new revision serves in slot 1, and the old set has to become a copy.
fn away() -> (Plan, Status, Observation) {
    let plan = plan(Preset::Direct, 1).with_home(0, vec![]).unwrap();
    let status = status(1, [1, 2], [true, true], window());
    let mut o = seen([set(1, 1, 1), set(2, 1, 1)], Route::plain(Split::all(1, 1)));
    o.due.window = true;
    let home = saved(decide(&plan, &status, &o));
    assert_eq!(home.phase, Phase::Settling { leg: Leg::Home, step: 0, attempt: 0 });
    o.due = Timers::default();
    (plan, home, o)
}

#[test]
fn a_copy_that_is_refused_for_good_has_a_deadline() {
    let (plan, status, mut o) = away();
    assert!(status.armed.healthy, "the time of the copy begins with the way home, not with its first instance");
    let rewrite = Decision::Ask(Write::Rewrite { slot: 0, rev: Rev(2) });
    assert_eq!(decide(&plan, &status, &o), rewrite);
    o.failed = Some(WriteError::Platform);
    assert_eq!(decide(&plan, &status, &o), rewrite);
    o.due.healthy = true;
    let halted = Phase::Halted { from: Interrupted::Home { step: 0, attempt: 0 } };
    assert_eq!(saved(decide(&plan, &status, &o)).phase, halted);
}

#[test]
fn until_it_is_rewritten_the_old_set_is_the_way_back() {
    let (plan, status, mut o) = away();
    assert_eq!(decide(&plan, &status, &o), Decision::Ask(Write::Rewrite { slot: 0, rev: Rev(2) }));
    let rewritten = seen([set(2, 1, 0), set(2, 1, 1)], o.route.accepted);
    let noted = saved(decide(&plan, &status, &rewritten));
    assert_eq!((noted.rev, noted.proven), ([Some(Rev(2)); 2], [false, true]), "it is a copy when it is seen as one");
    (o.set[1].ready, o.set[1].healthy) = (0, 0);
    let back = saved(decide(&plan, &status, &o));
    assert_eq!((back.good, back.phase), (0, Phase::Back { why: Why::Unready, keep: false }));
    (o.set[0].fresh, o.verdict) = (false, judged(0, Verdict::Fail));
    assert_eq!(decide(&plan, &status, &o), Decision::Wait(WaitingOn::Ready(0)), "it may be rewritten already");
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

#[test]
fn who_promotes_out_of_a_halt_is_not_undone_by_what_was_asked_for_before() {
    // The old revision is wanted again and dead; a person took the canary instead.
    let plan = plan(Preset::Weights(vec![WeightStep { weight: 5_000, accept: checks() }]), 2);
    let promoted = Phase::Settling { leg: Leg::Window, step: StepKey::NONE, attempt: 0 };
    let at = status(1, [1, 2], [true; 2], promoted);
    let mut o = seen([set(1, 2, 0), set(2, 2, 2)], Route::plain(Split::all(1, 2)));
    (o.intent.wanted, o.intent.abort) = (Rev(1), Some(1));
    o.verdict = Some((StepKey { rollout: 1, step: StepKey::NONE, attempt: 0 }, Verdict::Fail));
    let next = saved(decide(&plan, &at, &o));
    assert_eq!((next.good, next.phase), (1, Phase::Settling { leg: Leg::Retire, step: StepKey::NONE, attempt: 0 }));
    o.set[0] = set(1, 2, 2);
    o.intent = Intent { rollback: Some(1), ..Intent::of(Rev(2)) };
    let window = status(1, [1, 2], [true; 2], window());
    assert_eq!(saved(decide(&plan, &window, &o)).good, 0, "what is asked for after a promotion of its own counts");
}

#[test]
fn an_abort_that_parks_does_not_wait_for_the_canary() {
    let mut plan = plan(Preset::Weights(vec![WeightStep { weight: 5_000, accept: checks() }]), 1);
    plan.on_abort = OnAbort::Park;
    let at = status(0, [1, 2], [true, false], Phase::Back { why: Why::Aborted, keep: true });
    let o = seen([set(1, 1, 1), set(2, 1, 0)], Route::plain(Split::all(0, 1)));
    assert!(matches!(saved(decide(&plan, &at, &o)).phase, Phase::Parked { .. }));
}

#[test]
fn where_there_is_room_for_one_nothing_is_parked() {
    let mut plan = plan(Preset::InPlace { after: checks() }, 1);
    plan.on_abort = OnAbort::Park;
    let at = status(0, [1, 2], [true, false], Phase::Back { why: Why::Aborted, keep: true });
    let mut o = seen([SetSeen::EMPTY, set(2, 1, 1)], Route::plain(Split::all(1, 1)));
    o.intent.abort = Some(1);
    assert_eq!(route(decide(&plan, &at, &o)), Route::NOWHERE, "the canary goes, so that the old one can come back");
}

#[test]
fn what_somebody_else_gives_the_canary_is_not_its_loss() {
    // A route written from outside names two instances of a canary that was to have one.
    let plan = plan(Preset::CanaryKept { one_by_one: true, first: checks(), each: Accept::default() }, 2);
    let at = status(0, [1, 2], [true, false], step(0, true));
    let given = plan.steps[0].target.route;
    let edited = Route::plain(Split::Members([2, 2]));
    let o = seen([set(1, 2, 2), set(2, 1, 1)], edited);
    assert_eq!(
        decide(&plan, &at, &o),
        Decision::Ask(Write::Route(given)),
        "the step's own route again, the same attempt"
    );
    let o = seen([set(1, 2, 2), set(2, 1, 0)], given);
    let Phase::Step(next) = saved(decide(&plan, &at, &o)).phase else { panic!("it goes on") };
    assert_eq!((next.lost, next.attempt), (1, 1), "an instance that failed is");
}

#[test]
fn a_copy_gets_nothing_by_somebody_elses_route() {
    // A route written from outside names an instance of the slot in which the copy is going to start.
    let plan = plan(kept(), 1).with_home(0, vec![]).unwrap();
    let home = Phase::Settling { leg: Leg::Home, step: 0, attempt: 0 };
    let at = status(1, [2, 2], [false, true], home);
    let alone = Route::plain(Split::all(1, 1));
    let mut o = seen([SetSeen::EMPTY, set(2, 1, 1)], Route::plain(Split::Members([1, 1])));
    assert_eq!(decide(&plan, &at, &o), Decision::Ask(Write::Route(alone)), "the route first");
    (o.route.accepted, o.route.acked) = (alone, false);
    assert_eq!(decide(&plan, &at, &o), Decision::Wait(WaitingOn::Acknowledged));
    o.route.acked = true;
    let copy = Write::Resize { slot: 0, to: 1, rev: Rev(2), pin: true };
    assert_eq!(decide(&plan, &at, &o), Decision::Ask(copy), "then the copy");
}

#[test]
fn a_correction_on_the_way_home_keeps_the_way_back() {
    // The old set was not rewritten yet when another revision is wanted.
    let plan = plan(Preset::Direct, 2).with_home(0, vec![]).unwrap();
    let home = Phase::Settling { leg: Leg::Home, step: 0, attempt: 0 };
    let at = status(1, [1, 2], [true, true], home);
    let mut o = seen([set(1, 2, 2), set(2, 2, 2)], Route::plain(Split::all(1, 2)));
    o.intent = Intent::of(Rev(3));
    let retiring = saved(decide(&plan, &at, &o));
    assert_eq!(retiring.phase, Phase::Settling { leg: Leg::Retire, step: 0, attempt: 0 });
    (o.set[1].ready, o.set[1].healthy) = (1, 1);
    let back = saved(decide(&plan, &retiring, &o));
    assert_eq!((back.good, back.phase), (0, Phase::Back { why: Why::Unready, keep: false }));
    o.set[0].fresh = false;
    assert!(!matches!(decide(&plan, &at, &o), Decision::Save(..)), "it may be rewritten already");
    o.set[0] = set(2, 2, 0);
    assert_eq!(saved(decide(&plan, &at, &o)).phase, Phase::Idle, "a copy that nobody needs is no way back");
}

#[test]
fn where_there_is_room_for_one_a_parked_route_is_repaired() {
    // A route written from outside goes to the empty slot; then a person parked the rollout.
    let plan = plan(Preset::InPlace { after: checks() }, 1);
    let parked = Phase::Parked { split: Split::all(1, 1), step: 0, attempt: 0 };
    let at = status(0, [1, 2], [true, false], parked);
    let mut o = seen([set(1, 1, 1), SetSeen::EMPTY], Route::plain(Split::all(1, 1)));
    let serves = Route::plain(Split::all(0, 1));
    assert_eq!(route(decide(&plan, &at, &o)), serves, "what is there serves");
    o.route.accepted = serves;
    assert!(matches!(decide(&plan, &at, &o), Decision::Wait(_)), "and goes on serving");
}
