//! What a shim tells about its program, and what it is told: `state.json`, `exit.json`, `stop.json`.
//!
//! All times are milliseconds since the Unix epoch, for people and for other processes; the shim's own deadlines run
//! on the monotonic clock.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::process::ProcessId;

/// What is so now. Replaced as a whole at every change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The shim itself: only to signal it, never as a proof of life (that is the lock).
    pub shim: ProcessId,
    /// What the program does.
    pub phase: Phase,
    /// When this phase began.
    pub since_ms: u64,
    /// How often the program was started again.
    pub restarts: u32,
    /// How it ended the last time, if it ever did.
    pub last_exit: Option<Exit>,
    /// What is wrong, in a sentence, if something is.
    pub error: Option<String>,
    /// The sockets that are bound, with the ports that they really have; one entry per name.
    pub sockets: Vec<BoundSocket>,
    /// Lines of output that could not be written (disk full, log directory not writable).
    pub dropped_lines: u64,
    /// Their size in bytes.
    pub dropped_bytes: u64,
}

impl State {
    /// The program's process while there is one.
    pub fn program(&self) -> Option<ProcessId> {
        match &self.phase {
            Phase::Running { program } => Some(*program),
            Phase::Stopping { program, .. } => *program,
            Phase::BackingOff { .. } | Phase::Ended => None,
        }
    }
}

/// A bound listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundSocket {
    /// Its name in `LISTEN_FDNAMES`.
    pub name: String,
    /// The address with the port that the kernel gave.
    pub address: SocketAddr,
    /// How many sockets share it.
    pub count: u16,
}

/// What the program does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Phase {
    /// It was started and has not ended. Says nothing about readiness.
    Running {
        /// The program's process, the leader of its process group.
        program: ProcessId,
    },
    /// It ended or could not be started, and will be tried again.
    BackingOff {
        /// When.
        until_ms: u64,
    },
    /// It was told to stop; whatever still lives is killed at the deadline.
    Stopping {
        /// The program's process, if it still lives.
        program: Option<ProcessId>,
        /// When the rest is killed.
        deadline_ms: u64,
    },
    /// It is gone, with everything that it had started, and the shim is about to go.
    Ended,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// By itself, with this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
    /// It could not be started at all; the sentence says why.
    NotStarted(String),
}

impl Exit {
    /// Whether it ended by itself with status 0.
    pub fn is_success(&self) -> bool {
        match self {
            Self::Status(status) => *status == 0,
            Self::Signal(_) | Self::NotStarted(_) => false,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "ended with status {status}"),
            Self::Signal(signal) => write!(f, "ended by signal {signal}"),
            Self::NotStarted(why) => write!(f, "was not started: {why}"),
        }
    }
}

/// How an instance ended for good: the last thing that a shim writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// How the program ended the last time; absent when it never ran.
    pub exit: Option<Exit>,
    /// Whether it was told to stop.
    pub stopped: bool,
    /// Whether something had to be killed at the deadline.
    pub killed: bool,
    /// How often the program was started again before.
    pub restarts: u32,
    /// When it ended.
    pub at_ms: u64,
    /// Lines of output that could not be written.
    pub dropped_lines: u64,
    /// What was wrong, in a sentence, if something was.
    pub error: Option<String>,
}

/// The order to stop. A later order with a nearer deadline counts; one with a later deadline changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopOrder {
    /// The signal's number for the program's process group.
    pub signal: i32,
    /// After this many milliseconds, from the moment that the shim reads the order, whatever still lives is killed.
    pub timeout_ms: u64,
}
