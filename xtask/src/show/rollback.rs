//! `show rollback`: a new version that answers 500 to one request in five, released by a file that says nothing about how
//! to release or judge. How long until it is found out, and what users saw of it.

use crate::json::Value;
use crate::run::{Run, Stop, fail};
use crate::stage::spec::Spec;
use crate::stage::traffic::Shape;
use crate::stage::{PATIENCE, Stage, Tools};

/// From the first share that the canary gets to the decision to go back, in seconds.
const MOST: f64 = 15.0;

/// What a release showed.
struct Seen {
    requests: u64,
    bad: u64,
    /// From the canary's first share to the decision, and from the release to it, in seconds.
    found: f64,
    since_deploy: f64,
}

/// One release after the other.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    let tools = Tools::build(run)?;
    let releases: u64 = if run.is_long() { 20 } else { 1 };
    let mut base = spec(&tools);
    let mut stage = Stage::set(run, &tools, &mut base)?;
    stage.up()?;
    let mut all = Vec::new();
    for number in 0..releases {
        all.push(one(&stage, &base, run.seed() + number, number)?);
    }
    stage.end()?;
    let longest = |of: fn(&Seen) -> f64| all.iter().map(of).fold(0.0, f64::max);
    run.fact("releases", releases);
    run.fact("requests", all.iter().map(|seen| seen.requests).sum::<u64>());
    run.fact("lost", 0u64);
    run.fact("bad_answers", all.iter().map(|seen| seen.bad).sum::<u64>());
    run.fact("found_after_s", longest(|seen| seen.found));
    run.fact("since_deploy_s", longest(|seen| seen.since_deploy));
    match longest(|seen| seen.found) {
        found if found > MOST => fail(format!("it took {found} s, and may take {MOST}")),
        _ => Ok(()),
    }
}

/// The small service of the load generator; how it is released and judged is what it is where nobody says anything.
fn spec(tools: &Tools) -> Spec {
    let mut spec = Spec::backend(&tools.load, "plain", 1);
    spec.release.clear();
    spec.analysis = "{}".to_owned();
    spec
}

fn one(stage: &Stage, base: &Spec, seed: u64, number: u64) -> Result<Seen, Stop> {
    let mut bad = base.clone().with_env("RELEASE", &number.to_string());
    bad.command.extend(["--fail-share", "0.2"].map(str::to_owned));
    let name = format!("release {} answers 500 to a fifth", number + 1);
    let seen = stage.observe(&name, &bad, (seed, Shape::default()), |_| Ok(()))?;
    seen.must_end("rolled_back", "rolled_back")?;
    seen.must_run(true)?;
    seen.load.must_be_whole(&name, &seen.counted, Some(seen.canary()))?;
    let rollout = seen.released.rollout.to_string();
    let said = stage.ask(&["history", &rollout, "--output", "json"], PATIENCE)?;
    let history = Value::parse(&said.out).map_err(Stop::Fail)?;
    let at = |kind: &str| {
        let events = history.get("events").into_iter().flat_map(Value::items);
        let mut of_kind = events.filter(|event| event.get("kind").and_then(Value::text) == Some(kind));
        let first = of_kind.next().and_then(|event| event.get("at")).and_then(Value::number);
        first.map(|ms| ms / 1000.0).ok_or_else(|| Stop::Fail(format!("nothing is told as {kind}: {history}")))
    };
    let (started, first, back) = (at("started")?, at("advanced")?, at("going_back")?);
    let seconds = |from: f64| ((back - from) * 10.0).round() / 10.0;
    Ok(Seen {
        requests: seen.load.count("sent"),
        bad: seen.counted.slots[seen.canary()].server_errors,
        found: seconds(first),
        since_deploy: seconds(started),
    })
}
