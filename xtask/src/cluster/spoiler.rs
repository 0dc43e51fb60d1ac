//! `serin-apiproxy` before a cluster's API server: it makes calls go wrong, and counts them.

use super::Cluster;
use crate::json::Value;
use crate::process::Process;
use crate::run::{Run, Stop, fail};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The proxy at work; it ends with `process`.
#[derive(Debug)]
pub struct Spoiler {
    /// Where it serves, with TLS and the API server's own certificate.
    pub api: SocketAddr,
    /// Where it is steered.
    pub control: SocketAddr,
    /// The process.
    pub process: Process,
}

impl Spoiler {
    /// Starts it; it must be built already.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(run: &mut Run, cluster: &Cluster, authority: &Path) -> Result<Spoiler, Stop> {
        let (server, keys) = (cluster.server()?, authority.parent().map(PathBuf::from).unwrap_or_default());
        let mut command = Command::new(run.built("serin-apiproxy", false));
        command.arg(server).arg("--authority").arg(authority);
        command.arg("--certificate").arg(keys.join("server.crt")).arg("--key").arg(keys.join("server.key"));
        let mut process = run.start(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let mut line = String::new();
        if let Some(out) = process.child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let said = Value::parse(line.trim()).map_err(|why| Stop::Fail(format!("the proxy said {line:?}: {why}")))?;
        let address =
            |name: &str| said.get(name).and_then(Value::text).and_then(|text| text.parse::<SocketAddr>().ok());
        let (Some(api), Some(control)) = (address("api"), address("control")) else {
            return fail(format!("the proxy said {line:?}"));
        };
        Ok(Spoiler { api, control, process })
    }
}
