//! `serin schema`: the JSON schema of `serin.yaml`, for editors.

use std::process::ExitCode;

use clap::Args;

use super::{Output, Terminal, exit};

/// `serin schema` takes nothing.
#[derive(Debug, Args)]
pub(super) struct Schema {}

impl Schema {
    pub(super) fn run(self) -> ExitCode {
        Terminal::new(Output::Text).print(&crate::config::schema());
        ExitCode::from(exit::DONE)
    }
}
