//! One step of a rollout: move to its target, then wait until it is accepted.
use super::mover::{Mode, Move};
use super::{Decision, View};
use crate::event::Event;
use crate::guards::Guards;
use crate::observation::Verdict;
use crate::plan::{Accept, Kind, Target};
use crate::split::{Bp, FULL, Split};
use crate::status::{Armed, InStep, Interrupted, Leg, Phase, Status, StepKey, Why};
use crate::waiting::WaitingOn;
use alloc::vec;
use alloc::vec::Vec;

/// A canary that could not carry its share this often is not tried again.
const LOSSES: u8 = 3;

impl<G: Guards> View<'_, G> {
    pub(super) fn step(&self, at: InStep) -> Decision {
        let key = StepKey { rollout: self.status.rollout, step: at.step, attempt: at.attempt };
        let Some(target) = self.target_of(at.step, at.weight) else {
            return self.go_back(Why::Drift); // a plan that does not have this step is not the rollout's
        };
        if let Some(why) = self.gives_up().or_else(|| self.is_late(&target)) {
            return self.go_back(why);
        }
        if let Some(decision) = self.obey(at, key) {
            return decision;
        }
        if self.good_is_down() {
            let from = Interrupted::Step { step: at.step, attempt: at.attempt };
            let status = self.to_phase(Phase::Halted { from }, Armed::NONE);
            return self.save(status, vec![Event::Halted(self.good)]);
        }
        if at.reached && !self.side_carries(target.route.split) {
            return self.lose(at, key);
        }
        if let Some(decision) = self.relieve() {
            return decision;
        }
        match self.toward(&target, Mode::Forward) {
            Move::Ask(write) => Decision::Ask(write),
            Move::Wait(on) if at.reached => self.watch(true).unwrap_or(Decision::Wait(on)),
            Move::Wait(on) => self.note_progress().unwrap_or(Decision::Wait(on)),
            Move::There if at.reached => self.watch(false).unwrap_or_else(|| self.accept(at, key)),
            Move::There => self.reach(at, key, target.route.split.share(self.side)),
        }
    }

    /// What ends a rollout in every phase of it.
    pub(super) fn gives_up(&self) -> Option<Why> {
        let set = &self.seen.set[self.side];
        let drifted = set.present() > 0 && set.rev != self.status.rev[self.side];
        if self.is_named(self.seen.intent.abort) {
            Some(Why::Aborted)
        } else if G::SUPERSEDE && self.status.rev[self.side] != Some(self.seen.intent.wanted) {
            Some(Why::Superseded)
        } else if self.verdict() == Some(Verdict::Fail) {
            Some(Why::Verdict)
        } else if drifted {
            Some(Why::Drift)
        } else {
            None
        }
    }

    /// The deadlines are about instances that do not become healthy and routes that do not come into force. Once both
    /// is so, only the old set is left to go: that its open requests take their time makes nobody late.
    fn is_late(&self, target: &Target) -> Option<Why> {
        let due = self.seen.due.healthy || self.seen.due.progress;
        let whole = self.is_healthy(self.side, target.size[self.side]);
        let in_force = self.seen.route.accepted.split == target.route.split && self.acked();
        let goes = || match self.toward(target, Mode::Forward) {
            Move::Ask(_) | Move::There | Move::Wait(WaitingOn::Drained(_)) => true,
            Move::Wait(_) => false,
        };
        (due && !(whole && in_force && goes())).then_some(Why::Deadline)
    }

    /// What a person asked for at this very step.
    fn obey(&self, at: InStep, key: StepKey) -> Option<Decision> {
        let intent = &self.seen.intent;
        let split = self.seen.route.accepted.split;
        let somewhere = split.reaches(0) || split.reaches(1); // while requests are held there is nothing to keep
        if self.is_named(intent.park) && somewhere {
            let phase = Phase::Parked { split, step: at.step, attempt: at.attempt };
            let status = self.to_phase(phase, Armed::NONE);
            return Some(self.save(status, vec![Event::Parked(split.share(self.side))]));
        }
        if let Some((named, share)) = intent.weight
            && self.is_now(named)
            && self.plan.kind == Kind::Weighted
            && share <= FULL
        {
            let event = Event::Overridden(key, share);
            let at = InStep { weight: Some(share), ..again(at) };
            return Some(self.enter(at, vec![event]));
        }
        let (named, rest) = intent.promote?;
        if !self.is_now(named) {
            return None;
        }
        Some(self.skip(at, key, rest))
    }

    /// The good slot is asked to serve and has nothing left, while the canary has. Where there is room for one set only it
    /// had to go first.
    fn good_is_down(&self) -> bool {
        let split = self.seen.route.accepted.split;
        let known = self.fresh(self.good) && self.fresh(self.side);
        let alone = self.usable[self.good] == 0 && self.usable[self.side] > 0;
        let had_to_go = self.plan.ceiling != u16::MAX;
        known && alone && !had_to_go && split.reaches(self.good) && !self.carried(split) && G::RESCUE
    }

    /// Whether the canary can carry what its step gives it. What somebody else gives it says nothing about it.
    fn side_carries(&self, split: Split) -> bool {
        if !self.fresh(self.side) {
            return true; // nothing is known; unknown is not lost
        }
        match split {
            Split::Weighted(_) => self.usable[self.side] >= crate::capacity::need(split.share(self.side), self.floor()),
            Split::Members(members) => {
                self.usable[self.side] >= members[self.side] || self.usable[self.side] >= self.floor().max(1)
            }
        }
    }

    fn lose(&self, at: InStep, key: StepKey) -> Decision {
        let lost = at.lost + 1;
        if lost >= LOSSES {
            return self.go_back(Why::Unready);
        }
        self.enter(InStep { lost, ..again(at) }, vec![Event::Lost(key)])
    }

    /// A target that was reached and is not any more gets a deadline, until it is reached again: every wait has one.
    pub(super) fn watch(&self, healthy: bool) -> Option<Decision> {
        let armed = Armed { healthy, ..self.status.armed };
        (armed != self.status.armed).then(|| self.save(Status { armed, ..*self.status }, vec![]))
    }

    /// More healthy instances than ever in this attempt start the progress deadline anew.
    pub(super) fn note_progress(&self) -> Option<Decision> {
        let best = self.status.armed.progress?;
        let healthy = self.seen.set[self.side].healthy;
        if !self.fresh(self.side) || healthy <= best {
            return None;
        }
        let armed = Armed { progress: Some(healthy), ..self.status.armed };
        Some(self.save(Status { armed, ..*self.status }, vec![]))
    }

    fn reach(&self, at: InStep, key: StepKey, share: Bp) -> Decision {
        let armed = Armed { bake: self.accept_of(at.step).bake_ms.is_some(), ..Armed::NONE };
        let phase = Phase::Step(InStep { reached: true, ..at });
        self.save(self.to_phase(phase, armed), vec![Event::Reached(key, share)])
    }

    fn accept_of(&self, step: u16) -> Accept {
        self.plan.steps.get(usize::from(step)).map(|step| step.accept).unwrap_or_default()
    }

    fn accept(&self, at: InStep, key: StepKey) -> Decision {
        let accept = self.accept_of(key.step);
        let passed = !accept.checks || self.verdict() == Some(Verdict::Pass) || (!G::VERDICT && !self.is_failing());
        let approved = !accept.manual || self.seen.intent.approved.is_some_and(|named| self.is_now(named));
        let baked = accept.bake_ms.is_none() || self.seen.due.bake;
        if self.is_named(self.seen.intent.pause) {
            Decision::Wait(WaitingOn::Paused)
        } else if at.forced || (passed && approved && baked) {
            self.advance(at, key)
        } else if !baked {
            Decision::Wait(WaitingOn::Bake)
        } else if !passed {
            Decision::Wait(WaitingOn::Verdict(key))
        } else {
            Decision::Wait(WaitingOn::Approval(key))
        }
    }

    fn is_failing(&self) -> bool {
        self.verdict() == Some(Verdict::Fail)
    }

    /// The step is accepted and its target in force. A share that a person gave stands for the plan's target, not for
    /// everything: only what carried everything is promoted.
    fn advance(&self, at: InStep, key: StepKey) -> Decision {
        if self.is_last(key.step) && at.weight.is_some_and(|share| share != FULL) {
            return self.enter(InStep { weight: None, ..again(at) }, vec![Event::Accepted(key)]);
        }
        if self.is_last(key.step) {
            let leg = if self.plan.window { Leg::Window } else { self.last_leg(self.side) };
            return self.commit(leg, key, vec![Event::Accepted(key)]);
        }
        self.next(at, vec![Event::Accepted(key)])
    }

    fn is_last(&self, step: u16) -> bool {
        usize::from(step) + 1 >= self.plan.steps.len()
    }

    fn next(&self, at: InStep, events: Vec<Event>) -> Decision {
        self.enter(InStep { forced: at.forced, ..InStep::begin(at.step + 1, 0) }, events)
    }

    /// Goes on without this step's acceptance, with `rest` without any. The last target must still be reached: only
    /// its acceptance is skipped.
    fn skip(&self, at: InStep, key: StepKey, rest: bool) -> Decision {
        let skipped = vec![Event::Skipped(key, rest)];
        if !rest && !self.is_last(at.step) {
            return self.next(at, skipped);
        }
        let last = self.plan.steps.len().saturating_sub(1) as u16;
        let begin = if last == at.step { again(at) } else { InStep::begin(last, 0) };
        self.enter(InStep { forced: true, ..begin }, skipped)
    }
}

/// The next attempt at the same step.
fn again(at: InStep) -> InStep {
    InStep { attempt: at.attempt.saturating_add(1), reached: false, ..at }
}
