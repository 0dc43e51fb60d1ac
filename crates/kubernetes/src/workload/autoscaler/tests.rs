//! An autoscaler held and given back.
use super::*;
use crate::workload::How;

fn scaler(spec: Value) -> Value {
    let mut object = json!({"metadata": {"name": "shop", "resourceVersion": "1"}, "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}}});
    for (key, value) in spec.as_object().into_iter().flatten() {
        object["spec"][key] = value.clone();
    }
    object
}

/// The object after the change, with what the API server would fill in.
fn after(object: &Value, change: Option<Change>) -> Value {
    let mut object = object.clone();
    let Some(Change { how: How::Patch(patch), .. }) = change else { return object };
    for operation in patch.as_array().into_iter().flatten().skip(1) {
        let path = operation["path"].as_str().unwrap_or_default();
        let (above, key) = path.rsplit_once('/').unwrap_or_default();
        let map = object.pointer_mut(above).and_then(Value::as_object_mut).expect("it is there");
        let key = key.replace("~1", "/");
        if operation["op"] == "remove" {
            map.remove(&key).expect("it is there");
        } else {
            map.insert(key, operation["value"].clone());
        }
    }
    let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let pods = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
    if let Some(behavior) = object.pointer_mut("/spec/behavior").and_then(Value::as_object_mut) {
        let up = json!({"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [pods, percent]});
        behavior.entry("scaleUp").or_insert(up);
        let down = behavior.entry("scaleDown").or_insert(json!({"selectPolicy": "Max"}));
        down.as_object_mut().expect("an object").entry("policies").or_insert(json!([percent]));
    }
    object
}

fn hold_at(object: &Value, size: u16) -> Value {
    after(object, hold(object, size).expect("it can be held"))
}

fn let_go(object: &Value) -> Value {
    after(object, release(object).expect("it can be let go"))
}

#[test]
fn it_becomes_what_it_was() {
    let behavior = json!({"scaleDown": {"selectPolicy": "Min", "stabilizationWindowSeconds": 60, "policies": []}, "scaleUp": {"selectPolicy": "Max"}});
    let disabled = json!({"scaleDown": {"selectPolicy": "Disabled", "policies": []}, "scaleUp": {}});
    for before in [
        scaler(json!({"minReplicas": 2, "maxReplicas": 4})),
        scaler(json!({"minReplicas": 2, "maxReplicas": 4, "behavior": behavior})),
        scaler(json!({"minReplicas": 8, "maxReplicas": 9, "behavior": disabled})),
    ] {
        let held = hold_at(&hold_at(&hold_at(&before, 3), 6), 1);
        assert_eq!(is_held(&held, 4), Ok(true), "{held}");
        let mut free = let_go(&held);
        free["metadata"] = before["metadata"].clone();
        assert_eq!(free, before);
        assert_eq!(release(&free), Ok(None));
    }
}

#[test]
fn it_cannot_lower_what_it_holds() {
    let before = scaler(json!({"minReplicas": 2, "maxReplicas": 4}));
    assert_eq!(is_held(&before, 3), Ok(false));
    let held = hold_at(&before, 6);
    assert_eq!((&held["spec"]["minReplicas"], &held["spec"]["maxReplicas"]), (&json!(6), &json!(6)));
    assert_eq!(held["spec"]["behavior"]["scaleDown"]["selectPolicy"], "Disabled");
    assert_eq!(hold(&held, 6), Ok(None), "a second time there is nothing to do");
    assert_eq!(is_held(&held, 7), Ok(false), "above its maximum it would lower, whatever the behaviour says");
}

#[test]
fn what_somebody_edits_meanwhile_stays() {
    let before = scaler(json!({"minReplicas": 2, "maxReplicas": 4}));
    let mut held = hold_at(&before, 6);
    held["spec"]["maxReplicas"] = 20.into();
    held["spec"]["minReplicas"] = 3.into();
    held["spec"]["behavior"]["scaleUp"]["selectPolicy"] = "Min".into();
    let free = let_go(&held);
    assert_eq!((&free["spec"]["minReplicas"], &free["spec"]["maxReplicas"]), (&json!(3), &json!(20)));
    let behavior = &free["spec"]["behavior"];
    assert_eq!(
        (&behavior["scaleUp"]["selectPolicy"], &behavior["scaleDown"]["selectPolicy"]),
        (&json!("Min"), &json!("Max"))
    );
    // Held once more in between, it still is what they want.
    let free = let_go(&hold_at(&held, 7));
    assert_eq!((&free["spec"]["minReplicas"], &free["spec"]["maxReplicas"]), (&json!(3), &json!(20)));
    held["spec"]["behavior"]["scaleDown"]["selectPolicy"] = "Min".into();
    assert_eq!(is_held(&held, 6), Ok(false));
    assert_eq!(let_go(&held)["spec"]["behavior"]["scaleDown"]["selectPolicy"], "Min");
}

#[test]
fn what_cannot_be_held_is_refused() {
    let keda =
        json!({"kind": "ScaledObject", "metadata": {"name": "shop"}, "spec": {"scaleTargetRef": {"name": "shop"}}});
    assert_eq!(hold(&keda, 2).map_err(|problem| problem.rule), Err(Rule::Unsupported));
    for odd in [
        scaler(json!({"minReplicas": "2"})),
        scaler(json!({"maxReplicas": 70_000})),
        scaler(json!({"behavior": 7})),
        scaler(json!({"behavior": {"scaleDown": []}})),
        json!({}),
        json!({"metadata": {"name": "x"}, "spec": {"scaleTargetRef": {}}}),
    ] {
        assert!(hold(&odd, 2).is_err(), "{odd}");
    }
    let mut foreign = hold_at(&scaler(json!({"minReplicas": 1, "maxReplicas": 4})), 2);
    foreign["metadata"]["annotations"][annotation::HELD] = "yes".into();
    assert!(release(&foreign).is_err() && hold(&foreign, 3).is_err() && is_held(&foreign, 2).is_err());
}

#[test]
fn the_primarys_own_one_is_what_the_targets_was() {
    let before = scaler(json!({"minReplicas": 2, "maxReplicas": 4}));
    let owner = json!({"kind": "Canary"});
    let copy = primary(&before, "shop-primary", &owner, None, None).expect("it can be copied");
    assert_eq!((&copy["metadata"]["name"], &copy["spec"]["minReplicas"]), (&json!("shop-primary"), &json!(2)));
    assert_eq!(copy["spec"]["scaleTargetRef"]["name"], "shop-primary");
    assert_eq!(primary(&hold_at(&before, 6), "shop-primary", &owner, None, None), Ok(copy));
    let other = primary(&before, "shop-primary", &owner, Some(5), Some(9)).expect("it can be copied");
    assert_eq!((&other["spec"]["minReplicas"], &other["spec"]["maxReplicas"]), (&json!(5), &json!(9)));
}
