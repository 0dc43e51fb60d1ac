//! Which instances there are.

use std::io;
use std::path::{Path, PathBuf};

use super::{Error, Instance};
use crate::state::Ending;

/// The beginning of the name of a directory that is being removed.
pub(super) const GOING: &str = ".going-";

/// One directory below the instances' directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Its shim lives.
    Alive(Instance),
    /// Its shim is gone.
    Dead {
        /// The instance; sweep or remove it.
        instance: Instance,
        /// How it ended; `None` when the shim was killed and could not say.
        ending: Option<Ending>,
    },
    /// It has a program, but no shim ever ran it: the creator died in between, or is just about to start it.
    NeverStarted(Instance),
    /// It has no program: the creator died before it wrote one, or is just about to.
    HalfCreated(PathBuf),
    /// It cannot be read; the sentence says why. Nothing is known about it, so it must not be removed.
    Unreadable {
        /// The directory.
        dir: PathBuf,
        /// What cannot be read.
        why: String,
    },
}

impl Found {
    /// The directory.
    pub fn dir(&self) -> &Path {
        match self {
            Self::Alive(instance) | Self::NeverStarted(instance) | Self::Dead { instance, .. } => instance.dir(),
            Self::HalfCreated(dir) | Self::Unreadable { dir, .. } => dir,
        }
    }
}

/// All instances below `instances`, by name. A directory that does not exist holds none. Directories whose removal was
/// interrupted are removed for good and not listed.
///
/// # Errors
/// When `instances` itself cannot be read.
pub fn scan(instances: &Path) -> Result<Vec<Found>, Error> {
    let entries = match std::fs::read_dir(instances) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file(instances, "cannot be listed")(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::file(instances, "cannot be listed"))?;
        let name = entry.file_name();
        let path = entry.path();
        if !path.is_dir() {
            continue;
        }
        if name.to_string_lossy().starts_with(GOING) {
            // Whoever comes next tries again.
            drop(std::fs::remove_dir_all(&path));
        } else if !name.to_string_lossy().starts_with('.') {
            found.push(look(&path).unwrap_or_else(|error| Found::Unreadable { dir: path, why: error.to_string() }));
        }
    }
    found.sort_by(|a, b| a.dir().cmp(b.dir()));
    Ok(found)
}

fn look(dir: &Path) -> Result<Found, Error> {
    let instance = match Instance::at(dir) {
        Ok(instance) => instance,
        Err(Error::NotAnInstance(dir)) => return Ok(Found::HalfCreated(dir)),
        Err(error) => return Err(error),
    };
    if instance.is_alive()? {
        return Ok(Found::Alive(instance));
    }
    let ending = instance.ending()?;
    // The state is the shim's first word: without it there was no shim.
    if ending.is_none() && !dir.join("state.json").exists() {
        return Ok(Found::NeverStarted(instance));
    }
    Ok(Found::Dead { instance, ending })
}
