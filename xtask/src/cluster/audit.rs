//! The API server's audit log: every call, by whom, to do what. It is the exact count of what a program costs the API
//! server, since it is not the program that counts.

use crate::json::Value;
use crate::run::Stop;
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// A moment: what was in the log then. A call is between two moments when it was answered between them; a watch, when
/// its answer began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

/// One kind of call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// Who called: `system:serviceaccount:NAMESPACE:NAME` for an account of a pod.
    pub user: String,
    /// With which program, up to the first blank: `kubectl/v1.36.3`.
    pub agent: String,
    /// get, list, watch, create, update, patch, delete, deletecollection; of what is no resource the method.
    pub verb: String,
    /// The resource with its subresource, such as `pods` or `deployments/scale`; a path where it is none.
    pub resource: String,
}

/// This moment.
///
/// # Errors
/// When there is no log.
pub fn now(log: &Path) -> Result<Moment, Stop> {
    Ok(Moment(std::fs::metadata(log)?.len()))
}

/// How often each kind of call was made between two moments.
///
/// # Errors
/// When the log cannot be read, or a line of it is not understood.
pub fn calls(log: &Path, from: Moment, to: Moment) -> Result<BTreeMap<Call, u64>, Stop> {
    let mut file = std::fs::File::open(log)?;
    file.seek(SeekFrom::Start(from.0))?;
    let mut text = String::new();
    file.take(to.0.saturating_sub(from.0)).read_to_string(&mut text)?;
    count(&text).map_err(|why| Stop::Fail(format!("{}: {why}", log.display())))
}

fn count(text: &str) -> Result<BTreeMap<Call, u64>, String> {
    let mut counts = BTreeMap::new();
    // The server may be in the middle of the last line.
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        *counts.entry(call(&Value::parse(line)?)?).or_default() += 1;
    }
    Ok(counts)
}

fn call(event: &Value) -> Result<Call, String> {
    let text = |path: &str| event.find(path).and_then(Value::text);
    let must = |path: &str| text(path).ok_or(format!("this event has no {path}: {event}"));
    let resource = match (text("objectRef.resource"), text("objectRef.subresource")) {
        (Some(resource), Some(part)) => format!("{resource}/{part}"),
        (Some(resource), None) => resource.to_owned(),
        (None, _) => must("requestURI")?.split('?').next().unwrap_or_default().to_owned(),
    };
    Ok(Call {
        user: must("user.username")?.to_owned(),
        agent: text("userAgent").unwrap_or_default().split(' ').next().unwrap_or_default().to_owned(),
        verb: must("verb")?.to_owned(),
        resource,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(user: &str, verb: &str, object: &str) -> String {
        format!(
            "{{\"verb\":\"{verb}\",\"requestURI\":\"/readyz?verbose\",\"user\":{{\"username\":\"{user}\"}},\
             \"userAgent\":\"kubectl/v1 (linux)\"{object}}}\n"
        )
    }

    #[test]
    fn calls_are_counted_by_who_and_what_and_half_a_line_is_not() {
        let pods = ",\"objectRef\":{\"resource\":\"pods\"}";
        let scale = ",\"objectRef\":{\"resource\":\"deployments\",\"subresource\":\"scale\"}";
        let whole = [("a", "list", pods), ("a", "list", pods), ("b", "list", pods), ("a", "patch", scale)];
        let mut text: String = whole.map(|(user, verb, object)| event(user, verb, object)).concat();
        text.push_str(&event("a", "get", ""));
        text.push_str(&event("a", "get", pods).trim_end()[..20]);
        let counts = count(&text).expect("it is understood");
        let seen: Vec<(String, u64)> =
            counts.iter().map(|(c, n)| (format!("{} {} {}", c.user, c.verb, c.resource), *n)).collect();
        let wanted = [("a get /readyz", 1), ("a list pods", 2), ("a patch deployments/scale", 1), ("b list pods", 1)];
        assert_eq!(seen, wanted.map(|(what, n)| (what.to_owned(), n)));
        assert!(counts.keys().all(|call| call.agent == "kubectl/v1"));
        assert!(count("{\"verb\":\"get\"}\n").is_err());
    }
}
