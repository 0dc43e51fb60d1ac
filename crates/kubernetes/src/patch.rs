//! JSON Patch (RFC 6902) as it is sent to the API server: one request in which everything happens or nothing.
//!
//! Lists of routes and of ports cannot be merged without losing what others wrote into them, so entries are named by
//! their index, and each index is tested before it is used. The test of the version comes first: what was looked at is
//! what is changed. The server evaluates tests on what it has then, and says so with 422 (`reason: Invalid`, no `causes`
//! and no `details.name`) where one fails. A value that the schema refuses is 422 as well, with both of these.
use serde_json::{Value, json};

/// Changes of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    operations: Vec<Value>,
}

impl Patch {
    /// Changes of this version of `object`; `None` where it does not say which one it is.
    #[must_use]
    pub fn of(object: &Value) -> Option<Patch> {
        let version = object.pointer("/metadata/resourceVersion")?.as_str().filter(|version| !version.is_empty())?;
        let mut patch = Patch { operations: Vec::new() };
        patch.test("/metadata/resourceVersion", json!(version));
        Some(patch)
    }

    /// What is sent, as `application/json-patch+json`.
    #[must_use]
    pub fn json(&self) -> Value {
        Value::Array(self.operations.clone())
    }

    /// Whether it changes nothing: it tests only.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.iter().all(|operation| operation.get("op").is_some_and(|op| op == "test"))
    }

    /// Whether anything is written at this very path.
    pub(crate) fn touches(&self, path: &str) -> bool {
        self.operations.iter().any(|one| one.get("path").is_some_and(|at| at == path))
    }

    pub(crate) fn test(&mut self, path: impl Into<String>, value: Value) {
        self.push("test", path.into(), value);
    }

    /// Gives a member that is there another value.
    pub(crate) fn replace(&mut self, path: impl Into<String>, value: Value) {
        self.push("replace", path.into(), value);
    }

    /// Gives a member a value, whether it is there or not; what it is in must be there. With an index it inserts.
    pub(crate) fn add(&mut self, path: impl Into<String>, value: Value) {
        self.push("add", path.into(), value);
    }

    pub(crate) fn remove(&mut self, path: impl Into<String>) {
        self.operations.push(json!({"op": "remove", "path": path.into()}));
    }

    /// Puts texts into `/metadata/annotations` or `/metadata/labels` of `object`, and leaves all other ones as they are.
    /// Those that are there already are not written.
    pub(crate) fn put<'a>(&mut self, object: &Value, what: &str, texts: impl IntoIterator<Item = (&'a str, String)>) {
        let path = format!("/metadata/{what}");
        let there = object.pointer(&path).filter(|map| map.is_object());
        let differs = |(key, text): &(&str, String)| {
            there.and_then(|map| map.get(*key)).and_then(Value::as_str) != Some(text.as_str())
        };
        let texts: Vec<(&str, String)> = texts.into_iter().filter(differs).collect();
        if texts.is_empty() {
            return;
        }
        if there.is_some() {
            for (key, text) in texts {
                self.add(format!("{path}/{}", escaped(key)), Value::String(text));
            }
        } else {
            let map = texts.into_iter().map(|(key, text)| (key.to_owned(), Value::String(text))).collect();
            self.add(path, Value::Object(map));
        }
    }

    fn push(&mut self, op: &str, path: String, value: Value) {
        self.operations.push(json!({"op": op, "path": path, "value": value}));
    }
}

/// A key as a part of a JSON Pointer (RFC 6901 §3).
pub(crate) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_of_a_version() {
        assert_eq!(Patch::of(&json!({"metadata": {}})), None);
        assert_eq!(Patch::of(&json!({"metadata": {"resourceVersion": ""}})), None);
        assert_eq!(Patch::of(&json!({"metadata": {"resourceVersion": 7}})), None);
        let patch = Patch::of(&json!({"metadata": {"resourceVersion": "7"}})).expect("it says which");
        assert!(patch.is_empty());
        assert_eq!(patch.json(), json!([{"op": "test", "path": "/metadata/resourceVersion", "value": "7"}]));
    }

    #[test]
    fn annotations_of_others_stay() {
        let mut object = json!({"metadata": {"resourceVersion": "7"}});
        let texts = || [("serin.dev/epoch", "1".to_owned()), ("a~b", "x".to_owned())];
        let mut patch = Patch::of(&object).expect("it says which");
        patch.put(&object, "annotations", texts());
        let made = json!({"serin.dev/epoch": "1", "a~b": "x"});
        assert_eq!(patch.json()[1], json!({"op": "add", "path": "/metadata/annotations", "value": made}));
        object["metadata"]["annotations"] = json!({"theirs": "1", "a~b": "x"});
        let mut patch = Patch::of(&object).expect("it says which");
        patch.put(&object, "annotations", texts());
        let epoch = json!({"op": "add", "path": "/metadata/annotations/serin.dev~1epoch", "value": "1"});
        assert_eq!(patch.json().as_array().map(|list| list[1..].to_vec()), Some(vec![epoch]), "the other one is there");
        assert_eq!(escaped("a~/b"), "a~0~1b");
    }
}
