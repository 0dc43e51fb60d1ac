//! Turns, ejection and the circuit, without a network.
use super::*;
use crate::protocol::{Endpoint as Described, SlotTable};
use crate::registry::Registry;

fn table(split: Split, sizes: [u16; 2]) -> Table {
    let slot = |track, letter: char, size: u16, port: u16| SlotTable {
        track,
        endpoints: (0..size)
            .map(|n| Described { id: format!("{letter}{n}"), address: ([127, 0, 0, 1], port + n).into(), ready: true })
            .collect(),
    };
    Table {
        epoch: 1,
        version: 1,
        generation: 1,
        split,
        fallback: None,
        lease_ms: None,
        slots: [slot(Track::Stable, 'a', sizes[0], 1000), slot(Track::Canary, 'b', sizes[1], 2000)],
        settings: Settings::default(),
    }
}

fn route(table: Table, now: Instant) -> Route {
    let plan = Registry::new(1).plan(&Arc::new(table)).remove(0);
    Route::new(plan, &mut HashMap::new(), now)
}

fn moment(now: Instant) -> Moment {
    Moment { now, falling_back: false, unheard: false }
}

#[test]
fn shares_are_exact_in_every_prefix_and_across_tables() {
    let (now, turns) = (Instant::now(), Turns::default());
    for second in [0, 1, 100, 2_500, 3_333, 9_999, 10_000] {
        let route = route(table(Split::Weighted([10_000 - second, second]), [1, 1]), now);
        let mut got = 0;
        for n in 1..=20_000_u64 {
            got += route.choose(&turns, moment(now)).expect("not held") as u64;
            let exact = n * u64::from(second);
            assert!((got * 10_000).abs_diff(exact) <= 10_000, "{second}: {got} of {n}");
        }
        assert!(second % 10_000 != 0 || got == 2 * u64::from(second), "{got}");
    }
    let members = route(table(Split::Members([3, 2]), [3, 4]), now);
    let got: usize = (0..500).map(|_| members.choose(&turns, moment(now)).expect("not held")).sum();
    assert!(got.abs_diff(200) <= 1, "{got}");
    assert_eq!(route(table(Split::Members([0, 0]), [3, 4]), now).choose(&turns, moment(now)), None);
}

#[test]
fn a_table_with_each_request_still_gives_the_share() {
    let (now, turns) = (Instant::now(), Turns::default());
    let mut got = 0;
    for n in 0..1000 {
        let split = if n % 2 == 0 { Split::Weighted([9_000, 1_000]) } else { Split::Members([9, 1]) };
        got += route(table(split, [9, 1]), now).choose(&turns, moment(now)).expect("not held");
    }
    assert!(got.abs_diff(100) <= 1, "{got}");
}

#[test]
fn at_most_half_is_ejected_and_never_the_last_one() {
    let now = Instant::now();
    for size in 1..=5_u16 {
        let route = route(table(Split::Weighted([10_000, 0]), [size, 0]), now);
        for _ in 0..3 {
            route.slots[0].endpoints.iter().for_each(|e| route.failed(e, now));
        }
        let out = route.slots[0].endpoints.iter().filter(|e| e.upstream.is_ejected(now)).count();
        assert_eq!(out, usize::from(size / 2), "of {size}");
        assert!(route.is_broken(0, moment(now)));
        let turns = Turns::default();
        let asked: Vec<usize> = (0..20)
            .map(|_| route.candidate(0, &turns, moment(now), &Tried::default(), false).expect("somebody"))
            .map(|e| route.slots[0].endpoints.iter().position(|x| Rc::ptr_eq(x, &e)).expect("of the slot"))
            .collect();
        let distinct: std::collections::HashSet<_> = asked.iter().collect();
        assert_eq!(distinct.len(), usize::from(size - size / 2), "{asked:?}");
    }
}

#[test]
fn a_back_off_grows_one_request_probes_and_success_ends_it() {
    let now = Instant::now();
    let route = route(table(Split::Weighted([10_000, 0]), [2, 0]), now);
    let (turns, tried) = (Turns::default(), Tried::default());
    let bad = &route.slots[0].endpoints[0];
    (0..3).for_each(|_| route.failed(bad, now));
    let picks = |at: Instant| {
        let pick = |_| route.candidate(0, &turns, moment(at), &tried, false).expect("somebody");
        (0..10).map(pick).filter(|e| Rc::ptr_eq(e, bad)).count()
    };
    assert_eq!(picks(now), 0);
    let later = now + Duration::from_millis(1001);
    assert_eq!(picks(later), 1, "one request tries it");
    route.failed(bad, later);
    assert_eq!(picks(later + Duration::from_millis(1500)), 0, "the back-off has doubled");
    let last = later + Duration::from_millis(2001);
    assert_eq!(picks(last), 1);
    bad.upstream.succeeded();
    assert_eq!(picks(last), 5);
    assert!(!route.is_broken(0, moment(last)));
}

#[test]
fn the_fallback_answers_only_where_it_sends_something() {
    let (now, turns, tried) = (Instant::now(), Turns::default(), Tried::default());
    let mut described = table(Split::Weighted([5_000, 5_000]), [1, 1]);
    assert!(route(described.clone(), now).other(1, &turns, moment(now), &tried).is_none());
    described.fallback = Some(Split::Members([1, 0]));
    let route = route(described, now);
    assert_eq!(route.other(1, &turns, moment(now), &tried).map(|e| e.slot), Some(0));
    assert!(route.other(0, &turns, moment(now), &tried).is_none());
    let lapsed = Moment { falling_back: true, ..moment(now) };
    assert!((0..10).all(|_| route.choose(&turns, lapsed) == Some(0)));
}

#[test]
fn readiness_counts_unless_no_controller_was_heard() {
    let (now, turns, tried) = (Instant::now(), Turns::default(), Tried::default());
    let mut described = table(Split::Weighted([10_000, 0]), [2, 0]);
    described.slots[0].endpoints[0].ready = false;
    let one = route(described.clone(), now);
    let unheard = Moment { unheard: true, ..moment(now) };
    for at in [moment(now), unheard] {
        let pick = |_| one.candidate(0, &turns, at, &tried, false).expect("the ready one");
        assert!((0..4).map(pick).all(|e| e.upstream.instance.id == "a1"));
    }
    described.slots[0].endpoints[1].ready = false;
    let none = route(described, now);
    assert!(none.candidate(0, &turns, moment(now), &tried, true).is_none());
    assert!(none.candidate(0, &turns, unheard, &tried, false).is_some());
}
