//! Processes that end with the run that started them: on return, on a panic, and when xtask itself is killed.

use crate::guard::Guard;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a process has after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// Starts processes. Each is the head of a process group of its own, so that its children end with it, unless they
/// leave the group (a daemon does: whoever starts one ends it by its own command).
#[derive(Debug, Clone)]
pub struct Processes {
    guard: Arc<Mutex<Guard>>,
}

impl Processes {
    /// With a guard that was started before.
    pub fn with(guard: Guard) -> Processes {
        Processes { guard: Arc::new(Mutex::new(guard)) }
    }

    /// Starts `command`. Its standard input is empty unless the command says otherwise before.
    pub fn start(&self, command: &mut Command) -> io::Result<Process> {
        let child = command.process_group(0).spawn()?;
        let process = Process { child, guard: Arc::clone(&self.guard), ended: None };
        process.guard().watch(process.id())?;
        Ok(process)
    }

    /// Shims below `directory`, which leave every process group, end with this run too.
    pub fn watch_shims(&self, directory: &Path) -> io::Result<()> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner).watch_shims(directory)
    }

    /// The cluster in `directory`, which is in namespaces of its own, ends with this run too.
    pub fn watch_cluster(&self, directory: &Path) -> io::Result<()> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner).watch_cluster(directory)
    }

    /// The cluster in `directory` is to outlive this run.
    pub fn forget_cluster(&self, directory: &Path) -> io::Result<()> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner).forget_cluster(directory)
    }
}

/// A process; it ends when this is dropped.
#[derive(Debug)]
pub struct Process {
    /// The process, for its pipes.
    pub child: Child,
    guard: Arc<Mutex<Guard>>,
    ended: Option<ExitStatus>,
}

impl Process {
    fn guard(&self) -> std::sync::MutexGuard<'_, Guard> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its process id, which is its group's too.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> io::Result<bool> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended.is_none())
    }

    /// Waits for it to end by itself, so long at most; `None` when it still runs.
    pub fn wait(&mut self, most: Duration) -> io::Result<Option<ExitStatus>> {
        let begin = Instant::now();
        while self.is_running()? && begin.elapsed() < most {
            std::thread::sleep(Duration::from_millis(10));
        }
        if self.ended.is_some() {
            self.guard().forget(self.id())?;
        }
        Ok(self.ended)
    }

    /// Sends it alone a signal (`TERM`, `KILL`, `STOP` …), not its children.
    pub fn signal(&mut self, signal: &str) -> io::Result<()> {
        // Without this the id could be another process's by now.
        if !self.is_running()? {
            return Err(io::Error::other("it has ended already"));
        }
        send(signal, &self.id().to_string())
    }

    /// Ends it and its group: SIGTERM, and SIGKILL for what is left after five seconds.
    pub fn end(&mut self) -> io::Result<ExitStatus> {
        let group = format!("-{}", self.id());
        if let Some(status) = self.ended {
            return Ok(status);
        }
        if self.is_running()? {
            send("TERM", &group)?;
        }
        let status = match self.wait(GRACE)? {
            Some(status) => status,
            None => {
                send("KILL", &group)?;
                self.child.wait()?
            }
        };
        self.ended = Some(status);
        self.guard().forget(self.id())?;
        Ok(status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(e) = self.end() {
            eprintln!("xtask: process {} could not be ended: {e}", self.id());
        }
    }
}

/// Sends a signal by id, through the shell's own `kill`: std has none, and every machine has a shell.
pub fn send(signal: &str, to: &str) -> io::Result<()> {
    let mut command = Command::new("sh");
    command.args(["-c", "kill -s \"$1\" -- \"$2\"", "sh", signal, to]);
    let status = command.stdin(Stdio::null()).stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("kill -s {signal} -- {to}: {status}"))) }
}

/// Runs a command to its end and returns what it printed.
///
/// # Errors
/// A sentence with the command and what it said on standard error, when it did not succeed.
pub fn ask(command: &mut Command) -> io::Result<String> {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let spoken = command.get_args().fold(program, |line, word| format!("{line} {}", word.to_string_lossy()));
    let output = command.output().map_err(|e| io::Error::new(e.kind(), format!("{spoken}: {e}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{spoken}: {}: {}", output.status, why.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};

    /// A shell with a child of its own, whose id it prints.
    fn family(guard: Guard) -> (Process, u32) {
        let processes = Processes::with(guard);
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & echo $!; wait"]).stdout(Stdio::piped());
        let mut process = processes.start(&mut command).expect("started");
        let mut line = String::new();
        BufReader::new(process.child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        (process, line.trim().parse().expect("an id"))
    }

    fn gone(id: u32) -> bool {
        let begin = Instant::now();
        loop {
            // A zombie has ended: in a container without an init nobody may collect it.
            match std::fs::read_to_string(format!("/proc/{id}/stat")) {
                Err(_) => return true,
                Ok(stat) if stat.contains(") Z ") => return true,
                Ok(_) if begin.elapsed() > Duration::from_secs(20) => return false,
                Ok(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn here() -> Guard {
        Guard::on_thread().expect("a pipe")
    }

    #[test]
    fn a_dropped_process_takes_its_children_with_it() {
        let (process, child) = family(here());
        let id = process.id();
        assert!(std::path::Path::new(&format!("/proc/{child}")).exists());
        drop(process);
        assert!(gone(id) && gone(child));
    }

    #[test]
    fn the_guard_ends_what_is_left_when_its_pipe_closes() {
        let (process, child) = family(here());
        process.guard().close();
        assert!(gone(child));
        assert!(gone(process.id()));
    }

    #[test]
    fn a_signal_goes_to_one_process() {
        let (mut process, child) = family(here());
        process.signal("STOP").expect("it runs");
        assert!(std::path::Path::new(&format!("/proc/{child}")).exists());
        process.signal("CONT").expect("it runs");
        process.signal("KILL").expect("it runs");
        assert!(process.wait(Duration::from_secs(20)).expect("waited").is_some());
        assert!(process.signal("TERM").is_err(), "it has ended");
        send("KILL", &child.to_string()).expect("its child is left, and ended here");
    }
}
