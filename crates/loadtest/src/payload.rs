//! What a webhook brings: Flagger's payload, of which the load tester reads three members and passes over the rest.

use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

use crate::refusal::Refusal;

/// The longest name of an object or namespace in Kubernetes.
const LONGEST_NAME: usize = 253;

/// The part of the payload that is read. Members that it does not know mean nothing here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Payload {
    name: String,
    namespace: String,
    metadata: BTreeMap<String, String>,
}

/// For whom something is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Canary {
    name: String,
    namespace: String,
}

impl fmt::Display for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() && self.namespace.is_empty() {
            return f.write_str("nobody");
        }
        write!(f, "{}.{}", self.name, self.namespace)
    }
}

impl Payload {
    /// Reads a body.
    ///
    /// # Errors
    /// It is not JSON, not of this form, or names what cannot be an object of Kubernetes.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Refusal> {
        // By way of an object: a list of the same values would be read as the members in their order.
        let object = serde_json::from_slice::<Map<String, Value>>(body);
        let payload: Self = object.and_then(|object| serde_json::from_value(object.into())).map_err(|e| {
            let form = r#"{"name": "podinfo", "namespace": "prod", "metadata": {"type": "cmd", "cmd": "hey …"}}"#;
            Refusal::wrong(format!("the body is not a webhook's payload ({e}); it is JSON such as {form}"))
        })?;
        for (member, text) in [("name", &payload.name), ("namespace", &payload.namespace)] {
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
            if text.len() > LONGEST_NAME || !text.chars().all(fits) || (member == "namespace" && text.contains('.')) {
                return Err(Refusal::wrong(format!(
                    "the payload's {member} cannot be that of an object in Kubernetes: write small letters, digits and `-`"
                )));
            }
        }
        Ok(payload)
    }

    /// For whom it is; a command may be for nobody in particular.
    pub(crate) fn canary(&self) -> Canary {
        Canary { name: self.name.clone(), namespace: self.namespace.clone() }
    }

    /// For whom it is, where that must be said.
    ///
    /// # Errors
    /// Name or namespace is missing.
    pub(crate) fn named(&self) -> Result<Canary, Refusal> {
        if self.name.is_empty() || self.namespace.is_empty() {
            return Err(Refusal::wrong(
                r#"a gate is somebody's: write {"name": "podinfo", "namespace": "prod"} with the canary's name and namespace"#,
            ));
        }
        Ok(self.canary())
    }

    /// A word of the webhook's metadata.
    pub(crate) fn word(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// Whether a word of the metadata says yes.
    pub(crate) fn says(&self, key: &str) -> bool {
        self.word(key).is_some_and(|word| word.eq_ignore_ascii_case("true"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_send_along_is_passed_over() {
        let text = r#"{"name":"podinfo","namespace":"prod","phase":"Progressing","checksum":"ab12",
            "metadata":{"cmd":"hey","logCmdOutput":"True"},"serin":{"rollout":3,"weight":500}}"#;
        let payload = Payload::read(text.as_bytes()).unwrap();
        assert_eq!(payload.named().unwrap().to_string(), "podinfo.prod");
        assert_eq!(payload.word("cmd"), Some("hey"));
        assert!(payload.says("logCmdOutput") && !payload.says("returnCmdOutput"));
        assert_eq!(Payload::read(b"{}").unwrap().canary().to_string(), "nobody");
    }

    #[test]
    fn what_is_no_payload_is_refused() {
        let long = format!(r#"{{"name":"{}"}}"#, "a".repeat(254));
        for text in [
            "",
            "[]",
            "7",
            "null",
            "{",
            "{}x",
            r#"{"name":7}"#,
            r#"{"metadata":[]}"#,
            r#"{"metadata":{"cmd":7}}"#,
            r#"{"metadata":{"logCmdOutput":true}}"#,
            r#"{"name":"a/../b"}"#,
            r#"{"name":"a\u0000b"}"#,
            r#"{"name":"a","namespace":"b.c"}"#,
            &long,
            &"[".repeat(100_000),
        ] {
            let refusal = Payload::read(text.as_bytes()).unwrap_err();
            assert_eq!(refusal.status, 400, "{text:.80}");
            assert!(refusal.text.contains("payload"), "{}", refusal.text);
        }
        assert_eq!(Payload::read(br#"{"name":"a"}"#).unwrap().named().unwrap_err().status, 400);
    }
}
