//! One state of the world: a few dozen bytes, equal exactly when nothing that may still happen differs.

/// A set of instances as it is. Instances of one set and health are interchangeable, so they are counted; this is a
/// full symmetry reduction. "Starting", "crashed" and "not yet created" are one thing, not ready: the core sees only
/// counts, and an instance that is not created yet is never counted as more than one that is not ready.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Set {
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
    /// Whether instances that no split in force reaches still have open requests. One is as good as many: the core
    /// compares the number with 0 only.
    pub busy: bool,
}

impl Set {
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
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct View {
    /// The set as it was. Of a view that is not fresh the readiness is forgotten, because the core ignores it.
    pub set: Set,
    /// At least as new as the own last write.
    pub fresh: bool,
}

/// A write under way, and what could be known when it was allowed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
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
}

/// The most generations that some data plane may still apply beside the accepted one.
pub const OLDER: usize = 4;

/// Everything.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct State {
    /// The two slots.
    pub set: [Set; 2],
    /// What the controller saw of them.
    pub view: [View; 2],
    /// The number of the route that was written last.
    pub accepted: u16,
    /// The routes that some data plane may still apply, in rising order, 0 for none. A plane may skip generations,
    /// so any of them may go at any time; how many planes there are does not matter.
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
