//! `serin weight`: give the new version another share of the traffic.

use std::process::ExitCode;

use clap::Args;
use serin_api::Command;

use super::{Failure, Global, Terminal, send::send};
use crate::config::quantity::Percent;

/// What `serin weight` takes.
#[derive(Debug, Args)]
pub(super) struct Weight {
    /// Share of the new version, such as 25%.
    #[arg(value_name = "SHARE", value_parser = Percent::parse)]
    share: Percent,
}

impl Weight {
    pub(super) async fn run(self, global: &Global, terminal: &Terminal) -> Result<ExitCode, Failure> {
        send(Command::Weight { bp: self.share.bp() }, global, terminal).await
    }
}
