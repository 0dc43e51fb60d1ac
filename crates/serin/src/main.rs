//! The `serin` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    serin::cli::run(std::env::args_os(), &serin::runtime::RUNTIME)
}
