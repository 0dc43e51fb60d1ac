//! `show drain`: instances leave while slow requests and WebSockets are open on them. Their stop signal is one that the
//! program does not survive for a moment (SIGHUP), so whatever was still open on one when it was told would be lost.
//!
//! Then the other end of it: WebSockets that nobody ends are cut at the drain deadline, and not before.

use crate::json::Value;
use crate::parts::podinfo;
use crate::run::{Run, Stop, fail};
use crate::stage::controller::{DEPLOY, Released, at_gate};
use crate::stage::dataplane::share;
use crate::stage::spec::Spec;
use crate::stage::traffic::{Shape, Summary};
use crate::stage::{PATIENCE, Stage, Tools};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One request in ten takes a second: at every moment some fifty are open.
const LOAD: Shape = Shape { rate: 500.0, slow: 0.1, posts: 0.05, sockets: 6, socket_life: Some(2.0), connections: 512 };
/// The drain deadline for WebSockets that nobody ends, in seconds.
const DEADLINE: u64 = 4;
/// From one look at the proxy to the next.
const LOOK: Duration = Duration::from_millis(20);

/// What was seen of instances that leave.
#[derive(Debug, Default)]
struct Watched {
    /// The most requests and WebSockets that were open on an instance when it got no new ones any more, by its name.
    open: BTreeMap<String, u64>,
    /// Since when an instance has been seen to get no new ones, in milliseconds since the epoch.
    since: BTreeMap<String, u64>,
    /// How many tables the proxy has accepted.
    tables: u64,
    /// Requests that came after their instance had left for good.
    after_ack: u64,
}

pub fn perform(run: &mut Run) -> Result<(), Stop> {
    let tools = Tools::build(run)?;
    let programs = [podinfo::build(run, "6.0.1")?, podinfo::build(run, "6.0.2")?];
    let rounds = if run.is_long() { 30 } else { 3 };
    let mut spec = base(&programs[0]);
    let mut stage = Stage::set(run, &tools, &mut spec)?;
    stage.up()?;
    let before = stage.counters()?;
    let load = stage.traffic_of(run.seed(), LOAD)?;
    let (watched, played) = watching(&stage, || {
        for round in 0..rounds {
            turn(&stage, &spec, &programs, round)?;
        }
        Ok(())
    });
    played?;
    let summary = load.stop()?;
    let counted = stage.counters()?.since(&before);
    summary.must_be_whole("drain", &counted, None)?;
    let left = watched.open.values().filter(|open| **open > 0).count();
    if left < rounds || watched.after_ack > 0 {
        return fail(format!("too few instances left with something open, or some got more: {watched:?}"));
    }
    let cut = cut(&stage, &spec, &programs, run.seed())?;
    stage.end()?;
    run.fact("requests", summary.count("sent"));
    run.fact("lost", summary.lost(0));
    run.fact("ws_lost", summary.count("ws_lost"));
    run.fact("tables", watched.tables);
    run.fact("left_with_open", left);
    run.fact("most_open", watched.open.values().copied().max().unwrap_or(0));
    run.fact("started_after_ack", counted.after_ack() + watched.after_ack);
    run.fact("cut_after", cut);
    Ok(())
}

fn base(program: &std::path::Path) -> Spec {
    let mut spec =
        Spec::podinfo(program, 2).with_release(&["weights: {steps: [{weight: 50%}], bake: 0s}", "window: 0s"]);
    spec.run = vec!["stop: {signal: HUP, timeout: 5s}".to_owned()];
    spec.analysis = "{interval: 500ms, failures: {consecutive: 2, total: 4}}".to_owned();
    spec
}

/// A round: the other version, by shares, one by one, or given up half-way and then by shares.
fn turn(stage: &Stage, spec: &Spec, programs: &[PathBuf; 2], round: usize) -> Result<(), Stop> {
    let next = spec.clone().with_program(&programs[(round + 1) % 2], &[]).with_env("ROUND", &round.to_string());
    let (next, ends) = match round % 3 {
        0 => (next, "promoted"),
        1 => (next.with_release(&["canary_kept: {replace: one_by_one, bake: 0s}"]), "promoted"),
        _ => (next.with_release(&["weights: {steps: [{weight: 50%, approve: true}], bake: 0s}"]), "aborted"),
    };
    stage.say(format!("round {}: to be {ends}", round + 1));
    let mut asked = stage.begin_release(&next)?;
    if ends == "aborted" {
        stage.wait("the gate", PATIENCE, at_gate)?;
        for (word, points) in [("20%", 2000), ("70%", 7000), ("50%", 5000)] {
            stage.must(&["weight", word])?;
            stage.wait("the share that was asked for", PATIENCE, |status| {
                let split = status.find("route.split");
                let is = |slot: usize| split.is_some_and(|split| share(split, slot) == points);
                at_gate(status) && (is(0) || is(1))
            })?;
        }
        stage.must(&["abort"])?;
    }
    let released = Released::read(&asked.end(2 * PATIENCE)?)?;
    if released.outcome != ends {
        return fail(format!("round {} ended as {released:?}, and should have been {ends}", round + 1));
    }
    stage.rests("at rest after a round").map(drop)
}

/// Looks at the proxy while `what` happens.
fn watching<T>(stage: &Stage, what: impl FnOnce() -> Result<T, Stop>) -> (Watched, Result<T, Stop>) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut watched = Watched::default();
            while !over.load(Ordering::Relaxed) {
                if let Ok(report) = stage.report() {
                    watched.look(&report);
                }
                std::thread::sleep(LOOK);
            }
            watched
        });
        let result = what();
        over.store(true, Ordering::Relaxed);
        (watcher.join().unwrap_or_default(), result)
    })
}

impl Watched {
    fn look(&mut self, report: &Value) {
        let number = |value: &Value, path: &str| value.find(path).and_then(Value::number).unwrap_or_default() as u64;
        self.tables = self.tables.max(number(report, "version"));
        for instance in report.get("instances").into_iter().flat_map(Value::items) {
            self.after_ack = self.after_ack.max(number(instance, "started_after_ack"));
            let slot = instance.get("slot").and_then(Value::number);
            let gone =
                slot.is_none_or(|slot| report.get("split").is_some_and(|split| share(split, slot as usize) == 0));
            let id = instance.get("id").and_then(Value::text).unwrap_or_default().to_owned();
            if !gone {
                self.since.remove(&id);
            } else if number(report, "acknowledged") == number(report, "version") {
                let open = number(instance, "open") + number(instance, "tunnels");
                let most = self.open.entry(id.clone()).or_default();
                *most = open.max(*most);
                self.since.entry(id).or_insert_with(now_ms);
            }
        }
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

/// WebSockets that nobody ends: seconds from the moment that their instances got nothing new to the first cut.
fn cut(stage: &Stage, spec: &Spec, programs: &[PathBuf; 2], seed: u64) -> Result<f64, Stop> {
    stage.say("WebSockets that nobody ends");
    let load = stage.traffic_of(seed, Shape { socket_life: None, ..LOAD })?;
    let next = spec.clone().with_program(&programs[1], &[]).with_env("ROUND", "cut");
    let next = next.with_release(&[&format!("drain: {DEADLINE}s")]);
    stage.write(&next)?;
    let (watched, ended) = watching(stage, || {
        let said = stage.ask(&DEPLOY, 2 * PATIENCE)?;
        stage.rests("at rest after the cut").map(|_| said)
    });
    let said = ended?;
    let summary = load.stop()?;
    let lost = summary.count("ws_lost");
    if said.code != Some(0) || summary.lost(0) > 0 || lost == 0 {
        return fail(format!("at the deadline only WebSockets are cut, and they are: {said:?}, {}", summary.all));
    }
    let left = watched.since.values().min().copied().unwrap_or(u64::MAX);
    let cut = first_cut(&summary).unwrap_or(0);
    let after = cut.saturating_sub(left) as f64 / 1000.0;
    // The timeline counts in 100 ms, and the look may come a moment late.
    if after + 0.3 < DEADLINE as f64 {
        return fail(format!("a WebSocket was cut after {after} s, before the deadline of {DEADLINE} s"));
    }
    Ok(after)
}

/// When the first WebSocket was lost, in milliseconds since the epoch.
fn first_cut(summary: &Summary) -> Option<u64> {
    let number = |line: &Value, name: &str| line.get(name).and_then(Value::number).unwrap_or_default() as u64;
    summary.timeline.iter().find(|line| number(line, "ws_lost") > 0).map(|line| number(line, "unix_ms"))
}
