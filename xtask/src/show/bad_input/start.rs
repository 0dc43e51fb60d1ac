//! What keeps a service from starting: nothing of it serves yet, so the message is everything.

use super::{Found, as_nobody, comes_to_say, refuses, service};
use crate::run::{Run, Stop, fail};
use crate::stage::{PATIENCE, Stage, Tools};
use std::net::TcpListener;

/// A start that goes wrong.
type Case = fn(&mut Run, &Tools) -> Result<(), Stop>;

/// All of them.
pub fn all(run: &mut Run, tools: &Tools, found: &mut Found) -> Result<(), Stop> {
    let cases: [(&str, Case); 8] = [
        ("port in use", port_in_use),
        ("no file", no_file),
        ("no controller", no_controller),
        ("state path too long", path_too_long),
        ("state directory of somebody else", no_permission),
        ("first command does not exist", no_command),
        ("first program exits at once", exits),
        ("two controllers at once", two_at_once),
    ];
    for (name, case) in cases {
        let outcome = case(run, tools);
        found.case(name, outcome)?;
    }
    Ok(())
}

/// A stranger listens there: named, nothing is started, and the stranger keeps its port.
fn port_in_use(run: &mut Run, tools: &Tools) -> Result<(), Stop> {
    let stranger = TcpListener::bind(("127.0.0.1", 0))?;
    let mut spec = service(tools, "taken");
    spec.listen = stranger.local_addr()?;
    let stage = Stage::set(run, tools, &mut spec)?;
    let said = stage.ask(&["serve"], PATIENCE)?;
    let address = spec.listen.to_string();
    refuses(&said, 1, &[&address, "in use by another process", "stop it or choose another port"])?;
    drop(stranger);
    let mut stage = stage;
    // Once the port is free the same command works: nothing was left in the way.
    stage.up()?;
    stage.end()
}

fn no_file(run: &mut Run, tools: &Tools) -> Result<(), Stop> {
    let stage = Stage::set(run, tools, &mut service(tools, "nofile"))?;
    std::fs::remove_file(stage.file())?;
    for verb in ["serve", "deploy", "lint"] {
        refuses(&stage.ask(&[verb], PATIENCE)?, 2, &["serin.yaml"])?;
    }
    refuses(&stage.ask(&["status"], PATIENCE)?, 2, &["serin.yaml", "serin serve -f"])?;
    stage.never_ran()
}

fn no_controller(run: &mut Run, tools: &Tools) -> Result<(), Stop> {
    let stage = Stage::set(run, tools, &mut service(tools, "nobody"))?;
    for verb in ["deploy", "status", "abort", "history"] {
        refuses(&stage.ask(&[verb], PATIENCE)?, 2, &["no controller runs", "nobody", "serin serve -f"])?;
    }
    refuses(&stage.ask(&["down"], PATIENCE)?, 2, &["does not run here", "--state"])?;
    stage.never_ran()
}

/// A unix socket's path has room for 107 bytes.
fn path_too_long(run: &mut Run, tools: &Tools) -> Result<(), Stop> {
    let stage = Stage::set(run, tools, &mut service(tools, "far"))?;
    let long = stage.place().join("x".repeat(100)).display().to_string();
    refuses(&stage.ask(&["serve", "--state", &long], PATIENCE)?, 2, &["too long", "--state"])?;
    refuses(&stage.ask(&["status", "--state", &long], PATIENCE)?, 2, &["too long", "--state"])?;
    stage.never_ran()
}

fn no_permission(run: &mut Run, tools: &Tools) -> Result<(), Stop> {
    let stage = Stage::set(run, tools, &mut service(tools, "locked"))?;
    let Some(mut nobody) = as_nobody(&stage.serin(&["serve"])) else {
        stage.say("not root: nothing can be tried as somebody else");
        return stage.never_ran();
    };
    let out = nobody.output()?;
    let said = crate::stage::Said {
        code: out.status.code(),
        out: String::from_utf8_lossy(&out.stdout).into_owned(),
        err: String::from_utf8_lossy(&out.stderr).into_owned(),
    };
    refuses(&said, 1, &["cannot be made", "Permission denied", "--state DIR"])?;
    stage.never_ran()
}

/// `serin serve` goes on, and says what it waits for and why.
fn no_command(run: &mut Run, tools: &Tools) -> Result<(), Stop> {
    let mut spec = service(tools, "gone");
    spec.command[0] = "/does/not/exist".to_owned();
    let stage = Stage::set(run, tools, &mut spec)?;
    let mut asked = stage.begin(&["serve"])?;
    comes_to_say(&mut asked, &["waiting for", "command not found: /does/not/exist", "check the path"])?;
    // What follows is the first thing that a person does: repair the file and start anew.
    drop(asked);
    spec.command[0] = tools.load.display().to_string();
    stage.write(&spec)?;
    let mut stage = stage;
    stage.up()?;
    stage.end()
}

fn exits(run: &mut Run, tools: &Tools) -> Result<(), Stop> {
    let mut spec = service(tools, "exits");
    spec.command = ["sh", "-c", "echo cannot find my database >&2; exit 3", "{{port}}"].map(str::to_owned).to_vec();
    let stage = Stage::set(run, tools, &mut spec)?;
    let mut asked = stage.begin(&["serve"])?;
    comes_to_say(&mut asked, &["waiting for", "ended with status 3", "`serin logs`"])?;
    let logs = stage.ask(&["logs"], PATIENCE)?;
    if !logs.out.contains("cannot find my database") {
        return fail(format!("serin logs does not show what the program said: {}", logs.out));
    }
    drop(asked);
    stage.end()
}

/// Both begin at the same moment: one runs the service, the other one says who does.
fn two_at_once(run: &mut Run, tools: &Tools) -> Result<(), Stop> {
    let stage = Stage::set(run, tools, &mut service(tools, "twice"))?;
    let mut both = [stage.begin(&["serve"])?, stage.begin(&["serve"])?];
    stage.rests("one of two controllers runs the service")?;
    let mut refused = 0;
    for asked in &mut both {
        if let Some(said) = asked.look(std::time::Duration::from_millis(100))? {
            refuses(&said, 1, &["store.redb is in use by", "one controller runs a service at a time"])?;
            refused += 1;
        }
    }
    if refused != 1 {
        return fail(format!("{refused} of two controllers were refused"));
    }
    drop(both);
    stage.end()
}
