//! At rest: repair what the world breaks, and begin a rollout when another revision is wanted.
use super::mover::{Mode, Move};
use super::{Decision, View, settling};
use crate::event::Event;
use crate::guards::Guards;
use crate::observation::Write;
use crate::plan::Target;
use crate::split::Route;
use crate::status::{Armed, InStep, Leg, Outcome, Phase, Rev, StepKey};
use crate::waiting::WaitingOn;
use alloc::vec;

impl<G: Guards> View<'_, G> {
    pub(super) fn idle(&self) -> Decision {
        let wanted = self.seen.intent.wanted;
        if self.status.rev[self.good] != Some(wanted) && !self.has_failed(wanted) {
            let free = self.seen.set[self.side].is_empty() && !self.seen.route.reaches(self.side);
            match (self.status.proven[self.good], free) {
                (true, true) => return self.start(wanted),
                (true, false) => {}
                (false, _) if self.serves_whole() => return self.first_serves(),
                (false, true) => return self.replace(wanted),
                (false, false) if self.side_serves() => return self.take_what_serves(),
                (false, false) => return self.clear(),
            }
        }
        let rest = Target::rest(self.good, self.plan.limits.replicas);
        if let Some(decision) = self.set_off_home(&rest).or_else(|| self.hand_back(&rest)) {
            return decision;
        }
        match self.toward(&rest, Mode::Home) {
            Move::Ask(write) => Decision::Ask(write),
            Move::Wait(on) => self.rescue(true).map_or(Decision::Wait(on), |route| Decision::Ask(Write::Route(route))),
            Move::There if self.status.proven[self.good] => Decision::Wait(self.rest_wait()),
            Move::There => self.first_serves(),
        }
    }

    /// A revision that failed is not tried again by itself.
    pub(super) fn has_failed(&self, rev: Rev) -> bool {
        let ended = self.status.last.is_some_and(|last| last.rev == rev && last.outcome != Outcome::Succeeded);
        ended && !self.is_named(self.seen.intent.retry)
    }

    fn start(&self, rev: Rev) -> Decision {
        let mut status = *self.status;
        status.rollout += 1;
        status.rev[self.side] = Some(rev);
        status.proven[self.side] = false;
        status.phase = Phase::Step(InStep::begin(0, 0));
        status.armed = Armed { healthy: true, progress: Some(0), ..Armed::NONE };
        self.save(status, vec![Event::Started(rev)])
    }

    /// The first revision never served: another one takes its part in the other slot, and nothing has to be kept.
    fn replace(&self, rev: Rev) -> Decision {
        let mut status = *self.status;
        status.good = self.side;
        status.rev[self.side] = Some(rev);
        self.save(status, vec![Event::Replaced(rev)])
    }

    /// The good slot carries everything alone, in every data plane: what serves is never replaced without a canary,
    /// however young it is.
    fn serves_whole(&self) -> bool {
        let alone = self.seen.route.accepted == Route::plain(self.all(self.good)) && self.acked();
        alone && self.fresh(self.good) && self.whole(self.good)
    }

    /// Traffic goes to the other slot alone, and something of it is served there.
    fn side_serves(&self) -> bool {
        let split = self.seen.route.accepted.split;
        split.reaches(self.side) && !split.reaches(self.good) && self.usable[self.side] > 0
    }

    /// Two sets that never were good, and traffic on the wrong one: what serves is not cleared away, it is the good one.
    fn take_what_serves(&self) -> Decision {
        let status = crate::Status { good: self.side, ..*self.status };
        self.save(status, vec![Event::Adopted(self.side)])
    }

    /// Makes the other slot free, while nothing serves anyway.
    fn clear(&self) -> Decision {
        let mut target = Target::rest(self.good, self.plan.limits.replicas);
        target.route = if self.seen.route.reaches(self.side) { Route::NOWHERE } else { self.seen.route.accepted };
        match self.toward(&target, Mode::Home) {
            Move::Ask(write) => Decision::Ask(write),
            Move::Wait(on) => self.rescue(true).map_or(Decision::Wait(on), |route| Decision::Ask(Write::Route(route))),
            Move::There => Decision::Wait(WaitingOn::Drained(self.side)),
        }
    }

    fn first_serves(&self) -> Decision {
        let mut status = *self.status;
        status.proven[self.good] = true;
        let events = status.rev[self.good].map(Event::Serving);
        self.save(status, events.into_iter().collect())
    }

    /// Everything is where the target says, and the revision is a good one.
    fn rests(&self, rest: &Target) -> bool {
        self.seen.route.accepted == rest.route
            && self.acked()
            && self.seen.set[self.side].is_empty()
            && self.seen.set[self.good].desired == self.plan.limits.replicas
            && self.status.proven[self.good]
    }

    /// A service that rests in the other slot than the one that is its home is brought there.
    fn set_off_home(&self, rest: &Target) -> Option<Decision> {
        let away = self.last_leg(self.good) == Leg::Home;
        if !away || !self.rests(rest) || !self.whole(self.good) {
            return None;
        }
        let phase = Phase::Settling { leg: Leg::Home, step: StepKey::AT_REST, attempt: 0 };
        Some(self.save(self.to_phase(phase, settling::armed(Leg::Home)), vec![]))
    }

    /// Once everything rests, others may scale the set again.
    fn hand_back(&self, rest: &Target) -> Option<Decision> {
        if !self.rests(rest) {
            return None;
        }
        let set = &self.seen.set[self.good];
        match (set.pinned, set.rev) {
            (true, Some(rev)) => {
                Some(Decision::Ask(Write::Resize { slot: self.good, to: set.desired, rev, pin: false }))
            }
            (true, None) | (false, _) => Some(Decision::Wait(self.rest_wait())),
        }
    }

    fn rest_wait(&self) -> WaitingOn {
        let set = &self.seen.set[self.good];
        if set.rev != self.status.rev[self.good] {
            return WaitingOn::Drift(self.good);
        }
        if self.usable[self.good] < self.plan.limits.replicas {
            WaitingOn::Ready(self.good)
        } else {
            WaitingOn::Nothing
        }
    }
}
