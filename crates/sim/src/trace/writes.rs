//! The checker's invariants over what was really seen: of each write that was permitted, and of each status that was
//! saved.
use crate::advance;
use crate::invariants::{self, Rule};
use crate::state::{Flight, MOST, Seen, Set};
use crate::trace::change::{Look, is_part, routed};
use serin_rollout::{Observation, SetSeen, Slot, Split, Status, Write, usable_of};

/// A set as the world counts it. Instances that go are counted on both sides of what is seen; in the world only those
/// that are ready count.
pub fn set_of(set: &SetSeen) -> Seen {
    let ready = if set.fresh { set.ready } else { 0 };
    Seen {
        rev: set.rev.map_or(0, |rev| (rev.0 % 200) as u8 + 1),
        desired: set.desired as u8,
        ready: ready as u8,
        notready: set.total.saturating_sub(ready) as u8,
        pinned: set.pinned,
        busy: set.busy as u8,
    }
}

/// Whether the world has room for what was seen: it models single instances, and only so many.
pub fn fits(seen: &Observation) -> bool {
    seen.set.iter().all(|set| usize::from(set.present()) < MOST)
}

/// Both sets.
pub fn sets(seen: &Observation) -> [Set; 2] {
    [0, 1].map(|k: Slot| Set::counted(&set_of(&seen.set[k]), 0))
}

/// What stays ready of both sets.
pub fn usable(seen: &Observation) -> [u8; 2] {
    [0, 1].map(|k: Slot| usable_of(&seen.set[k]) as u8)
}

/// Every split that may be in force, each once; one that only names fewer members of another is that other one.
pub fn splits(seen: &Observation) -> Vec<Split> {
    let mut all: Vec<Split> = vec![];
    for split in seen.route.splits() {
        if !all.iter().any(|known| is_part(split, *known)) {
            all.push(split);
        }
    }
    all
}

/// The rules that a permitted write breaks, judged on the read that permitted it.
pub fn write(look: &Look, write: &Write) -> Vec<Rule> {
    let (seen, floor) = (&look.seen, look.plan.limits.floor);
    if !fits(seen) {
        return vec![];
    }
    let (sets, have, in_force) = (sets(seen), usable(seen), splits(seen));
    let mut broken = vec![];
    let mut must = |holds: bool, rule: Rule| {
        if !holds {
            broken.push(rule);
        }
    };
    match *write {
        Write::Claim => {}
        Write::Route(route) => {
            let no_worse = invariants::no_worse(&route, &in_force, have, floor);
            must(invariants::route_write(&route, have.map(u16::from), no_worse, floor), Rule::RouteWrite);
            must(invariants::pinned(&sets, &route), Rule::Pinned);
            let shares = invariants::share(&look.plan, &look.status, &route, &in_force, have.map(u16::from));
            must(shares, Rule::Share);
        }
        Write::Resize { slot, to, rev, .. } => {
            let set = &seen.set[slot];
            let lowers = to < set.desired;
            let sound = !lowers
                || invariants::destruction(
                    &sets,
                    &Flight { seen: have, ..Flight::default() },
                    slot,
                    to as u8,
                    &in_force,
                    floor,
                );
            must(sound, Rule::Destruction);
            let stops_busy = set.busy > 0 && to < routed(&seen.route, slot, set.present()) + 1;
            must(!(lowers && stops_busy && !seen.due.drain), Rule::Drain);
            must(set.total == 0 || set.rev == Some(rev), Rule::Identity);
            must(invariants::room(&sets, slot, to as u8, look.plan.ceiling), Rule::Room);
        }
        Write::Rewrite { slot, .. } => must(!seen.route.reaches(slot), Rule::Identity),
    }
    broken
}

/// The rule that a save breaks, judged on what its decision saw.
pub fn save(look: &Look, next: &Status) -> Option<Rule> {
    let mut seen = look.seen.clone();
    let accepted: Vec<Split> = seen.route.accepted.splits().collect();
    // what the accepted route holds is in force whether it is listed or not; the world lists only what is older
    seen.route.in_force.retain(|split| !accepted.iter().any(|known| is_part(*split, *known)));
    let (a, b) = (&look.status, next);
    let runs = seen.set[b.good].rev;
    let wrong = a.good != b.good && b.proven[b.good] && b.rev[b.good] != runs;
    advance::judge(&look.plan, a, b, &seen).or(wrong.then_some(Rule::Acceptance))
}

/// I1 over a whole journal: what is missing under a split in force was taken by the world, or was missing when a sound
/// write was permitted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Debt {
    owed: [u8; 2],
}

impl Debt {
    /// Nothing is known of how it came to what is seen: what is missing is owed by the world.
    pub fn forgive(seen: &Observation, floor: u16) -> Debt {
        Debt { owed: missing(seen, floor) }
    }

    /// The next look. `lowered` is what own writes lowered each set to since the last one.
    pub fn next(&mut self, before: &Observation, after: &Observation, lowered: [Option<u16>; 2], floor: u16) {
        for (slot, to) in lowered.into_iter().enumerate() {
            let set = &before.set[slot];
            let left = match to {
                Some(to) => usable_of(set).min(set.ready.saturating_sub(set.present().saturating_sub(to))),
                None => usable_of(set),
            };
            let lost = left.saturating_sub(usable_of(&after.set[slot])) as u8;
            self.owed[slot] = self.owed[slot].saturating_add(lost).min(missing(after, floor)[slot]);
        }
    }

    /// A write took effect, which was judged when it was permitted: what is missing now was missing then, or was lost
    /// since.
    pub fn landed(&mut self, seen: &Observation, floor: u16) {
        let missing = missing(seen, floor);
        self.owed = [0, 1].map(|slot: Slot| self.owed[slot].max(missing[slot]));
    }

    /// Whether [`Rule::Capacity`] holds.
    pub fn holds(&self, seen: &Observation, floor: u16) -> bool {
        let have = usable(seen);
        let have = [0, 1].map(|k: Slot| u16::from(have[k]) + u16::from(self.owed[k]));
        splits(seen).into_iter().all(|split| match split {
            Split::Weighted(_) => invariants::carried(split, have, floor),
            Split::Members([a, b]) => invariants::carried(split, have, floor.min(a + b)),
        })
    }
}

/// How many instances the splits in force miss in each slot.
fn missing(seen: &Observation, floor: u16) -> [u8; 2] {
    let (have, splits) = (usable(seen), splits(seen));
    [0, 1].map(|slot: Slot| {
        let wanted = splits.iter().map(|split| invariants::counts_on(*split, slot, floor)).max().unwrap_or(0);
        (wanted as u8).saturating_sub(have[slot])
    })
}
