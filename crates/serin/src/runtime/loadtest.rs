//! `serin loadtest`, and the keeper above each of its commands.
use super::fail;
use crate::cli::exit;
use serin_loadtest::Settings;
use std::process::ExitCode;

/// Runs until SIGINT or SIGTERM.
pub(super) fn run(settings: Settings) -> ExitCode {
    match serin_loadtest::serve(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(unable) => fail(if unable.usage { exit::REFUSED } else { exit::FAILED }, unable.what, &unable.hint),
    }
}
