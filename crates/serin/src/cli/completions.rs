//! `serin completions`: completions for a shell.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Output, Terminal, exit};

/// What `serin completions` takes.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> ExitCode {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "serin", &mut script);
        Terminal::new(Output::Text).print(&String::from_utf8_lossy(&script));
        ExitCode::from(exit::DONE)
    }
}
