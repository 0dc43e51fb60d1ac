//! The few kinds of writes that there are, each once, each with a precondition, and what became of them.
//!
//! The error says what may be concluded, and that is all that a caller acts on. [`WriteError::Unknown`] is the one that
//! matters most: it was sent, and perhaps done. Whoever gets it looks again before anything else.
//!
//! Every good answer has the object's new resource version; it is for [`crate::shelf::Shelf::wrote`].

use crate::call::{Ask, CallError, JSON};
use crate::connect::Api;
use crate::kind::Key;
use http::Method;
use serde_json::{Value, json};
use serin_engine::PortError;
use std::time::Duration;

/// A merge patch (RFC 7386).
pub(crate) const MERGE: &str = "application/merge-patch+json";
/// A JSON patch (RFC 6902).
const JSON_PATCH: &str = "application/json-patch+json";
/// Where the precondition of a JSON patch stands.
const VERSION: &str = "/metadata/resourceVersion";
/// What the API server says (422, and nothing more) when a JSON patch does not fit the object as it is: a failed `test`, or
/// the removal of something that is not there. It says nothing else in these words.
const UNFIT: &str = "the server rejected our request due to an error in our request";

/// What became of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its resource version now.
    pub version: String,
    /// Its identity.
    pub uid: String,
    /// The object as the API server answered it, whole.
    pub object: Value,
}

/// What is asked of a deletion: it must still be this object, and look like this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Only {
    /// The object's identity.
    pub uid: String,
    /// Its resource version, if it matters.
    pub version: Option<String>,
}

/// Why a write has no good answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The object is not as it was read, or somebody else made one of that name: nothing was done. Read it again.
    #[error("somebody else changed {0} meanwhile: {1}")]
    Conflict(Key, String),
    /// There is no such object, or no such namespace: nothing was done.
    #[error("{0} is not there: {1}")]
    Gone(Key, String),
    /// This account may not do it: nothing was done.
    #[error("the operator's account may not write {0}: {1}")]
    NotAllowed(Key, String),
    /// The API server or a webhook refuses the object as it would be: nothing was done, and the same write is refused again.
    #[error("{0} is refused: {1}")]
    Invalid(Key, String),
    /// It was not done now, and may be later: the API server cannot be reached, or has too much to do.
    #[error("{0} was not written: {1}")]
    NotDone(Key, String),
    /// It was sent, and nobody knows whether it was done. Look before anything else is written.
    #[error("whether {0} was written is not known: {1}")]
    Unknown(Key, String),
}

impl From<WriteError> for PortError {
    /// The engine knows two kinds: somebody else changed it, and all else. From neither it concludes what is so now.
    fn from(error: WriteError) -> PortError {
        let said = error.to_string();
        match error {
            WriteError::Conflict(..) => PortError::Conflict(said),
            WriteError::Gone(..)
            | WriteError::NotAllowed(..)
            | WriteError::Invalid(..)
            | WriteError::NotDone(..)
            | WriteError::Unknown(..) => PortError::Failed(said),
        }
    }
}

/// One change of a JSON patch.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Sets what is at this pointer, whether it was there or not.
    Set(String, Value),
    /// Takes away what is at this pointer; it must be there.
    Remove(String),
    /// What is at this pointer must be this, or nothing is done.
    Test(String, Value),
}

impl Change {
    fn json(&self) -> Value {
        match self {
            Change::Set(path, value) => json!({"op": "add", "path": path, "value": value}),
            Change::Remove(path) => json!({"op": "remove", "path": path}),
            Change::Test(path, value) => json!({"op": "test", "path": path, "value": value}),
        }
    }
}

impl Api {
    /// Changes an object that still has this resource version: all of the changes or none.
    ///
    /// The precondition is a `replace` of the resource version by the one that was read, not a `test` of it: the API server
    /// answers the first by 409, and the second by a 422 that does not say what failed.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn patch(&self, key: &Key, version: &str, changes: &[Change]) -> Result<Written, WriteError> {
        let precondition = json!({"op": "replace", "path": VERSION, "value": version});
        let patch: Vec<Value> = std::iter::once(precondition).chain(changes.iter().map(Change::json)).collect();
        self.write(key, Method::PATCH, path(key)?, Some((JSON_PATCH, Value::Array(patch)))).await
    }

    /// Merges `status` into the status of an object that still has this resource version. `null` takes a field away, and a
    /// list is replaced.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn patch_status(&self, key: &Key, version: &str, status: Value) -> Result<Written, WriteError> {
        let body = json!({"metadata": {"resourceVersion": version}, "status": status});
        self.write(key, Method::PATCH, format!("{}/status", path(key)?), Some((MERGE, body))).await
    }

    /// Makes an object. Its name and namespace are those of the key, whatever `object` says.
    ///
    /// # Errors
    /// See [`WriteError`]; one of that name that is there already is a conflict.
    pub async fn create(&self, key: &Key, mut object: Value) -> Result<Written, WriteError> {
        path(key)?;
        object["apiVersion"] = Value::from(key.kind.api_version());
        object["kind"] = Value::from(key.kind.name());
        object["metadata"]["name"] = Value::from(key.name.as_str());
        object["metadata"]["namespace"] = Value::from(key.namespace.as_str());
        self.write(key, Method::POST, key.kind.collection(Some(&key.namespace)), Some((JSON, object))).await
    }

    /// Deletes an object, if it is still that one. What it owns goes after it, in the background.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn delete(&self, key: &Key, only: &Only) -> Result<(), WriteError> {
        let body = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": only.uid, "resourceVersion": only.version},
        });
        let ask = Ask { method: Method::DELETE, path: path(key)?, accept: JSON, body: Some((JSON, body)) };
        match self.call(ask, Duration::MAX).await {
            Ok(_) => Ok(()),
            Err(error) => Err(sorted(key, error)),
        }
    }

    /// Reads an object from the API server itself, not older than any write that was answered before: for the second key,
    /// directly before a write. `None` where there is none.
    ///
    /// # Errors
    /// As every call; nothing may be concluded from one.
    pub async fn read(&self, key: &Key) -> Result<Option<Value>, CallError> {
        // A get without a resource version is a quorum read.
        match self.call(Ask::get(key.path().map_err(CallError::NotSent)?), Duration::MAX).await {
            Ok(object) => Ok(Some(object)),
            // A kind that does not exist is a 404 too, but without this word; nothing can be said of its objects then.
            Err(CallError::Refused(refusal)) if refusal.code == 404 && refusal.reason == "NotFound" => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn write(
        &self,
        key: &Key,
        method: Method,
        path: String,
        body: Option<(&'static str, Value)>,
    ) -> Result<Written, WriteError> {
        let ask = Ask { method, path, accept: JSON, body };
        let object = self.call(ask, Duration::MAX).await.map_err(|error| sorted(key, error))?;
        let text = |field: &str| {
            object.pointer(&format!("/metadata/{field}")).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let (version, uid) = (text("resourceVersion"), text("uid"));
        if version.is_empty() || uid.is_empty() {
            let why = "the answer has no resourceVersion or no uid".to_owned();
            return Err(WriteError::Unknown(key.clone(), why));
        }
        Ok(Written { version, uid, object })
    }
}

fn path(key: &Key) -> Result<String, WriteError> {
    key.path().map_err(|why| WriteError::Invalid(key.clone(), why))
}

fn sorted(key: &Key, error: CallError) -> WriteError {
    let key = key.clone();
    match error {
        CallError::NotSent(why) => WriteError::NotDone(key, why),
        CallError::Unknown(why) => WriteError::Unknown(key, why),
        CallError::Refused(refusal) => {
            let (code, said) = (refusal.code, refusal.message);
            match code {
                409 => WriteError::Conflict(key, said),
                404 | 410 => WriteError::Gone(key, said),
                401 | 403 => WriteError::NotAllowed(key, said),
                408 | 429 => WriteError::NotDone(key, said),
                422 if said == UNFIT => WriteError::Conflict(
                    key,
                    "a test or a removal of the patch does not fit it as it is now".to_owned(),
                ),
                _ => WriteError::Invalid(key, said),
            }
        }
    }
}

#[cfg(test)]
mod tests;
