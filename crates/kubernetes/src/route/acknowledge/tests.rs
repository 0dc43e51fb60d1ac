//! What data planes, requests and time make of a split that was written.
use super::*;
use crate::route::Ours;
use crate::route::marks::{Fence, Past};
use crate::route::seen::{Seen, seen};
use serin_rollout::{Route, Split};

const HOME: Split = Split::Weighted([10_000, 0]);

fn written(split: Split, older: &[(u64, Split)]) -> Seen {
    let ours = Ours { namespace: String::new(), apex: String::new(), service: Default::default(), port: 1 };
    Seen {
        accepted: Route::plain(split),
        settled: true,
        splits: vec![split],
        older: older.iter().map(|(generation, split)| Past { generation: *generation, split: *split }).collect(),
        fence: Fence { epoch: 1, generation: 9 },
        least_epoch: 1,
        routes: 1,
        has_parents: true,
        ..seen(&[], &ours, None)
    }
}

fn known(seen: &Seen, requests: Option<Pair<u64>>, since_ms: u64) -> Known<'_> {
    let window = Window { number: 0, ms: since_ms, requests };
    Known { seen, planes: &[], window, requests: requests.map(|r| r[0] + r[1]), since_ms }
}

fn strength(answer: &Answer) -> Option<(Strength, bool)> {
    match answer {
        Answer::Acknowledged { strength, retires, .. } => Some((*strength, *retires)),
        Answer::Missing { .. } => None,
    }
}

fn missing(answer: Answer) -> (Vec<String>, Vec<Split>, bool) {
    match answer {
        Answer::Missing { what, still, next_window } => (what, still, next_window),
        Answer::Acknowledged { .. } => panic!("{answer:?}"),
    }
}

#[test]
fn every_data_plane_has_to_say_so() {
    let quarter = Split::share_to(1, 2_500);
    let seen = written(HOME, &[(7, Split::share_to(1, 5_000)), (8, quarter)]);
    let plane = |name: &str, generation| Plane { name: name.to_owned(), generation };
    let ask = |planes: &[Plane]| acknowledge(&Known { planes, ..known(&seen, None, 1_000) });
    assert_eq!(strength(&ask(&[plane("a", Some(9)), plane("b", Some(9))])), Some((Strength::Dataplane, true)));
    let (what, still, _) = missing(ask(&[plane("a", Some(9)), plane("b", Some(8))]));
    assert_eq!((what, still), (vec!["b applies generation 8, and 9 is written".to_owned()], vec![quarter]));
    let (_, still, _) = missing(ask(&[plane("a", Some(9)), plane("b", None)]));
    assert_eq!(still.len(), 2, "of one that says nothing everything older is possible");
    let edited = Seen { edited: true, ..seen.clone() };
    let planes = [plane("a", Some(9))];
    assert!(
        !acknowledge(&Known { planes: &planes, ..known(&edited, None, 1_000) }).acknowledged(),
        "not what is there"
    );
    let late = Known { planes: &[plane("b", Some(8))], ..known(&seen, Some([0, 0]), 1_000_000) };
    assert!(!acknowledge(&late).acknowledged(), "time does not outweigh what is known");
}

#[test]
fn gateways_come_first() {
    let mut seen = written(HOME, &[]);
    let planes = [Plane { name: "a".to_owned(), generation: Some(9) }];
    seen.has_parents = false;
    assert!(!acknowledge(&Known { planes: &planes, ..known(&seen, None, 1_000_000) }).acknowledged());
    seen.has_parents = true;
    seen.settled = false;
    assert!(!acknowledge(&Known { planes: &planes, ..known(&seen, None, 1_000_000) }).acknowledged());
    seen.settled = true;
    seen.routes = 0;
    let (what, _, _) = missing(acknowledge(&known(&seen, None, 1_000_000)));
    assert_eq!(what, ["there is no HTTPRoute that names our Services"]);
}

#[test]
fn requests_are_counted() {
    let quarter = Split::share_to(1, 2_500);
    let seen = written(HOME, &[(8, quarter)]);
    let ask = |requests| acknowledge(&known(&seen, Some(requests), 2_000));
    assert_eq!(strength(&ask([10_000, 0])), Some((Strength::Measured, true)));
    let (what, still, next) = missing(ask([50, 0]));
    assert!(what[0].starts_with("50 of ") && what[1] == "2.0 s of 30.0 s have gone by", "{what:?}");
    assert_eq!((still, next), (vec![quarter], false));
    let (what, _, next) = missing(ask([10_000, 1]));
    assert!(next, "a window in which one went there is closed: {what:?}");
    let (_, _, next) = missing(acknowledge(&known(&seen, Some([9_000, 1_000]), 60_000)));
    assert!(next, "and time does not outweigh it");
    let short =
        Known { window: Window { number: 3, ms: 7_999, requests: Some([10_000, 0]) }, ..known(&seen, None, 2_000) };
    assert!(!acknowledge(&short).acknowledged(), "the fourth window takes 8 s");
    let split = written(quarter, &[(8, HOME)]);
    assert_eq!(strength(&acknowledge(&known(&split, Some([7_500, 2_500]), 2_000))), Some((Strength::Measured, true)));
    assert!(missing(acknowledge(&known(&split, Some([7_950, 2_050]), 2_000))).2, "an eighth less is not a quarter");
}

#[test]
fn one_of_four_on_the_old_split_is_not_overlooked() {
    let quarter = Split::share_to(1, 2_500);
    let seen = written(HOME, &[(8, quarter)]);
    // One of four data planes still divides by the older one: a sixteenth goes to the canary.
    for total in [200_u64, 1_000, 100_000] {
        let counts = [total - total / 16, total / 16];
        assert!(!acknowledge(&known(&seen, Some(counts), 100_000)).acknowledged(), "{total}");
    }
}

#[test]
fn time_is_weaker() {
    let quarter = Split::share_to(1, 2_500);
    let seen = written(HOME, &[(8, quarter)]);
    assert_eq!(strength(&acknowledge(&known(&seen, None, SURE_MS - 1))), None);
    assert_eq!(strength(&acknowledge(&known(&seen, None, SURE_MS))), Some((Strength::Time, false)), "nobody counts");
    assert_eq!(strength(&acknowledge(&known(&seen, Some([3, 0]), SURE_MS))), Some((Strength::Time, false)));
    assert_eq!(
        strength(&acknowledge(&known(&seen, Some([0, 0]), SURE_MS))),
        Some((Strength::Time, true)),
        "no traffic"
    );
    let weak = acknowledge(&known(&seen, Some([3, 0]), SURE_MS));
    assert!(seen.told(&weak).acked);
    let strict = weak.strictly(&seen);
    assert!(!seen.told(&strict).acked && seen.told(&strict).in_force == [HOME, quarter]);
    let first = written(HOME, &[]);
    assert_eq!(strength(&acknowledge(&known(&first, None, SURE_MS))), Some((Strength::Time, true)), "nothing is older");
}

#[test]
fn a_split_that_comes_back_takes_time_as_well() {
    let quarter = Split::share_to(1, 2_500);
    let seen = written(HOME, &[(7, HOME), (8, quarter)]);
    let (what, still, next) = missing(acknowledge(&known(&seen, Some([10_000, 0]), 2_000)));
    assert!(what[0].contains("the same split was there before") && !next, "{what:?}");
    assert_eq!(still, [HOME, quarter]);
    assert_eq!(strength(&acknowledge(&known(&seen, Some([10_000, 0]), SURE_MS))), Some((Strength::Measured, true)));
}

#[test]
fn older_splits_on_both_sides_may_hide_each_other() {
    let seen = written(Split::share_to(1, 2_500), &[(7, HOME), (8, Split::share_to(1, 5_000))]);
    let counts = Some([75_000, 25_000]); // as if one data plane gave the canary nothing, and another one a half
    let (what, _, next) = missing(acknowledge(&known(&seen, counts, 2_000)));
    assert!(what[0].contains("older splits may hide each other") && !next, "{what:?}");
    assert_eq!(strength(&acknowledge(&known(&seen, counts, SURE_MS))), Some((Strength::Measured, true)));
}

#[test]
fn many_looks_do_not_add_up() {
    let window = |number| Window { number, ..Window::default() };
    let spent: u32 = (0..9).map(|number| window(number).alpha_ppm()).sum();
    assert!(spent <= 1_000 && spent > 900, "{spent}");
    assert_eq!((9..12).map(|number| window(number).alpha_ppm()).collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!([0, 1, 9, 10, u32::MAX].map(|n| window(n).least_ms()), [1_000, 2_000, 512_000, 512_000, 512_000]);
}
