//! One check of one instance: an HTTP request, a connection, or a command; and whose the listening socket is.

mod http;

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use crate::health::Outcome;
use crate::instance::Instance;
use crate::ports::{Listener, listener};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Check {
    /// `GET path` is answered with a status from 200 to 399.
    Http {
        /// The path with its query; begins with `/`.
        path: String,
        /// The `Host` header; the address where absent.
        #[serde(default)]
        host: Option<String>,
    },
    /// A connection is accepted.
    Tcp,
    /// A command ends with status 0. It is killed, with its process group, when it takes longer than the timeout.
    Command {
        /// The command and its arguments; the first is a path, or a name in the controller's `PATH`.
        argv: Vec<String>,
    },
}

/// Checks the instance: its shim lives, its program runs, what listens at `address` is its own, and the check passes.
/// `address` is absent for an instance without a port, of which only a command can be asked.
pub async fn probe(instance: &Instance, address: Option<SocketAddr>, check: &Check, timeout: Duration) -> Outcome {
    match try_probe(instance, address, check, timeout).await {
        Ok(()) => Outcome::Pass,
        Err(why) => Outcome::Fail(why),
    }
}

async fn try_probe(
    instance: &Instance,
    address: Option<SocketAddr>,
    check: &Check,
    timeout: Duration,
) -> Result<(), String> {
    owned(instance, address)?;
    let asked = match (check, address) {
        (Check::Command { argv }, _) => return command(argv, timeout).await,
        (_, None) => return Err("the instance has no port, so only a command can be its check".into()),
        (Check::Http { path, host }, Some(address)) => {
            tokio::time::timeout(timeout, http::get(address, path, host.as_deref())).await
        }
        (Check::Tcp, Some(address)) => tokio::time::timeout(timeout, connect(address)).await,
    };
    asked.unwrap_or_else(|_| Err(format!("no answer within {} ms", timeout.as_millis())))
}

/// Whether the instance runs and has its port for itself.
///
/// # Errors
/// A sentence that says what is not so.
pub fn owned(instance: &Instance, address: Option<SocketAddr>) -> Result<(), String> {
    if !instance.is_alive().map_err(|error| error.to_string())? {
        return Err("the shim is gone, and the program with it".into());
    }
    let state = instance.state().map_err(|error| error.to_string())?;
    let state = state.ok_or("the shim has not said anything yet")?;
    if state.program().is_none() {
        return Err(state.error.unwrap_or_else(|| "the program does not run".into()));
    }
    let Some(address) = address else { return Ok(()) };
    match listener(address, state.shim).map_err(|error| format!("/proc cannot be read: {error}"))? {
        Listener::Instance => Ok(()),
        Listener::Nobody => Err(format!("nothing listens on {address} yet")),
        Listener::Stranger => {
            Err(format!("another process listens on {address}; stop it, or give this one another port"))
        }
    }
}

/// Connects.
async fn connect(address: SocketAddr) -> Result<(), String> {
    let connected = TcpStream::connect(address).await;
    connected.map(drop).map_err(|error| format!("{address} does not accept: {error}"))
}

async fn command(argv: &[String], timeout: Duration) -> Result<(), String> {
    let (name, arguments) = argv.split_first().ok_or("the check's command is empty")?;
    let mut child = tokio::process::Command::new(name)
        .args(arguments)
        .process_group(0)
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("the check's command {name} cannot be run: {error}"))?;
    let group = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
    if let Ok(ended) = tokio::time::timeout(timeout, child.wait()).await {
        let status = ended.map_err(|error| format!("the check's command {name} was lost: {error}"))?;
        return if status.success() { Ok(()) } else { Err(format!("the check's command {name} ended with {status}")) };
    }
    if let Some(group) = group {
        // Not yet reaped, so the number is still its own.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    drop(child.wait().await);
    Err(format!("the check's command {name} took longer than {} ms and was killed", timeout.as_millis()))
}

#[cfg(test)]
mod tests;
