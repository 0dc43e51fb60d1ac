//! Where a store's bytes are: a file, or in tests a disk that fails on purpose.

use std::fmt;
use std::fs::{File, OpenOptions, rename};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use redb::{Builder, Database, DatabaseError};

/// A place that holds one database.
pub(super) trait Medium: fmt::Debug + Send + Sync {
    /// Makes an empty database where there is none. Cut anywhere, it leaves none or a whole one.
    fn make_if_missing(&self) -> Result<(), DatabaseError>;

    /// Opens the database; never makes one.
    fn open(&self) -> Result<Database, DatabaseError>;
}

/// How every database here is opened. A store is a few megabytes at most; the cache needs to be no larger.
pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(8 << 20);
    builder
}

/// A file, readable by its owner only: revisions hold environments.
#[derive(Debug)]
pub(super) struct FileMedium {
    path: PathBuf,
}

impl FileMedium {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Medium for FileMedium {
    /// The database is made beside its place and renamed: redb does not open a file whose making was cut, and a file that begins with zeros
    /// may as well be a damaged store, which is not to be forgotten silently.
    fn make_if_missing(&self) -> Result<(), DatabaseError> {
        match self.path.metadata() {
            Ok(metadata) if metadata.len() > 0 => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let mut new = self.path.clone().into_os_string();
        new.push(".new");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        let database = builder().create_file(file.try_clone()?)?;
        drop(database);
        file.sync_all()?;
        rename(&new, &self.path)?;
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(directory)?.sync_all()?;
        Ok(())
    }

    fn open(&self) -> Result<Database, DatabaseError> {
        let file = OpenOptions::new().read(true).write(true).open(&self.path)?;
        if file.metadata()?.len() == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty").into());
        }
        builder().create_file(file)
    }
}
