//! Where output goes: colours and width of a terminal, JSON, failures.

use std::{
    future::Future,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use serin_api::ClientError;

use super::{Output, exit};
use crate::config::{Look, Problems};

/// How and to whom output is written.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Text or JSON.
    pub output: Output,
    /// Whether a person watches standard output, so that a line may be drawn again.
    pub live: bool,
    /// Colours.
    pub paint: Paint,
}

/// Colours, or none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Paint(pub bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
    /// As it should be.
    pub fn green(self, text: &str) -> String {
        self.with("32", text)
    }
    /// Failed.
    pub fn red(self, text: &str) -> String {
        self.with("31", text)
    }
    /// Worth a look.
    pub fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }
    /// A name.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }
    /// Less important.
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }
}

/// Why a verb could not do its work.
#[derive(Debug)]
pub struct Failure {
    /// Exit code.
    pub code: u8,
    /// What is wrong.
    pub error: String,
    /// What to do about it.
    pub hint: String,
}

impl Failure {
    /// A failure with what to do about it.
    pub fn new(code: u8, error: impl Into<String>, hint: impl Into<String>) -> Self {
        Failure { code, error: error.into(), hint: hint.into() }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Api(e) => {
                Failure::new(if e.status < 500 { exit::REFUSED } else { exit::FAILED }, e.error, e.hint)
            }
            ClientError::NotRunning { .. } | ClientError::NotAllowed { .. } => {
                Failure::new(exit::REFUSED, error.to_string(), "")
            }
            ClientError::Broken { .. } => Failure::new(
                exit::FAILED,
                error.to_string(),
                "what was under way goes on when it is back; `serin status` shows it",
            ),
        }
    }
}

impl Terminal {
    /// Looks at standard output. Colours only on a terminal, and not with NO_COLOR or TERM=dumb.
    pub fn new(output: Output) -> Self {
        let live =
            output == Output::Text && io::stdout().is_terminal() && std::env::var("TERM").is_ok_and(|t| t != "dumb");
        Terminal { output, live, paint: Paint(live && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())) }
    }

    /// Columns of the terminal; 100 where there is none.
    pub fn width(&self) -> usize {
        let seen = rustix::termios::tcgetwinsize(io::stdout()).ok().map(|s| usize::from(s.ws_col));
        seen.filter(|columns| *columns > 0).map_or(100, |columns| columns.clamp(40, 200))
    }

    /// How problems of a file are drawn on standard error.
    pub fn look(&self) -> Look {
        let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Look { colour, width: if io::stderr().is_terminal() { self.width() } else { 100 } }
    }

    /// Writes text to standard output. When nobody reads it any more, the process ends, as `yes | head` does.
    pub fn print(&self, text: &str) {
        let mut out = io::stdout().lock();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            std::process::exit(i32::from(exit::DONE));
        }
    }

    /// Writes the whole result of a verb whose exit code is a verdict, and answers with that code. It is the same where
    /// nobody reads to the end, and another one where the result cannot be written.
    pub fn conclude(&self, text: &str, code: u8) -> ExitCode {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
                self.fail(&Failure::new(exit::FAILED, format!("the result cannot be written: {e}"), ""))
            }
            Ok(()) | Err(_) => ExitCode::from(code),
        }
    }

    /// Writes one value as a line of JSON.
    pub fn json<T: serde::Serialize>(&self, value: &T) {
        match serde_json::to_string(value) {
            Ok(line) => self.print(&(line + "\n")),
            Err(e) => self.print(&format!("{}\n", serde_json::json!({ "error": e.to_string() }))),
        }
    }

    /// Writes a remark for people to standard error.
    pub fn note(&self, text: &str) {
        let _ = writeln!(io::stderr(), "{text}"); // a remark that nobody can read is none
    }

    /// Says why a verb could not do its work, on standard error.
    pub fn fail(&self, failure: &Failure) -> ExitCode {
        match self.output {
            Output::Json => self.note(&serde_json::json!({ "error": failure.error, "hint": failure.hint }).to_string()),
            Output::Text => {
                let hint = if failure.hint.is_empty() {
                    String::new()
                } else {
                    format!("\n  {}", failure.hint.replace('\n', "\n  "))
                };
                self.note(&format!("{} {}{hint}", self.paint.red("error:"), failure.error));
            }
        }
        ExitCode::from(failure.code)
    }

    /// Shows what is wrong with a file.
    pub fn problems(&self, problems: &Problems) {
        match self.output {
            Output::Json => self.json(&problems.json()),
            Output::Text if problems.list.is_empty() => {}
            Output::Text => self.note(problems.draw(self.look()).trim_end()),
        }
    }

    /// Runs the asynchronous part of a verb on this thread.
    ///
    /// # Errors
    /// The part's own failure, or that the system gives us no event queue.
    pub fn block_on(&self, work: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|e| Failure::new(exit::FAILED, format!("cannot start: {e}"), ""))?.block_on(work)
    }
}
