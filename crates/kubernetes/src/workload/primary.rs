//! The primary: the copy of the target at which the service rests, `NAME-primary`, as with Flagger.
//!
//! * **Selector.** Of the labels that the target selects by, the first that is in the list (`app`, `name`,
//!   `app.kubernetes.io/name` unless told otherwise) becomes the primary's only one, with `-primary` after its value; so neither
//!   workload ever takes the other one's pods. It cannot be changed later, so a primary that is there keeps its own.
//! * **Template.** The revision's, with that label's value; with the `-primary` copies of the tracked ConfigMaps and
//!   Secrets; and in terms of affinity, anti-affinity and spreading that name that label and value, the primary's value.
//!   (Flagger leaves affinity alone; pods that are to be near their own would look for those of the target, of which there
//!   are none at rest.)
//! * **Beside it.** `minReadySeconds`, `strategy`, `revisionHistoryLimit`, `progressDeadlineSeconds`; labels whose keys begin
//!   as the operator was told; annotations, but for those of tools that would take the copy for the original.
use super::content::{Content, Reference, each_reference, template_digest};
use super::{Change, annotate, annotation, reading};
use crate::problem::{Problem, Rule};
use crate::wanted::Names;
use serde_json::{Map, Value, json};

/// The labels of which one becomes the selector, unless the operator was told others.
pub const SELECTOR_LABELS: [&str; 3] = ["app", "name", "app.kubernetes.io/name"];
/// What a copy is called after.
const SUFFIX: &str = "-primary";
/// Annotations of the target that are about the target alone.
const NOT_COPIED: [&str; 3] =
    ["kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision", "toolkit.fluxcd.io"];
/// Fields beside the template that a copy has as well.
const COPIED: [&str; 4] = ["minReadySeconds", "strategy", "revisionHistoryLimit", "progressDeadlineSeconds"];

/// What a primary is made from.
#[derive(Clone, Copy, Debug)]
pub struct Primary<'a> {
    /// The number of the revision.
    pub rev: u32,
    /// The revision.
    pub content: &'a Content,
    /// The user's workload as it is now.
    pub target: &'a Value,
    /// What things are called.
    pub names: &'a Names,
    /// The reference to the canary, from [`owner`].
    pub owner: &'a Value,
    /// Labels of which one becomes the selector, as Flagger's `-selector-labels`.
    pub selector_labels: &'a [&'a str],
    /// How the keys of labels begin that are copied, as Flagger's `-include-label-prefix`; `*` for all.
    pub label_prefixes: &'a [&'a str],
}

impl Primary<'_> {
    /// The hash of its revision.
    #[must_use]
    pub fn hash(&self) -> String {
        self.content.hash()
    }

    /// The whole object, with as many instances as the target has (1 where that has none).
    ///
    /// # Errors
    /// A target without a label that could be the selector.
    pub fn object(&self) -> Result<Value, Problem> {
        let (label, value) = self.selector()?;
        let template = self.template(&label, &value)?;
        let mut labels = self.labels()?;
        labels.insert(label.clone(), value.clone().into());
        let mut annotations = self.annotations()?;
        annotations.extend(self.stamp(&template).into_iter().map(|(key, value)| (key.to_owned(), value.into())));
        let mut metadata = json!({
            "name": self.names.workload[0], "labels": labels, "annotations": annotations, "ownerReferences": [self.owner],
        });
        if let Some(namespace) = reading::text(self.target, "/metadata/namespace")? {
            metadata["namespace"] = namespace.into();
        }
        let replicas = reading::count(self.target, "/spec/replicas")?.max(1);
        let mut spec = json!({
            "replicas": replicas, "selector": {"matchLabels": {label: value}}, "template": template,
        });
        for key in COPIED {
            if let Some(value) = reading::at(self.target, &format!("/spec/{key}")) {
                spec[key] = value.clone();
            }
        }
        Ok(json!({"apiVersion": "apps/v1", "kind": self.content.kind.word(), "metadata": metadata, "spec": spec}))
    }

    /// The label by which the primary finds its pods, and its value there.
    fn selector(&self) -> Result<(String, String), Problem> {
        let selected = reading::map(self.target, "/spec/selector/matchLabels")?;
        let found = self.selector_labels.iter().find_map(|label| {
            let value = selected?.get(*label)?.as_str()?;
            Some(((*label).to_owned(), format!("{value}{SUFFIX}")))
        });
        found.ok_or_else(|| {
            let message = format!(
                "{} selects its pods by none of the labels {}",
                reading::title(self.target),
                self.selector_labels.join(", ")
            );
            let help = "select by one of them, or tell the operator of yours";
            Problem::error(Rule::Missing, "spec.selector.matchLabels", message, help)
        })
    }

    /// The revision's pod template as the primary has it.
    fn template(&self, label: &str, value: &str) -> Result<Value, Problem> {
        let mut template = self.content.template.clone();
        each_reference(&mut template, &mut |reference: Reference, _| {
            self.content.configs.contains_key(&reference).then(|| copy_name(&reference))
        });
        let own = value.strip_suffix(SUFFIX).unwrap_or(value);
        let labels = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut);
        let Some(labels) = labels.filter(|labels| labels.get(label).and_then(Value::as_str) == Some(own)) else {
            let message = format!("the pods of {} do not have the label {label}: {own}", reading::title(self.target));
            let help = "give the pods the labels that the selector names";
            return Err(Problem::error(Rule::Contradiction, "spec.template.metadata.labels", message, help));
        };
        labels.insert(label.to_owned(), value.into());
        for term in terms(&mut template) {
            rename(term, label, own, value);
        }
        Ok(template)
    }

    /// The labels that are copied.
    fn labels(&self) -> Result<Map<String, Value>, Problem> {
        let wanted = |key: &str| self.label_prefixes.iter().any(|prefix| *prefix == "*" || key.starts_with(prefix));
        let mut labels = reading::map(self.target, "/metadata/labels")?.cloned().unwrap_or_default();
        labels.retain(|key, _| wanted(key) && !is_others(key));
        Ok(labels)
    }

    /// The annotations that are copied.
    fn annotations(&self) -> Result<Map<String, Value>, Problem> {
        let mut annotations = reading::map(self.target, "/metadata/annotations")?.cloned().unwrap_or_default();
        annotations.retain(|key, _| !is_others(key) && !key.starts_with("serin.dev/"));
        Ok(annotations)
    }

    /// What says which revision it is.
    fn stamp(&self, template: &Value) -> [(&'static str, String); 3] {
        [
            (annotation::REVISION, self.rev.to_string()),
            (annotation::HASH, self.hash()),
            (annotation::TEMPLATE, template_digest(template)),
        ]
    }

    /// The primary's own copy of a tracked ConfigMap or Secret. The data is that of `object`, which must be what the
    /// revision was analysed with.
    ///
    /// # Errors
    /// An object that is not what the revision names.
    pub fn config(&self, reference: &Reference, object: &Value) -> Result<Value, Problem> {
        let data = super::Data::of(reference, Some(object));
        let analysed = self.content.configs.get(reference).map(|hash| super::Data::Tracked(hash.clone()));
        if analysed.as_ref() != Some(&data) {
            let message = format!("{} {} is not what was analysed", reference.kind(), reference.name);
            let help = "it has been changed since: that is another revision";
            return Err(Problem::error(Rule::Contradiction, "data", message, help));
        }
        let mut metadata = json!({"name": copy_name(reference), "ownerReferences": [self.owner]});
        if let Some(namespace) = reading::text(object, "/metadata/namespace")? {
            metadata["namespace"] = namespace.into();
        }
        if let Some(labels) = reading::map(object, "/metadata/labels")? {
            let mut labels = labels.clone();
            let wanted = |key: &str| self.label_prefixes.iter().any(|prefix| *prefix == "*" || key.starts_with(prefix));
            labels.retain(|key, _| wanted(key) && !is_others(key));
            if !labels.is_empty() {
                metadata["labels"] = labels.into();
            }
        }
        let mut copy = json!({"apiVersion": "v1", "kind": reference.kind(), "metadata": metadata});
        for key in ["type", "data", "binaryData"] {
            if let Some(value) = reading::at(object, &format!("/{key}")) {
                copy[key] = value.clone();
            }
        }
        Ok(copy)
    }
}

/// The patch that gives a primary that is there another revision. It is a JSON Patch and not a merge patch: the template is
/// replaced whole, while a merge would leave the labels, selectors and settings that the new template does not have any more.
/// It never touches the number of replicas; `None` where it has that revision already.
///
/// # Errors
/// A primary that finds its pods by another label, and what is of the wrong kind.
pub fn rewrite(primary: &Value, wanted: &Primary<'_>) -> Result<Option<Change>, Problem> {
    Change::patch("apps/v1", wanted.content.kind.word(), primary, template_operations(primary, wanted)?)
}

/// The operations of [`rewrite`], without the test of the version.
pub(crate) fn template_operations(primary: &Value, wanted: &Primary<'_>) -> Result<Vec<Value>, Problem> {
    let selected = reading::map(primary, "/spec/selector/matchLabels")?;
    let (label, value) = wanted.selector()?;
    if selected.is_none_or(|labels| labels.len() != 1 || labels.get(&label) != Some(&value.clone().into())) {
        let message = format!("{} does not find its pods by {label}: {value} alone", reading::title(primary));
        let help =
            "a selector cannot be changed: tell the operator of the label that it was made with, or delete the primary";
        return Err(Problem::error(Rule::Contradiction, "spec.selector", message, help));
    }
    let template = wanted.template(&label, &value)?;
    let stamp = wanted.stamp(&template).map(|(key, value)| (key, Some(value)));
    let mut operations = annotate(primary, &stamp);
    if template_digest(reading::template(primary)?) != template_digest(&template) {
        operations.push(json!({"op": "replace", "path": "/spec/template", "value": template}));
    }
    for key in COPIED {
        let (path, wish) = (format!("/spec/{key}"), reading::at(wanted.target, &format!("/spec/{key}")));
        if let Some(wish) = wish.filter(|wish| primary.pointer(&path) != Some(wish)) {
            operations.push(json!({"op": "add", "path": path, "value": wish}));
        }
    }
    if reading::truth(primary, "/spec/paused")? {
        operations.push(json!({"op": "add", "path": "/spec/paused", "value": false}));
    }
    Ok(operations)
}

/// What the primary's copy of a config is called.
#[must_use]
pub fn copy_name(reference: &Reference) -> String {
    format!("{}{SUFFIX}", reference.name)
}

/// Whether a label or annotation belongs to a tool that would take the copy for the original.
fn is_others(key: &str) -> bool {
    NOT_COPIED.iter().any(|other| key.contains(other))
}

/// Every term of a template that says to which pods something is near, far from, or spread among.
fn terms(template: &mut Value) -> Vec<&mut Value> {
    let Some(spec) = template.get_mut("spec").and_then(Value::as_object_mut) else { return Vec::new() };
    let mut all = Vec::new();
    for (key, value) in spec.iter_mut() {
        match key.as_str() {
            "topologySpreadConstraints" => all.extend(value.as_array_mut().into_iter().flatten()),
            "affinity" => {
                let kinds = value.as_object_mut().into_iter().flatten();
                let kinds = kinds.filter(|(kind, _)| ["podAffinity", "podAntiAffinity"].contains(&kind.as_str()));
                for (_, kind) in kinds {
                    for (when, list) in kind.as_object_mut().into_iter().flatten() {
                        let wrapped = when.starts_with("preferred");
                        let list = list.as_array_mut().into_iter().flatten();
                        all.extend(
                            list.filter_map(|term| if wrapped { term.get_mut("podAffinityTerm") } else { Some(term) }),
                        );
                    }
                }
            }
            _ => {}
        }
    }
    all
}

/// Names the primary's pods where the target's are named.
fn rename(term: &mut Value, label: &str, own: &str, value: &str) {
    let Some(selector) = term.get_mut("labelSelector") else { return };
    if let Some(named) = selector.get_mut("matchLabels").and_then(|labels| labels.get_mut(label))
        && named.as_str() == Some(own)
    {
        *named = value.into();
    }
    let expressions = selector.get_mut("matchExpressions").and_then(Value::as_array_mut).into_iter().flatten();
    for expression in expressions.filter(|expression| expression.get("key").and_then(Value::as_str) == Some(label)) {
        let values = expression.get_mut("values").and_then(Value::as_array_mut).into_iter().flatten();
        for named in values.filter(|named| named.as_str() == Some(own)) {
            *named = value.into();
        }
    }
}

#[cfg(test)]
mod tests;
