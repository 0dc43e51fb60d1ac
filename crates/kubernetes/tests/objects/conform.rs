//! The schemas of `deploy/crds`, and whether objects keep to them: as far as structure goes, that is kinds, bounds and
//! fields. The rules in CEL are the API server's.
use serde_json::{Map, Value};
use std::path::Path;

/// The definitions.
pub struct Schemas(Vec<Value>);

impl Schemas {
    pub fn load() -> Schemas {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/crds");
        let read = |name: &str| {
            let text = std::fs::read_to_string(dir.join(name)).expect("the definition is there");
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        Schemas(["canaries.yaml", "metrictemplates.yaml", "alertproviders.yaml"].into_iter().map(read).collect())
    }

    /// The schema of a version of a kind, if it is served.
    pub fn find(&self, kind: &str, version: &str) -> Option<&Value> {
        let spec = self.0.iter().map(|crd| &crd["spec"]).find(|spec| spec["names"]["kind"] == kind)?;
        let versions = spec["versions"].as_array()?;
        let found = versions.iter().find(|v| v["name"] == version && v["served"] == true)?;
        Some(&found["schema"]["openAPIV3Schema"])
    }
}

/// How an object breaks its schema; a field that would be pruned is one way.
pub fn violations(schemas: &Schemas, object: &Value) -> Vec<String> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let version = text("apiVersion").strip_prefix("flagger.app/").unwrap_or_default();
    let Some(schema) = schemas.find(text("kind"), version) else {
        return vec!["no schema is for this".to_owned()];
    };
    let mut out = Vec::new();
    check(schema, object, "", &mut out);
    out
}

fn check(schema: &Value, value: &Value, path: &str, out: &mut Vec<String>) {
    if value.is_null() {
        return; // the API server drops it
    }
    if schema["x-kubernetes-int-or-string"] == true {
        if !value.is_string() && !value.is_i64() {
            out.push(format!("{path}: neither a number nor a text"));
        }
        return;
    }
    let right = match schema["type"].as_str().unwrap_or_default() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        other => panic!("{path}: the schema says `{other}`"),
    };
    if !right {
        out.push(format!("{path}: not of the type {}", schema["type"]));
        return;
    }
    if schema["enum"].as_array().is_some_and(|list| !list.contains(value)) {
        out.push(format!("{path}: not one of those listed"));
    }
    let number = |key: &str| schema[key].as_f64();
    let beyond = |value: f64, least: &str, most: &str| {
        number(least).is_some_and(|least| value < least) || number(most).is_some_and(|most| value > most)
    };
    let length = |length: usize, most: &str| number(most).is_some_and(|most| length as f64 > most);
    match value {
        Value::Number(n) if n.as_f64().is_some_and(|n| beyond(n, "minimum", "maximum")) => {
            out.push(format!("{path}: out of bounds"));
        }
        Value::String(text) if beyond(text.chars().count() as f64, "minLength", "maxLength") => {
            out.push(format!("{path}: too long or too short"));
        }
        Value::Array(list) => {
            if length(list.len(), "maxItems") {
                out.push(format!("{path}: too many entries"));
            }
            for (i, entry) in list.iter().enumerate() {
                check(&schema["items"], entry, &format!("{path}[{i}]"), out);
            }
        }
        Value::Object(map) => fields(schema, map, path, out),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn fields(schema: &Value, map: &Map<String, Value>, path: &str, out: &mut Vec<String>) {
    for needed in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if map.get(needed).is_none_or(Value::is_null) {
            out.push(format!("{path}.{needed}: missing"));
        }
    }
    for (key, value) in map {
        let inner = format!("{path}.{key}");
        if let Some(schema) = schema["properties"].get(key) {
            check(schema, value, &inner, out);
        } else if let Some(schema) = schema.get("additionalProperties") {
            check(schema, value, &inner, out);
        } else if schema["x-kubernetes-preserve-unknown-fields"] != true && path != ".metadata" {
            out.push(format!("{inner}: would be dropped"));
        }
    }
}

/// How a schema breaks Kubernetes' rules for structural ones, and for the cost of rules in CEL.
pub fn not_structural(schema: &Value) -> Vec<String> {
    let mut out = Vec::new();
    structural(schema, "", &mut out);
    out
}

fn structural(schema: &Value, path: &str, out: &mut Vec<String>) {
    let has = |key: &str| schema.get(key).is_some();
    if !has("type") && schema["x-kubernetes-int-or-string"] != true {
        out.push(format!("{path}: no type"));
    }
    if has("properties") && has("additionalProperties") {
        out.push(format!("{path}: both kinds of properties"));
    }
    if schema["type"] == "array" && !(has("items") && (has("maxItems") || path.contains("headers"))) {
        out.push(format!("{path}: a list needs items, and a length for the cost of rules"));
    }
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        if rule["rule"].as_str().is_none_or(str::is_empty) || rule["message"].as_str().is_none_or(str::is_empty) {
            out.push(format!("{path}: a rule without a message"));
        }
        for field in strangers(schema, rule["rule"].as_str().unwrap_or_default()) {
            out.push(format!("{path}: a rule names `{field}`, which there is not"));
        }
        if schema["type"] == "string" && !has("maxLength") {
            out.push(format!("{path}: a rule on a text of any length"));
        }
    }
    for key in ["oneOf", "anyOf", "allOf", "not", "$ref", "default"] {
        if has(key) {
            out.push(format!("{path}: `{key}` is not used here"));
        }
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        structural(inner, &format!("{path}.{name}"), out);
        if inner["description"].as_str().is_none_or(str::is_empty) && !path.is_empty() {
            out.push(format!("{path}.{name}: no description"));
        }
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(inner) = schema.get(key) {
            structural(inner, &format!("{path}{mark}"), out);
        }
    }
}

/// Every `self.a.b` of a rule that leads nowhere in its schema. What is called, such as `self.matches(…)`, is no field.
fn strangers(schema: &Value, rule: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (at, _) in rule.match_indices("self.") {
        let path: String = rule[at..].chars().take_while(|c| c.is_alphanumeric() || matches!(c, '.' | '_')).collect();
        let called = rule[at + path.len()..].starts_with('(');
        let mut fields: Vec<&str> = path.split('.').skip(1).collect();
        if called {
            fields.pop();
        }
        if fields.first() == Some(&"metadata") {
            continue; // its name is there for rules at the root, whatever the schema says
        }
        let found = fields.iter().try_fold(schema, |inner, field| inner["properties"].get(*field));
        if found.is_none() {
            out.push(path);
        }
    }
    out
}

#[test]
fn a_rule_about_a_field_that_there_is_not_is_found() {
    let schema = serde_json::json!({"properties": {"a": {"properties": {"b": {"type": "integer"}}}}});
    assert_eq!(strangers(&schema, "has(self.a) && self.a.b > 0 && self.a.b.startsWith('x')"), Vec::<String>::new());
    assert_eq!(strangers(&schema, "has(self.c) || self.a.d > 0"), ["self.c", "self.a.d"]);
}
