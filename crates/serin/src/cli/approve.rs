//! `serin approve`: open the gate of the current step.

use std::process::ExitCode;

use clap::Args;
use serin_api::Command;

use super::{Failure, Global, Terminal, send::send};

/// What `serin approve` takes.
#[derive(Debug, Args)]
pub(super) struct Approve {}

impl Approve {
    pub(super) async fn run(self, global: &Global, terminal: &Terminal) -> Result<ExitCode, Failure> {
        send(Command::Approve, global, terminal).await
    }
}
