//! `show first-request`: how long from nothing to the first request that the service answers through the proxy: from an
//! empty state directory; with `--long` also from a fresh clone, the build included.

use crate::run::{Run, Stop, fail};
use crate::stage::spec::Spec;
use crate::stage::{PATIENCE, Stage, Tools};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// So many starts are measured; the median is named, and the slowest.
const STARTS: usize = 5;

/// Measures both.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    let tools = Tools::build(run)?;
    let mut seconds = Vec::new();
    for number in 0..STARTS {
        let took = from_nothing(run, &tools, number)?;
        run.say(format!("start {}: {:.3} s", number + 1, took.as_secs_f64()));
        seconds.push(took.as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    run.fact("starts", STARTS);
    run.fact("median_s", round(seconds[STARTS / 2]));
    run.fact("slowest_s", round(seconds[STARTS - 1]));
    if run.is_long() {
        let (build, whole) = from_clone(run, &tools)?;
        run.fact("clone_build_s", round(build.as_secs_f64()));
        run.fact("clone_first_request_s", round(whole.as_secs_f64()));
    }
    Ok(())
}

fn round(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// The small service of the load generator, with every setting as it is where nobody sets one, but that it is asked ten
/// times a second and counts as ready at its first good answer.
fn spec(tools: &Tools, name: &str) -> Spec {
    let mut spec = Spec::backend(&tools.load, name, 1);
    spec.release = vec!["window: 60s".to_owned()];
    spec.analysis = "{interval: 2s}".to_owned();
    spec.health = "{http: {path: /readyz}, interval: 100ms, timeout: 1s, rise: 1}".to_owned();
    spec
}

/// From `serin serve` in a place where there is nothing, to the end of the first answer.
fn from_nothing(run: &mut Run, tools: &Tools, number: usize) -> Result<Duration, Stop> {
    let mut spec = spec(tools, &format!("first-{number}"));
    let mut stage = Stage::set(run, tools, &mut spec)?;
    if stage.state().exists() {
        return fail("the state directory is not empty");
    }
    let begin = Instant::now();
    stage.serve_with(&[])?;
    first_answer(stage.listen(), || stage.controller_runs())?;
    let took = begin.elapsed();
    stage.rests("the service is up")?;
    stage.end()?;
    Ok(took)
}

/// Asks until it is answered 200.
fn first_answer(address: SocketAddr, mut runs: impl FnMut() -> Result<bool, Stop>) -> Result<(), Stop> {
    let begin = Instant::now();
    loop {
        let answer = ask(address);
        match answer {
            Ok(text) if text.starts_with("HTTP/1.1 200") => return Ok(()),
            Ok(text) => return fail(format!("the first answer is {text:?}")),
            Err(_) if begin.elapsed() < PATIENCE && runs()? => std::thread::sleep(Duration::from_millis(2)),
            Err(e) => return fail(format!("{address} does not answer: {e}")),
        }
    }
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// What a person does who has read the first line of the README: clone, build, serve. The registry's cache of this
/// machine is used; crates that it lacks are downloaded within the time that is measured.
fn from_clone(run: &mut Run, tools: &Tools) -> Result<(Duration, Duration), Stop> {
    let clone = run.scratch().join("clone");
    let begin = Instant::now();
    let mut git = Command::new("git");
    run.must(git.args(["clone", "--quiet"]).arg(run.root()).arg(&clone))?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--release", "--quiet", "--package", "serin"]).current_dir(&clone);
    run.must(cargo.env("CARGO_TARGET_DIR", clone.join("target")))?;
    let built = begin.elapsed();
    let serin = clone.join("target/release/serin");
    let tools = Tools { serin: must_exist(&serin)?.to_owned(), ..tools.clone() };
    let mut spec = spec(&tools, "cloned");
    let mut stage = Stage::set(run, &tools, &mut spec)?;
    stage.serve_with(&[])?;
    first_answer(stage.listen(), || stage.controller_runs())?;
    let whole = begin.elapsed();
    stage.rests("the service is up")?;
    stage.end()?;
    Ok((built, whole))
}

fn must_exist(path: &Path) -> Result<&Path, Stop> {
    if path.is_file() { Ok(path) } else { fail(format!("{} was not built", path.display())) }
}
