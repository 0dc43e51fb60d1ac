//! Shims that are left below a directory. They are nobody's children and leave every process group, so they are found
//! by their command line, `… shim DIR`; what runs under one ends with it.

use crate::process::send;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A killed process is gone within milliseconds.
const GONE: Duration = Duration::from_secs(10);

/// The living shims of instances (and proxies) below `directory`, by process id, with their directories.
pub fn below(directory: &Path) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| Some((id, of(id).filter(|place| place.starts_with(directory))?))).collect()
}

/// The directory of the shim that has this process id, if that is one.
fn of(id: u32) -> Option<PathBuf> {
    let line = std::fs::read(format!("/proc/{id}/cmdline")).ok()?;
    let words: Vec<&str> = line.split(|byte| *byte == 0).map(|word| std::str::from_utf8(word).unwrap_or("")).collect();
    match words.as_slice() {
        [_, "shim", place, ..] => Some(PathBuf::from(place)),
        _ => None,
    }
}

/// Kills those that are left, and waits until they are gone.
pub fn kill(directory: &Path) {
    let begin = Instant::now();
    loop {
        let left = below(directory);
        if left.is_empty() {
            return;
        }
        if begin.elapsed() > GONE {
            eprintln!("xtask: shims below {} do not die: {left:?}", directory.display());
            return;
        }
        for (id, _) in left {
            // It may end at this very moment.
            let _ = send("KILL", &id.to_string());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
