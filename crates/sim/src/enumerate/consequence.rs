//! What becomes of the world after a write, whatever its platforms and data planes do next. Written from the promises
//! of the design, not from the second key: the arithmetic is that of [`crate::invariants`] and of [`super::platform`].
use super::platform::{MOST, Platform};
use crate::invariants::{carried, serves};
use serin_rollout::{Limits, Observation, RouteSeen, SetSeen, Slot, Split, Write, other};

/// What a write may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Consequence {
    /// Whatever happens next, nothing is lost.
    Harmless,
    /// Nothing that is certain is lost, but something that a kind platform would have kept: what an older split serves
    /// with instances that are, perhaps, among those that go.
    Gamble,
    /// There is a way on which something is lost.
    Harm(Harm),
}

/// What may be lost.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Harm {
    /// Traffic goes to a set that shrinks, that others may shrink, or of which that is not known.
    Unkept,
    /// Others may lower a set again that carries a part of the traffic.
    LetGo,
    /// Traffic goes where it is not carried, while a split in force serves more.
    Overload,
    /// A set that exists gets another revision.
    Replaced,
    /// An instance that may get requests is stopped.
    Stopped,
    /// An instance with open requests is stopped before their deadline.
    CutOff,
    /// A split in force serves less than before and is not carried.
    Starved,
    /// A ready instance is lost, and fewer than the floor are left.
    Lost,
    /// A set is rewritten while the other one is not whole.
    NotWhole,
}

impl Harm {
    /// All of them.
    pub const ALL: [Harm; 9] = [
        Harm::Unkept,
        Harm::LetGo,
        Harm::Overload,
        Harm::Replaced,
        Harm::Stopped,
        Harm::CutOff,
        Harm::Starved,
        Harm::Lost,
        Harm::NotWhole,
    ];
}

/// The consequence of `write` at its worst. A data plane that has not confirmed the route may apply anything: before
/// something is taken away, unknown is not empty.
pub fn of(platform: &Platform, limits: &Limits, seen: &Observation, write: &Write) -> Consequence {
    let harm = match *write {
        Write::Claim => None,
        Write::Route(route) => {
            let each = route.splits().map(|split| routing(platform, limits, seen, split));
            return each.max().unwrap_or(Consequence::Harmless);
        }
        Write::Resize { slot, to, rev, pin } => {
            let set = &seen.set[slot];
            if exists(set) && set.rev != Some(rev) {
                Some(Harm::Replaced)
            } else if set.pinned && !pin && is_relied_on(&seen.route, slot) {
                Some(Harm::LetGo)
            } else if to < set.desired {
                return lowering(platform, limits, seen, slot, to);
            } else {
                None
            }
        }
        Write::Rewrite { slot, rev } => {
            let set = &seen.set[slot];
            if !exists(set) || set.rev == Some(rev) {
                None
            } else if !seen.route.acked || seen.route.splits().any(|split| split.reaches(slot)) {
                Some(Harm::Stopped)
            } else if set.busy > 0 && !seen.due.drain {
                Some(Harm::CutOff)
            } else if platform.alone(&seen.set[other(slot)]).least < limits.replicas {
                Some(Harm::NotWhole)
            } else {
                None
            }
        }
    };
    harm.map_or(Consequence::Harmless, Consequence::Harm)
}

/// Whether there may be anything in the slot.
fn exists(set: &SetSeen) -> bool {
    !set.fresh || set.desired > 0 || set.total > 0
}

/// Whether traffic that goes to `slot` needs somebody to keep the set's size. Nobody has to where everything goes there
/// alone: whoever scales the set sees all that it has to carry.
fn is_relied_on(route: &RouteSeen, slot: Slot) -> bool {
    let reached = |k: Slot| route.splits().any(|split| split.reaches(k));
    !route.acked || (reached(slot) && reached(other(slot)))
}

/// A new split is carried by what stays, or serves at least what every split in force does.
fn routing(platform: &Platform, limits: &Limits, seen: &Observation, split: Split) -> Consequence {
    let kept = |set: &SetSeen| set.fresh && set.pinned && set.total <= set.desired;
    if (0..2).any(|k| split.reaches(k) && !kept(&seen.set[k])) {
        return Consequence::Harm(Harm::Unkept);
    }
    let left = seen.set.each_ref().map(|set| platform.alone(set));
    let sure = left.map(|left| left.least);
    let somewhere = split.reaches(0) || split.reaches(1);
    if carried(split, sure, limits.floor) && (somewhere || limits.floor == 0) {
        return Consequence::Harmless;
    }
    let then = serves(split, sure, limits.floor);
    let no_less = |have: [u16; 2]| seen.route.splits().all(|now| then >= serves(now, have, limits.floor));
    if no_less(left.map(|left| left.most)) {
        Consequence::Harmless
    } else if no_less([0, 1].map(|k: Slot| if seen.set[k].fresh { sure[k] } else { MOST })) {
        Consequence::Gamble
    } else {
        Consequence::Harm(Harm::Overload)
    }
}

/// Nothing that may get requests or has open ones is stopped, what stays in force is carried, and the floor holds, or
/// nothing is lost.
fn lowering(platform: &Platform, limits: &Limits, seen: &Observation, slot: Slot, to: u16) -> Consequence {
    let set = &seen.set[slot];
    let there = set.desired.max(set.total);
    let stopped = there.saturating_sub(to);
    let routed = seen.route.splits().map(|split| reached_of(split, slot, there)).max().unwrap_or(0);
    if !seen.route.acked || stopped > there - routed {
        return Consequence::Harm(Harm::Stopped);
    }
    if stopped > (there - routed).saturating_sub(set.busy) && !seen.due.drain {
        return Consequence::Harm(Harm::CutOff);
    }
    let (before, after) = (platform.alone(set), platform.after(set, to));
    let beside = platform.alone(&seen.set[other(slot)]).least;
    let with = |mine: u16| if slot == 0 { [mine, beside] } else { [beside, mine] };
    let spared = set.fresh && before == after;
    let starves = |split: Split| split.reaches(slot) && !carried(split, with(after.least), limits.floor);
    if !spared && seen.route.splits().any(starves) {
        return Consequence::Harm(Harm::Starved);
    }
    if after.least + beside >= limits.floor || spared {
        return Consequence::Harmless;
    }
    if set.fresh && before.least == after.least { Consequence::Gamble } else { Consequence::Harm(Harm::Lost) }
}

/// How many of `there` instances may get requests: every one where a share goes to the set, else those that are members.
fn reached_of(split: Split, slot: Slot, there: u16) -> u16 {
    match split {
        Split::Weighted(shares) if shares[slot] > 0 => there,
        Split::Weighted(_) => 0,
        Split::Members(members) => members[slot].min(there),
    }
}

/// A case in which the second key refuses what would be harmless, and why it does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stricter {
    /// Traffic for sets that serve nothing, while nothing else serves either: requests are better held, because a held
    /// one may still be answered.
    NothingServes,
    /// Another revision for a set that does not exist or runs it already: whoever asks for that knows too little.
    ChangesNothing,
    /// Fewer instances under a split that is not carried, though none of them is ready: what is in force is mended first.
    NotCarried,
    /// A set is handed back although the accepted split does not go there: whoever scales it would see traffic that is
    /// about to leave.
    AboutToLeave,
    /// Fewer instances of a set that shrinks already, while too few are elsewhere: the platform may or may not spare the
    /// ready ones, and the more instances go the less likely it does.
    WorseOdds,
    /// None of these.
    Unnamed,
}

impl Stricter {
    /// All of them.
    pub const ALL: [Stricter; 6] = [
        Stricter::NothingServes,
        Stricter::ChangesNothing,
        Stricter::NotCarried,
        Stricter::AboutToLeave,
        Stricter::WorseOdds,
        Stricter::Unnamed,
    ];

    /// The case that a harmless refused write belongs to.
    pub fn of(platform: &Platform, limits: &Limits, seen: &Observation, write: &Write) -> Stricter {
        let sure = seen.set.each_ref().map(|set| platform.alone(set).least);
        let dead = |split: Split| serves(split, sure, limits.floor) == 0;
        match *write {
            Write::Route(route) if route.splits().all(dead) && seen.route.splits().all(dead) => Stricter::NothingServes,
            Write::Rewrite { slot, rev } if !exists(&seen.set[slot]) || seen.set[slot].rev == Some(rev) => {
                Stricter::ChangesNothing
            }
            Write::Resize { slot, to, pin, .. } => {
                let set = &seen.set[slot];
                let uncertain = platform.alone(set).least < platform.alone(set).most;
                let uncarried = |split: Split| split.reaches(slot) && !carried(split, sure, limits.floor);
                if to < seen.set[slot].desired && seen.route.splits().any(uncarried) {
                    Stricter::NotCarried
                } else if !pin && !seen.route.accepted.split.reaches(slot) {
                    Stricter::AboutToLeave
                } else if to < set.desired && uncertain {
                    Stricter::WorseOdds
                } else {
                    Stricter::Unnamed
                }
            }
            Write::Claim | Write::Route(_) | Write::Rewrite { .. } => Stricter::Unnamed,
        }
    }
}
