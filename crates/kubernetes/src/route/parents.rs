//! Whether every Gateway that a route belongs to has taken it: what its controllers say in `.status`.
//!
//! Source: the Gateway API, `RouteStatus`: a controller writes an entry for each of its `parentRefs`, with the conditions
//! `Accepted` and `ResolvedRefs`, each for the generation that it looked at. An entry that is not there yet, or is about an
//! older generation, says nothing.
use crate::decode::cut;
use serde_json::{Value, json};

/// A parent that has not taken the route as it is written now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Which one, such as `Gateway gateway/public (section web)`.
    pub name: String,
    /// What is missing, as a sentence.
    pub missing: String,
    /// Whether its controller has refused this very generation; else it has not looked at it yet.
    pub refused: bool,
}

/// The parents of a route that have not taken it, and how many there are.
pub(super) fn missing(route: &Value) -> (Vec<Parent>, usize) {
    let list = |path: &str| route.pointer(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let namespace = route.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
    let generation = route.pointer("/metadata/generation").and_then(Value::as_i64);
    let said = list("/status/parents");
    let of = |wanted: &Value| {
        let wanted = reference(wanted, namespace);
        let name = shown(&wanted);
        let same = |entry: &&Value| entry.get("parentRef").is_some_and(|parent| reference(parent, namespace) == wanted);
        let mut entries = said.iter().filter(same).peekable();
        if entries.peek().is_none() {
            let missing = "no controller has said anything of it; is there such a Gateway?".to_owned();
            return Some(Parent { name, missing, refused: false });
        }
        // Two controllers may both think that it is theirs: then both carry it out.
        entries.find_map(|entry| lacks(entry, generation)).map(|(missing, refused)| Parent { name, missing, refused })
    };
    let parents = list("/spec/parentRefs");
    (parents.iter().filter_map(of).collect(), parents.len())
}

/// What an entry of the status lacks, and whether that is a refusal.
fn lacks(entry: &Value, generation: Option<i64>) -> Option<(String, bool)> {
    let conditions = entry.get("conditions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    ["Accepted", "ResolvedRefs"].into_iter().find_map(|kind| {
        let Some(one) = conditions.iter().find(|c| c.get("type").and_then(Value::as_str) == Some(kind)) else {
            return Some((format!("its controller has not said {kind} yet"), false));
        };
        let at = one.get("observedGeneration").and_then(Value::as_i64);
        if generation.is_none() || at != generation {
            let text = |number: Option<i64>| number.map_or_else(|| "an unknown one".to_owned(), |n| n.to_string());
            return Some((
                format!("{kind} is about generation {}, and {} is written", text(at), text(generation)),
                false,
            ));
        }
        let text = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default();
        match text("status") {
            "True" => None,
            "False" => Some((format!("not {kind}: {}: {}", cut(text("reason")), cut(text("message"))), true)),
            _ => Some((format!("{kind} is unknown: {}", cut(text("message"))), false)),
        }
    })
}

/// A reference with every default filled in, so that two that mean the same are the same.
pub(super) fn reference(value: &Value, namespace: &str) -> Value {
    let field = |key: &str, default: Value| value.get(key).filter(|v| !v.is_null()).cloned().unwrap_or(default);
    json!({
        "group": field("group", json!("gateway.networking.k8s.io")),
        "kind": field("kind", json!("Gateway")),
        "namespace": field("namespace", json!(namespace)),
        "name": field("name", Value::Null),
        "sectionName": field("sectionName", Value::Null),
        "port": field("port", Value::Null),
    })
}

fn shown(reference: &Value) -> String {
    let text = |key: &str| cut(reference[key].as_str().unwrap_or("?"));
    let mut name = format!("{} {}/{}", text("kind"), text("namespace"), text("name"));
    if reference["sectionName"].is_string() {
        name.push_str(&format!(" (section {})", text("sectionName")));
    }
    if let Some(port) = reference["port"].as_u64() {
        name.push_str(&format!(" (port {port})"));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(parents: Value, status: Value) -> Value {
        let meta = json!({"namespace": "prod", "generation": 3});
        json!({"metadata": meta, "spec": {"parentRefs": parents}, "status": {"parents": status}})
    }

    fn said(at: i64, accepted: &str, resolved: &str) -> Value {
        let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "observedGeneration": at, "reason": "Because", "message": "so it is"});
        let parent = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "g", "namespace": "prod"});
        json!({"parentRef": parent, "conditions": [condition("Accepted", accepted), condition("ResolvedRefs", resolved)]})
    }

    fn told(status: Value) -> Vec<(String, bool)> {
        missing(&route(json!([{"name": "g"}]), status)).0.into_iter().map(|p| (p.missing, p.refused)).collect()
    }

    #[test]
    fn a_parent_has_taken_it_when_both_conditions_are_of_this_generation() {
        assert_eq!(told(json!([said(3, "True", "True")])), []);
        assert_eq!(told(json!([said(2, "True", "True")]))[0].0, "Accepted is about generation 2, and 3 is written");
        assert_eq!(told(json!([said(3, "False", "True")])), [("not Accepted: Because: so it is".to_owned(), true)]);
        assert_eq!(told(json!([said(3, "True", "False")])), [("not ResolvedRefs: Because: so it is".to_owned(), true)]);
        assert!(!told(json!([said(3, "Unknown", "True")]))[0].1, "it may still be taken");
        assert_eq!(
            told(json!([said(3, "True", "True"), said(3, "False", "True")])).len(),
            1,
            "both of two controllers"
        );
    }

    #[test]
    fn silence_is_no_consent() {
        let none = "no controller has said anything of it; is there such a Gateway?";
        assert_eq!(told(json!([])), [(none.to_owned(), false)]);
        assert_eq!(told(json!("x")), [(none.to_owned(), false)]);
        assert_eq!(told(json!([null, 7, {"parentRef": 7}]))[0].0, none);
        let half = json!([{"parentRef": {"name": "g"}, "conditions": [{"type": "Accepted"}]}]);
        assert_eq!(told(half)[0].0, "Accepted is about generation an unknown one, and 3 is written");
        let empty = json!([{"parentRef": {"name": "g"}, "conditions": null}]);
        assert_eq!(told(empty)[0].0, "its controller has not said Accepted yet");
    }

    #[test]
    fn sections_and_ports_are_parents_of_their_own() {
        let parents =
            json!([{"name": "g"}, {"name": "g", "sectionName": "web"}, {"name": "g", "port": 80, "namespace": "a"}]);
        let (missing, count) = missing(&route(parents, json!([said(3, "True", "True")])));
        let names: Vec<&str> = missing.iter().map(|parent| parent.name.as_str()).collect();
        assert_eq!((names, count), (vec!["Gateway prod/g (section web)", "Gateway a/g (port 80)"], 3));
    }
}
