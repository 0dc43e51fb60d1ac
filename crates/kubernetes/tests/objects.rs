//! Objects as files, and what comes out of them: `UPDATE=1 cargo test -p serin-kubernetes` writes the answers anew, and they
//! are reviewed as diffs.
//!
//! A file holds objects between `---`. Its templates are there for its canaries. A canary's facts stand in comments above
//! it: `# target: replicas=2 primary=2 autoscaler=1 nodes=3 minReady=5`, and what the operator was told for all,
//! `# default: provider=serin server=URL telemetry=contour`.
mod objects {
    pub mod answer;
    pub mod conform;
    pub mod file;
}

use objects::answer::answer;
use objects::conform::{Schemas, violations};
use objects::file::{Document, documents, files};
use serde_json::Value;
use serin_kubernetes::flagger::{Canary, fields_read};

#[test]
fn every_object_comes_out_as_expected() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for path in files() {
        let documents = documents(&path);
        let schemas = Schemas::load();
        let answers: Vec<String> = documents.iter().map(|doc| answer(doc, &documents, &schemas)).collect();
        let text = answers.join("\n");
        let expected = path.with_extension("expected");
        if update {
            std::fs::write(&expected, &text).expect("the answer can be written");
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != text {
            wrong.push(format!("{}\n{text}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "run with UPDATE=1 and look at the difference:\n{}", wrong.join("\n"));
}

#[test]
fn sound_objects_keep_to_the_schema() {
    let schemas = Schemas::load();
    let mut seen = 0;
    for path in files().into_iter().filter(|path| !path.ends_with("hostile.yaml")) {
        for document in documents(&path) {
            assert_eq!(violations(&schemas, &document.value), Vec::<String>::new(), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen} objects are not many");
}

/// The objects that have every field, so that none is left out of the tests below. The old name of the analysis gets
/// what the present one has.
fn everything() -> Vec<Document> {
    let path = files().into_iter().find(|path| path.ends_with("everything.yaml")).expect("it is there");
    let mut all = documents(&path);
    for document in all.iter_mut().filter(|document| document.kind() == Canary::KIND) {
        document.value["spec"]["canaryAnalysis"] = document.value["spec"]["analysis"].clone();
    }
    all
}

#[test]
fn the_example_with_everything_has_every_field_that_is_read() {
    for document in everything() {
        let missing: Vec<String> = fields_read(&document.value)
            .into_iter()
            .filter(|path| path != "status" && !has(&document.value, path))
            .collect();
        assert_eq!(missing, Vec::<String>::new(), "fields that the example does not have");
    }
}

#[test]
fn nothing_that_is_written_there_is_unknown() {
    for document in everything().iter().filter(|document| document.kind() == Canary::KIND) {
        let decoded = Canary::decode(&document.value).expect("it is a canary");
        let told: Vec<String> = decoded.problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 1, "only that `analysis` counts before `canaryAnalysis`: {told:?}");
    }
}

#[test]
fn the_api_server_prunes_nothing_that_is_read() {
    let schemas = Schemas::load();
    for document in everything() {
        for version in ["v1beta1", "v1alpha3"] {
            let mut value = document.value.clone();
            value["apiVersion"] = format!("flagger.app/{version}").into();
            assert_eq!(violations(&schemas, &value), Vec::<String>::new(), "{version}");
        }
    }
}

#[test]
fn both_versions_have_one_schema() {
    let schemas = Schemas::load();
    for kind in ["Canary", "MetricTemplate", "AlertProvider"] {
        let of = |version: &str| schemas.find(kind, version).expect("it is served");
        assert_eq!(of("v1beta1"), of("v1alpha3"), "{kind}: they share one storage, so what one drops is lost");
    }
}

#[test]
fn the_schemas_are_structural() {
    let schemas = Schemas::load();
    for kind in ["Canary", "MetricTemplate", "AlertProvider"] {
        let schema = schemas.find(kind, "v1beta1").expect("it is served");
        assert_eq!(objects::conform::not_structural(schema), Vec::<String>::new(), "{kind}");
    }
}

/// Whether the value has something at a path with `[]` for every entry of a list.
fn has(value: &Value, path: &str) -> bool {
    let Some((key, rest)) = path.split_once('.').or(Some((path, ""))) else { return false };
    let (key, each) = key.strip_suffix("[]").map_or((key, false), |key| (key, true));
    let Some(inner) = value.get(key) else { return false };
    let go = |inner: &Value| if rest.is_empty() { true } else { has(inner, rest) };
    match inner.as_array().filter(|_| each) {
        Some(list) => list.iter().any(go),
        None => go(inner),
    }
}
