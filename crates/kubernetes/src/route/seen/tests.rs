//! What several rules and routes say, and who wrote it.
use super::*;
use crate::route::http::{Unwritable, claimed, weighed};
use crate::route::marks::{EPOCH, GENERATION, ROUTE};
use serde_json::json;
use serin_rollout::Pair;

fn backends(weights: Pair<u64>) -> Value {
    json!({"backendRefs": [{"name": "shop-primary", "weight": weights[0]}, {"name": "shop-canary", "weight": weights[1]}]})
}

fn route(name: &str, rules: Vec<Value>) -> Value {
    json!({"metadata": {"name": name, "namespace": "prod", "resourceVersion": "1", "generation": 1},
        "spec": {"parentRefs": [{"name": "g"}], "rules": rules}})
}

fn noted(object: &Value, route: Route, generation: u64) -> Value {
    let mut object = object.clone();
    object["metadata"]["annotations"] = json!({EPOCH: "4", GENERATION: generation.to_string(),
        ROUTE: serde_json::to_string(&route).expect("JSON")});
    object
}

fn tenth() -> Route {
    Route { fallback: Some(Split::all(0, 3)), lease: true, ..Route::plain(Split::share_to(1, 1_000)) }
}

fn see(objects: &[Value]) -> Seen {
    seen(objects, &Ours::of_a_shop(), Some(0))
}

#[test]
fn nothing_is_nowhere() {
    let none = see(&[]);
    assert_eq!((none.accepted, none.settled, none.routes), (Route::NOWHERE, false, 0));
    assert!(!none.is_claimed(0));
    assert_eq!(see(&[route("a", vec![json!({"backendRefs": [{"name": "else"}]})])]).routes, 0);
}

#[test]
fn the_note_says_what_weights_cannot() {
    let object = route("a", vec![backends([9, 1])]);
    assert_eq!(see(std::slice::from_ref(&object)).accepted, Route::plain(Split::share_to(1, 1_000)));
    let with = see(&[noted(&object, tenth(), 7)]);
    assert_eq!((with.accepted, with.settled, with.fence), (tenth(), true, Fence { epoch: 4, generation: 7 }));
    let home = noted(&route("a", vec![backends([10_000, 0])]), Route::plain(Split::all(0, 3)), 7);
    assert_eq!(see(&[home]).accepted, Route::plain(Split::all(0, 3)), "members that come to the same");
    let nothing = noted(&route("a", vec![backends([0, 0])]), Route::plain(Split::all(0, 3)), 7);
    assert_eq!(see(&[nothing]).accepted, Route::NOWHERE, "nothing is not everything");
}

#[test]
fn what_somebody_else_wrote_is_what_counts() {
    let edited = noted(&route("a", vec![backends([50, 50])]), tenth(), 7);
    let seen = see(&[edited]);
    assert_eq!(seen.accepted, Route::plain(Split::share_to(1, 5_000)));
    assert!(seen.found[0].message.starts_with("somebody changed the weights"), "{:?}", seen.found);
    assert!(
        seen.edited && seen.older == [Past { generation: 7, split: Split::share_to(1, 1_000) }],
        "what was written is still in force"
    );
    let half = noted(&route("a", vec![backends([90, 10]), backends([50, 50])]), tenth(), 7);
    let seen = see(&[half]);
    assert_eq!(seen.accepted, Route::plain(Split::share_to(1, 5_000)), "one rule of two: it is written again");
    assert!(!seen.settled && seen.splits.len() == 2);
}

#[test]
fn a_route_that_lags_is_the_accepted_one() {
    let new = noted(&route("a", vec![backends([9_000, 1_000])]), tenth(), 7);
    let old = noted(&route("b", vec![backends([10_000, 0])]), Route::plain(Split::all(0, 3)), 6);
    for order in [[new.clone(), old.clone()], [old, new.clone()]] {
        let seen = see(&order);
        assert_eq!((seen.accepted, seen.settled), (Route::plain(Split::all(0, 3)), false));
        assert_eq!(seen.splits.len(), 2);
        assert_eq!(seen.fence.generation, 7);
    }
    let same = noted(&route("b", vec![backends([9_000, 1_000])]), tenth(), 6);
    assert!(!see(&[new, same]).settled, "the generation lags as well");
}

#[test]
fn a_service_alone_is_in_force_all_the_time() {
    let rules = vec![backends([9_000, 1_000]), json!({"backendRefs": [{"name": "shop-primary"}]})];
    let seen = see(&[noted(&route("a", rules), tenth(), 7)]);
    assert_eq!((seen.accepted, seen.settled), (tenth(), true), "it is not written, so it does not keep others from it");
    assert_eq!(seen.splits, [Split::share_to(1, 1_000), Split::share_to(1, 0)]);
    assert!(seen.found[0].to_string().contains("shop-primary stands here without the other one"), "{}", seen.found[0]);
    let taken = Answer::Acknowledged {
        strength: super::super::acknowledge::Strength::Dataplane,
        retires: true,
        because: String::new(),
    };
    assert_eq!(seen.told(&taken).in_force.len(), 2, "also when all is acknowledged");
}

#[test]
fn the_apex_leads_where_its_service_does() {
    let object = route("a", vec![json!({"backendRefs": [{"name": "shop"}]})]);
    let split = |apex| seen(std::slice::from_ref(&object), &Ours::of_a_shop(), apex).splits;
    assert_eq!(split(Some(1)), [Split::share_to(1, 10_000)]);
    assert_eq!(split(Some(0)), [Split::share_to(1, 0)]);
    assert_eq!(split(None), [Split::share_to(0, 10_000), Split::share_to(1, 10_000)], "unknown is not empty");
}

#[test]
fn a_rule_in_which_others_get_everything_has_no_share() {
    let rule = json!({"backendRefs": [{"name": "shop-primary", "weight": 0}, {"name": "shop-canary", "weight": 0}, {"name": "x"}]});
    let seen = see(&[route("a", vec![rule, backends([9, 1])])]);
    assert_eq!(seen.splits, [Split::share_to(1, 1_000)]);
    assert!(seen.settled);
}

#[test]
fn a_later_epoch_keeps_earlier_ones_from_writing() {
    let object = noted(&route("a", vec![backends([9_000, 1_000])]), tenth(), 7);
    let write = |epoch| weighed(&object, &Ours::of_a_shop(), tenth(), Fence { epoch, generation: 8 }, true);
    assert_eq!(write(3), Err(Unwritable::Fenced(4)));
    assert!(write(4).is_ok() && write(5).is_ok());
    assert_eq!(claimed(&object, 3), Err(Unwritable::Fenced(4)));
    assert_eq!(claimed(&object, 4), Ok(None));
    let patch = claimed(&object, 5).expect("it may").expect("it is not claimed yet");
    assert_eq!(patch.json()[1], json!({"op": "add", "path": "/metadata/annotations/serin.dev~1epoch", "value": "5"}));
    assert!(
        see(std::slice::from_ref(&object)).is_claimed(4)
            && !see(&[object, route("b", vec![backends([1, 0])])]).is_claimed(4)
    );
}
