//! What a rule is, whatever stands in it.
use super::*;
use serde_json::json;

fn rule(backends: Value) -> Rule {
    let route = json!({"metadata": {"namespace": "prod"}, "spec": {"rules": [{"backendRefs": backends}]}});
    rules(&route, &Ours::of_a_shop()).remove(0)
}

#[test]
fn a_rule_is_what_it_names() {
    let named = |names: &[&str]| rule(names.iter().map(|name| json!({"name": name})).collect()).kind();
    assert_eq!(named(&["shop-canary", "shop-primary", "other"]), Kind::Divides);
    assert_eq!(named(&["shop-primary"]), Kind::Lone(0));
    assert_eq!(named(&["shop-canary", "shop-canary"]), Kind::Lone(1));
    assert_eq!(named(&["shop", "other"]), Kind::Apex);
    assert_eq!(named(&["shop", "shop"]), Kind::Mixed);
    assert_eq!(named(&["shop", "shop-canary"]), Kind::Mixed);
    assert_eq!(named(&["shop-primary", "shop-primary", "shop-canary"]), Kind::Mixed);
    assert_eq!(named(&["other"]), Kind::Foreign);
    assert_eq!(named(&[]), Kind::Foreign);
}

#[test]
fn what_has_our_name_elsewhere_is_not_ours() {
    let of = |more: Value| {
        let mut one = json!({"name": "shop-primary"});
        one.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        rule(json!([one])).kind()
    };
    assert_eq!(of(json!({"namespace": "prod", "group": "", "kind": "Service", "port": 1})), Kind::Lone(0));
    assert_eq!(of(json!({"namespace": null, "group": null, "kind": null})), Kind::Lone(0));
    assert_eq!(of(json!({"namespace": "test"})), Kind::Foreign);
    assert_eq!(of(json!({"kind": "ServiceImport"})), Kind::Foreign);
    assert_eq!(of(json!({"group": "multicluster.x-k8s.io"})), Kind::Foreign);
    assert_eq!(of(json!({"kind": 7})), Kind::Foreign);
    let away = json!({"metadata": {"namespace": "gate"}, "spec": {"rules": [{"backendRefs": [
        {"name": "shop-primary", "namespace": "prod"}, {"name": "shop-canary"}]}]}});
    assert_eq!(
        rules(&away, &Ours::of_a_shop())[0].kind(),
        Kind::Lone(0),
        "the namespace of a backend is that of its route"
    );
}

#[test]
fn an_absent_weight_is_one_and_a_wrong_one_is_none() {
    let weights = |weight: Value| {
        rule(json!([{"name": "shop-primary"}, {"name": "shop-canary", "weight": weight}])).weights(None)
    };
    assert_eq!(weights(json!(3)), Some([1, 3]));
    assert_eq!(weights(Value::Null), Some([1, 1]));
    for wrong in [json!("3"), json!(-1), json!(1.5), json!(1_000_001), json!(u64::MAX), json!([])] {
        assert_eq!(weights(wrong.clone()), None, "{wrong}");
    }
}

#[test]
fn the_apex_counts_where_it_leads() {
    let rule = rule(json!([{"name": "shop", "weight": 3}, {"name": "shop-canary", "weight": 1}]));
    assert_eq!(rule.weights(Some(0)), Some([3, 1]));
    assert_eq!(rule.weights(Some(1)), Some([0, 4]));
    assert_eq!(rule.weights(None), None);
}

#[test]
fn weights_and_shares_come_out_as_they_went_in() {
    for share in 0..=FULL {
        let split = Split::share_to(1, share);
        for whole in [10_000, 10_080, 30_000, 999_999] {
            let parts = parts_of(split, whole).expect("shares are weights");
            assert_eq!(parts[0] + parts[1], whole);
            assert_eq!(split_of(parts), split, "{share} of {whole}");
        }
        let few = parts_of(split, 3).expect("shares are weights");
        assert_eq!((few[0] > 0, few[1] > 0), (share < FULL, share > 0), "whoever gets something gets something");
    }
    assert_eq!(parts_of(Split::all(0, 3), 10_000), Some([10_000, 0]));
    assert_eq!(parts_of(Split::all(1, 3), 10_000), Some([0, 10_000]));
    assert_eq!(parts_of(Split::Members([0, 0]), 10_000), Some([0, 0]));
    assert_eq!(parts_of(Split::Members([1, 1]), 10_000), None);
}

#[test]
fn a_share_that_is_nearly_nothing_reaches_its_slot() {
    assert_eq!(split_of([1_000_000, 1]), Split::Weighted([9_999, 1]));
    assert_eq!(split_of([1, 1_000_000]), Split::Weighted([1, 9_999]));
    assert_eq!(split_of([3, 0]), Split::Weighted([10_000, 0]));
    assert_eq!(split_of([0, 0]), Split::Members([0, 0]));
}

#[test]
fn whatever_stands_there_is_read() {
    for wrong in [json!(null), json!([]), json!({"spec": []}), json!({"spec": {"rules": {}}}), json!({"spec": 7})] {
        assert_eq!(rules(&wrong, &Ours::of_a_shop()), Vec::<Rule>::new());
    }
    let odd =
        json!({"spec": {"rules": [null, 7, {"backendRefs": null}, {"backendRefs": [null, 7, "x", {"name": 7}]}]}});
    let kinds: Vec<Kind> = rules(&odd, &Ours::of_a_shop()).iter().map(Rule::kind).collect();
    assert_eq!(kinds, [Kind::Foreign; 4]);
}
