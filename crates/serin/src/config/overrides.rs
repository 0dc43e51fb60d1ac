//! `--command`, `--env K=V` and `--set key.path=value`: a file with some values changed for one release.

use serde_json::Value;

use super::{file::File, problem::Problem, written::words};

/// Changes that are given on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Instead of `run.command`.
    pub command: Option<String>,
    /// `KEY=VALUE`, into `run.env`; `KEY=` sets an empty value, `KEY-` removes it.
    pub env: Vec<String>,
    /// `key.path=value`; the value is read as YAML.
    pub set: Vec<String>,
}

impl Overrides {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.command.is_none() && self.env.is_empty() && self.set.is_empty()
    }

    /// The file with the changes.
    ///
    /// # Errors
    /// The first change that cannot be made, with the option that asked for it.
    pub fn apply(&self, file: &File) -> Result<File, Box<Problem>> {
        let wrong = |option: String, why: String| Box::new(Problem::error("override", "", format!("{option}: {why}")));
        let mut file = file.clone();
        if let Some(command) = &self.command {
            file.run.command.0 = words(command).map_err(|why| wrong("--command".to_owned(), why))?;
        }
        for pair in &self.env {
            let option = format!("--env {pair}");
            if let Some((key, value)) = pair.split_once('=').filter(|(k, _)| !k.is_empty()) {
                file.run.env.insert(key.to_owned(), super::file::EnvValue(value.to_owned()));
            } else if let Some(key) = pair.strip_suffix('-').filter(|k| !k.is_empty()) {
                if file.run.env.remove(key).is_none() {
                    return Err(wrong(option, format!("there is no `{key}` in `run.env` to remove")));
                }
            } else {
                return Err(wrong(option, "write NAME=VALUE, or NAME- to remove one".to_owned()));
            }
        }
        for set in &self.set {
            file = one(&file, set).map_err(|why| wrong(format!("--set {set}"), why))?;
        }
        Ok(file)
    }
}

fn one(file: &File, set: &str) -> Result<File, String> {
    let (path, text) = set.split_once('=').ok_or("write key.path=value, such as replicas=3 or release.window=2m")?;
    if path.is_empty() {
        return Err("write a key before the `=`, such as replicas=3".to_owned());
    }
    let typed: Value = if text.is_empty() {
        Value::String(String::new())
    } else {
        serde_saphyr::from_str(text).unwrap_or_else(|_| text.into())
    };
    let whole = serde_json::to_value(file).map_err(|e| e.to_string())?;
    let with = |value: Value| -> Result<File, String> {
        let mut whole = whole.clone();
        put(&mut whole, path, value)?;
        serde_json::from_value(whole).map_err(|e| e.to_string())
    };
    let as_text = matches!(typed, Value::Number(_) | Value::Bool(_) | Value::Null);
    match with(typed) {
        Err(_) if as_text && with(text.into()).is_ok() => with(text.into()),
        other => other,
    }
}

fn put(root: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let mut at = root;
    for part in path.split('.') {
        let (key, indices) = part.split_once('[').map_or((part, None), |(k, i)| (k, Some(i)));
        if !at.is_object() && !at.is_null() {
            *at = Value::Object(serde_json::Map::new());
        }
        at = &mut at[key];
        for index in indices.into_iter().flat_map(|i| i.split('[')) {
            let number = index
                .strip_suffix(']')
                .and_then(|n| n.parse::<usize>().ok())
                .ok_or_else(|| format!("`[{index}` is not an index such as [0]"))?;
            let length = at.as_array().map_or(0, Vec::len);
            at = at.get_mut(number).ok_or_else(|| format!("there is no entry [{number}]: the list has {length}"))?;
        }
    }
    *at = value;
    Ok(())
}
