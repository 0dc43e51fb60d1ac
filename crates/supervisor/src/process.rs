//! Processes as `/proc` tells them, and signals that cannot hit the wrong one.
//!
//! A pid alone names a process only until it is used again. A pid with the start time names one process for ever
//! (until the next boot), and a signal goes through a pidfd that was opened *before* the start time was compared.
//! Source of the fields: proc(5), `/proc/PID/stat`.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// One process, once and for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number while it lives.
    pub pid: i32,
    /// When it started, in clock ticks since the boot.
    pub start_time: u64,
}

/// What came of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It was delivered to that very process.
    Delivered,
    /// That process is gone; if its number is in use again, nothing was sent there.
    Gone,
}

impl ProcessId {
    /// The process that has this number now; `None` when there is none.
    pub fn of(pid: i32) -> Option<Self> {
        Stat::read(pid).map(|stat| stat.id())
    }

    /// Whether this very process is there and has not ended (a zombie has).
    pub fn is_alive(self) -> bool {
        Stat::read(self.pid).is_some_and(|stat| stat.start_time == self.start_time && !stat.is_zombie())
    }

    /// A descriptor of this very process; `None` when it is gone.
    ///
    /// # Errors
    /// When the kernel refuses a pidfd for another reason.
    pub fn open(self) -> io::Result<Option<OwnedFd>> {
        if self.pid <= 0 {
            return Ok(None);
        }
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(None) };
        let descriptor = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(descriptor) => descriptor,
            Err(rustix::io::Errno::SRCH | rustix::io::Errno::INVAL) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // The descriptor holds whichever process has the number now; only then does the start time say which one.
        Ok(Self::of(self.pid).filter(|now| *now == self).map(|_| descriptor))
    }

    /// Sends a signal to this very process.
    ///
    /// # Errors
    /// When the kernel refuses: no permission, or no such signal.
    pub fn signal(self, signal: Signal) -> io::Result<Sent> {
        let Some(descriptor) = self.open()? else {
            return Ok(Sent::Gone);
        };
        match pidfd_send_signal(descriptor, signal) {
            Ok(()) => Ok(Sent::Delivered),
            Err(rustix::io::Errno::SRCH) => Ok(Sent::Gone),
            Err(error) => Err(error.into()),
        }
    }
}

/// The fields of `/proc/PID/stat` that we use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// The process.
    pub pid: i32,
    /// `R`, `S`, `D`, `Z`, …
    pub state: char,
    /// Its parent.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// When it started, in clock ticks since the boot.
    pub start_time: u64,
}

impl Stat {
    /// Reads one process; `None` when it is gone or hidden from us.
    pub fn read(pid: i32) -> Option<Self> {
        let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        Self::parse(&String::from_utf8_lossy(&text))
    }

    /// The name, in parentheses, may itself hold blanks and parentheses: the last one ends it.
    fn parse(text: &str) -> Option<Self> {
        let pid = text.split(' ').next()?.parse().ok()?;
        let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_whitespace().collect();
        Some(Self {
            pid,
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            start_time: fields.get(19)?.parse().ok()?,
        })
    }

    /// The process with its start time.
    pub fn id(&self) -> ProcessId {
        ProcessId { pid: self.pid, start_time: self.start_time }
    }

    /// Whether it has ended and only waits to be reaped.
    pub fn is_zombie(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

/// All processes at about one moment.
#[derive(Debug, Clone, Default)]
pub struct Table {
    processes: BTreeMap<i32, Stat>,
}

impl Table {
    /// Reads `/proc`.
    ///
    /// # Errors
    /// When `/proc` is not there.
    pub fn read() -> io::Result<Self> {
        let mut processes = BTreeMap::new();
        for entry in std::fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            if let Some(stat) = Stat::read(pid) {
                processes.insert(pid, stat);
            }
        }
        Ok(Self { processes })
    }

    /// Every process, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Stat> {
        self.processes.values()
    }

    /// Whether `pid` is a descendant of `ancestor`, or is it.
    pub fn descends(&self, pid: i32, ancestor: i32) -> bool {
        let mut at = pid;
        // A table that is not quite of one moment could hold a ring.
        for _ in 0..=self.processes.len() {
            if at == ancestor {
                return true;
            }
            match self.processes.get(&at) {
                Some(stat) if stat.parent > 0 => at = stat.parent,
                Some(_) | None => return false,
            }
        }
        false
    }

    /// The processes of an instance: its shim's session and the shim's descendants (the shim is a subreaper, so a
    /// program's children stay its descendants whatever they do), but not the shim itself.
    pub fn members(&self, shim: i32) -> Vec<Stat> {
        self.iter()
            .filter(|stat| stat.pid != shim && !stat.is_zombie())
            .filter(|stat| stat.session == shim || self.descends(stat.pid, shim))
            .copied()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses() {
        let line = "42 (a) b) S 1 42 41 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 0 0";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.pid, stat.state, stat.parent, stat.group), (42, 'S', 1, 42));
        assert_eq!((stat.session, stat.start_time), (41, 987_654));
    }

    #[test]
    fn a_number_in_use_again_gets_no_signal() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let now = ProcessId::of(pid).unwrap();
        let before = ProcessId { start_time: now.start_time - 1, ..now };
        assert_eq!(before.signal(Signal::KILL).unwrap(), Sent::Gone);
        assert!(child.try_wait().unwrap().is_none(), "the stranger was hit");
        assert!(!before.is_alive());
        assert_eq!(now.signal(Signal::KILL).unwrap(), Sent::Delivered);
        child.wait().unwrap();
        assert_eq!(now.signal(Signal::KILL).unwrap(), Sent::Gone);
    }

    #[test]
    fn nonsense_numbers_are_gone() {
        for pid in [0, -1, i32::MIN, i32::MAX] {
            assert_eq!(ProcessId { pid, start_time: 1 }.signal(Signal::KILL).unwrap(), Sent::Gone);
        }
    }
}
