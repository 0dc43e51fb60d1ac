//! `serin simulate`: play a release of the file before doing it. What it does is [`super::Runtime::simulate`]'s.

use std::process::ExitCode;

use clap::Args;
use serin_sim::play::Strike;

use super::{Failure, Global, Terminal, exit, fault, lint::read};
use crate::config::{Loaded, quantity::Time};

/// What `serin simulate` takes.
#[derive(Debug, Args)]
#[command(after_help = fault::list())]
pub struct Simulate {
    /// What goes wrong, as NAME, NAME=VALUE, NAME@TIME or NAME=VALUE@TIME. May be repeated. Default: good.
    #[arg(long = "fault", value_name = "FAULT", value_parser = fault::parse)]
    faults: Vec<Option<Strike>>,
    /// Draw everything that varies from this number: the same number plays the same release.
    #[arg(long, value_name = "N", default_value = "1", value_parser = fault::seed, allow_hyphen_values = true)]
    seed: u64,
    /// Requests per second.
    #[arg(long, value_name = "R", default_value = "200", value_parser = fault::rate, allow_hyphen_values = true)]
    rate: u32,
    /// How long a person takes to approve a step that asks for it.
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = Time::parse)]
    approve_after: Time,
}

/// What is played.
#[derive(Clone, Debug)]
pub struct Job {
    /// The checked file.
    pub loaded: Loaded,
    /// What goes wrong.
    pub strikes: Vec<Strike>,
    /// From which everything is drawn.
    pub seed: u64,
    /// Requests per second.
    pub rate: u32,
    /// How long a person takes.
    pub approve_after: Time,
    /// Where output goes.
    pub terminal: Terminal,
}

impl Simulate {
    pub(super) fn run(self, global: &Global, terminal: &Terminal) -> Result<Job, ExitCode> {
        if let Some(why) = fault::contradiction(&self.faults) {
            return Err(terminal.fail(&Failure::new(exit::REFUSED, why, "")));
        }
        let loaded = read(global, terminal, None)?; // nothing is started, so no state directory matters
        Ok(Job {
            loaded,
            strikes: self.faults.into_iter().flatten().collect(),
            seed: self.seed,
            rate: self.rate,
            approve_after: self.approve_after,
            terminal: *terminal,
        })
    }
}
