//! What a service is doing now, for people and programs.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01 UTC, by the controller's clock.
pub type UnixMs = u64;

/// Names one attempt at one step of one rollout. Commands cite it, and do nothing when it has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StepKey {
    /// Number of the rollout; 0 is the service's first start.
    pub rollout: u64,
    /// Index of the step, from 0.
    pub step: u16,
    /// Attempt at the step, from 0.
    pub attempt: u16,
}

/// Everything about a service at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusView {
    /// Name of the service.
    pub service: String,
    /// When this was true.
    pub now: UnixMs,
    /// Sequence number of the last event: what follows has a higher one.
    pub seq: u64,
    /// What a command given now must cite. Where no step is under way: the last rollout's number, step 0, attempt 0.
    pub key: StepKey,
    /// What the service is in.
    pub phase: PhaseWord,
    /// The phase in one sentence.
    pub message: String,
    /// Why nothing moves; `None` while something does, or while there is nothing to do.
    #[serde(default)]
    pub waiting: Option<Waiting>,
    /// The rollout that is under way.
    #[serde(default)]
    pub rollout: Option<Progress>,
    /// Both places for a set of instances.
    pub slots: [SlotView; 2],
    /// How traffic is divided.
    pub route: RouteView,
    /// Where the service is reached.
    pub addresses: Addresses,
    /// How the canary is judged, while it is.
    #[serde(default)]
    pub analysis: Option<AnalysisView>,
    /// What waits for a person.
    #[serde(default)]
    pub gates: Vec<GateView>,
    /// Who parked the canary.
    #[serde(default)]
    pub parked: Option<ParkedView>,
    /// Who paused the rollout. Judging goes on.
    #[serde(default)]
    pub paused: Option<PausedView>,
    /// Promises that are off, and other things to know, as sentences.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// How the last rollout ended.
    #[serde(default)]
    pub last: Option<LastOutcome>,
}

/// What a service is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseWord {
    /// Nothing is being released.
    Idle,
    /// At a step of a rollout.
    Step,
    /// The new revision is the good one; what is left over is being put in order.
    Settling,
    /// On the way back to the good revision.
    Back,
    /// Nothing advances and everything that serves goes on serving; a person or a new revision is needed.
    Halted,
    /// The canary is left live on purpose.
    Parked,
}

impl PhaseWord {
    /// The word as a person reads it.
    pub fn word(self) -> &'static str {
        match self {
            PhaseWord::Idle => "Idle",
            PhaseWord::Step => "Progressing",
            PhaseWord::Settling => "Settling",
            PhaseWord::Back => "Rolling back",
            PhaseWord::Halted => "Halted",
            PhaseWord::Parked => "Parked",
        }
    }
}

/// Why nothing moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Stable word for programs, such as `ready`, `bake`, `approval`.
    pub reason: String,
    /// One sentence for people.
    pub text: String,
    /// Since when.
    pub since: UnixMs,
    /// When the wait ends by itself; `None`: it has no deadline, and `text` says so.
    #[serde(default)]
    pub deadline: Option<UnixMs>,
}

impl Waiting {
    /// The reason while the controller has not looked at every instance since it began: until then nobody knows how many
    /// of them are ready.
    pub const LOOKING: &str = "looking";
}

/// A revision's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The first 10 digits.
    pub short: String,
    /// The whole SHA-256 in 64 hex digits.
    pub long: String,
}

impl Revision {
    /// From the whole hash.
    pub fn new(long: impl Into<String>) -> Self {
        let long = long.into();
        Revision { short: long.chars().take(10).collect(), long }
    }
}

/// How far a rollout is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Its number; 0 is the service's first start.
    pub number: u64,
    /// The revision before; `None` for the first start.
    #[serde(default)]
    pub from: Option<Revision>,
    /// The revision that is released.
    pub to: Revision,
    /// Index of the step, from 0.
    pub step: u16,
    /// How many steps there are.
    pub steps: u16,
    /// Attempt at this step, from 0.
    pub attempt: u16,
    /// Asked share of the new revision, in basis points.
    pub weight: u16,
    /// Share that it got of the requests since the split was last changed, in basis points; `None` without requests.
    #[serde(default)]
    pub share: Option<u16>,
    /// How many requests that were.
    #[serde(default)]
    pub requests: u64,
    /// When the rollout began.
    pub started: UnixMs,
    /// The shape of the release, such as `weights`.
    pub strategy: String,
}

/// The role of a set of instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Track {
    /// The good revision.
    Stable,
    /// The one that is being proven.
    Canary,
}

/// One set of instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotView {
    /// Its role; `None` while the slot is empty.
    #[serde(default)]
    pub track: Option<Track>,
    /// What it runs.
    #[serde(default)]
    pub revision: Option<Revision>,
    /// Whether it serves nothing and is kept as the way back.
    #[serde(default)]
    pub warm: bool,
    /// How many instances are wanted.
    pub desired: u16,
    /// How many there are.
    pub total: u16,
    /// How many take traffic if routed.
    pub ready: u16,
    /// How many have been ready for as long as `min_healthy` asks.
    pub healthy: u16,
    /// Each of them.
    pub instances: Vec<InstanceView>,
}

/// One running copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceView {
    /// Its name, unique within the service.
    pub id: String,
    /// Process id, while it runs.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Port on which it listens.
    pub port: u16,
    /// Address on which it is reached.
    pub address: String,
    /// `starting`, `ready`, `unready`, `draining`, `stopping`, `crashed` or `stopped`.
    pub state: String,
    /// Since when.
    pub since: UnixMs,
    /// How often it was restarted.
    pub restarts: u32,
    /// How it ended last, such as `exit 1` or `signal KILL`.
    #[serde(default)]
    pub last_exit: Option<String>,
    /// Requests that are open on it.
    pub open: u64,
}

/// How traffic is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Basis points for each slot; the sum is 10 000.
    Weighted([u16; 2]),
    /// How many instances of each slot share the traffic evenly.
    Members([u16; 2]),
}

/// How sure it is that a route is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// The data plane says so.
    Dataplane,
    /// Traffic was measured.
    Measured,
    /// Some time has passed, and no more is known.
    Time,
}

/// The route of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteView {
    /// What was asked last.
    pub split: Split,
    /// What the proxy returns to by itself.
    #[serde(default)]
    pub fallback: Option<Split>,
    /// After how long without a word of the controller it does so, in milliseconds.
    #[serde(default)]
    pub lease_ms: Option<u64>,
    /// Whether `split` is in force everywhere.
    pub in_force: bool,
    /// How that is known.
    pub strength: Strength,
    /// Whether the proxy has returned to the fallback by itself.
    #[serde(default)]
    pub falling_back: bool,
    /// Slots whose requests go elsewhere at once, since their instances refuse or reset.
    #[serde(default)]
    pub circuit: [bool; 2],
}

/// Where a service is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// Split traffic.
    pub main: String,
    /// The stable track alone.
    #[serde(default)]
    pub stable: Option<String>,
    /// The canary alone.
    #[serde(default)]
    pub canary: Option<String>,
}

/// Result of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Within its limit.
    Pass,
    /// Outside.
    Fail,
    /// Too little data.
    Inconclusive,
    /// Could not be measured.
    Error,
}

impl Verdict {
    /// The word as a person reads it.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Inconclusive => "too little data",
            Verdict::Error => "error",
        }
    }
}

/// How the canary is judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalysisView {
    /// The last measurement of each metric.
    pub metrics: Vec<MetricView>,
    /// Failed measurements in a row.
    pub consecutive: u32,
    /// So many in a row end the rollout.
    pub consecutive_max: u32,
    /// Failed measurements of this rollout.
    pub total: u32,
    /// So many end it.
    pub total_max: u32,
}

/// The last measurement of one metric.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricView {
    /// Its name, such as `success rate` or `latency p99`.
    pub name: String,
    /// What was measured, with its unit, such as `99.87%` or `12ms`; `None` without data.
    #[serde(default)]
    pub value: Option<String>,
    /// The limit, such as `>= 99%`.
    pub limit: String,
    /// What it counts as.
    pub result: Verdict,
    /// Over how many requests.
    pub samples: u64,
}

/// Something that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateView {
    /// Its name.
    pub name: String,
    /// What it must cite.
    pub key: StepKey,
    /// Whether it was opened, and by whom.
    #[serde(default)]
    pub opened_by: Option<String>,
}

/// Who parked the canary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedView {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub since: UnixMs,
}

/// Who paused the rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausedView {
    /// Who.
    pub by: String,
    /// When.
    pub since: UnixMs,
}

/// How the last rollout ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastOutcome {
    /// Its number.
    pub rollout: u64,
    /// How it ended.
    pub ending: crate::Ending,
    /// Why, in one sentence.
    pub reason: String,
    /// When.
    pub at: UnixMs,
    /// The revision that was released.
    pub revision: Revision,
}
