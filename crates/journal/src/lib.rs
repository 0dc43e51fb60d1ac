//! What Serin writes down of itself while it runs: decisions, and the few facts that say what became of them.
//!
//! Three files of JSON lines in the state directory of a service, each written by one process: the controller's
//! [`decision`]s, what it did with instances ([`fact::InstanceFact`]), and what the proxy goes by ([`fact::ProxyFact`]).
//! They are read by people who ask why something happened, and by `serin-sim trace`, which holds them against the
//! simulated world.
//!
//! A journal never stands in the way: it is bounded, never synced, and a line that cannot be written is dropped and
//! counted. Nothing is ever read back by what writes it.
#![forbid(unsafe_code)]

pub mod decision;
pub mod fact;
mod file;

pub use file::{Journal, older};

/// What a line can be read as.
pub use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The controller's decisions, in the state directory of a service.
pub const DECISIONS: &str = "decisions.jsonl";
/// What the controller did with instances, in the state directory of a service.
pub const INSTANCES: &str = "instances.jsonl";
/// What the proxy goes by, in its own directory.
pub const PROXY: &str = "facts.jsonl";

/// A moment on the two clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Stamp {
    /// Milliseconds since the Unix epoch.
    pub at: u64,
    /// Milliseconds since the machine was started; comes in order over all processes of a machine.
    pub boot: u64,
}

/// One line of a journal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line<W> {
    /// Milliseconds since the Unix epoch.
    pub at: u64,
    /// Milliseconds since the machine was started.
    pub boot: u64,
    /// Which incarnation wrote it: a controller's epoch, or when the proxy was started.
    pub run: u64,
    /// Counts the lines of the incarnation from 1, those that were dropped included.
    pub seq: u64,
    /// How many lines before this one could not be written.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
    /// What it says.
    pub what: W,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
