//! What may go wrong in a play.

/// A set of instances by what it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Track {
    /// The old revision's.
    Old,
    /// The new revision's.
    New,
}

impl Track {
    /// The number of its revision in the world.
    pub(super) const fn rev(self) -> u32 {
        match self {
            Track::Old => 1,
            Track::New => 2,
        }
    }
}

/// One thing that goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The new revision answers so many requests of a million with an error, from then on.
    Errors(u32),
    /// The new revision takes so many milliseconds more for every answer, from then on.
    Slow(u64),
    /// Instances of the new revision never become ready.
    NeverReady,
    /// One instance ends, as soon as the track has one that is ready.
    InstanceLost(Track),
    /// The controller is killed, and started again after so many milliseconds.
    ControllerKilled(u64),
    /// Nobody sends requests any more.
    NoTraffic,
    /// Data planes take so many milliseconds to confirm a route, from then on.
    RouteLate(u64),
    /// Nothing can be saved for so many milliseconds.
    StoreFull(u64),
}

/// A fault and its moment, from the deploy on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Strike {
    /// What.
    pub fault: Fault,
    /// When.
    pub at_ms: u64,
}
