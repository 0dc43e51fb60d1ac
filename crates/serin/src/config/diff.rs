//! How two specs differ, by key path, in the manner of a unified diff.

use std::collections::BTreeMap;

use serde_json::Value;

use super::spec::Spec;

/// One line for each key path that is not the same: `-` before, `+` after. Empty when nothing differs.
///
/// # Panics
/// Never: a spec has only text keys and no floats.
pub fn diff(before: &Spec, after: &Spec) -> Vec<String> {
    let leaves = |spec: &Spec| {
        let mut map = BTreeMap::new();
        flatten("", &serde_json::to_value(spec).expect("a spec is always JSON"), &mut map);
        map
    };
    let (old, new) = (leaves(before), leaves(after));
    let mut paths: Vec<_> = old.keys().chain(new.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut out = Vec::new();
    for path in paths {
        let (was, is) = (old.get(path), new.get(path));
        if was == is {
            continue;
        }
        out.extend(was.map(|v| line('-', path, v)));
        out.extend(is.map(|v| line('+', path, v)));
    }
    out
}

fn line(sign: char, path: &str, value: &str) -> String {
    format!("{sign} {path}: {value}")
}

fn flatten(path: &str, value: &Value, out: &mut BTreeMap<String, String>) {
    match value {
        Value::Null => {}
        Value::Object(map) => {
            for (key, value) in map {
                flatten(&if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, value, out);
            }
        }
        Value::Array(list) if list.iter().all(Value::is_string) => {
            let words: Vec<_> = list.iter().filter_map(Value::as_str).map(quote).collect();
            out.insert(path.to_owned(), words.join(" "));
        }
        Value::Array(list) => {
            for (i, value) in list.iter().enumerate() {
                flatten(&format!("{path}[{i}]"), value, out);
            }
        }
        Value::String(text) if text.contains('\n') => {
            for (i, row) in text.lines().enumerate() {
                out.insert(format!("{path}:{:04}", i + 1), row.to_owned());
            }
        }
        Value::String(text) => drop(out.insert(path.to_owned(), text.clone())),
        Value::Bool(_) | Value::Number(_) => drop(out.insert(path.to_owned(), value.to_string())),
    }
}

fn quote(word: &str) -> String {
    let plain = !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c == '\'' || c == '"');
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}
