//! `serin.yaml` as a person writes it: every key, its meaning and its default. [`super::spec`] resolves it.
//!
//! The doc comments here are the texts of the JSON schema and of the table in `docs/guides/config.md`.

use std::collections::BTreeMap;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    checks,
    quantity::{Cpu, Percent, Size, Time},
    written::{FileText, Listen, Words},
};

/// A service: what runs, where it is reached, and how a new version of it is released.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
#[schemars(title = "serin.yaml")]
#[garde(allow_unvalidated)]
pub struct File {
    /// Name of the service: lower-case letters, digits and `-`, at most 40. Required.
    #[garde(custom(checks::service_name))]
    pub service: String,
    /// Address on which Serin's proxy takes requests: `127.0.0.1:8080`, or a map with `address` and `tracks`. Required.
    pub listen: Listen,
    /// Number of instances while nothing is being released.
    #[serde(default = "one")]
    #[garde(range(min = 1, max = 256))]
    pub replicas: u16,
    /// How many instances may be missing at any time. 0: full capacity is kept through every step.
    #[serde(default)]
    pub max_unavailable: u16,
    /// Accept that one instance on a fixed port is stopped before the next one starts. Requests are held over the gap.
    #[serde(default)]
    pub allow_downtime: bool,
    /// What runs. A change here, or under `health`, is a new revision. Required.
    #[garde(dive)]
    pub run: Run,
    /// How Serin learns that an instance is ready. Without `http`, `tcp` or `command`: it accepts TCP connections.
    #[serde(default)]
    #[garde(dive)]
    pub health: Health,
    /// How a new revision takes over.
    #[serde(default)]
    #[garde(dive)]
    pub release: Release,
    /// How the new revision is judged while it takes traffic.
    #[serde(default)]
    #[garde(dive)]
    pub analysis: Analysis,
    /// Limits of the proxy in front of the instances.
    #[serde(default)]
    #[garde(dive)]
    pub proxy: Proxy,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Run {
    /// The program and its arguments: a list, or one string that is split into words like a shell does (no shell runs). `{{port}}` becomes the instance's port. Required.
    pub command: Words,
    /// Environment variables, over those that `serin serve` has. `{{port}}` is filled in here too.
    #[serde(default)]
    #[garde(custom(checks::env_names))]
    pub env: BTreeMap<String, EnvValue>,
    /// Working directory, relative to the file. Default: the directory of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// User to run as (name or number). Default: who runs `serin serve`. Another user needs root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Group to run as (name or number). Default: the user's own group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// A fixed port, for a program whose port cannot be told to it. Then instances are updated in place. Default: a free port for each instance, given as `{{port}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(range(min = 1)))]
    pub port: Option<u16>,
    /// Config files: name → text, or `from: path`. They are filled in (`{{port}}`) and written for each instance; `{{config.NAME}}` is the path.
    #[serde(default)]
    #[garde(custom(checks::file_names))]
    pub config: BTreeMap<String, FileText>,
    /// How an instance is stopped.
    #[serde(default)]
    pub stop: Stop,
    /// Limits on what an instance may use. Default: none.
    #[serde(default)]
    #[garde(dive)]
    pub limits: Limits,
    /// What happens when an instance ends by itself.
    #[serde(default)]
    pub restart: Restart,
    /// How much of the program's output is kept.
    #[serde(default)]
    #[garde(dive)]
    pub logs: Logs,
}

/// A value of an environment variable; a number or a truth value is taken as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct EnvValue(pub String);

/// How an instance is stopped: unrouted and drained first, then signalled, then killed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stop {
    /// Signal that asks the program to end.
    pub signal: Signal,
    /// How long it may take to end before it is killed.
    pub timeout: Time,
}

/// A signal that asks a program to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum Signal {
    Term,
    Int,
    Quit,
    Hup,
    Usr1,
    Usr2,
}

/// Limits on what an instance may use: by cgroup v2 where Serin has a group of its own, else by rlimits, else refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Limits {
    /// Memory, such as `512MiB`. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
    /// Processors, such as `1.5`. Needs cgroup v2. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu>,
    /// Processes and threads. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(inner(range(min = 1)))]
    pub pids: Option<u64>,
    /// Open files. Default: what `serin serve` has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(inner(range(min = 16)))]
    pub files: Option<u64>,
}

/// What happens when an instance ends by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Restart {
    /// `always`: start it again; `on_failure`: unless it ended with status 0; `never`: leave it down.
    pub policy: RestartPolicy,
    /// Wait before the first restart. It doubles with each one that follows soon.
    pub backoff: Time,
    /// The longest wait between two restarts.
    pub max_backoff: Time,
}

/// Whether an instance that ended by itself is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

/// How much of the program's output is kept, per instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Logs {
    /// Size at which a log file is closed and a new one begun.
    pub max_size: Size,
    /// How many closed files are kept.
    #[garde(range(max = 1000))]
    pub keep: u16,
}

/// How Serin learns that an instance is ready. At most one of `http`, `tcp`, `command`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Health {
    /// Ready when a GET of this path answers 200 to 399.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub http: Option<HttpCheck>,
    /// `true`: ready when the port accepts connections (the default).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<bool>,
    /// Ready when this command exits with 0. `{{port}}` is filled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Words>,
    /// Time between two checks of an instance.
    pub interval: Time,
    /// A check that takes longer has failed.
    pub timeout: Time,
    /// So many checks in a row must pass before an instance is ready.
    #[garde(range(min = 1, max = 100))]
    pub rise: u16,
    /// So many checks in a row must fail before an instance is no longer ready.
    #[garde(range(min = 1, max = 100))]
    pub fall: u16,
}

/// A health check by HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct HttpCheck {
    /// Path of the request, beginning with `/`. Required.
    #[garde(custom(checks::http_path))]
    pub path: String,
    /// Host header of the request. Default: the instance's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// How a new revision takes over. At most one of `weights`, `blue_green`, `canary_kept`; with a fixed port it is in place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Release {
    /// The default: the canary comes up whole, takes more and more of the traffic, then all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub weights: Option<Weights>,
    /// Both versions whole, all traffic switched at once, checks before and after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blue_green: Option<BlueGreen>,
    /// One extra instance of the new version first, kept until all others are replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary_kept: Option<CanaryKept>,
    /// How long the old version is kept warm after the new one has all traffic, so that the way back takes no start. 0: no way back at once.
    pub window: Time,
    /// What becomes of the canary on an abort: `retire` stops it, `park` keeps it running without traffic.
    pub on_abort: OnAbort,
    /// So long must an instance be healthy without a break before it counts.
    pub min_healthy: Time,
    /// An instance that is not healthy by then has failed, and with it the release.
    pub healthy_deadline: Time,
    /// The release has failed when no further instance becomes healthy for so long.
    pub progress_deadline: Time,
    /// How long requests may take to end on an instance that is to be stopped.
    pub drain: Time,
    /// The proxy goes back to the safe split by itself when the controller has been away for so long.
    pub lease: Time,
}

/// Steps of rising weight, as `start`, `step` and `max`, or as an explicit list of `steps`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Weights {
    /// First weight. Default: 10%.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Percent>,
    /// Added with every step. Default: 10%.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<Percent>,
    /// Last weight before the new version gets all traffic. Default: 50%.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Percent>,
    /// The steps one by one, instead of `start`, `step` and `max`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(length(max = 100))]
    pub steps: Option<Vec<Step>>,
    /// How long each weight is held at least, while it is judged. Default: 30s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bake: Option<Time>,
}

/// One step of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Share of the traffic for the new version. Required.
    pub weight: Percent,
    /// How long it is held at least. Default: the `bake` of `weights`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bake: Option<Time>,
    /// Wait for a person (`serin approve`) before the next step.
    #[serde(default)]
    pub approve: bool,
}

/// Blue/green: all traffic at once, judged before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BlueGreen {
    /// Before the switch: the new version is whole and reached on the canary's own address only.
    pub before: Hold,
    /// After the switch: the new version has all traffic, the old one is warm.
    pub after: Hold,
}

/// A timed hold, perhaps with a person's approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Hold {
    /// How long it is held at least.
    pub bake: Time,
    /// Wait for a person (`serin approve`) before going on.
    pub approve: bool,
}

/// One extra instance of the new version first, kept until all others are replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CanaryKept {
    /// `in_place_after`: the old ones are replaced one after the other while the canary serves; `one_by_one`: one new in, one old out.
    pub replace: Replace,
    /// How long the canary is held at least before the others follow.
    pub bake: Time,
}

/// How the rest follows a canary that is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Replace {
    #[default]
    InPlaceAfter,
    OneByOne,
}

/// What becomes of the canary on an abort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum OnAbort {
    Retire,
    Park,
}

/// How the new revision is judged. Judging never stops while it takes traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Analysis {
    /// Time between two measurements.
    pub interval: Time,
    /// What is measured, and its limits.
    #[garde(dive, length(max = 32))]
    pub metrics: Vec<Metric>,
    /// How many failed measurements end the release.
    #[garde(dive)]
    pub failures: Failures,
}

/// One metric: exactly one of `success_rate` and `latency`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Metric {
    /// Share of requests that the new version answered without a 5xx or a broken connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<SuccessRate>,
    /// Time to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// Fewer requests than this in an interval are no data.
    #[serde(default = "min_samples")]
    #[garde(range(min = 1))]
    pub min_samples: u64,
    /// What no data counts as: `wait` (neither pass nor fail, and no step forward), `fail` or `pass`.
    #[serde(default)]
    pub no_data: NoData,
}

/// Limit of the success rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuccessRate {
    /// The least share that passes. Required.
    pub min: Percent,
}

/// Limit of the time to answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Which figure of the interval's requests is compared.
    #[serde(default)]
    pub quantile: Quantile,
    /// The longest time that passes. Required.
    pub max: Time,
}

/// A figure of a set of times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Quantile {
    P50,
    P90,
    #[default]
    P99,
    Mean,
}

/// What an interval without enough requests counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum NoData {
    #[default]
    Wait,
    Fail,
    Pass,
}

/// How many failed measurements end the release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Failures {
    /// In a row.
    #[garde(range(min = 1, max = 1000))]
    pub consecutive: u32,
    /// In the whole release.
    #[garde(range(min = 1, max = 1000))]
    pub total: u32,
}

/// Limits of the proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Proxy {
    /// How long each part of a request may take.
    pub timeouts: Timeouts,
    /// What happens to requests while no instance is ready.
    #[garde(dive)]
    pub hold: HoldRequests,
    /// Threads of the proxy. Default: one per processor, at most 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(inner(range(min = 1, max = 64)))]
    pub workers: Option<u16>,
}

/// How long each part of a request may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// From the first byte of a request to the end of its head.
    pub head: Time,
    /// Between two pieces of a body, either way.
    pub body: Time,
    /// To connect to an instance.
    pub connect: Time,
    /// From the request to the head of its answer.
    pub response: Time,
    /// How long an idle connection is kept open.
    pub idle: Time,
}

/// What happens to requests while no instance is ready: they wait, then get 503 with Retry-After.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct HoldRequests {
    /// How many requests may wait at once.
    #[garde(range(max = 100_000))]
    pub max: u32,
    /// How long a request may wait; at most 10s.
    pub timeout: Time,
}

const fn one() -> u16 {
    1
}
const fn min_samples() -> u64 {
    20
}

impl Default for Stop {
    fn default() -> Self {
        Stop { signal: Signal::Term, timeout: Time::seconds(30) }
    }
}
impl Default for Restart {
    fn default() -> Self {
        Restart { policy: RestartPolicy::Always, backoff: Time::seconds(1), max_backoff: Time::seconds(30) }
    }
}
impl Default for Logs {
    fn default() -> Self {
        Logs { max_size: Size::mib(10), keep: 5 }
    }
}
impl Default for Health {
    fn default() -> Self {
        let second = Time::seconds(1);
        Health { http: None, tcp: None, command: None, interval: second, timeout: second, rise: 2, fall: 3 }
    }
}
impl Default for Release {
    fn default() -> Self {
        Release {
            weights: None,
            blue_green: None,
            canary_kept: None,
            window: Time::seconds(60),
            on_abort: OnAbort::Retire,
            min_healthy: Time::seconds(10),
            healthy_deadline: Time::seconds(300),
            progress_deadline: Time::seconds(600),
            drain: Time::seconds(30),
            lease: Time::seconds(15),
        }
    }
}
impl Default for Hold {
    fn default() -> Self {
        Hold { bake: Time::seconds(30), approve: false }
    }
}
impl Default for CanaryKept {
    fn default() -> Self {
        CanaryKept { replace: Replace::InPlaceAfter, bake: Time::seconds(30) }
    }
}
impl Default for Analysis {
    fn default() -> Self {
        let success = Metric {
            success_rate: Some(SuccessRate { min: Percent::whole(99) }),
            latency: None,
            min_samples: min_samples(),
            no_data: NoData::Wait,
        };
        Analysis { interval: Time::seconds(2), metrics: vec![success], failures: Failures::default() }
    }
}
impl Default for Failures {
    fn default() -> Self {
        Failures { consecutive: 3, total: 10 }
    }
}
impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            head: Time::seconds(10),
            body: Time::seconds(60),
            connect: Time::seconds(2),
            response: Time::seconds(60),
            idle: Time::seconds(60),
        }
    }
}
impl Default for HoldRequests {
    fn default() -> Self {
        HoldRequests { max: 1024, timeout: Time::seconds(5) }
    }
}
