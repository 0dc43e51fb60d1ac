//! Which instances the generations of the route send to, and which of them a platform stops.
//!
//! What a platform promises, and is modelled:
//! * A share of a `Weighted` split goes to every instance of the set that is kept.
//! * `Members([a, b])` goes to `a` of slot 0's instances and `b` of slot 1's. The router picks ready ones first when the
//!   route lands; a split and its fallback pick from the same order. It may pick anew at any later time when one that
//!   it picked is not ready, or is one too many: that is a new version of the same generation, and what the old version
//!   picked is in force until every data plane has confirmed the new one.
//! * An instance that comes into being joins every split that reaches its set and has not as many as it names. It counts
//!   as ready only when all that may be in force know it.
//! * Of what is too many only instances are stopped that nothing in force sends to. One that is not ready may be stopped at
//!   any time, when its own time to end its requests is over; of the ready ones those with open requests go last. Where
//!   everything is sent to, none is stopped until the router picked anew. (An autoscaler that lowers a set knows no
//!   routes: where everything is sent to, it stops any.)
use super::{Happening, World};
use crate::invariants::Rule;
use crate::state::{Instance, OLDER, Set, State};
use serin_rollout::{Route, Slot, Split};

/// The accepted generation.
const ACCEPTED: u8 = 1;

impl World {
    /// The router takes a route as a new generation, or picks anew for the one that it has.
    pub(super) fn accept(&self, s: &mut State, id: u16) {
        let picks = self.picks(s, id);
        if id != s.accepted || picks != sent(s, ACCEPTED) {
            let mut older = older(s);
            if s.accepted != 0 {
                match older.iter_mut().find(|(old, _)| *old == s.accepted) {
                    Some((_, bits)) => *bits |= ACCEPTED,
                    None => older.push((s.accepted, ACCEPTED)),
                }
            }
            older.retain(|(old, bits)| *old != id || sent(s, *bits) != picks); // the same version twice
            self.regroup(s, &older, Some(picks));
        }
        (s.accepted, s.late) = (id, true);
        if !self.env.late {
            self.confirm(s);
        }
    }

    /// The accepted generation and every older one pick from what is there, as if they had just landed. Those that have
    /// open requests although nothing sends to them are not among the picked.
    pub(crate) fn place(&self, s: &mut State) {
        let generations: Vec<u16> = std::iter::once(s.accepted).chain(s.older).collect();
        let one = |id: u16, slot: Slot| {
            picks(&s.set[slot], &self.route(id), slot, |instance| (instance.is_open(), !instance.is_ready()))
        };
        let of = |id: &u16| if *id == 0 { [0; 2] } else { [one(*id, 0), one(*id, 1)] };
        let all: Vec<[u16; 2]> = generations.iter().map(of).collect();
        for (slot, set) in s.set.iter_mut().enumerate() {
            for (i, instance) in set.list_mut().iter_mut().enumerate() {
                let bit = |(at, picks): (usize, &[u16; 2])| ((picks[slot] >> i & 1) as u8) << at;
                let sent = all.iter().enumerate().map(bit).fold(0, |all, bit| all | bit);
                if sent != 0 || !instance.is_open() {
                    *instance = instance.with_sent(sent, false);
                }
            }
            set.sort();
        }
    }

    /// Every data plane has confirmed what was accepted last.
    pub(super) fn confirm(&self, s: &mut State) {
        self.regroup(s, &[], None);
        s.late = false;
    }

    /// No data plane applies this older route any more.
    pub(super) fn forget(&self, s: &mut State, id: u16) {
        let mut older = older(s);
        older.retain(|(old, _)| *old != id);
        self.regroup(s, &older, None);
    }

    /// Whether the router would pick others now, and takes another version: one of the same route at a time.
    pub(crate) fn can_pick(&self, s: &State) -> bool {
        !s.older.contains(&s.accepted) && self.takes_route(s) && self.picks(s, s.accepted) != sent(s, ACCEPTED)
    }

    /// The router picks anew. That those from whom it takes the traffic have open requests, the read before a write that
    /// is under way could not know.
    pub(super) fn pick(&self, s: &mut State) {
        let (old, new) = (sent(s, ACCEPTED), self.picks(s, s.accepted));
        for slot in (0..2).filter(|slot| self.env.busy && old[*slot] & !new[*slot] != 0) {
            for flight in [&mut s.flight, &mut s.zombie] {
                flight.moved |= flight.write != 0 && super::object_of(&self.write(flight.write)) == slot;
            }
            s.set[slot].drained |= s.set[slot].surplus() > 0;
        }
        self.accept(s, s.accepted);
        if s.set.iter().any(|set| set.surplus() > 0) {
            self.owe(s); // a write that did not know of an edit took what this sent to
        }
    }

    /// Which instances of each slot the router would pick for a route, one bit for each: ready ones first, of them those
    /// that it has picked before.
    fn picks(&self, s: &State, id: u16) -> [u16; 2] {
        let route = self.route(id);
        let rank = |one: Instance| (!one.is_ready(), one.sent() & ACCEPTED == 0, std::cmp::Reverse(one));
        [0, 1].map(|slot| picks(&s.set[slot], &route, slot, rank))
    }

    /// The older generations become these, each of which is made of the ones with these bits; the accepted one picks
    /// anew, if `picks` says so. Who loses the last generation goes on with its open requests.
    fn regroup(&self, s: &mut State, older: &[(u16, u8)], picks: Option<[u16; 2]>) {
        let mut older = older.to_vec();
        older.sort_unstable();
        for (slot, set) in s.set.iter_mut().enumerate() {
            for (i, instance) in set.list_mut().iter_mut().enumerate() {
                let before = instance.sent();
                let accepted = picks.map_or(before & ACCEPTED, |picks| (picks[slot] >> i & 1) as u8);
                let is_in = |(at, (_, bits)): (usize, &(u16, u8))| if before & bits != 0 { 2 << at } else { 0 };
                let bits = older.iter().enumerate().map(is_in).fold(accepted, |all, bit| all | bit);
                *instance = instance.with_sent(bits, self.env.busy);
            }
            set.sort();
        }
        s.older = [0; OLDER];
        s.older.iter_mut().zip(&older).for_each(|(place, (id, _))| *place = *id);
    }

    /// The generations that send to an instance that comes into being in this slot.
    fn joins(&self, s: &State, slot: Slot) -> u8 {
        let joins = |(bit, split): (u8, Split)| match split {
            Split::Weighted(shares) => shares[slot] > 0,
            Split::Members(members) => {
                let has = s.set[slot].list().iter().filter(|instance| instance.sent() & bit != 0).count();
                has < usize::from(members[slot])
            }
        };
        self.in_force(s).generations().filter(|of| joins(*of)).fold(0, |all, (bit, _)| all | bit)
    }

    /// An instance comes into being.
    pub(super) fn create(&self, s: &mut State, slot: Slot) {
        let instance = Instance::default().with_sent(self.joins(s, slot), false);
        s.set[slot].add(instance);
    }

    /// The platform stops the instance with this index.
    pub(super) fn delete(&self, s: &mut State, slot: Slot, at: usize) {
        let set = &mut s.set[slot];
        let gone = set.remove(at);
        let excused = set.scaled;
        if excused && gone.is_ready() {
            s.debt[slot] += 1; // the autoscaler took it
        }
        if gone.sent() != 0 && !excused {
            s.broken = Rule::Destruction as u8;
        } else if gone.is_open() && gone.is_ready() && !excused && !set.drained {
            s.broken = Rule::Drain as u8;
        }
    }

    /// Which instances the platform may stop now, of those that are too many.
    pub(crate) fn offer_deletes(&self, set: &Set, k: u8, out: &mut Vec<Happening>) {
        if set.surplus() == 0 {
            return;
        }
        let unsent = set.sent() < set.total();
        let stops = |at: &usize| set.list()[*at].sent() == 0 || (set.scaled && !unsent);
        let serves = |at: &usize| set.list()[*at].is_ready() && set.list()[*at].is_open();
        let idle = (0..set.list().len()).any(|at| stops(&at) && !serves(&at));
        let choice = |at: &usize| stops(at) && (set.scaled || !idle || !serves(at));
        out.extend(distinct(set).filter(choice).map(|at| Happening::Delete(k, at as u8)));
    }
}

/// The first index of every kind of instance.
pub(super) fn distinct(set: &Set) -> impl Iterator<Item = usize> + '_ {
    (0..set.list().len()).filter(|at| *at == 0 || set.list()[at - 1] != set.list()[*at])
}

/// The instances that any generation of these bits sends to.
fn sent(s: &State, bits: u8) -> [u16; 2] {
    s.set.map(|set| {
        let list = set.list().iter().enumerate();
        list.fold(0, |all, (i, instance)| all | u16::from(instance.sent() & bits != 0) << i)
    })
}

fn older(s: &State) -> Vec<(u16, u8)> {
    let all = s.older.iter().enumerate().filter(|(_, id)| **id != 0);
    all.map(|(at, id)| (*id, 2 << at)).collect()
}

/// Of the instances that are kept so many as the route's splits name at most; those that rank lowest.
fn picks<K: Ord>(set: &Set, route: &Route, slot: Slot, rank: impl Fn(Instance) -> K) -> u16 {
    let kept = u16::from(set.desired.min(set.total()));
    let count = route.splits().map(|split| split.routed(slot, kept)).max().unwrap_or(0);
    let mut order: Vec<usize> = (0..set.list().len()).collect();
    order.sort_by_key(|at| rank(set.list()[*at]));
    order.iter().take(usize::from(count)).fold(0, |all, at| all | 1 << at)
}
