//! Nothing that an object can hold makes the reader panic, hang, or keep silent.
#[path = "objects/file.rs"]
mod file;

use file::{Document, documents, files};
use serde_json::{Map, Value, json};
use serin_kubernetes::flagger::{AlertProvider, Canary, MetricTemplate, fields_read};
use serin_kubernetes::query::{Names, render};
use serin_kubernetes::status::CanaryStatus;
use serin_kubernetes::wanted::Templates;
use serin_kubernetes::{Defaults, MOST, Problem, Target, Wanted, collisions, wanted};

fn canary(spec: Value) -> Value {
    let meta = json!({"name": "shop", "namespace": "prod"});
    json!({"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": meta, "spec": spec})
}

fn spec(analysis: Value) -> Value {
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"});
    json!({"provider": "serin", "targetRef": target, "service": {"port": 80}, "analysis": analysis})
}

fn want(value: &Value) -> Result<Wanted, Vec<Problem>> {
    wanted(&Canary::decode(value)?, &Templates::new(), &Target::default(), &Defaults::default())
}

fn refused(value: &Value) -> Vec<Problem> {
    want(value).expect_err("it is refused")
}

#[test]
fn a_hundred_thousand_metrics_are_one_problem() {
    let metrics: Vec<Value> = (0..100_000).map(|i| json!({"name": format!("m{i}"), "threshold": -i})).collect();
    let told = refused(&canary(spec(json!({"stepWeight": 10, "metrics": metrics}))));
    assert_eq!(told.len(), 1);
    assert_eq!(
        told[0].to_string(),
        "error spec.analysis.metrics (value): 100000 entries are too many; write at most 100"
    );
}

#[test]
fn a_hundred_thousand_unknown_fields_are_counted() {
    let mut analysis: Map<String, Value> = (0..100_000).map(|i| (format!("f{i}"), json!(i))).collect();
    analysis.insert("stepWeight".to_owned(), json!("x"));
    let told = refused(&canary(spec(Value::Object(analysis))));
    assert_eq!(told.len(), 1 + MOST + 1, "the error, some of the warnings, and how many more");
    assert!(told[0].is_error() && told[0].path == "spec.analysis.stepWeight");
    assert!(told[MOST + 1].message.starts_with("99950 more"), "{}", told[MOST + 1]);
}

#[test]
fn deep_nesting_is_passed_over_where_it_is_foreign_and_refused_where_it_is_not() {
    let deep = (0..100).fold(json!(1), |inner, _| json!({ "a": [inner] }));
    let mut value = canary(spec(json!({"stepWeight": 10})));
    value["spec"]["service"]["trafficPolicy"] = deep.clone();
    assert!(want(&value).is_ok());
    value["spec"]["analysis"]["interval"] = deep;
    assert_eq!(refused(&value).iter().filter(|problem| problem.is_error()).count(), 1);
}

#[test]
fn a_long_text_does_not_come_back_whole() {
    let long = "🦜".repeat(1_000_000);
    let mut value = canary(spec(json!({"stepWeight": 10, "interval": long.clone()})));
    value["spec"]["provider"] = json!(long);
    value["spec"][&long] = json!(1);
    value["spec"]["analysis"]["metrics"] = json!([{"name": long, "query": format!("{{{{ {long} }}}}")}]);
    for problem in refused(&value) {
        assert!(problem.to_string().len() < 1_000, "{} bytes", problem.to_string().len());
    }
}

#[test]
fn one_bad_object_harms_no_other() {
    let bad = canary(spec(json!({"stepWeight": 10, "threshold": 0.5})));
    let good = canary(spec(json!({"stepWeight": 10, "threshold": 5})));
    let all = [bad, good, json!(null), json!({"kind": "Canary"})];
    let taken: Vec<bool> = all.iter().map(|value| want(value).is_ok()).collect();
    assert_eq!(taken, [false, true, false, false]);
}

/// Xorshift: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides.max(1) as u64) as usize
    }
}

/// Values that have broken somebody.
fn odd(dice: &mut Dice) -> Value {
    let all = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(0.5),
        json!(100),
        json!(101),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(9_223_372_036_854_775_808_u64),
        json!(1e308),
        json!(-0.0),
        json!(""),
        json!("10seconds"),
        json!("1h"),
        json!("0s"),
        json!("{{ namespace }}"),
        json!("{{"),
        json!("\u{0}\u{202e}ü🦜"),
        json!("-primary"),
        json!([]),
        json!({}),
        json!([null, 1, "x", {}, []]),
        json!({"name": "x", "namespace": 1}),
        json!(["a", "a"]),
        json!([3, 2, 1]),
    ];
    all[dice.roll(all.len())].clone()
}

/// Changes one place of a value, anywhere in it.
fn garble(value: &mut Value, dice: &mut Dice) {
    let deeper = dice.roll(12) > 0;
    match value {
        Value::Object(map) if deeper && !map.is_empty() => {
            let at = dice.roll(map.len());
            let key = map.keys().nth(at).cloned().unwrap_or_default();
            match dice.roll(8) {
                0 => drop(map.remove(&key)),
                1 => {
                    let inner = map.remove(&key).unwrap_or_default();
                    let mut name = key;
                    name.pop();
                    map.insert(name, inner);
                }
                _ => garble(map.entry(key).or_insert(Value::Null), dice),
            }
        }
        Value::Array(list) if deeper && !list.is_empty() => {
            let at = dice.roll(list.len());
            match dice.roll(6) {
                0 => drop(list.remove(at)),
                1 => list.push(list[at].clone()),
                _ => garble(&mut list[at], dice),
            }
        }
        Value::String(text) if deeper && !text.is_empty() => {
            let mut chars: Vec<char> = text.chars().collect();
            let at = dice.roll(chars.len());
            match dice.roll(3) {
                0 => drop(chars.remove(at)),
                1 => chars.insert(at, ['{', '}', '"', '-', '0', 'ü', '\\', '`'][dice.roll(8)]),
                _ => chars.truncate(at),
            }
            *text = chars.into_iter().collect();
        }
        Value::Object(_) | Value::Array(_) | Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
            *value = odd(dice);
        }
    }
}

/// What is taken must be sound, and what is refused must say why.
fn hold(value: &Value, document: &Document, templates: &Templates) -> bool {
    let (target, defaults) = (&document.target, &document.defaults);
    match Canary::decode(value).and_then(|decoded| wanted(&decoded, templates, target, defaults)) {
        Ok(wanted) => {
            let plan = &wanted.plan;
            assert!(plan.limits.replicas >= 1 && plan.limits.floor >= 1 && plan.limits.floor <= plan.limits.replicas);
            let shares: Vec<_> = plan.steps.iter().map(|step| step.target.route.split.share(1)).collect();
            let rising = shares.strip_prefix(&[0]).filter(|_| !wanted.gates.preparation.is_empty()).unwrap_or(&shares);
            assert!(rising.windows(2).all(|pair| pair[0] < pair[1]) && shares.last() == Some(&10_000), "{shares:?}");
            assert!(wanted.checks.iter().all(|checks| checks.validate().is_ok()));
            assert!(wanted.threshold >= 1 && wanted.interval_ms >= 1_000);
            assert!(wanted.questions.iter().all(|question| question.query[1].is_some()));
            assert!(!wanted.warnings.iter().any(Problem::is_error));
            true
        }
        Err(told) => {
            assert!(told.iter().any(Problem::is_error), "it was refused without a word: {value}");
            assert!(told.iter().all(|problem| !problem.message.is_empty() && problem.to_string().len() < 1_500));
            false
        }
    }
}

#[test]
fn garbled_examples_are_taken_or_refused() {
    let mut dice = Dice(0x5e71_0000_0000_0001);
    let (mut taken, mut refused) = (0, 0);
    for path in files() {
        let all = documents(&path);
        let templates: Templates = all
            .iter()
            .filter_map(|document| MetricTemplate::decode(&document.value).ok())
            .map(|decoded| ((decoded.object.meta.namespace.clone(), decoded.object.meta.name.clone()), decoded.object))
            .collect();
        for document in &all {
            let sound = document.kind() == Canary::KIND && hold(&document.value, document, &templates);
            for _ in 0..if sound { 500 } else { 50 } {
                let mut value = document.value.clone();
                for _ in 0..=dice.roll(2) {
                    garble(&mut value, &mut dice);
                }
                if hold(&value, document, &templates) {
                    taken += 1
                } else {
                    refused += 1
                }
                let _ = (MetricTemplate::decode(&value), AlertProvider::decode(&value), CanaryStatus::read(&value));
                let _ = fields_read(&value);
                if let Ok(decoded) = Canary::decode(&value) {
                    assert!(collisions([&decoded.object]).is_empty(), "one canary alone collides with nobody");
                }
            }
        }
    }
    assert!(taken > 300 && refused > 3_000, "both must happen: {taken} taken, {refused} refused");
}

#[test]
fn garbled_queries_are_filled_in_or_refused() {
    let mut dice = Dice(0x5e71_0000_0000_0002);
    let query = "{{- /* x */ -}} a{n=\"{{ namespace }}\",b=\"{{ index variables \"c\" }}\"}[{{ interval }}] {{ `}}` }}";
    let names = Names { variables: [("c".to_owned(), "d".to_owned())].into(), ..Names::default() };
    let (mut good, mut bad) = (0, 0);
    for _ in 0..20_000 {
        let mut text = json!(query);
        for _ in 0..=dice.roll(4) {
            garble(&mut text, &mut dice);
        }
        let Value::String(text) = text else { continue };
        if render(&text, &names).is_ok() { good += 1 } else { bad += 1 }
    }
    assert!(good > 500 && bad > 500, "both must happen: {good} good, {bad} bad");
}
