//! Going back to the good slot, halting where it cannot serve, and standing still where a person wants that.
use super::mover::{Mode, Move};
use super::{Decision, View, outcome_of};
use crate::event::Event;
use crate::guards::Guards;
use crate::observation::{Verdict, Write};
use crate::plan::Target;
use crate::split::{Route, Split};
use crate::status::{Armed, InStep, Interrupted, Phase, Status, StepKey, Why};
use crate::waiting::WaitingOn;
use alloc::vec;

impl<G: Guards> View<'_, G> {
    /// Never blocked: the good slot gets what it can carry now, and the rest as it grows.
    pub(super) fn back(&self, why: Why, keep: bool) -> Decision {
        let mut home = Target::rest(self.good, self.plan.limits.replicas);
        let keep = keep && self.plan.ceiling == u16::MAX; // where there is room for one set only, it has to go
        if keep {
            home.size[self.side] = self.seen.set[self.side].desired;
        }
        let in_force = self.seen.route.accepted == home.route && self.acked();
        match self.toward(&home, Mode::Home) {
            Move::Ask(write) => Decision::Ask(write),
            // What is kept gets no traffic: it need not be healthy, it may be there because it is not.
            Move::There | Move::Wait(WaitingOn::Ready(_)) if keep && in_force => self.keep(home.route.split),
            Move::There => self.end(self.status.rev[self.side], outcome_of(why), Some(why)),
            Move::Wait(on) => {
                if let Some(route) = self.rescue(true) {
                    return Decision::Ask(Write::Route(route));
                }
                let asked_for = self.seen.set[self.good].desired >= self.plan.limits.replicas;
                if self.seen.due.healthy && asked_for && self.fresh(self.good) && !self.whole(self.good) {
                    let phase = Phase::Halted { from: Interrupted::Back { why, keep } };
                    return self.save(self.to_phase(phase, Armed::NONE), vec![Event::Halted(self.good)]);
                }
                Decision::Wait(on)
            }
        }
    }

    fn keep(&self, split: Split) -> Decision {
        let phase = Phase::Parked { split, step: 0, attempt: 0 };
        self.save(self.to_phase(phase, Armed::NONE), vec![Event::Parked(0)])
    }

    /// What serves goes on serving, until the good slot is whole again, a person decides, or another revision is wanted.
    pub(super) fn halted(&self, from: Interrupted) -> Decision {
        match from {
            Interrupted::Step { step, attempt } => self.halted_step(step, attempt),
            Interrupted::Back { why, keep } => self.halted_back(why, keep),
            Interrupted::Home { step, attempt } => self.halted_home(step, attempt),
        }
    }

    fn halted_step(&self, step: u16, attempt: u16) -> Decision {
        if let Some(why) = self.gives_up() {
            let keep = why == Why::Aborted && self.plan.on_abort == crate::OnAbort::Park;
            let phase = Phase::Halted { from: Interrupted::Back { why, keep } };
            return self.save(self.to_phase(phase, Armed::NONE), vec![Event::GoingBack(why)]);
        }
        if self.good_serves() {
            let again = InStep::begin(step, attempt.saturating_add(1));
            return self.enter(again, vec![Event::Recovered(self.good)]);
        }
        self.promote_what_serves().unwrap_or_else(|| self.hold(Why::Unready))
    }

    fn halted_back(&self, why: Why, keep: bool) -> Decision {
        if self.good_serves() {
            let armed = Armed { healthy: true, ..Armed::NONE };
            return self.save(self.to_phase(Phase::Back { why, keep }, armed), vec![Event::Recovered(self.good)]);
        }
        if let Some(decision) = self.promote_what_serves() {
            return decision;
        }
        let wanted = Some(self.seen.intent.wanted);
        let corrected = wanted != self.status.rev[0] && wanted != self.status.rev[1];
        if corrected && self.only_side_serves() { self.adopt(why) } else { self.hold(why) }
    }

    /// The good slot is kept at full size, nothing shrinks, and traffic moves only where more of it is served.
    fn hold(&self, why: Why) -> Decision {
        let n = self.plan.limits.replicas;
        let (set, good) = (&self.seen.set[self.good], self.good);
        if (set.desired < n || !set.pinned)
            && self.has_room(n)
            && let Some(rev) = self.rev_of(good)
        {
            return Decision::Ask(Write::Resize { slot: good, to: n.max(set.desired), rev, pin: true });
        }
        match self.rescue(false) {
            Some(route) => Decision::Ask(Write::Route(route)),
            None => Decision::Wait(WaitingOn::Good(why)),
        }
    }

    /// Whether the good slot may have `size` instances beside what is in the other one.
    fn has_room(&self, size: u16) -> bool {
        let [a, b] = [&self.seen.set[self.good], &self.seen.set[self.side]];
        let most = u32::from(size.max(a.present())) + u32::from(b.present());
        self.plan.ceiling == u16::MAX || (a.fresh && b.fresh && most <= u32::from(self.plan.ceiling))
    }

    fn good_serves(&self) -> bool {
        self.fresh(self.good) && self.whole(self.good)
    }

    /// The other slot carries everything alone, with what it is meant to run.
    fn only_side_serves(&self) -> bool {
        let alone = !self.seen.route.reaches(self.good) && self.acked() && self.whole(self.side);
        alone && self.seen.set[self.side].rev == self.status.rev[self.side]
    }

    /// A person promotes without any acceptance the revision that serves alone.
    fn promote_what_serves(&self) -> Option<Decision> {
        let key = self.status.now();
        let asked = self.seen.intent.promote.is_some_and(|(named, rest)| rest && self.is_now(named));
        let commit = || self.commit(self.last_leg(self.side), key, vec![Event::Skipped(key, true)]);
        (asked && self.only_side_serves()).then(commit)
    }

    /// The set that serves becomes the good one, so that a corrected revision can be tried in the dead one's place.
    fn adopt(&self, why: Why) -> Decision {
        let mut status = *self.status;
        status.good = self.side;
        status.proven = [true; 2];
        status.phase = Phase::Idle;
        status.armed = Armed::NONE;
        let outcome = outcome_of(why);
        status.last = status.rev[self.side].map(|rev| crate::Last { rev, outcome, why: Some(why) });
        self.save(status, vec![Event::Adopted(self.side), Event::Ended(outcome, Some(why))])
    }

    /// Holds the split until a person goes on, retires the canary, or the canary fails.
    pub(super) fn parked(&self, split: Split, step: u16, attempt: u16) -> Decision {
        let live = split.reaches(self.side);
        if self.is_named(self.seen.intent.retire) {
            return self.leave_parked(Why::Aborted);
        }
        if live && self.verdict() == Some(Verdict::Fail) && G::FAIL_ANYWHERE {
            return self.leave_parked(Why::Verdict);
        }
        if self.seen.intent.resume.is_some_and(|named| self.is_now(named)) {
            let key = StepKey { rollout: self.status.rollout, step, attempt };
            let attempt = attempt.saturating_add(1);
            return self.enter(InStep::begin(step, attempt), vec![Event::Resumed(key)]);
        }
        if let Some(decision) = self.relieve() {
            return decision;
        }
        let size = [0, 1].map(|k: usize| self.seen.set[k].desired);
        let home = self.all(self.good);
        let fallback = (live && split != home).then_some(home);
        match self.toward(&Target { size, route: Route { split, fallback, lease: false } }, Mode::Forward) {
            Move::Ask(write) => Decision::Ask(write),
            Move::Wait(on) => Decision::Wait(on),
            Move::There => Decision::Wait(WaitingOn::Parked),
        }
    }

    fn leave_parked(&self, why: Why) -> Decision {
        let phase = Phase::Back { why, keep: false };
        let armed = Armed { healthy: true, ..Armed::NONE };
        let status = Status { phase, armed, ..*self.status };
        self.save(status, vec![Event::GoingBack(why)])
    }
}
