//! Programs from Go modules that are pinned here by a `go.mod` and a `go.sum`.
//!
//! What was built is kept in `.cache/`, which survives `cargo clean`, under the hash of those two files: another pin,
//! another directory.

use super::debian;
use crate::process::ask;
use crate::run::{Run, Stop, fail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// One program of a pinned module.
#[derive(Debug, Clone, Copy)]
pub struct Program<'a> {
    /// The directory of the module, from the root of the repository.
    pub module: &'a str,
    /// The package in it, or in a module that it requires.
    pub package: &'a str,
    /// The name of the program that is made.
    pub name: &'a str,
    /// What the linker sets: `-X name=value …`; empty where there is nothing to set.
    pub set: &'a str,
    /// Our own files in the module, beside its pins, that the program is made of.
    pub sources: &'a [&'a str],
}

/// The program, static, built where it is not there yet. Not counted.
///
/// # Errors
/// [`Stop::Skip`] without Go; a failure when the build fails.
pub fn build(run: &mut Run, program: &Program<'_>) -> Result<PathBuf, Stop> {
    run.uncounted(|run| {
        let module = run.root().join(program.module);
        let label = module.file_name().unwrap_or_default().to_owned();
        let directory = run.root().join(".cache").join(label).join(lock(&module, program.sources)?);
        let place = directory.join(program.name);
        if place.exists() {
            return Ok(place);
        }
        if debian::find("go").is_none() {
            return Err(Stop::Skip(format!("this builds {} and needs Go, 1.26 or newer", program.name)));
        }
        std::fs::create_dir_all(&directory)?;
        // Built beside its place and renamed, so that a build cut short leaves nothing that looks whole.
        let unfinished = directory.join(format!(".{}.{}", program.name, std::process::id()));
        run.say(format!("go build {}", program.name));
        let mut go = Command::new("go");
        go.current_dir(&module).args(["build", "-trimpath", "-ldflags"]).arg(format!("-s -w {}", program.set));
        go.arg("-o").arg(&unfinished).arg(program.package).env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=readonly");
        let begin = std::time::Instant::now();
        run.must(&mut go)?;
        run.say(format!("go build {} took {:.0} s", program.name, begin.elapsed().as_secs_f64()));
        std::fs::rename(&unfinished, &place)?;
        Ok(place)
    })
}

/// The version of a module that is required by the module in `directory`, and where its files are.
///
/// # Errors
/// When it is not required, or cannot be had.
pub fn required(run: &Run, directory: &str, module: &str) -> Result<(String, PathBuf), Stop> {
    let go = |words: &[&str]| {
        let mut go = Command::new("go");
        go.current_dir(run.root().join(directory)).env("GOFLAGS", "-mod=readonly").args(words).arg(module);
        ask(&mut go)
    };
    // Where nothing was built yet its files are not there, and a list says nothing of where they are.
    go(&["mod", "download"])?;
    let said = go(&["list", "-m", "-f", "{{.Version}} {{.Dir}}"])?;
    match said.trim().split_once(' ') {
        Some((version, place)) => Ok((version.to_owned(), PathBuf::from(place))),
        None => fail(format!("{directory} does not require the Go module {module}: {said}")),
    }
}

/// The hash of what pins the module and of our own sources, as a directory's name.
fn lock(module: &Path, sources: &[&str]) -> Result<String, Stop> {
    let mut all = Vec::new();
    for file in ["go.mod", "go.sum"].iter().chain(sources) {
        all.extend(std::fs::read(module.join(file))?);
    }
    Ok(format!("{:016x}", hash(&all)))
}

/// FNV-1a, 64 bit: for names that only have to differ when what they stand for does.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_pin_or_another_source_is_another_directory() {
        let place = std::env::temp_dir().join(format!("serin-lock-{}", std::process::id()));
        std::fs::create_dir_all(&place).expect("made");
        for (file, text) in [("go.mod", "module a"), ("go.sum", "b"), ("main.go", "package main")] {
            std::fs::write(place.join(file), text).expect("written");
        }
        let first = lock(&place, &["main.go"]).expect("read");
        assert_eq!(first, lock(&place, &["main.go"]).expect("read"));
        assert_ne!(first, lock(&place, &[]).expect("read"));
        std::fs::write(place.join("go.sum"), "c").expect("written");
        assert_ne!(first, lock(&place, &["main.go"]).expect("read"));
        std::fs::remove_dir_all(&place).expect("removed");
        assert!(lock(&place, &[]).is_err());
    }
}
