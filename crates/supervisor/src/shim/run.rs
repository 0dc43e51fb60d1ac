//! The shim's one loop: wait for output, signals and deadlines; keep the program; stop it when told.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, wait};
use signal_hook::consts::{SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use super::backoff::Waits;
use super::output::Output;
use super::{EXIT_UNUSABLE, Ready, Refusal, now_ms};
use crate::durable::Slate;
use crate::logs::Stream;
use crate::process::{ProcessId, Table};
use crate::program::{Program, Restart};
use crate::state::{Ending, Exit, Phase, State, StopOrder};

/// After this what should be dead is killed and looked for again; doubling, as a process that waits for a broken
/// device does not die at all.
const KILL_AGAIN: Duration = Duration::from_millis(10);
const KILL_AGAIN_DOUBLINGS: u32 = 7;
/// How often a file that could not be written is tried again.
const WRITE_AGAIN: Duration = Duration::from_secs(1);
/// Longer sentences would not fit in the reserved file.
const LONGEST_ERROR: usize = 1500;

/// What the shim does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The program runs.
    Running { program: ProcessId, since: Instant },
    /// The program has ended; what it left behind is killed before anything else.
    Clearing { then: Then },
    /// The program is started again at this moment.
    Waiting { until: Instant },
    /// Everything was told to stop; at the deadline it is killed.
    Stopping { program: Option<ProcessId>, deadline: Instant, signal: i32, told_rest: bool },
    /// Nothing is left.
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    StartAt(Instant),
    End,
}

/// What wakes the loop beside output and deadlines.
struct Wakes {
    signals: UnixStream,
    term: Arc<AtomicBool>,
}

impl Wakes {
    /// Handlers, not masks: exec puts handled signals back to their defaults, so that the program sees nothing of it.
    fn new() -> std::io::Result<Self> {
        let (signals, writer) = UnixStream::pair()?;
        signals.set_nonblocking(true)?;
        let term = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGTERM, Arc::clone(&term))?;
        for signal in [SIGCHLD, SIGUSR1, SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR2, SIGALRM] {
            signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
        }
        Ok(Self { signals, term })
    }
}

/// One end of each pipe for us, one for every program that is started.
struct Pipes {
    stdout: (OwnedFd, OwnedFd),
    stderr: (OwnedFd, OwnedFd),
}

impl Pipes {
    fn new() -> std::io::Result<Self> {
        let make = || -> std::io::Result<(OwnedFd, OwnedFd)> {
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
            rustix::io::ioctl_fionbio(&reader, true)?;
            Ok((reader, writer))
        };
        Ok(Self { stdout: make()?, stderr: make()? })
    }
}

/// A running shim.
pub(super) struct Shim {
    ready: Ready,
    mode: Mode,
    state: State,
    slate: Slate,
    last_words: Slate,
    /// Room for an order, which must get through to us on a full disk too.
    orders: Slate,
    /// The state has changed since it was written; tried again from this moment on.
    unwritten: Option<Instant>,
    output: Output,
    wakes: Wakes,
    pipes: Pipes,
    waits: Waits,
    stopped: bool,
    killed: bool,
    /// How often in a row everything was killed.
    kills: u32,
}

impl Shim {
    pub(super) fn new(ready: Ready) -> Result<Self, Refusal> {
        let dir = ready.dir.clone();
        let fail = |what: &str, error: std::io::Error| {
            Refusal::new(EXIT_UNUSABLE, format!("{what} in {}: {error}", dir.display()))
        };
        let me = i32::try_from(std::process::id()).ok().and_then(ProcessId::of);
        let me = me.ok_or_else(|| Refusal::new(EXIT_UNUSABLE, "/proc is not mounted; the shim needs it"))?;
        let sockets = ready.sockets.bound.clone();
        let mut shim = Self {
            mode: Mode::Waiting { until: Instant::now() },
            state: State {
                shim: me,
                phase: Phase::BackingOff { until_ms: now_ms() },
                since_ms: now_ms(),
                restarts: 0,
                last_exit: None,
                error: None,
                sockets,
                dropped_lines: 0,
                dropped_bytes: 0,
            },
            slate: Slate::reserve(dir.join("state.json")).map_err(|e| fail("no room for state.json", e))?,
            last_words: Slate::reserve(dir.join("exit.json")).map_err(|e| fail("no room for exit.json", e))?,
            orders: Slate::reserve(dir.join("stop.json")).map_err(|e| fail("no room for stop.json", e))?,
            unwritten: Some(Instant::now()),
            output: Output::new(dir.join("log"), ready.program.log),
            wakes: Wakes::new().map_err(|e| fail("no signal handlers", e))?,
            pipes: Pipes::new().map_err(|e| fail("no pipes for the output", e))?,
            waits: Waits::new(ready.program.backoff),
            stopped: false,
            killed: false,
            kills: 0,
            ready,
        };
        shim.write_state();
        Ok(shim)
    }

    /// Keeps the program until it has ended for good.
    pub(super) fn run(mut self) -> Result<(), Refusal> {
        let mut started = false;
        while self.mode != Mode::Ended {
            self.obey();
            self.reap();
            self.advance(&mut started);
            self.write_state();
            if self.mode != Mode::Ended {
                self.wait();
                self.read_output();
            }
        }
        self.end()
    }

    fn program(&self) -> &Program {
        &self.ready.program
    }

    fn path(&self, name: &str) -> PathBuf {
        self.ready.dir.join(name)
    }

    /// Takes the orders that have come.
    fn obey(&mut self) {
        let mut bytes = [0; 256];
        while matches!(self.wakes.signals.read(&mut bytes), Ok(read) if read > 0) {}
        if self.wakes.term.swap(false, Ordering::Relaxed) {
            let stop = self.program().stop;
            self.stop(StopOrder { signal: stop.signal, timeout_ms: stop.timeout_ms });
        }
        if let Ok(text) = std::fs::read(self.path("stop.json")) {
            let order = serde_json::from_slice(&text).unwrap_or_else(|error| {
                self.say(format!("stop.json is no order ({error}); stopping in the program's own way"));
                let stop = self.program().stop;
                StopOrder { signal: stop.signal, timeout_ms: stop.timeout_ms }
            });
            // Read once: the deadline counts from here. A file that cannot be removed is read again, and then only
            // a nearer deadline would change anything.
            drop(self.orders.take_down());
            self.stop(order);
        }
    }

    fn stop(&mut self, order: StopOrder) {
        self.stopped = true;
        let wanted = Instant::now() + Duration::from_millis(order.timeout_ms.min(u64::from(u32::MAX)));
        match self.mode {
            Mode::Running { program, .. } => {
                self.output.remark(&format!("stopping by signal {}", order.signal));
                self.mode =
                    Mode::Stopping { program: Some(program), deadline: wanted, signal: order.signal, told_rest: false };
                self.signal_group(program, order.signal);
                self.enter_stopping();
            }
            Mode::Stopping { program, deadline, signal, told_rest } => {
                if order.signal != signal
                    && let Some(program) = program
                {
                    self.signal_group(program, order.signal);
                }
                self.mode = Mode::Stopping { program, deadline: deadline.min(wanted), signal: order.signal, told_rest };
                self.enter_stopping();
            }
            Mode::Clearing { .. } => self.mode = Mode::Clearing { then: Then::End },
            Mode::Waiting { .. } => self.mode = Mode::Ended,
            Mode::Ended => {}
        }
    }

    fn enter_stopping(&mut self) {
        let Mode::Stopping { program, deadline, .. } = self.mode else { return };
        let deadline_ms = now_ms().saturating_add(millis(deadline.saturating_duration_since(Instant::now())));
        self.enter(Phase::Stopping { program, deadline_ms });
    }

    /// The group's leader is our child and not yet reaped, so its number is nobody else's.
    fn signal_group(&mut self, program: ProcessId, signal: i32) {
        let (Some(group), Some(signal)) = (Pid::from_raw(program.pid), Signal::from_named_raw(signal)) else {
            self.say(format!("there is no signal {signal}; the program is killed at the deadline"));
            return;
        };
        let _ = kill_process_group(group, signal);
        // A program that is suspended would not hear it.
        let _ = kill_process_group(group, Signal::CONT);
    }

    /// Takes the ended children: the program, and orphans that came to us as the subreaper.
    fn reap(&mut self) {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => self.reaped(pid.as_raw_nonzero().get(), status),
                Ok(None) => return,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => {
                    self.nothing_left();
                    return;
                }
            }
        }
    }

    fn reaped(&mut self, pid: i32, status: WaitStatus) {
        match self.mode {
            Mode::Running { program, since } if program.pid == pid => self.ended(exit_of(status), since.elapsed()),
            Mode::Stopping { program: Some(program), deadline, signal, told_rest } if program.pid == pid => {
                self.state.last_exit = Some(exit_of(status));
                self.mode = Mode::Stopping { program: None, deadline, signal, told_rest };
                self.enter_stopping();
            }
            Mode::Running { .. }
            | Mode::Stopping { .. }
            | Mode::Clearing { .. }
            | Mode::Waiting { .. }
            | Mode::Ended => {}
        }
    }

    /// No child is left: then no descendant is.
    fn nothing_left(&mut self) {
        match self.mode {
            Mode::Stopping { .. } | Mode::Clearing { then: Then::End } => self.mode = Mode::Ended,
            Mode::Clearing { then: Then::StartAt(until) } => self.mode = Mode::Waiting { until },
            Mode::Running { .. } | Mode::Waiting { .. } | Mode::Ended => {}
        }
    }

    /// The program ended by itself, or could not be started.
    fn ended(&mut self, exit: Exit, ran: Duration) {
        self.read_output();
        let again = match self.program().restart {
            Restart::Always => true,
            Restart::OnFailure => !exit.is_success(),
            Restart::Never => false,
        };
        self.output.remark(&format!("the program {exit}"));
        self.say(match &exit {
            Exit::NotStarted(why) => why.clone(),
            Exit::Status(_) | Exit::Signal(_) => format!("the program {exit}"),
        });
        self.state.last_exit = Some(exit);
        if again {
            let wait = self.waits.after(ran);
            self.mode = Mode::Clearing { then: Then::StartAt(Instant::now() + wait) };
            self.enter(Phase::BackingOff { until_ms: now_ms().saturating_add(millis(wait)) });
        } else {
            self.mode = Mode::Clearing { then: Then::End };
            self.enter(Phase::BackingOff { until_ms: now_ms() });
        }
        self.kill_all();
    }

    /// Does what is due.
    fn advance(&mut self, started: &mut bool) {
        match self.mode {
            Mode::Waiting { until } if until <= Instant::now() => {
                if std::mem::replace(started, true) {
                    self.state.restarts = self.state.restarts.saturating_add(1);
                }
                self.start();
            }
            Mode::Clearing { .. } => self.kill_all(),
            Mode::Stopping { deadline, .. } if deadline <= Instant::now() => {
                self.killed = true;
                self.kill_all();
            }
            Mode::Stopping { program: None, deadline, signal, told_rest: false } => {
                // The leader is gone; what it left in other groups has not heard of it.
                if let Some(named) = Signal::from_named_raw(signal) {
                    self.signal_members(named);
                }
                self.mode = Mode::Stopping { program: None, deadline, signal, told_rest: true };
            }
            Mode::Running { .. } | Mode::Waiting { .. } | Mode::Stopping { .. } | Mode::Ended => {}
        }
    }

    fn start(&mut self) {
        let begun = Instant::now();
        let output = (self.pipes.stdout.1.try_clone(), self.pipes.stderr.1.try_clone());
        let launched = match output {
            (Ok(out), Ok(err)) => {
                super::launch::launch(self.program(), &self.ready.dir, &self.ready.sockets, (out, err))
            }
            (Err(error), _) | (_, Err(error)) => Err(format!("no pipes for the output: {error}")),
        };
        match launched {
            Ok(pid) => {
                // Our own child is at least a zombie until we reap it, so its number has its start time.
                let program = ProcessId::of(pid).unwrap_or(ProcessId { pid, start_time: 0 });
                self.mode = Mode::Running { program, since: begun };
                self.kills = 0;
                self.state.error = None;
                self.enter(Phase::Running { program });
            }
            Err(sentence) => self.ended(Exit::NotStarted(sentence), Duration::ZERO),
        }
    }

    fn kill_all(&mut self) {
        self.kills = self.kills.saturating_add(1);
        self.signal_members(Signal::KILL);
    }

    fn signal_members(&mut self, signal: Signal) {
        let shim = self.state.shim.pid;
        match Table::read() {
            Ok(table) => {
                for member in table.members(shim) {
                    drop(member.id().signal(signal));
                }
            }
            Err(error) => self.say(format!("/proc cannot be read, so what the program left cannot be found: {error}")),
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.state.phase = phase;
        self.state.since_ms = now_ms();
        self.unwritten = Some(Instant::now());
    }

    fn say(&mut self, mut sentence: String) {
        if sentence.len() > LONGEST_ERROR {
            let end = (0..=LONGEST_ERROR).rev().find(|at| sentence.is_char_boundary(*at)).unwrap_or(0);
            sentence.truncate(end);
            sentence.push('…');
        }
        self.state.error = Some(sentence);
        self.unwritten = Some(Instant::now());
    }

    fn write_state(&mut self) {
        if self.output.dropped_lines != self.state.dropped_lines && self.unwritten.is_none() {
            // Counted at most once a second.
            self.unwritten = Some(Instant::now() + WRITE_AGAIN);
        }
        if self.unwritten.is_none_or(|from| from > Instant::now()) {
            return;
        }
        self.state.dropped_lines = self.output.dropped_lines;
        self.state.dropped_bytes = self.output.dropped_bytes;
        let written = serde_json::to_vec(&self.state)
            .map_err(std::io::Error::from)
            .and_then(|text| self.slate.write(&text, false));
        self.unwritten = written.is_err().then(|| Instant::now() + WRITE_AGAIN);
    }

    fn wait(&self) {
        let now = Instant::now();
        let again = now + KILL_AGAIN * 2_u32.pow(self.kills.min(KILL_AGAIN_DOUBLINGS));
        let deadline = match self.mode {
            Mode::Running { .. } => None,
            Mode::Clearing { .. } => Some(again),
            Mode::Waiting { until } => Some(until),
            Mode::Stopping { deadline, .. } => Some(if deadline <= now { again } else { deadline }),
            Mode::Ended => Some(now),
        };
        let wake = [deadline, self.unwritten].into_iter().flatten().min();
        let timeout = wake.map(|wake| {
            // Rounded up, so that the moment has come when we wake.
            let left = wake.saturating_duration_since(now) + Duration::from_millis(1);
            Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 })
        });
        let mut watched = [
            PollFd::new(&self.wakes.signals, PollFlags::IN),
            PollFd::new(&self.pipes.stdout.0, PollFlags::IN),
            PollFd::new(&self.pipes.stderr.0, PollFlags::IN),
        ];
        // An interruption is a signal, which the loop looks at anyway.
        let _ = poll(&mut watched, timeout.as_ref());
    }

    /// Takes all that is there, but no more than a bounded amount: signals are looked at in between.
    fn read_output(&mut self) {
        let mut bytes = vec![0; 64 << 10];
        for _ in 0..16 {
            let mut any = false;
            for stream in [Stream::Stdout, Stream::Stderr] {
                let reader =
                    if stream == Stream::Stdout { self.pipes.stdout.0.as_fd() } else { self.pipes.stderr.0.as_fd() };
                if let Ok(read) = rustix::io::read(reader, bytes.as_mut_slice())
                    && read > 0
                {
                    any = true;
                    self.output.take(stream, &bytes[..read]);
                }
            }
            if !any {
                return;
            }
        }
    }

    fn end(mut self) -> Result<(), Refusal> {
        self.read_output();
        self.output.finish();
        self.program().limits.leave_cgroup();
        let ending = Ending {
            exit: self.state.last_exit.clone(),
            stopped: self.stopped,
            killed: self.killed,
            restarts: self.state.restarts,
            at_ms: now_ms(),
            dropped_lines: self.output.dropped_lines,
            error: self.state.error.clone(),
        };
        self.enter(Phase::Ended);
        let written = serde_json::to_vec(&ending)
            .map_err(std::io::Error::from)
            .and_then(|text| self.last_words.write(&text, true));
        self.write_state();
        self.slate.release();
        self.last_words.release();
        self.orders.release();
        written.map_err(|error| {
            Refusal::new(EXIT_UNUSABLE, format!("exit.json cannot be written in {}: {error}", self.ready.dir.display()))
        })
        // The lock goes with the process: last of all, after everything is on disk.
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn exit_of(status: WaitStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(status), _) => Exit::Status(status),
        (None, Some(signal)) => Exit::Signal(signal),
        // Only ended children are waited for.
        (None, None) => Exit::Status(-1),
    }
}
