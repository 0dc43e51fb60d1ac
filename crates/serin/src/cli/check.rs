//! `serin check`: search everything that can happen to a release of the file. What it does is [`super::Runtime::check`]'s.

use std::process::ExitCode;

use clap::Args;

use super::{Global, Terminal, lint::read};
use crate::config::Loaded;

/// What `serin check` takes.
#[derive(Debug, Args)]
pub struct Check {
    /// Search larger worlds too: minutes instead of seconds, and up to 4 GiB of memory.
    #[arg(long)]
    deep: bool,
}

/// What is searched.
#[derive(Clone, Debug)]
pub struct Job {
    /// The checked file.
    pub loaded: Loaded,
    /// Larger worlds too.
    pub deep: bool,
    /// Where output goes.
    pub terminal: Terminal,
}

impl Check {
    pub(super) fn run(self, global: &Global, terminal: &Terminal) -> Result<Job, ExitCode> {
        let loaded = read(global, terminal, None)?; // nothing is started, so no state directory matters
        Ok(Job { loaded, deep: self.deep, terminal: *terminal })
    }
}
