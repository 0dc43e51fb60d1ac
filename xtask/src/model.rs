//! `check`, `mutants`, `sim` and `sweep`: the shipped decision core under an adversarial world.

use crate::run::{Run, Stop, fail};
use std::process::Stdio;

/// Every reachable state of the small configurations, and from each of them a way to rest.
pub fn check(run: &mut Run) -> Result<(), Stop> {
    model(run, "check", &["states", "configs"])
}

/// Every guard of the core taken away, and the outages of the field by name: each must be caught.
pub fn mutants(run: &mut Run) -> Result<(), Stop> {
    model(run, "mutants", &["killed"])
}

/// Seeded runs at larger sizes: safety under faults, then everything must come to rest.
pub fn sim(run: &mut Run) -> Result<(), Stop> {
    model(run, "sim", &["seeds"])
}

/// The controller killed around every write of every flow.
pub fn sweep(run: &mut Run) -> Result<(), Stop> {
    model(run, "sweep", &["cases"])
}

/// The second key on every input up to four instances: what it allows is harmless, and what is harmless it allows.
pub fn permit(run: &mut Run) -> Result<(), Stop> {
    model(run, "permit", &["inputs", "pairs", "allowed", "refused"])
}

/// Both keys on drawn views of states that were reached: what the first asks for the second allows.
pub fn fuzz_decide(run: &mut Run) -> Result<(), Stop> {
    model(run, "fuzz-decide", &["inputs", "asks", "cells", "least"])
}

/// Runs the model's own command and takes its keys over. It must have looked at something: each key of `some` is there
/// and is not 0.
fn model(run: &mut Run, verb: &str, some: &[&str]) -> Result<(), Stop> {
    run.build(&["--package", "serin-sim"])?;
    let length = if run.is_long() { "--long" } else { "--quick" };
    let seed = run.seed().to_string();
    let out = std::process::Command::new(run.built("serin-sim", false))
        .args([verb, length, "--seed", &seed])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let line = text.lines().last().unwrap_or_default().to_owned();
    for (key, value) in line.split(' ').filter_map(|word| word.split_once('=')) {
        if key != "secs" {
            run.fact(key, value.to_owned());
        }
    }
    if !out.status.success() {
        return fail(format!("{}: {line}", out.status));
    }
    for key in some {
        let value = line.split(' ').find_map(|word| word.strip_prefix(&format!("{key}=")));
        if value.is_none_or(|value| value.is_empty() || value.starts_with('0')) {
            return fail(format!("nothing happened: {line}"));
        }
    }
    Ok(())
}
