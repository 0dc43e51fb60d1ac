//! The primary as it is made and rewritten.
use super::*;
use crate::route::Owner;
use crate::workload::{Data, How, Kind};

fn target() -> Value {
    let near = |weight: bool| {
        let term = json!({"topologyKey": "zone", "labelSelector": {
            "matchLabels": {"app": "shop"},
            "matchExpressions": [{"key": "app", "operator": "In", "values": ["shop", "cart"]}, {"key": "tier", "operator": "In", "values": ["shop"]}]}});
        if weight { json!({"weight": 1, "podAffinityTerm": term}) } else { term }
    };
    let kinds = json!({
        "requiredDuringSchedulingIgnoredDuringExecution": [near(false)],
        "preferredDuringSchedulingIgnoredDuringExecution": [near(true)],
    });
    json!({
        "metadata": {"name": "shop", "namespace": "prod", "labels": {"team": "a", "app": "shop", "toolkit.fluxcd.io/x": "y"},
            "annotations": {"note": "n", "kustomize.toolkit.fluxcd.io/name": "x", "deployment.kubernetes.io/revision": "7"}},
        "spec": {
            "replicas": 0, "minReadySeconds": 5, "strategy": {"type": "Recreate"}, "paused": true,
            "selector": {"matchLabels": {"tier": "web", "app": "shop"}},
            "template": {"metadata": {"labels": {"app": "shop", "tier": "web"}}, "spec": {
                "affinity": {"podAffinity": kinds, "podAntiAffinity": kinds, "nodeAffinity": {"a": [1]}},
                "topologySpreadConstraints": [{"maxSkew": 1, "labelSelector": {"matchLabels": {"app": "shop"}}}],
                "containers": [{"name": "shop", "image": "shop:1", "envFrom": [{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "off"}}]}],
            }},
        },
    })
}

fn content(target: &Value) -> Content {
    let data = |reference: &Reference| {
        if reference.name == "c" { Data::of(reference, Some(&config())) } else { Data::Untracked }
    };
    Content::of(Kind::Deployment, target, data).expect("a template")
}

fn config() -> Value {
    json!({"metadata": {"name": "c", "namespace": "prod"}, "data": {"a": "1"}, "binaryData": {"b": "AA=="}, "immutable": true})
}

fn names() -> Names {
    let pair = ["shop-primary".to_owned(), "shop".to_owned()];
    Names { workload: pair.clone(), apex: "shop".to_owned(), service: pair }
}

fn with<T>(target: &Value, labels: &[&str], make: impl FnOnce(&Primary<'_>) -> T) -> T {
    let (names, content, owner) =
        (names(), content(target), Owner { name: "shop".into(), uid: "u".into() }.reference());
    let selector_labels = labels;
    make(&Primary {
        rev: 2,
        content: &content,
        target,
        names: &names,
        owner: &owner,
        selector_labels,
        label_prefixes: &["team"],
    })
}

#[test]
fn it_never_takes_the_targets_pods() {
    let object = with(&target(), &SELECTOR_LABELS, |primary| primary.object()).expect("it can be made");
    assert_eq!(object["spec"]["selector"], json!({"matchLabels": {"app": "shop-primary"}}));
    assert_eq!(object["spec"]["template"]["metadata"]["labels"], json!({"app": "shop-primary", "tier": "web"}));
    assert_eq!(object["metadata"]["labels"], json!({"team": "a", "app": "shop-primary"}));
    let annotations = object["metadata"]["annotations"].as_object().expect("there are some");
    let keys: Vec<&str> = annotations.keys().map(String::as_str).collect();
    assert_eq!(keys, ["note", annotation::REVISION, annotation::HASH, annotation::TEMPLATE]);
    assert_eq!(object["spec"]["replicas"], 1);
    assert_eq!(
        (&object["spec"]["minReadySeconds"], &object["spec"]["strategy"]["type"]),
        (&json!(5), &json!("Recreate"))
    );
    assert_eq!(object["spec"].get("paused"), None);
    assert_eq!(object["metadata"]["ownerReferences"][0]["kind"], "Canary");
}

#[test]
fn terms_that_name_the_target_name_the_primary() {
    let object = with(&target(), &SELECTOR_LABELS, |primary| primary.object()).expect("it can be made");
    let spec = &object["spec"]["template"]["spec"];
    let mut selectors = vec![&spec["topologySpreadConstraints"][0]["labelSelector"]];
    for kind in ["podAffinity", "podAntiAffinity"] {
        selectors.push(&spec["affinity"][kind]["requiredDuringSchedulingIgnoredDuringExecution"][0]["labelSelector"]);
        let preferred = &spec["affinity"][kind]["preferredDuringSchedulingIgnoredDuringExecution"][0];
        selectors.push(&preferred["podAffinityTerm"]["labelSelector"]);
    }
    for selector in &selectors {
        assert_eq!(selector["matchLabels"], json!({"app": "shop-primary"}));
    }
    let expressions = &selectors[1]["matchExpressions"];
    assert_eq!(expressions[0]["values"], json!(["shop-primary", "cart"]));
    assert_eq!(expressions[1]["values"], json!(["shop"]), "another label means something else");
}

#[test]
fn only_tracked_configs_are_copied() {
    let container = |object: Value| object["spec"]["template"]["spec"]["containers"][0]["envFrom"].clone();
    let object = with(&target(), &SELECTOR_LABELS, |primary| primary.object()).expect("it can be made");
    let from = json!([{"configMapRef": {"name": "c-primary"}}, {"secretRef": {"name": "off"}}]);
    assert_eq!(container(object), from);
    let reference = Reference { secret: false, name: "c".to_owned() };
    let copy =
        with(&target(), &SELECTOR_LABELS, |primary| primary.config(&reference, &config())).expect("it is the same");
    assert_eq!((&copy["data"], &copy["binaryData"]), (&config()["data"], &config()["binaryData"]));
    assert_eq!((&copy["metadata"]["name"], copy.get("immutable")), (&json!("c-primary"), None));
    let mut changed = config();
    changed["data"]["a"] = "2".into();
    let problem =
        with(&target(), &SELECTOR_LABELS, |primary| primary.config(&reference, &changed)).expect_err("changed");
    assert!(problem.message.contains("not what was analysed"), "{problem}");
}

#[test]
fn a_target_without_a_label_to_select_by_is_told() {
    let problem = with(&target(), &["name"], |primary| primary.object()).expect_err("there is none");
    assert_eq!(problem.path, "spec.selector.matchLabels");
    let object = with(&target(), &["name", "tier", "app"], |primary| primary.object()).expect("it can be made");
    assert_eq!(object["spec"]["selector"], json!({"matchLabels": {"tier": "web-primary"}}));
    let mut odd = target();
    odd["spec"]["template"]["metadata"]["labels"]["app"] = "other".into();
    assert!(with(&odd, &SELECTOR_LABELS, |primary| primary.object()).is_err());
}

#[test]
fn it_is_rewritten_whole_and_its_number_stays() {
    let mut there = with(&target(), &SELECTOR_LABELS, |primary| primary.object()).expect("it can be made");
    there["metadata"]["resourceVersion"] = "5".into();
    there["spec"]["replicas"] = 9.into();
    there["spec"]["paused"] = true.into();
    let mut newer = target();
    newer["spec"]["template"]["spec"]["containers"][0]["image"] = "shop:2".into();
    newer["spec"]["template"]["spec"].as_object_mut().expect("a spec").remove("affinity");
    let change =
        with(&newer, &SELECTOR_LABELS, |primary| rewrite(&there, primary)).expect("it can be").expect("a change");
    let How::Patch(patch) = change.how else { panic!("it is there") };
    let paths: Vec<&str> = patch.as_array().into_iter().flatten().filter_map(|op| op["path"].as_str()).collect();
    let annotation = |key: &str| format!("/metadata/annotations/{}", key.replace('/', "~1"));
    let (hash, template) = (annotation(annotation::HASH), annotation(annotation::TEMPLATE));
    assert_eq!(paths, ["/metadata/resourceVersion", &hash, &template, "/spec/template", "/spec/paused"]);
    let whole = patch.as_array().into_iter().flatten().find(|op| op["path"] == "/spec/template").expect("it is there");
    assert_eq!(whole["value"]["spec"].get("affinity"), None);
}

#[test]
fn a_primary_with_another_selector_is_not_rewritten() {
    let mut there = with(&target(), &SELECTOR_LABELS, |primary| primary.object()).expect("it can be made");
    there["metadata"]["resourceVersion"] = "5".into();
    let problem = with(&target(), &["tier"], |primary| rewrite(&there, primary)).expect_err("it cannot be changed");
    assert_eq!(problem.path, "spec.selector");
}
