//! `unit`: the tests of every crate.

use crate::run::{Run, Stop, fail};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Builds all tests, which is not counted, runs them and counts what cargo says of them.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    run.uncounted(|run| run.must(run.cargo("test").args(["--workspace", "--no-run", "--quiet"])))?;
    let mut command = run.cargo("test");
    command.args(["--workspace", "--no-fail-fast"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = run.start(&mut command)?;
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    if let Some(out) = process.child.stdout.take() {
        for line in BufReader::new(out).lines() {
            let line = line?;
            eprintln!("{line}");
            if let Some(counts) = counts(&line) {
                (passed, failed, ignored) = (passed + counts[0], failed + counts[1], ignored + counts[2]);
            }
        }
    }
    let status = process.child.wait()?;
    run.fact("passed", passed);
    run.fact("failed", failed);
    match (status.success(), passed, ignored) {
        (false, _, _) => fail("cargo test does not pass: see above"),
        (true, 0, _) => fail("not one test was run"),
        (true, _, 1..) => fail(format!("{ignored} tests are ignored")),
        (true, _, 0) => Ok(()),
    }
}

/// Passed, failed and ignored tests of a line of the form `test result: ok. 3 passed; 0 failed; 0 ignored; …`.
fn counts(line: &str) -> Option<[u64; 3]> {
    let rest = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let mut counts = [0; 3];
    for (count, word) in counts.iter_mut().zip(["passed", "failed", "ignored"]) {
        *count = rest.split("; ").find_map(|part| part.strip_suffix(word))?.trim().parse().ok()?;
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_test_runner_is_counted() {
        let line = "test result: FAILED. 9 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 7.68s";
        assert_eq!(counts(line), Some([9, 1, 2]));
        assert_eq!(counts("test a ... ok"), None);
    }
}
