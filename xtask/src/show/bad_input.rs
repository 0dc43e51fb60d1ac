//! `show bad-input`: what people and machines get wrong. Every message says what is wrong, where, and what to do; the
//! exit code is the documented one; and what served goes on serving.

mod disk;
mod releases;
mod specs;
mod start;
mod state;

use crate::run::{Run, Stop, fail};
use crate::stage::spec::Spec;
use crate::stage::{Asked, Said, Tools};
use std::time::{Duration, Instant};

/// What could not be shown, and how much was.
#[derive(Debug, Default)]
pub struct Found {
    cases: u64,
    wrong: Vec<String>,
    requests: u64,
    lost: u64,
}

impl Found {
    /// Takes the outcome of one case in.
    fn case(&mut self, name: &str, outcome: Result<(), Stop>) -> Result<(), Stop> {
        self.cases += 1;
        match outcome {
            Ok(()) => eprintln!("show-bad-input: {name}: ok"),
            Err(Stop::Fail(why)) => {
                eprintln!("show-bad-input: {name}: {why}");
                self.wrong.push(name.to_owned());
            }
            Err(stop @ (Stop::Skip(_) | Stop::Usage(_))) => return Err(stop),
        }
        Ok(())
    }
}

/// All groups, each on services of its own.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    let tools = Tools::build(run)?;
    let mut found = Found::default();
    let specs = specs::all(run, &tools, &mut found)?;
    start::all(run, &tools, &mut found)?;
    state::all(run, &tools, &mut found)?;
    releases::all(run, &tools, &mut found)?;
    let full = disk::all(run, &tools, &mut found)?;
    run.fact("specs", specs);
    run.fact("cases", found.cases);
    run.fact("wrong", found.wrong.len());
    run.fact("disk_full", if full { "shown" } else { "needs-root" });
    run.fact("requests", found.requests);
    run.fact("lost", found.lost);
    match (found.wrong.as_slice(), found.lost) {
        ([], 0) => Ok(()),
        ([], lost) => fail(format!("{lost} requests were lost")),
        (wrong, _) => fail(format!("not as it should be: {}", wrong.join(", "))),
    }
}

/// A service of one instance whose releases fail within two seconds where they have to.
fn service(tools: &Tools, name: &str) -> Spec {
    super::kill::fast(tools, name, 1, "1").with_release(&["healthy_deadline: 2s", "progress_deadline: 10s"])
}

/// Whether a text holds all words.
fn says(whose: &str, text: &str, words: &[&str]) -> Result<(), Stop> {
    let missing: Vec<&&str> = words.iter().filter(|word| !text.contains(**word)).collect();
    if missing.is_empty() { Ok(()) } else { fail(format!("{whose} does not say {missing:?}: {text}")) }
}

/// Whether a command ended with this code, and said this on standard error.
fn refuses(said: &Said, code: i32, words: &[&str]) -> Result<(), Stop> {
    if said.code != Some(code) {
        return fail(format!("it ended with {:?} and not {code}: {}{}", said.code, said.out, said.err));
    }
    says("it", &said.err, words)
}

/// Waits until a command that goes on has said this, on either stream; it is ended with its handle.
fn comes_to_say(asked: &mut Asked, words: &[&str]) -> Result<(), Stop> {
    let begin = Instant::now();
    loop {
        let ended = asked.look(Duration::from_millis(50))?.is_some();
        let text = asked.so_far()?;
        let whole = says("it", &text, words);
        if whole.is_ok() {
            return Ok(());
        }
        if ended || begin.elapsed() > Duration::from_secs(20) {
            return whole;
        }
    }
}

/// `command` as a user who owns nothing here; `None` where this process may not become one.
fn as_nobody(command: &std::process::Command) -> Option<std::process::Command> {
    if !crate::parts::debian::is_root().unwrap_or(false) {
        return None;
    }
    let setpriv = crate::parts::debian::find("setpriv")?;
    let mut nobody = std::process::Command::new(setpriv);
    nobody.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(command.get_program());
    nobody.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => nobody.env(name, value),
            None => nobody.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        nobody.current_dir(directory);
    }
    Some(nobody)
}
