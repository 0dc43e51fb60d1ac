//! `show kill controller`: the controller dies at every boundary of every write of a release, and at any other moment;
//! the next one goes on where it was, and nobody who uses the service notices.

use super::{LEASE, fast, lost, short};
use crate::json::Value;
use crate::run::{Run, Stop, fail};
use crate::stage::abreast::abreast;
use crate::stage::controller::{Released, instances, slot_of};
use crate::stage::spec::Spec;
use crate::stage::{Asked, PATIENCE, Stage, Tools};
use std::time::{Duration, Instant};

const BOUNDARIES: [&str; 5] = ["before-save", "after-save", "before-send", "after-send", "after-answer"];
/// A release that has more writes than this never ends.
const MOST: u32 = 60;
/// Requests a second on each service.
const RATE: f64 = 100.0;
/// Random moments are this long after the release was asked for, at most: about as long as one takes.
const SPAN_MS: u64 = 4_500;

/// Which way a release is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Sound: promoted.
    Good,
    /// Every answer of the new version is a 500: rolled back.
    Bad,
}

impl Way {
    /// Which times, in the quick set: spread over a controller's own start, a release's beginning, middle and end.
    fn quick(self, boundary: &str) -> &'static [u32] {
        match (self, boundary) {
            (Way::Good, "before-save" | "after-save") => &[2, 4, 6],
            (Way::Bad, "before-save" | "after-save") => &[2, 3, 4],
            (_, "before-send" | "after-send") => &[1, 3, 6],
            (_, _) => &[5],
        }
    }
}

/// When the controller dies.
#[derive(Debug, Clone)]
enum Moment {
    /// At a boundary, the n-th time that it gets there.
    Boundary(&'static str, u32),
    /// So long after the release was asked for.
    After(Duration),
}

/// What all runs add up to.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    runs: u64,
    fired: u64,
    left_dead: u64,
    wrong_ends: u64,
    requests: u64,
    lost: u64,
}

/// One service, and the releases that it goes through.
struct Lane {
    stage: Stage,
    base: Spec,
    way: Way,
    releases: u64,
    sum: Sum,
}

/// Both ways beside each other, each on a service of its own.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    let tools = build(run)?;
    let (long, seed) = (run.is_long(), run.seed());
    let mut lanes = Vec::new();
    for (way, name) in [(Way::Good, "good"), (Way::Bad, "bad")] {
        let mut base = fast(&tools, name, 1, "0");
        lanes.push(Lane { stage: Stage::set(run, &tools, &mut base)?, base, way, releases: 0, sum: Sum::default() });
    }
    let mut all = Sum::default();
    for sum in abreast(lanes.len(), lanes, |lane| lane.all(long, seed))? {
        all.runs += sum.runs;
        all.fired += sum.fired;
        all.left_dead += sum.left_dead;
        all.wrong_ends += sum.wrong_ends;
        all.requests += sum.requests;
        all.lost += sum.lost;
    }
    run.fact("runs", all.runs);
    run.fact("killed", all.fired);
    run.fact("left_dead", all.left_dead);
    run.fact("wrong_ends", all.wrong_ends);
    run.fact("requests", all.requests);
    run.fact("lost", all.lost);
    match (all.wrong_ends, all.lost) {
        (0, 0) => Ok(()),
        (wrong, lost) => {
            fail(format!("{wrong} releases ended otherwise than they should have, {lost} requests were lost"))
        }
    }
}

/// `serin` with its crash points, as a copy: the program that everything else uses has none.
fn build(run: &mut Run) -> Result<Tools, Stop> {
    let release = run.is_long();
    let mut arguments = vec!["--package", "serin", "--features", "crash-points"];
    arguments.extend(release.then_some("--release"));
    run.build(&arguments)?;
    let copy = run.scratch().join("serin");
    std::fs::copy(run.built("serin", release), &copy)?;
    Ok(Tools { serin: copy, ..Tools::build(run)? })
}

impl Lane {
    fn all(mut self, long: bool, seed: u64) -> Result<Sum, Stop> {
        self.stage.up()?;
        let before = self.stage.counters()?;
        let load = self.stage.traffic_of(seed, short(RATE))?;
        for boundary in BOUNDARIES {
            if long {
                self.every(boundary)?;
                continue;
            }
            for number in self.way.quick(boundary) {
                if !self.one(&Moment::Boundary(boundary, *number))? {
                    return fail(format!("the controller did not die at {boundary}:{number}"));
                }
            }
        }
        let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.way as u64;
        for _ in 0..if long { 100 } else { 1 } {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            self.one(&Moment::After(Duration::from_millis((dice >> 33) % SPAN_MS)))?;
        }
        let summary = load.stop()?;
        self.sum.requests = summary.count("sent");
        self.sum.lost = lost(&self.stage, &summary, &before)?;
        if !summary.is_full() {
            return fail(format!("too little was asked: {}", summary.all));
        }
        if self.sum.lost > 0 {
            self.stage.say(format!("the load: {}; the proxy: {:?}", summary.all, self.stage.counters()?));
        }
        self.stage.end()?;
        Ok(self.sum)
    }

    /// The first time that the controller gets to `boundary` in a release, the second, and so on to the last.
    fn every(&mut self, boundary: &'static str) -> Result<(), Stop> {
        for number in 1..=MOST {
            if !self.one(&Moment::Boundary(boundary, number))? {
                return if number > 3 {
                    Ok(())
                } else {
                    fail(format!("a release gets to {boundary} {number} times only"))
                };
            }
        }
        fail(format!("a release gets to {boundary} more than {MOST} times"))
    }

    /// One release, from rest to rest, in which the controller dies at `moment`. `false`: it did not get there.
    fn one(&mut self, moment: &Moment) -> Result<bool, Stop> {
        self.sum.runs += 1;
        self.releases += 1;
        let before = stable(&self.stage.rests("at rest before a release")?)?;
        if let Moment::Boundary(name, number) = moment {
            self.stage.kill_controller()?;
            self.stage.serve_with(&[("SERIN_CRASH_AT", &format!("{name}:{number}"))])?;
        }
        let mut died = !self.answers()?;
        if died {
            self.back(moment)?;
        }
        let spec = self.next();
        let begin = Instant::now();
        let mut asked = self.stage.begin_release(&spec)?;
        let released = loop {
            if let Moment::After(pause) = moment
                && !died
                && begin.elapsed() >= *pause
            {
                self.stage.kill_controller()?;
            }
            if !died && !self.stage.controller_runs()? {
                died = true;
                self.back(moment)?;
            }
            if let Some(released) = self.ended(&mut asked, &spec)? {
                break released;
            }
            if begin.elapsed() > 2 * PATIENCE {
                return fail(format!("{moment:?}: the release does not end"));
            }
        };
        // It may die in what follows a promotion, too.
        while !died && !self.at_rest()? {
            if !self.stage.controller_runs()? {
                died = true;
                self.back(moment)?;
            }
            if begin.elapsed() > 3 * PATIENCE {
                return fail(format!("{moment:?}: the service does not come to rest"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if !died && matches!(moment, Moment::After(_)) {
            // The release was faster than the moment is late: then it dies at rest.
            self.stage.kill_controller()?;
            died = true;
            self.back(moment)?;
        }
        self.judge(moment, &released, &before)?;
        self.sum.fired += u64::from(died);
        Ok(died)
    }

    /// The next revision, as this service's way is.
    fn next(&self) -> Spec {
        let spec = self.base.clone().with_env("RELEASE", &self.releases.to_string());
        match self.way {
            Way::Good => spec,
            Way::Bad => {
                let mut bad = spec;
                bad.command.extend(["--fail-share".to_owned(), "1".to_owned()]);
                bad
            }
        }
    }

    /// Waits until the controller answers; `false` when it died instead.
    fn answers(&mut self) -> Result<bool, Stop> {
        let begin = Instant::now();
        while self.stage.controller_runs()? {
            if self.stage.status().is_ok() {
                return Ok(true);
            }
            if begin.elapsed() > PATIENCE {
                return fail("the controller does not answer");
            }
        }
        Ok(false)
    }

    /// The next controller; one in five comes two lease times late.
    fn back(&mut self, moment: &Moment) -> Result<(), Stop> {
        if self.sum.fired % 5 == 4 {
            self.sum.left_dead += 1;
            std::thread::sleep(2 * LEASE);
        }
        self.stage.say(format!("{:?} release {}: killed at {moment:?}", self.way, self.releases));
        self.stage.serve()
    }

    /// How the release ended, once it did. One that was asked of a controller which died before it answered is asked
    /// for again, as a person would.
    fn ended(&mut self, asked: &mut Asked, spec: &Spec) -> Result<Option<Released>, Stop> {
        let Some(said) = asked.look(Duration::from_millis(10))? else { return Ok(None) };
        match Released::read(&said) {
            Ok(released) => Ok(Some(released)),
            Err(_) if self.stage.status().is_err() || said.err.contains("stopped answering") => {
                *asked = self.stage.begin_release(spec)?;
                Ok(None)
            }
            Err(stop) => Err(stop),
        }
    }

    fn at_rest(&self) -> Result<bool, Stop> {
        let Ok(status) = self.stage.status() else { return Ok(false) };
        let waits = status.find("waiting").is_some_and(|w| *w != Value::Null);
        Ok(status.find("phase").and_then(Value::text) == Some("idle") && !waits)
    }

    /// Whether it ended as it should: by its own word, and by what runs.
    fn judge(&mut self, moment: &Moment, released: &Released, before: &str) -> Result<(), Stop> {
        let status = self.stage.rests("at rest after a release")?;
        let now = stable(&status)?;
        let (word, right) = match self.way {
            Way::Good => ("promoted", now != before),
            Way::Bad => ("rolled_back", now == before),
        };
        if released.outcome != word || !right || instances(&status, "ready") != 1 {
            self.sum.wrong_ends += 1;
            self.stage.say(format!("{moment:?}: ended {released:?}, from {before} to {now}: {status}"));
        }
        Ok(())
    }
}

/// The revision that is the stable one.
fn stable(status: &Value) -> Result<String, Stop> {
    let slot = slot_of(status, "stable").ok_or(Stop::Fail(format!("nothing is stable: {status}")))?;
    let revision = status.find(&format!("slots.{slot}.revision")).map(ToString::to_string);
    revision.ok_or_else(|| Stop::Fail(format!("the stable track has no revision: {status}")))
}
