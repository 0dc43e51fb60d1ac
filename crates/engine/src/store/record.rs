//! The rows that a store returns.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// An immutable revision: its dense id, the full hash of its content (64 lower-case hexadecimal digits) and the whole content, whatever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Small number that stands for the hash inside this store; never used again for another hash.
    pub id: u32,
    /// SHA-256 in hexadecimal.
    pub hash: String,
    /// The content, JSON.
    pub content: Vec<u8>,
}

impl Revision {
    /// The content as the caller's type.
    ///
    /// # Errors
    /// When it has another shape.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.content)
    }
}

/// One line of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutRecord {
    /// 1 for the first rollout of the service, then one more each time.
    pub number: u64,
    /// The revision that it started from; `None` for the first one of a service.
    pub from: Option<u32>,
    /// The revision that it was to install.
    pub to: u32,
    /// When it began, in the caller's time.
    pub started: u64,
    /// When it ended; `None` while it runs.
    pub ended: Option<u64>,
    /// How it ended, in the caller's word; `None` while it runs.
    pub outcome: Option<String>,
}

/// An event of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number: 1 for the first, then one more each time, for ever.
    pub seq: u64,
    /// The rollout that it belongs to, if to any.
    pub rollout: Option<u64>,
    /// The caller's time.
    pub time: u64,
    /// What happened, JSON.
    pub body: Vec<u8>,
}

/// A measurement of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasurementRow {
    /// Its number within the rollout: 1 for the first, then one more each time.
    pub seq: u64,
    /// The caller's time.
    pub time: u64,
    /// What was measured, JSON.
    pub body: Vec<u8>,
}

impl Event {
    /// The body as the caller's type.
    ///
    /// # Errors
    /// When it has another shape.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

impl MeasurementRow {
    /// The body as the caller's type.
    ///
    /// # Errors
    /// When it has another shape.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}
