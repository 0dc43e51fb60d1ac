//! The few lines between fork and exec, and the closing of inherited descriptors: all that the shim does which the
//! compiler cannot check.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io::{self, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use rustix::process::{Gid, Pid, Resource, Rlimit, Signal, Uid};

/// The steps between fork and exec; the last one that was begun tells which one failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    Begin,
    Cgroup,
    Limits,
    Group,
    User,
    Directory,
    Parent,
    Sockets,
    Exec,
}

const STAGES: [Stage; 9] = [
    Stage::Begin,
    Stage::Cgroup,
    Stage::Limits,
    Stage::Group,
    Stage::User,
    Stage::Directory,
    Stage::Parent,
    Stage::Sockets,
    Stage::Exec,
];

/// All that the child needs, prepared before the fork: after it nothing may be allocated.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) path: CString,
    pub(super) argv: Vec<CString>,
    /// `NAME=value` each.
    pub(super) env: Vec<CString>,
    pub(super) directory: CString,
    pub(super) user: Option<(Uid, Gid, Vec<Gid>)>,
    pub(super) limits: Vec<(Resource, Rlimit)>,
    /// An open `cgroup.procs` to enter.
    pub(super) cgroup: Option<OwnedFd>,
    /// How many descriptors from 3 on are passed.
    pub(super) sockets: i32,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
}

/// Starts the program in a process group of its own, which dies with the calling thread.
///
/// # Errors
/// The step that failed, and how.
pub(super) fn spawn(prepared: Prepared) -> Result<Child, (Stage, io::Error)> {
    let begin = |error| (Stage::Begin, error);
    let (reader, stage) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|e| begin(e.into()))?;
    let mut command = Command::new(std::ffi::OsStr::new("program"));
    command.stdin(std::process::Stdio::null());
    command.stdout(prepared.stdout.try_clone().map_err(begin)?).stderr(prepared.stderr.try_clone().map_err(begin)?);
    command.process_group(0);
    let shim = rustix::process::getpid();
    let mut child = InChild::new(prepared, stage, shim);
    // SAFETY: between fork and exec the closure makes system calls on memory that was allocated before, and writes
    // into it; it allocates nothing, takes no lock and unwinds nowhere. It returns only when a step failed.
    unsafe {
        command.pre_exec(move || Err(child.become_program()));
    }
    let spawned = command.spawn();
    drop(command);
    spawned.map_err(|error| {
        let mut last = [0; STAGES.len()];
        let read = rustix::io::read(&reader, &mut last).unwrap_or(0);
        let stage = read.checked_sub(1).and_then(|at| STAGES.get(usize::from(last[at]))).copied();
        (stage.unwrap_or(Stage::Begin), error)
    })
}

struct InChild {
    prepared: Prepared,
    stage: OwnedFd,
    shim: Pid,
    argv: Vec<*const libc::c_char>,
    env: Vec<*const libc::c_char>,
    listen_pid: [u8; 32],
}

// SAFETY: the pointers point into the strings of `prepared`, which move with this value and are never changed; the
// heap memory of a `CString` stays where it is.
unsafe impl Send for InChild {}
// SAFETY: as above; nothing here is shared between threads.
unsafe impl Sync for InChild {}

impl InChild {
    fn new(prepared: Prepared, stage: OwnedFd, shim: Pid) -> Self {
        let argv = prepared.argv.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect();
        // Room for LISTEN_PID, which only the child knows, and for the end.
        let env = prepared.env.iter().map(|text| text.as_ptr()).chain([std::ptr::null(); 2]).collect();
        Self { prepared, stage, shim, argv, env, listen_pid: [0; 32] }
    }

    fn become_program(&mut self) -> io::Error {
        match self.try_become() {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    fn try_become(&mut self) -> io::Result<std::convert::Infallible> {
        if let Some(procs) = &self.prepared.cgroup {
            self.begin(Stage::Cgroup);
            rustix::io::write(procs, b"0")?;
        }
        self.begin(Stage::Limits);
        for (resource, limit) in &self.prepared.limits {
            rustix::process::setrlimit(*resource, *limit)?;
        }
        if let Some((user, group, groups)) = &self.prepared.user {
            self.begin(Stage::Group);
            rustix::thread::set_thread_groups(groups)?;
            rustix::thread::set_thread_res_gid(*group, *group, *group)?;
            self.begin(Stage::User);
            rustix::thread::set_thread_res_uid(*user, *user, *user)?;
        }
        self.begin(Stage::Directory);
        rustix::process::chdir(self.prepared.directory.as_c_str())?;
        self.begin(Stage::Parent);
        // After the change of user, which clears it.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        if rustix::process::getppid() != Some(self.shim) {
            return Err(rustix::io::Errno::SRCH.into());
        }
        self.pass_sockets()?;
        self.begin(Stage::Exec);
        // SAFETY: both arrays end with a null pointer and hold pointers to strings that live in `self`.
        unsafe {
            libc::execve(self.prepared.path.as_ptr(), self.argv.as_ptr(), self.env.as_ptr());
        }
        Err(io::Error::last_os_error())
    }

    fn pass_sockets(&mut self) -> io::Result<()> {
        if self.prepared.sockets == 0 {
            return Ok(());
        }
        self.begin(Stage::Sockets);
        for number in super::sockets::FIRST..super::sockets::FIRST + self.prepared.sockets {
            // SAFETY: the shim holds its sockets at these numbers for its whole life.
            let socket = unsafe { BorrowedFd::borrow_raw(number) };
            rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::empty())?;
        }
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        // Room for the name, ten digits and the end, which the array's zeros are.
        write!(self.listen_pid.as_mut_slice(), "LISTEN_PID={pid}")?;
        let place = self.prepared.env.len();
        self.env[place] = self.listen_pid.as_ptr().cast();
        Ok(())
    }

    /// Best effort: it only serves the error's text.
    fn begin(&self, stage: Stage) {
        let _ = rustix::io::write(&self.stage, &[stage as u8]);
    }
}

/// Closes every descriptor from 3 on that was inherited from whoever started this process.
///
/// To be called first in `main` and nowhere else: nothing of this process may hold a descriptor yet.
pub fn close_inherited() {
    // SAFETY: at the start of `main` no value of this process owns a descriptor above 2.
    unsafe {
        libc::close_range(3, libc::c_uint::MAX, 0);
    }
}
