//! One object as the shelf keeps it: pruned, as JSON text, with what it is found by.
//!
//! Text takes a fraction of the memory of a tree, and most objects are read seldom; a read parses what it needs.

use crate::kind::Kind;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Written by `kubectl apply`: the whole object once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// What a ReplicaSet's annotations are kept for: which revision of its Deployment it is, and how many pods that had.
const REPLICA_SET_ANNOTATIONS: &str = "deployment.kubernetes.io/";
/// What of a ReplicaSet's metadata is kept.
const REPLICA_SET_METADATA: [&str; 9] = [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    "ownerReferences",
];

/// An object of the API, as it was when it had [`Object::version`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its namespace.
    pub namespace: Box<str>,
    /// Its name.
    pub name: Box<str>,
    /// Its identity: an object of the same name that was made later has another one.
    pub uid: Box<str>,
    /// Its resource version.
    pub version: Box<str>,
    /// How often what is wanted of it was changed; 0 where the kind does not count.
    pub generation: i64,
    /// Whether it is being deleted.
    pub deleting: bool,
    labels: Box<[(Box<str>, Box<str>)]>,
    pub(crate) links: Box<[Link]>,
    json: Box<str>,
}

/// What an object is found by, besides its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Link {
    /// The uid of an owner.
    Owner(Box<str>),
    /// Namespace and name of a Service that a route sends to.
    Backend(Box<str>, Box<str>),
}

impl Object {
    /// Takes what is needed of `value`.
    ///
    /// # Errors
    /// Why it is no object, with its name where it has one.
    pub(crate) fn read(kind: Kind, mut value: Value) -> Result<Object, Broken> {
        let text = |value: &Value, field: &str| -> Box<str> {
            value.get("metadata").and_then(|m| m.get(field)).and_then(Value::as_str).unwrap_or_default().into()
        };
        let (namespace, name) = (text(&value, "namespace"), text(&value, "name"));
        let (uid, version) = (text(&value, "uid"), text(&value, "resourceVersion"));
        let fields = [("namespace", &namespace), ("name", &name), ("uid", &uid), ("resourceVersion", &version)];
        if let Some((field, _)) = fields.iter().find(|(_, there)| there.is_empty()) {
            let why = format!("it has no metadata.{field}");
            return Err(Broken { namespace: namespace.into(), name: name.into(), version: version.into(), why });
        }
        prune(kind, &mut value);
        let metadata = value.get("metadata");
        let labels = metadata.and_then(|m| m.get("labels")).and_then(Value::as_object).into_iter().flatten();
        let labels = labels.filter_map(|(k, v)| Some((k.as_str().into(), v.as_str()?.into()))).collect();
        Ok(Object {
            generation: metadata.and_then(|m| m.get("generation")).and_then(Value::as_i64).unwrap_or_default(),
            deleting: metadata.is_some_and(|m| m.get("deletionTimestamp").is_some()),
            labels,
            links: links(kind, &namespace, &value),
            json: value.to_string().into(),
            namespace,
            name,
            uid,
            version,
        })
    }

    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(key, _)| &**key == name).map(|(_, value)| &**value)
    }

    /// The object as JSON text, without what nobody needs.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The object as a tree.
    pub fn value(&self) -> Value {
        // It was written from a tree.
        serde_json::from_str(&self.json).unwrap_or(Value::Null)
    }

    /// The object as a type of one's own.
    ///
    /// # Errors
    /// Where it does not have that shape.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.json)
    }

    /// About how many bytes it takes: its texts and the fixed parts.
    pub fn bytes(&self) -> usize {
        let pair = size_of::<(Box<str>, Box<str>)>();
        let labels: usize = self.labels.iter().map(|(k, v)| k.len() + v.len() + pair).sum();
        let names = self.namespace.len() + self.name.len() + self.uid.len() + self.version.len();
        size_of::<Object>() + names + labels + self.json.len() + self.links.len() * size_of::<Link>()
    }
}

/// An item of a list or an event of a watch that is no object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Empty where it does not say.
    pub namespace: String,
    pub name: String,
    pub version: String,
    pub why: String,
}

fn prune(kind: Kind, value: &mut Value) {
    let Some(whole) = value.as_object_mut() else { return };
    if let Some(metadata) = whole.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if kind == Kind::ReplicaSet {
            metadata.retain(|key, _| REPLICA_SET_METADATA.contains(&key.as_str()) || key == "annotations");
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
            if kind == Kind::ReplicaSet {
                annotations.retain(|key, _| key.starts_with(REPLICA_SET_ANNOTATIONS));
            }
        }
    }
    if kind == Kind::ReplicaSet {
        let replicas = whole.get_mut("spec").and_then(|spec| spec.get_mut("replicas")).map(Value::take);
        let spec = replicas.map_or_else(Map::new, |replicas| Map::from_iter([("replicas".to_owned(), replicas)]));
        whole.insert("spec".to_owned(), Value::Object(spec));
    }
    if kind.metadata_only() {
        whole.retain(|key, _| key == "metadata");
    }
}

fn links(kind: Kind, namespace: &str, value: &Value) -> Box<[Link]> {
    let items = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let mut found: Vec<Link> = Vec::new();
    for owner in items(value.pointer("/metadata/ownerReferences")) {
        found.extend(owner.get("uid").and_then(Value::as_str).map(|uid| Link::Owner(uid.into())));
    }
    if kind == Kind::HttpRoute {
        for rule in items(value.pointer("/spec/rules")) {
            let mirrored = items(rule.get("filters"));
            let mirrors = mirrored.iter().filter_map(|f| f.pointer("/requestMirror/backendRef"));
            let backends = items(rule.get("backendRefs"));
            found.extend(backends.iter().chain(mirrors).filter_map(|backend| service_of(namespace, backend)));
        }
    }
    found.sort();
    found.dedup();
    found.into()
}

/// The Service of a backend reference; by the Gateway API's defaults a reference without group and kind is one, and one
/// without a namespace is in the route's.
fn service_of(namespace: &str, backend: &Value) -> Option<Link> {
    let text = |field: &str| backend.get(field).and_then(Value::as_str);
    let service = text("kind").unwrap_or("Service") == "Service" && text("group").unwrap_or_default().is_empty();
    let name = text("name")?;
    service.then(|| Link::Backend(text("namespace").unwrap_or(namespace).into(), name.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn whole() -> Value {
        json!({
            "metadata": {
                "name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7", "generation": 3,
                "labels": {"app": "a"}, "managedFields": [{"manager": "x"}],
                "annotations": {LAST_APPLIED: "{}", "deployment.kubernetes.io/revision": "2", "note": "b"},
                "ownerReferences": [{"uid": "o", "kind": "Deployment", "name": "d"}],
            },
            "spec": {"replicas": 2, "template": {"spec": {}}},
            "status": {"readyReplicas": 1},
            "data": {"secret": "s"},
        })
    }

    #[test]
    fn what_nobody_needs_is_not_kept() {
        let kept = Object::read(Kind::Deployment, whole()).expect("an object").value();
        assert_eq!(kept.pointer("/metadata/managedFields"), None);
        assert_eq!(kept["metadata"]["annotations"], json!({"deployment.kubernetes.io/revision": "2", "note": "b"}));
        assert_eq!(kept["spec"]["template"], json!({"spec": {}}));
    }

    #[test]
    fn of_a_replica_set_only_what_readiness_needs_is_kept() {
        let object = Object::read(Kind::ReplicaSet, whole()).expect("an object");
        let kept = object.value();
        assert_eq!(kept["spec"], json!({"replicas": 2}));
        assert_eq!(kept["metadata"]["annotations"], json!({"deployment.kubernetes.io/revision": "2"}));
        assert_eq!(kept["status"], json!({"readyReplicas": 1}));
        assert_eq!((object.label("app"), object.label("b")), (Some("a"), None));
        assert_eq!(*object.links, [Link::Owner("o".into())]);
        assert_eq!((object.generation, object.deleting), (3, false));
    }

    #[test]
    fn a_secrets_content_is_not_kept_even_if_it_is_sent() {
        let object = Object::read(Kind::Secret, whole()).expect("an object");
        assert!(!object.json().contains("secret"), "{}", object.json());
    }

    #[test]
    fn a_route_is_found_by_each_service_that_it_sends_to() {
        let mut route = whole();
        route["metadata"]["ownerReferences"] = json!([]);
        route["spec"] = json!({"rules": [
            {"backendRefs": [{"name": "one"}, {"name": "one", "port": 2}, {"name": "two", "namespace": "m"}]},
            {"backendRefs": [{"name": "other", "kind": "ServiceImport", "group": "multicluster.x-k8s.io"}],
             "filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "mirror"}}}]},
            {},
        ]});
        let link = |namespace: &str, name: &str| Link::Backend(namespace.into(), name.into());
        let object = Object::read(Kind::HttpRoute, route).expect("an object");
        assert_eq!(*object.links, [link("m", "two"), link("n", "mirror"), link("n", "one")]);
    }

    #[test]
    fn what_is_no_object_says_which_one_it_is() {
        let broken =
            Object::read(Kind::Service, json!({"metadata": {"name": "a", "namespace": "n"}})).expect_err("none");
        assert_eq!((broken.name.as_str(), broken.why.as_str()), ("a", "it has no metadata.uid"));
        assert!(Object::read(Kind::Service, json!("text")).is_err());
    }
}
