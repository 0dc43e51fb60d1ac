//! `tidy`: formatting, lints, and the walls that the compiler cannot hold.

mod manifests;
mod source;
mod walls;

use crate::run::{Run, Stop, fail};
use std::path::{Path, PathBuf};

/// Where our own sources are.
const PLACES: [&str; 4] = ["crates", "e2e", "xtask", "fuzz"];

/// Looks at everything, says all that is wrong, and only then fails.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    let files = files(run.root(), "rs")?;
    let manifests = files_named(run.root(), "Cargo.toml")?;
    let mut wrong = Vec::new();
    for path in &files {
        let text = std::fs::read_to_string(run.root().join(path))?;
        wrong.extend(source::check(path, &text));
        wrong.extend(walls::check(path, &text));
    }
    for path in &manifests {
        wrong.extend(manifests::check(path, &std::fs::read_to_string(run.root().join(path))?));
    }
    for line in &wrong {
        eprintln!("{line}");
    }
    run.fact("files", files.len());
    run.fact("walls", wrong.len());
    run.say("cargo fmt --check");
    let formatted = run.must(run.cargo("fmt").args(["--all", "--check"]));
    run.say("cargo clippy");
    let linted =
        run.must(run.cargo("clippy").args(["--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]));
    run.fact("fmt", if formatted.is_ok() { "ok" } else { "bad" });
    run.fact("clippy", if linted.is_ok() { "ok" } else { "bad" });
    formatted?;
    linted?;
    if wrong.is_empty() { Ok(()) } else { fail(format!("{} places are not as they should be: see above", wrong.len())) }
}

/// Our files with this ending, relative to `root`, in order.
fn files(root: &Path, ending: &str) -> Result<Vec<PathBuf>, Stop> {
    walk(root, &|path| path.extension().is_some_and(|e| e == ending))
}

fn files_named(root: &Path, name: &str) -> Result<Vec<PathBuf>, Stop> {
    walk(root, &|path| path.file_name().is_some_and(|n| n == name))
}

fn walk(root: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>, Stop> {
    let mut found = Vec::new();
    let mut left: Vec<PathBuf> = PLACES.iter().map(|p| root.join(p)).filter(|p| p.exists()).collect();
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(&directory)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            if path.is_dir() {
                if name != "target" && name != "node_modules" {
                    left.push(path);
                }
            } else if wanted(&path) {
                found.push(path.strip_prefix(root).unwrap_or(&path).to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}
