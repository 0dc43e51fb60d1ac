//! `serin pause`: stop advancing; judging goes on.

use std::process::ExitCode;

use clap::Args;
use serin_api::Command;

use super::{Failure, Global, Terminal, send::send};

/// What `serin pause` takes.
#[derive(Debug, Args)]
pub(super) struct Pause {}

impl Pause {
    pub(super) async fn run(self, global: &Global, terminal: &Terminal) -> Result<ExitCode, Failure> {
        send(Command::Pause, global, terminal).await
    }
}
