//! The shim: one small process per instance that keeps a program and needs nobody.
//!
//! It has one thread and one loop. It is the leader of a session and a child subreaper, so that everything the program
//! ever starts stays its descendant; it holds the directory's lock for its whole life. The program dies with it
//! (`PDEATHSIG`). It never listens to anybody but the directory: a controller writes `stop.json` and wakes it with
//! `SIGUSR1`. `SIGTERM` is an order to stop in the program's own way; other signals that end a process are ignored.
//!
//! It never decides whether the program is ready, and never opens a connection.

mod backoff;
mod exec;
pub(crate) mod launch;
mod output;
mod run;
mod sockets;

pub use exec::close_inherited;

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::io::fcntl_dupfd_cloexec;

use crate::lock;
use crate::program::Program;
use crate::state::{Ending, Exit};

/// How the creator asks for which part of the start: see [`main`].
pub(crate) const STAGE_VARIABLE: &str = "SERIN_SHIM_STAGE";
/// Start the real shim, which then is nobody's child, and end.
pub(crate) const STAGE_DETACH: &str = "detach";
/// Be the shim, and tell on standard output how it went: `ok`, or a sentence.
pub(crate) const STAGE_TELL: &str = "tell";

/// The program ended for good, or was stopped, and `exit.json` says how.
pub const EXIT_ENDED: u8 = 0;
/// The directory or its `program.json` cannot be used.
pub const EXIT_UNUSABLE: u8 = 1;
/// Another shim holds the directory's lock.
pub const EXIT_LOCKED: u8 = 3;
/// A listening socket could not be bound; `exit.json` says why.
pub const EXIT_SOCKETS: u8 = 4;
/// The instance has ended before; an instance is started once.
pub const EXIT_OVER: u8 = 5;

/// Why a shim did not come to run its program.
#[derive(Debug)]
struct Refusal {
    code: u8,
    sentence: String,
}

impl Refusal {
    fn new(code: u8, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into() }
    }
}

/// Runs the shim for the instance in `dir`; returns when the instance has ended.
///
/// To be called first in `main`, before any thread and any descriptor: inherited descriptors are closed. The creator
/// starts it twice: once to detach (it starts itself again and ends at once), once for good.
pub fn main(dir: &Path) -> ExitCode {
    exec::close_inherited();
    let stage = std::env::var(STAGE_VARIABLE).unwrap_or_default();
    if stage == STAGE_DETACH {
        return detach();
    }
    let tells = stage == STAGE_TELL;
    let code = match prepare(dir).and_then(run::Shim::new) {
        Ok(shim) => {
            if tells {
                tell("ok");
                let_go_of_stdout();
            }
            shim.run().err()
        }
        Err(refusal) => Some(refusal),
    };
    match code {
        None => ExitCode::from(EXIT_ENDED),
        Some(refusal) => {
            if tells {
                tell(&format!("{} {}", refusal.code, refusal.sentence.replace('\n', " ")));
            }
            complain(dir, &refusal.sentence);
            ExitCode::from(refusal.code)
        }
    }
}

/// The creator waits for this process, and nobody for the next: so no zombie of the controller's is left.
fn detach() -> ExitCode {
    let again = Command::new("/proc/self/exe")
        .arg0(std::env::args_os().next().unwrap_or_else(|| "serin".into()))
        .args(std::env::args_os().skip(1))
        .env(STAGE_VARIABLE, STAGE_TELL)
        .stdin(Stdio::null())
        .spawn();
    match again {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("{EXIT_UNUSABLE} the shim could not be started: {error}"));
            ExitCode::from(EXIT_UNUSABLE)
        }
    }
}

/// Unlike `println!`, it outlives a creator that is gone.
fn tell(line: &str) {
    let mut out = std::io::stdout();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

/// Unlike `eprintln!`, it outlives a full disk.
fn complain(dir: &Path, sentence: &str) {
    drop(writeln!(std::io::stderr(), "serin shim {}: {sentence}", dir.display()));
}

/// The creator reads until the end: it is told, and the pipe is nobody's afterwards.
fn let_go_of_stdout() {
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(null.as_fd());
    }
}

/// A shim that holds its lock and its sockets.
struct Ready {
    dir: PathBuf,
    program: Program,
    /// Held, never looked at.
    _lock: lock::Held,
    sockets: sockets::Sockets,
}

fn prepare(dir: &Path) -> Result<Ready, Refusal> {
    let unusable = |sentence: String| Refusal::new(EXIT_UNUSABLE, sentence);
    let dir =
        dir.canonicalize().map_err(|e| unusable(format!("the directory {} cannot be used: {e}", dir.display())))?;
    // The leader of a process group cannot lead a new session: then a person started it in a shell, and it stays.
    let _ = rustix::process::setsid();
    drop(std::env::set_current_dir("/"));
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|error| unusable(format!("the kernel refused the shim as a child subreaper: {error}")))?;
    let held = lock::take(&dir)
        .map_err(|error| unusable(format!("the lock of {} cannot be taken: {error}", dir.display())))?
        .ok_or_else(|| {
            Refusal::new(EXIT_LOCKED, format!("another shim already runs the instance in {}", dir.display()))
        })?;
    if dir.join("exit.json").exists() {
        let sentence = format!("the instance in {} has ended before; remove it and create another", dir.display());
        return Err(Refusal::new(EXIT_OVER, sentence));
    }
    let program = read_program(&dir).map_err(unusable)?;
    let held = out_of_the_way(held, &program).map_err(unusable)?;
    let sockets = sockets::Sockets::bind(&program.sockets).map_err(|sentence| {
        end_without_start(&dir, &sentence);
        Refusal::new(EXIT_SOCKETS, sentence)
    })?;
    Ok(Ready { dir, program, _lock: held, sockets })
}

fn read_program(dir: &Path) -> Result<Program, String> {
    let path = dir.join("program.json");
    let text = std::fs::read(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{} is not a program: {error}", path.display()))
}

/// Moves the lock's descriptor above the places of the sockets.
fn out_of_the_way(held: lock::Held, program: &Program) -> Result<lock::Held, String> {
    let count: i32 = program.sockets.iter().map(|socket| i32::from(socket.count.max(1))).sum();
    let file = fcntl_dupfd_cloexec(&held.file, sockets::FIRST + count)
        .map_err(|error| format!("{count} sockets are too many for the limit on open files: {error}"))?;
    Ok(lock::Held { file: file.into() })
}

fn end_without_start(dir: &Path, sentence: &str) {
    let ending = Ending {
        exit: Some(Exit::NotStarted(sentence.to_owned())),
        stopped: false,
        killed: false,
        restarts: 0,
        at_ms: now_ms(),
        dropped_lines: 0,
        error: Some(sentence.to_owned()),
    };
    if let Ok(text) = serde_json::to_vec(&ending)
        && let Err(error) = crate::durable::replace(&dir.join("exit.json"), &text)
    {
        complain(dir, &format!("exit.json cannot be written: {error}"));
    }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
