//! What always holds, as named functions with one English sentence each. The arithmetic is written anew here, so that
//! a mistake in the core's does not excuse itself. I6, that everything comes to its right end, is asked of whole runs:
//! [`crate::quiet::Mode::promise`] has its sentences, and [`World::kept`](crate::world::World::kept) is the function.
use crate::state::{Flight, Set, State};
use serin_rollout::{Phase, Plan, Route, Slot, Split, Status, other};

/// A rule of `DESIGN` §5.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Rule {
    /// I1.
    Capacity = 1,
    /// I2.
    RouteWrite,
    /// I3.
    Destruction,
    /// I3.
    Drain,
    /// I3.
    Identity,
    /// I4.
    Acceptance,
    /// I4.
    Share,
    /// I5.
    Pinned,
    /// I5.
    WayBack,
    /// I8.
    Replay,
    /// Both keys agree.
    Agreement,
    /// There is room.
    Room,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Rule; 12] = [
        Rule::Capacity,
        Rule::RouteWrite,
        Rule::Destruction,
        Rule::Drain,
        Rule::Identity,
        Rule::Acceptance,
        Rule::Share,
        Rule::Pinned,
        Rule::WayBack,
        Rule::Replay,
        Rule::Agreement,
        Rule::Room,
    ];

    /// The rule with this number.
    pub fn of(number: u8) -> Option<Rule> {
        Rule::ALL.into_iter().find(|rule| *rule as u8 == number)
    }

    /// The rule as a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Rule::Capacity => {
                "I1: under every split that may be in force, ready instances carry the traffic, but for what the world took"
            }
            Rule::RouteWrite => {
                "I2: a route that takes effect is carried, or serves no less than every split in force, as far as could be known"
            }
            Rule::Destruction => {
                "I3: no instance that may get requests is stopped, and what stays carries every split and keeps the floor"
            }
            Rule::Drain => "I3: no instance with open requests is stopped before its drain deadline",
            Rule::Identity => "I3: a set that exists keeps its revision",
            Rule::Acceptance => {
                "I4: a step is left forwards only when its own target is in force and its own acceptance is given"
            }
            Rule::Share => {
                "I4: a revision that is not proven gets no more than its step allows while anything else serves"
            }
            Rule::Pinned => "I5: traffic goes only to sets that nobody else may shrink",
            Rule::WayBack => "I5: only a proven revision becomes the one to go back to",
            Rule::Replay => "I8: a write that lands twice does what it does once",
            Rule::Agreement => "I9: the first key never asks for what the second key refuses on the same view",
            Rule::Room => "no set grows beyond the room that there is for both",
        }
    }
}

/// Instances needed for `share` when `floor` carry everything.
pub fn need(share: u16, floor: u16) -> u16 {
    if share == 0 { 0 } else { (u32::from(share) * u32::from(floor)).div_ceil(10_000).max(1) as u16 }
}

/// Whether `have` carries all of `split`. A split that reaches nothing asks for nothing: requests are held.
pub fn carried(split: Split, have: [u16; 2], floor: u16) -> bool {
    match split {
        Split::Weighted(shares) => (0..2).all(|k| have[k] >= need(shares[k], floor)),
        Split::Members([0, 0]) => true,
        Split::Members(members) => have[0].min(members[0]) + have[1].min(members[1]) >= floor.max(1),
    }
}

/// How much of the traffic `have` serves under `split`, in parts of 10 000 × 2520.
pub fn serves(split: Split, have: [u16; 2], floor: u16) -> u64 {
    const EXACT: u64 = 2520;
    let part = |share: u16, have: u16, need: u16| {
        let need = u64::from(need.max(1));
        u64::from(share) * EXACT * u64::from(have).min(need) / need
    };
    match split {
        Split::Weighted(shares) => (0..2).map(|k| part(shares[k], have[k], need(shares[k], floor))).sum(),
        Split::Members(members) => part(10_000, have[0].min(members[0]) + have[1].min(members[1]), floor),
    }
}

/// How many instances of `slot` this split counts on.
pub fn counts_on(split: Split, slot: Slot, floor: u16) -> u16 {
    match split {
        Split::Weighted(shares) => need(shares[slot], floor),
        Split::Members(members) => members[slot],
    }
}

fn wide(pair: [u8; 2]) -> [u16; 2] {
    pair.map(u16::from)
}

/// I1: see [`Rule::Capacity`].
pub fn capacity(state: &State, in_force: impl IntoIterator<Item = (u8, Split)>, floor: u16) -> bool {
    in_force.into_iter().all(|(generation, split)| {
        let have = [0, 1].map(|k: Slot| u16::from(state.set[k].serving(generation) + state.debt[k]));
        match split {
            Split::Weighted(_) => carried(split, have, floor),
            // a degraded route may have been allowed with fewer members than the floor; these at least must be there
            Split::Members([a, b]) => carried(split, have, floor.min(a + b)),
        }
    })
}

/// What may be counted on at a landing: what is usable, and what was usable at the read that allowed the write.
pub fn known(set: &[Set; 2], seen: [u8; 2]) -> [u16; 2] {
    [0, 1].map(|k: Slot| u16::from(set[k].usable().max(seen[k])))
}

/// Whether no split of `route` serves less, as far as is seen, than any split in force. Holding everything is allowed
/// where nothing serves.
pub fn no_worse(route: &Route, in_force: &[Split], seen: [u8; 2], floor: u16) -> bool {
    route.splits().all(|split| {
        let then = serves(split, wide(seen), floor);
        let holds = !split.reaches(0) && !split.reaches(1);
        (then > 0 || holds) && in_force.iter().all(|now| then >= serves(*now, wide(seen), floor))
    })
}

/// I2: see [`Rule::RouteWrite`].
pub fn route_write(route: &Route, have: [u16; 2], no_worse: bool, floor: u16) -> bool {
    // requests are held only where downtime is allowed
    let whole = |split: Split| carried(split, have, floor) && (floor == 0 || split.reaches(0) || split.reaches(1));
    no_worse || route.splits().all(whole)
}

/// I3: see [`Rule::Destruction`]. `to` instances of `slot` stay.
pub fn destruction(set: &[Set; 2], flight: &Flight, slot: Slot, to: u8, in_force: &[Split], floor: u16) -> bool {
    let seen = flight.seen;
    let total = set[slot].total();
    let going = total.saturating_sub(to);
    if going == 0 || set[slot].ready() == 0 {
        return true;
    }
    let routed = in_force.iter().map(|split| split.routed(slot, u16::from(total))).max().unwrap_or(0);
    let ready = seen[slot].max(set[slot].ready());
    let mut left = known(set, seen);
    left[slot] = u16::from(ready.saturating_sub(going));
    let carries = in_force.iter().all(|split| !split.reaches(slot) || carried(*split, left, floor));
    let unknown = seen[slot] == 0 && flight.blind & (1 << slot) == 0; // what was not ready at the read could not be missed
    u16::from(to) >= routed && carries && (unknown || left[0] + left[1] >= floor)
}

/// I4: see [`Rule::Share`]. `usable` is what the decision saw. A person who parks a canary allows the share that it has.
pub fn share(plan: &Plan, status: &Status, route: &Route, in_force: &[Split], usable: [u16; 2]) -> bool {
    let side = other(status.good);
    if status.proven[side] || usable[status.good] == 0 {
        return true;
    }
    let allowed = match status.phase {
        Phase::Step(at) => {
            let step = plan.steps.get(usize::from(at.step)).map(|step| step.target.for_good(status.good));
            at.weight.or(step.map(|target| target.route.split.share(side))).unwrap_or(0)
        }
        Phase::Parked { split, .. } => split.share(side),
        Phase::Idle | Phase::Settling { .. } | Phase::Back { .. } | Phase::Halted { .. } => 0,
    };
    let most = in_force.iter().map(|split| split.share(side)).max().unwrap_or(0).max(allowed);
    route.splits().all(|split| split.share(side) <= most)
}

/// I5: see [`Rule::Pinned`].
pub fn pinned(set: &[Set; 2], route: &Route) -> bool {
    (0..2).all(|k| !route.reaches(k) || set[k].pinned)
}

/// I7: at rest the slot that is not the good one holds nothing, and nothing is asked of it.
pub fn nothing_beside(set: &[Set; 2], good: Slot) -> bool {
    let beside = &set[other(good)];
    beside.total() == 0 && beside.desired == 0
}

/// See [`Rule::Room`]. `to` instances are asked for in `slot`.
pub fn room(set: &[Set; 2], slot: Slot, to: u8, ceiling: u16) -> bool {
    let beside = &set[other(slot)];
    let most = u16::from(to) + u16::from(beside.desired.max(beside.total()));
    to <= set[slot].desired || most <= ceiling
}
