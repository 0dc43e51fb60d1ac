//! The command line: one file for each verb. Verbs that only talk to the controller are whole here; those that start
//! something ([`Runtime`]) are given by `main`, which knows the crates that do it.

mod abort;
mod approve;
pub mod check;
mod completions;
pub mod demo;
mod deploy;
pub mod down;
mod fault;
mod follow;
mod history;
mod lint;
mod loadtest;
mod logs;
mod moment;
mod park;
mod pause;
mod place;
mod promote;
pub mod proxy;
mod resume;
mod rollback;
mod schema;
mod send;
pub mod serve;
pub mod shim;
pub mod simulate;
mod status;
mod terminal;
#[cfg(test)]
pub(crate) mod tests;
mod tree;
mod weight;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::{
    deploy::ending_word,
    fault::written,
    follow::{exit_of, told},
    moment::{length, percent},
};
pub use self::{
    place::{Place, state_dir},
    terminal::{Failure, Paint, Terminal},
};

/// Exit codes, the same for all verbs.
pub mod exit {
    /// It was done; a release was promoted.
    pub const DONE: u8 = 0;
    /// It failed; a release was rolled back or failed.
    pub const FAILED: u8 = 1;
    /// Wrong usage, a file with errors, or refused by the controller.
    pub const REFUSED: u8 = 2;
    /// A release stands still and needs a person.
    pub const HALTED: u8 = 3;
    /// A release ended in another way (aborted, superseded, parked), or is followed no longer.
    pub const OTHERWISE: u8 = 4;
    /// A simulation or a search broke a rule of Serin: a mistake in Serin, never in the service.
    pub const BROKEN: u8 = 5;
}

/// The verbs that start something, as functions. Each returns the exit code of the process.
#[derive(Clone, Copy, Debug)]
pub struct Runtime {
    /// Runs the controller and its API until a signal.
    pub serve: fn(serve::Job) -> ExitCode,
    /// Ends the service: instances, proxy and controller.
    pub down: fn(down::Job) -> ExitCode,
    /// Shows a release of a built-in program.
    pub demo: fn(demo::Job) -> ExitCode,
    /// Plays a release of a file.
    pub simulate: fn(simulate::Job) -> ExitCode,
    /// Searches everything that can happen to a release of a file.
    pub check: fn(check::Job) -> ExitCode,
    /// Becomes the shim of the instance (or proxy) whose directory this is.
    pub shim: fn(shim::Job) -> ExitCode,
    /// Becomes the proxy.
    pub proxy: fn(proxy::Job) -> ExitCode,
    /// Answers webhooks that start load and ask for gates.
    pub loadtest: fn(serin_loadtest::Settings) -> ExitCode,
    /// Becomes the keeper of one command of the load tester, by these words.
    pub loadtest_keeper: fn(Vec<OsString>) -> ExitCode,
}

/// Serin releases a new version of a running service step by step, and never takes the service down while doing it.
#[derive(Debug, Parser)]
#[command(name = "serin", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb knows.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The service's file.
    #[arg(short, long, global = true, value_name = "PATH", default_value = "serin.yaml")]
    pub file: PathBuf,
    /// Name the service instead of reading it from the file.
    #[arg(long, global = true, value_name = "NAME")]
    pub service: Option<String>,
    /// Where the state of all services lives [default: /var/lib/serin as root, else ~/.local/state/serin].
    #[arg(long, global = true, value_name = "DIR", env = "SERIN_STATE")]
    pub state: Option<PathBuf>,
    /// Text for people, or JSON for programs.
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// For whom the output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// People.
    Text,
    /// Programs.
    Json,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the controller: start the service if it does not run, then take deploys. Ctrl-C leaves the service up.
    Serve(serve::Serve),
    /// Release the file's new version and follow it. Exits 0 promoted, 1 rolled back or failed, 2 refused, 3 halted, 4 otherwise.
    Deploy(deploy::Deploy),
    /// Show what the service is doing, and what it waits for.
    Status(status::Status),
    /// Go on to the next step now.
    Promote(promote::Promote),
    /// Give the release up and go back to the old version.
    Abort(abort::Abort),
    /// Stop advancing. Judging goes on.
    Pause(pause::Pause),
    /// Go on after a pause, a halt or a park.
    Resume(resume::Resume),
    /// Open the gate of the current step.
    Approve(approve::Approve),
    /// Give the new version another share of the traffic.
    Weight(weight::Weight),
    /// Go back to the version before.
    Rollback(rollback::Rollback),
    /// Leave the canary live on purpose.
    Park(park::Park),
    /// List past releases, or show one of them.
    History(history::History),
    /// Show the output of the instances.
    Logs(logs::Logs),
    /// Check a file without running anything. Exits 2 on errors.
    Lint(lint::Lint),
    /// Play a release of the file before doing it, with faults of your choice. Nothing is started. Exits like `deploy`.
    Simulate(simulate::Simulate),
    /// Search everything that can happen to a release of the file. Exits 0 safe, 2 on errors, 5 not safe.
    Check(check::Check),
    /// Print the JSON schema of serin.yaml, for editors.
    Schema(schema::Schema),
    /// End the service: instances, proxy and controller.
    Down(down::Down),
    /// Watch a good release and a bad one of a built-in program, in about a minute.
    Demo(demo::Demo),
    /// Answer the webhooks of Flagger's objects that start load (`type: cmd`, `bash`) and ask for gates.
    Loadtest(loadtest::Loadtest),
    /// Print completions for a shell.
    Completions(completions::Completions),
    #[command(hide = true)]
    Shim(shim::Shim),
    #[command(hide = true)]
    Proxy(proxy::Proxy),
    #[command(hide = true, name = loadtest::KEEPER)]
    LoadtestKeeper(loadtest::Keeper),
}

/// Reads the command line and does what it says.
pub fn run(args: impl IntoIterator<Item = OsString>, runtime: &Runtime) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print(); // nobody is left to tell
            return ExitCode::from(if e.use_stderr() { exit::REFUSED } else { exit::DONE });
        }
    };
    let terminal = Terminal::new(cli.global.output);
    match dispatch(cli.verb, &cli.global, &terminal, runtime) {
        Ok(code) => code,
        Err(failure) => terminal.fail(&failure),
    }
}

fn dispatch(verb: Verb, global: &Global, terminal: &Terminal, runtime: &Runtime) -> Result<ExitCode, Failure> {
    match verb {
        Verb::Serve(v) => v.run(global, terminal).map(runtime.serve),
        Verb::Down(v) => v.run(global).map(runtime.down),
        Verb::Demo(v) => Ok((runtime.demo)(v.job(global))),
        Verb::Simulate(v) => Ok(v.run(global, terminal).map_or_else(|code| code, runtime.simulate)),
        Verb::Check(v) => Ok(v.run(global, terminal).map_or_else(|code| code, runtime.check)),
        Verb::Shim(v) => Ok((runtime.shim)(v.job())),
        Verb::Proxy(v) => Ok((runtime.proxy)(v.job())),
        Verb::Loadtest(v) => Ok((runtime.loadtest)(v.job(global))),
        Verb::LoadtestKeeper(v) => Ok((runtime.loadtest_keeper)(v.job())),
        Verb::Lint(v) => Ok(v.run(global, terminal)),
        Verb::Schema(v) => Ok(v.run()),
        Verb::Completions(v) => Ok(v.run()),
        Verb::Deploy(v) => terminal.block_on(v.run(global, terminal)),
        Verb::Status(v) => terminal.block_on(v.run(global, terminal)),
        Verb::Promote(v) => terminal.block_on(v.run(global, terminal)),
        Verb::Abort(v) => terminal.block_on(v.run(global, terminal)),
        Verb::Pause(v) => terminal.block_on(v.run(global, terminal)),
        Verb::Resume(v) => terminal.block_on(v.run(global, terminal)),
        Verb::Approve(v) => terminal.block_on(v.run(global, terminal)),
        Verb::Weight(v) => terminal.block_on(v.run(global, terminal)),
        Verb::Rollback(v) => terminal.block_on(v.run(global, terminal)),
        Verb::Park(v) => terminal.block_on(v.run(global, terminal)),
        Verb::History(v) => terminal.block_on(v.run(global, terminal)),
        Verb::Logs(v) => terminal.block_on(v.run(global, terminal)),
    }
}
