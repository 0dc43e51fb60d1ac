//! The second key, case by case.
use super::*;
use crate::observation::{Intent, RouteSeen, SetSeen};
use crate::split::{FULL, Split};
use crate::status::{Rev, Timers};
use alloc::vec;

const LIMITS: Limits = Limits { replicas: 2, floor: 2 };

fn set(rev: u32, count: u16) -> SetSeen {
    let rev = Some(Rev(rev));
    SetSeen { rev, desired: count, total: count, ready: count, healthy: count, busy: 0, pinned: true, fresh: true }
}

fn seen(sets: Pair<SetSeen>, accepted: Split) -> Observation {
    let route = RouteSeen { accepted: Route::plain(accepted), acked: true, in_force: vec![accepted] };
    let intent = Intent::of(Rev(2));
    Observation { claimed: true, set: sets, route, intent, verdict: None, due: Timers::default(), failed: None }
}

fn stop(slot: Slot, rev: u32) -> Write {
    Write::Resize { slot, to: 0, rev: Rev(rev), pin: false }
}

#[test]
fn traffic_needs_ready_instances_that_stay() {
    let half = Write::Route(Route::plain(Split::share_to(1, 5_000)));
    let mut o = seen([set(1, 2), set(2, 2)], Split::all(0, 2));
    assert_eq!(permit(&LIMITS, &o, &half), Ok(()));
    o.set[1].ready = 0;
    assert_eq!(permit(&LIMITS, &o, &half), Err(Refusal::Capacity));
    o.set[1] = SetSeen { fresh: false, ..set(2, 2) };
    assert_eq!(permit(&LIMITS, &o, &half), Err(Refusal::Unpinned(1)), "unknown is not there");
    o.set[1] = SetSeen { pinned: false, ..set(2, 2) };
    assert_eq!(permit(&LIMITS, &o, &half), Err(Refusal::Unpinned(1)));
    o.set[1] = SetSeen { desired: 1, ..set(2, 2) };
    assert_eq!(permit(&LIMITS, &o, &half), Err(Refusal::Unpinned(1)));
}

#[test]
fn a_fallback_is_held_to_the_same_rule() {
    let route = |fallback| Route { split: Split::all(1, 2), fallback: Some(fallback), lease: true };
    let mut o = seen([set(1, 2), set(2, 2)], Split::share_to(1, 5_000));
    assert_eq!(permit(&LIMITS, &o, &Write::Route(route(Split::all(0, 2)))), Ok(()));
    o.set[0].ready = 0;
    assert_eq!(permit(&LIMITS, &o, &Write::Route(route(Split::all(0, 2)))), Err(Refusal::Capacity));
    assert_eq!(permit(&LIMITS, &o, &Write::Route(route(Split::all(1, 2)))), Ok(()), "the canary may be the way back");
}

#[test]
fn degraded_traffic_goes_where_more_of_it_is_served() {
    let mut o = seen([set(1, 2), set(2, 2)], Split::share_to(1, 500));
    (o.set[0].ready, o.set[1].ready) = (0, 1);
    let to = |split| permit(&LIMITS, &o, &Write::Route(Route::plain(split)));
    assert_eq!(to(Split::all(1, 2)), Ok(()), "half of everything is more than half of 5 %");
    assert_eq!(to(Split::all(0, 2)), Err(Refusal::Capacity));
    assert_eq!(to(Split::share_to(1, 100)), Err(Refusal::Capacity));
    assert_eq!(to(Split::Members([0, 0])), Err(Refusal::Capacity), "requests are not held while something serves");
}

#[test]
fn nothing_is_held_while_something_may_serve() {
    let mut o = seen([set(1, 1), SetSeen::EMPTY], Split::all(0, 2));
    (o.set[0].total, o.set[0].ready) = (2, 1);
    let hold = Write::Route(Route::NOWHERE);
    assert_eq!(permit(&LIMITS, &o, &hold), Err(Refusal::Capacity), "the platform may keep the ready one of the two");
    assert_eq!(permit(&LIMITS, &o, &stop(0, 1)), Err(Refusal::Routed(0)));
    let away = seen([o.set[0], SetSeen::EMPTY], Split::all(1, 2));
    assert_eq!(permit(&LIMITS, &away, &stop(0, 1)), Err(Refusal::Floor), "it may be the last one");
    (o.set[0].total, o.set[0].ready) = (1, 0);
    assert_eq!(permit(&LIMITS, &o, &hold), Ok(()));
}

#[test]
fn a_set_that_carries_traffic_stays_pinned_when_it_shrinks() {
    let lower = Write::Resize { slot: 0, to: 1, rev: Rev(1), pin: false };
    let o = seen([set(1, 2), set(2, 1)], Split::Members([1, 1]));
    assert_eq!(permit(&LIMITS, &o, &lower), Err(Refusal::Unpinned(0)));
}

#[test]
fn nothing_that_may_get_requests_is_stopped() {
    let o = seen([set(1, 2), set(2, 2)], Split::share_to(1, 500));
    assert_eq!(permit(&LIMITS, &o, &stop(1, 2)), Err(Refusal::Routed(1)));
    let mut o = seen([set(1, 2), set(2, 2)], Split::all(0, 2));
    assert_eq!(permit(&LIMITS, &o, &stop(1, 2)), Ok(()));
    o.route.acked = false;
    assert_eq!(permit(&LIMITS, &o, &stop(1, 2)), Err(Refusal::Unacknowledged));
    let mut o = seen([set(1, 2), set(2, 2)], Split::all(0, 2));
    o.route.accepted.fallback = Some(Split::all(1, 2));
    assert_eq!(permit(&LIMITS, &o, &stop(1, 2)), Err(Refusal::Routed(1)), "a fallback is in force");
    let mut o = seen([set(1, 2), set(2, 2)], Split::all(0, 2));
    o.route.in_force.push(Split::share_to(1, 1));
    assert_eq!(permit(&LIMITS, &o, &stop(1, 2)), Err(Refusal::Routed(1)), "a data plane is late");
}

#[test]
fn open_requests_are_waited_for_until_their_deadline() {
    let mut o = seen([set(1, 2), set(2, 2)], Split::all(0, 2));
    o.set[1].busy = 1;
    assert_eq!(permit(&LIMITS, &o, &stop(1, 2)), Err(Refusal::Busy(1)));
    o.due.drain = true;
    assert_eq!(permit(&LIMITS, &o, &stop(1, 2)), Ok(()));
}

#[test]
fn the_last_full_capacity_stays() {
    let mut o = seen([set(1, 2), set(2, 2)], Split::all(0, 2));
    o.set[0].ready = 1;
    assert_eq!(permit(&LIMITS, &o, &stop(1, 2)), Err(Refusal::Floor), "1898: the survivor is not whole");
    o.set[1].ready = 0;
    assert_eq!(permit(&LIMITS, &o, &stop(1, 2)), Ok(()), "nothing healthy is lost");
    o.set[1].fresh = false;
    assert_eq!(permit(&LIMITS, &o, &stop(1, 2)), Err(Refusal::Busy(1)), "unknown is not idle");
    o.due.drain = true;
    assert_eq!(permit(&LIMITS, &o, &stop(1, 2)), Err(Refusal::Floor), "nor is it empty");
}

#[test]
fn one_member_may_go_when_the_rest_carry_everything() {
    let lower = Write::Resize { slot: 0, to: 1, rev: Rev(1), pin: true };
    let o = seen([set(1, 2), set(2, 1)], Split::Members([1, 1]));
    assert_eq!(permit(&LIMITS, &o, &lower), Ok(()));
    let o = seen([set(1, 2), set(2, 1)], Split::Members([2, 1]));
    assert_eq!(permit(&LIMITS, &o, &lower), Err(Refusal::Routed(0)), "4745: route it away first");
    let mut o = seen([set(1, 2), set(2, 1)], Split::Members([1, 1]));
    o.set[1].ready = 0;
    assert_eq!(permit(&LIMITS, &o, &lower), Err(Refusal::Needed(0)));
}

#[test]
fn a_set_that_exists_keeps_its_revision() {
    let o = seen([set(1, 2), set(2, 2)], Split::all(0, 2));
    let grow = Write::Resize { slot: 1, to: 3, rev: Rev(3), pin: true };
    assert_eq!(permit(&LIMITS, &o, &grow), Err(Refusal::Occupied(1)));
    let mut o = seen([set(1, 2), SetSeen::EMPTY], Split::all(0, 2));
    assert_eq!(permit(&LIMITS, &o, &grow), Ok(()));
    o.set[1].fresh = false;
    assert_eq!(permit(&LIMITS, &o, &grow), Err(Refusal::Occupied(1)), "a stale view is never empty");
}

#[test]
fn a_rewrite_needs_an_unrouted_set_and_a_whole_other_one() {
    let rewrite = Write::Rewrite { slot: 0, rev: Rev(2) };
    let mut o = seen([set(1, 2), set(2, 2)], Split::all(1, 2));
    assert_eq!(permit(&LIMITS, &o, &rewrite), Ok(()));
    o.set[1].ready = 1;
    assert_eq!(permit(&LIMITS, &o, &rewrite), Err(Refusal::NotWhole(1)));
    o.set[1].ready = 2;
    o.set[0].busy = 1;
    assert_eq!(permit(&LIMITS, &o, &rewrite), Err(Refusal::Busy(0)), "somebody is still served by it");
    o.due.drain = true;
    assert_eq!(permit(&LIMITS, &o, &rewrite), Ok(()));
    let mut o = seen([set(1, 2), set(2, 2)], Split::all(1, 2));
    o.set[0].fresh = false;
    assert_eq!(permit(&LIMITS, &o, &rewrite), Err(Refusal::Busy(0)), "unknown is not idle");
    let o = seen([set(1, 2), set(2, 2)], Split::share_to(1, FULL - 1));
    assert_eq!(permit(&LIMITS, &o, &rewrite), Err(Refusal::Routed(0)));
}

#[test]
fn a_set_is_handed_back_to_others_only_at_rest() {
    let unpin = Write::Resize { slot: 0, to: 2, rev: Rev(1), pin: false };
    let mut o = seen([set(1, 2), set(2, 2)], Split::all(0, 2));
    assert_eq!(permit(&LIMITS, &o, &unpin), Ok(()));
    o.route.acked = false;
    assert_eq!(permit(&LIMITS, &o, &unpin), Err(Refusal::Unacknowledged));
    let o = seen([set(1, 2), set(2, 2)], Split::share_to(1, 500));
    assert_eq!(permit(&LIMITS, &o, &unpin), Err(Refusal::Unpinned(0)));
}
