//! What the platform needs to know of a service, resolved.
use serde::{Deserialize, Serialize};
use serin_proxy::protocol;
use serin_supervisor::health;
use serin_supervisor::limits::Limits;
use serin_supervisor::probe::Check;
use serin_supervisor::program::{Backoff, Log, Restart, Stop};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Everything that a revision runs: how one instance of it is started and looked after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runnable {
    /// Program and arguments; `{{port}}`, `{{instance}}` and `{{config.NAME}}` are filled in.
    pub argv: Vec<String>,
    /// Variables over the inherited ones; filled in likewise.
    pub env: BTreeMap<String, String>,
    /// The working directory, absolute.
    pub cwd: PathBuf,
    /// The user, by name or number.
    pub user: Option<String>,
    /// The group, by name or number.
    pub group: Option<String>,
    /// The port where it is fixed; else each instance gets one of its own.
    pub port: Option<u16>,
    /// Config files by name, not yet filled in.
    pub config: BTreeMap<String, String>,
    /// How it is asked to stop.
    pub stop: Stop,
    /// What it may use.
    pub limits: Limits,
    /// What happens when it ends by itself.
    pub restart: Restart,
    /// How long to wait between restarts.
    pub backoff: Backoff,
    /// How much of its output is kept.
    pub log: Log,
    /// How its readiness is found out.
    pub health: Health,
}

/// How the readiness of an instance is found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// What is asked.
    pub check: Check,
    /// How often, and how many answers it takes.
    pub settings: health::Settings,
}

/// What belongs to the service and not to a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The service's name.
    pub service: String,
    /// Address of the split traffic.
    pub listen: SocketAddr,
    /// The stable track's own address; `None`: loopback, on a port that the kernel chooses.
    pub stable: Option<SocketAddr>,
    /// The canary's own address; likewise.
    pub canary: Option<SocketAddr>,
    /// Continuous health after which an instance counts as healthy, in milliseconds.
    pub min_healthy_ms: u64,
    /// Limits and deadlines of the proxy.
    pub proxy: protocol::Settings,
    /// How many workers the proxy has.
    pub workers: u16,
}
