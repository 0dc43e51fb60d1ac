//! What a stage's service wrote down, held against the simulated world before the stage ends.

use super::Stage;
use crate::run::{Stop, fail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What all stages of a run were found to have written down.
#[derive(Debug, Clone, Default)]
pub struct Traced {
    lines: Arc<AtomicU64>,
    violations: Arc<AtomicU64>,
}

impl Traced {
    /// Lines of decision logs that were gone through.
    pub fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    /// What the monitors found.
    pub fn violations(&self) -> u64 {
        self.violations.load(Ordering::Relaxed)
    }
}

/// What a service writes down, below its state directory; each may have an older part beside it. The decisions come last:
/// whatever they led to is in the others then.
const JOURNALS: [&str; 3] = ["proxy/facts.jsonl", "instances.jsonl", "decisions.jsonl"];

/// While the service goes on, what is copied may not fit together; then it is copied again.
const TRIES: u32 = 50;

impl Stage {
    /// Runs the monitors over what the service has written down so far.
    ///
    /// # Errors
    /// What they found, or that nothing was written down.
    pub fn trace(&self) -> Result<(), Stop> {
        let copy = self.place().join("traced");
        let mut tries = 1;
        while !copy_all(&self.state(), &copy.join(&self.service))? {
            tries += 1;
            if tries > TRIES {
                return fail("the service writes down more than can be copied");
            }
        }
        let mut command = Command::new(&self.tools.sim);
        command.arg("trace").arg(&copy).stdin(Stdio::null()).stderr(Stdio::inherit());
        let out = command.output()?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let line = text.lines().last().unwrap_or_default();
        let number = |key: &str| {
            let word = line.split(' ').find_map(|word| word.strip_prefix(&format!("{key}=")))?;
            word.parse::<u64>().ok()
        };
        self.traced.lines.fetch_add(number("lines").unwrap_or(0), Ordering::Relaxed);
        self.traced.violations.fetch_add(number("violations").unwrap_or(1), Ordering::Relaxed);
        self.say(line);
        if out.status.success() { Ok(()) } else { fail(format!("{}: {line}", self.label)) }
    }
}

/// Copies all journals. `false`: something was written meanwhile.
fn copy_all(state: &Path, to: &Path) -> Result<bool, Stop> {
    let parts = || JOURNALS.iter().flat_map(|name| [format!("{name}.1"), (*name).to_owned()]);
    let length = |name: &String| std::fs::metadata(state.join(name)).map_or(0, |known| known.len());
    let before: Vec<u64> = parts().map(|name| length(&name)).collect();
    for name in parts() {
        let target: PathBuf = to.join(&name);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        if state.join(&name).exists() {
            std::fs::copy(state.join(&name), target)?;
        }
    }
    Ok(before == parts().map(|name| length(&name)).collect::<Vec<_>>())
}
