//! The pure half's hands, for a test on a real cluster: what is seen of a target, and the writes that an ask comes to.
//!
//! ```text
//! kubectl get deployments,replicasets,horizontalpodautoscalers -o json | workload ANALYSED.json target TO pinned|free
//! … | workload ANALYSED.json primary TO pinned|free
//! … | workload ANALYSED.json rewrite
//! ```
//!
//! `ANALYSED.json` is the target as it was when its revision was taken. One JSON object comes out: `seen`, and either
//! `changes` (kind, name, and the object or JSON Patch as a text) or `problem`.
use serde_json::{Value, json};
use serin_kubernetes::Problem;
use serin_kubernetes::route::Owner;
use serin_kubernetes::wanted::Names;
use serin_kubernetes::workload::primary::{self, Primary};
use serin_kubernetes::workload::resize::{self, Asked};
use serin_kubernetes::workload::seen::{self, Now};
use serin_kubernetes::workload::{Change, Content, Data, Expected, How, Kind};
use serin_rollout::Rev;
use std::error::Error;

/// What can be asked.
enum Wish {
    Target(u16, bool),
    Primary(u16, bool),
    Rewrite,
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (analysed, wish) = match words.as_slice() {
        [analysed, "target", to, pin] => (analysed, Wish::Target(to.parse()?, *pin == "pinned")),
        [analysed, "primary", to, pin] => (analysed, Wish::Primary(to.parse()?, *pin == "pinned")),
        [analysed, "rewrite"] => (analysed, Wish::Rewrite),
        _ => return Err("usage: workload ANALYSED.json target|primary TO pinned|free, or rewrite".into()),
    };
    let analysed: Value = serde_json::from_str(&std::fs::read_to_string(analysed)?)?;
    let objects: Value = serde_json::from_reader(std::io::stdin().lock())?;
    println!("{}", answer(&analysed, &objects, &wish)?);
    Ok(())
}

fn answer(analysed: &Value, objects: &Value, wish: &Wish) -> Result<Value, Problem> {
    let items = objects["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of = |kind: &str| -> Vec<&Value> { items.iter().filter(|item| item["kind"] == kind).collect() };
    let content = Content::of(Kind::Deployment, analysed, |_| Data::Absent)?;
    let expected = Expected::of(Rev(1), &content);
    let name = analysed["metadata"]["name"].as_str().unwrap_or_default();
    let names = Names {
        workload: [format!("{name}-primary"), name.to_owned()],
        apex: name.to_owned(),
        service: [format!("{name}-primary"), format!("{name}-canary")],
    };
    let sets = of("ReplicaSet");
    let named = |name: &String| of("Deployment").into_iter().find(|object| object["metadata"]["name"] == name.as_str());
    let target = Now {
        kind: Kind::Deployment,
        workload: named(&names.workload[1]),
        replica_sets: &sets,
        autoscaler: of("HorizontalPodAutoscaler").first().copied(),
    };
    let primary = Now { workload: named(&names.workload[0]), autoscaler: None, ..target };
    // It belongs to the target here, as there is no canary.
    let uid = analysed["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    let mut owner = Owner { name: name.to_owned(), uid }.reference();
    (owner["apiVersion"], owner["kind"]) = ("apps/v1".into(), "Deployment".into());
    let wanted = Primary {
        rev: 1,
        content: &content,
        target: analysed,
        names: &names,
        owner: &owner,
        selector_labels: &primary::SELECTOR_LABELS,
        label_prefixes: &[],
    };
    let asked = |to, pin| Asked { to, pin, revision: Some(&expected) };
    let (seen, changes) = match *wish {
        Wish::Target(to, pin) => {
            (seen::target(&target, Some(&expected), true)?, resize::target(&target, &asked(to, pin)))
        }
        Wish::Primary(to, pin) => (
            seen::primary(&primary, std::slice::from_ref(&expected), true)?,
            resize::primary(&primary, &asked(to, pin), Some(&wanted)),
        ),
        Wish::Rewrite => {
            let seen = seen::primary(&primary, std::slice::from_ref(&expected), true)?;
            let change = primary.workload.map_or(Ok(None), |workload| primary::rewrite(workload, &wanted));
            (seen, change.map(|change| change.into_iter().collect()))
        }
    };
    Ok(match changes {
        Ok(changes) => json!({ "seen": seen, "changes": changes.iter().map(shown).collect::<Vec<Value>>() }),
        Err(problem) => json!({ "seen": seen, "problem": problem.to_string() }),
    })
}

fn shown(change: &Change) -> Value {
    let (key, written) = match &change.how {
        How::Create(object) => ("create", object),
        How::Patch(patch) => ("patch", patch),
    };
    json!({ "kind": change.kind, "name": change.name, key: written.to_string() })
}
