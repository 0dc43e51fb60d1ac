//! The controller of a play: it looks at the world as production's driver does, in rounds of *judge, decide, save or
//! send*, and renews the lease after a completed round only.
use super::stage::Stage;
use super::{Engine, What};
use crate::choice::{self, Choice, Judged};
use crate::env::Person;
use crate::world::Happening;
use serin_rollout::{Decision, Event, InStep, Interrupted, Outcome, Phase, Status, StepKey, WaitingOn, Why, Write};

/// Milliseconds between two looks.
const LOOK_MS: u64 = 100;
/// A wait is told when it has lasted for so long; a step's hold, which everybody expects, later.
const TOLD_MS: u64 = 5_000;
const HOLD_TOLD_MS: u64 = 30_000;
/// As production's driver: so many decisions in one round mean that nothing changes.
const DECISIONS: usize = 64;

/// A wait, and what was told of it.
struct Waiting {
    on: WaitingOn,
    since: u64,
    told: bool,
}

impl Waiting {
    /// When it is told.
    fn told_at(&self) -> u64 {
        self.since + if self.on == WaitingOn::Bake { HOLD_TOLD_MS } else { TOLD_MS }
    }
}

/// What the controller knows, and what became of it.
#[derive(Default)]
pub(super) struct Controller {
    /// When it looks next.
    pub look_at: Option<u64>,
    /// Until when it is dead.
    pub dead_until: Option<u64>,
    /// Until when nothing can be saved.
    pub full_until: Option<u64>,
    /// Since when the data plane has heard nothing of it.
    pub silent_since: Option<u64>,
    /// When the rollout began to go back.
    pub going_back: Option<u64>,
    looked: Option<u64>,
    /// The world calls every attempt the first; timers and verdicts name the true one.
    attempt: u16,
    waiting: Option<Waiting>,
    approval: Option<(StepKey, u64)>,
    approved: Option<StepKey>,
    refused: bool,
    ended: Option<(Outcome, Option<Why>)>,
}

impl Controller {
    /// How it ended, once everything rests.
    pub fn is_over(&self) -> Option<(Outcome, Option<Why>)> {
        let rests = self.waiting.as_ref().is_some_and(|waiting| waiting.on == WaitingOn::Nothing);
        self.ended.filter(|_| rests)
    }

    /// When a person approves the step that waits for it.
    pub fn approval_at(&self) -> Option<u64> {
        self.approval.filter(|(key, _)| self.approved != Some(*key)).map(|(_, at)| at)
    }
}

impl<E: Engine> Stage<'_, E> {
    /// The status with its true attempt.
    fn status(&self) -> Status {
        with_attempt(self.world.status(self.state.status), self.controller.attempt)
    }

    /// Whether everything stands still because the good slot does not serve.
    pub fn is_halted(&self) -> bool {
        matches!(self.status().phase, Phase::Halted { .. })
    }

    /// It looks at its next turn.
    pub fn look_soon(&mut self) {
        self.look_at(self.now);
    }

    fn look_at(&mut self, at: u64) {
        let earliest = self.controller.looked.map_or(0, |last| last + LOOK_MS);
        let turn = at.max(earliest).div_ceil(LOOK_MS) * LOOK_MS;
        self.controller.look_at = Some(self.controller.look_at.map_or(turn, |planned| planned.min(turn)));
    }

    /// It dies, and with it the write that it had sent. One that is dead stays so for the longer of the two times.
    pub fn kill(&mut self, for_ms: u64) {
        self.happen(Happening::Crash(false));
        self.land = None;
        let until = self.controller.dead_until.unwrap_or(0).max(self.now + for_ms);
        self.controller.dead_until = Some(until);
        self.controller.silent_since.get_or_insert(self.now);
        self.controller.waiting = None;
    }

    /// What is due for the controller.
    pub fn controller_moment(&mut self) {
        let now = self.now;
        if self.controller.dead_until.take_if(|until| *until <= now).is_some() {
            self.tell(What::Back);
            self.look_soon();
        }
        if self.controller.full_until.take_if(|until| *until <= now).is_some() {
            self.tell(What::Saves);
            self.look_soon();
        }
        if let Some((key, _)) = self.controller.approval.take_if(|(_, at)| *at <= now) {
            self.controller.approved = Some(key);
            self.tell(What::Approved);
            self.look_soon();
        }
        if self.controller.look_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        if self.controller.dead_until.is_none() && self.land.is_none() {
            self.controller.looked = Some(now);
            self.look();
            self.plan_next_look();
        }
    }

    fn plan_next_look(&mut self) {
        let status = self.status();
        let told = self.controller.waiting.as_ref().filter(|waiting| !waiting.told).map(Waiting::told_at);
        let healthy = Some(self.healthy_at(status.proven));
        let moments = [self.engine.next_due(self.now), self.engine.next_look(&status, self.now), told, healthy];
        if let Some(at) = moments.into_iter().flatten().filter(|at| *at > self.now).min() {
            self.look_at(at);
        }
    }

    /// One round.
    fn look(&mut self) {
        if !self.judge() {
            return self.fail_to_save();
        }
        for _ in 0..DECISIONS {
            let choice = self.choice();
            let status = self.world.status(self.state.status);
            let seen = self.world.seen(&self.state, &choice);
            match (self.world.subject.decide)(&self.world.plan, &status, &seen) {
                Decision::Wait(on) => {
                    self.renew();
                    return self.wait(on);
                }
                Decision::Save(..) if self.controller.full_until.is_some() => return self.fail_to_save(),
                Decision::Save(next, events) => {
                    if !self.happen(Happening::Round(choice)) {
                        return;
                    }
                    self.save(&status, next, &events);
                }
                Decision::Ask(write) => return self.ask(choice, &write),
            }
            if self.state.broken != 0 {
                return;
            }
        }
    }

    /// The analysis looks when it is time. `false`: what it found cannot be saved.
    fn judge(&mut self) -> bool {
        let (status, now) = (self.status(), self.now);
        let due = self.engine.next_look(&status, now).is_some_and(|at| at <= now);
        if !due {
            return true;
        }
        if self.controller.full_until.is_some() {
            return false;
        }
        let counters = &self.traffic.counters;
        let judged = self.engine.judge(&status, now, &|slot| counters[slot].clone());
        if let Some(judged) = judged.filter(|judged| judged.failed) {
            self.tell(What::Judged(judged.text));
        }
        true
    }

    /// What the world says in this round.
    fn choice(&self) -> Choice {
        let status = self.status();
        let key = status.key();
        let judged = match self.engine.verdict() {
            Some((of, verdict)) if Some(of) == key => Judged::Now(verdict),
            Some(_) | None => Judged::Nothing,
        };
        let approved = key.is_some() && self.controller.approved == key;
        Choice {
            judged,
            due: self.engine.due(self.now),
            healthy: self.healthy_at(status.proven) <= self.now,
            person: approved.then_some(Person::Approve),
        }
    }

    fn save(&mut self, before: &Status, next: Status, events: &[Event]) {
        let controller = &mut self.controller;
        controller.attempt = match (attempt_of(&next), step_of(before) == step_of(&next)) {
            (Some(again), true) => controller.attempt + again,
            (Some(_), false) => 0,
            (None, _) => controller.attempt,
        };
        (controller.refused, controller.waiting) = (false, None);
        for event in events {
            if let Event::Ended(outcome, why) = event {
                self.controller.ended = Some((*outcome, *why));
            }
            if matches!(event, Event::GoingBack(_)) {
                self.controller.going_back.get_or_insert(self.now);
            }
            let text = self.engine.event(event);
            self.tell(What::Event(*event, text));
        }
        let status = self.status();
        self.engine.saved(&self.world.plan, &status, self.now);
    }

    fn ask(&mut self, choice: Choice, write: &Write) {
        self.happen(Happening::Round(choice));
        if self.state.flight.write != 0 {
            self.controller.refused = false;
            return self.sends();
        }
        let truth = self.world.truth(&self.state, choice.due);
        if let Err(refusal) = serin_rollout::permit(self.world.limits(&self.state), &truth, write)
            && !std::mem::replace(&mut self.controller.refused, true)
        {
            self.tell(What::Refused(refusal));
        }
        self.renew();
    }

    /// The state could not be saved, so nothing follows from it: no write, and no renewal.
    fn fail_to_save(&mut self) {
        self.controller.silent_since.get_or_insert(self.now);
    }

    /// A completed round renews the lease, once this incarnation has claimed the service.
    fn renew(&mut self) {
        if !self.state.claimed {
            return;
        }
        self.controller.silent_since = None;
        if std::mem::replace(&mut self.falling_back, false) {
            self.confirm_soon();
            self.weigh();
            self.tell(What::Renewed);
        }
    }

    fn wait(&mut self, on: WaitingOn) {
        let now = self.now;
        if let WaitingOn::Approval(_) = on
            && let Some(key) = self.status().key()
            && self.controller.approval.is_none()
            && self.controller.approved != Some(key)
        {
            self.controller.approval = Some((key, now + self.script.approve_after_ms));
        }
        match &mut self.controller.waiting {
            Some(waiting) if waiting.on == on => {
                let tells = !waiting.told && now >= waiting.told_at() && on != WaitingOn::Nothing;
                waiting.told |= now >= waiting.told_at();
                if tells {
                    let (text, deadline) = self.wait_in_words();
                    let changed = self.changed;
                    self.tell(What::Waits(text, deadline));
                    self.changed = changed; // that nothing happens is nothing that happens
                }
            }
            Some(_) | None => self.controller.waiting = Some(Waiting { on, since: now, told: false }),
        }
    }

    /// What it waits for.
    pub fn wait_in_words(&self) -> (String, Option<u64>) {
        if let Some(until) = self.controller.dead_until {
            return ("the controller to be started again".to_owned(), Some(until));
        }
        if let Some(until) = self.controller.full_until {
            return ("the store to be written again".to_owned(), Some(until));
        }
        let status = self.status();
        let on = self.controller.waiting.as_ref().map_or(WaitingOn::Nothing, |waiting| waiting.on);
        let seen = self.world.seen(&self.state, &self.choice());
        self.engine.wait(&self.world.plan, &status, &seen, on)
    }
}

/// The attempt of the phases that have one.
fn attempt_of(status: &Status) -> Option<u16> {
    match status.phase {
        Phase::Step(InStep { attempt, .. })
        | Phase::Settling { attempt, .. }
        | Phase::Parked { attempt, .. }
        | Phase::Halted { from: Interrupted::Step { attempt, .. } | Interrupted::Home { attempt, .. } } => {
            Some(attempt)
        }
        Phase::Idle | Phase::Back { .. } | Phase::Halted { from: Interrupted::Back { .. } } => None,
    }
}

fn step_of(status: &Status) -> Option<u16> {
    status.key().map(|key| key.step)
}

/// The opposite of [`choice::canonical`].
fn with_attempt(status: Status, real: u16) -> Status {
    let mut status = choice::canonical(status);
    match &mut status.phase {
        Phase::Step(InStep { attempt, .. })
        | Phase::Settling { attempt, .. }
        | Phase::Parked { attempt, .. }
        | Phase::Halted { from: Interrupted::Step { attempt, .. } | Interrupted::Home { attempt, .. } } => {
            *attempt = real
        }
        Phase::Idle | Phase::Back { .. } | Phase::Halted { from: Interrupted::Back { .. } } => {}
    }
    status
}
