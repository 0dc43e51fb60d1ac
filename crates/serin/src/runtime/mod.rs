//! The verbs that start something: what `main` gives to the command line.
mod check;
mod convert;
mod demo;
mod down;
mod events;
mod handle;
mod loadtest;
mod meter;
mod serve;
mod simulate;
mod view;

use crate::cli::Runtime;
use std::process::ExitCode;

/// All of them.
pub const RUNTIME: Runtime = Runtime {
    serve: serve::run,
    down: down::run,
    demo: demo::run,
    simulate: simulate::run,
    check: check::run,
    shim: |job| serin_supervisor::shim::main(&job.dir),
    proxy: |job| serin_proxy::main(&job.dir),
    loadtest: loadtest::run,
    loadtest_keeper: |words| serin_loadtest::keep::main(&words),
};

/// Says on standard error why a verb ended.
fn fail(code: u8, what: impl std::fmt::Display, hint: &str) -> ExitCode {
    eprintln!("serin: {what}");
    if !hint.is_empty() {
        eprintln!("  {hint}");
    }
    ExitCode::from(code)
}
