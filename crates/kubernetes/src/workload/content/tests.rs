//! What is in a revision, and what is not.
use super::*;
use serde_json::json;

fn target(template: Value) -> Value {
    json!({"metadata": {"name": "shop"}, "spec": {"template": template}})
}

fn template() -> Value {
    json!({"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{
        "name": "shop", "image": "shop:1", "securityContext": {},
        "envFrom": [{"configMapRef": {"name": "all", "optional": true}}, {"secretRef": {"name": "keys"}}],
        "env": [
            {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "all", "key": "a"}}},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "one", "key": "b", "optional": true}}},
        ],
    }], "initContainers": [{"name": "first", "envFrom": [{"configMapRef": {"name": "start"}}]}],
    "volumes": [
        {"name": "v", "configMap": {"name": "files"}}, {"name": "w", "secret": {"secretName": "tls"}},
        {"name": "x", "projected": {"sources": [{"configMap": {"name": "part"}}, {"secret": {"name": "piece"}}]}},
    ]}})
}

fn hash(template: Value) -> String {
    Content::of(Kind::Deployment, &target(template), |_| Data::Absent).expect("a template").hash()
}

#[test]
fn a_change_of_what_runs_is_another_revision() {
    let changed = |pointer: &str, value: Value| {
        let mut template = template();
        *template.pointer_mut(pointer).expect("it is there") = value;
        hash(template)
    };
    let all = [
        hash(template()),
        changed("/spec/containers/0/image", "shop:2".into()),
        changed("/metadata/labels/app", "shop2".into()),
        changed("/spec/containers/0/securityContext", json!({"runAsUser": 1})),
        changed("/spec/containers/0/env", json!([])),
    ];
    for (i, one) in all.iter().enumerate() {
        assert!(one.len() == 64 && one.bytes().all(|b| b.is_ascii_hexdigit()), "{one}");
        assert!(all[i + 1..].iter().all(|other| other != one), "{i}");
    }
}

#[test]
fn the_order_of_keys_nulls_and_the_clusters_label_are_no_part_of_it() {
    let mut other = json!({"spec": template()["spec"], "metadata": {"creationTimestamp": null, "labels": {
        "pod-template-hash": "5fbbbdc998", "app": "shop"}}});
    assert_eq!(hash(other.clone()), hash(template()));
    other["metadata"]["labels"] = json!({"pod-template-hash": "5fbbbdc998"});
    let mut bare = template();
    bare["metadata"] = json!({});
    assert_eq!(hash(other), hash(bare), "where it was the only label there is none");
}

#[test]
fn an_empty_object_says_something() {
    let with = |volume: Value| hash(json!({"spec": {"volumes": [volume]}}));
    assert_ne!(with(json!({"name": "a", "emptyDir": {}})), with(json!({"name": "a"})));
}

#[test]
fn the_hash_is_the_same_for_ever() {
    let template = json!({"spec": {"containers": [{"name": "a", "image": "b"}]}});
    let content = Content { kind: Kind::Deployment, template, configs: BTreeMap::new() };
    let text = r#"{"configs":{},"kind":"Deployment","template":{"spec":{"containers":[{"image":"b","name":"a"}]}}}"#;
    let sum = Sha256::digest(text).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    assert_eq!(content.hash(), sum);
}

#[test]
fn every_place_that_names_a_config_is_found() {
    let found: Vec<(String, bool)> =
        references(&template()).into_iter().map(|(reference, optional)| (reference.into(), optional)).collect();
    let expected = [
        ("ConfigMap/all", false),
        ("ConfigMap/files", false),
        ("ConfigMap/part", false),
        ("ConfigMap/start", false),
        ("Secret/keys", false),
        ("Secret/one", true),
        ("Secret/piece", false),
        ("Secret/tls", false),
    ];
    assert_eq!(found, expected.map(|(name, optional)| (name.to_owned(), optional)));
}

#[test]
fn a_changed_config_is_another_revision_unless_it_is_not_tracked() {
    let of = |object: Option<Value>| {
        let data = |reference: &Reference| match reference.name.as_str() {
            "all" => Data::of(reference, object.as_ref()),
            _ => Data::Absent,
        };
        Content::of(Kind::Deployment, &target(template()), data).expect("a template")
    };
    let first = of(Some(json!({"data": {"a": "1"}})));
    assert_eq!(first.configs.keys().next().map(|reference| reference.name.as_str()), Some("all"));
    assert_ne!(first.hash(), of(Some(json!({"data": {"a": "2"}}))).hash());
    assert_ne!(first.hash(), of(Some(json!({"data": {"a": "1"}, "binaryData": {"b": "AA=="}}))).hash());
    let others = json!({"data": {"a": "1"}, "binaryData": {}, "immutable": true, "metadata": {"labels": {"x": "y"}}});
    assert_eq!(first.hash(), of(Some(others)).hash());
    let off = |key: &str, a: &str| of(Some(json!({"metadata": {"annotations": {key: "disabled"}}, "data": {"a": a}})));
    for key in [annotation::TRACKING, annotation::FLAGGERS_TRACKING] {
        assert_eq!(off(key, "1").hash(), off(key, "2").hash());
        assert!(off(key, "1").configs.is_empty());
    }
    assert_eq!(of(None).hash(), hash(template()));
}

#[test]
fn secrets_that_people_do_not_write_are_not_tracked() {
    let secret = Reference { secret: true, name: "s".to_owned() };
    let of = |kind: &str| Data::of(&secret, Some(&json!({"type": kind, "data": {"a": "MQ=="}})));
    assert!(matches!(of("Opaque"), Data::Tracked(_)));
    assert!(matches!(of("kubernetes.io/tls"), Data::Tracked(_)));
    assert_eq!(of("kubernetes.io/service-account-token"), Data::Untracked);
    assert_eq!(of("helm.sh/release.v1"), Data::Untracked);
}

#[test]
fn a_content_is_kept_and_read_again() {
    let data = |_: &Reference| Data::Tracked("0".repeat(64));
    let content = Content::of(Kind::DaemonSet, &target(template()), data).expect("a template");
    let text = serde_json::to_string(&content).expect("it is JSON");
    assert_eq!(serde_json::from_str::<Content>(&text).expect("it is one"), content);
}

#[test]
fn what_is_no_template_is_told() {
    for object in [json!({}), json!({"spec": {"template": []}}), json!({"spec": null}), json!(7)] {
        let problem = Content::of(Kind::Deployment, &object, |_| Data::Absent).expect_err("it has none");
        assert_eq!(problem.path, "spec.template");
    }
    for odd in [
        json!({"spec": {"volumes": {"a": 1}, "containers": [7, {"env": "x", "envFrom": [null]}]}}),
        json!({"spec": []}),
    ] {
        assert!(references(&odd).is_empty(), "{odd}");
    }
}

#[test]
fn a_daemon_set_that_is_scaled_to_nothing_is_the_same_revision() {
    let mut away = template();
    away["spec"]["nodeSelector"] = json!({NOWHERE: "true"});
    assert_eq!(hash(away.clone()), hash(template()));
    away["spec"]["nodeSelector"]["disk"] = "fast".into();
    assert_ne!(hash(away), hash(template()));
}
