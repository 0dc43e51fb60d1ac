//! What can go wrong with a store, in words that say what to do.

use std::io;
use std::path::{Path, PathBuf};

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds it.
    #[error("the store {path} is in use by {holder}: stop that process first, or talk to it instead of starting a second one", path = path.display())]
    Locked {
        /// The store's file.
        path: PathBuf,
        /// Who, such as `process 4242 (serin serve shop.yaml)`.
        holder: String,
    },
    /// A newer Serin wrote it.
    #[error("the store {path} has format {found}, this version of serin knows formats up to {known}: start the version that wrote it, or a newer one", path = path.display())]
    SchemaTooNew {
        /// The store's file.
        path: PathBuf,
        /// The format's number in the file.
        found: u64,
        /// The greatest number known here.
        known: u64,
    },
    /// The file is no store, or damaged.
    #[error("the store {path} is damaged ({what}): put a copy of it back; where there is none, end the service with `serin down`, move the file away and start again", path = path.display())]
    Corrupt {
        /// The store's file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The disk or the file system did not let us.
    #[error("cannot open the store {path}: {source}{hint}", path = path.display(), hint = hint(source))]
    Io {
        /// The store's file, or its lock file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// Why a store could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk or the file system did not let us.
    ///
    /// A commit that found no room is not there. One whose very last step failed (the header that makes it valid, or that header's sync) may
    /// be there, whole: read again what was to be written, and decide anew.
    #[error("cannot {action} the store {path}: {source}{hint}", path = path.display(), hint = hint(source))]
    Io {
        /// The store's file.
        path: PathBuf,
        /// `read` or `write`.
        action: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The file was damaged while it was in use, or holds a value that is not what was asked for.
    #[error("the store {path} is damaged: {what}", path = path.display())]
    Corrupt {
        /// The store's file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The commit contradicts what the store holds; nothing was written.
    #[error("the store {path} refuses this: {reason}", path = path.display())]
    Refused {
        /// The store's file.
        path: PathBuf,
        /// What contradicts what.
        reason: String,
    },
    /// After an earlier error the file could not be opened again yet.
    #[error("the store is closed after an earlier error, and still does not open: {0}")]
    Closed(#[from] OpenError),
}

fn hint(source: &io::Error) -> &'static str {
    if source.kind() == io::ErrorKind::StorageFull {
        "; free some room on that disk, what was stored before is intact"
    } else {
        ""
    }
}

impl OpenError {
    pub(super) fn io(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { path: path.to_path_buf(), source: source.into() }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "not our enum, and not exhaustive: what else it says is damage")]
    pub(super) fn database(path: &Path, error: impl Into<redb::Error>) -> Self {
        let path = path.to_path_buf();
        match error.into() {
            redb::Error::Io(source) if is_damage(&source) => Self::Corrupt { path, what: source.to_string() },
            redb::Error::Io(source) => Self::Io { path, source },
            redb::Error::DatabaseAlreadyOpen => Self::Locked { path, holder: "another process".to_string() },
            other => Self::Corrupt { path, what: other.to_string() },
        }
    }
}

impl StoreError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "not our enum, and not exhaustive: what else it says is damage")]
    pub(super) fn storage(path: &Path, action: &'static str, error: redb::Error) -> Self {
        let path = path.to_path_buf();
        match error {
            redb::Error::Io(source) if !is_damage(&source) => Self::Io { path, action, source },
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => {
                Self::Io { path, action, source: io::Error::other("an earlier input or output error closed it") }
            }
            other => Self::Corrupt { path, what: other.to_string() },
        }
    }
}

fn is_damage(source: &io::Error) -> bool {
    matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}
