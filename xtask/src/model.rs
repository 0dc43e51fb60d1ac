//! `check`, `cross`, `mutants`, `sim` and `sweep`: the shipped decision core under an adversarial world.

use crate::closing::USAGE;
use crate::run::{Run, Stop, fail};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

/// Every reachable state of the small configurations, and from each of them a way to rest. The verb's own words choose one
/// system, or the independent checker.
pub fn check(run: &mut Run) -> Result<(), Stop> {
    model(run, &["check"], &["states", "configs"])
}

/// The same states counted by an independent checker.
pub fn cross(run: &mut Run) -> Result<(), Stop> {
    model(run, &["check", "--cross"], &["states", "configs"])
}

/// Every guard of the core taken away, and the outages of the field by name: each must be caught.
pub fn mutants(run: &mut Run) -> Result<(), Stop> {
    model(run, &["mutants"], &["killed"])
}

/// Seeded runs at larger sizes: safety under faults, then everything must come to rest.
pub fn sim(run: &mut Run) -> Result<(), Stop> {
    model(run, &["sim"], &["seeds"])
}

/// The controller killed around every write of every flow.
pub fn sweep(run: &mut Run) -> Result<(), Stop> {
    model(run, &["sweep"], &["cases"])
}

/// The second key on every input up to four instances: what it allows is harmless, and what is harmless it allows.
pub fn permit(run: &mut Run) -> Result<(), Stop> {
    model(run, &["permit"], &["inputs", "pairs", "allowed", "refused"])
}

/// Both keys on drawn views of states that were reached: what the first asks for the second allows.
pub fn fuzz_decide(run: &mut Run) -> Result<(), Stop> {
    model(run, &["fuzz-decide"], &["inputs", "asks", "cells", "least"])
}

/// Runs the model's own command, with the verb's further words, and takes its keys over; its closing line has the name that
/// the command gave it. It must have looked at something: each key of `some` is there and is not 0. What the command says
/// before its closing line is passed on.
fn model(run: &mut Run, command: &[&str], some: &[&str]) -> Result<(), Stop> {
    // always with this feature, so that the verbs share one build
    let mut arguments = vec!["--package", "serin-sim", "--features", "cross"];
    if run.is_long() {
        arguments.push("--release"); // what takes an hour is worth another build
    }
    run.build(&arguments)?;
    let length = if run.is_long() { "--long" } else { "--quick" };
    let seed = run.seed().to_string();
    let mut child = std::process::Command::new(run.built("serin-sim", run.is_long()))
        .args(command)
        .args(run.words())
        .args([length, "--seed", &seed])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    let line = match child.stdout.take() {
        // that nobody reads it any more is no reason to end what is counted
        Some(said) => last_of(said, |line| drop(writeln!(std::io::stdout(), "{line}")))?,
        None => String::new(),
    };
    let status = child.wait()?;
    if let Some(name) = name_of(&line)
        && command.len() == 1
    {
        run.close_as(name);
    }
    for (key, value) in line.split(' ').filter_map(|word| word.split_once('=')) {
        if key != "secs" {
            run.fact(key, value.to_owned());
        }
    }
    if status.code() == Some(i32::from(USAGE)) {
        return Err(Stop::Usage("serin-sim does not take these words: see above".to_owned()));
    }
    if line.is_empty() {
        return fail(format!("serin-sim ended with {status} and no result: see above"));
    }
    if !status.success() {
        return fail(format!("{status}: {line}"));
    }
    for key in some {
        let value = line.split(' ').find_map(|word| word.strip_prefix(&format!("{key}=")));
        if value.is_none_or(|value| value.is_empty() || value.starts_with('0')) {
            return fail(format!("nothing happened: {line}"));
        }
    }
    Ok(())
}

/// The last line of what is said; `tell` gets each one before it.
fn last_of(said: impl Read, mut tell: impl FnMut(&str)) -> std::io::Result<String> {
    let mut last: Option<String> = None;
    for line in BufReader::new(said).lines() {
        if let Some(before) = last.replace(line?) {
            tell(&before);
        }
    }
    Ok(last.unwrap_or_default())
}

/// The name in a closing line; `None` where the line is none.
fn name_of(line: &str) -> Option<&str> {
    let (name, rest) = line.split_once(' ')?;
    (rest.starts_with("PASS ") || rest.starts_with("FAIL ")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closing_line_has_a_name() {
        assert_eq!(name_of("check-writer-any PASS configs=2 secs=1.0"), Some("check-writer-any"));
        assert_eq!(name_of("something else"), None);
        assert_eq!(name_of(""), None);
    }

    #[test]
    fn what_is_told_before_the_closing_line_is_passed_on() {
        let mut told = vec![];
        let last = last_of(&b"a story\n\nof two parts\nmutants PASS killed=1\n"[..], |line| told.push(line.to_owned()));
        assert_eq!(last.ok().as_deref(), Some("mutants PASS killed=1"));
        assert_eq!(told, ["a story", "", "of two parts"]);
        assert_eq!(last_of(&b""[..], |_| {}).ok().as_deref(), Some(""));
    }
}
