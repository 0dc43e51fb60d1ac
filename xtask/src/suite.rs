//! `test` and `show all`: verbs that run other verbs, each in a process of its own.

use crate::closing::is_ci;
use crate::run::{Run, Stop, fail};
use crate::verbs::{VERBS, Verb};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// One step of the test command.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// The verb.
    verb: &'static str,
    /// The longest that it may take with its build, in minutes.
    minutes: u64,
}

/// What the README's test command runs, in this order. To add a step: add its verb to the table of verbs, and a row.
const STEPS: &[Step] = &[
    Step { verb: "tidy", minutes: 12 },
    Step { verb: "unit", minutes: 15 },
    Step { verb: "check", minutes: 6 },
    Step { verb: "cross", minutes: 6 },
    Step { verb: "coverage", minutes: 8 },
    Step { verb: "mutants", minutes: 6 },
    Step { verb: "sim", minutes: 6 },
    Step { verb: "sweep", minutes: 4 },
    Step { verb: "permit", minutes: 5 },
    Step { verb: "fuzz decide", minutes: 6 },
    Step { verb: "parts podinfo", minutes: 10 },
    Step { verb: "show zero-loss", minutes: 8 },
    Step { verb: "show rollback", minutes: 5 },
    Step { verb: "show drain", minutes: 5 },
    Step { verb: "show dead-man", minutes: 6 },
    Step { verb: "show flow", minutes: 8 },
    Step { verb: "fuzz", minutes: 6 },
    Step { verb: "differential", minutes: 6 },
    Step { verb: "show first-request", minutes: 4 },
    Step { verb: "show bad-input", minutes: 5 },
    Step { verb: "show kill controller", minutes: 6 },
    Step { verb: "show kill instance", minutes: 5 },
    Step { verb: "show kill proxy", minutes: 4 },
    Step { verb: "show kill shim", minutes: 4 },
    Step { verb: "show loadtest", minutes: 3 },
    Step { verb: "show examples", minutes: 6 },
];

/// The longest that the whole may take on two cores, from a fresh clone.
const MOST: Duration = Duration::from_secs(35 * 60);

/// Every `show` verb may take this long.
const SHOW_MINUTES: u64 = 90;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Passed,
    Failed,
    Skipped,
}

/// The README's test command.
pub fn test(run: &mut Run) -> Result<(), Stop> {
    let begin = Instant::now();
    steps(run, STEPS)?;
    if begin.elapsed() > MOST {
        return fail(format!("it took {} minutes, and may take 35", begin.elapsed().as_secs() / 60));
    }
    Ok(())
}

/// Every `show` verb of the table.
pub fn show_all(run: &mut Run) -> Result<(), Stop> {
    let alone = |v: &&Verb| v.words.is_empty() || v.words.starts_with('[');
    let shows = VERBS.iter().filter(|v| v.name.starts_with("show ") && v.name != "show all").filter(alone);
    let all: Vec<Step> = shows.map(|v| Step { verb: v.name, minutes: SHOW_MINUTES }).collect();
    if all.is_empty() {
        return fail("the table of verbs has nothing to show");
    }
    steps(run, &all)
}

/// Runs all steps, prints the line of each, and closes with the plain count.
fn steps(run: &mut Run, steps: &[Step]) -> Result<(), Stop> {
    let (mut passed, mut failed, mut skipped) = (0u64, Vec::new(), 0u64);
    for step in steps {
        match one(run, *step)? {
            Ended::Passed => passed += 1,
            Ended::Failed => failed.push(step.verb),
            Ended::Skipped => skipped += 1,
        }
    }
    run.fact("passed", passed);
    run.fact("failed", failed.len());
    run.fact("skipped", skipped);
    run.last_line(format!("{passed} passed, {} failed, {skipped} skipped", failed.len()));
    match (failed.is_empty(), skipped) {
        (false, _) => fail(format!("failed: {}", failed.join(", "))),
        (true, 1..) if is_ci() => fail("nothing may be skipped in CI"),
        (true, _) => Ok(()),
    }
}

/// Runs one step, with what it prints passed on; its closing line says how it ended.
fn one(run: &mut Run, step: Step) -> Result<Ended, Stop> {
    run.say(format!("{} (at most {} minutes)", step.verb, step.minutes));
    let begin = Instant::now();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(step.verb.split(' ')).arg(if run.is_long() { "--long" } else { "--quick" });
    command.args(["--seed", &run.seed().to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = run.start(&mut command)?;
    let out = process.child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut last = String::new();
        for line in out.into_iter().flat_map(|o| BufReader::new(o).lines()).map_while(Result::ok) {
            println!("{line}");
            last = line;
        }
        last
    });
    let status = process.wait(Duration::from_secs(step.minutes * 60))?;
    if status.is_none() {
        process.end()?;
    }
    // The thread ends with the pipe; had it panicked, there would be no closing line.
    let last = reader.join().unwrap_or_default();
    let label = step.verb.replace(' ', "-");
    println!("  {label} took {:.1} s with its build", begin.elapsed().as_secs_f64());
    let ended = match status {
        None => {
            println!("{label} FAIL why=\"it did not end within {} minutes\"", step.minutes);
            Ended::Failed
        }
        Some(status) if status.success() && last.starts_with(&format!("{label} PASS ")) => Ended::Passed,
        Some(_) if last.starts_with(&format!("{label} SKIP ")) => Ended::Skipped,
        Some(_) => Ended::Failed,
    };
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_a_verb() {
        for step in STEPS {
            assert!(VERBS.iter().any(|v| v.name == step.verb), "{} is no verb", step.verb);
            assert!(step.verb != "test", "it would run itself");
        }
    }
}
