//! `show dead-man`: a canary has half of the traffic when the controller is killed. The proxy returns by itself to what
//! is proven once the lease is over; that is the stable version, or, while a broken stable keeps the release halted,
//! the canary itself. Nothing is lost, and the next controller takes the release up where it was: the canary has its
//! share again, and keeps it although there is nothing to do but to wait.

use crate::json::Value;
use crate::parts::podinfo;
use crate::process::send;
use crate::run::{Run, Stop, fail};
use crate::stage::controller::{Released, address, at_gate, of_slot, phase, slot_of};
use crate::stage::dataplane::{Counters, share};
use crate::stage::spec::Spec;
use crate::stage::traffic::Summary;
use crate::stage::{Asked, PATIENCE, Stage, Tools};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The lease, in seconds.
const LEASE: u64 = 2;
/// What a busy machine may add to it: looking, and a worker that waits for its turn.
const SLACK: Duration = Duration::from_secs(1);
/// Requests that are open when the split changes may take a second (the slow ones), and are counted when they end.
const OPEN: u64 = 1500;

struct Show {
    stage: Stage,
    programs: [PathBuf; 2],
    base: Spec,
    seed: u64,
    requests: u64,
    slowest: f64,
}

pub fn perform(run: &mut Run) -> Result<(), Stop> {
    let tools = Tools::build(run)?;
    let programs = [podinfo::build(run, "6.0.1")?, podinfo::build(run, "6.0.2")?];
    let rounds = if run.is_long() { 20 } else { 1 };
    let mut base = Spec::podinfo(&programs[0], 2).with_release(&[
        "weights: {steps: [{weight: 50%, approve: true}], bake: 0s}",
        "window: 0s",
        &format!("lease: {LEASE}s"),
    ]);
    base.run.push("restart: {policy: never}".to_owned());
    let stage = Stage::set(run, &tools, &mut base)?;
    let mut show = Show { stage, programs, base, seed: run.seed(), requests: 0, slowest: 0.0 };
    show.stage.up()?;
    for round in 0..rounds {
        show.falls_back(round)?;
        show.canary_keeps(round)?;
    }
    show.stage.end()?;
    run.fact("kills", 2 * rounds);
    run.fact("requests", show.requests);
    run.fact("lost", 0u64);
    run.fact("ws_lost", 0u64);
    run.fact("lease", LEASE);
    run.fact("fell_back_after", show.slowest);
    Ok(())
}

impl Show {
    /// Killed in the middle of a release: the stable version has everything once the lease is over, and the canary its
    /// share again once there is a controller.
    fn falls_back(&mut self, round: u64) -> Result<(), Stop> {
        self.stage.say(format!("round {}: killed at half of the traffic", round + 1));
        let (counters, load) = (self.stage.counters()?, self.stage.traffic(self.seed + 2 * round)?);
        let mut deploy = self.half_way(2 * round)?;
        let (stable, canary) = self.versions();
        self.stage.kill_controller()?;
        let killed = Instant::now();
        while self.fallback()? != "lease" {
            if killed.elapsed() > Duration::from_secs(LEASE) + SLACK {
                return fail(format!("{} s after the kill: {}", killed.elapsed().as_secs(), self.stage.report()?));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let (fell, took) = (now_ms(), killed.elapsed().as_secs_f64());
        self.slowest = self.slowest.max((took * 100.0).round() / 100.0);
        std::thread::sleep(Duration::from_secs(LEASE) + SLACK);
        let back = now_ms();
        self.stage.serve()?;
        self.stage.wait("the split is back", PATIENCE, at_gate)?;
        let again = now_ms();
        // It stays: the next controller only waits for a person, and renews the lease as it does.
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(LEASE) + SLACK {
            if !self.fallback()?.is_empty() {
                return fail(format!("the proxy falls back under the next controller: {}", self.stage.report()?));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.promote(&mut deploy)?;
        let held = self.stage.counters()?.since(&counters).held;
        if held > 0 {
            return fail(format!("{held} requests had to wait, and there was always somebody to answer them"));
        }
        let summary = self.whole("killed at half of the traffic", load.stop()?, &counters)?;
        let [first, second] = [by(&summary, &stable, fell + OPEN, back), by(&summary, &canary, fell + OPEN, back)];
        if first == 0 || second > 0 {
            return fail(format!("while the controller was dead, {stable} answered {first} and {canary} {second}"));
        }
        if by(&summary, &canary, again, u64::MAX) == 0 {
            return fail(format!("{canary} got nothing back"));
        }
        Ok(())
    }

    /// Killed while the release is halted on a broken stable version: the canary keeps everything.
    fn canary_keeps(&mut self, round: u64) -> Result<(), Stop> {
        self.stage.say(format!("round {}: killed while halted", round + 1));
        let (counters, load) = (self.stage.counters()?, self.stage.traffic(self.seed + 2 * round + 1)?);
        let mut deploy = self.half_way(2 * round + 1)?;
        let (stable, canary) = self.versions();
        let status = self.stage.status()?;
        let slot =
            slot_of(&status, "stable").ok_or_else(|| Stop::Fail(format!("there is no stable slot: {status}")))?;
        of_slot(&status, slot).try_for_each(|instance| podinfo::post(address(instance)?, "/readyz/disable"))?;
        let halted = |status: &Value| {
            let all = status.find("route.split").is_some_and(|split| share(split, 1 - slot) == 10_000);
            phase(status) == "halted" && all && status.find("route.in_force") == Some(&Value::Bool(true))
        };
        self.stage.wait("halted, with everything on the canary", PATIENCE, halted)?;
        let ended = Released::read(&deploy.end(PATIENCE)?)?;
        if (ended.code, ended.outcome.as_str()) != (3, "halted") {
            return fail(format!("serin deploy should have said that it is halted: {ended:?}"));
        }
        self.stage.kill_controller()?;
        let killed = now_ms();
        // Broken for good: its processes go too, once nobody talks to them, and nobody starts them again.
        self.quiet(slot)?;
        for instance in of_slot(&status, slot) {
            let pid = instance.get("pid").and_then(Value::number).unwrap_or_default();
            send("KILL", &pid.to_string())?;
        }
        std::thread::sleep(Duration::from_secs(3 * LEASE));
        let (report, back) = (self.stage.report()?, now_ms());
        let all = report.get("split").is_some_and(|split| share(split, 1 - slot) == 10_000);
        if !all || !self.fallback()?.is_empty() {
            return fail(format!("the canary does not keep everything: {report}"));
        }
        self.stage.serve()?;
        // The next controller starts the dead ones again, and then the release goes on at its gate.
        self.stage.wait("the gate again", PATIENCE, at_gate)?;
        self.stage.must(&["approve"])?;
        self.stage.rests("promoted after all")?;
        self.base = self.next(2 * round + 1);
        let summary = self.whole("killed while halted", load.stop()?, &counters)?;
        let [first, second] = [by(&summary, &canary, killed, back), by(&summary, &stable, killed + OPEN, back)];
        if first == 0 || second > 0 {
            return fail(format!("while halted, {canary} answered {first} and {stable} {second}"));
        }
        Ok(())
    }

    /// Waits until nothing is open on the instances of a slot.
    fn quiet(&self, slot: usize) -> Result<(), Stop> {
        let begin = Instant::now();
        loop {
            let report = self.stage.report()?;
            let number = |i: &Value, name: &str| i.get(name).and_then(Value::number).unwrap_or_default();
            let of_slot = |i: &&Value| i.get("slot").and_then(Value::number) == Some(slot as f64);
            let instances = report.get("instances").into_iter().flat_map(Value::items).filter(of_slot);
            if instances.map(|i| number(i, "open") + number(i, "tunnels")).sum::<f64>() == 0.0 {
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                return fail(format!("something stays open on slot {slot}: {report}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Begins a release and waits until the canary has half of the traffic and a person is waited for.
    fn half_way(&mut self, number: u64) -> Result<Asked, Stop> {
        let asked = self.stage.begin_release(&self.next(number))?;
        self.stage.wait("the gate", PATIENCE, at_gate)?;
        // Long enough for some requests at this split.
        std::thread::sleep(Duration::from_secs(1));
        Ok(asked)
    }

    fn promote(&mut self, deploy: &mut Asked) -> Result<(), Stop> {
        self.stage.must(&["approve"])?;
        let released = Released::read(&deploy.end(PATIENCE)?)?;
        if released.outcome != "promoted" {
            return fail(format!("it should have been promoted: {released:?}"));
        }
        self.stage.rests("promoted")?;
        self.base = self.next(released.rollout);
        Ok(())
    }

    /// The other version.
    fn next(&self, number: u64) -> Spec {
        let stable = self.base.command.first().map(PathBuf::from);
        let other = self.programs.iter().find(|program| Some(*program) != stable.as_ref()).unwrap_or(&self.programs[0]);
        self.base.clone().with_program(other, &[]).with_env("RELEASE", &number.to_string())
    }

    /// What stable and canary say that they are.
    fn versions(&self) -> (String, String) {
        let stable = self.base.command.first().map(String::as_str).unwrap_or_default();
        let version = |path: &str| path.rsplit("podinfo-").next().unwrap_or_default().to_owned();
        let other = self.programs.iter().map(|p| p.display().to_string()).find(|p| p != stable).unwrap_or_default();
        (version(stable), version(&other))
    }

    /// Why the proxy falls back now; empty when it does not.
    fn fallback(&self) -> Result<String, Stop> {
        let report = self.stage.report()?;
        Ok(report.get("falling_back").and_then(Value::text).unwrap_or_default().to_owned())
    }

    fn whole(&mut self, what: &str, summary: Summary, before: &Counters) -> Result<Summary, Stop> {
        let counted = self.stage.counters()?.since(before);
        summary.must_be_whole(what, &counted, None)?;
        self.requests += summary.count("sent");
        Ok(summary)
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

/// How many answers a version gave between two moments, by the load's timeline.
fn by(summary: &Summary, version: &str, from: u64, to: u64) -> u64 {
    let at = |line: &Value| line.get("unix_ms").and_then(Value::number).unwrap_or_default() as u64;
    let within = summary.timeline.iter().filter(|line| at(line) > from && at(line) <= to);
    let of = |line: &Value| -> f64 {
        let counts = line.get("by_revision").and_then(|all| all.get(version));
        counts.into_iter().flat_map(Value::members).filter_map(|(_, n)| n.number()).sum()
    };
    within.map(of).sum::<f64>() as u64
}
