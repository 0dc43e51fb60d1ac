//! What a verb is given: options, a clock that does not count builds, a scratch directory, processes that end with it.

use crate::guard::Guard;
use crate::json::Value;
use crate::options::{Length, Options};
use crate::process::{Process, Processes};
use crate::stage::traced::Traced;
use crate::verbs::Verb;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Why a verb did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// What should hold does not, or could not be looked at.
    Fail(String),
    /// This machine lacks what the verb needs; it says what.
    Skip(String),
    /// The words of the command line make no sense.
    Usage(String),
}

impl Stop {
    /// Why, in a sentence.
    pub fn why(self) -> String {
        match self {
            Stop::Fail(why) | Stop::Skip(why) | Stop::Usage(why) => why,
        }
    }
}

impl From<std::io::Error> for Stop {
    fn from(e: std::io::Error) -> Self {
        Stop::Fail(e.to_string())
    }
}

/// A failure with this sentence.
pub fn fail<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Fail(why.into()))
}

/// One run of a verb.
#[derive(Debug)]
pub struct Run {
    label: String,
    options: Options,
    root: PathBuf,
    scratch: PathBuf,
    facts: Vec<(String, Value)>,
    processes: Option<Processes>,
    traced: Traced,
    begin: Instant,
    building: Duration,
    last: Option<String>,
}

impl Run {
    /// A run of `verb`, in an empty scratch directory.
    pub fn new(verb: &Verb, options: Options) -> Result<Run, Stop> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().ok_or(Stop::Fail("xtask has no directory above it".to_owned()))?.to_owned();
        let scratch = root.join("target/xtask").join(format!("{}.run", verb.label()));
        if scratch.exists() {
            std::fs::remove_dir_all(&scratch)?;
        }
        std::fs::create_dir_all(&scratch)?;
        Ok(Run {
            label: verb.label(),
            options,
            root,
            scratch,
            facts: Vec::new(),
            processes: None,
            traced: Traced::default(),
            begin: Instant::now(),
            building: Duration::ZERO,
            last: None,
        })
    }

    /// The repository.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A directory for this run alone; removed at its end unless `--keep` was said.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Whether to do as much as the figure needs.
    pub fn is_long(&self) -> bool {
        self.options.length == Length::Long
    }

    /// What decides everything that is random.
    pub fn seed(&self) -> u64 {
        self.options.seed
    }

    /// The verb's further words.
    pub fn words(&self) -> &[String] {
        &self.options.words
    }

    /// Says on standard error what is going on.
    pub fn say(&self, what: impl AsRef<str>) {
        eprintln!("{}: {}", self.label, what.as_ref());
    }

    /// Adds `key=value` to the closing line and to the file of this run; a key that is there already is replaced.
    pub fn fact(&mut self, key: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.facts.iter_mut().find(|(k, _)| k == key) {
            Some((_, old)) => *old = value,
            None => self.facts.push((key.to_owned(), value)),
        }
    }

    /// The name of the closing line and of the file of this run.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Gives the closing line another name: what was asked for is a part of the verb.
    pub fn close_as(&mut self, label: &str) {
        label.clone_into(&mut self.label);
    }

    /// A line that is printed after the closing line, for readers that want it last.
    pub fn last_line(&mut self, line: String) {
        self.last = Some(line);
    }

    /// Does something whose time is not counted.
    pub fn uncounted<T>(&mut self, what: impl FnOnce(&mut Run) -> Result<T, Stop>) -> Result<T, Stop> {
        let (begin, before) = (Instant::now(), self.building);
        let result = what(self);
        self.building = before + begin.elapsed();
        result
    }

    /// Builds with cargo; not counted. `arguments` are those after `cargo build`.
    pub fn build(&mut self, arguments: &[&str]) -> Result<(), Stop> {
        self.uncounted(|run| {
            run.say(format!("cargo build {}", arguments.join(" ")));
            run.must(run.cargo("build").args(arguments).arg("--quiet"))
        })
    }

    /// `cargo VERB` in the repository.
    pub fn cargo(&self, verb: &str) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        command.arg(verb).current_dir(&self.root);
        command
    }

    /// A program that cargo built here, `release` or not.
    pub fn built(&self, name: &str, release: bool) -> PathBuf {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or(self.root.join("target"), PathBuf::from);
        target.join(if release { "release" } else { "debug" }).join(name)
    }

    /// Runs a command to its end, its output on standard error; anything but success is a failure that names it.
    pub fn must(&self, command: &mut Command) -> Result<(), Stop> {
        let status = command.stdin(Stdio::null()).stdout(std::io::stderr()).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => fail(format!("{} ended with {status}", spoken(command))),
            Err(e) => fail(format!("{} could not be started: {e}", spoken(command))),
        }
    }

    /// The same, with its output in `file`.
    pub fn must_into(&self, command: &mut Command, file: &Path) -> Result<(), Stop> {
        let status = command.stdin(Stdio::null()).stdout(std::fs::File::create(file)?).status()?;
        if status.success() { Ok(()) } else { fail(format!("{} ended with {status}", spoken(command))) }
    }

    /// Starts a process that ends with this run, whatever ends the run.
    pub fn start(&mut self, command: &mut Command) -> Result<Process, Stop> {
        let started = self.processes()?.start(command);
        started.map_err(|e| Stop::Fail(format!("{} could not be started: {e}", spoken(command))))
    }

    /// What starts such processes, for those that outlive a call or run in threads.
    pub fn processes(&mut self) -> Result<Processes, Stop> {
        match &self.processes {
            Some(processes) => Ok(processes.clone()),
            None => Ok(self.processes.insert(Processes::with(Guard::start()?)).clone()),
        }
    }

    /// What all stages of this run are found to have written down.
    pub fn traced(&self) -> Traced {
        self.traced.clone()
    }

    /// Whether scratch directories are to be left.
    pub fn keeps(&self) -> bool {
        self.options.keep
    }

    /// Ends the run: its scratch directory goes, and its facts and counted time are returned.
    pub fn finish(mut self) -> (Vec<(String, Value)>, Duration, Option<String>) {
        let spent = self.begin.elapsed().saturating_sub(self.building);
        let (lines, violations) = (self.traced.lines(), self.traced.violations());
        if lines + violations > 0 {
            self.fact("traced_lines", lines);
            self.fact("trace_violations", violations);
        }
        if self.options.keep {
            self.say(format!("kept {}", self.scratch.display()));
        } else if let Err(e) = std::fs::remove_dir_all(&self.scratch) {
            self.say(format!("{} could not be removed: {e}", self.scratch.display()));
        }
        (self.facts, spent, self.last)
    }
}

/// A command as a person would name it: the program without its directory, and its words.
fn spoken(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    command.get_args().fold(program, |line, word| format!("{line} {}", word.to_string_lossy()))
}
