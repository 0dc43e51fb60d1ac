//! Limits for an instance: what the machine can hold is held, what it cannot is refused before anything starts.
//!
//! With a delegated cgroup v2 every limit holds for the instance as a whole. Without one, resource limits of the
//! process (setrlimit(2)) can express two of them; a limit that would not really hold is refused, never dropped.

mod cgroup;

use std::fmt;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::process::{Resource, Rlimit, getrlimit};
use serde::{Deserialize, Serialize};

pub use cgroup::Cgroups;

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Processor time, in thousandths of one processor: 1500 is one and a half.
    pub cpu_millis: Option<u32>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// Open files, for each process.
    pub open_files: Option<u64>,
}

/// How the limits are held on this machine: what a shim is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resolved {
    /// `RLIMIT_NOFILE`.
    pub open_files: Option<u64>,
    /// `RLIMIT_DATA`, in bytes.
    pub data_bytes: Option<u64>,
    /// The instance's cgroup.
    pub cgroup: Option<Group>,
    /// What a person should know about how they are held.
    pub notes: Vec<String>,
}

/// A cgroup v2 of an instance's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its directory; the shim makes it.
    pub dir: PathBuf,
    /// What is written into which of its files.
    pub files: Vec<(String, String)>,
}

/// A limit that would not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the limit {limit} cannot be held on this machine: {why}; {instead}")]
pub struct Refusal {
    /// Which one.
    pub limit: Limit,
    /// Why not.
    pub why: String,
    /// What to do.
    pub instead: String,
}

/// The limits by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::memory_bytes`].
    Memory,
    /// [`Limits::cpu_millis`].
    Cpu,
    /// [`Limits::pids`].
    Pids,
    /// [`Limits::open_files`].
    OpenFiles,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Pids => "pids",
            Self::OpenFiles => "open files",
        })
    }
}

/// Decides how `limits` are held for the instance named `id`.
///
/// # Errors
/// The first limit that would not hold, why, and what to do.
pub fn resolve(limits: &Limits, id: &str, cgroups: &Cgroups) -> Result<Resolved, Refusal> {
    let mut resolved = Resolved { open_files: open_files(limits)?, ..Resolved::default() };
    let mut files = Vec::new();
    if let Some(bytes) = limits.memory_bytes {
        match cgroups.offers("memory") {
            Ok(()) => {
                files.push(("memory.max".to_owned(), bytes.to_string()));
                // All of it or nothing: half a program is worse than a restart.
                files.push(("memory.oom.group".to_owned(), "1".to_owned()));
            }
            Err(why) => {
                resolved.data_bytes = Some(bytes);
                resolved.notes.push(format!(
                    "memory is limited for each process by itself (RLIMIT_DATA), not for the instance as a whole: {why}"
                ));
            }
        }
    }
    if let Some(millis) = limits.cpu_millis {
        cgroups.offers("cpu").map_err(|why| refused(Limit::Cpu, &why))?;
        // Microseconds in every 100 ms; cgroup-v2.rst, cpu.max. The kernel takes no less than 1 ms.
        files.push(("cpu.max".to_owned(), format!("{} 100000", u64::from(millis.max(10)) * 100)));
    }
    if let Some(pids) = limits.pids {
        cgroups.offers("pids").map_err(|why| refused(Limit::Pids, &why))?;
        files.push(("pids.max".to_owned(), pids.to_string()));
    }
    if let Some(dir) = cgroups.group(id).filter(|_| !files.is_empty()) {
        resolved.cgroup = Some(Group { dir, files });
    }
    Ok(resolved)
}

fn refused(limit: Limit, why: &str) -> Refusal {
    let beside = match limit {
        Limit::Cpu => "no limit of a process is a share of a processor (RLIMIT_CPU ends it after a total of seconds)",
        Limit::Pids => "RLIMIT_NPROC counts all processes of a user, other instances' too, and none of root's",
        Limit::Memory | Limit::OpenFiles => "the process's own limit does not reach so far",
    };
    Refusal {
        limit,
        why: format!("{why}, and {beside}"),
        instead: "on a machine with cgroup v2 start the controller in a group of its own (systemd: a unit with \
                  Delegate=yes, or `systemd-run --scope -p Delegate=yes serin serve`), or remove the limit"
            .into(),
    }
}

fn open_files(limits: &Limits) -> Result<Option<u64>, Refusal> {
    let Some(wanted) = limits.open_files else { return Ok(None) };
    let hard = getrlimit(Resource::Nofile).maximum;
    match hard {
        Some(hard) if wanted > hard && !rustix::process::geteuid().is_root() => Err(Refusal {
            limit: Limit::OpenFiles,
            why: format!("{wanted} is above the hard limit of {hard}, which only root may raise"),
            instead: format!("ask for at most {hard}, or raise it (systemd: LimitNOFILE=)"),
        }),
        Some(_) | None => Ok(Some(wanted)),
    }
}

impl Resolved {
    pub(crate) fn as_rlimits(&self) -> Vec<(Resource, Rlimit)> {
        let both = |value| Rlimit { current: Some(value), maximum: Some(value) };
        let files = self.open_files.map(|files| (Resource::Nofile, both(files)));
        let data = self.data_bytes.map(|bytes| (Resource::Data, both(bytes)));
        files.into_iter().chain(data).collect()
    }

    /// Makes the cgroup; gives the file through which the program enters it.
    pub(crate) fn enter_cgroup(&self) -> Result<Option<OwnedFd>, String> {
        self.cgroup.as_ref().map(cgroup::make).transpose()
    }

    /// Removes the cgroup once nothing is left in it.
    pub(crate) fn leave_cgroup(&self) {
        if let Some(group) = &self.cgroup {
            // It stays where something still is in it, and is used again or removed by the next.
            drop(std::fs::remove_dir(&group.dir));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without() -> Cgroups {
        Cgroups::Unavailable { why: "this machine has cgroup v1".into() }
    }

    #[test]
    fn what_cannot_be_held_is_refused_in_a_sentence() {
        let cpu = Limits { cpu_millis: Some(500), ..Limits::default() };
        let said = resolve(&cpu, "a", &without()).unwrap_err().to_string();
        assert!(said.starts_with("the limit cpu cannot be held on this machine: this machine has cgroup v1"), "{said}");
        assert!(said.contains("Delegate=yes"), "{said}");
        let pids = Limits { pids: Some(50), ..Limits::default() };
        let said = resolve(&pids, "a", &without()).unwrap_err().to_string();
        assert!(said.contains("limit pids") && said.contains("RLIMIT_NPROC"), "{said}");
    }

    #[test]
    fn without_cgroups_two_limits_are_the_processs_own() {
        let limits = Limits { memory_bytes: Some(1 << 20), open_files: Some(64), ..Limits::default() };
        let resolved = resolve(&limits, "a", &without()).unwrap();
        assert_eq!((resolved.data_bytes, resolved.open_files, &resolved.cgroup), (Some(1 << 20), Some(64), &None));
        assert!(resolved.notes[0].contains("each process by itself"), "{:?}", resolved.notes);
        assert_eq!(resolved.as_rlimits().len(), 2);
        assert_eq!(resolve(&Limits::default(), "a", &without()).unwrap(), Resolved::default());
    }

    #[test]
    fn with_cgroups_all_hold_for_the_instance() {
        let cgroups = Cgroups::Delegated {
            dir: "/cg/serin".into(),
            controllers: ["cpu", "memory", "pids"].map(str::to_owned).to_vec(),
        };
        let limits = Limits { memory_bytes: Some(1000), cpu_millis: Some(1500), pids: Some(7), open_files: Some(64) };
        let resolved = resolve(&limits, "web-1", &cgroups).unwrap();
        let group = resolved.cgroup.unwrap();
        assert_eq!(group.dir, PathBuf::from("/cg/serin/instance-web-1"));
        let files: Vec<String> = group.files.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(files, ["memory.max=1000", "memory.oom.group=1", "cpu.max=150000 100000", "pids.max=7"]);
        assert_eq!((resolved.data_bytes, resolved.notes.len()), (None, 0));
    }
}
