//! One state of the world: a few dozen bytes, equal exactly when nothing that may still happen differs.
use std::hash::{Hash, Hasher};

/// The most instances that a set may have.
pub const MOST: usize = 12;

/// One instance: whether it is ready, whether it has open requests, and which generations of the route send to it.
/// "Starting", "crashed" and "not yet created" are one thing, not ready. Whether it has open requests is told only of
/// those that no generation sends to any more; the others may have some at any time. One that is not ready any more may
/// still work at what it was sent before; when it lost its requests, they have ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Instance(pub u8);

impl Instance {
    const READY: u8 = 1;
    const OPEN: u8 = 2;
    const GENERATIONS: u32 = 2;

    /// It serves what it is sent.
    pub const fn is_ready(self) -> bool {
        self.0 & Self::READY != 0
    }

    /// It still works at requests, although nothing sends to it any more.
    pub const fn is_open(self) -> bool {
        self.0 & Self::OPEN != 0
    }

    /// The generations that send to it: bit 0 the accepted one, bit `1 + i` the older one with the index `i`.
    pub const fn sent(self) -> u8 {
        self.0 >> Self::GENERATIONS
    }

    /// The same instance, that is ready or not.
    #[must_use]
    pub const fn with_ready(self, ready: bool) -> Instance {
        let rest = self.0 & !Self::READY;
        Instance(if ready { rest | Self::READY } else { rest })
    }

    /// The same instance, whose requests have ended.
    #[must_use]
    pub const fn idle(self) -> Instance {
        Instance(self.0 & !Self::OPEN)
    }

    /// The same instance, to which these generations send. With `keeps` it goes on with its open requests when none does
    /// any more.
    #[must_use]
    pub const fn with_sent(self, sent: u8, keeps: bool) -> Instance {
        let rest = self.0 & (Self::READY | Self::OPEN);
        if sent != 0 {
            return Instance((rest & Self::READY) | sent << Self::GENERATIONS);
        }
        let leaves = keeps && self.sent() != 0;
        Instance(if leaves { rest | Self::OPEN } else { rest })
    }
}

/// A set of instances as it is. Those that are alike in everything are interchangeable, so they are kept in order; this
/// is a full symmetry reduction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Set {
    /// What it runs; 0 for nothing yet.
    pub rev: u8,
    /// What was asked for.
    pub desired: u8,
    /// Whether the autoscaler keeps off.
    pub pinned: bool,
    /// What is too many may be stopped with open requests: their deadline had passed when the write was permitted, or the
    /// router gave them up by itself since then, or they got them by somebody else's route.
    pub drained: bool,
    /// What is too many was made so by somebody else, who stops whichever he likes.
    pub scaled: bool,
    len: u8,
    list: [Instance; MOST],
}

impl Set {
    /// `count` ready instances of `rev`, all of them asked for, to which the accepted generation sends.
    pub fn whole(rev: u8, count: u8) -> Set {
        let mut set = Set { rev, desired: count, ..Set::default() };
        (0..count).for_each(|_| set.add(Instance::default().with_ready(true).with_sent(1, false)));
        set
    }

    /// A set that was counted; whom the route sends to is not known yet. Of those that have open requests `ailing` are
    /// not ready, as far as there are so many.
    ///
    /// # Panics
    /// With more than [`MOST`] instances.
    pub fn counted(seen: &Seen, ailing: u8) -> Set {
        let mut set = Set { rev: seen.rev, desired: seen.desired, pinned: seen.pinned, ..Set::default() };
        let ailing = ailing.min(seen.busy).min(seen.notready);
        let (ready, last) = (seen.busy - ailing, seen.ready + ailing);
        for at in 0..seen.total() {
            let open = at < ready || (seen.ready..last).contains(&at);
            let ready = Instance::default().with_ready(at < seen.ready);
            set.add(if open { ready.with_sent(1, false).with_sent(0, true) } else { ready });
        }
        set
    }

    /// All that exist, in order.
    pub fn list(&self) -> &[Instance] {
        &self.list[..usize::from(self.len)]
    }

    /// All that exist, to be changed; [`Set::sort`] must follow.
    pub fn list_mut(&mut self) -> &mut [Instance] {
        &mut self.list[..usize::from(self.len)]
    }

    /// Brings the instances into their order again.
    pub fn sort(&mut self) {
        self.list_mut().sort_unstable();
    }

    /// One more.
    ///
    /// # Panics
    /// With more than [`MOST`]: the world is too large.
    pub fn add(&mut self, instance: Instance) {
        assert!(usize::from(self.len) < MOST, "a set has at most {MOST} instances");
        self.list[usize::from(self.len)] = instance;
        self.len += 1;
        self.sort();
    }

    /// One less: the one with this index.
    pub fn remove(&mut self, at: usize) -> Instance {
        let gone = self.list[at];
        let last = usize::from(self.len) - 1;
        self.list.swap(at, last);
        self.list[last] = Instance::default();
        self.len -= 1;
        self.sort();
        gone
    }

    /// Every instance changed.
    pub fn change(&mut self, by: impl Fn(Instance) -> Instance) {
        self.list_mut().iter_mut().for_each(|instance| *instance = by(*instance));
        self.sort();
    }

    fn count(&self, what: impl Fn(Instance) -> bool) -> u8 {
        self.list().iter().filter(|instance| what(**instance)).count() as u8
    }

    /// How many exist.
    pub const fn total(&self) -> u8 {
        self.len
    }

    /// How many are ready.
    pub fn ready(&self) -> u8 {
        self.count(Instance::is_ready)
    }

    /// How many have open requests although nothing sends to them.
    pub fn busy(&self) -> u8 {
        self.count(Instance::is_open)
    }

    /// How many some generation sends to.
    pub fn sent(&self) -> u8 {
        self.count(|instance| instance.sent() != 0)
    }

    /// How many of those that the generation with this bit sends to are ready, and stay when somebody else takes what is
    /// too many, whichever he takes.
    pub fn serving(&self, generation: u8) -> u8 {
        let ready = self.count(|instance| instance.is_ready() && instance.sent() & generation != 0);
        if self.scaled { ready.min(self.usable()) } else { ready }
    }

    /// How many are too many.
    pub const fn surplus(&self) -> u8 {
        self.total().saturating_sub(self.desired)
    }

    /// Ready instances that stay when the platform removes the surplus, whichever it picks.
    pub fn usable(&self) -> u8 {
        self.ready().saturating_sub(self.surplus())
    }

    /// What is told of it.
    pub fn seen(&self) -> Seen {
        let ready = self.ready();
        let (rev, desired, pinned) = (self.rev, self.desired, self.pinned);
        Seen { rev, desired, ready, notready: self.total() - ready, pinned, busy: self.busy() }
    }

    fn words(&self) -> [u64; 2] {
        let flags = u8::from(self.pinned) | u8::from(self.drained) << 1 | u8::from(self.scaled) << 2;
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.list.map(|instance| instance.0);
        [
            u64::from_le_bytes([self.rev, self.desired, flags, self.len, a, b, c, d]),
            u64::from_le_bytes([e, f, g, h, i, j, k, l]),
        ]
    }
}

/// A set as it is reported: counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// What it runs; 0 for nothing yet.
    pub rev: u8,
    /// What was asked for.
    pub desired: u8,
    /// Ready instances.
    pub ready: u8,
    /// The others.
    pub notready: u8,
    /// Whether the autoscaler keeps off.
    pub pinned: bool,
    /// Those that have open requests although nothing sends to them.
    pub busy: u8,
}

impl Seen {
    /// All that exist.
    pub const fn total(&self) -> u8 {
        self.ready + self.notready
    }

    /// Ready instances that stay when the platform removes the surplus, whichever it picks.
    pub const fn usable(&self) -> u8 {
        self.ready.saturating_sub(self.total().saturating_sub(self.desired))
    }
}

/// A set as the controller last saw it, however long ago.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct View {
    /// The set as it was. Of a view that is not fresh the readiness is forgotten, because the core ignores it.
    pub set: Seen,
    /// At least as new as the own last write.
    pub fresh: bool,
}

impl View {
    fn word(&self) -> u64 {
        let Seen { rev, desired, ready, notready, pinned, busy } = self.set;
        u64::from_le_bytes([rev, desired, ready, notready, u8::from(pinned), busy, u8::from(self.fresh), 0])
    }
}

/// A write under way, and what could be known when it was allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flight {
    /// The number of the write; 0 for none.
    pub write: u16,
    /// Ghost: what was usable at the read that allowed it. Losses since then could not be known. Nothing, where the read
    /// did not know.
    pub seen: [u8; 2],
    /// Ghost: the slots of which that read did not know, one bit each.
    pub blind: u8,
    /// Ghost: at that read no split in force served more.
    pub no_worse: bool,
    /// Ghost: the edits of the route since that read, one bit for each that there may be. Nobody could know of them.
    pub edited: u8,
    /// Ghost: the plan that counted at that read. People may have asked for another size since.
    pub plan: u8,
    /// Ghost: the drain deadline had passed.
    pub due: bool,
    /// Ghost: since then the router took the traffic from an instance of the set by itself, because another one failed.
    pub moved: bool,
}

impl Flight {
    fn word(&self) -> u64 {
        let Flight { write, seen, blind, no_worse, edited, plan, due, moved } = *self;
        let [low, high] = write.to_le_bytes();
        let flags = u8::from(no_worse) | u8::from(due) << 1 | blind << 2 | u8::from(moved) << 4;
        u64::from_le_bytes([low, high, seen[0], seen[1], flags, edited, plan, 0])
    }
}

/// The most generations that some data plane may still apply beside the accepted one.
pub const OLDER: usize = 4;

/// Everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct State {
    /// The two slots.
    pub set: [Set; 2],
    /// What the controller saw of them.
    pub view: [View; 2],
    /// The number of the route that was written last.
    pub accepted: u16,
    /// The routes that some data plane may still apply, in rising order, 0 for none. A plane may skip generations,
    /// so any of them may go at any time; how many planes there are does not matter. The accepted route may be among
    /// them, with other instances.
    pub older: [u16; OLDER],
    /// Some data plane has not confirmed the accepted generation.
    pub late: bool,
    /// The number of the saved status.
    pub status: u16,
    /// Which plan is wanted: its index in the world.
    pub scale: u8,
    /// Which plan the rollout under way began with; 0 at rest, where the wanted one counts.
    pub frozen: u8,
    /// The revision that people want.
    pub wanted: u8,
    /// The incarnation has fenced the objects.
    pub claimed: bool,
    /// The controller's write.
    pub flight: Flight,
    /// The write of a dead incarnation that may still land.
    pub zombie: Flight,
    /// The save of a dead incarnation that may still land: the number of a status, 0 for none.
    pub zombie_save: u16,
    /// How often somebody may still write the route from outside.
    pub edits: u8,
    /// Ghost: how many of a slot's instances the world took after the controller had counted on them, cut to what is
    /// missing now.
    pub debt: [u8; 2],
    /// The rule that is broken; 0 for none.
    pub broken: u8,
}

/// Whole words: a state is hashed more often than anything else happens.
impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let State {
            set,
            view,
            accepted,
            older,
            late,
            status,
            scale,
            frozen,
            wanted,
            claimed,
            flight,
            zombie,
            zombie_save,
            edits,
            debt,
            broken,
        } = self;
        set.iter().flat_map(Set::words).for_each(|word| hasher.write_u64(word));
        view.iter().for_each(|view| hasher.write_u64(view.word()));
        hasher.write_u64(older.iter().fold(0, |word, id| word << 16 | u64::from(*id)));
        let [a, b] = accepted.to_le_bytes();
        let [c, d] = status.to_le_bytes();
        let flags = u8::from(*late) | u8::from(*claimed) << 1;
        hasher.write_u64(u64::from_le_bytes([a, b, c, d, flags, *scale, *frozen, *wanted]));
        hasher.write_u64(flight.word());
        hasher.write_u64(zombie.word());
        let [e, f] = zombie_save.to_le_bytes();
        hasher.write_u64(u64::from_le_bytes([e, f, *edits, debt[0], debt[1], *broken, 0, 0]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_small_and_instances_that_are_alike_are_one_state() {
        assert!(size_of::<State>() <= 100, "{}", size_of::<State>());
        let (up, down) = (Instance::default().with_ready(true), Instance::default());
        let [mut a, mut b] = [Set::default(); 2];
        a.add(up);
        a.add(down);
        b.add(down);
        b.add(up);
        assert_eq!(a, b);
        assert!(a.remove(1).is_ready());
        assert_eq!((a.total(), a.ready()), (1, 0));
        a.remove(0);
        assert_eq!(a, Set::default(), "nothing is left of what is gone");
    }

    #[test]
    fn what_loses_its_last_generation_keeps_its_requests_until_they_end() {
        let serving = Instance::default().with_ready(true).with_sent(0b101, true);
        assert_eq!(serving.sent(), 0b101);
        let one = serving.with_sent(0b100, true);
        assert!(!one.is_open());
        let none = one.with_sent(0, true);
        assert!(none.is_open() && none.sent() == 0);
        assert!(!none.idle().is_open());
        assert!(none.with_ready(false).is_open(), "it may still work at them");
        assert!(!none.with_sent(1, true).is_open(), "it may have requests anyway");
        assert!(one.with_ready(false).with_sent(0, true).is_open(), "it may have been ready before");
        assert!(!none.idle().with_sent(0, true).is_open(), "it has lost nothing just now");
    }
}
