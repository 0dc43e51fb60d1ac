//! `serin down`: end the service. What it does is [`super::Runtime::down`]'s.

use clap::Args;

use super::{Failure, Global, Output, Place};

/// What `serin down` takes.
#[derive(Debug, Args)]
pub struct Down {
    /// Remove the stored state too: history, revisions, logs.
    #[arg(long)]
    purge: bool,
}

/// What is ended.
#[derive(Clone, Debug)]
pub struct Job {
    /// Where the service's state lives.
    pub place: Place,
    /// Remove the stored state too.
    pub purge: bool,
    /// For whom the output is.
    pub output: Output,
}

impl Down {
    pub(super) fn run(self, global: &Global) -> Result<Job, Failure> {
        Ok(Job { place: Place::find(global)?, purge: self.purge, output: global.output })
    }
}
