//! The load tester: it answers the webhooks of Flagger's `Canary` objects that start a command (`type: cmd`, `bash`), and
//! keeps the gates that people open and close by hand. Only the image has to be exchanged.
//!
//! What it never does: run a program that it was not told to allow, run a shell that it was not given, listen to others
//! than this machine without a token (unless told so in as many words), or leave a process behind. Each command runs under a
//! keeper of its own ([`keep`]), which ends everything that the command ever started when the command has ended, when it is
//! told to, and when the load tester is gone, whatever killed it.
//!
//! The form of the requests and answers is that of Flagger's load tester, as its documentation of webhooks tells it.

mod answer;
mod commands;
mod counters;
mod gates;
pub mod keep;
mod log;
mod order;
mod output;
mod payload;
mod refusal;
mod running;
mod server;
mod token;
mod words;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use server::{Unable, serve};

/// The programs that are allowed where nothing else is said: those of Flagger's image that only send requests.
pub const ALLOWED: [&str; 5] = ["hey", "curl", "wrk", "ghz", "grpc_health_probe"];

/// How the load tester is to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The file with the token; `None`: whoever reaches the address may command it.
    pub token_file: Option<PathBuf>,
    /// Without a token, listen elsewhere than on loopback all the same.
    pub insecure_without_token: bool,
    /// The programs that commands may be of: names as they are written, sought in `PATH`, or full paths.
    pub allow: Vec<String>,
    /// A shell that is given every command as it is written. It may run anything, so that `allow` says nothing then.
    pub shell: Option<PathBuf>,
    /// The longest that a command may take.
    pub timeout: Duration,
    /// How many commands may run at once.
    pub most: usize,
    /// How long what is told to end has before it is killed.
    pub grace: Duration,
    /// How long a client has to send its request, and as long again to take its answer.
    pub patience: Duration,
    /// Where the gates are kept; `None`: in memory only.
    pub state: Option<PathBuf>,
    /// The words after the program's own name with which this very program calls [`keep::main`].
    pub keeper: Vec<OsString>,
}
