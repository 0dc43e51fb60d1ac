//! Starting an instance: everything is on disk before the first process is.

use std::ffi::OsString;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Error, Instance, hold, sweep};
use crate::durable;
use crate::program::Program;
use crate::shim::{EXIT_UNUSABLE, STAGE_DETACH, STAGE_VARIABLE};

/// A shim says that it has its lock and its sockets within milliseconds; this is for a machine that swaps.
const SHIM_SPEAKS: Duration = Duration::from_secs(20);

/// How a shim is started: a command that calls [`crate::shim::main`] with the directory that is its last argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShimCommand {
    /// The binary.
    pub binary: PathBuf,
    /// Its arguments before the directory.
    pub args: Vec<OsString>,
}

impl Default for ShimCommand {
    /// This very binary, even when its file has been replaced meanwhile: `serin shim DIR`.
    fn default() -> Self {
        Self { binary: "/proc/self/exe".into(), args: vec!["shim".into()] }
    }
}

impl Instance {
    /// Writes down what to run in `dir` and starts its shim, which is nobody's child. `dir` is made when it is not
    /// there; a directory without a `program.json` (a port was reserved in it, configs were rendered) is used.
    /// Returns when the shim holds its lock and its sockets; whether the program starts is told by [`Self::state`].
    ///
    /// Of two creators of one directory one wins, and the other gets [`Error::Exists`].
    ///
    /// # Errors
    /// [`Error::Exists`]; [`Error::Refused`] with the shim's sentence (a port in use); [`Error::Shim`]; files.
    pub fn create(dir: &Path, program: &Program) -> Result<Self, Error> {
        Self::create_with(dir, program, &ShimCommand::default())
    }

    /// As [`Self::create`], with another way to start the shim.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn create_with(dir: &Path, program: &Program, shim: &ShimCommand) -> Result<Self, Error> {
        make_dir(dir)?;
        let dir = dir.canonicalize().map_err(Error::file(dir, "the directory cannot be used"))?;
        let path = dir.join("program.json");
        match durable::write_new(&path, &words(&path, program)?) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(Error::Exists(dir)),
            Err(error) => return Err(Error::file(path, "cannot be written")(error)),
        }
        start(&dir, shim)?;
        Ok(Self { dir })
    }

    /// Starts a program in the directory of an instance that is gone (or never started), in its place: for the proxy,
    /// whose directory holds more than the instance. What the old one left behind is killed; logs stay.
    ///
    /// # Errors
    /// [`Error::Alive`], and as [`Self::create`].
    pub fn start_again(dir: &Path, program: &Program, shim: &ShimCommand) -> Result<Self, Error> {
        let dir = dir.canonicalize().map_err(Error::file(dir, "the directory cannot be used"))?;
        {
            let _held = hold(&dir)?;
            sweep::sweep(&dir)?;
            for name in ["state.json", "exit.json", "stop.json"] {
                let path = dir.join(name);
                match std::fs::remove_file(&path) {
                    Ok(()) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => return Err(Error::file(path, "cannot be removed")(error)),
                }
            }
            let path = dir.join("program.json");
            durable::replace(&path, &words(&path, program)?).map_err(Error::file(path, "cannot be written"))?;
        }
        start(&dir, shim)?;
        Ok(Self { dir })
    }
}

/// Makes an instance's directory, and those above it.
pub(crate) fn make_dir(dir: &Path) -> Result<(), Error> {
    // Others may pass through, as the program may run as another user; what is in it has modes of its own.
    let made = DirBuilder::new().recursive(true).mode(0o711).create(dir);
    made.map_err(Error::file(dir, "cannot be made"))?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    durable::sync_dir(parent).map_err(Error::file(parent, "cannot be written to disk"))
}

fn words(path: &Path, program: &Program) -> Result<Vec<u8>, Error> {
    serde_json::to_vec_pretty(program).map_err(|error| Error::file(path, "cannot be put in words")(error.into()))
}

fn start(dir: &Path, shim: &ShimCommand) -> Result<(), Error> {
    let fail = |why: String| Error::Shim { dir: dir.to_owned(), why };
    let errors = OpenOptions::new().create(true).append(true).mode(0o600).open(dir.join("shim.err"));
    let mut child = Command::new(&shim.binary)
        // What a person sees in a list of processes.
        .arg0("serin")
        .args(&shim.args)
        .arg(dir)
        .env(STAGE_VARIABLE, STAGE_DETACH)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors.map_or_else(|_| Stdio::null(), Stdio::from))
        .spawn()
        .map_err(|error| fail(format!("{} cannot be run: {error}", shim.binary.display())))?;
    let said = child.stdout.take().map(|stdout| first_line(stdout, Instant::now() + SHIM_SPEAKS));
    // It has started the shim proper and ended, or will at once.
    drop(child.wait());
    match said.unwrap_or_default().split_once(' ') {
        None => Err(fail(format!("it said nothing within {} s; see shim.err", SHIM_SPEAKS.as_secs()))),
        Some(("ok", _)) => Ok(()),
        Some((code, sentence)) => Err(Error::Refused {
            dir: dir.to_owned(),
            code: code.parse().unwrap_or(EXIT_UNUSABLE),
            sentence: sentence.trim_end().to_owned(),
        }),
    }
}

/// What is said up to the end of the line, the end of the pipe or the deadline; a whole line ends in a blank here.
fn first_line(mut pipe: ChildStdout, deadline: Instant) -> String {
    let mut said = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let ready = poll(&mut [PollFd::new(&pipe, PollFlags::IN)], Some(&timeout));
        match ready {
            Ok(0) => return String::new(),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return String::new(),
        }
        match pipe.read(&mut bytes) {
            Ok(0) | Err(_) => return String::new(),
            Ok(read) => said.extend_from_slice(&bytes[..read]),
        }
        if let Some(end) = said.iter().position(|byte| *byte == b'\n') {
            return format!("{} ", String::from_utf8_lossy(&said[..end]));
        }
    }
}
