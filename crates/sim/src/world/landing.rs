//! Sending a write, and its landing.
use super::{World, object_of};
use crate::choice::Choice;
use crate::invariants::{self, Rule};
use crate::state::{Flight, Set, State};
use serin_rollout::{FULL, Kind, Plan, Route, Slot, Split, Write};

impl World {
    /// Reads again, asks the second key, sends. `None` if the second key refuses.
    pub(super) fn send(&self, s: &mut State, id: u16, choice: &Choice, blind: u8) -> Option<()> {
        let write = self.write(id);
        let answer = match self.subject.permit {
            Some(permit) => permit(self.limits(s), &self.read(s, choice.due, blind), &write),
            None => Ok(()),
        };
        self.reached.borrow_mut().asked(&self.status(s.status), &write, answer);
        answer.ok()?;
        let seen = if self.env.lenient {
            s.view.map(|view| if view.fresh { view.set.usable() } else { 0 })
        } else {
            [0, 1].map(|k: usize| if blind & (1 << k) == 0 { s.set[k].usable() } else { 0 })
        };
        let no_worse = match write {
            Write::Route(_) if self.excuses.no_worse => true,
            Write::Route(_) if blind != 0 => false, // of what is not known nobody can say that it serves less
            Write::Route(route) => invariants::no_worse(&route, &self.in_force(s), seen, self.limits(s).floor),
            Write::Claim | Write::Resize { .. } | Write::Rewrite { .. } => false,
        };
        s.flight = Flight {
            write: id,
            seen,
            blind,
            no_worse,
            edited: 0,
            plan: self.counts(s),
            due: choice.due.drain,
            moved: false,
        };
        self.judge_drain(s, &write, choice);
        Some(())
    }

    fn judge_drain(&self, s: &mut State, write: &Write, choice: &Choice) {
        let (slot, to) = match *write {
            Write::Resize { slot, to, .. } => (slot, to),
            Write::Rewrite { slot, .. } => (slot, 0),
            Write::Claim | Write::Route(_) => return,
        };
        if self.excuses.drained {
            return;
        }
        let set = if self.env.lenient { s.view[slot].set } else { s.set[slot].seen() };
        let stops_busy = set.busy > 0 && to < u16::from(s.set[slot].sent() + set.busy);
        if to < u16::from(set.desired) && stops_busy && !choice.due.drain && s.broken == 0 {
            s.broken = Rule::Drain as u8;
        }
    }

    /// Whether the write that is under way can land now: a router that has not heard of so many generations takes no
    /// further one.
    pub(super) fn can_land(&self, s: &State, flight: &Flight) -> bool {
        let route = matches!(self.write(flight.write), Write::Route(_));
        flight.write != 0 && (!route || self.takes_route(s))
    }

    /// Whether the router takes another generation now.
    pub(super) fn takes_route(&self, s: &State) -> bool {
        let older = s.older.iter().filter(|id| **id != 0).count();
        older < usize::from(self.env.generations) || !s.late
    }

    /// Whether the controller's own write can land now.
    pub fn can_land_now(&self, s: &State) -> bool {
        self.can_land(s, &s.flight)
    }

    /// The write takes effect: the controller's own, or that of a dead incarnation.
    pub(super) fn land(&self, s: &mut State, own: bool) {
        let flight = if own { std::mem::take(&mut s.flight) } else { std::mem::take(&mut s.zombie) };
        let write = self.write(flight.write);
        let rule = self.apply(s, &write, &flight);
        let mut again = *s;
        self.apply(&mut again, &write, &flight);
        if s.broken == 0 {
            let replayed = (again.set, again.accepted) != (s.set, s.accepted);
            let rule = rule.or(replayed.then_some(Rule::Replay));
            s.broken = rule.map_or(0, |rule| rule as u8);
        }
        if own {
            self.overtakes(s, object_of(&write)); // only a zombie can be left
            match write {
                Write::Claim => {
                    (s.zombie, s.claimed) = (Flight::default(), true);
                    s.zombie_save = 0;
                    s.view.iter_mut().for_each(|view| view.fresh = false);
                }
                Write::Resize { slot, .. } | Write::Rewrite { slot, .. } => s.view[slot].fresh = false,
                Write::Route(_) => {}
            }
        }
    }

    fn apply(&self, s: &mut State, write: &Write, flight: &Flight) -> Option<Rule> {
        match *write {
            Write::Claim => None,
            Write::Route(route) => self.apply_route(s, &route, flight),
            Write::Resize { slot, to, rev, pin } => {
                let (to, rev) = (to as u8, rev.0 as u8);
                let other = s.set[slot].total() > 0 && s.set[slot].rev != rev;
                let in_force = self.could_be_known(s, flight);
                let then = &self.sizes[usize::from(flight.plan)];
                let floor = then.limits.floor;
                let lowers = to < s.set[slot].desired;
                let sound = !lowers
                    || invariants::destruction(&s.set, &self.as_known(flight, slot), slot, to, &in_force, floor);
                let room = invariants::room(&s.set, slot, to, then.ceiling);
                let set = &mut s.set[slot];
                (set.rev, set.desired, set.pinned) = (rev, to, pin);
                if other {
                    set.change(|instance| instance.with_ready(false));
                }
                set.drained |= lowers
                    && (flight.due || flight.moved || flight.edited != 0 || self.excuses.drained || self.env.lenient);
                if lowers && sound {
                    self.owe(s); // what was lost since the read is the world's
                }
                let broken = [(other, Rule::Identity), (!sound, Rule::Destruction), (!room, Rule::Room)];
                broken.into_iter().find(|(broken, _)| *broken).map(|(_, rule)| rule)
            }
            Write::Rewrite { slot, rev } => {
                let in_force = self.could_be_known(s, flight);
                let routed = in_force.iter().any(|split| split.reaches(slot));
                let changes = s.set[slot].rev != rev.0 as u8;
                let floor = self.sizes[usize::from(flight.plan)].limits.floor;
                let sound = !changes
                    || invariants::destruction(&s.set, &self.as_known(flight, slot), slot, 0, &in_force, floor);
                let set: &mut Set = &mut s.set[slot];
                if changes {
                    set.rev = rev.0 as u8;
                    set.change(|instance| instance.with_ready(false));
                }
                if changes && sound && !routed {
                    self.owe(s); // somebody may have sent traffic there since the read
                }
                if routed { Some(Rule::Identity) } else { (!sound).then_some(Rule::Destruction) }
            }
        }
    }

    fn apply_route(&self, s: &mut State, route: &Route, flight: &Flight) -> Option<Rule> {
        let floor = self.sizes[usize::from(flight.plan)].limits.floor;
        let have = if self.excuses.known { [u16::MAX; 2] } else { invariants::known(&s.set, flight.seen) };
        let sound = invariants::route_write(route, have, flight.no_worse, floor);
        let pinned = !self.subject.ours || invariants::pinned(&s.set, route);
        self.accept(s, self.route_id(*route));
        if sound || self.excuses.owes_anything {
            self.owe(s);
        }
        if !sound { Some(Rule::RouteWrite) } else { (!pinned).then_some(Rule::Pinned) }
    }

    /// Somebody writes the route from outside. A write of the route that is under way fails, because it names the
    /// version that it read; one of a set does not, and what the edit makes of it is the edit's.
    pub(super) fn edit(&self, s: &mut State, id: u16) {
        let new = id != s.accepted && !s.older.contains(&id);
        let bit = self.edits.iter().position(|edit| *edit == id).map_or(0, |at| 1 << at);
        self.overtakes(s, 2);
        for flight in [&mut s.flight, &mut s.zombie] {
            if flight.write != 0 && new {
                flight.edited |= bit;
            }
        }
        s.set.iter_mut().for_each(|set| set.drained |= set.surplus() > 0);
        self.accept(s, id);
        s.edits -= 1;
        self.owe(s);
    }

    /// The flight as the excuses have it: what was not ready at the read could not be missed.
    fn as_known(&self, flight: &Flight, slot: Slot) -> Flight {
        let mut known = *flight;
        if self.excuses.unknown {
            (known.seen[slot], known.blind) = (0, 0);
        }
        known
    }

    /// The splits in force, without those of edits since the read that allowed this write.
    fn could_be_known(&self, s: &State, flight: &Flight) -> Vec<Split> {
        if self.excuses.edited && s.edits < self.env.edits {
            return vec![];
        }
        let edited =
            |id: &u16| self.edits.iter().enumerate().any(|(at, edit)| edit == id && flight.edited & (1 << at) != 0);
        let older = s.older.iter().copied().filter(|id| *id != 0);
        let known = std::iter::once(s.accepted).chain(older).filter(|id| !edited(id));
        known.flat_map(|id| self.route(id).splits()).collect()
    }

    /// After a sound write: what its splits miss now was lost after it was allowed, or was missing everywhere.
    pub(super) fn owe(&self, s: &mut State) {
        let floor = self.limits(s).floor;
        for (bit, split) in self.in_force(s).generations() {
            if invariants::capacity(s, [(bit, split)], floor) {
                continue;
            }
            for k in 0..2 {
                let wanted = invariants::counts_on(split, k, floor) as u8;
                s.debt[k] = s.debt[k].max(wanted.saturating_sub(s.set[k].serving(bit)));
            }
        }
    }
}

/// What somebody may write as a route from outside: everything to either slot, and half to each.
pub(super) fn edits(plan: &Plan) -> [Route; 3] {
    let n = plan.limits.replicas;
    let half = match plan.kind {
        Kind::Weighted => Split::share_to(1, FULL / 2),
        Kind::Members => Split::Members([n, n]),
    };
    [Split::all(0, n), Split::all(1, n), half].map(Route::plain)
}
