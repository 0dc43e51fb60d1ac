//! Weights, and what is not clear enough to be written.
use super::*;
use crate::route::seen::seen;
use serde_json::json;

fn route(backends: Value) -> Value {
    json!({"metadata": {"name": "a", "namespace": "prod", "resourceVersion": "1"}, "spec": {"rules": [{"backendRefs": backends}]}})
}

fn weights_for(backends: Value, split: Split) -> Result<Vec<u64>, Unwritable> {
    let object = route(backends);
    let rule = rules(&object, &Ours::of_a_shop()).remove(0);
    weights(&rule, split).map(|list| list.unwrap_or_default().into_iter().map(|(_, weight)| weight).collect())
}

fn three(weights: [u64; 3]) -> Value {
    json!([{"name": "shop-primary", "weight": weights[0]}, {"name": "shop-canary", "weight": weights[1]},
        {"name": "x", "weight": weights[2]}])
}

#[test]
fn others_keep_their_share_of_the_whole() {
    let quarter = Split::share_to(1, 2_500);
    assert_eq!(weights_for(three([90, 0, 10]), quarter), Ok(vec![7_560, 2_520, 1_120]));
    assert_eq!(weights_for(three([7_560, 2_520, 1_120]), Split::share_to(1, 0)), Ok(vec![10_080, 0, 1_120]));
    assert_eq!(
        weights_for(three([3, 1, 0]), quarter),
        Ok(vec![7_500, 2_500, 0]),
        "one without weight is not beside us"
    );
    assert_eq!(weights_for(three([1, 0, 1_000_000]), Split::share_to(1, 10_000)), Ok(vec![0, 1, 1_000_000]));
    assert_eq!(
        weights_for(three([1, 0, 1_000_000]), quarter),
        Err(Unwritable::NotCarried { rule: 0, split: quarter }),
        "one part of a million cannot be divided"
    );
    assert_eq!(weights_for(three([1_000_000, 1_000_000, 500_000]), quarter), Ok(vec![750_000, 250_000, 250_000]));
    assert_eq!(weights_for(three([0, 0, 5]), quarter), Ok(vec![]), "where ours get nothing they go on getting nothing");
    let nowhere = Route::NOWHERE.split;
    assert_eq!(weights_for(three([9, 1, 5]), nowhere), Err(Unwritable::NotCarried { rule: 0, split: nowhere }));
    assert_eq!(weights_for(three([9, 1, 0]), nowhere), Ok(vec![0, 0, 0]));
    let wrong = json!([{"name": "shop-primary"}, {"name": "shop-canary"}, {"name": "x", "weight": "5"}]);
    assert_eq!(weights_for(wrong, quarter), Err(Unwritable::Weight(0)));
}

#[test]
fn shares_beside_others_are_within_a_basis_point() {
    for (a, c) in [(1, 1), (90, 10), (7, 3), (333, 1), (9_999, 5_000), (100, 1)] {
        for share in (0..=10_000).step_by(7) {
            let found = weights_for(three([a, 0, c]), Split::share_to(1, share)).expect("it can be written");
            let ours = found[0] + found[1];
            assert_eq!(ours * c, found[2] * a, "{a} beside {c}: the share of others is exact");
            assert!((found[1] * 10_000).abs_diff(u64::from(share) * ours) <= ours, "{found:?} for {share}");
        }
    }
}

#[test]
fn weights_that_are_absent_are_added_and_those_that_are_right_are_not_written() {
    let object = route(json!([{"name": "shop-primary", "port": 80}, {"name": "shop-canary", "weight": 0}]));
    let fence = Fence { epoch: 1, generation: 1 };
    let patch = weighed(&object, &Ours::of_a_shop(), Route::plain(Split::all(0, 2)), fence, true)
        .expect("it can be written")
        .json();
    let of = |i: usize| {
        (patch[i]["op"].as_str().unwrap_or("").to_owned(), patch[i]["path"].as_str().unwrap_or("").to_owned())
    };
    let entry = |op: &str, path: &str| (op.to_owned(), path.to_owned());
    assert_eq!(of(0), entry("test", "/metadata/resourceVersion"));
    assert_eq!(of(1), entry("test", "/spec/rules/0/backendRefs/0/name"));
    assert_eq!(of(2), entry("test", "/spec/rules/0/backendRefs/0/port"));
    assert_eq!(of(3), entry("add", "/spec/rules/0/backendRefs/0/weight"));
    assert_eq!(of(4), entry("test", "/spec/rules/0/backendRefs/1/name"));
    assert_eq!(of(5), entry("add", "/metadata/annotations"));
    assert_eq!(patch.as_array().map(Vec::len), Some(6));
}

#[test]
fn what_is_not_clear_is_not_written() {
    let fence = Fence { epoch: 1, generation: 1 };
    let write =
        |backends: Value| weighed(&route(backends), &Ours::of_a_shop(), Route::plain(Split::all(0, 2)), fence, true);
    let not_ours = Unwritable::NotOurs("shop-primary".to_owned(), "shop-canary".to_owned());
    assert_eq!(write(json!([{"name": "x"}])), Err(not_ours.clone()));
    assert_eq!(write(json!([{"name": "shop-primary"}])), Err(not_ours));
    assert!(matches!(write(json!([{"name": "shop"}, {"name": "shop-canary"}])), Err(Unwritable::Unclear(0, _, _))));
    let mut object = route(three([1, 0, 0]));
    object["metadata"]["resourceVersion"] = json!(null);
    let wish = Route::plain(Split::all(0, 2));
    assert_eq!(weighed(&object, &Ours::of_a_shop(), wish, fence, true), Err(Unwritable::Versionless));
    let both = Route::plain(Split::Members([1, 1]));
    assert!(matches!(
        weighed(&route(three([1, 0, 0])), &Ours::of_a_shop(), both, fence, true),
        Err(Unwritable::NotCarried { .. })
    ));
}

#[test]
fn the_apex_makes_room_for_two() {
    let object = route(
        json!([{"name": "x", "weight": 1}, {"name": "shop", "port": 80, "weight": 3, "filters": [{"type": "Odd"}]}]),
    );
    assert!(concerns(&object, &Ours::of_a_shop()) && !concerns(&route(json!([{"name": "x"}])), &Ours::of_a_shop()));
    let patch = adopted(&object, &Ours::of_a_shop(), 1).expect("it is clear").expect("it names the apex").json();
    assert_eq!(patch[1], json!({"op": "test", "path": "/spec/rules/0/backendRefs/1/name", "value": "shop"}));
    assert_eq!(patch[2], json!({"op": "replace", "path": "/spec/rules/0/backendRefs/1/name", "value": "shop-canary"}));
    let beside = json!({"name": "shop-primary", "port": 80, "weight": 0, "filters": [{"type": "Odd"}]});
    assert_eq!(patch[3], json!({"op": "add", "path": "/spec/rules/0/backendRefs/2", "value": beside}));
    let other = route(json!([{"name": "shop", "port": 81}]));
    assert_eq!(adopted(&other, &Ours::of_a_shop(), 0), Err(Unwritable::Port(0, 81, 80)));
    assert_eq!(seen(&[object], &Ours::of_a_shop(), Some(1)).splits, [Split::share_to(1, 10_000)]);
}

#[test]
fn durations_are_in_the_gateway_s_notation() {
    assert_eq!([0, 500, 90_000, 5_400_500, 86_400_000].map(notated), ["0s", "500ms", "1m30s", "1h30m500ms", "24h"]);
}
