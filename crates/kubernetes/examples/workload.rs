//! The pure half's hands, for a test on a real cluster: what is seen of a target, and the writes that an ask comes to.
//!
//! ```text
//! kubectl get deployments,replicasets,horizontalpodautoscalers -o json | workload ANALYSED.json TO pinned|free
//! ```
//!
//! `ANALYSED.json` is the Deployment as it was when its revision was taken. One JSON object comes out: `seen`, and either
//! `changes` (kind, name and JSON Patch as a text) or `problem`.
use serde_json::{Value, json};
use serin_kubernetes::Problem;
use serin_kubernetes::workload::resize::{self, Asked};
use serin_kubernetes::workload::seen::{self, Now};
use serin_kubernetes::workload::{Change, Content, Data, Expected, How, Kind};
use serin_rollout::Rev;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [analysed, to, pin] = words.as_slice() else {
        return Err("usage: workload ANALYSED.json TO pinned|free".into());
    };
    let analysed: Value = serde_json::from_str(&std::fs::read_to_string(analysed)?)?;
    let objects: Value = serde_json::from_reader(std::io::stdin().lock())?;
    println!("{}", answer(&analysed, &objects, to.parse()?, pin == "pinned")?);
    Ok(())
}

fn answer(analysed: &Value, objects: &Value, to: u16, pin: bool) -> Result<Value, Problem> {
    let items = objects["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of = |kind: &str| -> Vec<&Value> { items.iter().filter(|item| item["kind"] == kind).collect() };
    let content = Content::of(Kind::Deployment, analysed, |_| Data::Absent)?;
    let expected = Expected::of(Rev(1), &content);
    let sets = of("ReplicaSet");
    let (workload, autoscaler) = (of("Deployment").first().copied(), of("HorizontalPodAutoscaler").first().copied());
    let now = Now { kind: Kind::Deployment, workload, replica_sets: &sets, autoscaler };
    let seen = seen::target(&now, Some(&expected), true)?;
    let asked = Asked { to, pin, revision: Some(&expected) };
    Ok(match resize::target(&now, &asked) {
        Ok(changes) => json!({ "seen": seen, "changes": changes.iter().map(shown).collect::<Vec<Value>>() }),
        Err(problem) => json!({ "seen": seen, "problem": problem.to_string() }),
    })
}

fn shown(change: &Change) -> Value {
    let (How::Create(written) | How::Patch(written)) = &change.how;
    json!({ "kind": change.kind, "name": change.name, "patch": written.to_string() })
}
