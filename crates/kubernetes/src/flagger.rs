//! Flagger's objects as they are written, field by field: `Canary`, `MetricTemplate` and `AlertProvider` of
//! `flagger.app/v1beta1`, and of the old `flagger.app/v1alpha3` with `canaryAnalysis`.
//!
//! Nothing is decided here, and no default is filled in. An object is decoded alone, from a JSON value: what cannot be
//! read is told, left out, and harms neither the other fields nor other objects. Fields that nobody knows are warnings,
//! since the language is not ours and grows.
//!
//! Both versions are read alike. They share one storage, and the API server changes nothing but the name of the version,
//! so that an object that was written as `v1alpha3` comes back as `v1beta1` with `canaryAnalysis`.
mod alert_provider;
mod analysis;
mod canary;
mod metric_template;
mod service;

pub use alert_provider::AlertProvider;
pub use analysis::{Alert, Analysis, Metric, Range, SessionAffinity, Webhook};
pub use canary::{Autoscaler, Canary, Reference};
pub use metric_template::{MetricProvider, MetricTemplate};
pub use service::{Labels, Rewrite, Service, Unmanaged};

use crate::decode::{Fields, Reading};
use crate::problem::{Found, Problem, Rule};
use serde_json::Value;
use std::collections::BTreeSet;

/// The API group.
pub const GROUP: &str = "flagger.app";
/// The versions that are read; the first one is stored.
pub const VERSIONS: [&str; 2] = ["v1beta1", "v1alpha3"];

/// What every object says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Its name.
    pub name: String,
    /// Its namespace; empty where the value was not read from a cluster and says none.
    pub namespace: String,
    /// Kubernetes' number of the spec.
    pub generation: Option<i64>,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// An object with what was said while it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded<T> {
    /// The object, without what could not be read.
    pub object: T,
    /// Errors and warnings, errors first.
    pub problems: Vec<Problem>,
    /// The same, to go on with: it knows how many more there are.
    pub(crate) found: Found,
}

/// Reads one object of `kind`. `Err` where it is no such object or has no name; all else is told beside the object.
fn decode<T>(
    value: &Value,
    kind: &str,
    reading: &mut Reading,
    read: impl FnOnce(&mut Fields<'_, '_>, Meta) -> T,
) -> Option<T> {
    let Value::Object(map) = value else {
        let help = format!("write a {kind} of {GROUP}/{}", VERSIONS[0]);
        reading.found.add(Problem::error(Rule::Kind, "", "this is no object", help));
        return None;
    };
    let mut fields = Fields::new(map, String::new(), reading);
    let version = fields.needed_text("apiVersion", &format!("write {GROUP}/{}", VERSIONS[0]))?;
    let known = version.strip_prefix(GROUP).and_then(|rest| rest.strip_prefix('/'));
    if !known.is_some_and(|version| VERSIONS.contains(&version)) {
        let message = format!("`{}` is not a version that is read here", crate::decode::cut(&version));
        let help = format!("write {GROUP}/{} or {GROUP}/{}", VERSIONS[0], VERSIONS[1]);
        fields.add(Problem::error(Rule::Value, "apiVersion", message, help));
        return None;
    }
    let said = fields.needed_text("kind", &format!("write {kind}"))?;
    if said != kind {
        let message = format!("this is a `{}`", crate::decode::cut(&said));
        fields.add(Problem::error(Rule::Value, "kind", message, format!("write {kind}")));
        return None;
    }
    let meta = meta(value);
    if meta.name.is_empty() {
        fields.add(Problem::error(Rule::Missing, "metadata.name", "the object has no name", "write one"));
        return None;
    }
    fields.pass_over("metadata");
    fields.pass_over("status");
    let object = read(&mut fields, meta);
    fields.finish();
    Some(object)
}

/// The metadata belongs to Kubernetes, which has checked it.
fn meta(value: &Value) -> Meta {
    let field = |name: &str| value.get("metadata").and_then(|meta| meta.get(name));
    let text = |name: &str| field(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Meta {
        name: text("name"),
        namespace: text("namespace"),
        generation: field("generation").and_then(Value::as_i64),
        deleting: field("deletionTimestamp").is_some_and(Value::is_string),
    }
}

/// Reads one object, and says what was found where it is none.
fn decoded<T>(
    value: &Value,
    kind: &str,
    read: impl FnOnce(&mut Fields<'_, '_>, Meta) -> T,
) -> Result<Decoded<T>, Vec<Problem>> {
    let mut reading = Reading::default();
    let object = decode(value, kind, &mut reading, read);
    let found = reading.found;
    let problems = found.clone().finish();
    match object {
        Some(object) => Ok(Decoded { object, problems, found }),
        None => Err(problems),
    }
}

/// Every field that is looked for in this object, as paths with `[]` for an index: what a schema must let through.
#[must_use]
pub fn fields_read(value: &Value) -> BTreeSet<String> {
    let mut reading = Reading::that_remembers();
    match value.get("kind").and_then(Value::as_str) {
        Some(MetricTemplate::KIND) => drop(decode(value, MetricTemplate::KIND, &mut reading, MetricTemplate::read)),
        Some(AlertProvider::KIND) => drop(decode(value, AlertProvider::KIND, &mut reading, AlertProvider::read)),
        Some(_) | None => drop(decode(value, Canary::KIND, &mut reading, Canary::read)),
    }
    reading.asked()
}
