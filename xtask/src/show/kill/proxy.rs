//! `show kill proxy`: the proxy dies under load, with a controller and without one. Its shim holds the listening
//! sockets: new connections wait in the backlog, and are answered by the next proxy on the route of the last one.

use super::{fast, kill, program_of};
use crate::json::Value;
use crate::run::{Run, Stop, fail};
use crate::stage::traffic::Shape;
use crate::stage::{PATIENCE, Stage, Tools};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Connections of the load: so many requests can be open at most when the proxy dies, and are cut off.
const CONNECTIONS: u64 = 8;
/// It must be back within this time.
const BACK: Duration = Duration::from_secs(1);

/// Kills it, first with a controller, then without one.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    let tools = Tools::build(run)?;
    let kills: u64 = if run.is_long() { 50 } else { 6 };
    let mut stage = Stage::set(run, &tools, &mut fast(&tools, "behind", 2, "1"))?;
    stage.up()?;
    let shape = Shape { rate: 200.0, slow: 0.0, sockets: 0, connections: CONNECTIONS, ..Shape::default() };
    let load = stage.traffic_of(run.seed(), shape)?;
    let mut slowest = Duration::ZERO;
    for number in 0..kills {
        if number == kills / 2 {
            stage.kill_controller()?;
        }
        std::thread::sleep(Duration::from_millis(500));
        slowest = slowest.max(once(&stage)?);
    }
    let summary = load.stop()?;
    let (refused, unable) = (summary.count("refused"), summary.count("unable"));
    let cut = summary.count("reset") + summary.count("truncated");
    let other = summary.lost(0) - refused - unable - cut;
    stage.serve()?;
    stage.rests("at rest with a controller again")?;
    stage.end()?;
    run.fact("killed", kills);
    run.fact("without_controller", kills - kills / 2);
    run.fact("requests", summary.count("sent"));
    run.fact("refused", refused + unable);
    run.fact("open_on_the_dead", cut);
    run.fact("otherwise_lost", other);
    run.fact("back_ms", slowest.as_millis() as u64);
    if !summary.is_full() {
        return fail(format!("too little was asked: {}", summary.all));
    }
    match (refused + unable + other, cut > CONNECTIONS * kills, slowest > BACK) {
        (0, false, false) => Ok(()),
        (_, _, _) => fail(format!("back after {} ms; {}", slowest.as_millis(), summary.all)),
    }
}

/// One kill; how long until the next proxy answered a request on a new connection, on the same route.
fn once(stage: &Stage) -> Result<Duration, Stop> {
    let directory = stage.state().join("proxy");
    let before = route(stage)?;
    let id = program_of(&directory)?;
    kill(id)?;
    let begin = Instant::now();
    let answer = get(stage.listen())?;
    let back = begin.elapsed();
    if !answer.starts_with("HTTP/1.1 200") {
        return fail(format!("the next proxy answered {answer:?}"));
    }
    let mut now = route(stage);
    while now.is_err() && begin.elapsed() < PATIENCE {
        now = route(stage);
    }
    let (now, next) = (now?, program_of(&directory)?);
    if now != before || next == id {
        return fail(format!("process {id} with {before} was followed by process {next} with {now}"));
    }
    Ok(back)
}

/// What is in force, as far as a kill must not change it. Not the table's version: a controller tells the next proxy anew
/// who is there.
fn route(stage: &Stage) -> Result<String, Stop> {
    let report = stage.report()?;
    let part = |name: &str| report.get(name).map(Value::to_string).unwrap_or_default();
    Ok(["epoch", "generation", "split", "fallback"].map(part).join(" "))
}

/// One GET on a connection of its own, which may wait for the next proxy in the backlog.
fn get(address: SocketAddr) -> Result<String, Stop> {
    let mut stream = TcpStream::connect_timeout(&address, BACK * 5)?;
    stream.set_read_timeout(Some(BACK * 10))?;
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
