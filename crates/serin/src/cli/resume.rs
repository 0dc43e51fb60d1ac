//! `serin resume`: go on after a pause, a halt or a park.

use std::process::ExitCode;

use clap::Args;
use serin_api::Command;

use super::{Failure, Global, Terminal, send::send};

/// What `serin resume` takes.
#[derive(Debug, Args)]
pub(super) struct Resume {}

impl Resume {
    pub(super) async fn run(self, global: &Global, terminal: &Terminal) -> Result<ExitCode, Failure> {
        send(Command::Resume, global, terminal).await
    }
}
