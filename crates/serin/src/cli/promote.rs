//! `serin promote`: go on to the next step now.

use std::process::ExitCode;

use clap::Args;
use serin_api::Command;

use super::{Failure, Global, Terminal, send::send};

/// What `serin promote` takes.
#[derive(Debug, Args)]
pub(super) struct Promote {
    /// All steps: give the new version all traffic. Failed analysis is not overruled.
    #[arg(long)]
    full: bool,
}

impl Promote {
    pub(super) async fn run(self, global: &Global, terminal: &Terminal) -> Result<ExitCode, Failure> {
        send(Command::Promote { full: self.full }, global, terminal).await
    }
}
