//! What a file means: defaults, hashes, overrides, differences, schema, documentation.

use std::path::Path;

use super::*;
use crate::config::{
    quantity::{Percent, Time},
    spec::{Probe, Strategy},
};

const LEAST: &str = "service: shop\nlisten: 127.0.0.1:8080\nrun:\n  command: sleep {{port}}\n";

fn with(text: &str, overrides: &Overrides) -> Result<Loaded, Problems> {
    parse("serin.yaml", text, Path::new("/"), overrides, None)
}

fn spec(text: &str) -> Spec {
    with(text, &Overrides::default()).unwrap_or_else(|e| panic!("{e}")).spec
}

fn set(sets: &[&str]) -> Overrides {
    Overrides { set: sets.iter().map(|s| (*s).to_owned()).collect(), ..Overrides::default() }
}

#[test]
fn the_least_file_has_all_defaults() {
    let s = spec(LEAST);
    assert_eq!((s.replicas, s.max_unavailable, s.allow_downtime), (1, 0, false));
    assert_eq!(s.run.command, ["sleep", "{{port}}"]);
    assert_eq!((s.run.cwd.as_str(), &s.health.probe), ("/", &Probe::Tcp));
    let Strategy::Weights { steps } = &s.release.strategy else { panic!("weights are the default") };
    let weights: Vec<_> = steps.iter().map(|s| (s.weight.bp(), s.bake.as_millis(), s.approve)).collect();
    assert_eq!(weights, [1000, 2000, 3000, 4000, 5000].map(|bp| (bp, 30_000, false)));
    assert_eq!(s.release.window, Time::seconds(60));
    assert_eq!(s.analysis.metrics.len(), 1);
    assert!(
        s.analysis.interval.as_millis() * u64::from(s.analysis.failures.consecutive) <= 10_000,
        "a bad release is found out within 15 s"
    );
}

#[test]
fn a_spec_survives_storing() {
    let s = spec(&format!("{LEAST}release:\n  canary_kept: {{replace: one_by_one}}\nhealth:\n  http: {{path: /a}}\n"));
    let stored = serde_json::to_string(&s).unwrap();
    assert_eq!(serde_json::from_str::<Spec>(&stored).unwrap(), s);
}

#[test]
fn start_step_and_max_always_end_at_max() {
    let list = |w: &str| match spec(&format!("{LEAST}release:\n  weights: {w}\n")).release.strategy {
        Strategy::Weights { steps } => steps.iter().map(|s| s.weight.bp()).collect::<Vec<_>>(),
        Strategy::BlueGreen { .. } | Strategy::CanaryKept { .. } | Strategy::InPlace => panic!("weights"),
    };
    assert_eq!(list("{start: 5%, step: 20%, max: 50%}"), [500, 2500, 4500, 5000]);
    assert_eq!(list("{start: 50%, max: 50%}"), [5000]);
    assert_eq!(list("{start: 1%, step: 49.5%, max: 100%}"), [100, 5050, 10_000]);
    assert_eq!(list("{steps: [{weight: 3}, {weight: 50%}]}"), [300, 5000]);
}

#[test]
fn only_what_runs_names_the_revision() {
    let hash = |text: &str| spec(text).revision().hash();
    let base = hash(LEAST);
    let same = [
        LEAST.replace("sleep {{port}}", "[sleep, \"{{port}}\"]"),
        format!("{LEAST}replicas: 3\nrelease: {{window: 5m}}\nanalysis: {{interval: 5s}}\nproxy: {{workers: 2}}\n"),
        LEAST.replace("8080", "9090"),
        LEAST.replace("shop", "other"),
        format!("{LEAST}  stop: {{timeout: 0.5m}}\n"),
        format!("{LEAST}  limits: {{}}\n"),
    ];
    for text in same {
        assert_eq!(hash(&text), base, "{text}");
    }
    let other = [
        "  env: {A: \"1\"}\n",
        "  cwd: /tmp\n",
        "  user: root\n",
        "  limits: {pids: 10}\n",
        "  stop: {timeout: 31s}\n",
        "  config: {a: b}\n",
        "health: {rise: 3}\n",
    ];
    let mut seen = vec![base];
    for text in other {
        let hash = hash(&format!("{LEAST}{text}"));
        assert!(!seen.contains(&hash), "{text}");
        seen.push(hash);
    }
}

#[test]
fn the_hash_is_the_same_in_every_version_of_serin() {
    assert_eq!(spec(LEAST).revision().hash(), GOLDEN_HASH);
}
/// Changing this renames every revision that is stored anywhere: then a restart after an upgrade starts a release.
const GOLDEN_HASH: &str = "17fb40d903ee265f3039bbe2fa9862d2a03cc660a92d8d08f194d1f491926f23";

#[test]
fn a_changed_config_file_is_another_revision() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("{LEAST}  config:\n    app.toml: {{from: app.toml}}\n");
    let file = dir.path().join("serin.yaml");
    std::fs::write(&file, text).unwrap();
    let hash = || load(&file, &Overrides::default(), None).unwrap().spec.revision().hash();
    std::fs::write(dir.path().join("app.toml"), "a = 1").unwrap();
    let before = hash();
    std::fs::write(dir.path().join("app.toml"), "a = 2").unwrap();
    assert_ne!(hash(), before);
    std::fs::write(dir.path().join("app.toml"), [0xff, 0xfe]).unwrap();
    let error = load(&file, &Overrides::default(), None).unwrap_err();
    assert!(error.to_string().contains("not UTF-8"), "{error}");
}

#[test]
fn a_file_is_another_one_when_it_says_something_else() {
    let hash = |text: &str, o: &Overrides| with(text, o).unwrap_or_else(|e| panic!("{e}")).file_hash;
    let none = Overrides::default();
    let base = hash(LEAST, &none);
    assert_eq!(base.len(), 64);
    let same = [
        "# a remark\nlisten: 127.0.0.1:8080\nservice: shop\nrun: {command: \"sleep {{port}}\"}\n",
        &LEAST.replace('\n', "\r\n"),
    ];
    for text in same {
        assert_eq!(hash(text, &none), base, "{text}");
    }
    assert_eq!(hash(LEAST, &set(&["replicas=3"])), base, "options are not the file");
    assert_ne!(hash(&format!("{LEAST}replicas: 1\n"), &none), base, "what is written counts, not what is meant");
}

#[test]
fn overrides_change_the_file_and_say_how() {
    let text = format!("{LEAST}  env: {{A: \"1\", B: \"2\"}}\n");
    let overrides = Overrides {
        command: Some("sleep '1 0' {{port}}".into()),
        env: vec!["A=x=y".into(), "B-".into()],
        set: vec!["replicas=3".into(), "release.window=2m".into(), "run.env.C=5".into()],
    };
    let loaded = with(&text, &overrides).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(loaded.spec.replicas, 3);
    let expected = [
        "- release.window: 1m",
        "+ release.window: 2m",
        "- replicas: 1",
        "+ replicas: 3",
        "- run.command: sleep {{port}}",
        "+ run.command: sleep '1 0' {{port}}",
        "- run.env.A: 1",
        "+ run.env.A: x=y",
        "- run.env.B: 2",
        "+ run.env.C: 5",
    ];
    assert_eq!(loaded.changes, expected);
    assert!(with(&text, &Overrides::default()).unwrap().changes.is_empty());
}

#[test]
fn overrides_that_cannot_be_made_name_their_option() {
    for (set_, part) in [
        ("replicas", "key.path=value"),
        ("replicas=two", "--set replicas=two"),
        ("run.prot=1", "unknown field `prot`"),
        ("release.window=60", "has no unit"),
        ("=1", "before the `=`"),
        ("analysis.metrics[3].min_samples=1", "no entry [3]"),
    ] {
        let error = with(LEAST, &set(&[set_])).unwrap_err().to_string();
        assert!(error.contains(part), "{set_}: {error}");
    }
    let error = with(LEAST, &set(&["replicas=0"])).unwrap_err().to_string();
    assert!(error.contains("too small"), "{error}");
    let error = with(LEAST, &Overrides { env: vec!["A".into()], ..Overrides::default() }).unwrap_err().to_string();
    assert!(error.contains("NAME=VALUE"), "{error}");
}

#[test]
fn a_set_may_reach_into_lists_and_maps_that_are_not_written() {
    let loaded = with(LEAST, &set(&["release.weights.max=30%", "analysis.metrics[0].success_rate.min=95"]))
        .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(loaded.spec.analysis.metrics[0].success_rate.as_ref().map(|s| s.min), Percent::from_bp(9500));
    let mut expected = vec![
        "- analysis.metrics[0].success_rate.min: 99%".to_owned(),
        "+ analysis.metrics[0].success_rate.min: 95%".to_owned(),
    ];
    for (step, weight) in [(3, 40), (4, 50)] {
        for leaf in ["approve: false", "bake: 30s", &format!("weight: {weight}%")] {
            expected.push(format!("- release.strategy.weights.steps[{step}].{leaf}"));
        }
    }
    assert_eq!(loaded.changes, expected);
}

#[test]
fn warnings_do_not_refuse() {
    let loaded = with(&format!("{LEAST}release: {{window: 0}}\n"), &Overrides::default()).unwrap();
    let rules: Vec<_> = loaded.warnings.list.iter().map(|p| p.rule).collect();
    assert!(rules.contains(&"no-window") && rules.contains(&"tcp-check"), "{rules:?}");
}

#[test]
fn a_state_directory_that_is_too_long_is_refused() {
    let long = format!("/{}", "x".repeat(100));
    let error = parse("serin.yaml", LEAST, Path::new("/"), &Overrides::default(), Some(Path::new(&long))).unwrap_err();
    assert!(error.list.iter().any(|p| p.rule == "socket-path"), "{error}");
}

#[test]
fn no_text_makes_the_reader_panic() {
    // Every prefix of a full file, and every file with one byte replaced: refused or taken, never a crash.
    let text = format!(
        "{LEAST}  env: {{A: \"1\"}}\n  config: {{a: {{from: ä}}}}\nhealth:\n  http: {{path: /ü}}\nrelease:\n  weights:\n    steps:\n      - {{weight: 5%, bake: 1m}}\n"
    );
    let mut taken = 0;
    for cut in (0..text.len()).filter(|c| text.is_char_boundary(*c)) {
        taken += usize::from(with(&text[..cut], &Overrides::default()).is_ok());
        for c in ["\0", "\t", ":", "{", "&", "*", "é", "-"] {
            let end = text[cut..].chars().next().map_or(cut, |c| cut + c.len_utf8());
            if let Err(e) = with(&format!("{}{c}{}", &text[..cut], &text[end..]), &Overrides::default()) {
                assert!(!e.list.is_empty() && !e.to_string().is_empty());
            }
        }
    }
    assert!(taken > 0);
}

#[test]
fn hostile_text_is_refused_quickly_and_other_line_ends_are_taken() {
    let deep = format!("service: {}", "[".repeat(300_000));
    let wide = format!("service: a\n{}", "k: {a: b}\n".repeat(50_000));
    let bomb: String = (1..20).map(|i| format!("k{i}: &a{i} [{}]\n", format!("*a{}, ", i - 1).repeat(9))).collect();
    let bomb = format!("k0: &a0 [x, x]\n{bomb}service: *a19\n");
    for text in [deep, wide, bomb, "\u{0}".repeat(1000), "- ".repeat(100_000), "? ".repeat(10_000)] {
        assert!(with(&text, &Overrides::default()).is_err());
    }
    assert_eq!(spec(&LEAST.replace('\n', "\r\n")), spec(LEAST));
    assert_eq!(spec(&format!("\u{feff}{LEAST}")), spec(LEAST));
    assert_eq!(spec(&format!("---\n{LEAST}")), spec(LEAST));
}

/// A committed file that is made from the code: compared, or written anew with UPDATE=1.
fn held(path: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap_or_default(),
        made,
        "{} is out of date: UPDATE=1 cargo test -p serin",
        path.display()
    );
}

#[test]
fn the_committed_schema_is_the_one_of_the_code() {
    held("docs/serin.schema.json", &schema());
}

#[test]
fn the_guide_lists_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/config.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let (head, rest) = guide.split_once("<!-- keys: made from the code -->\n").expect("the beginning of the table");
    let (_, tail) = rest.split_once("<!-- end of keys -->").expect("the end of the table");
    let root: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    let mut rows = String::from("\n| key | default | meaning |\n|---|---|---|\n");
    rows_of(&root, &root, "", &mut rows);
    held(
        "docs/guides/config.md",
        &format!("{head}<!-- keys: made from the code -->\n{rows}\n<!-- end of keys -->{tail}"),
    );
}

/// The rows of one object of the schema, and of the objects below it.
fn rows_of(root: &serde_json::Value, object: &serde_json::Value, path: &str, out: &mut String) {
    for (key, property) in object["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let text = property["description"].as_str().unwrap_or_default();
        let default = match &property["default"] {
            serde_json::Value::Null | serde_json::Value::Object(_) | serde_json::Value::Array(_) => String::new(),
            serde_json::Value::String(s) => format!("`{s}`"),
            other @ (serde_json::Value::Bool(_) | serde_json::Value::Number(_)) => format!("`{other}`"),
        };
        *out += &format!("| `{path}` | {default} | {} |\n", text.replace('|', "\\|"));
        for (suffix, below) in below(root, property) {
            rows_of(root, below, &format!("{path}{suffix}"), out);
        }
    }
}

/// The objects that a property may hold, behind references, alternatives and lists.
fn below<'a>(
    root: &'a serde_json::Value,
    property: &'a serde_json::Value,
) -> Vec<(&'static str, &'a serde_json::Value)> {
    if let Some(name) = property["$ref"].as_str().and_then(|r| r.strip_prefix("#/definitions/")) {
        return below(root, &root["definitions"][name]);
    }
    let mut all = Vec::new();
    for list in ["allOf", "anyOf", "oneOf"] {
        all.extend(property[list].as_array().into_iter().flatten().flat_map(|p| below(root, p)));
    }
    if property["items"].is_object() {
        all.extend(below(root, &property["items"]).into_iter().map(|(_, o)| ("[]", o)));
    }
    if property["additionalProperties"].is_object() {
        all.extend(below(root, &property["additionalProperties"]).into_iter().map(|(_, o)| (".NAME", o)));
    }
    if property["properties"].is_object() {
        all.push(("", property));
    }
    all
}
