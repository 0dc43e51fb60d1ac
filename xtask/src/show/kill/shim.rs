//! `show kill shim`: a shim dies under load. Its program dies with it. An instance is replaced by the controller, and
//! nothing that may be sent again is lost. The proxy's shim holds the listening sockets, so they close: connections are
//! refused until the controller has started it again; how many and for how long is counted, and not hidden.

use super::{BREATH, fast, is_alive, kill, program_of};
use crate::json::Value;
use crate::run::{Run, Stop, fail};
use crate::stage::controller::every_instance;
use crate::stage::traffic::Shape;
use crate::stage::{PATIENCE, Stage, Tools, shims};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// The proxy's address must answer again within this time: the controller looks five times a second.
const BACK: Duration = Duration::from_secs(10);

/// The shims of the instances, then the proxy's.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    let tools = Tools::build(run)?;
    let kills: u64 = if run.is_long() { 20 } else { 3 };
    let mut spec = fast(&tools, "shimmed", 2, "1");
    let mut stage = Stage::set(run, &tools, &mut spec)?;
    stage.up()?;

    let gets = Shape { rate: 100.0, slow: 0.02, posts: 0.0, sockets: 0, ..Shape::default() };
    let load = stage.traffic_of(run.seed(), gets)?;
    for _ in 0..kills {
        std::thread::sleep(BREATH);
        instance(&stage)?;
    }
    let summary = load.stop()?;
    run.fact("instance_shims", kills);
    run.fact("gets", summary.count("sent"));
    run.fact("lost", summary.lost(0));
    if summary.lost(0) > 0 || !summary.is_full() {
        return fail(format!("GETs were lost with an instance's shim: {}", summary.all));
    }

    let load = stage.traffic_of(run.seed() + 1, gets)?;
    let mut longest = Duration::ZERO;
    for _ in 0..kills {
        std::thread::sleep(Duration::from_millis(500));
        longest = longest.max(proxy(&stage)?);
    }
    let summary = load.stop()?;
    run.fact("proxy_shims", kills);
    run.fact("requests", summary.count("sent"));
    run.fact("not_answered", summary.lost(0));
    run.fact("away_ms", longest.as_millis() as u64);
    let status = stage.rests("at rest after all")?;
    let ready = every_instance(&status).filter(|i| i.get("state").and_then(Value::text) == Some("ready")).count();
    if ready != 2 {
        return fail(format!("not everything is back: {status}"));
    }
    stage.end()?;
    if longest > BACK { fail(format!("the proxy was away for {} ms", longest.as_millis())) } else { Ok(()) }
}

/// The shim of a directory, alive.
fn shim_of(stage: &Stage, directory: &Path) -> Result<u32, Stop> {
    let begin = Instant::now();
    loop {
        // One that has just been started may still be the program that starts it.
        if let Some((id, _)) = shims::below(stage.place()).into_iter().find(|(_, place)| place == directory) {
            return Ok(id);
        }
        if begin.elapsed() > BACK {
            let there = shims::below(stage.place());
            return fail(format!("{} has no shim; these are there: {there:?}", directory.display()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Kills it, and waits until its program is gone too.
fn kill_both(stage: &Stage, directory: &Path) -> Result<(), Stop> {
    let (shim, program) = (shim_of(stage, directory)?, program_of(directory)?);
    kill(shim)?;
    let begin = Instant::now();
    while is_alive(program) {
        if begin.elapsed() > Duration::from_secs(5) {
            return fail(format!("program {program} outlives its shim {shim}"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// The oldest instance's shim; another instance takes its place.
fn instance(stage: &Stage) -> Result<(), Stop> {
    let status = stage.rests("at rest before a kill")?;
    let name = every_instance(&status).find_map(|i| i.get("id").and_then(Value::text));
    let Some(name) = name else { return fail(format!("there is no instance: {status}")) };
    kill_both(stage, &stage.state().join("instances").join(name))?;
    stage.wait("another instance takes its place", PATIENCE, |status| {
        let ready = |i: &&Value| i.get("state").and_then(Value::text) == Some("ready");
        let others = |i: &&Value| i.get("id").and_then(Value::text) != Some(name);
        every_instance(status).filter(ready).filter(others).count() == 2
    })?;
    Ok(())
}

/// The proxy's shim; how long its address was away.
fn proxy(stage: &Stage) -> Result<Duration, Stop> {
    stage.rests("at rest before a kill")?;
    let directory = stage.state().join("proxy");
    let before = shim_of(stage, &directory)?;
    kill_both(stage, &directory)?;
    let begin = Instant::now();
    while TcpStream::connect(stage.listen()).is_err() {
        if begin.elapsed() > PATIENCE {
            return fail("the proxy is not started again");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let away = begin.elapsed();
    stage.rests("at rest with another proxy")?;
    if shim_of(stage, &directory)? == before {
        return fail("it is the same shim: nothing was killed");
    }
    Ok(away)
}
