//! `serin demo`: a good release and a bad one of a built-in program. What it does is [`super::Runtime::demo`]'s.

use std::path::PathBuf;

use clap::Args;

use super::{Global, Output};

/// What `serin demo` takes.
#[derive(Debug, Args)]
pub struct Demo {
    /// Leave the demo's state directory there, and say where it is.
    #[arg(long)]
    keep: bool,
    /// Requests per second.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(20..=5000))]
    rate: u32,
    /// Be the demo's own program on this port (internal).
    #[arg(long, hide = true, value_name = "PORT")]
    app: Option<u16>,
}

/// What is shown.
#[derive(Clone, Debug)]
pub struct Job {
    /// Leave the state directory there.
    pub keep: bool,
    /// Requests per second.
    pub rate: u32,
    /// Be the built-in program on this port instead.
    pub app: Option<u16>,
    /// `--state`, where it was given; else a temporary directory is meant.
    pub state: Option<PathBuf>,
    /// For whom the output is.
    pub output: Output,
}

impl Demo {
    pub(super) fn job(self, global: &Global) -> Job {
        Job { keep: self.keep, rate: self.rate, app: self.app, state: global.state.clone(), output: global.output }
    }
}
