//! `list`: what can be asked for.

use crate::run::{Run, Stop};
use crate::verbs::VERBS;

/// The table of verbs, and what they all have in common.
pub fn table() -> String {
    let mut out = String::from("usage: cargo xtask VERB [--quick|--long] [--seed N] [--keep]\n\n");
    for verb in VERBS {
        let name = format!("{} {}", verb.name, verb.words);
        out.push_str(&format!("  {:<26} {}\n", name.trim_end(), verb.about));
    }
    out.push_str(
        "\nEvery verb closes with one line, NAME PASS|FAIL|SKIP key=value … secs=…, and writes it to target/xtask/.",
    );
    out
}

/// Prints the table.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    println!("{}", table());
    run.fact("verbs", VERBS.len());
    Ok(())
}
