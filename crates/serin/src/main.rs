//! The `serin` binary.

use std::process::ExitCode;

use serin::cli::{Runtime, run};

fn main() -> ExitCode {
    fn without<T>(_: T) -> ExitCode {
        eprintln!("this build of serin has the command line only: it cannot run services");
        ExitCode::from(serin::cli::exit::REFUSED)
    }
    let runtime = Runtime { serve: without, down: without, demo: without, shim: without, proxy: without };
    run(std::env::args_os(), &runtime)
}
