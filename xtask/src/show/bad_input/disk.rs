//! A disk that is full, on 4 MiB of memory: what serves goes on, a release is refused with the reason, an instance that
//! dies comes back, and when there is room again everything works as before. Needs root, for the mount.

use super::{Found, refuses, service};
use crate::json::Value;
use crate::parts::debian::is_root;
use crate::run::{Run, Stop, fail};
use crate::stage::controller::every_instance;
use crate::stage::traffic::Shape;
use crate::stage::{PATIENCE, Stage, Tools};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A file system of its own; unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    fn at(place: PathBuf) -> Result<Mount, Stop> {
        std::fs::create_dir_all(&place)?;
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&place).stdin(Stdio::null());
        match command.status() {
            Ok(status) if status.success() => Ok(Mount(place)),
            Ok(_) | Err(_) => Err(Stop::Skip("this machine does not let root mount a tmpfs".to_owned())),
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: it goes once nothing uses it any more.
        if !Command::new("umount").arg("-l").arg(&self.0).status().is_ok_and(|status| status.success()) {
            eprintln!("show-bad-input: {} could not be unmounted", self.0.display());
        }
    }
}

/// The whole story of one full disk; `false` where this cannot be done.
pub fn all(run: &mut Run, tools: &Tools, found: &mut Found) -> Result<bool, Stop> {
    if !is_root()? {
        run.say("not root: no disk can be made to fill it");
        return Ok(false);
    }
    let mount = match Mount::at(run.scratch().join("disk")) {
        Ok(mount) => mount,
        Err(Stop::Skip(why)) => {
            run.say(why);
            return Ok(false);
        }
        Err(stop) => return Err(stop),
    };
    let mut spec = service(tools, "full").with_release(&["healthy_deadline: 60s", "progress_deadline: 120s"]);
    let mut stage = Stage::set(run, tools, &mut spec)?;
    // The stage's state lies on the small disk, under the short path that sockets need.
    std::os::unix::fs::symlink(&mount.0, stage.place().join("state"))?;
    stage.up()?;
    let before = stage.counters()?;
    // No WebSockets: one that is open on an instance ends with it.
    let load = stage.traffic_of(run.seed(), Shape { rate: 100.0, slow: 0.0, sockets: 0, ..Shape::default() })?;

    let filler = mount.0.join("filler");
    fill(&filler)?;
    let next = spec.with_env("RELEASE", "2");
    stage.write(&next)?;
    let refused = stage.ask(&["deploy"], PATIENCE)?;
    let words = ["No space left on device", "store.redb", "free some room", "what serves goes on serving"];
    found.case("disk full: a release", refuses(&refused, 1, &words))?;
    found.case("disk full: an instance dies", comes_back(&stage))?;
    found.case("disk full: a new controller", new_controller(&mut stage))?;
    std::fs::remove_file(&filler)?;
    found.case("room again: the release", room_again(&mut stage))?;

    let summary = load.stop()?;
    found.requests += summary.count("sent");
    let lost = crate::show::kill::lost(&stage, &summary, &before)?;
    if lost > 0 {
        stage.say(format!("the load: {}", summary.all));
    }
    found.lost += lost;
    stage.end()?;
    Ok(true)
}

/// Writes until there is no room for one more byte.
fn fill(path: &Path) -> Result<(), Stop> {
    let mut file = std::fs::File::create(path)?;
    for size in [65536, 4096, 512, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    match file.write_all(&[0]) {
        Err(e) if e.kind() == std::io::ErrorKind::StorageFull => Ok(()),
        other => fail(format!("the disk does not fill: {other:?}")),
    }
}

fn program(stage: &Stage) -> Result<Option<u32>, Stop> {
    let status = stage.status()?;
    let ready = |i: &&Value| i.get("state").and_then(Value::text) == Some("ready");
    Ok(every_instance(&status).find(ready).and_then(|i| i.get("pid")?.number()).map(|id| id as u32))
}

/// Its shim starts it again without a byte of room.
fn comes_back(stage: &Stage) -> Result<(), Stop> {
    let Some(id) = program(stage)? else { return fail("nothing is ready") };
    crate::show::kill::kill(id)?;
    stage.wait("an instance comes back on a full disk", PATIENCE, |status| {
        let other = |i: &Value| {
            i.get("state").and_then(Value::text) == Some("ready")
                && i.get("pid").and_then(Value::number).is_some_and(|pid| pid as u32 != id)
        };
        every_instance(status).any(other)
    })?;
    Ok(())
}

/// A controller that cannot write its epoch does not begin, says why, and what serves goes on.
fn new_controller(stage: &mut Stage) -> Result<(), Stop> {
    stage.kill_controller()?;
    let said = stage.ask(&["serve"], PATIENCE)?;
    refuses(&said, 1, &["store.redb", "No space left on device", "free some room", "goes on serving"])
}

/// With room the release that was refused goes through.
fn room_again(stage: &mut Stage) -> Result<(), Stop> {
    if !stage.controller_runs()? {
        stage.serve()?;
    }
    stage.rests("at rest with room again")?;
    let said = stage.ask(&["deploy"], 2 * PATIENCE)?;
    if said.code != Some(0) {
        return fail(format!("the release ended with {:?}: {}{}", said.code, said.out, said.err));
    }
    std::thread::sleep(Duration::from_millis(300));
    Ok(())
}
