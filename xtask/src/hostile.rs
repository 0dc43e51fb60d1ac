//! `fuzz` and `differential`: hostile input for the proxy's parser.

use crate::parts::debian::find;
use crate::run::{Run, Stop, fail};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

/// So many mutated inputs for each target, from the run's seed. Both sides of the parser must be seen.
pub fn fuzz(run: &mut Run) -> Result<(), Stop> {
    run.build(&["--release", "--package", "serin-fuzz"])?;
    let runs: u64 = if run.is_long() { 100_000_000 } else { 3_000_000 };
    run.fact("runs", runs);
    for target in ["request", "response", "chunks"] {
        run.say(format!("{target}: {runs} inputs"));
        let text = output(&mut program(run, target, runs))?;
        let accepted = number(&text, "accepted")?;
        if accepted + number(&text, "refused")? != runs || accepted == 0 || accepted == runs {
            return fail(format!("{target} did not see both sides of the parser: {text}"));
        }
        run.fact(&format!("{target}_accepted"), accepted);
    }
    Ok(())
}

/// What the proxy would send for mutated requests, given to Node's parser.
pub fn differential(run: &mut Run) -> Result<(), Stop> {
    let node = find("node").ok_or(Stop::Skip("this asks Node's HTTP parser and needs node, 18 or newer".to_owned()))?;
    run.build(&["--release", "--package", "serin-fuzz"])?;
    control(run, &node)?;
    let runs: u64 = if run.is_long() { 3_000_000 } else { 300_000 };
    let messages = run.scratch().join("messages");
    run.say(format!("{runs} requests"));
    run.must_into(&mut program(run, "dump", runs), &messages)?;
    let text = asked(run, &node, &messages)?;
    let (same, refused, wrong) = (number(&text, "same")?, number(&text, "refused")?, number(&text, "wrong")?);
    run.fact("same", same);
    run.fact("refused", refused);
    run.fact("wrong", wrong);
    if wrong > 0 {
        eprint!("{text}");
        return fail("another parser understands something else than what was sent: see above");
    }
    if same * 10 < runs || refused * 5 > same {
        return fail(format!("of {runs} requests too few were sent on and understood: {text}"));
    }
    Ok(())
}

/// Two messages that are said to be one must be noticed; otherwise the comparison cannot fail.
fn control(run: &Run, node: &Path) -> Result<(), Stop> {
    let hex = |text: &str| -> String { text.bytes().map(|b| format!("{b:02x}")).collect() };
    let two = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    let file = run.scratch().join("control");
    std::fs::write(&file, format!("whole {} {} {} {}\n", hex("GET"), hex("/"), "", hex(two)))?;
    let text = asked(run, node, &file)?;
    if number(&text, "wrong")? == 1 { Ok(()) } else { fail(format!("two messages were taken for one: {text}")) }
}

fn program(run: &Run, target: &str, runs: u64) -> Command {
    let mut command = Command::new(run.built("serin-fuzz", true));
    command.arg(target).arg(runs.to_string()).arg(run.seed().to_string());
    command
}

/// What Node says of the messages in `file`; it ends with 1 when something differs, which the counts say too.
fn asked(run: &Run, node: &Path, file: &Path) -> Result<String, Stop> {
    let mut command = Command::new(node);
    command.arg(run.root().join("fuzz/llhttp.js")).stdin(Stdio::from(File::open(file)?));
    let output = command.stderr(Stdio::inherit()).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn output(command: &mut Command) -> Result<String, Stop> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(text) } else { fail(text) }
}

/// The count after `name=`.
fn number(text: &str, name: &str) -> Result<u64, Stop> {
    let word = text.split_whitespace().find_map(|w| w.strip_prefix(name)?.strip_prefix('='));
    let count = word.and_then(|w| w.parse().ok());
    count.ok_or(Stop::Fail(format!("there is no {name} in {text:?}")))
}
