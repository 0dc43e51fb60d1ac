//! The resolved service: every default filled in, every path absolute, every config file read.
//!
//! This is what the controller stores and what a release is made of. Two files that mean the same resolve to equal specs.

use std::{collections::BTreeMap, net::SocketAddr, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    file::{Analysis, CanaryKept, File, Hold, Limits, Logs, OnAbort, Proxy, Replace, Restart, Stop, Weights},
    problem::Problem,
    quantity::{Percent, Time},
    written::{FileText, Tracks},
};

/// The largest config file that is taken: it is stored with every revision.
pub const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// A service, resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Name of the service.
    pub service: String,
    /// Address of the split traffic.
    pub listen: SocketAddr,
    /// Each track's own address; `None` is loopback on a port that the kernel chooses.
    pub tracks: Tracks,
    /// Instances while nothing is being released.
    pub replicas: u16,
    /// How many may be missing at any time.
    pub max_unavailable: u16,
    /// Whether the floor may be zero over an update in place.
    pub allow_downtime: bool,
    /// What runs.
    pub run: RunSpec,
    /// How readiness is found out.
    pub health: HealthSpec,
    /// How a new revision takes over.
    pub release: ReleaseSpec,
    /// How it is judged.
    pub analysis: Analysis,
    /// Limits of the proxy.
    pub proxy: Proxy,
}

/// What runs, resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// Program and arguments, with the names in double braces still in them.
    pub command: Vec<String>,
    /// Environment that is added.
    pub env: BTreeMap<String, String>,
    /// Working directory, absolute.
    pub cwd: String,
    /// User, by name or number.
    pub user: Option<String>,
    /// Group, by name or number.
    pub group: Option<String>,
    /// The program's port where it is fixed.
    pub port: Option<u16>,
    /// Config files, name → text, not yet rendered.
    pub config: BTreeMap<String, String>,
    /// How an instance is stopped.
    pub stop: Stop,
    /// Limits on what it may use.
    pub limits: Limits,
    /// What happens when it ends by itself.
    pub restart: Restart,
    /// How much of its output is kept.
    pub logs: Logs,
}

/// Health checks, resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthSpec {
    /// What is asked.
    pub probe: Probe,
    /// Time between two checks.
    pub interval: Time,
    /// A check that takes longer has failed.
    pub timeout: Time,
    /// Passes in a row before ready.
    pub rise: u16,
    /// Failures in a row before not ready.
    pub fall: u16,
}

/// What a health check asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Probe {
    /// A GET that must answer 200 to 399.
    Http {
        /// Its path.
        path: String,
        /// Its Host header; `None` is the instance's address.
        host: Option<String>,
    },
    /// The port accepts a connection.
    Tcp,
    /// A command that must exit with 0.
    Command(Vec<String>),
}

/// How a new revision takes over, resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseSpec {
    /// The shape of the release.
    pub strategy: Strategy,
    /// How long the old version is kept warm afterwards.
    pub window: Time,
    /// What becomes of the canary on an abort.
    pub on_abort: OnAbort,
    /// Continuous health before an instance counts.
    pub min_healthy: Time,
    /// By then an instance must be healthy.
    pub healthy_deadline: Time,
    /// The longest time without a further healthy instance.
    pub progress_deadline: Time,
    /// How long requests may take to end on an instance that is to be stopped.
    pub drain: Time,
    /// How long the proxy trusts a weight without hearing from the controller.
    pub lease: Time,
}

/// The shape of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Strategy {
    /// Rising weights, then all.
    Weights {
        /// Rising, none of them 0 or 100 %.
        steps: Vec<StepSpec>,
    },
    /// All at once, judged before and after.
    BlueGreen {
        /// Before the switch.
        before: Hold,
        /// After it.
        after: Hold,
    },
    /// One extra, kept to the end.
    CanaryKept {
        /// How the rest follows.
        replace: Replace,
        /// How long the canary is held first.
        bake: Time,
    },
    /// The instances are replaced where they are; the only way with a fixed port.
    InPlace,
}

/// One step of rising weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    /// Share of the new version.
    pub weight: Percent,
    /// How long it is held at least.
    pub bake: Time,
    /// Whether a person must approve before the next step.
    pub approve: bool,
}

impl Spec {
    /// Resolves a file that `lint` found no error in. `dir` is the (absolute) directory of the file.
    ///
    /// # Errors
    /// A config file that cannot be read, or is too large or no text.
    pub fn resolve(file: &File, dir: &Path) -> Result<Spec, Vec<Problem>> {
        let (mut config, mut problems) = (BTreeMap::new(), Vec::new());
        for (name, text) in &file.run.config {
            match text {
                FileText::Inline(text) => drop(config.insert(name.clone(), text.clone())),
                FileText::From(path) => match read_config(&dir.join(path)) {
                    Ok(text) => drop(config.insert(name.clone(), text)),
                    Err(why) => problems.push(Problem::error(
                        "config-file",
                        format!("run.config.{name}.from"),
                        format!("the config file `{path}` cannot be used: {why}"),
                    )),
                },
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let run = &file.run;
        Ok(Spec {
            service: file.service.clone(),
            listen: file.listen.address,
            tracks: file.listen.tracks,
            replicas: file.replicas,
            max_unavailable: file.max_unavailable,
            allow_downtime: file.allow_downtime,
            run: RunSpec {
                command: run.command.0.clone(),
                env: run.env.iter().map(|(k, v)| (k.clone(), v.0.clone())).collect(),
                cwd: absolute(dir, run.cwd.as_deref().unwrap_or(".")),
                user: run.user.clone(),
                group: run.group.clone(),
                port: run.port,
                config,
                stop: run.stop.clone(),
                limits: run.limits.clone(),
                restart: run.restart.clone(),
                logs: run.logs.clone(),
            },
            health: health(file),
            release: release(file),
            analysis: file.analysis.clone(),
            proxy: file.proxy.clone(),
        })
    }
}

fn read_config(path: &Path) -> Result<String, String> {
    let meta = std::fs::metadata(path).map_err(|e| {
        if e.kind() == std::io::ErrorKind::NotFound {
            "there is no such file (it is looked for beside serin.yaml)".to_owned()
        } else {
            e.to_string()
        }
    })?;
    if !meta.is_file() {
        return Err("it is not a file".to_owned());
    }
    if meta.len() > MAX_CONFIG_BYTES {
        return Err(format!("it is {} bytes long, and 1 MiB is the most", meta.len()));
    }
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}

/// `path` below `dir`, without `.` and `..` where that is plain from the text.
fn absolute(dir: &Path, path: &str) -> String {
    let mut out = std::path::PathBuf::new();
    for part in dir.join(path).components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => drop(out.pop()),
            std::path::Component::Prefix(_) | std::path::Component::RootDir | std::path::Component::Normal(_) => {
                out.push(part)
            }
        }
    }
    out.to_string_lossy().into_owned()
}

fn health(file: &File) -> HealthSpec {
    let h = &file.health;
    let probe = match (&h.http, &h.command) {
        (Some(http), _) => Probe::Http { path: http.path.clone(), host: http.host.clone() },
        (None, Some(command)) => Probe::Command(command.0.clone()),
        (None, None) => Probe::Tcp,
    };
    HealthSpec { probe, interval: h.interval, timeout: h.timeout, rise: h.rise, fall: h.fall }
}

fn release(file: &File) -> ReleaseSpec {
    let r = &file.release;
    let strategy = if file.run.port.is_some() {
        Strategy::InPlace
    } else if let Some(b) = &r.blue_green {
        Strategy::BlueGreen { before: b.before.clone(), after: b.after.clone() }
    } else if let Some(CanaryKept { replace, bake }) = r.canary_kept {
        Strategy::CanaryKept { replace, bake }
    } else {
        Strategy::Weights { steps: steps(&r.weights.clone().unwrap_or_default()) }
    };
    ReleaseSpec {
        strategy,
        window: r.window,
        on_abort: r.on_abort,
        min_healthy: r.min_healthy,
        healthy_deadline: r.healthy_deadline,
        progress_deadline: r.progress_deadline,
        drain: r.drain,
        lease: r.lease,
    }
}

/// The steps of rising weights: as listed, or `start`, `start + step`, … up to and with `max`.
pub fn steps(w: &Weights) -> Vec<StepSpec> {
    let bake = w.bake.unwrap_or(Time::seconds(30));
    if let Some(steps) = &w.steps {
        return steps
            .iter()
            .map(|s| StepSpec { weight: s.weight, bake: s.bake.unwrap_or(bake), approve: s.approve })
            .collect();
    }
    let (start, step, max) = bounds(w);
    let mut all = Vec::new();
    let mut at = start.bp();
    while at < max.bp() && step.bp() > 0 {
        all.extend(Percent::from_bp(at));
        at = at.saturating_add(step.bp());
    }
    all.push(max);
    all.into_iter().map(|weight| StepSpec { weight, bake, approve: false }).collect()
}

/// `start`, `step` and `max` with their defaults.
pub fn bounds(w: &Weights) -> (Percent, Percent, Percent) {
    (w.start.unwrap_or(Percent::whole(10)), w.step.unwrap_or(Percent::whole(10)), w.max.unwrap_or(Percent::whole(50)))
}
