//! One thing that is wrong with an object: where, what, and what to write instead.
use serde::{Deserialize, Serialize};
use std::fmt;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is released by this object until it is mended. What runs goes on running.
    Error,
    /// The object is taken; what is said here may surprise.
    Warning,
}

/// What kind of rule was broken; stable words for those who filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A value of another kind than the field has: a text where a number belongs, a half where a whole number does.
    Kind,
    /// A value outside of what is possible.
    Value,
    /// A field that must be there and is not.
    Missing,
    /// A field that nobody reads.
    Unknown,
    /// Fields that contradict each other.
    Contradiction,
    /// Something that Serin does not carry out yet.
    Unsupported,
    /// Something that has no effect here.
    NoEffect,
    /// A reference to an object that is not there or cannot be used.
    Reference,
    /// Something that is taken, and means something that one may not expect.
    Surprise,
}

impl Rule {
    /// The word that is shown.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Value => "value",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Contradiction => "contradiction",
            Self::Unsupported => "unsupported",
            Self::NoEffect => "no-effect",
            Self::Reference => "reference",
            Self::Surprise => "surprise",
        }
    }
}

/// One thing that is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Which kind of rule.
    pub rule: Rule,
    /// The field, such as `spec.analysis.stepWeights[2]`; empty for the whole object.
    pub path: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl Problem {
    /// An error.
    pub fn error(rule: Rule, path: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> Problem {
        let (path, message, help) = (path.into(), message.into(), help.into());
        Problem { severity: Severity::Error, rule, path, message, help }
    }

    /// A warning.
    pub fn warning(
        rule: Rule,
        path: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(rule, path, message, help) }
    }

    /// Whether the object is refused for it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// One line: `error spec.service.port (value): 0 is not a port; write a number from 1 to 65535`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.is_error() { "error" } else { "warning" };
        let place = if self.path.is_empty() { "the object" } else { &self.path };
        write!(f, "{severity} {place} ({}): {}", self.rule.word(), self.message)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, "; {}", self.help) }
    }
}

impl std::error::Error for Problem {}

/// The most problems that are told of one object: what is beyond is counted.
pub const MOST: usize = 50;

/// Problems as they are found. It keeps the first [`MOST`] errors and as many warnings, and counts the others, so that
/// an object with a hundred thousand mistakes does not fill a status or a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    list: Vec<Problem>,
    errors: usize,
    warnings: usize,
}

impl Found {
    /// Adds a warning, which is only made where there is still room for it.
    pub(crate) fn warn(&mut self, make: impl FnOnce() -> Problem) {
        if self.warnings < MOST {
            self.add(make());
        } else {
            self.warnings += 1;
        }
    }

    pub(crate) fn add(&mut self, problem: Problem) {
        let count = if problem.is_error() { &mut self.errors } else { &mut self.warnings };
        *count += 1;
        if *count <= MOST {
            self.list.push(problem);
        }
    }

    /// Adds what a later look found, unless an error stands at this field, above it or below it: what could not be
    /// read is reported once, and nothing is concluded from it.
    pub(crate) fn add_unless_known(&mut self, problem: Problem) {
        let related = |p: &Problem| p.is_error() && (within(&p.path, &problem.path) || within(&problem.path, &p.path));
        if !self.list.iter().any(related) {
            self.add(problem);
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// All of them, errors first, with a last line for those that are not told.
    pub(crate) fn finish(mut self) -> Vec<Problem> {
        self.list.sort_by_key(|p| p.severity);
        let beyond = self.errors.saturating_sub(MOST) + self.warnings.saturating_sub(MOST);
        if beyond > 0 {
            let message = format!("{beyond} more problems are not listed");
            let severity = if self.errors > MOST { Severity::Error } else { Severity::Warning };
            let help = "mend the first ones, then the others are shown";
            self.list.push(Problem { severity, ..Problem::error(Rule::Value, "", message, help) });
        }
        self.list
    }
}

/// Whether `inner` is `outer` or a field below it.
fn within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(path: &str) -> Problem {
        Problem::error(Rule::Value, path, "it is wrong", "write it right")
    }

    #[test]
    fn a_problem_is_one_line() {
        assert_eq!(wrong("spec.a[2]").to_string(), "error spec.a[2] (value): it is wrong; write it right");
        let whole = Problem::warning(Rule::Surprise, "", "odd", "");
        assert_eq!(whole.to_string(), "warning the object (surprise): odd");
    }

    #[test]
    fn what_follows_from_an_error_is_not_told_again() {
        let mut found = Found::default();
        found.add(wrong("spec.service"));
        found.add_unless_known(wrong("spec.service.port"));
        found.add_unless_known(wrong("spec"));
        found.add_unless_known(wrong("spec.serviceName"));
        let paths: Vec<String> = found.finish().into_iter().map(|p| p.path).collect();
        assert_eq!(paths, ["spec.service", "spec.serviceName"]);
    }

    #[test]
    fn many_problems_are_counted_and_not_listed() {
        let mut found = Found::default();
        for i in 0..1_000 {
            found.add(wrong(&format!("spec.a[{i}]")));
        }
        let list = found.finish();
        assert_eq!(list.len(), MOST + 1);
        assert_eq!(list[MOST].message, "950 more problems are not listed");
        assert!(list[MOST].is_error());
    }
}
