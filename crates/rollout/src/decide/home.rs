//! The way home: the promoted revision is copied to the set where the service rests, and the traffic follows. What
//! serves is not touched: the set that is rewritten carries nothing, and the one that carries everything stays whole until
//! the copy has taken all of it over.
use super::mover::{Mode, Move};
use super::{Decision, View, settling};
use crate::event::Event;
use crate::guards::Guards;
use crate::observation::Write;
use crate::plan::{Kind, Target};
use crate::split::{Bp, FULL, Route, Split};
use crate::status::{Armed, Interrupted, Leg, Outcome, Phase, Rev, Status, StepKey, Why};
use crate::waiting::WaitingOn;
use alloc::vec;

impl<G: Guards> View<'_, G> {
    /// The other slot is home. First it holds the old set, then a copy that has to become healthy, then one that has
    /// been whole and takes the traffic.
    pub(super) fn home(&self, step: u16, attempt: u16) -> Decision {
        if self.last_leg(self.good) != Leg::Home {
            return self.save(self.to_phase(Phase::Settling { leg: Leg::Retire, step, attempt }, Armed::NONE), vec![]);
        }
        let runs = self.seen.set[self.side].rev == self.status.rev[self.side];
        let copied = self.is_copy() && self.status.proven[self.side] && runs;
        if let Some(decision) = self.leave_home(step, attempt, copied) {
            return decision;
        }
        let Some(rev) = self.status.rev[self.good] else {
            return Decision::Wait(WaitingOn::Ready(self.good));
        };
        if copied { self.follow(rev, step, attempt) } else { self.copy(rev, step, attempt) }
    }

    /// Until the old set is rewritten it is the way back. Another revision ends the way home as long as no traffic is on
    /// it. Whatever else goes on, traffic goes where most of it is served.
    fn leave_home(&self, step: u16, attempt: u16, copied: bool) -> Option<Decision> {
        if !self.is_copy()
            && self.is_warm()
            && let Some(why) = self.flips()
        {
            return Some(self.flip(why));
        }
        if !copied && self.is_corrected() && self.fresh(self.side) {
            return Some(self.give_up_copy(step, attempt));
        }
        self.relieve()
    }

    /// Both slots are meant to run the same revision.
    pub(super) fn is_copy(&self) -> bool {
        self.status.rev[0] == self.status.rev[1]
    }

    /// People want something else than what serves.
    fn is_corrected(&self) -> bool {
        let wanted = self.seen.intent.wanted;
        self.status.rev[self.good] != Some(wanted) && !self.has_failed(wanted)
    }

    /// Everything to the good slot and nothing else in force: the state in which the other set may be rewritten.
    fn alone(&self) -> bool {
        self.seen.route.accepted == Route::plain(self.all(self.good)) && self.acked()
    }

    /// The set that is rewritten serves nobody, and the other one is whole.
    fn copy_must_wait(&self) -> Option<WaitingOn> {
        if !self.fresh(self.side) {
            Some(WaitingOn::Ready(self.side))
        } else if G::DRAIN && self.seen.set[self.side].busy > 0 && !self.seen.due.drain {
            Some(WaitingOn::Drained(self.side))
        } else if G::SURVIVOR && self.usable[self.good] < self.plan.limits.replicas {
            Some(WaitingOn::Ready(self.good))
        } else {
            None
        }
    }

    /// The copy gets as long as a step's instances get. It is written down that there is one when it is seen: before that the
    /// old set may still be there, and the way back.
    fn copy(&self, rev: Rev, step: u16, attempt: u16) -> Decision {
        let set = &self.seen.set[self.side];
        let mut status = *self.status;
        if !self.is_copy() && self.fresh(self.side) && (set.rev == Some(rev) || set.is_empty()) {
            (status.rev[self.side], status.proven[self.side]) = (Some(rev), false);
            status.armed = settling::armed(Leg::Home);
            return self.save(status, vec![Event::Copying(rev)]);
        }
        let due = self.seen.due.healthy || self.seen.due.progress;
        if due && self.fresh(self.side) && !self.is_whole_copy(rev) {
            return self.halt_home(rev, step, attempt);
        }
        match self.make_copy(rev) {
            Move::Ask(write) => Decision::Ask(write),
            Move::There => {
                (status.proven[self.side], status.armed) = (true, Armed::NONE);
                self.save(status, vec![Event::Copied(rev)])
            }
            Move::Wait(on) => self.note_progress().unwrap_or(Decision::Wait(on)),
        }
    }

    fn is_whole_copy(&self, rev: Rev) -> bool {
        self.seen.set[self.side].rev == Some(rev) && self.is_healthy(self.side, self.plan.limits.replicas)
    }

    /// Rewrites what is there, or starts what is not, until it is healthy at full size. First the good slot carries
    /// everything alone: whoever else wrote the route, a copy that starts gets nothing by it.
    fn make_copy(&self, rev: Rev) -> Move {
        let set = &self.seen.set[self.side];
        let replaced = set.rev != Some(rev) && !set.is_empty();
        let alone = self.alone();
        if replaced && alone {
            return self.copy_must_wait().map_or(Move::Ask(Write::Rewrite { slot: self.side, rev }), Move::Wait);
        }
        let mut size = [self.plan.limits.replicas; 2];
        if replaced || !alone {
            size[self.side] = set.desired; // what is going to be replaced, or others gave traffic, is not grown
        }
        self.toward(&Target { size, route: Route::plain(self.all(self.good)) }, Mode::Forward)
    }

    /// The copy is whole: it gets the traffic share by share, and then it is the good one.
    fn follow(&self, rev: Rev, step: u16, attempt: u16) -> Decision {
        let share = self.next_share();
        let size = [self.plan.limits.replicas; 2];
        let home = self.all(self.good);
        let route = match share {
            0 => Route::plain(home),
            FULL => Route { split: self.all(self.side), fallback: Some(home), lease: false },
            share => Route { split: Split::share_to(self.side, share), fallback: Some(home), lease: false },
        };
        match self.toward(&Target { size, route }, Mode::Forward) {
            Move::Ask(write) => Decision::Ask(write),
            Move::There if share == FULL => {
                let phase = Phase::Settling { leg: Leg::Retire, step, attempt };
                self.save(Status { good: self.side, ..self.to_phase(phase, Armed::NONE) }, vec![])
            }
            Move::There | Move::Wait(_) if self.seen.due.healthy && !self.whole(self.side) => {
                self.halt_home(rev, step, attempt)
            }
            Move::There => self.watch(true).unwrap_or(Decision::Wait(WaitingOn::Ready(self.side))),
            Move::Wait(on) => self.watch(!self.whole(self.side)).unwrap_or(Decision::Wait(on)),
        }
    }

    /// The share on the way to home: the present one while it is being confirmed or the copy is not whole, else the next.
    fn next_share(&self) -> Bp {
        let now = self.seen.route.accepted.split.share(self.side);
        let shares = match (&self.plan.home, self.plan.kind) {
            (Some(home), Kind::Weighted) => home.shares.as_slice(),
            (Some(_), Kind::Members) | (None, _) => &[],
        };
        let on_its_way = !self.acked() && shares.contains(&now);
        if on_its_way || !self.whole(self.side) {
            now
        } else {
            shares.iter().copied().find(|share| *share > now).unwrap_or(FULL)
        }
    }

    /// The good slot goes on carrying everything.
    fn halt_home(&self, rev: Rev, step: u16, attempt: u16) -> Decision {
        let phase = Phase::Halted { from: Interrupted::Home { step, attempt } };
        self.save(self.to_phase(phase, Armed::NONE), vec![Event::CopyFailed(rev)])
    }

    /// The copy is tried on until it is healthy, or until another revision is wanted.
    pub(super) fn halted_home(&self, step: u16, attempt: u16) -> Decision {
        if let Some(decision) = self.leave_home(step, attempt, false) {
            return decision;
        }
        let Some(rev) = self.status.rev[self.good] else {
            return Decision::Wait(WaitingOn::Ready(self.good));
        };
        match self.make_copy(rev) {
            Move::Ask(write) => Decision::Ask(write),
            Move::There if self.is_whole_copy(rev) => self.recover_home(step, attempt),
            Move::Wait(on @ WaitingOn::Drained(_)) => Decision::Wait(on),
            Move::Wait(_) | Move::There => Decision::Wait(WaitingOn::Copy(self.side)),
        }
    }

    pub(super) fn recover_home(&self, step: u16, attempt: u16) -> Decision {
        let phase = Phase::Settling { leg: Leg::Home, step, attempt };
        self.save(self.to_phase(phase, settling::armed(Leg::Home)), vec![Event::Recovered(self.side)])
    }

    /// The copy that took everything over cannot serve, and what it was copied from still can.
    pub(super) fn return_to_copied(&self) -> Decision {
        let (step, attempt) = self.status.key().map_or((StepKey::AT_REST, 0), |key| (key.step, key.attempt));
        let leg = self.last_leg(self.side);
        let phase = Phase::Settling { leg, step, attempt };
        self.save(Status { good: self.side, ..self.to_phase(phase, settling::armed(leg)) }, vec![])
    }

    /// The service stays where it serves, so that a corrected revision can be tried in the copy's place. An old set that
    /// was not rewritten is the way back until it is gone.
    fn give_up_copy(&self, step: u16, attempt: u16) -> Decision {
        let old = &self.seen.set[self.side];
        if !self.is_copy() && !old.is_empty() && old.rev == self.status.rev[self.side] {
            let leg = Leg::Retire;
            return self.save(self.to_phase(Phase::Settling { leg, step, attempt }, settling::armed(leg)), vec![]);
        }
        if step == StepKey::AT_REST {
            return self.save(self.at_rest(), vec![]);
        }
        self.end(self.status.rev[self.good], Outcome::Succeeded, Some(Why::Superseded))
    }
}
