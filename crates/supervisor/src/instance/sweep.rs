//! What a program leaves behind when its shim was killed: the kernel kills the program with its shim, but not what
//! the program had started.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Error, LOOK_AGAIN, read};
use crate::process::{ProcessId, Stat, Table};
use crate::shim::launch::DIR_VARIABLE;
use crate::state::State;

/// What is killed is gone in an instant, unless the kernel itself waits for a device.
const PATIENCE: Duration = Duration::from_secs(5);

/// Kills all of it; gives how many processes there were. The caller holds the lock.
pub(super) fn sweep(dir: &Path) -> Result<usize, Error> {
    let full = dir.canonicalize().map_err(Error::file(dir, "the directory cannot be used"))?;
    // A state that cannot be understood is no reason to leave processes: the mark in their environment is enough.
    let shim = read::<State>(&full.join("state.json")).ok().flatten().map(|state| state.shim);
    let mark = [DIR_VARIABLE.as_bytes(), b"=", full.as_os_str().as_bytes()].concat();
    let give_up = Instant::now() + PATIENCE;
    let mut seen = std::collections::BTreeSet::new();
    loop {
        let table = Table::read().map_err(Error::file("/proc", "cannot be listed"))?;
        let left: Vec<ProcessId> =
            table.iter().filter(|stat| !stat.is_zombie() && is_ours(stat, shim, &mark)).map(Stat::id).collect();
        if left.is_empty() {
            return Ok(seen.len());
        }
        for process in &left {
            seen.insert((process.pid, process.start_time));
            process.signal(Signal::KILL).map_err(Error::file(&full, "what its program left cannot be killed"))?;
        }
        if Instant::now() > give_up {
            let why = format!("{} of its processes do not die although they were killed", left.len());
            return Err(Error::Shim { dir: full, why });
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

fn is_ours(stat: &Stat, shim: Option<ProcessId>, mark: &[u8]) -> bool {
    // A controller may itself be a descendant of an instance.
    if u32::try_from(stat.pid).is_ok_and(|pid| pid == std::process::id()) {
        return false;
    }
    // The session of a dead leader (which may wait to be reaped): its number is not given to another process while the
    // session has members.
    let in_session = shim.is_some_and(|shim| {
        stat.session == shim.pid
            && stat.start_time >= shim.start_time
            && Stat::read(shim.pid).is_none_or(|now| now.id() == shim)
    });
    in_session
        || std::fs::read(format!("/proc/{}/environ", stat.pid))
            .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|variable| variable == mark))
}
