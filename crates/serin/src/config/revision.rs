//! What a revision is: everything that runs, and the hash that names it.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::spec::{HealthSpec, RunSpec, Spec};

/// Everything that runs: the sections `run` and `health`. How many instances there are, and how they are released,
/// judged and reached, is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevisionContent {
    /// What runs.
    pub run: RunSpec,
    /// How its readiness is found out.
    pub health: HealthSpec,
}

impl Spec {
    /// What of this spec is the revision.
    pub fn revision(&self) -> RevisionContent {
        RevisionContent { run: self.run.clone(), health: self.health.clone() }
    }
}

impl RevisionContent {
    /// SHA-256, in 64 hex digits, over the canonical JSON: keys sorted, and what is absent or empty left out, so that
    /// a key which a later version of Serin adds does not rename the revisions of those who do not use it. (Hence such
    /// a key is an `Option` here, and resolves to `None` where it is not written.)
    ///
    /// # Panics
    /// Never: the content has only text keys and no floats.
    pub fn hash(&self) -> String {
        let value = serde_json::to_value(self).expect("a revision is always JSON");
        digest(&value)
    }
}

/// The hash of what a file says: of its keys and values as they are written, and of the config files that it names.
/// Remarks and order do not count. Defaults neither, so that a later version of Serin with other defaults
/// finds the same file.
pub(super) fn file_hash(text: &str, spec: &Spec) -> String {
    let written: Value = serde_saphyr::from_str(text).unwrap_or_else(|_| text.into());
    digest(&serde_json::json!({ "file": written, "config": spec.run.config }))
}

fn digest(value: &Value) -> String {
    let mut text = String::new();
    canonical(value, &mut text);
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // writing to a String cannot fail
        hex
    })
}

fn absent(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(absent),
        Value::Array(list) => list.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().filter(|(_, v)| !absent(v)).collect();
            entries.sort_by_key(|(k, _)| k.as_str());
            out.push('{');
            for (i, (key, value)) in entries.into_iter().enumerate() {
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
