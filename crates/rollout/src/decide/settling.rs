//! After the commit: the rollback window, then the old set goes.
use super::mover::{Mode, Move};
use super::{Decision, View};
use crate::event::Event;
use crate::guards::Guards;
use crate::observation::Verdict;
use crate::plan::Target;
use crate::split::{Route, Slot};
use crate::status::{Armed, Leg, Outcome, Phase, StepKey, Why};
use crate::waiting::WaitingOn;
use alloc::vec;

/// The timers that run while the clean-up is in this part.
pub(super) fn armed(leg: Leg) -> Armed {
    match leg {
        Leg::Window => Armed { window: true, ..Armed::NONE },
        Leg::Home => Armed { healthy: true, progress: Some(0), ..Armed::NONE },
        Leg::Retire => Armed::NONE,
    }
}

impl<G: Guards> View<'_, G> {
    /// The new set carries everything, and the old one is warm: the data plane and this phase both return to it when
    /// the new one fails. No lease: the commit outlives the controller.
    pub(super) fn window(&self, step: u16, attempt: u16) -> Decision {
        if !self.fresh(self.side) {
            return Decision::Wait(WaitingOn::Ready(self.side)); // whether there is a way back is not known
        }
        if let Some(why) = self.flips() {
            return self.flip(why);
        }
        let wanted = Some(self.seen.intent.wanted);
        if self.seen.due.window || wanted != self.status.rev[self.good] {
            let leg = self.last_leg(self.good);
            let phase = Phase::Settling { leg, step, attempt };
            return self.save(self.to_phase(phase, armed(leg)), vec![Event::WindowClosed]);
        }
        if let Some(decision) = self.relieve() {
            return decision;
        }
        let n = self.plan.limits.replicas;
        let mut size = [n, n];
        size[self.side] = self.seen.set[self.side].desired;
        let route = Route { split: self.all(self.good), fallback: Some(self.all(self.side)), lease: false };
        match self.toward(&Target { size, route }, Mode::Forward) {
            Move::Ask(write) => Decision::Ask(write),
            Move::Wait(on) => Decision::Wait(on),
            Move::There => Decision::Wait(WaitingOn::Window),
        }
    }

    /// What is left to do for a good set in this slot, once nobody wants to go back any more.
    pub(super) fn last_leg(&self, good: Slot) -> Leg {
        match &self.plan.home {
            Some(home) if home.slot != good => Leg::Home,
            Some(_) | None => Leg::Retire,
        }
    }

    /// Why the release returns to the old set, while that is warm. A set that somebody gave another revision is no way
    /// back.
    pub(super) fn flips(&self) -> Option<Why> {
        if self.seen.set[self.side].rev != self.status.rev[self.side] {
            return None;
        }
        let intent = &self.seen.intent;
        // who promoted it out of a halt knew what had been asked for and found before
        let accepted = self.status.key().is_some_and(|key| key.step == StepKey::NONE);
        let back = Some(intent.wanted) == self.status.rev[self.side];
        if !accepted && (back || self.is_named(intent.rollback) || self.is_named(intent.abort)) {
            Some(Why::RolledBack)
        } else if !accepted && self.verdict() == Some(Verdict::Fail) && G::FAIL_ANYWHERE {
            Some(Why::Verdict)
        } else if self.new_is_down() {
            Some(Why::Unready)
        } else {
            None
        }
    }

    /// The new set cannot carry what it must, and the old one can.
    pub(super) fn new_is_down(&self) -> bool {
        self.fresh(self.good) && !self.whole(self.good) && self.whole(self.side) && G::FLIP_BACK
    }

    /// Returns to the old set, which becomes the good one again.
    pub(super) fn flip(&self, why: Why) -> Decision {
        let mut status = *self.status;
        status.good = self.side;
        status.proven[self.good] = why == Why::Unready;
        status.phase = Phase::Back { why, keep: false };
        status.armed = Armed { healthy: true, ..Armed::NONE };
        self.save(status, vec![Event::GoingBack(why)])
    }

    /// The route is written without the old set, confirmed, and the old set drained and stopped. As long as the old
    /// set is whole, it is still the way back.
    pub(super) fn retire(&self, step: u16) -> Decision {
        let mut rest = Target::rest(self.good, self.plan.limits.replicas);
        if !G::CLEAN_ROUTE {
            rest.route = self.seen.route.accepted;
        }
        if self.is_warm() && self.new_is_down() {
            return if self.is_copy() { self.return_to_copied() } else { self.flip(Why::Unready) };
        }
        if let Some(decision) = self.relieve() {
            return decision;
        }
        match self.toward(&rest, Mode::Forward) {
            Move::Ask(write) => Decision::Ask(write),
            Move::Wait(on) => Decision::Wait(on),
            Move::There if step == StepKey::AT_REST => self.save(self.at_rest(), vec![]), // no rollout brought it here
            Move::There => self.end(self.status.rev[self.good], Outcome::Succeeded, None),
        }
    }

    /// The other set was not told to shrink, and runs what it is meant to run.
    pub(super) fn is_warm(&self) -> bool {
        let old = &self.seen.set[self.side];
        self.fresh(self.side) && old.desired >= self.plan.limits.replicas && old.rev == self.status.rev[self.side]
    }
}
