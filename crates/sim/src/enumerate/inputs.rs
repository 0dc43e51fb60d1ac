//! The inputs of the second key up to a size, in the normal form of [`super::lemma`]: every one that it tells apart.
use super::tally::Judge;
use serin_rollout::{FULL, Intent, Limits, Observation, Rev, Route, RouteSeen, SetSeen, Split, Timers, Write, other};

/// How far an enumeration goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Instances at rest. Sets are looked at up to one more.
    pub replicas: u16,
    /// Shares are multiples of one by each number up to this.
    pub parts: u16,
    /// Both orders of the two slots, readiness that a stale view hides, and two splits in force at once: what the
    /// lemmas say need not be looked at.
    pub whole: bool,
}

/// A part of an enumeration, small enough to share the work by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// How far.
    pub size: Size,
    /// Instances that carry everything.
    pub floor: u16,
    /// Which writes.
    pub family: Family,
    /// The index of the first set.
    pub first: usize,
}

/// The writes, by what decides about them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// Every route of one split.
    Route,
    /// Fewer instances of the revision that is there, confirmed.
    Lower,
    /// No fewer instances, another revision, or fewer before the route is confirmed.
    Resize,
    /// Another revision as a whole; and the claim, which reads nothing.
    Rewrite,
}

impl Family {
    const ALL: [Family; 4] = [Family::Route, Family::Lower, Family::Resize, Family::Rewrite];
}

/// Nothing is there, everything is known and nothing is going on.
pub fn blank() -> Observation {
    Observation {
        claimed: true,
        set: [SetSeen::EMPTY; 2],
        route: RouteSeen { accepted: Route::NOWHERE, acked: true, in_force: vec![] },
        intent: Intent::of(Rev(1)),
        verdict: None,
        due: Timers::default(),
        failed: None,
    }
}

/// Every split: the shares of up to `parts` equal parts, and every pair of members.
pub fn splits(replicas: u16, parts: u16) -> Vec<Split> {
    let share = |i: u16, parts: u16| (u32::from(i) * u32::from(FULL) / u32::from(parts)) as u16;
    let mut shares: Vec<u16> = (1..=parts).flat_map(|p| (0..=p).map(move |i| share(i, p))).collect();
    shares.sort_unstable();
    shares.dedup();
    let weighted = shares.into_iter().map(|share| Split::share_to(1, share));
    let members = (0..=replicas).flat_map(|a| (0..=replicas).map(move |b| Split::Members([a, b])));
    weighted.chain(members).collect()
}

/// Every pair of readiness and open requests for so many instances.
fn counts(most: u16) -> impl Iterator<Item = (u16, u16, u16)> {
    (0..=most).flat_map(|total| (0..=total).flat_map(move |ready| (0..=total).map(move |busy| (total, ready, busy))))
}

/// Every view of a set up to `most` instances, in a revision of 0 for none, 1 and 2.
pub fn every_set(most: u16) -> Vec<SetSeen> {
    let mut list = vec![];
    for (desired, (total, ready, busy)) in (0..=most).flat_map(|d| counts(most).map(move |c| (d, c))) {
        for (rev, flags) in [None, Some(Rev(1)), Some(Rev(2))].into_iter().flat_map(|r| (0..4).map(move |f| (r, f))) {
            let (pinned, fresh) = (flags & 1 == 1, flags & 2 == 2);
            list.push(SetSeen { rev, desired, total, ready, healthy: ready, busy, pinned, fresh });
        }
    }
    list
}

/// The views that differ in what `same` leaves, each once.
fn distinct(most: u16, same: impl Fn(SetSeen) -> SetSeen) -> Vec<SetSeen> {
    let key = |set: &SetSeen| (!set.fresh, set.desired, set.total, set.ready, set.busy, !set.pinned, set.rev);
    let mut list: Vec<SetSeen> = every_set(most).into_iter().map(same).collect();
    list.sort_unstable_by_key(key);
    list.dedup();
    list
}

const HOME: Option<Rev> = Some(Rev(1));

impl Size {
    fn most(&self) -> u16 {
        self.replicas + 1
    }

    fn splits(&self) -> Vec<Split> {
        splits(self.replicas, self.parts)
    }

    fn hidden(&self, set: SetSeen) -> SetSeen {
        if set.fresh || self.whole { set } else { SetSeen { ready: 0, healthy: 0, ..set } }
    }

    fn routed_sets(&self) -> Vec<SetSeen> {
        distinct(self.most(), |set| self.hidden(SetSeen { rev: HOME, busy: 0, ..set }))
    }

    fn beside(&self) -> Vec<SetSeen> {
        distinct(self.most(), |set| self.hidden(SetSeen { rev: HOME, busy: 0, pinned: true, ..set }))
    }

    fn own_sets(&self, family: Family) -> Vec<SetSeen> {
        let plain = |set: SetSeen| SetSeen { ready: 0, healthy: 0, ..set };
        match family {
            Family::Route => self.routed_sets(),
            Family::Lower => distinct(self.most(), |set| self.hidden(SetSeen { rev: HOME, pinned: true, ..set })),
            Family::Resize => distinct(self.most(), |set| SetSeen { busy: 0, ..plain(set) }),
            Family::Rewrite => distinct(self.most(), |set| SetSeen { pinned: true, ..plain(set) }),
        }
    }

    /// All parts of the enumeration.
    pub fn work(&self) -> Vec<Part> {
        let mut list = vec![];
        for family in Family::ALL {
            let floors = if family == Family::Rewrite { self.replicas..=self.replicas } else { 0..=self.replicas };
            for floor in floors {
                let sets = self.own_sets(family).len();
                list.extend((0..sets).map(|first| Part { size: *self, floor, family, first }));
            }
        }
        list
    }

    /// How many inputs there are up to this size, told apart or not: every set, every accepted route with and without
    /// fallback, one more split in force or none, confirmed or not, drained or not, and every write.
    pub fn product(&self) -> u128 {
        let sets = every_set(self.most()).len() as u128;
        let splits = self.splits().len() as u128;
        let most = u128::from(self.most());
        let writes = 1 + 2 * (most + 1) * 4 + splits * (splits + 1) + 4;
        u128::from(self.replicas + 1) * sets * sets * splits * (splits + 1) * (splits + 1) * 4 * writes
    }
}

impl Part {
    /// Gives every input of the part to the judge.
    pub fn run(&self, judge: &mut Judge) {
        let limits = Limits { replicas: self.size.replicas, floor: self.floor };
        let mut seen = blank();
        let own = self.size.own_sets(self.family);
        seen.set[0] = own[self.first];
        match self.family {
            Family::Route => self.routes(&limits, &mut seen, &own, judge),
            Family::Lower => self.lower(&limits, &mut seen, judge),
            Family::Resize => self.resize(&limits, &mut seen, judge),
            Family::Rewrite => self.rewrite(&limits, &mut seen, judge),
        }
    }

    /// Every set of splits in force that has to be looked at: one split, or two where nothing is left out.
    fn in_force(&self, splits: &[Split]) -> Vec<(Split, Vec<Split>)> {
        let one = splits.iter().map(|split| (*split, vec![]));
        let two = splits.iter().enumerate().flat_map(|(i, a)| splits[..i].iter().map(move |b| (*a, vec![*b])));
        if self.size.whole { one.chain(two).collect() } else { one.collect() }
    }

    fn routes(&self, limits: &Limits, seen: &mut Observation, sets: &[SetSeen], judge: &mut Judge) {
        let splits = self.size.splits();
        let in_force = self.in_force(&splits);
        let from = if self.size.whole { 0 } else { self.first };
        for beside in &sets[from..] {
            seen.set[1] = *beside;
            for (accepted, more) in &in_force {
                seen.route.accepted = Route::plain(*accepted);
                seen.route.in_force.clone_from(more);
                for split in &splits {
                    judge.input(limits, seen, &Write::Route(Route::plain(*split)));
                }
            }
        }
    }

    fn lower(&self, limits: &Limits, seen: &mut Observation, judge: &mut Judge) {
        let in_force = self.in_force(&self.size.splits());
        let set = seen.set[0];
        for slot in self.slots() {
            seen.set[slot] = set;
            for beside in self.size.beside() {
                seen.set[other(slot)] = beside;
                for (accepted, more) in &in_force {
                    seen.route.accepted = Route::plain(*accepted);
                    seen.route.in_force.clone_from(more);
                    for drain in [false, true] {
                        seen.due.drain = drain;
                        for (to, pin) in (0..set.desired).flat_map(|to| [(to, true), (to, false)]) {
                            judge.input(limits, seen, &Write::Resize { slot, to, rev: Rev(1), pin });
                        }
                    }
                }
            }
        }
    }

    fn resize(&self, limits: &Limits, seen: &mut Observation, judge: &mut Judge) {
        let splits = self.size.splits();
        let set = seen.set[0];
        for slot in self.slots() {
            seen.set[slot] = set;
            seen.set[other(slot)] = SetSeen { rev: HOME, pinned: true, ..SetSeen::EMPTY };
            for (accepted, more) in pairs(&splits) {
                seen.route.accepted = Route::plain(accepted);
                seen.route.in_force = more.into_iter().collect();
                for (acked, to) in [true, false].into_iter().flat_map(|a| (0..=self.size.most()).map(move |t| (a, t))) {
                    seen.route.acked = acked;
                    for (rev, pin) in [(1, true), (1, false), (2, true), (2, false)] {
                        let rev = Rev(rev);
                        let decides = to >= set.desired || set.rev != Some(rev) || !acked;
                        if decides {
                            judge.input(limits, seen, &Write::Resize { slot, to, rev, pin });
                        }
                    }
                }
            }
        }
    }

    fn rewrite(&self, limits: &Limits, seen: &mut Observation, judge: &mut Judge) {
        let in_force = self.in_force(&self.size.splits());
        let set = seen.set[0];
        judge.input(limits, seen, &Write::Claim);
        for slot in self.slots() {
            seen.set[slot] = set;
            for beside in self.size.beside() {
                seen.set[other(slot)] = beside;
                for (accepted, more) in &in_force {
                    seen.route.accepted = Route::plain(*accepted);
                    seen.route.in_force.clone_from(more);
                    for flags in 0..4 {
                        (seen.route.acked, seen.due.drain) = (flags & 1 == 1, flags & 2 == 2);
                        for rev in [Rev(1), Rev(2)] {
                            judge.input(limits, seen, &Write::Rewrite { slot, rev });
                        }
                    }
                }
            }
        }
    }

    /// The slots that are written to; the other order of the two is the mirror image.
    fn slots(&self) -> std::ops::Range<usize> {
        if self.size.whole { 0..2 } else { 0..1 }
    }
}

/// Every accepted split with none or one more in force.
fn pairs(splits: &[Split]) -> impl Iterator<Item = (Split, Option<Split>)> {
    let more = || std::iter::once(None).chain(splits.iter().copied().map(Some));
    splits.iter().flat_map(move |accepted| more().map(move |more| (*accepted, more)))
}

/// What a view looks like from the other side.
pub fn mirrored(seen: &Observation) -> Observation {
    let in_force = seen.route.in_force.iter().map(|split| split.swapped()).collect();
    let route = RouteSeen { accepted: seen.route.accepted.swapped(), acked: seen.route.acked, in_force };
    Observation { set: [seen.set[1], seen.set[0]], route, ..seen.clone() }
}

/// What a write looks like from the other side.
pub fn mirrored_write(write: &Write) -> Write {
    match *write {
        Write::Claim => Write::Claim,
        Write::Route(route) => Write::Route(route.swapped()),
        Write::Resize { slot, to, rev, pin } => Write::Resize { slot: other(slot), to, rev, pin },
        Write::Rewrite { slot, rev } => Write::Rewrite { slot: other(slot), rev },
    }
}
