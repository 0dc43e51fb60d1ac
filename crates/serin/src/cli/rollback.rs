//! `serin rollback`: go back to the version before.

use std::process::ExitCode;

use clap::Args;
use serin_api::Command;

use super::{Failure, Global, Terminal, send::send};

/// What `serin rollback` takes.
#[derive(Debug, Args)]
pub(super) struct Rollback {}

impl Rollback {
    pub(super) async fn run(self, global: &Global, terminal: &Terminal) -> Result<ExitCode, Failure> {
        send(Command::Rollback, global, terminal).await
    }
}
