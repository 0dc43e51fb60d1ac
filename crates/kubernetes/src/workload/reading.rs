//! Reads what the API server gave, by JSON Pointer. What is absent or null is none; what is of another kind is told.
use crate::decode::cut;
use crate::problem::{Problem, Rule};
use serde_json::{Map, Value};

/// The value at a pointer; null is none.
pub(crate) fn at<'a>(object: &'a Value, pointer: &str) -> Option<&'a Value> {
    object.pointer(pointer).filter(|value| !value.is_null())
}

/// A number of instances, 0 where there is none.
///
/// # Errors
/// What is no whole number, or more than can be counted.
pub(crate) fn count(object: &Value, pointer: &str) -> Result<u16, Problem> {
    let Some(value) = at(object, pointer) else { return Ok(0) };
    let wrong = |rule: Rule, message: String| {
        Problem::error(
            rule,
            dotted(pointer),
            format!("{}: {message}", title(object)),
            "a number from 0 to 65535 is understood",
        )
    };
    match value.as_u64() {
        Some(number) => {
            u16::try_from(number).map_err(|_| wrong(Rule::Value, format!("{number} instances are too many")))
        }
        None => Err(wrong(Rule::Kind, format!("`{}` is no number of instances", cut(&value.to_string())))),
    }
}

/// A generation or another number that only grows; 0 where there is none.
///
/// # Errors
/// What is no whole number.
pub(crate) fn number(object: &Value, pointer: &str) -> Result<i64, Problem> {
    let Some(value) = at(object, pointer) else { return Ok(0) };
    value.as_i64().ok_or_else(|| {
        let message = format!("{}: `{}` is no whole number", title(object), cut(&value.to_string()));
        Problem::error(Rule::Kind, dotted(pointer), message, "give the object as the API server has it")
    })
}

/// A text.
///
/// # Errors
/// What is none.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> Result<Option<&'a str>, Problem> {
    let Some(value) = at(object, pointer) else { return Ok(None) };
    value.as_str().map(Some).ok_or_else(|| {
        let message = format!("{}: `{}` is no text", title(object), cut(&value.to_string()));
        Problem::error(Rule::Kind, dotted(pointer), message, "give the object as the API server has it")
    })
}

/// Whether it says `true`.
///
/// # Errors
/// What is no truth value.
pub(crate) fn truth(object: &Value, pointer: &str) -> Result<bool, Problem> {
    let Some(value) = at(object, pointer) else { return Ok(false) };
    value.as_bool().ok_or_else(|| {
        let message = format!("{}: `{}` is neither true nor false", title(object), cut(&value.to_string()));
        Problem::error(Rule::Kind, dotted(pointer), message, "give the object as the API server has it")
    })
}

/// An object below.
///
/// # Errors
/// What is none.
pub(crate) fn map<'a>(object: &'a Value, pointer: &str) -> Result<Option<&'a Map<String, Value>>, Problem> {
    let Some(value) = at(object, pointer) else { return Ok(None) };
    value.as_object().map(Some).ok_or_else(|| {
        let message = format!("{}: `{}` is no object", title(object), cut(&value.to_string()));
        Problem::error(Rule::Kind, dotted(pointer), message, "give the object as the API server has it")
    })
}

/// The pod template.
///
/// # Errors
/// A workload without one.
pub(crate) fn template(object: &Value) -> Result<&Value, Problem> {
    at(object, "/spec/template").filter(|template| template.is_object()).ok_or_else(|| {
        let message = format!("{} has no pod template", title(object));
        Problem::error(Rule::Missing, "spec.template", message, "give the object as the API server has it")
    })
}

/// The object's name.
///
/// # Errors
/// An object without one.
pub(crate) fn name(object: &Value) -> Result<String, Problem> {
    match text(object, "/metadata/name")? {
        Some(name) if !name.is_empty() => Ok(name.to_owned()),
        Some(_) | None => {
            let help = "give the object as the API server has it";
            Err(Problem::error(Rule::Missing, "metadata.name", "the object has no name", help))
        }
    }
}

/// Whether the API's controller has seen what the object asks for.
///
/// # Errors
/// Generations that are no numbers.
pub(crate) fn observed(object: &Value) -> Result<bool, Problem> {
    Ok(number(object, "/status/observedGeneration")? >= number(object, "/metadata/generation")?)
}

/// An annotation that is a text.
pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations").and_then(|map| map.get(key)).and_then(Value::as_str)
}

/// How an object is called in a message: by its name alone, as what is in lists has no kind.
pub(crate) fn title(object: &Value) -> String {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("an object without a name");
    format!("`{}`", cut(name))
}

fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}
