//! `serin serve`: the controller and its API. What it does is [`super::Runtime::serve`]'s.

use clap::Args;

use super::{Failure, Global, Output, Place, Terminal, exit, state_dir};
use crate::config::{self, Loaded, Overrides};

/// What `serin serve` takes.
#[derive(Debug, Args)]
pub struct Serve {
    /// Take up the service as it is stored, without reading the file.
    #[arg(long)]
    stored: bool,
}

/// What the controller is started with.
#[derive(Clone, Debug)]
pub struct Job {
    /// Where the service's state lives.
    pub place: Place,
    /// The checked file; `None` with `--stored`.
    pub loaded: Option<Loaded>,
    /// For whom the output is.
    pub output: Output,
}

impl Serve {
    pub(super) fn run(self, global: &Global, terminal: &Terminal) -> Result<Job, Failure> {
        if self.stored {
            return Ok(Job { place: Place::find(global)?, loaded: None, output: global.output });
        }
        let loaded = load(global, &Overrides::default(), terminal)?;
        Ok(Job { place: Place::of(&loaded.spec.service, global), loaded: Some(loaded), output: global.output })
    }
}

/// Reads the file, shows its warnings, or fails with its errors.
pub(super) fn load(global: &Global, overrides: &Overrides, terminal: &Terminal) -> Result<Loaded, Failure> {
    let state = state_dir(global.state.as_deref());
    match config::load(&global.file, overrides, Some(&state)) {
        Ok(loaded) => {
            if terminal.output == Output::Text {
                terminal.problems(&loaded.warnings);
            }
            if global.service.as_ref().is_some_and(|s| *s != loaded.spec.service) {
                return Err(Failure::new(
                    exit::REFUSED,
                    format!("{} is the file of service {}", global.file.display(), loaded.spec.service),
                    "leave --service out",
                ));
            }
            Ok(loaded)
        }
        Err(problems) => {
            terminal.problems(&problems);
            Err(Failure::new(
                exit::REFUSED,
                format!("{} cannot be used as it is", problems.name),
                "nothing was changed",
            ))
        }
    }
}
