//! The control protocol: what a controller tells the proxy, and what the proxy answers.
//!
//! Over a unix stream socket, one JSON value a line: one request, one response, many on a connection.
//! `{"claim":{"epoch":3}}`, `{"apply":{"table":{…}}}`, `{"renew":{"epoch":3,"version":7}}`, `"report"`, `"measure"`.
mod check;
mod facts;
mod settings;

pub use check::Invalid;
pub use facts::{
    Circuit, Counts, FallingBack, FrontMeasure, GenerationMeasure, InstanceMeasure, InstanceReport, Measures, Report,
    SlotMeasure,
};
pub use settings::{Eject, Hold, Pool, Settings, Timeouts, Trust};

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Basis points of a whole.
pub const WHOLE: u32 = 10_000;

/// What a slot is now. Either slot may be either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Track {
    /// The revision that is proven.
    Stable,
    /// The revision that is being tried.
    Canary,
}

impl std::fmt::Display for Track {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Track::Stable => "stable",
            Track::Canary => "canary",
        })
    }
}

/// How requests are spread over the two slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Basis points per slot, which sum to 10 000; even over the ready endpoints within a slot.
    Weighted([u32; 2]),
    /// The first so many endpoints of each slot share everything evenly, as far as they are ready. `[0, 0]` holds all
    /// requests.
    Members([usize; 2]),
}

/// One instance as a table names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Unique in the table. Counters and connections stay as long as id and address do.
    pub id: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// It may get traffic. Endpoints that are not ready get none, unless no controller has been heard for long.
    pub ready: bool,
}

/// One of the two places that a set of instances has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotTable {
    /// What the slot is now; the listeners `stable` and `canary` go by it.
    pub track: Track,
    /// The instances; a `members` split counts from the front.
    pub endpoints: Vec<Endpoint>,
}

/// Everything that the proxy goes by. A table is replaced as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The controller's fencing epoch; lower ones than the highest seen are refused.
    pub epoch: u64,
    /// Exactly the accepted version + 1 (compare-and-swap). The first table has version 1.
    pub version: u64,
    /// The route's generation, by which counts are kept.
    pub generation: u64,
    /// The split in force while all is well.
    pub split: Split,
    /// The split that the proxy returns to by itself: as a whole when the lease is not renewed, per request when the
    /// instances of a slot refuse or reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Split>,
    /// How long the split holds without a renewal, in milliseconds. Without a fallback it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<u64>,
    /// Slot 0 and slot 1.
    pub slots: [SlotTable; 2],
    /// Limits and deadlines.
    #[serde(default)]
    pub settings: Settings,
}

/// What a controller asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// From now on lower epochs are refused; kept on disk.
    Claim {
        /// The claimant's epoch.
        epoch: u64,
    },
    /// Replaces the table. Answered when it is on disk; `report.acknowledged` says when it is in force everywhere.
    /// The table in force sent again, unchanged, is answered alike.
    Apply {
        /// The whole new table.
        table: Box<Table>,
    },
    /// Lets the lease begin anew.
    Renew {
        /// The controller's epoch.
        epoch: u64,
        /// The version in force, as the controller knows it.
        version: u64,
    },
    /// What is in force?
    Report,
    /// What was counted?
    Measure,
}

/// What the proxy answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// To `claim`.
    Claimed {
        /// The version in force; 0 before the first table.
        version: u64,
    },
    /// To `apply`: the table is on disk and on its way to the workers.
    Applied {
        /// The version accepted.
        version: u64,
    },
    /// To `renew`.
    Renewed {
        /// The lease that began anew, in milliseconds.
        lease_ms: Option<u64>,
    },
    /// To `report`.
    Report(Box<Report>),
    /// To `measure`.
    Measures(Box<Measures>),
    /// To any request that was not done; nothing has changed.
    Refused(Denial),
}

/// Why a request was not done. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Denial {
    /// Somebody claimed the proxy with a higher epoch.
    #[error("epoch {came} is over: epoch {held} has claimed this proxy; read the lease again before writing")]
    StaleEpoch {
        /// The highest epoch seen.
        held: u64,
        /// The one that came.
        came: u64,
    },
    /// The compare-and-swap failed.
    #[error(
        "version {came} does not fit: version {expected} is expected; read the report and build on what is in force"
    )]
    WrongVersion {
        /// What would have been accepted.
        expected: u64,
        /// What came.
        came: u64,
    },
    /// The table contradicts itself.
    #[error("the table was refused: {why}")]
    Invalid {
        /// What is wrong, where, and what to write instead.
        why: String,
    },
    /// The line is no request.
    #[error("this is no request: {why}")]
    Malformed {
        /// What is wrong.
        why: String,
    },
    /// The table could not be written down; the old one stays in force.
    #[error("the table could not be written to disk, so the old one stays in force: {why}")]
    Disk {
        /// What the system said.
        why: String,
    },
    /// The proxy drains: another process takes over.
    #[error("this proxy is draining and takes no more tables")]
    Draining,
}
