//! The keeper: one small process above each command, which leaves nothing of it behind.
//!
//! It leads a session and is a child subreaper, so that whatever the command starts stays its descendant. Its standard input
//! is one end of a socket, of which the load tester holds the other end: first comes the order, a line of JSON; then a `T`
//! for "end it"; and the end of the stream says that the load tester is gone, whatever killed it. When the command has ended,
//! everything that it left is killed, and only then the keeper says how it ended, a line of JSON, and ends. The program itself
//! dies with the keeper (`PDEATHSIG`).
//!
//! Standard output and standard error are the command's; the keeper has nothing of its own to say there.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, wait};
use serde::{Deserialize, Serialize};
use serin_supervisor::Exit;
use serin_supervisor::process::Table;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};

/// What makes this program the one that becomes the command.
const BECOME: &str = "become";
/// What tells the keeper to end the command.
pub(crate) const END: u8 = b'T';
/// After this what should be dead is killed and looked for again; doubling up to a second.
const KILL_AGAIN: Duration = Duration::from_millis(10);
const KILL_AGAIN_DOUBLINGS: u32 = 7;

/// The first line that a keeper is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    /// The program, as a path, and its arguments.
    pub(crate) argv: Vec<String>,
    /// Milliseconds from the wish that it ends to its being killed.
    pub(crate) grace_ms: u64,
}

/// Keeps one command; to be called by the hidden verb whose words are [`crate::Settings::keeper`], before any descriptor is
/// opened. `words` are those after
/// them: none at the first call.
#[must_use]
pub fn main(words: &[OsString]) -> ExitCode {
    // What whoever started the load tester left open in it is no business of a command.
    serin_supervisor::shim::close_inherited();
    if let [stage, parent, argv @ ..] = words
        && stage == BECOME
    {
        return become_program(parent, argv);
    }
    match Keeper::begin() {
        Ok(keeper) => keeper.run(),
        Err(why) => {
            say(&why);
            ExitCode::FAILURE
        }
    }
}

/// Into the command's output, which its owner reads; nobody is left to tell when that fails.
fn say(why: &str) {
    drop(writeln!(std::io::stderr(), "serin loadtest: {why}"));
}

/// Between fork and exec nothing may be done here that the compiler cannot check, so this is a program of its own.
fn become_program(parent: &OsString, argv: &[OsString]) -> ExitCode {
    let Some((program, arguments)) = argv.split_first() else { return ExitCode::FAILURE };
    let keeper = parent.to_str().and_then(|text| text.parse().ok()).and_then(Pid::from_raw);
    let bound = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    if bound.is_err() || keeper.is_none() || rustix::process::getppid() != keeper {
        return ExitCode::FAILURE;
    }
    let error = Command::new(program).args(arguments).exec();
    say(&format!("{} could not be started: {error}", program.to_string_lossy()));
    ExitCode::from(127)
}

struct Keeper {
    control: UnixStream,
    signals: UnixStream,
    program: Child,
    grace: Duration,
    /// How the program itself ended.
    ended: Option<Exit>,
    /// The load tester is gone.
    alone: bool,
    /// When what was told to end is killed.
    deadline: Option<Instant>,
    /// How often everything was killed, and when it is next.
    kills: u32,
    next_kill: Instant,
}

impl Keeper {
    fn begin() -> Result<Self, String> {
        let failed = |what: &str, e: std::io::Error| format!("{what}: {e}");
        // Whoever started it by hand leads a group already, and stays in the session.
        let _ = rustix::process::setsid();
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|e| failed("the kernel refused the keeper as a child subreaper", e.into()))?;
        let control = std::io::stdin().as_fd().try_clone_to_owned().map_err(|e| failed("no standard input", e))?;
        let control = UnixStream::from(control);
        let signals = signals().map_err(|e| failed("no signal handlers", e))?;
        let mut line = String::new();
        BufReader::new(&control).read_line(&mut line).map_err(|e| failed("standard input is no socket", e))?;
        let told: Told = serde_json::from_str(&line).map_err(|e| format!("that is no order: {e}"))?;
        control.set_nonblocking(true).map_err(|e| failed("the socket cannot be used", e))?;
        let program = Command::new("/proc/self/exe")
            .args(std::env::args_os().skip(1))
            .arg(BECOME)
            .arg(std::process::id().to_string())
            .args(&told.argv)
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|e| failed("no process could be made", e))?;
        let_go_of_output();
        let grace = Duration::from_millis(told.grace_ms);
        let next_kill = Instant::now();
        Ok(Self { control, signals, program, grace, ended: None, alone: false, deadline: None, kills: 0, next_kill })
    }

    fn run(mut self) -> ExitCode {
        loop {
            self.hear();
            if self.reap() {
                break;
            }
            self.kill_what_is_due();
            self.wait();
        }
        // Without a load tester nobody wants to know.
        if let Some(exit) = &self.ended
            && let Ok(line) = serde_json::to_string(exit)
        {
            drop(self.control.set_nonblocking(false));
            drop(writeln!(self.control, "{line}"));
        }
        ExitCode::SUCCESS
    }

    /// Takes what the load tester and the kernel say.
    fn hear(&mut self) {
        let mut bytes = [0; 64];
        while matches!(self.signals.read(&mut bytes), Ok(read) if read > 0) {}
        while !self.alone {
            match self.control.read(&mut bytes) {
                Ok(0) => self.alone = true,
                Ok(read) if bytes[..read].contains(&END) => self.end(),
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.alone = true,
            }
        }
    }

    /// Asks the program's group to end. Its leader is our child, so that its number is nobody else's until it was reaped.
    fn end(&mut self) {
        if self.deadline.is_some() || self.ended.is_some() {
            return;
        }
        self.deadline = Some(Instant::now() + self.grace);
        if let Some(group) = i32::try_from(self.program.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::TERM);
            // What is suspended would not hear it.
            let _ = kill_process_group(group, Signal::CONT);
        }
    }

    /// Takes ended children, orphans too; whether none is left.
    fn reap(&mut self) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    if u32::try_from(pid.as_raw_nonzero().get()).is_ok_and(|pid| pid == self.program.id()) {
                        self.ended = Some(exit_of(status));
                    }
                }
                Ok(None) => return false,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return true,
            }
        }
    }

    fn must_kill(&self) -> bool {
        self.alone || self.ended.is_some() || self.deadline.is_some_and(|at| at <= Instant::now())
    }

    fn kill_what_is_due(&mut self) {
        if !self.must_kill() || self.next_kill > Instant::now() {
            return;
        }
        self.kills = self.kills.saturating_add(1);
        self.next_kill = Instant::now() + KILL_AGAIN * 2_u32.pow(self.kills.min(KILL_AGAIN_DOUBLINGS) - 1);
        kill_members(std::process::id());
    }

    fn wait(&self) {
        let until = if self.must_kill() { Some(self.next_kill) } else { self.deadline };
        let timeout = until.map(|at| {
            // A millisecond more than none, so that what is due now is due then.
            let left = at.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() }
        });
        let signals = PollFd::new(&self.signals, PollFlags::IN);
        // A stream that has ended is ready for ever.
        let result = if self.alone {
            poll(&mut [signals], timeout.as_ref())
        } else {
            poll(&mut [signals, PollFd::new(&self.control, PollFlags::IN)], timeout.as_ref())
        };
        // Interrupted is woken; anything else would come again at once, and must not be a busy loop.
        if !matches!(result, Ok(_) | Err(rustix::io::Errno::INTR)) {
            std::thread::sleep(KILL_AGAIN);
        }
    }
}

/// Kills everything in this keeper's session and below it, but not itself.
pub(crate) fn kill_members(keeper: u32) {
    let Ok(keeper) = i32::try_from(keeper) else { return };
    // Without /proc no program could have been started.
    for member in Table::read().map(|table| table.members(keeper)).unwrap_or_default() {
        drop(member.id().signal(Signal::KILL));
    }
}

/// Handlers, not masks: exec puts handled signals back to their defaults. Those that people send end the command by way of
/// the load tester; the keeper outlives them.
fn signals() -> std::io::Result<UnixStream> {
    let (reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    for signal in [SIGCHLD, SIGTERM, SIGINT, SIGHUP] {
        signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
    }
    Ok(reader)
}

/// The output ends with the command's processes, and not with the keeper.
fn let_go_of_output() {
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(null.as_fd());
        let _ = rustix::stdio::dup2_stderr(null.as_fd());
    }
}

fn exit_of(status: WaitStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Status(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Status(-1),
    }
}
