//! The reductions of the enumeration, each verified on every input of a small size instead of assumed.
//!
//! 1. [`plain`] takes away what does not decide about a write: neither key nor promise answers otherwise without it.
//! 2. What is in force is a set: the answer to several splits is that to the one of them that is refused by the earliest
//!    rule, wherever it comes from. (Handing a set back is the exception; it is always enumerated with pairs.)
//! 3. A route is judged split by split, and its lease does not matter.
//! 4. The two slots are alike.
use super::consequence::{self, Consequence};
use super::inputs::{blank, every_set, mirrored, mirrored_write, splits};
use super::platform::Platform;
use super::tally::place;
use crate::subject::Permit;
use serin_rollout::{Limits, Observation, Refusal, Rev, Route, SetSeen, Slot, Split, Write, other};
use std::fmt::Debug;

/// The sets of the small size have at most this many instances.
const SMALL: u16 = 1;

/// A key and the promise, and how many pairs of inputs were compared.
struct Pairs<'a> {
    permit: Permit,
    platform: &'a Platform,
    compared: u64,
}

type Answer = (Result<(), Refusal>, Consequence);

/// Verifies all of them; the number of pairs that were compared.
///
/// # Errors
/// The first pair that differs, in words.
pub fn verify(permit: Permit, platform: &Platform, most: u16) -> Result<u64, String> {
    let mut pairs = Pairs { permit, platform, compared: 0 };
    pairs.plain_and_mirrored(most.max(SMALL))?;
    pairs.in_force()?;
    pairs.written()?;
    Ok(pairs.compared)
}

/// The input without what does not decide about the write.
pub fn plain(limits: &Limits, seen: &Observation, write: &Write) -> (Limits, Observation, Write) {
    let (mut limits, mut seen, mut less) = (*limits, seen.clone(), *write);
    let anybody = Some(Rev(1));
    let bare = |set: SetSeen| SetSeen { ready: if set.fresh { set.ready } else { 0 }, healthy: 0, ..set };
    seen.set = seen.set.map(bare);
    match *write {
        Write::Claim => seen = blank(),
        Write::Route(_) => {
            seen.set = seen.set.map(|set| SetSeen { rev: anybody, busy: 0, ..set });
            (seen.route.acked, seen.due.drain, limits.replicas) = (true, false, limits.floor);
        }
        Write::Rewrite { slot, .. } => {
            let beside = other(slot);
            seen.set[beside] = SetSeen { rev: anybody, busy: 0, pinned: true, ..seen.set[beside] };
            seen.set[slot] = SetSeen { ready: 0, pinned: true, ..seen.set[slot] };
            limits.floor = limits.replicas;
        }
        Write::Resize { slot, to, rev, pin } => {
            limits.replicas = limits.floor;
            let pin = plain_resize(&mut seen, slot, to, rev, pin);
            less = Write::Resize { slot, to, rev, pin };
        }
    }
    (limits, seen, less)
}

/// Takes away what does not decide; the answer is the pin, which matters only where it is taken off.
fn plain_resize(seen: &mut Observation, slot: Slot, to: u16, rev: Rev, pin: bool) -> bool {
    let beside = other(slot);
    let set = &mut seen.set[slot];
    if set.is_empty() {
        set.rev = Some(rev);
    }
    let hands_back = set.pinned && !pin;
    set.pinned = true;
    let (replaces, lowers) = (set.rev != Some(rev), to < set.desired);
    if replaces || !lowers || !seen.route.acked {
        (set.ready, set.busy) = (0, 0);
        (seen.set[beside], seen.due.drain) = (SetSeen::EMPTY, false);
        if replaces || !hands_back {
            seen.route.accepted = Route::NOWHERE;
            seen.route.in_force.clear();
            seen.route.acked |= replaces || !lowers;
        }
    } else {
        seen.set[beside] = SetSeen { rev: Some(Rev(1)), busy: 0, pinned: true, ..seen.set[beside] };
    }
    !hands_back
}

/// The order in which the rules are asked.
fn rank(answer: &Answer) -> (u8, Consequence) {
    let rule = match answer.0 {
        Err(Refusal::Unpinned(_)) => 0,
        Err(Refusal::Occupied(_)) => 1,
        Err(Refusal::Routed(_)) => 2,
        Err(Refusal::Unacknowledged) => 3,
        Err(Refusal::Busy(_)) => 4,
        Err(Refusal::Needed(_)) => 5,
        Err(Refusal::Floor) => 6,
        Err(Refusal::Capacity) => 7,
        Err(Refusal::NotWhole(_)) => 8,
        Ok(()) => 9,
    };
    (rule, answer.1)
}

fn resizes(most: u16) -> Vec<Write> {
    let mut list = vec![Write::Claim];
    for slot in 0..2 {
        for rev in [Rev(1), Rev(2)] {
            list.push(Write::Rewrite { slot, rev });
            let each = (0..=most).flat_map(|to| [true, false].map(|pin| Write::Resize { slot, to, rev, pin }));
            list.extend(each);
        }
    }
    list
}

impl Pairs<'_> {
    fn answer(&self, limits: &Limits, seen: &Observation, write: &Write) -> Answer {
        ((self.permit)(limits, seen, write), consequence::of(self.platform, limits, seen, write))
    }

    fn same<A: Debug + PartialEq>(
        &mut self,
        what: &str,
        a: A,
        b: A,
        input: (&Limits, &Observation, &Write),
    ) -> Result<(), String> {
        self.compared += 1;
        if a == b {
            return Ok(());
        }
        let (limits, seen, write) = input;
        Err(format!("{what}: {a:?} and {b:?} for {limits:?} {:?} {:?} {write:?}", seen.set, seen.route))
    }

    /// The first and the last lemma, on every input.
    fn plain_and_mirrored(&mut self, most: u16) -> Result<(), String> {
        let (sets, some) = (every_set(most), splits(SMALL, 2));
        let mut writes = resizes(most);
        writes.extend(some.iter().map(|split| Write::Route(Route::plain(*split))));
        let mut seen = blank();
        for (a, b) in sets.iter().flat_map(|a| sets.iter().map(move |b| (a, b))) {
            seen.set = [*a, *b];
            for (split, flags) in some.iter().flat_map(|split| (0..8).map(move |flags| (split, flags))) {
                seen.route.accepted = Route::plain(*split);
                (seen.route.acked, seen.due.drain) = (flags & 1 == 1, flags & 2 == 2);
                let limits = Limits { replicas: 1, floor: flags >> 2 };
                for write in &writes {
                    let answer = self.answer(&limits, &seen, write);
                    let (fewer, less, same) = plain(&limits, &seen, write);
                    self.same("plain", answer, self.answer(&fewer, &less, &same), (&limits, &seen, write))?;
                    let there = self.answer(&limits, &mirrored(&seen), &mirrored_write(write));
                    // Of two slots that break one rule either may be named.
                    let rule = |answer: Answer| (answer.0.map_err(place), answer.1);
                    self.same("mirrored", rule(answer), rule(there), (&limits, &seen, write))?;
                }
            }
        }
        Ok(())
    }

    /// The second lemma: three splits in force, wherever they come from.
    fn in_force(&mut self) -> Result<(), String> {
        let some = splits(SMALL, 2);
        let flat = |set: &&SetSeen| set.rev == Some(Rev(1)) && set.busy <= 1;
        let sets: Vec<SetSeen> = every_set(SMALL).iter().filter(flat).copied().collect();
        let mut writes = resizes(SMALL);
        writes.extend(some.iter().map(|split| Write::Route(Route::plain(*split))));
        let mut seen = blank();
        for (a, b) in sets.iter().flat_map(|a| sets.iter().map(move |b| (a, b))) {
            seen.set = [*a, *b];
            for flags in 0..8 {
                (seen.route.acked, seen.due.drain) = (flags & 1 == 1, flags & 2 == 2);
                let limits = Limits { replicas: 1, floor: flags >> 2 };
                for write in &writes {
                    if !hands_back(&seen, write) {
                        self.sets_of_splits(&limits, &mut seen, write, &some)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn sets_of_splits(
        &mut self,
        limits: &Limits,
        seen: &mut Observation,
        write: &Write,
        some: &[Split],
    ) -> Result<(), String> {
        let mut alone = vec![];
        for split in some {
            seen.route.accepted = Route::plain(*split);
            seen.route.in_force.clear();
            alone.push(self.answer(limits, seen, write));
        }
        let n = some.len();
        for (i, j, k) in (0..n).flat_map(|i| (0..n).flat_map(move |j| (0..n).map(move |k| (i, j, k)))) {
            seen.route.accepted = Route { fallback: Some(some[j]), ..Route::plain(some[i]) };
            seen.route.in_force.clear();
            seen.route.in_force.push(some[k]);
            let all = self.answer(limits, seen, write);
            let each = [alone[i], alone[j], alone[k]];
            let first = each.into_iter().min_by_key(rank).map_or(all.0, |answer| answer.0);
            let worst = each.into_iter().map(|answer| answer.1).max().unwrap_or(all.1);
            let whole = |harm| if matches!(harm, Consequence::Harm(_)) { None } else { Some(harm) };
            self.compared += 1;
            if (all.0, whole(all.1)) != (first, whole(worst)) {
                return Err(format!("in force: {all:?}, alone {each:?}, for {limits:?} {seen:?} {write:?}"));
            }
        }
        Ok(())
    }

    /// The third lemma: a route with a fallback, with a lease and without.
    fn written(&mut self) -> Result<(), String> {
        let some = splits(SMALL, 2);
        let flat = |set: &&SetSeen| set.rev == Some(Rev(1)) && set.busy == 0;
        let sets: Vec<SetSeen> = every_set(SMALL + 1).iter().filter(flat).copied().collect();
        let mut seen = blank();
        for (a, b) in sets.iter().flat_map(|a| sets.iter().map(move |b| (a, b))) {
            seen.set = [*a, *b];
            for (now, floor) in some.iter().flat_map(|now| [(now, 0), (now, 1)]) {
                seen.route.accepted = Route::plain(*now);
                let limits = Limits { replicas: 1, floor };
                let alone = |split: &Split| self.answer(&limits, &seen, &Write::Route(Route::plain(*split)));
                let alone: Vec<Answer> = some.iter().map(alone).collect();
                for (i, j) in (0..some.len()).flat_map(|i| (0..some.len()).map(move |j| (i, j))) {
                    for lease in [true, false] {
                        let write = Write::Route(Route { split: some[i], fallback: Some(some[j]), lease });
                        let both = (alone[i].0.and(alone[j].0), alone[i].1.max(alone[j].1));
                        let answer = self.answer(&limits, &seen, &write);
                        self.same("written", answer, both, (&limits, &seen, &write))?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn hands_back(seen: &Observation, write: &Write) -> bool {
    matches!(*write, Write::Resize { slot, pin: false, .. } if seen.set[slot].pinned)
}
