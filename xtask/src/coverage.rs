//! `coverage`: every piece of code of the two keys is executed by the checker and the simulator, or is listed with the
//! reason why nothing can. The unit tests of the core do not count: they call it with what no world leads to.
//!
//! Compiled with `-C instrument-coverage`, a program counts and leaves its counters in a file when it ends. They are read
//! here, because the toolchain brings no reader along.

mod bytes;
mod elf;
mod listed;
mod mapping;
mod md5;
mod profile;

use crate::process::Process;
use crate::run::{Run, Stop, fail};
use listed::{Judged, Piece};
use mapping::{Counts, Mapping, Region};
use profile::Counters;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// The modules whose every region counts, with their submodules.
const MODULES: [&str; 4] = ["permit", "decide", "capacity", "split"];
const SOURCES: &str = "crates/rollout/src";
const LIST: &str = "crates/sim/unreached.txt";
/// What the compiler is told beside. Names of files are left readable.
const FLAGS: &str = "-C instrument-coverage -C llvm-args=-enable-name-compression=false";
/// The crate that is told so. The checker itself is not: it is twice as fast then, and no mutant is counted, because the
/// mutants' copies of the core's functions are made where the mutants are.
const CRATE: &str = "serin_rollout";
/// What the program is linked with: the part of the compiler's runtime that writes the counters when it ends.
const WRITES: &str = "-C link-arg=-Wl,-u,__llvm_profile_runtime";
/// One process on each core that CI has: a counter is no atomic number.
const PROCESSES: usize = 2;
/// The longest that they may take.
const MOST: Duration = Duration::from_secs(20 * 60);

/// Builds the checker with counters, runs it, and judges what nothing executed by the list.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    let target = run.root().join("target/coverage");
    let program = build(run, &target)?;
    let counters = count(run, &program)?;
    let bytes = std::fs::read(&program)?;
    let files = files(run.root())?;
    let chosen = |file: &str| files.contains_key(file);
    let mapping = Mapping::of(&bytes, run.root()).map_err(|why| named(&program, &why))?;
    let counts = mapping.counts(&counters, &chosen).map_err(|why| named(&program, &why))?;
    if let Some(file) = files.keys().find(|file| counts.keys().all(|region| region.file != **file)) {
        return fail(format!("{file} has no region at all: was it compiled?"));
    }
    let list = std::fs::read_to_string(run.root().join(LIST))?;
    let entries = listed::parse(&list).map_err(|why| Stop::Fail(format!("{LIST}: {why}")))?;
    let judged = listed::judge(pieces(&counts, &files), &entries);
    report(run, &counts, &judged, files.len())
}

fn named(program: &Path, why: &str) -> Stop {
    Stop::Fail(format!("{}: {why}", program.display()))
}

/// Builds with counters, in a target directory of its own; not counted.
fn build(run: &mut Run, target: &Path) -> Result<PathBuf, Stop> {
    let case = |name: &str, flags: &str| format!("*\"--crate-name {name} \"*) exec \"$@\" {flags} ;;");
    let (counts, writes) = (case(CRATE, FLAGS), case("reach", WRITES));
    let script = format!("#!/bin/sh\ncase \"$*\" in\n{counts}\n{writes}\nesac\nexec \"$@\"\n");
    // Cargo knows a wrapper by its path alone, so other flags need another path to be heard of.
    let wrapper = target.join(format!("rustc-{:016x}", md5::low(script.as_bytes())));
    std::fs::create_dir_all(target)?;
    std::fs::write(&wrapper, script)?;
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755))?;
    run.uncounted(|run| {
        run.say(format!("cargo build --package serin-sim, with counters in {CRATE}"));
        let mut cargo = run.cargo("build");
        cargo.args(["--package", "serin-sim", "--bin", "reach", "--quiet"]);
        cargo.env("CARGO_TARGET_DIR", target).env("RUSTC_WORKSPACE_WRAPPER", wrapper);
        run.must(&mut cargo)
    })?;
    Ok(target.join("debug/reach"))
}

/// Runs it, in parts at once, and adds up what the parts counted.
fn count(run: &mut Run, program: &Path) -> Result<Counters, Stop> {
    let seeds = if run.is_long() { 50_000 } else { 5_000 };
    let mut parts: Vec<(Process, PathBuf)> = vec![];
    for part in 0..PROCESSES {
        let file = run.scratch().join(format!("part-{part}.profraw"));
        let mut command = std::process::Command::new(program);
        command.args([part, PROCESSES, seeds].map(|number| number.to_string())).arg(run.seed().to_string());
        command.env("LLVM_PROFILE_FILE", &file).stdin(Stdio::null()).stdout(Stdio::null());
        parts.push((run.start(&mut command)?, file));
    }
    let mut counters = Counters::default();
    for (mut process, file) in parts {
        match process.wait(MOST)? {
            Some(status) if status.success() => {}
            Some(status) => return fail(format!("the checker ended with {status}: see above")),
            None => return fail(format!("the checker did not end within {} minutes", MOST.as_secs() / 60)),
        }
        let left = std::fs::read(&file).map_err(|e| named(&file, &format!("the program left no counters: {e}")))?;
        counters.add(&left).map_err(|why| named(&file, &why))?;
    }
    run.fact("seeds", seeds);
    Ok(counters)
}

/// The chosen files with their sources; their names as the compiler was given them.
fn files(root: &Path) -> Result<BTreeMap<String, String>, Stop> {
    let mut names: Vec<String> = vec![];
    for module in MODULES {
        names.push(format!("{SOURCES}/{module}.rs"));
        let directory = root.join(SOURCES).join(module);
        if directory.is_dir() {
            for entry in std::fs::read_dir(directory)? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                if name != "tests.rs" {
                    names.push(format!("{SOURCES}/{module}/{name}"));
                }
            }
        }
    }
    names.into_iter().map(|name| Ok((name.clone(), std::fs::read_to_string(root.join(name))?))).collect()
}

/// Every region with its text.
fn pieces(counts: &Counts, files: &BTreeMap<String, String>) -> Vec<(Region, Piece, u64)> {
    let with_source = counts.iter().filter_map(|(region, count)| Some((region, files.get(&region.file)?, *count)));
    with_source.map(|(region, source, count)| (region.clone(), Piece::of(region, source), count)).collect()
}

fn report(run: &mut Run, counts: &Counts, judged: &Judged, files: usize) -> Result<(), Stop> {
    for (region, piece) in &judged.uncovered {
        let ((line, column), (last, end)) = (region.from, region.to);
        run.say(format!(
            "never executed: {}:{line}:{column}-{last}:{end}\n    {}\n    {}",
            region.file, piece.line, piece.text
        ));
    }
    for piece in &judged.wrong {
        run.say(format!("listed, but executed or not there: {}\n    {}\n    {}", piece.file, piece.line, piece.text));
    }
    let covered = counts.values().filter(|count| **count > 0).count();
    run.fact("regions", counts.len());
    run.fact("covered", covered);
    run.fact("listed", judged.listed);
    run.fact("uncovered", judged.uncovered.len());
    run.fact("files", files);
    if covered == 0 {
        return fail("nothing was executed");
    }
    match (judged.uncovered.len(), judged.wrong.len()) {
        (0, 0) => Ok(()),
        (0, wrong) => fail(format!("{wrong} entries of {LIST} are executed or do not exist: take them out")),
        (more, _) => fail(format!(
            "{more} regions are never executed: let a world reach them, delete them, or add them to {LIST} with a reason"
        )),
    }
}
