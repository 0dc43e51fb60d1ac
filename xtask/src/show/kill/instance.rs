//! `show kill instance`: the program of an instance dies under load, at rest and in a release, with one replica and
//! with two. Whatever may be sent again is answered; of what may not, only what was open on that instance is lost.

use super::{BREATH, fast, kill};
use crate::json::Value;
use crate::run::{Run, Stop, fail};
use crate::stage::abreast::abreast;
use crate::stage::controller::{Released, every_instance};
use crate::stage::spec::Spec;
use crate::stage::traffic::{Shape, Summary};
use crate::stage::{PATIENCE, Stage, Tools};
use std::time::{Duration, Instant};

/// GETs a second, of which one in twenty takes a second: some are open on an instance at any moment.
const GETS: f64 = 100.0;
/// POSTs a second.
const POSTS: f64 = 50.0;
/// POSTs that can be open on one instance when it dies: they take a millisecond, and wait for a busy processor at most.
const OPEN: u64 = 4;

/// What all kills add up to.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    at_rest: u64,
    in_release: u64,
    gets: u64,
    lost: u64,
    posts: u64,
    cut_posts: u64,
    slowest_ms: u64,
}

/// One service.
struct Lane {
    stage: Stage,
    base: Spec,
    replicas: u16,
    sum: Sum,
    last: Instant,
}

/// Both numbers of replicas beside each other.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    let tools = Tools::build(run)?;
    let (rounds, seed) = (if run.is_long() { 20 } else { 2 }, run.seed());
    let mut lanes = Vec::new();
    for replicas in [1, 2] {
        let mut base = fast(&tools, &format!("of-{replicas}"), replicas, "0");
        lanes.push(Lane {
            stage: Stage::set(run, &tools, &mut base)?,
            base,
            replicas,
            sum: Sum::default(),
            last: Instant::now(),
        });
    }
    let mut all = Sum::default();
    for sum in abreast(lanes.len(), lanes, |lane| lane.all(rounds, seed))? {
        all.at_rest += sum.at_rest;
        all.in_release += sum.in_release;
        all.gets += sum.gets;
        all.lost += sum.lost;
        all.posts += sum.posts;
        all.cut_posts += sum.cut_posts;
        all.slowest_ms = all.slowest_ms.max(sum.slowest_ms);
    }
    run.fact("replicas", "1,2");
    run.fact("killed_at_rest", all.at_rest);
    run.fact("killed_in_release", all.in_release);
    run.fact("gets", all.gets);
    run.fact("lost", all.lost);
    run.fact("posts", all.posts);
    run.fact("posts_open_on_the_dead", all.cut_posts);
    run.fact("back_ms", all.slowest_ms);
    match (all.lost, all.cut_posts > OPEN * (all.at_rest + all.in_release)) {
        (0, false) => Ok(()),
        (0, true) => fail("more POSTs were lost than can have been open on the instances that died"),
        (lost, _) => fail(format!("{lost} requests that could have been sent again were lost")),
    }
}

impl Lane {
    fn all(mut self, rounds: u32, seed: u64) -> Result<Sum, Stop> {
        self.stage.up()?;
        let gets = Shape { rate: GETS, slow: 0.05, posts: 0.0, sockets: 0, ..Shape::default() };
        let posts = Shape { rate: POSTS, slow: 0.0, posts: 1.0, sockets: 0, ..Shape::default() };
        let (gets, posts) = (self.stage.traffic_of(seed, gets)?, self.stage.traffic_of(seed + 1, posts)?);
        for round in 0..rounds {
            std::thread::sleep(Duration::from_millis(700));
            self.at_rest()?;
            for moment in ["starts", "shares", "window"] {
                self.in_release(round, moment)?;
            }
        }
        let (gets, posts) = (gets.stop()?, posts.stop()?);
        self.judge(&gets, &posts)?;
        self.stage.end()?;
        Ok(self.sum)
    }

    fn judge(&mut self, gets: &Summary, posts: &Summary) -> Result<(), Stop> {
        if !gets.is_full() || !posts.is_full() {
            return fail(format!("too little was asked: {} {}", gets.all, posts.all));
        }
        self.sum.gets = gets.count("sent");
        self.sum.posts = posts.count("sent");
        // A POST that was never sent could have been sent elsewhere: it has to be.
        self.sum.lost = gets.lost(0) + posts.count("unsent") + posts.count("refused") + posts.count("unable");
        self.sum.cut_posts = posts.lost(0) - posts.count("unsent");
        if self.sum.lost > 0 {
            self.stage.say(format!("GETs: {}; POSTs: {}", gets.all, posts.all));
        }
        Ok(())
    }

    fn breathe(&self) {
        std::thread::sleep(BREATH.saturating_sub(self.last.elapsed()));
    }

    fn kill(&mut self, id: u32) -> Result<(), Stop> {
        kill(id)?;
        self.last = Instant::now();
        Ok(())
    }

    /// Every instance in turn, each when all are there again.
    fn at_rest(&mut self) -> Result<(), Stop> {
        for at in 0..usize::from(self.replicas) {
            self.breathe();
            let status = self.stage.rests("at rest before a kill")?;
            let ready = pids(&status);
            let Some(id) = ready.get(at).copied() else { return fail(format!("no instance {at}: {status}")) };
            self.kill(id)?;
            self.sum.at_rest += 1;
            let begin = Instant::now();
            let wanted = usize::from(self.replicas);
            self.stage.wait("the instance is back", PATIENCE, |status| {
                let now = pids(status);
                now.len() == wanted && !now.contains(&id)
            })?;
            self.sum.slowest_ms = self.sum.slowest_ms.max(begin.elapsed().as_millis() as u64);
        }
        Ok(())
    }

    /// A release, in which an instance dies: of the new revision as it starts, of the old one while both share the
    /// traffic, of the new one when it has everything.
    fn in_release(&mut self, round: u32, moment: &str) -> Result<(), Stop> {
        self.breathe();
        self.stage.rests("at rest before a release")?;
        let name = format!("{round}-{moment}");
        self.stage.say(format!("an instance dies in a release ({name})"));
        let mut asked = self.stage.begin_release(&self.base.clone().with_env("RELEASE", &name))?;
        let track = if moment == "shares" { "stable" } else { "canary" };
        let arrived = |status: &Value| {
            let phase = status.find("phase").and_then(Value::text).unwrap_or_default();
            match moment {
                "starts" => phase == "step" && of_track(status, "canary").is_some(),
                "shares" => phase == "step" && !is_zero(status) && of_track(status, "stable").is_some(),
                _ => phase == "settling" && of_track(status, "stable").is_some(),
            }
        };
        let status = self.stage.wait("the moment of the kill", PATIENCE, arrived)?;
        let track = if moment == "window" { "stable" } else { track };
        let Some(id) = of_track(&status, track) else { return fail(format!("{track} has no instance: {status}")) };
        self.kill(id)?;
        self.sum.in_release += 1;
        let released = Released::read(&asked.end(2 * PATIENCE)?)?;
        let status = self.stage.rests("at rest after a release")?;
        // With its stable side dead, a release may halt, and then takes what serves for the stable side.
        if !(0..=3).contains(&released.code) || pids(&status).len() != usize::from(self.replicas) {
            return fail(format!("{name}: the release ended as {released:?}: {status}"));
        }
        Ok(())
    }
}

/// Whether the new revision has no share yet.
fn is_zero(status: &Value) -> bool {
    status.find("rollout.weight").and_then(Value::number).unwrap_or_default() < 1.0
}

fn id_of(instance: &Value) -> Option<u32> {
    let ready = instance.get("state").and_then(Value::text) == Some("ready");
    instance.get("pid").and_then(Value::number).filter(|_| ready).map(|id| id as u32)
}

fn pids(status: &Value) -> Vec<u32> {
    every_instance(status).filter_map(id_of).collect()
}

/// A ready instance of a track.
fn of_track(status: &Value, track: &str) -> Option<u32> {
    let slot = crate::stage::controller::slot_of(status, track)?;
    crate::stage::controller::of_slot(status, slot).find_map(id_of)
}
