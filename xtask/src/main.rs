//! `cargo xtask VERB`: every figure of the project has a command here. No dependencies but std.
//!
//! A verb is a file with a function `fn(&mut Run) -> Result<(), Stop>` and a row in [`verbs::VERBS`]. The frame gives it
//! options, a seed, a scratch directory, processes that end with it, and prints its closing line.

mod bench;
mod closing;
mod cluster;
mod coverage;
mod examples;
mod guard;
mod hostile;
mod json;
mod list;
mod model;
mod options;
mod parts;
mod process;
mod run;
mod show;
mod stage;
mod suite;
mod tidy;
mod trace;
mod units;
mod verbs;

use options::Options;
use run::{Run, Stop};
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().map(String::as_str) == Some(guard::WORD) {
        return guard::watch();
    }
    match options::parse(&words) {
        Ok((verb, options)) => perform(verb, options),
        Err(why) => {
            eprintln!("xtask: {why}\n\n{}", list::table());
            ExitCode::from(closing::USAGE)
        }
    }
}

/// Runs one verb and closes standard output with its line.
fn perform(verb: &'static verbs::Verb, options: Options) -> ExitCode {
    eprintln!("{}: seed={}", verb.label(), options.seed);
    let begin = Instant::now();
    let mut run = match Run::new(verb, options) {
        Ok(run) => run,
        Err(stop) => return closing::close(&verb.label(), Err(stop), &[], begin.elapsed(), None),
    };
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (verb.perform)(&mut run)))
        .unwrap_or_else(|_| Err(Stop::Fail("it panicked: see above".to_owned())));
    let label = run.label().to_owned();
    let (facts, spent, last) = run.finish();
    closing::close(&label, result, &facts, spent, last)
}
