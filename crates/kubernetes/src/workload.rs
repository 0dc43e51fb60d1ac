//! The two workloads of a canary: the primary in slot 0, which is Serin's own, and the target in slot 1, which is the
//! user's. Objects as the API server gives them come in; what is seen, and what is to be written, comes out.
//!
//! ```text
//! target + configs ─▶ content (what a revision is, and its hash) ─▶ primary (the copy of it that the service rests at)
//! Deployment + its ReplicaSets + autoscaler ─▶ seen (a `SetSeen`)
//!                                   `Resize` ─▶ resize (the writes, in order)
//! ```
//!
//! **Why the target is paused while it gets traffic.** A push rolls a Deployment at once, under whatever traffic it has. A
//! paused one scales and heals and never rolls. So `spec.paused` is true from before the first request until after the
//! last one, and what serves is what was analysed. It is unpaused for the moment in which the ReplicaSet of a new
//! template has to be made, which a paused Deployment does not do.
//!
//! **Where it is read.** A `Deployment` is read first, and its ReplicaSets after it: the controller scales the ReplicaSets
//! before it tells by `status.observedGeneration` that it has seen a generation. The other way round an older ReplicaSet can
//! stand beside a newer Deployment, and more is told as ready than there is.
pub mod autoscaler;
pub mod content;
pub mod primary;
mod reading;
pub mod resize;
pub mod seen;
mod sets;

pub use content::{Content, Data, Reference};
pub use seen::Expected;

use crate::patch::escaped;
use crate::problem::{Problem, Rule};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Every annotation that Serin writes on workloads and autoscalers.
pub mod annotation {
    /// On the primary: the number of the revision that it runs.
    pub const REVISION: &str = "serin.dev/revision";
    /// On the primary: the full hash of that revision.
    pub const HASH: &str = "serin.dev/hash";
    /// On the primary: the digest of the pod template that Serin wrote, so that somebody else's edit is seen.
    pub const TEMPLATE: &str = "serin.dev/template";
    /// On the primary: `true` while nobody else may lower its number.
    pub const PINNED: &str = "serin.dev/pinned";
    /// On an autoscaler that is held: what it was, and what Serin wrote in its place.
    pub const HELD: &str = "serin.dev/held";
    /// On a ConfigMap or Secret: `disabled` where its changes are no new revisions.
    pub const TRACKING: &str = "serin.dev/config-tracking";
    /// Flagger's name of the same.
    pub const FLAGGERS_TRACKING: &str = "flagger.app/config-tracking";
}

/// A kind of workload that can be released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// So many pods.
    Deployment,
    /// A pod on each node.
    DaemonSet,
}

impl Kind {
    /// The kind that an object or a reference names.
    ///
    /// # Errors
    /// Any other kind.
    pub fn of(word: &str) -> Result<Kind, Problem> {
        match word {
            "Deployment" => Ok(Kind::Deployment),
            "DaemonSet" => Ok(Kind::DaemonSet),
            other => {
                let message = format!("a {} cannot be released", crate::decode::cut(other));
                Err(Problem::error(Rule::Value, "kind", message, "write Deployment or DaemonSet"))
            }
        }
    }

    /// Its name in Kubernetes.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Deployment => "Deployment",
            Kind::DaemonSet => "DaemonSet",
        }
    }
}

/// One write to the API server.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The object's `apiVersion`.
    pub api_version: &'static str,
    /// Its kind.
    pub kind: &'static str,
    /// Its name; it is in the canary's namespace.
    pub name: String,
    /// What is written.
    pub how: How,
}

/// What is written.
#[derive(Clone, Debug, PartialEq)]
pub enum How {
    /// The whole object, which must not be there yet.
    Create(Value),
    /// A JSON Patch (RFC 6902). Its first operation tests the version that was looked at, so that it changes that one or
    /// nothing.
    Patch(Value),
}

impl Change {
    /// A change of the object as it was looked at; `None` where there is nothing to change.
    ///
    /// # Errors
    /// An object without a name or version.
    pub(crate) fn patch(
        api_version: &'static str,
        kind: &'static str,
        object: &Value,
        operations: Vec<Value>,
    ) -> Result<Option<Change>, Problem> {
        if operations.is_empty() {
            return Ok(None);
        }
        let version = reading::text(object, "/metadata/resourceVersion")?.ok_or_else(|| {
            let message = format!("the {kind} has no version, so that nobody can say which one is changed");
            Problem::error(
                Rule::Missing,
                "metadata.resourceVersion",
                message,
                "give the object as the API server has it",
            )
        })?;
        let mut patch = vec![json!({"op": "test", "path": "/metadata/resourceVersion", "value": version})];
        patch.extend(operations);
        Ok(Some(Change { api_version, kind, name: reading::name(object)?, how: How::Patch(Value::Array(patch)) }))
    }
}

/// The operations that set annotations, for an object that may have none yet. `None` takes one away.
pub(crate) fn annotate(object: &Value, entries: &[(&str, Option<String>)]) -> Vec<Value> {
    let there = object.pointer("/metadata/annotations").and_then(Value::as_object);
    let now = |key: &str| there.and_then(|map| map.get(key)).and_then(Value::as_str);
    let mut operations = Vec::new();
    for (key, value) in entries.iter().filter(|(key, value)| now(key) != value.as_deref()) {
        let path = format!("/metadata/annotations/{}", escaped(key));
        operations.push(match value {
            Some(value) => json!({"op": "add", "path": path, "value": value}),
            None => json!({"op": "remove", "path": path}),
        });
    }
    if there.is_none() && !operations.is_empty() {
        operations.insert(0, json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
    }
    operations
}
