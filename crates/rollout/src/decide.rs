//! The first key: what to do next. It names no strategy; every flow is a list of targets that one mover walks between.
use crate::capacity::carries;
use crate::event::Event;
use crate::guards::{Guards, Sound};
use crate::observation::{Observation, Verdict, Write};
use crate::plan::{OnAbort, Plan, Target};
use crate::split::{Pair, Route, Slot, Split, other};
use crate::status::{Armed, InStep, Leg, Outcome, Phase, Rev, Status, StepKey, Why};
use crate::waiting::WaitingOn;
use alloc::vec;
use alloc::vec::Vec;
use core::marker::PhantomData;

mod home;
mod idle;
mod mover;
mod rescue;
mod returning;
mod settling;
mod step;

/// Exactly one of three. Events exist only together with a status, so they are saved with it and never repeated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Save this status and these events in one transaction, then decide again.
    Save(Status, Vec<Event>),
    /// Carry this write out, if [`crate::permit`] allows it on a fresh read; then decide again.
    Ask(Write),
    /// There is nothing to do until this changes.
    Wait(WaitingOn),
}

/// Decides the next action. Total: every input has an answer, and none panics.
pub fn decide(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    decide_with::<Sound>(plan, status, seen)
}

/// [`decide`] with the guards `G`.
pub fn decide_with<G: Guards>(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
    let view = View::<G>::new(plan, status, seen);
    let decision = match status.phase {
        Phase::Idle => view.idle(),
        Phase::Step(at) => view.step(at),
        Phase::Settling { leg: Leg::Window, step, attempt } => view.window(step, attempt),
        Phase::Settling { leg: Leg::Retire, step, .. } => view.retire(step),
        Phase::Settling { leg: Leg::Home, step, attempt } => view.home(step, attempt),
        Phase::Back { why, keep } => view.back(why, keep),
        Phase::Halted { from } => view.halted(from),
        Phase::Parked { split, step, attempt } => view.parked(split, step, attempt),
    };
    let decision = view.with_drain_deadline(decision);
    let leased = seen.route.accepted.lease; // only who has claimed the service may renew it, also while waiting
    if G::CLAIM && !seen.claimed && (leased || !matches!(decision, Decision::Wait(_))) {
        return Decision::Ask(Write::Claim);
    }
    decision
}

/// One decision's inputs, and what follows from them.
struct View<'a, G> {
    plan: &'a Plan,
    status: &'a Status,
    seen: &'a Observation,
    /// What each slot can serve with.
    usable: Pair<u16>,
    /// The slot to go back to.
    good: Slot,
    /// The other one: in a rollout the canary's, after the commit the old set's.
    side: Slot,
    guards: PhantomData<G>,
}

impl<'a, G: Guards> View<'a, G> {
    fn new(plan: &'a Plan, status: &'a Status, seen: &'a Observation) -> Self {
        let ready = |k: Slot| {
            if G::FRESH { crate::usable_of(&seen.set[k]) } else { seen.set[k].ready }
        };
        let usable = [ready(0), ready(1)];
        View { plan, status, seen, usable, good: status.good, side: other(status.good), guards: PhantomData }
    }

    fn floor(&self) -> u16 {
        self.plan.limits.floor
    }

    /// Whether what is usable now carries this split.
    fn carried(&self, split: Split) -> bool {
        carries(split, self.usable, self.floor())
    }

    /// Everything to `slot`, at full size.
    fn all(&self, slot: Slot) -> Split {
        Split::all(slot, self.plan.limits.replicas)
    }

    /// Whether `slot` could carry everything now.
    fn whole(&self, slot: Slot) -> bool {
        self.carried(self.all(slot))
    }

    fn fresh(&self, slot: Slot) -> bool {
        self.seen.set[slot].fresh || !G::FRESH
    }

    fn acked(&self) -> bool {
        self.seen.route.acked || !G::ACK
    }

    /// Whether a level that names a step is meant for the present one.
    fn is_now(&self, key: StepKey) -> bool {
        !G::KEYED || self.status.key() == Some(key)
    }

    fn verdict(&self) -> Option<Verdict> {
        let (key, verdict) = self.seen.verdict?;
        self.is_now(key).then_some(verdict)
    }

    fn is_named(&self, intent: Option<u32>) -> bool {
        intent == Some(self.status.rollout)
    }

    /// What `slot` holds: a set that exists keeps its revision, whatever the status says.
    fn rev_of(&self, slot: Slot) -> Option<Rev> {
        let set = &self.seen.set[slot];
        if set.is_empty() || !G::IMMUTABLE { self.status.rev[slot] } else { set.rev }
    }

    fn save(&self, status: Status, events: Vec<Event>) -> Decision {
        Decision::Save(status, events)
    }

    /// The status with another phase. The drain timer belongs to what was being drained in the old one.
    fn to_phase(&self, phase: Phase, armed: Armed) -> Status {
        Status { phase, armed, ..*self.status }
    }

    /// Goes back to the good slot.
    fn go_back(&self, why: Why) -> Decision {
        let keep = why == Why::Aborted && self.plan.on_abort == OnAbort::Park && self.in_rollout();
        let armed = Armed { healthy: true, ..Armed::NONE };
        self.save(self.to_phase(Phase::Back { why, keep }, armed), vec![Event::GoingBack(why)])
    }

    fn in_rollout(&self) -> bool {
        matches!(self.status.phase, Phase::Step(_) | Phase::Halted { .. })
    }

    /// Begins an attempt at a step.
    fn enter(&self, at: InStep, events: Vec<Event>) -> Decision {
        let armed = Armed { healthy: true, progress: Some(0), ..Armed::NONE };
        self.save(self.to_phase(Phase::Step(at), armed), events)
    }

    /// Makes the other slot the good one: the new revision's.
    fn commit(&self, leg: Leg, key: StepKey, mut events: Vec<Event>) -> Decision {
        let mut status = *self.status;
        status.good = self.side;
        status.proven[self.side] = true;
        status.phase = Phase::Settling { leg, step: key.step, attempt: key.attempt };
        status.armed = settling::armed(leg);
        events.extend(status.rev[self.side].map(Event::Promoted));
        self.save(status, events)
    }

    /// The rollout of `rev` is over and nothing is meant to be in the other slot any more.
    fn end(&self, rev: Option<Rev>, outcome: Outcome, why: Option<Why>) -> Decision {
        let status = Status { last: rev.map(|rev| crate::Last { rev, outcome, why }), ..self.at_rest() };
        self.save(status, vec![Event::Ended(outcome, why)])
    }

    /// Nothing is going on, and nothing is meant to be in the other slot.
    fn at_rest(&self) -> Status {
        let mut status = self.to_phase(Phase::Idle, Armed::NONE);
        status.rev[self.side] = None;
        status.proven[self.side] = false;
        status
    }

    /// The target of a step, with a person's weight in place of the plan's.
    fn target_of(&self, step: u16, weight: Option<u16>) -> Option<Target> {
        let target = self.plan.steps.get(usize::from(step))?.target.for_good(self.good);
        Some(match weight {
            None => target,
            Some(share) => {
                let split = if share == 0 { self.all(self.good) } else { Split::share_to(self.side, share) };
                let home = self.all(self.good);
                let fallback = (split != home).then_some(home);
                Target { route: Route { split, fallback, lease: fallback.is_some() }, ..target }
            }
        })
    }

    /// A wait for open requests gets a deadline.
    fn with_drain_deadline(&self, decision: Decision) -> Decision {
        match decision {
            Decision::Wait(WaitingOn::Drained(slot)) if self.seen.set[slot].busy > 0 && !self.status.armed.drain => {
                let armed = Armed { drain: true, ..self.status.armed };
                self.save(Status { armed, ..*self.status }, vec![])
            }
            Decision::Wait(_) | Decision::Ask(_) | Decision::Save(..) => decision,
        }
    }
}

/// The outcome of a rollout that went back for this reason.
fn outcome_of(why: Why) -> Outcome {
    match why {
        Why::Verdict | Why::Deadline | Why::Unready | Why::Drift => Outcome::Failed,
        Why::Aborted | Why::Superseded | Why::RolledBack => Outcome::Aborted,
    }
}
