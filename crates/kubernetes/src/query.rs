//! Queries with places for names, as a `MetricTemplate` and an inline `query` write them: the part of Go's templates that
//! Flagger documents.
//!
//! A place is `{{ NAME }}`. `NAME` is one of `name`, `namespace`, `target`, `service`, `ingress`, `route`, `interval`;
//! `variables.foo` and `index variables "foo"` are what the metric's `templateVariables` say; `"text"` is itself, for a
//! query that needs braces; `/* … */` is nothing. Parentheses may stand around a place's expression, and `{{-` and `-}}`
//! take away the white space before and after it. Source: the documentation of Go's `text/template`, and of Flagger's
//! metric analysis. Everything else of Go's language (conditions, loops, pipes, other functions) is an error that names
//! it; so is a variable that the metric does not have, also where `index` would give Go an empty text.
//!
//! What is filled in is plain text, as with Flagger: nothing is escaped. People put whole label matchers into variables
//! and rely on that. Names of Kubernetes objects have no character that would need it, and who may write a variable may
//! write the query too.
use crate::decode::cut;
use serin_near::nearest;
use std::collections::BTreeMap;

/// What places stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The canary's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The workload's name.
    pub target: String,
    /// The apex service's name.
    pub service: String,
    /// The Ingress; the workload's name where there is none.
    pub ingress: String,
    /// The route; the workload's name where there is none.
    pub route: String,
    /// How far the metric looks back.
    pub interval: String,
    /// The metric's `templateVariables`.
    pub variables: BTreeMap<String, String>,
}

/// The functions without an argument.
const PLACES: [&str; 7] = ["name", "namespace", "target", "service", "ingress", "route", "interval"];

/// Why a query cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A place without an end.
    #[error("`{{{{` has no `}}}}` after it: {0}")]
    Open(String),
    /// Something in a place that is not understood.
    #[error("`{{{{ {0} }}}}` is not understood")]
    Strange(String),
    /// A name that stands for nothing.
    #[error("`{{{{ {name} }}}}` stands for nothing")]
    Unknown {
        /// The name.
        name: String,
        /// What may have been meant.
        meant: Option<&'static str>,
    },
    /// A variable that the metric does not have.
    #[error("the metric has no variable `{0}` in its templateVariables")]
    Variable(String),
}

impl QueryError {
    /// What to write instead.
    #[must_use]
    pub fn help(&self) -> String {
        let places = format!("write one of {}, variables.NAME", PLACES.join(", "));
        match self {
            Self::Open(_) => "close it with `}}`, or write {{ \"{{\" }} where braces are meant".to_owned(),
            Self::Strange(_) => format!("{places}; conditions, loops and pipes are not read"),
            Self::Unknown { meant: Some(meant), .. } => format!("did you mean `{meant}`?"),
            Self::Unknown { meant: None, .. } => places,
            Self::Variable(name) => format!("add `templateVariables: {{{name}: …}}` to the metric"),
        }
    }
}

/// The query with its places filled in.
///
/// # Errors
/// The first place that cannot be.
pub fn render(query: &str, names: &Names) -> Result<String, QueryError> {
    let mut out = String::with_capacity(query.len());
    let mut rest = query;
    let mut trims = false;
    while let Some((text, after)) = rest.split_once("{{") {
        let text = if trims { text.trim_start() } else { text };
        let (before, inside) = match after.strip_prefix('-').filter(|inside| inside.starts_with(char::is_whitespace)) {
            Some(inside) => (text.trim_end(), inside),
            None => (text, after),
        };
        out.push_str(before);
        let end = end_of(inside).ok_or_else(|| QueryError::Open(cut(inside).to_owned()))?;
        let expression = &inside[..end];
        rest = &inside[end + 2..];
        let left = expression.strip_suffix('-').filter(|left| left.ends_with(char::is_whitespace));
        trims = left.is_some();
        out.push_str(&value(left.unwrap_or(expression).trim(), names)?);
    }
    out.push_str(if trims { rest.trim_start() } else { rest });
    Ok(out)
}

/// Where the place ends: the first `}}` outside of quotes and comments.
fn end_of(inside: &str) -> Option<usize> {
    let mut quote = None;
    let mut skip = false;
    for (at, c) in inside.char_indices() {
        if skip {
            skip = false;
            continue;
        }
        match quote {
            Some('"') if c == '\\' => skip = true,
            Some('*') if c == '*' && inside[at + 1..].starts_with('/') => quote = None,
            Some('*') => {}
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '`' => quote = Some(c),
            None if c == '/' && inside[at + 1..].starts_with('*') => quote = Some('*'),
            None if inside[at..].starts_with("}}") => return Some(at),
            None => {}
        }
    }
    None
}

/// What the expression of a place stands for.
fn value(expression: &str, names: &Names) -> Result<String, QueryError> {
    let strange = || QueryError::Strange(cut(expression).to_owned());
    if expression.starts_with("/*") && expression.ends_with("*/") && expression.len() >= 4 {
        return Ok(String::new());
    }
    let mut bare = expression;
    while let Some(inner) = bare.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        if inner.contains(['(', ')']) && !(inner.starts_with('(') && inner.ends_with(')')) {
            break;
        }
        bare = inner.trim();
    }
    if let Some(text) = quoted(bare) {
        return text.ok_or_else(strange);
    }
    if let Some(key) = bare.strip_prefix("variables.").or_else(|| bare.strip_prefix("(variables).")) {
        return if is_name(key) { variable(key, names) } else { Err(strange()) };
    }
    if let Some(arguments) = bare.strip_prefix("index").filter(|rest| rest.starts_with(char::is_whitespace)) {
        let key = arguments.trim_start().strip_prefix("variables").map(str::trim_start);
        return match key.and_then(quoted) {
            Some(Some(key)) => variable(&key, names),
            Some(None) | None => Err(strange()),
        };
    }
    if !is_name(bare) {
        return Err(strange());
    }
    let filled = match bare {
        "name" => &names.name,
        "namespace" => &names.namespace,
        "target" => &names.target,
        "service" => &names.service,
        "ingress" => &names.ingress,
        "route" => &names.route,
        "interval" => &names.interval,
        other => {
            let meant = nearest(other, PLACES).and_then(|near| PLACES.into_iter().find(|place| *place == near));
            return Err(QueryError::Unknown { name: cut(other).to_owned(), meant });
        }
    };
    Ok(filled.clone())
}

fn variable(key: &str, names: &Names) -> Result<String, QueryError> {
    names.variables.get(key).cloned().ok_or_else(|| QueryError::Variable(cut(key).to_owned()))
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_') && chars.all(|c| c.is_alphanumeric() || c == '_')
}

/// A text in quotes, if it is one; `Some(None)` where the quotes hold something that is not understood.
fn quoted(text: &str) -> Option<Option<String>> {
    if let Some(raw) = text.strip_prefix('`') {
        return Some(raw.strip_suffix('`').filter(|raw| !raw.contains('`')).map(str::to_owned));
    }
    let inner = text.strip_prefix('"')?;
    let Some(inner) = inner.strip_suffix('"') else { return Some(None) };
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Some(None),
            '\\' => match chars.next() {
                Some(c @ ('"' | '\\')) => out.push(c),
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(_) | None => return Some(None),
            },
            c => out.push(c),
        }
    }
    Some(Some(out))
}

#[cfg(test)]
mod tests;
