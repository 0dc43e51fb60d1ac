//! What happened: the event stream, and the history of rollouts.

use serde::{Deserialize, Serialize};

use crate::{Revision, StepKey, UnixMs, Verdict};

/// How loud an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Info,
    /// Worth a look.
    Warning,
    /// Something failed.
    Error,
}

/// How a rollout ended, or stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The new revision has all traffic.
    Promoted,
    /// It was judged and the old one has all traffic again.
    RolledBack,
    /// It did not come up; the old one was never touched.
    Failed,
    /// A person gave it up.
    Aborted,
    /// A newer revision took its place.
    Superseded,
    /// Nothing advances and everything that serves goes on serving.
    Halted,
    /// A person left the canary live on purpose.
    Parked,
}

impl Ending {
    /// The words as a person reads them.
    pub fn words(self) -> &'static str {
        match self {
            Ending::Promoted => "promoted",
            Ending::RolledBack => "rolled back",
            Ending::Failed => "failed",
            Ending::Aborted => "aborted",
            Ending::Superseded => "superseded",
            Ending::Halted => "halted",
            Ending::Parked => "parked",
        }
    }
}

/// One thing that happened. Stored in the same transaction as the state that it tells of, so it is never lost or repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventView {
    /// Place in the service's stream, from 1, without gaps.
    pub seq: u64,
    /// When.
    pub at: UnixMs,
    /// Stable word for programs, such as `advanced`.
    pub kind: String,
    /// How loud it is.
    pub level: Level,
    /// The rollout, step and attempt that it belongs to.
    #[serde(default)]
    pub key: Option<StepKey>,
    /// What happened, in the words that the field knows: `Advance podinfo canary weight 10`.
    pub message: String,
    /// What Serin did about it, in one sentence.
    #[serde(default)]
    pub did: Option<String>,
    /// Set on the event that ends a rollout, or brings it to a stand.
    #[serde(default)]
    pub ending: Option<Ending>,
}

/// One rollout in the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutView {
    /// Its number; 0 is the service's first start.
    pub number: u64,
    /// The revision before; `None` for the first start.
    #[serde(default)]
    pub from: Option<Revision>,
    /// The revision that was released.
    pub to: Revision,
    /// When it began.
    pub started: UnixMs,
    /// When it ended.
    #[serde(default)]
    pub ended: Option<UnixMs>,
    /// How it ended; `None` while it is under way.
    #[serde(default)]
    pub ending: Option<Ending>,
    /// Why, in one sentence.
    #[serde(default)]
    pub reason: String,
    /// Who asked for it.
    #[serde(default)]
    pub by: String,
    /// Highest share that the new revision had, in basis points.
    pub peak: u16,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasurementView {
    /// When.
    pub at: UnixMs,
    /// At which step.
    pub key: StepKey,
    /// Name of the metric.
    pub metric: String,
    /// What was measured, with its unit.
    #[serde(default)]
    pub value: Option<String>,
    /// The limit.
    pub limit: String,
    /// What it counts as.
    pub result: Verdict,
    /// Over how many requests.
    pub samples: u64,
}

/// One rollout with everything that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutDetail {
    /// The rollout.
    pub rollout: RolloutView,
    /// How its spec differed from the one before, by key path.
    #[serde(default)]
    pub changes: Vec<String>,
    /// Every event.
    pub events: Vec<EventView>,
    /// Every measurement.
    pub measurements: Vec<MeasurementView>,
}

/// One line of an instance's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Which instance.
    pub instance: String,
    /// When it was read, as far as that is known.
    #[serde(default)]
    pub at: Option<UnixMs>,
    /// `out` or `err`.
    pub stream: String,
    /// The line, without its end.
    pub text: String,
}
