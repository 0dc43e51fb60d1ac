//! The controller's side: create an instance, find it again, ask it to stop, remove it.
//!
//! Everything here works on the directory alone, so that it makes no difference who created it. The calls block for
//! some milliseconds (file system, one process start); only [`Instance::wait_gone`] is asynchronous.

mod create;
mod find;
mod sweep;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;

pub use create::ShimCommand;
pub(crate) use create::make_dir;
pub use find::{Found, scan};

use crate::process::Sent;
use crate::program::Program;
use crate::state::{Ending, State, StopOrder};
use crate::{durable, lock};

/// How long a shim that has just taken its lock may need until its state can be read.
const STATE_COMES: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What went wrong with an instance.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory holds an instance already.
    #[error("{} holds an instance already; remove it first, or choose another directory", .0.display())]
    Exists(PathBuf),
    /// The instance's shim lives.
    #[error("the instance in {} still runs; stop it and wait until it is gone", .0.display())]
    Alive(PathBuf),
    /// The instance's shim does not live.
    #[error("the instance in {} does not run; remove it, or start it again", .0.display())]
    Dead(PathBuf),
    /// There is no `program.json`.
    #[error("{} holds no instance: there is no program.json in it", .0.display())]
    NotAnInstance(PathBuf),
    /// The shim refused to start.
    #[error("the instance in {} was not started: {sentence}", dir.display())]
    Refused {
        /// The instance's directory.
        dir: PathBuf,
        /// The shim's exit code: one of the `EXIT_` constants in [`crate::shim`].
        code: u8,
        /// Why, and what to do.
        sentence: String,
    },
    /// The shim could not be started, or ended or kept silent before it said anything.
    #[error("the shim of {} could not be started: {why}", dir.display())]
    Shim {
        /// The instance's directory.
        dir: PathBuf,
        /// What is known about it.
        why: String,
    },
    /// There is no such signal.
    #[error("there is no signal number {0}; use 15 for TERM, 2 for INT, 3 for QUIT, 9 for KILL")]
    NoSuchSignal(i32),
    /// A file cannot be read, written or understood.
    #[error("{}: {what}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// How it failed.
        source: io::Error,
    },
}

impl Error {
    fn file(path: impl Into<PathBuf>, what: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, what, source }
    }
}

/// An instance, by its directory. Dropping it changes nothing: the instance is nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    dir: PathBuf,
}

impl Instance {
    /// Finds the living instance in `dir`.
    ///
    /// # Errors
    /// [`Error::NotAnInstance`], [`Error::Dead`], or a file that cannot be read.
    pub fn adopt(dir: &Path) -> Result<Self, Error> {
        let instance = Self::at(dir)?;
        if instance.is_alive()? { Ok(instance) } else { Err(Error::Dead(instance.dir)) }
    }

    /// The instance in `dir`, living or dead.
    ///
    /// # Errors
    /// [`Error::NotAnInstance`], or a directory that cannot be read.
    pub fn at(dir: &Path) -> Result<Self, Error> {
        let full = dir.canonicalize().map_err(Error::file(dir, "the directory cannot be used"))?;
        if full.join("program.json").exists() { Ok(Self { dir: full }) } else { Err(Error::NotAnInstance(full)) }
    }

    /// Its directory, absolute.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its name: the last part of its directory's path.
    pub fn id(&self) -> String {
        self.dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What it was created to run.
    ///
    /// # Errors
    /// When `program.json` cannot be read or understood.
    pub fn program(&self) -> Result<Program, Error> {
        let path = self.dir.join("program.json");
        read(&path)?.ok_or_else(|| Error::NotAnInstance(self.dir.clone()))
    }

    /// What its shim said last; `None` when it has not said anything yet. Of a dead instance it is the last word, not
    /// what is so: ask [`Self::is_alive`] for that.
    ///
    /// # Errors
    /// When `state.json` cannot be read or understood.
    pub fn state(&self) -> Result<Option<State>, Error> {
        read(&self.dir.join("state.json"))
    }

    /// How it ended; `None` while it has not, or when its shim was killed and could not say.
    ///
    /// # Errors
    /// When `exit.json` cannot be read or understood.
    pub fn ending(&self) -> Result<Option<Ending>, Error> {
        read(&self.dir.join("exit.json"))
    }

    /// Whether its shim lives. The held lock is the proof, not a pid.
    ///
    /// # Errors
    /// When the lock file cannot be opened.
    pub fn is_alive(&self) -> Result<bool, Error> {
        lock::is_held(&self.dir).map_err(Error::file(self.dir.join(lock::NAME), "the lock cannot be looked at"))
    }

    /// Asks it to stop: `signal` to the program's process group now, and death to whatever still lives after
    /// `timeout`. Asked again, the nearer deadline counts. Returns at once; see [`Self::wait_gone`]. An instance that
    /// is gone already is no error.
    ///
    /// # Errors
    /// No such signal; or the order cannot be written, or the shim not be woken.
    pub fn stop(&self, signal: i32, timeout: Duration) -> Result<(), Error> {
        if Signal::from_named_raw(signal).is_none() {
            return Err(Error::NoSuchSignal(signal));
        }
        if !self.is_alive()? {
            return Ok(());
        }
        let order = StopOrder { signal, timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX) };
        let path = self.dir.join("stop.json");
        let text = serde_json::to_vec(&order).map_err(|e| Error::file(&path, "cannot be put in words")(e.into()))?;
        self.order(&path, &text).map_err(Error::file(&path, "cannot be written"))?;
        self.wake()
    }

    /// Writes the order; on a full disk into the room that the shim keeps for it, once it has read the last one.
    fn order(&self, path: &Path, text: &[u8]) -> io::Result<()> {
        let give_up = Instant::now() + STATE_COMES;
        loop {
            let Err(error) = durable::replace(path, text) else { return Ok(()) };
            match durable::Slate::at(path.to_owned()).put_up(text) {
                Ok(()) => return Ok(()),
                Err(other) if other.kind() == io::ErrorKind::NotFound && Instant::now() < give_up => {}
                Err(_) => return Err(error),
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Wakes the shim, which then looks for orders.
    fn wake(&self) -> Result<(), Error> {
        let give_up = Instant::now() + STATE_COMES;
        loop {
            // A shim that wrote no state yet has not looked for orders yet either, but it may be about to have.
            let state = self.state()?;
            if let Some(state) = state
                && state.shim.signal(Signal::USR1).map_err(Error::file(&self.dir, "its shim cannot be woken"))?
                    == Sent::Delivered
            {
                return Ok(());
            }
            if !self.is_alive()? {
                return Ok(());
            }
            if Instant::now() > give_up {
                let why = "it lives (its lock is held), but state.json does not name its process".to_owned();
                return Err(Error::Shim { dir: self.dir.clone(), why });
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Waits until the shim is gone, and with it the program; gives how it ended if the shim could say.
    ///
    /// # Errors
    /// When the lock or `exit.json` cannot be looked at.
    pub async fn wait_gone(&self) -> Result<Option<Ending>, Error> {
        while self.is_alive()? {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        self.ending()
    }

    /// Removes the directory of an instance that is gone, after killing what its program may have left behind (a shim
    /// that was killed takes the program with it, but not what the program had started).
    ///
    /// # Errors
    /// [`Error::Alive`], or what cannot be removed.
    pub fn remove(self) -> Result<(), Error> {
        remove_dir(&self.dir)
    }

    /// Kills what the program of a dead instance left behind; gives how many processes there were.
    ///
    /// # Errors
    /// [`Error::Alive`], or `/proc` cannot be read.
    pub fn sweep(&self) -> Result<usize, Error> {
        let _held = self.hold()?;
        sweep::sweep(&self.dir)
    }

    fn hold(&self) -> Result<lock::Held, Error> {
        hold(&self.dir)
    }
}

fn hold(dir: &Path) -> Result<lock::Held, Error> {
    lock::take(dir)
        .map_err(Error::file(dir.join(lock::NAME), "the lock cannot be taken"))?
        .ok_or_else(|| Error::Alive(dir.to_owned()))
}

/// Removes an instance's directory, whole or half-created, when nobody lives in it.
///
/// # Errors
/// [`Error::Alive`], or what cannot be removed.
pub fn remove_dir(dir: &Path) -> Result<(), Error> {
    let _held = hold(dir)?;
    sweep::sweep(dir)?;
    // Under another name first: nobody finds half of it.
    let mut name = std::ffi::OsString::from(find::GOING);
    name.push(dir.file_name().unwrap_or_default());
    let going = dir.with_file_name(name);
    if going.exists() {
        std::fs::remove_dir_all(&going).map_err(Error::file(&going, "cannot be removed"))?;
    }
    std::fs::rename(dir, &going).map_err(Error::file(dir, "cannot be renamed for removal"))?;
    std::fs::remove_dir_all(&going).map_err(Error::file(going, "cannot be removed"))
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    match std::fs::read(path) {
        Ok(text) => {
            let parsed = serde_json::from_slice(&text);
            parsed.map(Some).map_err(|error| Error::file(path, "cannot be understood")(error.into()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file(path, "cannot be read")(error)),
    }
}
