//! Facts: rare things that happened to instances and to the data plane.
use serde::{Deserialize, Serialize};
pub use serin_rollout::{Rev, Slot, Split};

/// What the controller did with an instance, or saw of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum InstanceFact {
    /// A controller began; it knows no instance yet.
    Began {},
    /// The file that says what the slots were told to have was gone; what runs was taken up as it is.
    TakenUp {},
    /// An instance was started.
    Started {
        /// Its name.
        id: String,
        /// Its slot.
        slot: Slot,
        /// Its revision.
        rev: Rev,
    },
    /// An instance was found that another controller had started.
    Found {
        /// Its name.
        id: String,
        /// Its slot.
        slot: Slot,
        /// Its revision.
        rev: Rev,
        /// It was told to stop before.
        stopping: bool,
    },
    /// It may get traffic.
    Ready {
        /// Its name.
        id: String,
    },
    /// It may not get traffic any more.
    Unready {
        /// Its name.
        id: String,
    },
    /// It was told to stop, because its slot was told to have fewer.
    Stopped {
        /// Its name.
        id: String,
        /// Its slot.
        slot: Slot,
        /// How many its slot was told to have.
        desired: u16,
        /// Requests and tunnels that were open on it, as the proxy said last.
        open: u64,
        /// The version of the table without it that every worker had confirmed.
        version: u64,
    },
    /// It is gone.
    Exited {
        /// Its name.
        id: String,
        /// It was told to stop.
        stopping: bool,
    },
}

/// What the proxy goes by.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ProxyFact {
    /// A proxy began, and knows no table yet.
    Began {},
    /// A table was accepted, or taken from disk at the beginning.
    Table {
        /// The epoch of who wrote it.
        epoch: u64,
        /// Its number.
        version: u64,
        /// The number of its route.
        generation: u64,
        /// The split.
        split: Split,
        /// The split that may be taken without asking.
        fallback: Option<Split>,
        /// How long the split holds without a renewal, in milliseconds.
        lease_ms: Option<u64>,
        /// The instances of both slots.
        endpoints: [Vec<Named>; 2],
    },
    /// No worker goes by an older table than this any more.
    Acknowledged {
        /// Its number.
        version: u64,
    },
    /// The lease was not renewed, and the fallback is in force; or it was, and the split is again.
    Fallback {
        /// Whether it is in force.
        taken: bool,
    },
    /// The instances of a slot refuse, and the fallback's slot answers; or they answer again.
    Circuit {
        /// The slot.
        slot: Slot,
        /// Whether it is broken.
        broken: bool,
    },
    /// Nothing is open any more on an instance that left the table.
    Quiet {
        /// Its name.
        id: String,
        /// Requests that were sent to it after a table without it was acknowledged. Anything but 0 is a defect.
        after_ack: u64,
    },
}

/// An instance as a table names it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its name.
    pub id: String,
    /// It may get traffic.
    pub ready: bool,
}
