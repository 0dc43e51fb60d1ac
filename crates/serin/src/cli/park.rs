//! `serin park`: leave the canary live on purpose.

use std::process::ExitCode;

use clap::Args;
use serin_api::Command;

use super::{Failure, Global, Terminal, send::send};

/// What `serin park` takes.
#[derive(Debug, Args)]
pub(super) struct Park {
    /// Why; `serin status` shows it.
    #[arg(value_name = "REASON", required_unless_present = "retire")]
    reason: Option<String>,
    /// End it: retire the parked canary.
    #[arg(long, conflicts_with = "reason")]
    retire: bool,
}

impl Park {
    pub(super) async fn run(self, global: &Global, terminal: &Terminal) -> Result<ExitCode, Failure> {
        send(
            if self.retire { Command::Retire } else { Command::Park { reason: self.reason.unwrap_or_default() } },
            global,
            terminal,
        )
        .await
    }
}
