//! A second process that ends what the first one started, when the first is gone: after Ctrl-C, a kill or a crash.
//!
//! It reads lines from a pipe, `+ID`, `-ID`, `@DIRECTORY`, `*DIRECTORY` and `!DIRECTORY`. When the pipe ends, the writer is gone, and
//! each process group that is still on the list is ended, then each shim below the directories, which leaves every group,
//! and each cluster. An id is followed by the process's start time, so that no stranger is hit.

use crate::cluster;
use crate::process::send;
use crate::stage::shims;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

/// The word that makes this program a guard instead.
pub const WORD: &str = "__guard";
const GRACE: Duration = Duration::from_secs(2);

/// The writing end, and the guard behind it.
#[derive(Debug)]
pub struct Guard {
    pipe: Option<Box<dyn Pipe>>,
    child: Option<Child>,
}

trait Pipe: Write + Send + std::fmt::Debug {}
impl<T: Write + Send + std::fmt::Debug> Pipe for T {}

impl Guard {
    /// Starts a guard, in a process group of its own so that a Ctrl-C does not hit it too.
    pub fn start() -> io::Result<Guard> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(WORD).stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        let mut child = command.spawn()?;
        let pipe = child.stdin.take().ok_or(io::Error::other("the guard has no pipe"))?;
        Ok(Guard { pipe: Some(Box::new(pipe)), child: Some(child) })
    }

    /// A guard on a thread, for tests of the list and of the ending.
    #[cfg(test)]
    pub fn on_thread() -> io::Result<Guard> {
        let (reader, writer) = io::pipe()?;
        std::thread::spawn(move || end_all(&list(reader)));
        Ok(Guard { pipe: Some(Box::new(writer)), child: None })
    }

    /// Puts a process group on the list.
    pub fn watch(&mut self, id: u32) -> io::Result<()> {
        let since = start_time(id).unwrap_or_default();
        self.write(&format!("+{id} {since}\n"))
    }

    /// Takes it off again: it has ended.
    pub fn forget(&mut self, id: u32) -> io::Result<()> {
        self.write(&format!("-{id}\n"))
    }

    /// Shims below this directory are ended too.
    pub fn watch_shims(&mut self, directory: &Path) -> io::Result<()> {
        self.write(&format!("@{}\n", directory.display()))
    }

    /// The cluster in this directory is ended too.
    pub fn watch_cluster(&mut self, directory: &Path) -> io::Result<()> {
        self.write(&format!("*{}\n", directory.display()))
    }

    /// The cluster in this directory is ended by nobody: it is to outlive this program.
    pub fn forget_cluster(&mut self, directory: &Path) -> io::Result<()> {
        self.write(&format!("!{}\n", directory.display()))
    }

    /// Closes the pipe, which ends everything that is still on the list.
    #[cfg(test)]
    pub fn close(&mut self) {
        self.pipe = None;
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        match &mut self.pipe {
            Some(pipe) => pipe.write_all(line.as_bytes()),
            None => Ok(()),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.pipe = None;
        if let Some(mut child) = self.child.take() {
            // It ends by itself now that its pipe has ended; this only collects it.
            let _ = child.wait();
        }
    }
}

/// What the guard does: reads to the end, then ends what is left.
pub fn watch() -> ExitCode {
    end_all(&list(io::stdin()));
    ExitCode::SUCCESS
}

/// What is on the list when the pipe ends.
#[derive(Debug, Default, PartialEq, Eq)]
struct Left {
    /// Groups with their start times.
    groups: Vec<(u32, u64)>,
    /// Directories of shims.
    directories: Vec<PathBuf>,
    /// Directories of clusters.
    clusters: Vec<PathBuf>,
}

fn list(pipe: impl Read) -> Left {
    let Left { groups: mut left, mut directories, mut clusters } = Left::default();
    for line in BufReader::new(pipe).lines().map_while(Result::ok) {
        if let Some(directory) = line.strip_prefix('@') {
            directories.push(PathBuf::from(directory));
            continue;
        }
        if let Some(directory) = line.strip_prefix('*') {
            clusters.push(PathBuf::from(directory));
            continue;
        }
        if let Some(directory) = line.strip_prefix('!') {
            clusters.retain(|other| other != Path::new(directory));
            continue;
        }
        let mut parts = line[1..].split(' ');
        let Some(id) = parts.next().and_then(|p| p.parse().ok()) else { continue };
        left.retain(|(other, _)| *other != id);
        if line.starts_with('+') {
            left.push((id, parts.next().and_then(|p| p.parse().ok()).unwrap_or_default()));
        }
    }
    Left { groups: left, directories, clusters }
}

fn end_all(left: &Left) {
    let alive = |(id, since): &&(u32, u64)| start_time(*id) == Some(*since);
    for (signal, pause) in [("TERM", GRACE), ("KILL", Duration::ZERO)] {
        let there: Vec<_> = left.groups.iter().filter(alive).collect();
        for (id, _) in &there {
            // It may end at this very moment.
            let _ = send(signal, &format!("-{id}"));
        }
        if !there.is_empty() {
            std::thread::sleep(pause);
        }
    }
    left.directories.iter().for_each(|directory| shims::kill(directory));
    left.clusters.iter().for_each(|directory| cluster::end_of(directory));
}

/// When a process started, in the kernel's ticks (proc(5), field 22 of stat); `None` when there is no such process.
fn start_time(id: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_off_is_not_on_the_list() {
        let left = list(&b"+1 10\n+2 20\n-1\n@/a b\n+3 30\n*/c\n*/d e\n!/d e\n+2 21\nx\n"[..]);
        let (directories, clusters) = (vec![PathBuf::from("/a b")], vec![PathBuf::from("/c")]);
        assert_eq!(left, Left { groups: vec![(3, 30), (2, 21)], directories, clusters });
    }

    #[test]
    fn a_start_time_is_the_kernels() {
        assert!(start_time(std::process::id()) > Some(0));
        assert_eq!(start_time(u32::MAX), None);
    }
}
