//! What a revision of a workload is, and the hash that names it.
//!
//! In it: the kind, the pod template as the API server has it (with every default filled in), and the data of every
//! ConfigMap and Secret that the template refers to. So an image, a variable, a probe, a label or annotation *of the pods*, or
//! a changed config is another revision; so is `kubectl rollout restart`, which writes an annotation into the template, as
//! it means "new pods", and those are tried like any others.
//!
//! Not in it: the workload's name, labels and annotations, `replicas`, `paused`, `strategy`, `minReadySeconds`, the history
//! limit and deadlines, as none of them runs; the label `pod-template-hash`, which the cluster adds; nulls, which are no
//! value; the order of keys. So applying the same file once more, an annotation of another tool, or another number of
//! replicas is no new revision.
//!
//! Hashing what the server gave and not what was written makes a default that is left out, and the same one written, the
//! same. The hash is over canonical JSON, so that no version of a library is part of it.
use super::{Kind, annotation, reading};
use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What the cluster writes into the templates and pods of ReplicaSets.
const CLUSTERS_LABEL: &str = "pod-template-hash";
/// The node selector that no node has, by which a DaemonSet is scaled to nothing; Flagger's own.
pub(crate) const NOWHERE: &str = "flagger.app/scale-to-zero";
/// The types of Secrets that are tracked, as with Flagger: those that people write. Tokens and the like are the
/// cluster's own affair.
const SECRETS: [&str; 4] = ["Opaque", "kubernetes.io/basic-auth", "kubernetes.io/ssh-auth", "kubernetes.io/tls"];

/// A ConfigMap or Secret that a template refers to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Reference {
    /// Whether it is a Secret; else it is a ConfigMap.
    pub secret: bool,
    /// Its name.
    pub name: String,
}

impl From<Reference> for String {
    fn from(reference: Reference) -> String {
        format!("{}/{}", reference.kind(), reference.name)
    }
}

impl TryFrom<String> for Reference {
    type Error = String;

    fn try_from(text: String) -> Result<Reference, String> {
        match text.split_once('/') {
            Some(("Secret", name)) => Ok(Reference { secret: true, name: name.to_owned() }),
            Some(("ConfigMap", name)) => Ok(Reference { secret: false, name: name.to_owned() }),
            Some(_) | None => Err(format!("`{text}` is neither `ConfigMap/NAME` nor `Secret/NAME`")),
        }
    }
}

impl Reference {
    /// `ConfigMap` or `Secret`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        if self.secret { "Secret" } else { "ConfigMap" }
    }
}

/// What is known of a ConfigMap or Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// The hash of its data.
    Tracked(String),
    /// Its changes are no new revisions: an annotation says so, or it is a Secret of a type that people do not write. Both
    /// workloads use the same one.
    Untracked,
    /// It is not there. Where it is optional the pods start without it; once it is there, that is a new revision.
    Absent,
}

impl Data {
    /// What an object says; `None` where there is none.
    #[must_use]
    pub fn of(reference: &Reference, object: Option<&Value>) -> Data {
        let Some(object) = object else { return Data::Absent };
        let off = [annotation::TRACKING, annotation::FLAGGERS_TRACKING]
            .iter()
            .any(|key| reading::annotation(object, key) == Some("disabled"));
        let kind = object.get("type").and_then(Value::as_str).unwrap_or(SECRETS[0]);
        if off || (reference.secret && !SECRETS.contains(&kind)) {
            return Data::Untracked;
        }
        let filled = |key: &str| object.get(key).filter(|value| value.as_object().is_some_and(|map| !map.is_empty()));
        let content = json!({ "data": filled("data"), "binaryData": filled("binaryData") });
        Data::Tracked(digest(&content))
    }
}

/// Everything that runs. It is kept whole, so that a revision can be started again when its workload has another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// What kind of workload.
    pub kind: Kind,
    /// The pod template.
    pub template: Value,
    /// The tracked configs, each with the hash of its data.
    pub configs: BTreeMap<Reference, String>,
}

impl Content {
    /// What the target runs when it is rolled out. `data` answers for every reference of its template.
    ///
    /// # Errors
    /// A target without a pod template.
    pub fn of(kind: Kind, target: &Value, data: impl Fn(&Reference) -> Data) -> Result<Content, Problem> {
        let template = plain(reading::template(target)?);
        let tracked = |reference: Reference| match data(&reference) {
            Data::Tracked(hash) => Some((reference, hash)),
            Data::Untracked | Data::Absent => None,
        };
        let configs = references(&template).into_keys().filter_map(tracked).collect();
        Ok(Content { kind, template, configs })
    }

    /// The revision's name: SHA-256 in 64 hex digits.
    #[must_use]
    pub fn hash(&self) -> String {
        let configs: Map<String, Value> =
            self.configs.iter().map(|(reference, hash)| (reference.clone().into(), json!(hash))).collect();
        digest(&json!({ "kind": self.kind.word(), "template": self.template, "configs": configs }))
    }

    /// The digest by which its ReplicaSet is found among those of the target.
    #[must_use]
    pub fn template_digest(&self) -> String {
        template_digest(&self.template)
    }
}

/// The digest of a pod template, without what the cluster and Serin themselves put into it.
pub(crate) fn template_digest(template: &Value) -> String {
    digest(&plain(template))
}

/// A template without what is not the user's: the cluster's label, and the selector that scales a DaemonSet to nothing.
/// Nulls are no values.
fn plain(template: &Value) -> Value {
    let mut template = template.clone();
    for (pointer, key) in [("/metadata/labels", CLUSTERS_LABEL), ("/spec/nodeSelector", NOWHERE)] {
        let emptied = template
            .pointer_mut(pointer)
            .and_then(Value::as_object_mut)
            .is_some_and(|map| map.remove(key).is_some() && map.is_empty());
        if emptied && let Some(above) = pointer.rsplit_once('/') {
            let parent = template.pointer_mut(above.0).and_then(Value::as_object_mut);
            parent.map(|map| map.remove(above.1));
        }
    }
    without_nulls(&mut template);
    template
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, inner| !inner.is_null());
            map.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every ConfigMap and Secret that a template refers to, and whether the pods start without it. What is of the wrong kind
/// refers to nothing: the API server refuses it before it comes here.
#[must_use]
pub fn references(template: &Value) -> BTreeMap<Reference, bool> {
    let mut found = BTreeMap::new();
    let mut template = template.clone();
    each_reference(&mut template, &mut |reference, place| {
        let optional = place.get("optional").and_then(Value::as_bool).unwrap_or(false);
        let all = found.entry(reference).or_insert(true);
        *all = *all && optional;
        None
    });
    found
}

/// Asks for every place of a template that names a ConfigMap or Secret, and writes the name that is answered there.
pub(crate) fn each_reference(template: &mut Value, ask: &mut impl FnMut(Reference, &Value) -> Option<String>) {
    let mut rename = |place: Option<&mut Value>, secret: bool, key: &str| {
        let Some(place) = place else { return };
        let Some(name) = place.get(key).and_then(Value::as_str).filter(|name| !name.is_empty()) else { return };
        let reference = Reference { secret, name: name.to_owned() };
        if let Some(renamed) = ask(reference, place) {
            place[key] = renamed.into();
        }
    };
    let Some(spec) = template.get_mut("spec") else { return };
    for volume in entries(spec, "volumes") {
        rename(volume.get_mut("configMap"), false, "name");
        rename(volume.get_mut("secret"), true, "secretName");
        for source in volume.get_mut("projected").into_iter().flat_map(|projected| entries(projected, "sources")) {
            rename(source.get_mut("configMap"), false, "name");
            rename(source.get_mut("secret"), true, "name");
        }
    }
    for list in ["initContainers", "containers"] {
        for container in entries(spec, list) {
            for source in entries(container, "envFrom") {
                rename(source.get_mut("configMapRef"), false, "name");
                rename(source.get_mut("secretRef"), true, "name");
            }
            for variable in entries(container, "env") {
                let Some(from) = variable.get_mut("valueFrom") else { continue };
                rename(from.get_mut("configMapKeyRef"), false, "name");
                rename(from.get_mut("secretKeyRef"), true, "name");
            }
        }
    }
}

/// The entries of a list below, none where there is no list.
fn entries<'a>(value: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    value.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

/// SHA-256 over JSON with sorted keys.
pub(crate) fn digest(value: &Value) -> String {
    let mut text = String::new();
    canonical(value, &mut text);
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // writing to a String cannot fail
        hex
    })
}

fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut sorted: Vec<_> = map.iter().collect();
            sorted.sort_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (i, (key, value)) in sorted.into_iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(list) => {
            out.push('[');
            for (i, value) in list.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                canonical(value, out);
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests;
