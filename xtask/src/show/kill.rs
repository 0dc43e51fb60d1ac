//! What dies under load, and what of it anybody notices: the controller, an instance, the proxy, a shim.

pub mod controller;
pub mod instance;
pub mod proxy;
pub mod shim;

use crate::json::Value;
use crate::process::send;
use crate::run::{Stop, fail};
use crate::stage::spec::Spec;
use crate::stage::traffic::{Shape, Summary};
use crate::stage::{Stage, Tools};
use std::path::Path;
use std::time::{Duration, Instant};

/// The lease of these services: a canary falls back by itself this long after the last sign of a controller.
const LEASE: Duration = Duration::from_secs(1);

/// From one instance's death to the next. A request that breaks is sent again on a new connection once; none that takes
/// a second may meet two deaths.
const BREATH: Duration = Duration::from_secs(2);

/// A service whose releases take a few seconds; `version` is what its instances say they are. Its deadlines are long: on a
/// machine that is merely busy none of them may decide how a release ends.
pub fn fast(tools: &Tools, name: &str, replicas: u16, version: &str) -> Spec {
    let mut spec = Spec::backend(&tools.load, name, replicas).with_release(&[
        "weights: {steps: [{weight: 50%}], bake: 500ms}",
        "window: 1s",
        "min_healthy: 200ms",
        "healthy_deadline: 60s",
        "progress_deadline: 120s",
        "drain: 5s",
        "lease: 1s",
    ]);
    spec.command.extend(["--version", version].map(str::to_owned));
    spec.health = "{http: {path: /readyz}, interval: 100ms, timeout: 5s, rise: 1, fall: 3}".to_owned();
    let metrics = "metrics: [{success_rate: {min: 99%}, min_samples: 5}]";
    spec.analysis = format!("{{interval: 250ms, failures: {{consecutive: 2, total: 4}}, {metrics}}}");
    spec
}

/// A load of `rate` requests a second whose requests are all short: what is open at a moment is little, and everything
/// may be counted.
fn short(rate: f64) -> Shape {
    Shape { rate, slow: 0.0, sockets: 1, socket_life: Some(2.0), ..Shape::default() }
}

/// Kills one process, by id, and waits until it is gone.
///
/// # Errors
/// When it is not there, or does not die: then the fault did not happen.
pub fn kill(id: u32) -> Result<(), Stop> {
    send("KILL", &id.to_string())?;
    let begin = Instant::now();
    while is_alive(id) {
        if begin.elapsed() > Duration::from_secs(10) {
            return fail(format!("process {id} does not die"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Whether a process runs; one that has ended and was not collected does not.
fn is_alive(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// The program under the shim of this directory, by the shim's own file: its process id.
fn program_of(directory: &Path) -> Result<u32, Stop> {
    let text = std::fs::read_to_string(directory.join("state.json"))?;
    let state = Value::parse(&text).map_err(|e| Stop::Fail(format!("state.json: {e}")))?;
    let found = state.find("phase.program.pid").and_then(Value::number);
    found
        .map(|id| id as u32)
        .ok_or_else(|| Stop::Fail(format!("{} runs no program: {}", directory.display(), text.trim())))
}

/// How many requests ended otherwise than they should have: not sent at all, or without a whole answer, or with a 5xx
/// that no instance gave.
pub fn lost(stage: &Stage, summary: &Summary, before: &crate::stage::dataplane::Counters) -> Result<u64, Stop> {
    let since = stage.counters()?.since(before);
    let by_canaries = since.slots[0].server_errors + since.slots[1].server_errors;
    Ok(summary.lost(by_canaries) + since.own_errors + since.after_ack() + summary.count("ws_lost"))
}
