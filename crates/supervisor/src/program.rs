//! What a shim runs: the content of `program.json`.
//!
//! The creator writes it once, before the shim starts; nobody changes it afterwards.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A program and how to keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The command and its arguments; the first is a path, or a name that is looked up in the program's `PATH`.
    pub argv: Vec<String>,
    /// Variables set for the program, over the inherited ones.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Whether the shim's own environment is passed on. Without it the program sees `env` and a default `PATH` only.
    #[serde(default = "yes")]
    pub inherit_env: bool,
    /// The working directory; the instance's own directory where absent.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
    /// The user to run as: a name or a number. Needs root.
    #[serde(default)]
    pub user: Option<String>,
    /// The group to run as: a name or a number; the user's own group where absent. Needs root.
    #[serde(default)]
    pub group: Option<String>,
    /// Listening sockets that the shim binds once and passes on every start, in the way of systemd: from
    /// descriptor 3 on, with `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES`.
    #[serde(default)]
    pub sockets: Vec<Socket>,
    /// When a program that ended is started again.
    #[serde(default)]
    pub restart: Restart,
    /// How long to wait between restarts.
    #[serde(default)]
    pub backoff: Backoff,
    /// How the program is asked to stop when the order itself does not say.
    #[serde(default)]
    pub stop: Stop,
    /// How much of the output is kept.
    #[serde(default)]
    pub log: Log,
    /// Limits, as resolved for this machine by [`crate::limits::resolve`].
    #[serde(default)]
    pub limits: crate::limits::Resolved,
}

fn yes() -> bool {
    true
}

impl Program {
    /// A program with the defaults of every setting.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            inherit_env: true,
            cwd: None,
            user: None,
            group: None,
            sockets: Vec::new(),
            restart: Restart::default(),
            backoff: Backoff::default(),
            stop: Stop::default(),
            log: Log::default(),
            limits: crate::limits::Resolved::default(),
        }
    }
}

/// A named listening address, shared by `count` workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Socket {
    /// The name in `LISTEN_FDNAMES`; it appears there `count` times. Must not hold `:`.
    pub name: String,
    /// Where to listen. Port 0 lets the kernel choose; [`crate::State::sockets`] says what it chose.
    pub address: SocketAddr,
    /// How many `SO_REUSEPORT` sockets to bind, one per worker; at least 1.
    #[serde(default = "one")]
    pub count: u16,
}

fn one() -> u16 {
    1
}

/// When a program that ended by itself is started again. A stop order always wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// However it ended.
    #[default]
    Always,
    /// Unless it ended with status 0.
    OnFailure,
    /// Not at all: the shim ends with it.
    Never,
}

/// Waits between restarts: none before the first, then `first_ms`, doubling up to `max_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backoff {
    /// The wait before the second restart in a row, in milliseconds.
    pub first_ms: u64,
    /// The longest wait, in milliseconds.
    pub max_ms: u64,
    /// A program that ran this long, in milliseconds, starts the count anew when it ends.
    pub reset_after_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first_ms: 100, max_ms: 30_000, reset_after_ms: 60_000 }
    }
}

/// How a program is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stop {
    /// The signal's number; 15 is SIGTERM.
    pub signal: i32,
    /// After this many milliseconds whatever still lives is killed.
    pub timeout_ms: u64,
}

impl Default for Stop {
    fn default() -> Self {
        Self { signal: 15, timeout_ms: 10_000 }
    }
}

/// How much of the program's output is kept on disk: at most about `max_bytes * files`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// The size at which `log/current` is put aside, in bytes.
    pub max_bytes: u64,
    /// How many files there are at most, `current` among them; at least 1.
    pub files: u32,
}

impl Default for Log {
    fn default() -> Self {
        Self { max_bytes: 10 << 20, files: 5 }
    }
}
