//! One thing that is wrong with a file, and how it is shown: the place, the line, and what to write instead.

use std::{fmt, ops::Range};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity, SourceCode};
use serde::Serialize;

use super::marks::byte_at;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The file is refused.
    Error,
    /// The file is taken; what is said here may surprise.
    Warning,
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub level: Level,
    /// A word for the rule, for those who filter the output. Stable.
    pub rule: &'static str,
    /// Key path that it is about; empty for the whole file.
    pub path: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// A few words beside the place.
    pub label: Option<String>,
    /// Bytes of the text; `None` where it is about nothing that is written.
    pub at: Option<Range<usize>>,
}

impl Problem {
    /// An error without a place.
    pub fn error(rule: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Problem {
            level: Level::Error,
            rule,
            path: path.into(),
            message: message.into(),
            help: None,
            label: None,
            at: None,
        }
    }
    /// A warning without a place.
    pub fn warning(rule: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Problem { level: Level::Warning, ..Problem::error(rule, path, message) }
    }
    /// Adds what to write instead.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
    /// Adds the place.
    pub fn at(mut self, at: Range<usize>) -> Self {
        self.at = Some(at);
        self
    }
}

/// What was found in one file: never empty of errors when it is returned as an error.
#[derive(Clone, Debug)]
pub struct Problems {
    /// Name of the file as it is shown.
    pub name: String,
    /// Its text.
    pub text: String,
    /// What was found, in the order of the text.
    pub list: Vec<Problem>,
}

/// How problems are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// With colours.
    pub colour: bool,
    /// Columns to fill.
    pub width: usize,
}

impl Problems {
    /// Sorts by place; what has none comes last.
    pub fn new(name: String, text: String, mut list: Vec<Problem>) -> Self {
        list.sort_by_key(|p| (p.at.as_ref().map_or(usize::MAX, |a| a.start), p.level));
        Problems { name, text, list }
    }

    /// Whether the file must be refused.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|p| p.level == Level::Error)
    }

    /// Line and column, from 1, of a problem.
    pub fn place(&self, problem: &Problem) -> Option<(usize, usize)> {
        let before = self.text.get(..problem.at.as_ref()?.start)?;
        let line = before.matches('\n').count() + 1;
        Some((line, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1))
    }

    /// Draws all of them for a person.
    pub fn draw(&self, look: Look) -> String {
        let theme = if look.colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(look.width).with_links(false);
        let mut out = String::new();
        for problem in &self.list {
            let shown = Shown { problem, source: NamedSource::new(&self.name, self.text.clone()) };
            if handler.render_report(&mut out, &shown).is_err() {
                out.push_str(&problem.message);
            }
            out.push('\n');
        }
        let trimmed: Vec<_> = out.lines().map(str::trim_end).collect();
        trimmed.join("\n").trim_matches('\n').to_owned() + "\n"
    }

    /// All of them for a program.
    pub fn json(&self) -> serde_json::Value {
        let one = |p: &Problem| {
            let place = self.place(p);
            serde_json::json!({
                "file": self.name, "level": p.level, "rule": p.rule, "path": p.path, "message": p.message,
                "help": p.help, "line": place.map(|p| p.0), "column": place.map(|p| p.1),
            })
        };
        self.list.iter().map(one).collect()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.draw(Look { colour: false, width: 100 }))
    }
}
impl std::error::Error for Problems {}

#[derive(Debug)]
struct Shown<'a> {
    problem: &'a Problem,
    source: NamedSource<String>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.problem.at, self.problem.rule) {
            (Some(_), _) | (None, "file" | "override") => f.write_str(&self.problem.message),
            (None, _) => write!(f, "{}: {}", self.source.name(), self.problem.message),
        }
    }
}
impl std::error::Error for Shown<'_> {}
impl Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<Severity> {
        Some(match self.problem.level {
            Level::Error => Severity::Error,
            Level::Warning => Severity::Warning,
        })
    }
    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.problem.help.as_ref().map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }
    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.problem.at.as_ref().map(|_| &self.source as &dyn SourceCode)
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let at = self.problem.at.clone()?;
        Some(Box::new(std::iter::once(LabeledSpan::new(self.problem.label.clone(), at.start, at.len()))))
    }
}

/// The bytes of the word that begins at a line and column (from 1), for a place of which only the beginning is known.
pub fn word_at(text: &str, line: usize, column: usize) -> Range<usize> {
    let start = byte_at(text, line, column).min(text.len());
    let rest = &text[start..];
    let end = rest.find([' ', '\n', ':', ',', ']', '}']).unwrap_or(rest.len());
    start..start + end.max(usize::from(!rest.is_empty() && end > 0))
}
