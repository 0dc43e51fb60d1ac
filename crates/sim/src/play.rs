//! One release on a virtual clock: the world and the keys that are searched elsewhere play a plan under a scenario, and
//! tell what happens and when.
//!
//! The world says what may happen, a seed when: instances take their time to start, data planes to confirm, writes to
//! land, and users send requests. Nothing waits: the clock jumps from one moment at which something happens to the next,
//! so that a release of an hour is played in milliseconds. Every step is held to every rule of [`crate::invariants`].
//!
//! What production's engine does beside the two keys (timers, judging, sentences) comes in by [`Engine`], so that it is
//! production's own. This file never decides anything about a release.
mod controller;
mod draw;
mod fault;
mod stage;
mod traffic;

pub use self::fault::{Fault, Strike, Track};
pub use self::traffic::Tally;
use crate::env::{Env, Person};
use crate::invariants::Rule;
use crate::subject::Subject;
use crate::world::World;
use serin_analysis::Sample;
use serin_rollout::{
    Bp, Event, Observation, Outcome, Pair, Plan, Refusal, Slot, Status, StepKey, Timers, Verdict, WaitingOn, Why,
};
use std::sync::atomic::AtomicU64;

/// The most instances at rest that can be played: the world counts instances in single bytes.
pub const MOST_REPLICAS: u16 = 10;

/// What production's engine does beside the two keys.
pub trait Engine {
    /// This status was saved: timers that it arms anew begin now.
    fn saved(&mut self, plan: &Plan, status: &Status, now_ms: u64);
    /// The timers that are due.
    fn due(&self, now_ms: u64) -> Timers;
    /// When the next of the armed timers is due, if any is not due yet.
    fn next_due(&self, now_ms: u64) -> Option<u64>;
    /// When the analysis looks next, if there is something to judge.
    fn next_look(&self, status: &Status, now_ms: u64) -> Option<u64>;
    /// A look of the analysis at the counters of the slot that it names.
    fn judge(&mut self, status: &Status, now_ms: u64, read: &dyn Fn(Slot) -> Sample) -> Option<Judged>;
    /// What the analysis says, and of what.
    fn verdict(&self) -> Option<(StepKey, Verdict)>;
    /// An event in one line.
    fn event(&self, event: &Event) -> String;
    /// What is waited for, in one line, and when the wait ends at the latest.
    fn wait(&self, plan: &Plan, status: &Status, seen: &Observation, on: WaitingOn) -> (String, Option<u64>);
}

/// One round of the analysis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// Whether a limit was broken, so that it counts against the budget.
    pub failed: bool,
    /// What was measured, in one line.
    pub text: String,
}

/// What is played.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    /// From which everything is drawn.
    pub seed: u64,
    /// Requests a second.
    pub rate: u32,
    /// What goes wrong.
    pub strikes: Vec<Strike>,
    /// How long a person takes to approve a step that asks for it.
    pub approve_after_ms: u64,
    /// The least time from the start of an instance until its checks have passed.
    pub checks_ms: u64,
    /// How many requests wait at most while nothing is ready.
    pub hold_max: u64,
    /// How long each of them waits.
    pub hold_ms: u64,
    /// An answer that takes so long is given up, and an error is sent instead.
    pub response_ms: u64,
}

/// How things stand at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scene {
    /// The share of the traffic that the new revision gets in the data plane.
    pub share: Bp,
    /// Ready instances of the old revision, and those asked for.
    pub old: Pair<u16>,
    /// The same of the new one.
    pub new: Pair<u16>,
    /// What became of the requests so far.
    pub tally: Tally,
}

/// One thing that matters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A decision of the core, in production's words.
    Event(Event, String),
    /// A round of the analysis that broke a limit.
    Judged(String),
    /// It has waited for this for a while.
    Waits(String, Option<u64>),
    /// A fault begins.
    Struck(Fault),
    /// An instance ended, and is started again.
    Lost(Track),
    /// All the instances that were asked for are ready.
    Ready(Track),
    /// The controller is back.
    Back,
    /// The store can be written again.
    Saves,
    /// The data plane has not heard of the controller for the whole lease, and takes the fallback.
    FellBack,
    /// The data plane hears of the controller again, and takes the split again.
    Renewed,
    /// A person approved the step.
    Approved,
    /// The second key refused a write.
    Refused(Refusal),
    /// Nothing that is ready can be reached: requests wait.
    Dark,
    /// Something can again, after so many milliseconds.
    Lit(u64),
}

/// One line of the story.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// When, from the deploy on.
    pub at_ms: u64,
    /// How things stand then.
    pub scene: Scene,
    /// What happens.
    pub what: What,
}

/// How a play ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// The rollout is over.
    Over(Outcome, Option<Why>),
    /// Nothing more happens by itself.
    Still {
        /// What it waits for.
        waits: String,
        /// Whether it is halted.
        halted: bool,
        /// When anything happened last.
        since_ms: u64,
    },
    /// It is not over after the longest time that is played.
    Unfinished {
        /// What it waits for.
        waits: String,
    },
    /// A rule is broken: a mistake in Serin, never in a service.
    Broken(Rule),
}

/// A release that was played.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Played {
    /// What happened.
    pub lines: Vec<Line>,
    /// How it ended.
    pub end: End,
    /// When.
    pub ended_ms: u64,
    /// How things stand at the end.
    pub scene: Scene,
    /// The smallest part of the traffic that ready instances could carry, in basis points, and when that was.
    pub least: (Bp, u64),
    /// For how many milliseconds in all they could not carry all of it.
    pub short_ms: u64,
    /// When the first request went to the new revision.
    pub first_new_ms: Option<u64>,
    /// When the first of its answers was an error or too slow because of a fault.
    pub first_bad_ms: Option<u64>,
    /// When the decision to go back was made.
    pub going_back_ms: Option<u64>,
    /// Strikes that found nothing to strike.
    pub unstruck: Vec<Strike>,
}

/// What may happen in a play: everything that a scenario can name.
const ENV: Env = Env { down: true, late: true, crash: true, busy: true, people: &[Person::Approve], ..Env::CALM };

/// Plays a release from the moment at which a new revision is wanted of a service at rest. `clock` tells other threads how many
/// milliseconds of it were played.
///
/// # Panics
/// If the plan has more than [`MOST_REPLICAS`].
pub fn play(subject: Subject, plan: Plan, script: &Script, engine: &mut impl Engine, clock: &AtomicU64) -> Played {
    assert!(plan.limits.replicas <= MOST_REPLICAS, "{} replicas cannot be counted", plan.limits.replicas);
    let world = World::new(subject, plan, ENV);
    stage::Stage::new(&world, script, engine, clock).run()
}
