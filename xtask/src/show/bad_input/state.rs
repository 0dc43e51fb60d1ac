//! What can be wrong with the state of a service that runs: somebody else's, held, damaged, lost. The controller says
//! so and changes nothing; proxy and instances do not notice.

use super::{Found, as_nobody, refuses};
use crate::run::{Run, Stop, fail};
use crate::stage::controller::every_instance;
use crate::stage::traffic::Shape;
use crate::stage::{PATIENCE, Said, Stage, Tools};
use std::path::Path;

/// Something that is done to a running service.
type Case = fn(&mut Stage) -> Result<(), Stop>;

/// All of them on one service under load, whose instances stay the same ones.
pub fn all(run: &mut Run, tools: &Tools, found: &mut Found) -> Result<(), Stop> {
    let mut stage = Stage::set(run, tools, &mut super::service(tools, "kept"))?;
    let serves = ids(&mut stage, Stage::up)?;
    let before = stage.counters()?;
    let load = stage.traffic_of(run.seed(), Shape { rate: 100.0, ..Shape::default() })?;
    let cases: [(&str, Case); 6] = [
        ("second controller", second),
        ("somebody else's service", somebody_else),
        ("damaged store", damaged_store),
        ("lost store", lost_store),
        ("damaged slots.json", damaged_slots),
        ("damaged route.json", damaged_route),
    ];
    for (name, case) in cases {
        let outcome = case(&mut stage);
        found.case(name, outcome)?;
        if !stage.controller_runs()? {
            stage.serve()?;
        }
        let now = ids(&mut stage, |stage| stage.rests("at rest after a case"))?;
        if now != serves {
            return fail(format!("{name}: other instances serve now: {serves:?} became {now:?}"));
        }
    }
    let summary = load.stop()?;
    found.requests += summary.count("sent");
    found.lost += crate::show::kill::lost(&stage, &summary, &before)?;
    stage.end()
}

fn ids(
    stage: &mut Stage,
    look: impl FnOnce(&mut Stage) -> Result<crate::json::Value, Stop>,
) -> Result<Vec<String>, Stop> {
    let status = look(stage)?;
    Ok(every_instance(&status).filter_map(|i| Some(format!("{} {}", i.get("id")?, i.get("pid")?))).collect())
}

fn second(stage: &mut Stage) -> Result<(), Stop> {
    let said = stage.ask(&["serve"], PATIENCE)?;
    refuses(&said, 1, &["store.redb is in use by process", "(", "serve", "one controller runs a service at a time"])
}

fn somebody_else(stage: &mut Stage) -> Result<(), Stop> {
    let ask = |words: &[&str]| -> Result<Option<Said>, Stop> {
        let Some(mut nobody) = as_nobody(&stage.serin(words)) else { return Ok(None) };
        let out = nobody.output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Some(Said { code: out.status.code(), out: text(&out.stdout), err: text(&out.stderr) }))
    };
    for verb in ["status", "deploy", "abort"] {
        let Some(said) = ask(&[verb])? else { return Ok(()) };
        refuses(&said, 2, &["belongs to another user", "control.sock", "as root"])?;
    }
    for (verb, code) in [("serve", 1), ("down", 2)] {
        let Some(said) = ask(&[verb])? else { return Ok(()) };
        refuses(&said, code, &["ermission denied", "run this as the user whom the directory belongs to"])?;
    }
    Ok(())
}

/// Kills the controller, does something to a file, and puts it back after the next controller was refused.
fn refused_with(
    stage: &mut Stage,
    file: &Path,
    harm: fn(&Path) -> std::io::Result<()>,
    words: &[&str],
) -> Result<(), Stop> {
    stage.kill_controller()?;
    let whole = std::fs::read(file)?;
    harm(file)?;
    let said = stage.ask(&["serve"], PATIENCE)?;
    std::fs::write(file, whole)?;
    refuses(&said, 1, words)
}

fn damaged_store(stage: &mut Stage) -> Result<(), Stop> {
    let file = stage.state().join("store.redb");
    let words = ["store.redb is damaged", "put a copy of it back", "`serin down`", "goes on serving"];
    refused_with(stage, &file, |path| std::fs::write(path, vec![0x5a; 8192]), &words)
}

/// An empty store knows nothing of what runs, and would end it.
fn lost_store(stage: &mut Stage) -> Result<(), Stop> {
    let file = stage.state().join("store.redb");
    let words = ["is not the store that they were started from", "they go on serving", "`serin down`"];
    refused_with(stage, &file, |path| std::fs::remove_file(path), &words)
}

/// Damaged, it is named; gone, what runs is taken up as it is.
fn damaged_slots(stage: &mut Stage) -> Result<(), Stop> {
    let file = stage.state().join("slots.json");
    let words = ["slots.json cannot be understood", "move that file away", "goes on serving"];
    refused_with(stage, &file, |path| std::fs::write(path, "{\"epoch\": 1, \"slo"), &words)?;
    std::fs::remove_file(&file)?;
    stage.serve()
}

/// The proxy has its table in memory; the next controller's claim writes the file anew.
fn damaged_route(stage: &mut Stage) -> Result<(), Stop> {
    let file = stage.state().join("proxy/route.json");
    stage.kill_controller()?;
    std::fs::write(&file, "{")?;
    stage.serve()?;
    stage.rests("at rest with a damaged route")?;
    let text = std::fs::read_to_string(&file)?;
    if text.len() < 10 { fail(format!("the route was not written anew: {text}")) } else { Ok(()) }
}
