//! `trace DIR`: the monitors over what services wrote down below DIR.

use crate::run::{Run, Stop, fail};
use std::process::Stdio;

/// Runs the model's own command on the directory that is named.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    let [dir] = run.words() else { return fail("name one directory, such as a service's state directory") };
    let dir = dir.clone();
    run.build(&["--package", "serin-sim"])?;
    let out = std::process::Command::new(run.built("serin-sim", false))
        .args(["trace", &dir, "--seed", &run.seed().to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let line = text.lines().last().unwrap_or_default();
    for (key, value) in line.split(' ').filter_map(|word| word.split_once('=')).filter(|(key, _)| *key != "secs") {
        run.fact(key, value.to_owned());
    }
    if out.status.success() { Ok(()) } else { fail("see above for what was found, and for the lines that show it") }
}
