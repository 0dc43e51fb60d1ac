//! The files of objects, and what stands in their comments.
use serde_json::Value;
use serin_kubernetes::promql::Telemetry;
use serin_kubernetes::{Defaults, Target};
use std::path::{Path, PathBuf};

/// One object of a file.
pub struct Document {
    /// The object.
    pub value: Value,
    /// What is there of its target.
    pub target: Target,
    /// What the operator was told.
    pub defaults: Defaults,
}

impl Document {
    /// Its kind; empty where it has none.
    pub fn kind(&self) -> &str {
        self.value.get("kind").and_then(Value::as_str).unwrap_or_default()
    }
}

/// All files, in order.
pub fn files() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/objects");
    let entries = std::fs::read_dir(dir).expect("the examples are there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

/// The objects of a file.
pub fn documents(path: &Path) -> Vec<Document> {
    let text = std::fs::read_to_string(path).expect("it can be read");
    text.split("---\n").map(|part| document(part, path)).collect()
}

fn document(text: &str, path: &Path) -> Document {
    let value = serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{}: {error}\n{text}", path.display()));
    let (mut target, mut defaults) = (Target::default(), Defaults::default());
    for (key, word) in words(text, "# target: ") {
        let number: u32 = word.parse().expect("a number");
        match key {
            "replicas" => target.replicas = Some(number),
            "primary" => target.primary = Some(number),
            "autoscaler" => target.autoscaler_min = Some(number),
            "nodes" => target.nodes = Some(number),
            "minReady" => target.min_ready_seconds = number,
            other => panic!("a target has no {other}"),
        }
    }
    for (key, word) in words(text, "# default: ") {
        match (key, word) {
            ("provider", word) => word.clone_into(&mut defaults.provider),
            ("server", word) => defaults.metrics_server = Some(word.to_owned()),
            ("telemetry", "contour") => defaults.telemetry = Telemetry::Contour,
            other => panic!("there is no default {other:?}"),
        }
    }
    Document { value, target, defaults }
}

fn words<'a>(text: &'a str, begin: &'static str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let lines = text.lines().filter_map(move |line| line.strip_prefix(begin));
    lines.flat_map(str::split_whitespace).filter_map(|word| word.split_once('='))
}
