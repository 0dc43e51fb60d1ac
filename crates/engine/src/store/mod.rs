//! What one service must not forget: a crash-safe store in one file.
//!
//! It keeps the current state, revisions, frozen plans, the history of rollouts with their events and measurements, and the
//! cursors of those who read the events. It never looks inside what it keeps: values are JSON of the caller's types, times are the caller's
//! integers, and whether something *may* be written is decided elsewhere. It does no retry, logs nothing and knows no phase.
//!
//! * Everything that belongs together is one [`Commit`]: after a crash at any point it is there whole or not at all.
//! * A commit that returned is on the disk (fsync).
//! * One process holds a store at a time ([`OpenError::Locked`]); each holder has a greater [`Store::epoch`] than all before it.
//! * After a failed commit (full disk, I/O error) the store goes on: it reopens its file and shows what is really there.
//!
//! Every call blocks. A read takes microseconds; a commit waits for the disk: `cargo run --release -p serin-engine --example commit_cost`
//! prints how long, as a ratio to a bare fsync of one page (it does two, and rewrites some pages: 3.8 times on ext4 on a virtual disk whose fsync
//! takes 0.1 ms). Call [`Store::commit`] through `spawn_blocking` where the milliseconds of a real disk matter to others on the same thread.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use redb::{Database, ReadTransaction};
use tokio::sync::watch;

mod commit;
mod error;
mod ledger;
mod lock;
mod medium;
mod migrate;
mod outbox;
mod prune;
mod read;
mod record;
mod tables;

pub use commit::{Commit, Committed, KEEP_MEASUREMENTS};
pub use error::{OpenError, StoreError};
pub use prune::{KEEP_ROLLOUTS, Pruned};
pub use record::{Event, MeasurementRow, Revision, RolloutRecord};

use lock::HeldLock;
use medium::{FileMedium, Medium};

/// The store of one service. Share it in an `Arc`; every method takes `&self`.
pub struct Store {
    path: PathBuf,
    medium: Box<dyn Medium>,
    /// `None` after an I/O error, until reopening works.
    database: RwLock<Option<Database>>,
    /// Serialises writers, reopening included.
    writer: Mutex<()>,
    epoch: u64,
    last_event: watch::Sender<u64>,
    /// Released last, when the database is closed already: fields drop in the order of their declaration.
    _lock: Option<HeldLock>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.path).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store in the file `path`, or makes it; its directory must exist. A sibling `<path>.lock` says who holds it.
    ///
    /// Increments the epoch durably. After a crash it first repairs the file, which takes time in proportion to its size.
    ///
    /// # Errors
    /// When another process holds it, a newer Serin wrote it, it is damaged, or the disk does not let us.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref().to_path_buf();
        let lock = HeldLock::take(&path)?;
        Self::on(Box::new(FileMedium::new(path.clone())), path, Some(lock))
    }

    fn on(medium: Box<dyn Medium>, path: PathBuf, lock: Option<HeldLock>) -> Result<Self, OpenError> {
        medium.make_if_missing().map_err(|error| OpenError::database(&path, error))?;
        let database = open_database(medium.as_ref(), &path)?;
        let (epoch, last_event) = tables::begin_epoch(&database, &path)?;
        Ok(Self {
            path,
            medium,
            database: RwLock::new(Some(database)),
            writer: Mutex::new(()),
            epoch,
            last_event: watch::Sender::new(last_event),
            _lock: lock,
        })
    }

    /// The process that holds the store in the file `path` now; `None` when nobody does.
    pub fn holder(path: &Path) -> Option<u32> {
        lock::held_by(path)
    }

    /// The fencing number of this opening: greater than that of every opening before.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Wakes on every commit that wrote events; the value is the last event's sequence number, 0 before the first.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.last_event.subscribe()
    }

    /// Runs `read` on one snapshot. After an I/O error it reopens the file first.
    fn reading<T>(&self, read: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>) -> Result<T, StoreError> {
        self.ensure_open()?;
        let guard = self.shared();
        let result = match guard.as_ref() {
            Some(database) => snapshot(database).and_then(|transaction| read(&transaction)),
            None => Err(redb::Error::DatabaseClosed),
        };
        drop(guard);
        result.map_err(|error| self.failed("read", error))
    }

    /// Runs `write` in one durable transaction.
    fn writing<T>(
        &self,
        write: impl FnOnce(&redb::WriteTransaction) -> Result<T, commit::Failure>,
    ) -> Result<T, StoreError> {
        let _writer = self.lock_writer();
        self.reopen_if_closed()?;
        let guard = self.shared();
        let Some(database) = guard.as_ref() else {
            return Err(self.failed("write", redb::Error::DatabaseClosed));
        };
        let result = commit::durably(database, write);
        drop(guard);
        match result {
            Ok(value) => Ok(value),
            Err(commit::Failure::Refused(reason)) => Err(StoreError::Refused { path: self.path.clone(), reason }),
            Err(commit::Failure::Storage(error)) => {
                let failed = self.failed("write", error);
                // Reported already; if it does not reopen now, the next call tries again and says why.
                let _reopened = self.reopen_if_closed();
                Err(failed)
            }
        }
    }

    /// Turns an error of the storage into ours and gives the database up: after an I/O error it answers nothing else any more.
    fn failed(&self, action: &'static str, error: redb::Error) -> StoreError {
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
        StoreError::storage(&self.path, action, error)
    }

    fn ensure_open(&self) -> Result<(), StoreError> {
        if self.shared().is_some() {
            return Ok(());
        }
        let _writer = self.lock_writer();
        self.reopen_if_closed()
    }

    /// Needs the writer's lock.
    fn reopen_if_closed(&self) -> Result<(), StoreError> {
        if self.shared().is_some() {
            return Ok(());
        }
        let database = open_database(self.medium.as_ref(), &self.path)?;
        let (epoch, last) =
            tables::epoch_and_last_event(&database).map_err(|error| StoreError::storage(&self.path, "read", error))?;
        if epoch != self.epoch {
            let what = format!("this is not the file that was opened, it has epoch {epoch} and not {}", self.epoch);
            return Err(StoreError::Corrupt { path: self.path.clone(), what });
        }
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
        self.announce(last);
        Ok(())
    }

    fn announce(&self, last: u64) {
        self.last_event.send_if_modified(|known| std::mem::replace(known, last) != last);
    }

    fn shared(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_writer(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn snapshot(database: &Database) -> Result<ReadTransaction, redb::Error> {
    use redb::ReadableDatabase as _;
    Ok(database.begin_read()?)
}

fn open_database(medium: &dyn Medium, path: &Path) -> Result<Database, OpenError> {
    medium.open().map_err(|error| OpenError::database(path, error))
}

#[cfg(test)]
mod tests;
