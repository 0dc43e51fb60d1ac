//! `serin.yaml`: read, checked and resolved.
//!
//! [`File`] is what a person wrote, [`Spec`] what it means. Reading never starts anything. An error names the place
//! (line and column), shows it, and says what to write instead.

mod checks;
mod diff;
mod explain;
pub mod file;
mod lint;
mod marks;
mod overrides;
mod placeholders;
pub mod problem;
pub mod quantity;
mod revision;
mod schema;
pub mod spec;
#[cfg(test)]
mod tests;
pub mod written;

use std::path::{Path, PathBuf};

use garde::Validate;

pub use self::{
    diff::diff,
    file::File,
    overrides::Overrides,
    problem::{Level, Look, Problem, Problems},
    revision::RevisionContent,
    schema::schema,
    spec::Spec,
};
use self::{explain::explain, lint::Surroundings, marks::Marks};

/// The largest `serin.yaml` that is read.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A file that can be released, with what was said about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// As written.
    pub file: File,
    /// As meant, overrides included.
    pub spec: Spec,
    /// Hash of what the file itself says, without overrides: another one means that the file was edited.
    pub file_hash: String,
    /// How the overrides changed it; empty without overrides.
    pub changes: Vec<String>,
    /// Warnings only.
    pub warnings: Problems,
}

/// Reads, checks and resolves `path`, with `overrides`. `state` is the directory of all services' state, if known.
///
/// # Errors
/// All that is wrong with the file, at least one error.
pub fn load(path: &Path, overrides: &Overrides, state: Option<&Path>) -> Result<Loaded, Problems> {
    let name = path.display().to_string();
    let text = read(path).map_err(|problem| Problems::new(name.clone(), String::new(), vec![*problem]))?;
    let dir = directory(path);
    parse(&name, &text, &dir, overrides, state)
}

/// The same for a text that is in memory. `dir` is what relative paths are relative to.
///
/// # Errors
/// All that is wrong with the text, at least one error.
pub fn parse(
    name: &str,
    text: &str,
    dir: &Path,
    overrides: &Overrides,
    state: Option<&Path>,
) -> Result<Loaded, Problems> {
    let marks = Marks::read(text);
    let problems = |list: Vec<Problem>| {
        let placed = list.into_iter().map(|p| place(p, text, &marks)).collect();
        Problems::new(name.to_owned(), text.to_owned(), placed)
    };
    let options = serde_saphyr::options! { strict_booleans: true };
    let written: File =
        serde_saphyr::from_str_with_options(text, options).map_err(|e| problems(vec![explain(text, &marks, &e)]))?;
    let file = overrides.apply(&written).map_err(|p| problems(vec![*p]))?;
    let mut found = invalid(&file);
    found.extend(lint::lint(&file, Surroundings { dir, state }));
    let found = problems(found);
    if found.has_errors() {
        return Err(found);
    }
    let spec = Spec::resolve(&file, dir).map_err(&problems)?;
    let own = if overrides.is_empty() { spec.clone() } else { Spec::resolve(&written, dir).map_err(&problems)? };
    let (file_hash, changes) = (revision::file_hash(text, &own), diff(&own, &spec));
    Ok(Loaded { file, spec, file_hash, changes, warnings: found })
}

/// Gives a problem the place of its key path: the value where that is short and what it is about, else the key.
fn place(problem: Problem, text: &str, marks: &Marks) -> Problem {
    if problem.at.is_some() || problem.rule == "override" {
        return problem;
    }
    let Some(mark) = marks.nearest(&problem.path) else { return problem };
    let below = text[mark.key.start..mark.value.start].contains('\n');
    let container = matches!(text.as_bytes().get(mark.value.start), Some(b'[' | b'{' | b'-' | b'|' | b'>'));
    let value = problem.path == mark.path && !mark.value.is_empty() && !container && !below;
    problem.at(if value { mark.value.clone() } else { mark.key.clone() })
}

/// What single values break by themselves.
fn invalid(file: &File) -> Vec<Problem> {
    let Err(report) = file.validate() else { return Vec::new() };
    report
        .iter()
        .map(|(path, error)| {
            let path = path.to_string();
            let said = error.message();
            let message = match said.strip_prefix("greater than ").or_else(|| said.strip_prefix("lower than ")) {
                Some(limit) if said.starts_with('g') => format!("`{path}` is too large: the most is {limit}"),
                Some(limit) => format!("`{path}` is too small: the least is {limit}"),
                None if said.starts_with("length is ") => format!("`{path}` is too long: {said}"),
                None => format!("`{path}`: {said}"),
            };
            Problem::error("value", path, message)
        })
        .collect()
}

fn read(path: &Path) -> Result<String, Box<Problem>> {
    let shown = path.display();
    let wrong = |message: String| Box::new(Problem::error("file", "", message));
    let meta = std::fs::metadata(path).map_err(|e| {
        if e.kind() == std::io::ErrorKind::NotFound {
            let first = "name one with -f, or write a first one:\n  service: shop\n  listen: 127.0.0.1:8080\n  run:\n    command: ./shop --port {{port}}";
            Box::new(wrong(format!("there is no file {shown}")).help(first))
        } else {
            wrong(format!("{shown} cannot be read: {e}"))
        }
    })?;
    if !meta.is_file() {
        return Err(Box::new(wrong(format!("{shown} is not a file")).help("name the serin.yaml itself with -f")));
    }
    if meta.len() > MAX_FILE_BYTES {
        return Err(wrong(format!("{shown} is {} bytes long, and 1 MiB is the most", meta.len())));
    }
    let bytes = std::fs::read(path).map_err(|e| wrong(format!("{shown} cannot be read: {e}")))?;
    String::from_utf8(bytes)
        .map_err(|e| wrong(format!("{shown} is not UTF-8 text (byte {})", e.utf8_error().valid_up_to())))
}

/// The directory of `path`, absolute.
fn directory(path: &Path) -> PathBuf {
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned())
}
