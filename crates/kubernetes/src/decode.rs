//! Reads a JSON value field by field. A field that cannot be read is told and left out; the others are read all the same.
//! So one mistake never hides another one, and one object never stops others.
use crate::problem::{Found, Problem, Rule};
use serde_json::{Map, Value};
use serin_near::nearest;
use std::collections::{BTreeMap, BTreeSet};

/// The most entries of a list. It is the `maxItems` of the schema; longer ones are refused, and not read.
pub const MOST_ENTRIES: usize = 100;
/// The most bytes of a text of which a part is shown in a message.
const SHOWN: usize = 60;

/// What reading an object gathers.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) found: Found,
    /// Every path that was looked for, with `[]` for an index; gathered for those who want to know.
    asked: Option<BTreeSet<String>>,
}

impl Reading {
    pub(crate) fn that_remembers() -> Reading {
        Reading { asked: Some(BTreeSet::new()), ..Reading::default() }
    }

    pub(crate) fn asked(self) -> BTreeSet<String> {
        self.asked.unwrap_or_default()
    }
}

/// An object that is read field by field. What nobody asked for is told at the end.
pub(crate) struct Fields<'a, 'r> {
    map: &'a Map<String, Value>,
    path: String,
    known: Vec<&'static str>,
    reading: &'r mut Reading,
}

impl<'a, 'r> Fields<'a, 'r> {
    pub(crate) fn new(map: &'a Map<String, Value>, path: String, reading: &'r mut Reading) -> Fields<'a, 'r> {
        Fields { map, path, known: Vec::new(), reading }
    }

    /// The path of a field.
    pub(crate) fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The path of the object itself.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn add(&mut self, problem: Problem) {
        self.reading.found.add(problem);
    }

    /// The value of a field; `null` is no value, as in Kubernetes.
    fn get(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        let path = self.at(key);
        if let Some(asked) = &mut self.reading.asked {
            asked.insert(without_indices(&path));
        }
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn wrong_kind(&mut self, key: &str, value: &Value, help: &str) {
        let problem = Problem::error(Rule::Kind, self.at(key), format!("{} is of the wrong kind", shown(value)), help);
        self.add(problem);
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Option<String> {
        let help = "write a text; in quotes if it looks like a number";
        self.of_kind(key, Value::as_str, help).map(str::to_owned)
    }

    /// A text that says something: an empty one is none, as in Go.
    pub(crate) fn filled(&mut self, key: &'static str) -> Option<String> {
        self.text(key).filter(|text| !text.is_empty())
    }

    /// A text that must be there and say something.
    pub(crate) fn needed_text(&mut self, key: &'static str, help: &str) -> Option<String> {
        let before = self.map.get(key).is_some_and(|value| !value.is_null());
        match self.text(key) {
            Some(text) if !text.is_empty() => Some(text),
            None if before => None, // told already
            Some(_) | None => {
                let problem = Problem::error(Rule::Missing, self.at(key), format!("`{key}` is missing"), help);
                self.add(problem);
                None
            }
        }
    }

    pub(crate) fn truth(&mut self, key: &'static str) -> Option<bool> {
        self.of_kind(key, Value::as_bool, "write true or false, without quotes")
    }

    /// A whole number. Flagger's schema calls these fields `number`, so that a half comes through the API server.
    pub(crate) fn whole(&mut self, key: &'static str) -> Option<i64> {
        let value = self.get(key)?;
        match whole(value) {
            Ok(number) => Some(number),
            Err((rule, message, help)) => {
                let problem = Problem::error(rule, self.at(key), message, help);
                self.add(problem);
                None
            }
        }
    }

    /// A number that need not be whole.
    pub(crate) fn number(&mut self, key: &'static str) -> Option<f64> {
        let value = self.get(key)?;
        match value.as_f64().filter(|number| number.is_finite()) {
            Some(number) => Some(number),
            None => {
                self.wrong_kind(key, value, "write a number, without quotes");
                None
            }
        }
    }

    /// A list of whole numbers; an entry that is none is told and left out.
    pub(crate) fn wholes(&mut self, key: &'static str) -> Option<Vec<i64>> {
        let list = self.list(key)?;
        let mut numbers = Vec::with_capacity(list.len());
        for (i, value) in list.iter().enumerate() {
            match whole(value) {
                Ok(number) => numbers.push(number),
                Err((rule, message, help)) => {
                    let problem = Problem::error(rule, format!("{}[{i}]", self.at(key)), message, help);
                    self.add(problem);
                }
            }
        }
        Some(numbers)
    }

    /// A list of texts; an entry that is none is told and left out.
    pub(crate) fn texts(&mut self, key: &'static str) -> Vec<String> {
        let Some(list) = self.list(key) else { return Vec::new() };
        let mut texts = Vec::with_capacity(list.len());
        for (i, value) in list.iter().enumerate() {
            match value.as_str() {
                Some(text) => texts.push(text.to_owned()),
                None => self.wrong_kind(&format!("{key}[{i}]"), value, "write a text"),
            }
        }
        texts
    }

    /// Texts by name; an entry that is none is told and left out.
    pub(crate) fn texts_by_name(&mut self, key: &'static str) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        for (name, value) in self.map(key).into_iter().flatten() {
            match value.as_str() {
                Some(text) => {
                    texts.insert(name.clone(), text.to_owned());
                }
                None => self.wrong_kind(&format!("{key}.{name}"), value, "write a text; in quotes if it is a number"),
            }
        }
        texts
    }

    /// Lists of texts by name.
    pub(crate) fn lists_by_name(&mut self, key: &'static str) -> BTreeMap<String, Vec<String>> {
        let mut lists = BTreeMap::new();
        for (name, value) in self.map(key).into_iter().flatten() {
            let texts = value.as_array().and_then(|list| list.iter().map(|v| v.as_str().map(str::to_owned)).collect());
            match texts {
                Some(texts) => {
                    lists.insert(name.clone(), texts);
                }
                None => self.wrong_kind(&format!("{key}.{name}"), value, "write a list of texts"),
            }
        }
        lists
    }

    /// An object of another project's language, as it is written.
    pub(crate) fn foreign(&mut self, key: &'static str) -> Option<Value> {
        self.map(key).map(|map| Value::Object(map.clone()))
    }

    /// A list of such objects.
    pub(crate) fn foreigners(&mut self, key: &'static str) -> Vec<Value> {
        let Some(list) = self.list(key) else { return Vec::new() };
        for (i, value) in list.iter().enumerate().filter(|(_, value)| !value.is_object()) {
            self.wrong_kind(&format!("{key}[{i}]"), value, "write an object");
        }
        list.iter().filter(|value| value.is_object()).cloned().collect()
    }

    /// A number or a name, as a port of a container is.
    pub(crate) fn number_or_name(&mut self, key: &'static str) -> Option<String> {
        let value = self.get(key)?;
        if let Some(text) = value.as_str() {
            return Some(text.to_owned()).filter(|text| !text.is_empty());
        }
        match whole(value) {
            Ok(0) => None, // what an unset number of Kubernetes' own kind is written as
            Ok(number) => Some(number.to_string()),
            Err(_) => {
                self.wrong_kind(key, value, "write the number or the name of a port");
                None
            }
        }
    }

    /// An object below this one.
    pub(crate) fn child<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Fields<'_, '_>) -> T) -> Option<T> {
        let map = self.map(key)?;
        let path = self.at(key);
        let mut fields = Fields::new(map, path, self.reading);
        let read = read(&mut fields);
        fields.finish();
        Some(read)
    }

    /// The objects of a list.
    pub(crate) fn children<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Fields<'_, '_>) -> Option<T>,
    ) -> Vec<T> {
        let Some(list) = self.list(key) else { return Vec::new() };
        let mut all = Vec::with_capacity(list.len());
        for (i, value) in list.iter().enumerate() {
            let path = format!("{}[{i}]", self.at(key));
            let Value::Object(map) = value else {
                self.wrong_kind(&format!("{key}[{i}]"), value, "write an object");
                continue;
            };
            let mut fields = Fields::new(map, path, self.reading);
            all.extend(read(&mut fields));
            fields.finish();
        }
        all
    }

    fn map(&mut self, key: &'static str) -> Option<&'a Map<String, Value>> {
        self.of_kind(key, Value::as_object, "write an object")
    }

    fn list(&mut self, key: &'static str) -> Option<&'a Vec<Value>> {
        let list = self.of_kind(key, Value::as_array, "write a list")?;
        if list.len() > MOST_ENTRIES {
            let message = format!("{} entries are too many", list.len());
            let help = format!("write at most {MOST_ENTRIES}");
            let problem = Problem::error(Rule::Value, self.at(key), message, help);
            self.add(problem);
            return None;
        }
        Some(list)
    }

    /// The value as `cast` takes it; one of another kind is told.
    fn of_kind<T>(&mut self, key: &'static str, cast: fn(&'a Value) -> Option<T>, help: &str) -> Option<T> {
        let value = self.get(key)?;
        let cast = cast(value);
        if cast.is_none() {
            self.wrong_kind(key, value, help);
        }
        cast
    }

    /// A field that others may write and that is none of ours.
    pub(crate) fn pass_over(&mut self, key: &'static str) {
        self.get(key);
    }

    /// Tells every field that nobody asked for. Flagger's language grows, so it is a warning.
    pub(crate) fn finish(self) {
        for key in self.map.keys().filter(|key| !self.known.contains(&key.as_str())) {
            let path = self.at(cut(key));
            self.reading.found.warn(|| {
                let help = match nearest(key, self.known.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "leave it out: it does nothing".to_owned(),
                };
                let message = format!("there is no field `{}`", cut(key));
                Problem::warning(Rule::Unknown, path, message, help)
            });
        }
    }
}

/// A whole number that fits into what Kubernetes calls an int32; `5.0` is one.
fn whole(value: &Value) -> Result<i64, (Rule, String, &'static str)> {
    let most = i64::from(i32::MAX);
    let Value::Number(number) = value else {
        return Err((
            Rule::Kind,
            format!("{} is of the wrong kind", shown(value)),
            "write a whole number, without quotes",
        ));
    };
    if let Some(whole) = number.as_i64().filter(|n| (-most..=most).contains(n)) {
        return Ok(whole);
    }
    match number.as_f64() {
        Some(float) if float.fract() == 0.0 && float.abs() <= most as f64 => Ok(float as i64),
        Some(float) if float.is_finite() && float.abs() <= most as f64 => {
            Err((Rule::Kind, format!("{number} is not a whole number"), "write a whole number, such as 5"))
        }
        Some(_) | None => Err((Rule::Value, format!("{number} is too large"), "write a whole number, such as 5")),
    }
}

/// A value as a message shows it: short, whatever it holds.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => format!("`{truth}`, a truth value,"),
        Value::Number(number) => format!("`{number}`, a number,"),
        Value::String(text) => format!("\"{}\", a text,", cut(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// The first bytes of a text, cut between two characters.
pub(crate) fn cut(text: &str) -> &str {
    let end = (0..=SHOWN.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

fn without_indices(path: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in path.chars() {
        inside = if c == ']' { false } else { inside };
        if !inside {
            out.push(c);
        }
        inside = inside || c == '[';
    }
    out
}

#[cfg(test)]
mod tests;
