//! `serin park`: leave the canary live on purpose.

use std::process::ExitCode;

use clap::Args;
use serin_api::Command;

use super::{Failure, Global, Terminal, send::send};

/// What `serin park` takes.
#[derive(Debug, Args)]
pub(super) struct Park {
    /// Why; `serin status` shows it.
    #[arg(value_name = "REASON")]
    reason: String,
}

impl Park {
    pub(super) async fn run(self, global: &Global, terminal: &Terminal) -> Result<ExitCode, Failure> {
        send(Command::Park { reason: self.reason }, global, terminal).await
    }
}
