//! One service under Serin on this machine, as a `show` verb needs it: a scratch state directory, `serin.yaml`, the
//! controller (which may be killed and started again), the proxy's own counters, and a load.
//!
//! What it starts is built with the dev profile, whose overflow checks and debug assertions are wanted here and which
//! the tests have built already; with `--long` in release, as it runs in production. Everything ends with the stage:
//! `serin down --purge`, then whatever shim is left below its directory; also when the verb fails, panics or is killed.

pub mod abreast;
pub mod controller;
pub mod dataplane;
pub mod observed;
pub mod shims;
pub mod spec;
pub mod traced;
pub mod traffic;

use crate::json::Value;
use crate::process::{Process, Processes};
use crate::run::{Run, Stop, fail};
use spec::Spec;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Nothing that is waited for here takes longer on a machine that is merely busy.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// From one look to the next.
const LOOK: Duration = Duration::from_millis(50);
/// How long `serin down` may take: requests and WebSockets may be open.
const DOWN: Duration = Duration::from_secs(90);

/// The programs that a stage needs, built.
#[derive(Debug, Clone)]
pub struct Tools {
    /// `serin`.
    pub serin: PathBuf,
    /// `serin-load`.
    pub load: PathBuf,
    /// `serin-sim`, which holds against the simulated world what the service writes down.
    pub sim: PathBuf,
}

impl Tools {
    /// Builds them; not counted. See the module for the profile.
    ///
    /// # Errors
    /// When the build fails.
    pub fn build(run: &mut Run) -> Result<Tools, Stop> {
        let release = run.is_long();
        let mut arguments = vec!["--package", "serin", "--package", "serin-load", "--bins"];
        arguments.extend(release.then_some("--release"));
        run.build(&arguments)?;
        run.build(&["--package", "serin-sim"])?;
        let [serin, load] = ["serin", "serin-load"].map(|name| run.built(name, release));
        Ok(Tools { serin, load, sim: run.built("serin-sim", false) })
    }
}

/// What a command printed, and how it ended.
#[derive(Debug, Clone)]
pub struct Said {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// A service with its own state directory. Ended when dropped.
#[derive(Debug)]
pub struct Stage {
    label: String,
    place: PathBuf,
    tools: Tools,
    processes: Processes,
    service: String,
    listen: SocketAddr,
    controller: Option<Process>,
    commands: AtomicU32,
    traced: traced::Traced,
    keep: bool,
    ended: bool,
}

impl Stage {
    /// Makes the directory and writes `spec` as its `serin.yaml`; nothing runs yet. The spec's `listen` gets a free port
    /// where it has none.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn set(run: &mut Run, tools: &Tools, spec: &mut Spec) -> Result<Stage, Stop> {
        // The paths of unix sockets are at most 107 bytes long, so this is not below the repository.
        static STAGES: AtomicU32 = AtomicU32::new(0);
        let number = STAGES.fetch_add(1, Ordering::Relaxed);
        let place = std::env::temp_dir().join(format!("serin-{}-{number}", std::process::id()));
        std::fs::create_dir(&place)?;
        let processes = run.processes()?;
        processes.watch_shims(&place)?;
        if spec.listen.port() == 0 {
            spec.listen = TcpListener::bind(spec.listen)?.local_addr()?;
        }
        let stage = Stage {
            label: format!("{}[{}]", spec.service, spec.replicas),
            place,
            tools: tools.clone(),
            processes,
            service: spec.service.clone(),
            listen: spec.listen,
            controller: None,
            commands: AtomicU32::new(0),
            traced: run.traced(),
            keep: run.keeps(),
            ended: false,
        };
        stage.write(spec)?;
        Ok(stage)
    }

    /// Replaces `serin.yaml`; the next `serin deploy` takes it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, spec: &Spec) -> Result<(), Stop> {
        Ok(std::fs::write(self.file(), spec.yaml())?)
    }

    /// The scratch directory of this stage.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// The service's state directory: `store.redb`, `proxy/`, `instances/`.
    pub fn state(&self) -> PathBuf {
        self.place.join("state").join(&self.service)
    }

    /// Where the service's file is.
    pub fn file(&self) -> PathBuf {
        self.place.join("serin.yaml")
    }

    /// Where the proxy takes requests.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// `serin` with these words, on this stage's file and state, not yet started.
    pub fn serin(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.tools.serin);
        command.args(words).arg("--file").arg(self.file()).env("SERIN_STATE", self.place.join("state"));
        command.current_dir(&self.place).stdin(Stdio::null());
        command
    }

    /// Runs `serin` with these words to its end.
    ///
    /// # Errors
    /// When it cannot be started, or takes longer than `most`.
    pub fn ask(&self, words: &[&str], most: Duration) -> Result<Said, Stop> {
        let mut running = self.begin(words)?;
        running.end(most)
    }

    /// Runs `serin` with these words, which must be done.
    ///
    /// # Errors
    /// What it said instead.
    pub fn must(&self, words: &[&str]) -> Result<(), Stop> {
        let said = self.ask(words, PATIENCE)?;
        if said.code == Some(0) { Ok(()) } else { fail(format!("serin {} said {said:?}", words.join(" "))) }
    }

    /// Starts `serin` with these words; its output is read by [`Asked::end`].
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn begin(&self, words: &[&str]) -> Result<Asked, Stop> {
        let number = self.commands.fetch_add(1, Ordering::Relaxed);
        let files = ["out", "err"].map(|stream| self.place.join(format!("command-{number}.{stream}")));
        let mut command = self.serin(words);
        command.stdout(std::fs::File::create(&files[0])?).stderr(std::fs::File::create(&files[1])?);
        let process = self.processes.start(&mut command)?;
        Ok(Asked { words: words.join(" "), process, files })
    }

    /// What `serin status` says now.
    ///
    /// # Errors
    /// When it says nothing: no controller runs, or it has just begun.
    pub fn status(&self) -> Result<Value, Stop> {
        let said = self.ask(&["status", "--output", "json"], PATIENCE)?;
        if said.code != Some(0) {
            return fail(format!("serin status ended with {:?}: {}", said.code, said.err.trim()));
        }
        Value::parse(said.out.trim()).map_err(|e| Stop::Fail(format!("serin status: {e}: {}", said.out)))
    }

    /// Waits until the status is as wanted, and returns it. A controller that is away is waited for.
    ///
    /// # Errors
    /// When that takes longer than `most`; the sentence holds what was seen last.
    pub fn wait(&self, what: &str, most: Duration, mut wanted: impl FnMut(&Value) -> bool) -> Result<Value, Stop> {
        let begin = Instant::now();
        let mut last = String::new();
        while begin.elapsed() < most {
            match self.status() {
                Ok(status) if wanted(&status) => return Ok(status),
                Ok(status) => last = status.to_string(),
                Err(stop) => last = stop.why(),
            }
            std::thread::sleep(LOOK);
        }
        fail(format!("{}: {what}: not within {} s; last seen: {last}", self.label, most.as_secs()))
    }

    /// Says on standard error what is going on.
    pub fn say(&self, what: impl AsRef<str>) {
        eprintln!("{}: {}", self.label, what.as_ref());
    }

    /// Starts a process that ends with this run.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, command: &mut Command) -> Result<Process, Stop> {
        Ok(self.processes.start(command)?)
    }

    /// Runs the monitors over what the service wrote down, then ends everything by `serin down --purge`, which must do it
    /// alone: whatever it leaves is a failure.
    ///
    /// # Errors
    /// What the monitors found, or when the end fails, or leaves a shim.
    pub fn end(mut self) -> Result<(), Stop> {
        self.trace()?;
        let said = self.ask(&["down", "--purge", "--output", "json"], DOWN)?;
        let left = shims::below(&self.place);
        self.ended = said.code == Some(0) && left.is_empty();
        if !self.ended {
            return fail(format!("serin down ended with {:?} and left {} shims: {}", said.code, left.len(), said.err));
        }
        Ok(())
    }

    /// The end of a stage on which nothing was to start: whatever runs is a failure.
    ///
    /// # Errors
    /// When a shim runs, or a store was made.
    pub fn never_ran(mut self) -> Result<(), Stop> {
        let left = shims::below(&self.place);
        self.ended = left.is_empty();
        match (self.ended, self.state().join("store.redb").exists()) {
            (true, false) => Ok(()),
            (_, made) => fail(format!("{} shims run, store made: {made}", left.len())),
        }
    }

    /// The end when something went wrong: what the controller said, then the same end by force.
    fn abandon(&mut self) {
        if let Ok(log) = std::fs::read_to_string(self.controller_log()) {
            let lines: Vec<&str> = log.lines().collect();
            for line in &lines[lines.len().saturating_sub(40)..] {
                eprintln!("{}: | {line}", self.label);
            }
        }
        if let Err(stop) = self.trace() {
            eprintln!("{}: {}", self.label, stop.why());
            self.keep = true; // what was found is in the journals
        }
        self.controller = None;
        let ended = self.ask(&["down", "--purge"], DOWN);
        if !ended.is_ok_and(|said| said.code == Some(0)) {
            eprintln!("{}: serin down failed; what is left is killed", self.label);
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.ended {
            self.abandon();
        }
        self.controller = None;
        shims::kill(&self.place);
        let kept = self.keep;
        if kept {
            eprintln!("{}: kept {}", self.label, self.place.display());
        } else if let Err(e) = std::fs::remove_dir_all(&self.place) {
            eprintln!("{}: {} could not be removed: {e}", self.label, self.place.display());
        }
    }
}

/// A running command of `serin`.
#[derive(Debug)]
pub struct Asked {
    words: String,
    process: Process,
    files: [PathBuf; 2],
}

impl Asked {
    /// What it has printed so far, on either stream.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn so_far(&self) -> Result<String, Stop> {
        Ok(std::fs::read_to_string(&self.files[0])? + &std::fs::read_to_string(&self.files[1])?)
    }

    /// What it printed, when it ends within `most`.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn look(&mut self, most: Duration) -> Result<Option<Said>, Stop> {
        let Some(status) = self.process.wait(most)? else { return Ok(None) };
        let [out, err] = [&self.files[0], &self.files[1]].map(std::fs::read_to_string);
        Ok(Some(Said { code: status.code(), out: out?, err: err? }))
    }

    /// Waits for its end and reads what it printed.
    ///
    /// # Errors
    /// When it takes longer than `most`; it is ended then.
    pub fn end(&mut self, most: Duration) -> Result<Said, Stop> {
        let ended = self.process.wait(most)?;
        let [out, err] = [&self.files[0], &self.files[1]].map(std::fs::read_to_string);
        let (out, err) = (out?, err?);
        match ended {
            Some(status) => Ok(Said { code: status.code(), out, err }),
            None => fail(format!("serin {} did not end within {} s: {out}{err}", self.words, most.as_secs())),
        }
    }
}
