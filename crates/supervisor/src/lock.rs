//! The proof of life: a shim holds an exclusive `flock` on its directory's `lock` as long as it lives.
//!
//! The kernel gives the lock back however the shim ends, so there is nothing to clean up and nothing to guess.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

/// The lock's name in the instance's directory.
pub const NAME: &str = "lock";

/// Looking whether a lock is held takes it for a moment; this much patience tells a look from a holder.
const PATIENCE: Duration = Duration::from_millis(500);

/// A lock that is ours until this is dropped.
#[derive(Debug)]
pub struct Held {
    pub(crate) file: File,
}

/// Takes the lock of `dir`; `None` when somebody else holds it.
///
/// # Errors
/// When the file cannot be opened, or the directory was removed meanwhile.
pub fn take(dir: &Path) -> io::Result<Option<Held>> {
    let path = dir.join(NAME);
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path)?;
    let give_up = Instant::now() + PATIENCE;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < give_up => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // The directory may have been removed between open and lock: a lock on a file without a name proves nothing.
    let named = std::fs::metadata(&path)?;
    let ours = file.metadata()?;
    if (named.dev(), named.ino()) != (ours.dev(), ours.ino()) {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the directory was removed meanwhile"));
    }
    Ok(Some(Held { file }))
}

/// Whether a living process holds the lock of `dir`. No lock file means no.
///
/// # Errors
/// When the file is there and cannot be opened.
pub fn is_held(dir: &Path) -> io::Result<bool> {
    let file = match File::open(dir.join(NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    loop {
        // Shared, so that two who look do not take each other for a holder.
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => return Ok(false),
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_while_it_is_held() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_held(dir.path()).unwrap());
        let held = take(dir.path()).unwrap().unwrap();
        assert!(is_held(dir.path()).unwrap());
        assert!(take(dir.path()).unwrap().is_none());
        drop(held);
        assert!(!is_held(dir.path()).unwrap());
        assert!(take(dir.path()).unwrap().is_some());
    }

    #[test]
    fn a_look_does_not_keep_a_shim_from_its_lock() {
        let dir = tempfile::tempdir().unwrap();
        drop(take(dir.path()).unwrap());
        let look = File::open(dir.path().join(NAME)).unwrap();
        flock(&look, FlockOperation::NonBlockingLockShared).unwrap();
        let looker = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            drop(look);
        });
        assert!(take(dir.path()).unwrap().is_some());
        looker.join().unwrap();
    }
}
