//! HTTPRoutes and Services as a real API server gave them, and what comes out of them: `UPDATE=1 cargo test -p
//! serin-kubernetes` writes the answers anew, and they are reviewed as diffs. The objects are those of Kubernetes 1.36 with
//! Contour 1.33 and the Gateway API 1.3, as `kubectl get --output json` printed them.
use serde_json::{Value, json};
use serin_kubernetes::flagger::Canary;
use serin_kubernetes::route::acknowledge::{Answer, Known, Plane, Window, acknowledge};
use serin_kubernetes::route::marks::Fence;
use serin_kubernetes::route::services::{Deed, Step, Wish, apex, restored, selects};
use serin_kubernetes::route::{Ours, Owner, http, seen, services};
use serin_kubernetes::wanted::Templates;
use serin_kubernetes::{Defaults, Patch, Target, Wanted, wanted};
use serin_rollout::{Pair, Route, Split};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/routes")
}

fn files(below: &str) -> Vec<(String, Value)> {
    let entries = std::fs::read_dir(directory().join(below)).expect("the objects are there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    paths.sort();
    let name = |path: &Path| path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    paths.iter().map(|path| (name(path), read(path))).collect()
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("it can be read");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn expect(name: &str, text: &str) {
    let path = directory().join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text).expect("the answer can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == text, "{name}: run with UPDATE=1 and look at the difference:\n{text}");
}

fn want(service: Value) -> Wanted {
    let mut service = service;
    service["gatewayRefs"] = json!([{"name": "gateway", "namespace": "gateway"}]);
    let value = json!({"apiVersion": "flagger.app/v1beta1", "kind": "Canary",
        "metadata": {"name": "podinfo", "namespace": "prod"},
        "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
            "service": service, "analysis": {"interval": "10s", "threshold": 1, "stepWeight": 25}}});
    let canary = Canary::decode(&value).expect("a canary");
    wanted(&canary, &Templates::new(), &Target::default(), &Defaults::default()).expect("it is sound")
}

fn owner() -> Owner {
    Owner { name: "podinfo".to_owned(), uid: "0b5c7d5e-0000-4000-8000-000000000001".to_owned() }
}

fn ours() -> Ours {
    Ours::of(&want(json!({"port": 9898})))
}

const FENCE: Fence = Fence { epoch: 1, generation: 1 };

fn quarter() -> Route {
    Route { fallback: Some(Split::all(0, 2)), lease: true, ..Route::plain(Split::share_to(1, 2_500)) }
}

fn patch(out: &mut String, what: &str, patch: &Patch) {
    writeln!(out, "{what}:").expect("text");
    for operation in patch.json().as_array().expect("a list") {
        writeln!(out, "  {operation}").expect("text");
    }
}

fn answer(name: &str, object: &Value) -> String {
    let mut out = format!("{name}\n");
    let seen = seen::seen(std::slice::from_ref(object), &ours(), Some(1));
    writeln!(out, "accepted: {:?}\nin force: {:?}\nsettled: {}", seen.accepted, seen.splits, seen.settled)
        .expect("text");
    for (route, parent) in &seen.waiting {
        writeln!(out, "waits: {route}, {}: {} refused={}", parent.name, parent.missing, parent.refused).expect("text");
    }
    for problem in &seen.found {
        writeln!(out, "told: {problem}").expect("text");
    }
    match http::adopted(object, &ours(), 1) {
        Ok(Some(changes)) => patch(&mut out, "adopted", &changes),
        Ok(None) => {}
        Err(why) => writeln!(out, "not adopted: {why}").expect("text"),
    }
    match http::weighed(object, &ours(), quarter(), FENCE, true) {
        Ok(changes) => patch(&mut out, "25 %", &changes),
        Err(why) => writeln!(out, "not written: {why}").expect("text"),
    }
    out
}

#[test]
fn every_route_comes_out_as_expected() {
    let routes: Vec<(String, Value)> = files("").into_iter().filter(|(_, value)| value.is_object()).collect();
    assert!(routes.len() >= 9, "{}", routes.len());
    let answers: Vec<String> = routes.iter().map(|(name, object)| answer(name, object)).collect();
    expect("routes.expected", &answers.join("\n"));
}

/// Just enough of RFC 6902 to see what a patch makes of an object; a test that fails is `None`.
fn applied(object: &Value, patch: &Patch) -> Option<Value> {
    let mut object = object.clone();
    for operation in patch.json().as_array()? {
        let path = operation["path"].as_str()?;
        let (parent, key) = path.rsplit_once('/')?;
        let key = key.replace("~1", "/").replace("~0", "~");
        match operation["op"].as_str()? {
            "test" if object.pointer(path) == operation.get("value") => {}
            "replace" => *object.pointer_mut(path)? = operation["value"].clone(),
            "add" => match object.pointer_mut(parent)? {
                Value::Array(list) if key == "-" => list.push(operation["value"].clone()),
                Value::Array(list) => list.insert(key.parse().ok()?, operation["value"].clone()),
                Value::Object(map) => drop(map.insert(key, operation["value"].clone())),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
            },
            "remove" => drop(object.pointer_mut(parent)?.as_object_mut()?.remove(&key)?),
            _ => return None,
        }
    }
    Some(object)
}

#[test]
fn what_was_written_is_what_is_seen() {
    let mut seen_all = 0;
    for (name, object) in files("").into_iter().filter(|(_, value)| value.is_object()) {
        let object = match http::adopted(&object, &ours(), 1).expect("it is clear") {
            Some(patch) => applied(&object, &patch).expect("its tests hold"),
            None => object,
        };
        let Ok(patch) = http::weighed(&object, &ours(), quarter(), FENCE, true) else { continue };
        let mut after = applied(&object, &patch).expect("its tests hold");
        let before = seen::seen(std::slice::from_ref(&object), &ours(), None);
        let seen = seen::seen(std::slice::from_ref(&after), &ours(), None);
        assert_eq!((seen.accepted, seen.fence, seen.settled), (quarter(), FENCE, true), "{name}");
        assert!(seen.is_claimed(1) && !seen.is_claimed(2), "{name}");
        let older: Vec<Split> = seen.older.iter().map(|past| past.split).collect();
        assert!(before.splits.iter().all(|split| older.contains(split) || seen.splits.contains(split)), "{name}");
        let again = http::weighed(&after, &ours(), quarter(), FENCE, true).expect("it can be written");
        let weights = |patch: &Patch| patch.json().to_string().matches("/weight").count();
        assert_eq!(weights(&again), 0, "{name}: the same weights are not written twice");
        after["metadata"]["resourceVersion"] = json!("another");
        assert_eq!(applied(&after, &patch), None, "{name}: another version is not changed");
        seen_all += 1;
    }
    assert!(seen_all >= 7, "{seen_all}");
}

#[test]
fn nothing_but_weights_and_notes_changes() {
    let (_, object) = files("").into_iter().find(|(name, _)| name == "two-rules").expect("it is there");
    let patch = http::weighed(&object, &ours(), quarter(), FENCE, true).expect("it can be written");
    let mut after = applied(&object, &patch).expect("its tests hold");
    let weights = |v: &Value, rule: usize| {
        v["spec"]["rules"][rule]["backendRefs"]
            .as_array()
            .map(|l| l.iter().map(|b| b["weight"].clone()).collect::<Vec<_>>())
    };
    assert_eq!(weights(&after, 0), Some(vec![json!(7_500), json!(2_500)]));
    assert_eq!(weights(&after, 1), weights(&object, 1), "a rule without ours");
    assert_eq!(weights(&after, 2), Some(vec![json!(2_500), json!(7_500)]), "in the order in which they stand");
    for rule in [0, 2] {
        for backend in 0..2 {
            let path = format!("/spec/rules/{rule}/backendRefs/{backend}/weight");
            *after.pointer_mut(&path).expect("a weight") = object.pointer(&path).expect("a weight").clone();
        }
    }
    let notes = after["metadata"]["annotations"].as_object_mut().expect("annotations");
    notes.retain(|key, _| !key.starts_with("serin.dev/"));
    assert_eq!(after, object);
}

#[test]
fn a_made_route_is_seen_as_it_was_meant() {
    let service = json!({"port": 9898, "hosts": ["app.example.com"], "timeout": "90s", "backendTimeout": "1.5s",
        "apex": {"labels": {"team": "shop"}, "annotations": {"a": "b"}}});
    let made = http::made(&want(service.clone()), &owner(), quarter(), FENCE).expect("it can be made");
    expect("made.expected", &format!("{}\n", serde_json::to_string_pretty(&made).expect("JSON")));
    let seen = seen::seen(std::slice::from_ref(&made), &ours(), None);
    assert_eq!((seen.accepted, seen.fence, seen.settled), (quarter(), FENCE, true));
    let mut there = made.clone();
    there["metadata"]["resourceVersion"] = json!("5");
    there["spec"]["parentRefs"][0]["kind"] = json!("Gateway");
    assert_eq!(
        http::reformed(&there, &want(service.clone()), &owner()).expect("it is sound"),
        None,
        "defaults are no change"
    );
    let mut other = service.clone();
    other["hosts"] = json!(["shop.example.com"]);
    other["timeout"] = json!("1m40s");
    let patch = http::reformed(&there, &want(other), &owner()).expect("it is sound").expect("it changed");
    let after = applied(&there, &patch).expect("its tests hold");
    assert_eq!(after["spec"]["hostnames"], json!(["shop.example.com"]));
    assert_eq!(after["spec"]["rules"][0]["timeouts"], json!({"request": "1m40s", "backendRequest": "1s500ms"}));
    assert_eq!(after["spec"]["rules"][0]["backendRefs"], there["spec"]["rules"][0]["backendRefs"], "weights stay");
    there["metadata"]["ownerReferences"] = json!([]);
    let elsewhere = want(json!({"port": 9898}));
    assert_eq!(http::reformed(&there, &elsewhere, &owner()).expect("it is sound"), None, "a user's own is the user's");
    let late = want(json!({"port": 9898, "timeout": "1s", "backendTimeout": "2s"}));
    assert!(
        http::made(&late, &owner(), quarter(), FENCE)
            .expect_err("no Gateway takes it")
            .path
            .ends_with("backendTimeout")
    );
}

#[test]
fn a_real_route_is_acknowledged_by_generation() {
    let (_, object) = files("").into_iter().find(|(name, _)| name == "podinfo").expect("it is there");
    let seen = seen::seen(&[object], &ours(), None);
    let planes = |generation| [Plane { name: "envoy-1".to_owned(), generation }];
    let ask = |planes: &[Plane]| {
        acknowledge(&Known { seen: &seen, planes, window: Window::default(), requests: None, since_ms: 1_000 })
    };
    assert!(ask(&planes(Some(0))).retires());
    assert!(matches!(ask(&planes(Some(1))), Answer::Missing { .. }), "it knows more than was seen");
    assert!(!ask(&planes(None)).acknowledged());
}

fn selectors() -> Pair<BTreeMap<String, String>> {
    ["podinfo-primary", "podinfo"].map(|value| [("app".to_owned(), value.to_owned())].into())
}

fn told(out: &mut String, what: &str, step: Result<Step, serin_kubernetes::Problem>) {
    match step {
        Ok(Step { deed, told }) => {
            for problem in told {
                writeln!(out, "{what} told: {problem}").expect("text");
            }
            match deed {
                Deed::Nothing => writeln!(out, "{what}: nothing").expect("text"),
                Deed::Create(object) => writeln!(out, "{what}: create {object}").expect("text"),
                Deed::Patch(changes) => patch(out, what, &changes),
            }
        }
        Err(problem) => writeln!(out, "{what}: {problem}").expect("text"),
    }
}

#[test]
fn every_service_comes_out_as_expected() {
    let (owner, selector) = (owner(), selectors());
    let mut out = String::new();
    for service in
        [json!({"port": 9898, "appProtocol": "http"}), json!({"port": 80, "targetPort": 9898, "portName": "web"})]
    {
        let wanted = want(service.clone());
        let wish = Wish { wanted: &wanted, owner: &owner, selector: &selector, label: "app", discovered: &[] };
        writeln!(out, "# {service}").expect("text");
        for slot in [0, 1] {
            told(&mut out, &format!("slot {slot}"), services::slot(&wish, slot, None));
        }
        told(&mut out, "no apex", apex(&wish, Some(0), None));
        for (name, object) in files("services") {
            writeln!(out, "{name}: selects {:?}", selects(&object, &selector)).expect("text");
            told(&mut out, &format!("{name} kept"), apex(&wish, None, Some(&object)));
            told(&mut out, &format!("{name} to the primary"), apex(&wish, Some(0), Some(&object)));
            told(&mut out, &format!("{name} as the primary's"), services::slot(&wish, 0, Some(&object)));
        }
        out.push('\n');
    }
    expect("services.expected", &out);
}

#[test]
fn a_service_gets_its_selector_back() {
    let (owner, selector) = (owner(), selectors());
    let wanted = want(json!({"port": 80, "targetPort": 9898, "apex": {"annotations": {"a": "b"}}}));
    let wish = Wish { wanted: &wanted, owner: &owner, selector: &selector, label: "app", discovered: &[] };
    let (_, mut object) = files("services").into_iter().find(|(name, _)| name == "nodeport").expect("it is there");
    for annotated in [true, false] {
        if !annotated {
            object["metadata"].as_object_mut().expect("an object").remove("annotations");
        }
        let Ok(Step { deed: Deed::Patch(patch), .. }) = apex(&wish, Some(0), Some(&object)) else { panic!("a patch") };
        let taken = applied(&object, &patch).expect("its tests hold");
        assert_eq!(taken["spec"]["selector"], json!({"app": "podinfo-primary"}));
        assert_eq!(taken["metadata"]["annotations"]["a"], "b");
        assert_eq!(selects(&taken, &selector), Some(0));
        for key in ["clusterIP", "clusterIPs", "ports", "type", "sessionAffinity", "externalTrafficPolicy"] {
            assert_eq!(taken["spec"][key], object["spec"][key], "{key}");
        }
        let step = apex(&wish, Some(0), Some(&taken)).expect("it is sound");
        assert_eq!(step.deed, Deed::Nothing, "once is enough");
        let back = applied(&taken, &restored(&taken).expect("it is noted")).expect("its tests hold");
        assert_eq!(back["spec"], object["spec"]);
        assert_eq!(restored(&back), None);
    }
}

#[test]
fn a_failed_test_is_told_from_a_refused_value() {
    let answers = read(&directory().join("answers.json"));
    // How they differ: what a schema refuses names its causes, and a test that failed names nothing.
    let failed = |body: &Value| body["code"] == 422 && body.pointer("/details/causes").is_none();
    let which: Vec<bool> = answers.as_array().expect("a list").iter().map(|one| failed(&one["body"])).collect();
    assert_eq!(which, [true, true, true, false, false, false, false, false]);
}

#[test]
fn whatever_a_route_holds_is_survived() {
    let hostile = [
        json!(null),
        json!(7),
        json!({"metadata": 7, "spec": [], "status": "x"}),
        json!({"metadata": {"resourceVersion": "1", "annotations": 7, "ownerReferences": {}}, "spec": {"rules": [null]}}),
        json!({"metadata": {"resourceVersion": "1"}, "spec": {"parentRefs": [null, 7], "rules": [{"backendRefs": [
            {"name": "podinfo-primary", "weight": 1e300}, {"name": "podinfo-canary", "weight": null}]}]}}),
        json!({"metadata": {"resourceVersion": "1"}, "spec": {"rules": [{"backendRefs": [
            {"name": "podinfo-primary", "weight": 1}, {"name": "podinfo-canary"}, {"name": "x", "weight": "9"}]}]}}),
    ];
    for object in hostile {
        let seen = seen::seen(std::slice::from_ref(&object), &ours(), Some(0));
        assert!(!seen.settled || seen.routes > 0, "{object}");
        drop(http::weighed(&object, &ours(), quarter(), FENCE, false));
        drop(http::adopted(&object, &ours(), 0));
        drop(http::claimed(&object, 1));
        assert_eq!(selects(&object, &selectors()), None);
        assert_eq!(restored(&object), None);
    }
    let rule = json!({"backendRefs": [{"name": "podinfo-primary", "weight": 1_000_000}, {"name": "podinfo-canary", "weight": 1},
        {"name": "other", "weight": 1_000_000}]});
    let many = json!({"metadata": {"resourceVersion": "1", "namespace": "prod"}, "spec": {"rules": vec![rule; 1_000]}});
    let patch = http::weighed(&many, &ours(), quarter(), FENCE, false).expect("it can be written");
    let after = applied(&many, &patch).expect("its tests hold");
    assert_eq!(seen::seen(std::slice::from_ref(&after), &ours(), None).accepted, quarter());
    let heaviest = after["spec"]["rules"][999]["backendRefs"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|b| b["weight"].as_u64())
        .max();
    assert!(heaviest <= Some(1_000_000), "{heaviest:?}");
    let lone = json!({"backendRefs": [{"name": "podinfo-canary"}]});
    let many = json!({"metadata": {"resourceVersion": "1", "namespace": "prod"}, "spec": {"rules": vec![lone; 1_000]}});
    let seen = seen::seen(&[many], &ours(), None);
    assert_eq!(seen.splits, [Split::share_to(1, 10_000)]);
    assert!(seen.found.len() <= 51, "{}", seen.found.len());
}
