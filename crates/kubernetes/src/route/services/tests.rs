//! Services that are made, taken over, and left alone.
use super::*;
use crate::flagger::Canary;
use crate::{Defaults, Target, wanted::Templates};

fn want(service: Value) -> Wanted {
    let value = json!({"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "shop", "namespace": "prod"},
        "spec": {"provider": "serin", "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
            "service": service, "analysis": {"interval": "10s", "threshold": 1, "stepWeight": 25}}});
    let canary = Canary::decode(&value).expect("a canary");
    crate::wanted(&canary, &Templates::new(), &Target::default(), &Defaults::default()).expect("it is sound")
}

fn with<T>(service: Value, discovered: &[(String, u16)], ask: impl FnOnce(&Wish<'_>) -> T) -> T {
    let wanted = want(service);
    let owner = Owner { name: "shop".to_owned(), uid: "u1".to_owned() };
    let selector = ["shop-primary", "shop"].map(|value| [("app".to_owned(), value.to_owned())].into());
    ask(&Wish { wanted: &wanted, owner: &owner, selector: &selector, label: "app", discovered })
}

fn made(wish: &Wish<'_>, which: Slot) -> Value {
    match slot(wish, which, None).expect("it can be made").deed {
        Deed::Create(mut object) => {
            object["metadata"]["resourceVersion"] = json!("1");
            object
        }
        other @ (Deed::Nothing | Deed::Patch(_)) => panic!("{other:?}"),
    }
}

#[test]
fn what_was_made_needs_nothing() {
    with(json!({"port": 80, "targetPort": "web", "headless": true, "primary": {"labels": {"a": "b"}}}), &[], |wish| {
        for which in [0, 1] {
            let object = made(wish, which);
            assert_eq!(object["spec"]["clusterIP"], "None");
            assert_eq!(object["spec"]["ports"][0]["targetPort"], "web");
            assert_eq!(slot(wish, which, Some(&object)), Ok(Step { deed: Deed::Nothing, told: vec![] }));
        }
    });
}

#[test]
fn what_is_found_gets_ports_of_containers() {
    let ports = [("http".to_owned(), 8080), ("grpc".to_owned(), 9999), ("admin".to_owned(), 80)];
    with(json!({"port": 80, "portDiscovery": true}), &ports, |wish| {
        let object = made(wish, 0);
        let names =
            |v: &Value| v["spec"]["ports"].as_array().map(|l| l.iter().map(|p| p["name"].clone()).collect::<Vec<_>>());
        assert_eq!(names(&object), Some(vec![json!("http"), json!("grpc")]));
    });
    with(json!({"port": 80}), &ports, |wish| {
        assert_eq!(made(wish, 0)["spec"]["ports"].as_array().map(Vec::len), Some(1))
    });
}

#[test]
fn somebody_else_s_service_is_not_taken_for_a_slot() {
    with(json!({"port": 80}), &[], |wish| {
        let mut object = made(wish, 0);
        object["metadata"]["ownerReferences"] =
            json!([{"kind": "Canary", "name": "old", "uid": "u0", "controller": true}]);
        let told = slot(wish, 0, Some(&object)).expect_err("another's").to_string();
        assert!(told.contains("shop-primary belongs to Canary old"), "{told}");
        object["metadata"]["ownerReferences"] = json!(null);
        assert!(slot(wish, 0, Some(&object)).is_ok(), "one that does the same");
        object["spec"]["selector"] = json!({"app": "else"});
        let told = slot(wish, 0, Some(&object)).expect_err("a person's").to_string();
        assert!(told.contains("that Serin did not make"), "{told}");
    });
}

#[test]
fn the_selector_waits_for_the_primary() {
    let apex_there = json!({"metadata": {"name": "shop", "resourceVersion": "1"}, "spec": {"type": "ClusterIP",
        "clusterIP": "10.0.0.7", "selector": {"app": "shop"}, "ports": [{"port": 80, "targetPort": 80}]}});
    with(json!({"port": 80}), &[], |wish| {
        assert_eq!(apex(wish, None, Some(&apex_there)).expect("it is sound").deed, Deed::Nothing);
        let Deed::Patch(patch) = apex(wish, Some(0), Some(&apex_there)).expect("it is sound").deed else {
            panic!("a patch")
        };
        let ops = patch.json();
        assert_eq!(ops[1], json!({"op": "test", "path": "/spec/selector", "value": {"app": "shop"}}));
        assert_eq!(ops[2], json!({"op": "replace", "path": "/spec/selector", "value": {"app": "shop-primary"}}));
        let noted = json!({"serin.dev/selector": "{\"app\":\"shop\"}"});
        assert_eq!(ops[3], json!({"op": "add", "path": "/metadata/annotations", "value": noted}));
        assert_eq!(ops.as_array().map(Vec::len), Some(4), "nothing else is touched");
    });
}

#[test]
fn unmanaged_keys_and_foreign_labels_stay() {
    let service =
        json!({"port": 80, "apex": {"labels": {"a": "1", "team": "x"}}, "unmanagedMetadata": {"labels": ["team"]}});
    let there = json!({"metadata": {"resourceVersion": "1", "labels": {"a": "0", "team": "shop", "foreign": "y"}},
        "spec": {"selector": {"app": "shop-primary"}, "ports": [{"port": 80}]}});
    with(service, &[], |wish| {
        let Deed::Patch(patch) = apex(wish, Some(0), Some(&there)).expect("it is sound").deed else {
            panic!("a patch")
        };
        let label = json!({"op": "add", "path": "/metadata/labels/a", "value": "1"});
        assert_eq!(patch.json().as_array().map(|list| list[1..].to_vec()), Some(vec![label]));
    });
}

#[test]
fn ports_are_not_bent() {
    let there = |port: Value| json!({"metadata": {"resourceVersion": "1"}, "spec": {"selector": {"app": "shop"}, "ports": [port]}});
    with(json!({"port": 80}), &[], |wish| {
        let told = |port: Value| apex(wish, None, Some(&there(port))).expect_err("it is refused").to_string();
        assert!(told(json!({"port": 80, "targetPort": 8080})).ends_with("write `targetPort: 8080`"));
        assert!(told(json!({"port": 80, "targetPort": "web"})).ends_with("write `targetPort: web`"));
        assert!(told(json!({"port": 443})).contains("has one port without a name"));
        let taken = told(json!({"port": 8443, "name": "http"}));
        assert!(taken.ends_with("write `port: 8443`, or another `portName` for a port beside it"), "{taken}");
        let Deed::Patch(patch) = apex(wish, None, Some(&there(json!({"port": 443, "name": "tls"})))).expect("two").deed
        else {
            panic!("a patch")
        };
        assert_eq!(patch.json()[1]["path"], "/spec/ports/-");
    });
    with(json!({"port": 80, "targetPort": 8080}), &[], |wish| {
        let step =
            apex(wish, None, Some(&there(json!({"port": 80, "targetPort": "web"})))).expect("it may be the same");
        assert!(step.told[0].message.contains("will lead to 8080"), "{:?}", step.told);
    });
}

#[test]
fn whatever_is_there_is_told() {
    with(json!({"port": 80}), &[], |wish| {
        for wrong in [
            json!(null),
            json!({}),
            json!({"metadata": {"resourceVersion": "1"}, "spec": {"selector": {"a": 7}}}),
            json!({"metadata": {"resourceVersion": "1"}, "spec": {"selector": [], "ports": 7}}),
        ] {
            assert!(apex(wish, Some(0), Some(&wrong)).is_err(), "{wrong}");
            assert!(slot(wish, 0, Some(&wrong)).is_err(), "{wrong}");
        }
    });
}

#[test]
fn a_port_that_moves_moves_in_place() {
    let before = with(json!({"port": 80}), &[], |wish| made(wish, 1));
    with(json!({"port": 81, "targetPort": "web"}), &[], |wish| {
        let Deed::Patch(patch) = slot(wish, 1, Some(&before)).expect("it is sound").deed else { panic!("a patch") };
        let written = patch.json().as_array().map(|list| list[1..].to_vec()).unwrap_or_default();
        let of = |op: &str, key: &str, value: Value| json!({"op": op, "path": format!("/spec/ports/0/{key}"), "value": value});
        let all =
            [of("test", "name", json!("http")), of("add", "port", json!(81)), of("add", "targetPort", json!("web"))];
        assert_eq!(written, all);
    });
}
