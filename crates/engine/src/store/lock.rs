//! The lock file beside a store: held by flock as long as its process lives, naming that process.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::OpenError;

/// The lock, held until dropped or until the process ends in any way.
#[derive(Debug)]
pub(super) struct HeldLock {
    _file: File,
}

impl HeldLock {
    /// Takes the lock of the store at `store`, and writes this process's id into the file.
    pub(super) fn take(store: &Path) -> Result<Self, OpenError> {
        let path = lock_path(store);
        let error = |source: std::io::Error| OpenError::io(&path, source);
        // Never truncated before the lock is held: the holder's id stands in it. Never deleted: two processes could lock two files of one name.
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(error)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(OpenError::Locked { path: store.to_path_buf(), holder: holder(&mut file) });
            }
            Err(errno) => return Err(error(errno.into())),
        }
        file.set_len(0).map_err(error)?;
        file.rewind().map_err(error)?;
        writeln!(file, "{}", std::process::id()).map_err(error)?;
        Ok(Self { _file: file })
    }
}

/// The process that holds the store at `store` now; `None` when nobody does.
pub(super) fn held_by(store: &Path) -> Option<u32> {
    let mut file = File::open(lock_path(store)).ok()?;
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Err(Errno::WOULDBLOCK) => {
            let mut text = String::new();
            file.read_to_string(&mut text).ok()?;
            text.trim().parse().ok()
        }
        Ok(()) | Err(_) => None,
    }
}

fn lock_path(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_os_string();
    name.push(".lock");
    PathBuf::from(name)
}

/// Who holds the lock, as far as can be told: the file may be half written, or the process may have ended just now.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let Some(pid) = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse::<u32>().ok()) else {
        return "another process".to_string();
    };
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> =
        command.split(|byte| *byte == 0).filter(|word| !word.is_empty()).map(String::from_utf8_lossy).collect();
    if words.is_empty() { format!("process {pid}") } else { format!("process {pid} ({})", words.join(" ")) }
}
