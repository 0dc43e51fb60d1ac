//! What some files may not name: the second key knows no phase and no plan, and the decision knows no strategy.

use super::source::has_word;
use std::path::Path;

/// What `permit` may not name: it judges a write by what is there, whoever asks for it.
const PERMIT: [&str; 3] = ["Phase", "Status", "Plan"];

/// What `decide` may not name: every preset is compiled to targets before.
const STRATEGIES: [&str; 17] = [
    "weights",
    "blue_green",
    "BlueGreen",
    "canary_kept",
    "CanaryKept",
    "fly",
    "Fly",
    "rolling",
    "Rolling",
    "flagger",
    "Flagger",
    "singularity",
    "Singularity",
    "banno",
    "Banno",
    "Preset",
    "Strategy",
];

/// Crates that must stay without std.
const NO_STD: [&str; 2] = ["crates/rollout/src/lib.rs", "crates/analysis/src/lib.rs"];

/// What is wrong with a file, one line each.
pub fn check(path: &Path, text: &str) -> Vec<String> {
    let name = path.to_string_lossy().replace('\\', "/");
    let mut wrong = Vec::new();
    if NO_STD.contains(&name.as_str()) && !text.lines().any(|l| l.trim() == "#![no_std]") {
        wrong.push(format!("{name}: this crate is `#![no_std]`"));
    }
    if name.ends_with("rollout/src/permit.rs") || name.contains("rollout/src/permit/") {
        wrong.extend(named(&name, text, &PERMIT, "permit knows sizes, readiness and splits only"));
    }
    if name.ends_with("rollout/src/decide.rs") || name.contains("rollout/src/decide/") {
        wrong.extend(named(&name, text, &STRATEGIES, "decide names no strategy; compile it to targets in the plan"));
    }
    wrong
}

/// The lines of code, comments apart, that hold one of `words`.
fn named(name: &str, text: &str, words: &[&str], why: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.split("//").next().unwrap_or_default();
        for word in words.iter().filter(|w| has_word(code, w)) {
            wrong.push(format!("{name}:{number}: {word}: {why}"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wall_can_be_broken() {
        let count = |path: &str, text: &str| check(Path::new(path), text).len();
        assert_eq!(count("crates/rollout/src/permit.rs", "use crate::{Plan, Limits};\n"), 1);
        assert_eq!(count("crates/rollout/src/permit/route.rs", "fn f(s: &Status) {}\n"), 1);
        assert_eq!(count("crates/rollout/src/decide.rs", "match x { BlueGreen => 1 }\n"), 1);
        assert_eq!(count("crates/rollout/src/decide/mover.rs", "if plan.blue_green {}\n"), 1);
        assert_eq!(count("crates/analysis/src/lib.rs", "//! No.\n"), 1);
    }

    #[test]
    fn what_is_allowed_is_not_found() {
        let count = |path: &str, text: &str| check(Path::new(path), text).len();
        assert_eq!(count("crates/rollout/src/permit.rs", "// No Plan is known here.\nfn f(l: &Limits) {}\n"), 0);
        assert_eq!(count("crates/rollout/src/decide.rs", "Split::Weighted(w)\n"), 0);
        assert_eq!(count("crates/rollout/src/plan.rs", "Preset::BlueGreen\n"), 0);
        assert_eq!(count("crates/rollout/src/lib.rs", "//! Doc.\n#![no_std]\n"), 0);
    }
}
