//! New versions that cannot run, one after the other under load: each fails with its reason, and the old version is not
//! touched.

use super::{Found, refuses, says, service};
use crate::run::{Run, Stop, fail};
use crate::stage::controller::every_instance;
use crate::stage::spec::Spec;
use crate::stage::traffic::Shape;
use crate::stage::{PATIENCE, Stage, Tools};

/// What is wrong with a version, and what must be said of it.
struct Bad {
    name: &'static str,
    spoil: fn(&mut Spec),
    words: &'static [&'static str],
}

const ALL: &[Bad] = &[
    Bad {
        name: "command does not exist",
        spoil: |spec| spec.command[0] = "/does/not/exist".to_owned(),
        words: &["command not found: /does/not/exist", "check the path"],
    },
    Bad {
        name: "command is not executable",
        spoil: |spec| spec.command[0] = "/etc/passwd".to_owned(),
        words: &["/etc/passwd is not executable", "chmod +x"],
    },
    Bad {
        name: "working directory does not exist",
        spoil: |spec| spec.run.push("cwd: /does/not/exist".to_owned()),
        words: &["working directory /does/not/exist", "create it"],
    },
    Bad {
        name: "health path answers 404",
        spoil: |spec| {
            spec.health = "{http: {path: /status/404}, interval: 100ms, timeout: 1s, rise: 1, fall: 3}".to_owned();
        },
        words: &["GET /status/404", "status 404", "only 2xx and 3xx mean healthy"],
    },
    Bad {
        name: "program exits at once",
        spoil: |spec| {
            spec.command = ["sh", "-c", "exit 3", "{{port}}"].map(str::to_owned).to_vec();
        },
        words: &["ended with status 3"],
    },
    Bad {
        name: "unknown user",
        spoil: |spec| spec.run.push("user: nosuchuser".to_owned()),
        words: &["nosuchuser", "create it, or name another user"],
    },
];

/// All of them on one service.
pub fn all(run: &mut Run, tools: &Tools, found: &mut Found) -> Result<(), Stop> {
    let mut spec = service(tools, "serves");
    let mut stage = Stage::set(run, tools, &mut spec)?;
    let status = stage.up()?;
    let serves: Vec<String> = every_instance(&status).map(ToString::to_string).map(|text| pid(&text)).collect();
    let before = stage.counters()?;
    let load = stage.traffic_of(run.seed(), Shape { rate: 100.0, ..Shape::default() })?;
    for bad in ALL {
        let mut broken = spec.clone();
        (bad.spoil)(&mut broken);
        let outcome = fails(&stage, &broken, bad.words);
        found.case(bad.name, outcome)?;
    }
    let status = stage.rests("at rest after all")?;
    let now: Vec<String> = every_instance(&status).map(ToString::to_string).map(|text| pid(&text)).collect();
    if now != serves {
        return fail(format!("other instances serve now: {serves:?} became {now:?}"));
    }
    for limit in ["cpu: 0.5", "pids: 20"] {
        let mut broken = spec.clone();
        broken.run.push(format!("limits: {{{limit}}}"));
        let outcome = limited(&stage, &broken, limit);
        found.case(&format!("limit that cannot be held: {limit}"), outcome)?;
    }
    let summary = load.stop()?;
    found.requests += summary.count("sent");
    found.lost += crate::show::kill::lost(&stage, &summary, &before)?;
    stage.end()
}

/// Its process id, as the status writes it.
fn pid(instance: &str) -> String {
    instance.split("\"pid\":").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or("none").to_owned()
}

/// A release that fails, with its reason in what the follower is told and in the history.
fn fails(stage: &Stage, spec: &Spec, words: &[&str]) -> Result<(), Stop> {
    stage.write(spec)?;
    let said = stage.ask(&["deploy"], 2 * PATIENCE)?;
    if said.code != Some(1) {
        return fail(format!("serin deploy ended with {:?}: {}{}", said.code, said.out, said.err));
    }
    says("serin deploy", &said.out, words)?;
    says("serin deploy", &said.out, &["failed: the old one was not touched"])?;
    let history = stage.ask(&["history"], PATIENCE)?;
    says("serin history", &history.out, &["failed"])
}

/// A limit that this machine cannot hold is refused before anything starts. Where it can be held, every instance is in a
/// group of its own.
fn limited(stage: &Stage, spec: &Spec, limit: &str) -> Result<(), Stop> {
    stage.write(spec)?;
    let said = stage.ask(&["deploy"], 2 * PATIENCE)?;
    match said.code {
        Some(0) => {
            stage.say(format!("{limit} can be held on this machine"));
            let status = stage.rests("at rest")?;
            let groups = every_instance(&status).map(|instance| pid(&instance.to_string()));
            let mut groups =
                groups.map(|pid| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default());
            match groups.find(|group| !group.contains("/instance-")) {
                Some(group) => fail(format!("an instance is in no group of its own: {group}")),
                None => Ok(()),
            }
        }
        Some(_) | None => {
            let name = limit.split(':').next().unwrap_or_default();
            refuses(&said, 2, &[&format!("limit {name} cannot be held"), "remove the limit"])
        }
    }
}
