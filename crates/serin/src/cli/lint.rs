//! `serin lint`: check a file without running anything.

use std::{path::Path, process::ExitCode};

use clap::Args;

use super::{Global, Output, Terminal, exit, state_dir};
use crate::config::{self, Loaded, Overrides};

/// What `serin lint` takes.
#[derive(Debug, Args)]
pub(super) struct Lint {
    /// Warnings count as errors.
    #[arg(long)]
    strict: bool,
    /// Leave out the rules about this machine's state directory.
    #[arg(long, hide = true)]
    no_state: bool,
}

impl Lint {
    pub(super) fn run(self, global: &Global, terminal: &Terminal) -> ExitCode {
        let state = state_dir(global.state.as_deref());
        match read(global, terminal, (!self.no_state).then_some(state.as_path())) {
            Err(code) => code,
            Ok(loaded) => {
                terminal.problems(&loaded.warnings);
                let warnings = loaded.warnings.list.len();
                if terminal.output == Output::Text {
                    let noted = if warnings == 0 {
                        String::new()
                    } else {
                        format!(", {warnings} warning{}", if warnings == 1 { "" } else { "s" })
                    };
                    let revision = loaded.spec.revision().hash();
                    terminal.print(&format!(
                        "{}: no errors{noted} (service {}, revision {})\n",
                        global.file.display(),
                        loaded.spec.service,
                        &revision[..10]
                    ));
                }
                ExitCode::from(if self.strict && warnings > 0 { exit::REFUSED } else { exit::DONE })
            }
        }
    }
}

/// Reads the file, or says what is wrong with it. `state` is for the rules about this machine's state directory.
pub(super) fn read(global: &Global, terminal: &Terminal, state: Option<&Path>) -> Result<Loaded, ExitCode> {
    config::load(&global.file, &Overrides::default(), state).map_err(|problems| {
        terminal.problems(&problems);
        ExitCode::from(exit::REFUSED)
    })
}
