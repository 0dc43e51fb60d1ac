//! The YAML reader's errors in words for a newcomer: which key, what is wrong, what to write instead.

use serde_saphyr::Error;
use serin_near::nearest;

use super::{
    marks::{Marks, byte_at},
    problem::{Problem, word_at},
};

/// Turns an error of the YAML reader into a problem of `text`.
pub fn explain(text: &str, marks: &Marks, error: &Error) -> Problem {
    let error = error.without_snippet();
    let place =
        error.location().map(|l| (usize::try_from(l.line()).unwrap_or(1), usize::try_from(l.column()).unwrap_or(1)));
    let place = place.filter(|p| p.0 > 0);
    let mark = place.and_then(|(line, column)| marks.at(byte_at(text, line, column)));
    let path = mark.map(|m| m.path.clone()).unwrap_or_default();
    let problem = say(error, &path, text);
    let at = place.map(|(line, column)| {
        let word = word_at(text, line, column);
        match mark {
            Some(m) if m.value.start == word.start => m.value.clone(),
            Some(m) if m.key.start == word.start => m.key.clone(),
            Some(_) | None => word,
        }
    });
    match at {
        Some(at) if problem.rule == "wrong-kind" && text[at.start..].starts_with('{') => {
            problem.at(at).help("a value that begins with `{{` must be in quotes: \"{{port}}\"")
        }
        Some(at) if problem.rule != "missing-key" && !text.trim().is_empty() => problem.at(at),
        Some(_) | None => problem,
    }
}

/// The parent of a key path, as words.
fn parent(path: &str) -> String {
    match path.rfind('.') {
        Some(cut) => format!("`{}`", &path[..cut]),
        None => "the file".to_owned(),
    }
}

fn list(words: &[&str]) -> String {
    words.join(", ")
}

// The reader's error type is another crate's, has some sixty variants and grows: what is not named here is shown as it says it.
#[allow(clippy::wildcard_enum_match_arm)]
fn say(error: &Error, path: &str, text: &str) -> Problem {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => unknown_key(field, expected, path),
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            let mut problem = Problem::error("unknown-value", path, format!("`{path}` cannot be `{variant}`"))
                .help(format!("it can be: {}", list(expected)));
            problem.label = nearest(variant, expected.iter().copied()).map(|n| format!("did you mean `{n}`?"));
            problem
        }
        Error::SerdeMissingField { field, .. } => missing(field, path, text),
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => wrong_kind(path, expected, Some(unexpected)),
        Error::Unexpected { expected, .. } => wrong_kind(path, plain_kind(expected), None),
        Error::InvalidScalar { ty, .. } => wrong_kind(path, plain_kind(ty), None),
        Error::InvalidBooleanStrict { .. } => wrong_kind(path, "true or false", None),
        Error::NullIntoString { .. } => wrong_kind(path, "a text, and nothing is written here", None),
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("a key");
            Problem::error("twice", path, format!("`{key}` is written twice in the same map"))
                .help("keep one of the two: it would be unclear which one holds")
        }
        Error::Eof { .. } => empty(),
        Error::MultipleDocuments { .. } => {
            Problem::error("two-documents", "", "there is more than one document in this file (a line `---`)")
                .help("write one service in one file")
        }
        Error::UnknownAnchor { .. } => {
            Problem::error("syntax", path, "this alias (`*name`) has no anchor (`&name`) before it")
                .help("a value that begins with `*` must be in quotes")
        }
        Error::AliasError { error, .. } => say(error.without_snippet(), path, text),
        Error::Message { msg, .. } if path.is_empty() => Problem::error("value", path, msg.clone()),
        Error::Message { msg, .. } => Problem::error("value", path, format!("`{path}`: {msg}")),
        Error::ExternalMessage { msg, .. } => syntax(msg, text),
        other if text.trim().is_empty() => {
            let _ = other;
            empty()
        }
        other => syntax(&other.to_string(), text),
    }
}

fn empty() -> Problem {
    Problem::error("empty", "", "the file is empty").help("the least that is needed:\n  service: shop\n  listen: 127.0.0.1:8080\n  run:\n    command: ./shop --port {{port}}")
}

fn unknown_key(field: &str, expected: &[&str], path: &str) -> Problem {
    let mut problem = Problem::error("unknown-key", path, format!("there is no key `{field}` in {}", parent(path)));
    problem.label = moved(field)
        .map(str::to_owned)
        .or_else(|| nearest(field, expected.iter().copied()).map(|n| format!("did you mean `{n}`?")));
    problem.help(format!("keys of {}: {}", parent(path), list(expected)))
}

/// Words of other tools for something that has another name here.
fn moved(field: &str) -> Option<&'static str> {
    Some(match field {
        "image" => "Serin runs a program: see `run.command`",
        "cmd" | "args" | "exec" => "write the program and its arguments as `command`",
        "environment" => "did you mean `env`?",
        "instances" | "count" | "scale" => "did you mean `replicas`?",
        "port" | "ports" | "bind" | "address" => "see `listen` (Serin's address) and `run.port` (the program's)",
        "canary" | "stepWeight" | "maxWeight" | "stepWeights" => "see `release.weights` with `start`, `step` and `max`",
        "threshold" => "see `analysis.failures`",
        "on_failure" | "auto_revert" => {
            "a failed release always goes back to the old version; see `on_abort` for the new one"
        }
        "strategy" => "write `weights`, `blue_green` or `canary_kept` under `release`",
        "workdir" | "working_dir" | "working_directory" => "did you mean `cwd`?",
        _ => return None,
    })
}

fn missing(field: &str, path: &str, text: &str) -> Problem {
    if text.trim().is_empty() {
        return empty();
    }
    let (owner, example) = match field {
        "service" => ("", "service: shop"),
        "listen" => ("", "listen: 127.0.0.1:8080"),
        "run" => ("", "run:\n    command: ./shop --port {{port}}"),
        "command" => ("run", "command: ./shop --port {{port}}"),
        "weight" => ("steps", "weight: 10%"),
        "min" => ("success_rate", "min: 99%"),
        "max" => ("latency", "max: 500ms"),
        "path" => ("http", "path: /healthz"),
        "address" => ("listen", "address: 127.0.0.1:8080"),
        _ => ("", "from: app.toml"),
    };
    let path = up_to(path, owner);
    let of = if path.is_empty() { "the file".to_owned() } else { format!("`{path}`") };
    Problem::error("missing-key", path, format!("the key `{field}` is missing in {of}"))
        .help(format!("write for example\n  {example}"))
}

/// The part of a key path that ends in the key `owner` (perhaps with an index): the reader names any place below it.
fn up_to<'a>(path: &'a str, owner: &str) -> &'a str {
    let mut end = 0;
    for part in path.split('.') {
        let start = if end == 0 { 0 } else { end + 1 };
        end = start + part.len();
        if part.split('[').next() == Some(owner) {
            return &path[..end];
        }
    }
    ""
}

fn wrong_kind(path: &str, expected: &str, found: Option<&str>) -> Problem {
    let what = if path.is_empty() { "the file".to_owned() } else { format!("`{path}`") };
    let expected = if expected.starts_with("struct ") { "a map of keys" } else { expected };
    let found = found
        .map(|f| {
            format!(
                ", but this is {}",
                f.replace("unit value", "nothing").replace("map", "a map").replace("sequence", "a list")
            )
        })
        .unwrap_or_default();
    let problem = Problem::error("wrong-kind", path, format!("{what} must be {expected}{found}"));
    match (expected, path) {
        (_, "") => problem.help("a file begins with keys, such as `service: shop`"),
        ("a map of keys", "health.http") => problem.help("write\n  http:\n    path: /healthz"),
        ("a map of keys", _) => problem.help("write its keys below it, indented by two blanks"),
        _ => problem,
    }
}

/// Names of Rust's and serde's kinds in plain words.
fn plain_kind(kind: &str) -> &str {
    match kind {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative",
        "bool" | "boolean" => "true or false",
        "mapping start" | "mapping" => "a map of keys",
        "sequence start" | "sequence" => "a list",
        "string" | "string scalar" | "scalar" => "a text",
        other => other,
    }
}

fn syntax(message: &str, text: &str) -> Problem {
    let first = message.lines().next().unwrap_or_default();
    let problem = Problem::error("syntax", "", format!("this is not YAML: {first}"));
    if text.contains('\t') {
        problem.help("there is a tab in this file: YAML is indented with blanks only")
    } else if text.contains("{{") && first.contains("flow") {
        problem.help("a value that begins with `{{` must be in quotes: \"{{port}}\"")
    } else {
        problem.help("look for a missing `:`, a bracket or quote that is not closed, or lines that are indented unevenly, here or just above")
    }
}
