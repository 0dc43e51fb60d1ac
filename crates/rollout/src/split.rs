//! How traffic is divided between the two slots, and what a data plane may do by itself.
use serde::{Deserialize, Serialize};

/// One of the two places, 0 or 1, that a set of instances can have. Either may be the good one; neither is "the
/// canary" by nature.
pub type Slot = usize;

/// One value for each slot.
pub type Pair<T> = [T; 2];

/// Basis points: hundredths of a percent, 0..=10 000.
pub type Bp = u16;

/// The whole of the traffic, in basis points.
pub const FULL: Bp = 10_000;

/// The slot that is not `slot`.
pub const fn other(slot: Slot) -> Slot {
    1 - slot
}

/// The whole assignment of traffic to the slots. Every form answers the same question: can these instances carry it?
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// The share of each slot in basis points. Invariant: they sum to [`FULL`].
    Weighted(Pair<Bp>),
    /// The number of routed instances of each slot; all of them share the traffic evenly, so the share follows from
    /// the counts. `[0, 0]` routes to nothing: requests are held.
    Members(Pair<u16>),
}

impl Split {
    /// Everything to `slot`, which has `size` instances.
    pub const fn all(slot: Slot, size: u16) -> Split {
        let mut members = [0, 0];
        members[slot] = size;
        Split::Members(members)
    }

    /// `share` of the traffic to `slot`, the rest to the other one.
    pub const fn share_to(slot: Slot, share: Bp) -> Split {
        let mut shares = [FULL - share, FULL - share];
        shares[slot] = share;
        Split::Weighted(shares)
    }

    /// Whether any request may go to `slot` under this split.
    pub const fn reaches(self, slot: Slot) -> bool {
        match self {
            Split::Weighted(shares) => shares[slot] > 0,
            Split::Members(members) => members[slot] > 0,
        }
    }

    /// How many of the `present` instances of `slot` may get requests under this split.
    pub fn routed(self, slot: Slot, present: u16) -> u16 {
        match self {
            Split::Weighted(shares) => {
                if shares[slot] > 0 {
                    present
                } else {
                    0
                }
            }
            Split::Members(members) => members[slot].min(present),
        }
    }

    /// The share of `slot` in basis points; for members the one that follows from the counts, rounded down.
    pub fn share(self, slot: Slot) -> Bp {
        match self {
            Split::Weighted(shares) => shares[slot],
            Split::Members(members) => {
                let sum = u32::from(members[0]) + u32::from(members[1]);
                let part = u32::from(members[slot]) * u32::from(FULL);
                part.checked_div(sum).unwrap_or(0) as Bp
            }
        }
    }

    /// The same split with the slots exchanged.
    pub const fn swapped(self) -> Split {
        match self {
            Split::Weighted([a, b]) => Split::Weighted([b, a]),
            Split::Members([a, b]) => Split::Members([b, a]),
        }
    }
}

/// What is written to a router in one generation. The fallback is part of it: a data plane may apply it at any moment
/// without asking, so it is in force as much as the split is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Route {
    /// The split that is asked for.
    pub split: Split,
    /// The split that the data plane may return to by itself, when instances refuse or, with `lease`, when the
    /// controller is silent.
    pub fallback: Option<Split>,
    /// Whether the data plane takes the fallback when the lease was not renewed. Off where the split must outlive the
    /// controller: at rest, after the commit, parked.
    pub lease: bool,
}

impl Route {
    /// A route without a fallback.
    pub const fn plain(split: Split) -> Route {
        Route { split, fallback: None, lease: false }
    }

    /// Nothing is routed: where every service begins.
    pub const NOWHERE: Route = Route::plain(Split::Members([0, 0]));

    /// The split and, if there is one, the fallback.
    pub fn splits(&self) -> impl Iterator<Item = Split> + use<> {
        [Some(self.split), self.fallback].into_iter().flatten()
    }

    /// Whether the split or the fallback sends anything to `slot`.
    pub fn reaches(&self, slot: Slot) -> bool {
        self.splits().any(|split| split.reaches(slot))
    }

    /// The same route with the slots exchanged.
    pub fn swapped(self) -> Route {
        Route { split: self.split.swapped(), fallback: self.fallback.map(Split::swapped), lease: self.lease }
    }
}
