//! `{{port}}`, `{{instance}}` and `{{config.NAME}}` in a program's arguments, variables and config files.
//!
//! In arguments and variables an unknown name is an error, as it would be a mistake found late. In config files other
//! text in braces is left alone: they may have a template language of their own.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::durable;
use crate::program::Program;

/// Why a template cannot be filled in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that means nothing.
    #[error(
        "{place} names {{{{{name}}}}}, which means nothing; write {{{{port}}}}, {{{{instance}}}} or {{{{config.NAME}}}}{known}"
    )]
    Unknown {
        /// Where it stands.
        place: String,
        /// The name.
        name: String,
        /// The configs that there are, as a remark.
        known: String,
    },
    /// `{{port}}` where there is no port.
    #[error("{place} names {{{{port}}}}, but the instance has no port; give it one, or remove the name")]
    NoPort {
        /// Where it stands.
        place: String,
    },
    /// A config's name that cannot be a file's.
    #[error("the config {0:?} cannot be a file's name; use letters, digits, '.', '-' and '_', and no '.' at the begin")]
    Name(String),
    /// The program's user is unknown.
    #[error("{0}")]
    User(String),
    /// A config file cannot be written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// How it failed.
        source: io::Error,
    },
}

/// What the names stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// `{{port}}`.
    pub port: Option<u16>,
    /// `{{instance}}`.
    pub instance: String,
    /// `{{config.NAME}}`: the file's path.
    pub configs: BTreeMap<String, PathBuf>,
}

/// What to do with a name that means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stranger {
    Refuse,
    Leave,
}

impl Values {
    /// Fills in the names in `text`; `place` says where it stands, for errors.
    ///
    /// # Errors
    /// A name that means nothing, or a port that there is not.
    pub fn fill(&self, text: &str, place: &str) -> Result<String, Error> {
        self.fill_in(text, place, Stranger::Refuse)
    }

    fn fill_in(&self, text: &str, place: &str, stranger: Stranger) -> Result<String, Error> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(begin) = rest.find("{{") {
            filled.push_str(&rest[..begin]);
            let inner = &rest[begin + 2..];
            let named = inner.find("}}").map(|end| (inner[..end].trim(), &inner[end + 2..]));
            match named.filter(|(name, _)| is_name(name)) {
                Some((name, after)) => {
                    match self.value(name, place)? {
                        Some(value) => filled.push_str(&value),
                        None if stranger == Stranger::Refuse => return Err(self.unknown(name, place)),
                        None => filled.push_str(&rest[begin..rest.len() - after.len()]),
                    }
                    rest = after;
                }
                None => {
                    filled.push_str("{{");
                    rest = inner;
                }
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn value(&self, name: &str, place: &str) -> Result<Option<String>, Error> {
        if name == "port" {
            let port = self.port.ok_or_else(|| Error::NoPort { place: place.to_owned() })?;
            return Ok(Some(port.to_string()));
        }
        if name == "instance" {
            return Ok(Some(self.instance.clone()));
        }
        let config = name.strip_prefix("config.").and_then(|config| self.configs.get(config));
        Ok(config.map(|path| path.display().to_string()))
    }

    fn unknown(&self, name: &str, place: &str) -> Error {
        let names: Vec<&str> = self.configs.keys().map(String::as_str).collect();
        let known = if names.is_empty() { String::new() } else { format!(" (configs: {})", names.join(", ")) };
        Error::Unknown { place: place.to_owned(), name: name.to_owned(), known }
    }
}

/// Whether it could be meant as one of ours: `{{ .Values.x }}` and `{{"a":1}}` are not.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// Whether the program or a config names `{{port}}`, so that the instance needs one.
pub fn names_port(program: &Program, configs: &BTreeMap<String, String>) -> bool {
    let texts = program.argv.iter().chain(program.env.values()).chain(configs.values());
    let without = Values { port: None, instance: String::new(), configs: BTreeMap::new() };
    texts
        .map(|text| without.fill_in(text, "", Stranger::Leave))
        .any(|filled| matches!(filled, Err(Error::NoPort { .. })))
}

/// Writes the config files into the instance's directory `dir` (which exists) and fills in the program's arguments and
/// variables. The files are readable by the program's user only.
///
/// # Errors
/// A name that means nothing, a port that there is not, or a file that cannot be written.
pub fn render(
    mut program: Program,
    configs: &BTreeMap<String, String>,
    dir: &Path,
    port: Option<u16>,
) -> Result<Program, Error> {
    let absolute = dir.canonicalize().map_err(|source| Error::File { path: dir.to_owned(), source })?;
    let place = absolute.join("config");
    for name in configs.keys() {
        let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if name.is_empty() || name.starts_with('.') || !fits {
            return Err(Error::Name(name.clone()));
        }
    }
    let values = Values {
        port,
        instance: absolute.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        configs: configs.keys().map(|name| (name.clone(), place.join(name))).collect(),
    };
    for (at, argument) in program.argv.iter_mut().enumerate() {
        *argument = values.fill(argument, &format!("argv[{at}]"))?;
    }
    for (name, value) in &mut program.env {
        *value = values.fill(value, &format!("env {name}"))?;
    }
    write_configs(&program, configs, &place, &values)?;
    Ok(program)
}

fn write_configs(
    program: &Program,
    configs: &BTreeMap<String, String>,
    place: &Path,
    values: &Values,
) -> Result<(), Error> {
    if configs.is_empty() {
        return Ok(());
    }
    let account = crate::accounts::resolve(program.user.as_deref(), program.group.as_deref()).map_err(Error::User)?;
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    if !place.is_dir() {
        std::fs::create_dir(place).map_err(fail(place))?;
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o711)).map_err(fail(place))?;
    }
    for (name, text) in configs {
        let path = place.join(name);
        let text = values.fill_in(text, &format!("config {name}"), Stranger::Leave)?;
        durable::replace(&path, text.as_bytes()).map_err(fail(&path))?;
        if let Some((user, group, _)) = &account {
            std::os::unix::fs::chown(&path, Some(user.as_raw()), Some(group.as_raw())).map_err(fail(&path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn everything_is_filled_in() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("web-1");
        std::fs::create_dir(&dir).unwrap();
        let mut program =
            Program::new(["app", "--listen=127.0.0.1:{{port}}", "{{ config.app.toml }}", "{{", "a}}b{{{"]);
        program.env.insert("NAME".into(), "{{instance}}/{{instance}}".into());
        let configs = configs(&[("app.toml", "port={{port}}\nother={{ .Values.x }} {{unknown}} {{\"a\":1}}\n")]);
        assert!(names_port(&program, &configs));
        let program = render(program, &configs, &dir, Some(8081)).unwrap();
        let path = dir.canonicalize().unwrap().join("config/app.toml");
        assert_eq!(program.argv, ["app", "--listen=127.0.0.1:8081", &path.display().to_string(), "{{", "a}}b{{{"]);
        assert_eq!(program.env["NAME"], "web-1/web-1");
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(text, "port=8081\nother={{ .Values.x }} {{unknown}} {{\"a\":1}}\n");
    }

    #[test]
    fn mistakes_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let fill = |argument: &str, port| {
            let program = Program::new(["app", argument]);
            render(program, &configs(&[("a", "")]), dir.path(), port).unwrap_err().to_string()
        };
        let error = fill("{{prot}}", Some(1));
        assert!(error.contains("argv[1] names {{prot}}") && error.contains("(configs: a)"), "{error}");
        assert!(fill("{{config.b}}", Some(1)).contains("{{config.b}}"));
        assert!(fill("{{port}}", None).contains("has no port"));
        for name in ["", "../x", ".x", "a/b"] {
            let error = render(Program::new(["app"]), &configs(&[(name, "")]), dir.path(), None).unwrap_err();
            assert!(matches!(error, Error::Name(_)), "{error}");
        }
        assert!(!names_port(&Program::new(["{{ports}}", "{port}", "{{instance}}"]), &configs(&[])));
    }
}
