//! `serin abort`: give the release up and go back to the old version.

use std::process::ExitCode;

use clap::Args;
use serin_api::Command;

use super::{Failure, Global, Terminal, send::send};

/// What `serin abort` takes.
#[derive(Debug, Args)]
pub(super) struct Abort {
    /// Why, for the history.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

impl Abort {
    pub(super) async fn run(self, global: &Global, terminal: &Terminal) -> Result<ExitCode, Failure> {
        send(Command::Abort { reason: self.reason }, global, terminal).await
    }
}
