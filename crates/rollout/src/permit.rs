//! The second key. Read this first: whatever asks for a write, be it [`crate::decide`], a person or a bug, nothing
//! happens unless this allows it. It knows sizes, readiness, freshness and splits, and nothing else.
use crate::capacity::{carries, served, usable, usable_after};
use crate::guards::{Guards, Sound};
use crate::observation::{Observation, RouteSeen, Write};
use crate::split::{Pair, Route, Slot, other};
use serde::{Deserialize, Serialize};

/// What a service must keep.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// Instances at rest.
    pub replicas: u16,
    /// Instances that carry all of the traffic: `replicas - max_unavailable`, at least 1. It is 0 only where downtime
    /// is allowed.
    pub floor: u16,
}

/// Why a write must not happen now.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Traffic for a set that others may shrink, or that is shrinking.
    Unpinned(Slot),
    /// Traffic for a set that cannot carry it, while another split serves more.
    Capacity,
    /// Another revision in a set that is not known to be empty.
    Occupied(Slot),
    /// A data plane may still apply an older route.
    Unacknowledged,
    /// Instances that may get requests would be stopped.
    Routed(Slot),
    /// Instances with open requests would be stopped before their drain deadline.
    Busy(Slot),
    /// What is left would not carry every split in force.
    Needed(Slot),
    /// What is left would be less than the floor.
    Floor,
    /// The other set is not whole.
    NotWhole(Slot),
}

/// Whether this write may happen, judged on a fresh, linearizable read taken directly before it.
///
/// # Errors
/// The rule that it would break.
pub fn permit(limits: &Limits, seen: &Observation, write: &Write) -> Result<(), Refusal> {
    permit_with::<Sound>(limits, seen, write)
}

/// [`permit`] with the guards `G`.
///
/// # Errors
/// The rule that it would break.
pub fn permit_with<G: Guards>(limits: &Limits, seen: &Observation, write: &Write) -> Result<(), Refusal> {
    let usable = counted::<G>(seen);
    match *write {
        Write::Claim => Ok(()),
        Write::Route(route) => permit_route(limits, seen, usable, &route),
        Write::Resize { slot, to, rev, pin } => {
            let set = &seen.set[slot];
            if set.rev != Some(rev) && !set.is_empty() {
                return Err(Refusal::Occupied(slot));
            }
            if to < set.desired {
                permit_lower(limits, seen, usable, slot, to)
            } else if set.pinned && !pin && seen.route.reaches(slot) && !rests_on(&seen.route, slot) {
                Err(Refusal::Unpinned(slot))
            } else if set.pinned && !pin && !seen.route.acked {
                Err(Refusal::Unacknowledged)
            } else {
                Ok(())
            }
        }
        Write::Rewrite { slot, .. } => {
            if seen.route.reaches(slot) {
                Err(Refusal::Routed(slot))
            } else if !seen.route.acked {
                Err(Refusal::Unacknowledged)
            } else if usable[other(slot)] < limits.replicas {
                Err(Refusal::NotWhole(other(slot)))
            } else {
                Ok(())
            }
        }
    }
}

/// Whether everything goes to `slot`, so that whoever scales it sees the traffic that it has to carry.
fn rests_on(route: &RouteSeen, slot: Slot) -> bool {
    route.accepted.split.reaches(slot) && !route.reaches(other(slot))
}

/// Both splits of the route go only to sets that stay, and are carried; or, degraded, each serves something and no less
/// than every split in force does. Where nothing serves, requests may be held.
fn permit_route(limits: &Limits, seen: &Observation, usable: Pair<u16>, route: &Route) -> Result<(), Refusal> {
    for split in route.splits() {
        for slot in 0..2 {
            let set = &seen.set[slot];
            if split.reaches(slot) && !(set.pinned && set.total <= set.desired) {
                return Err(Refusal::Unpinned(slot));
            }
        }
        let serves = |split| served(split, usable, limits.floor);
        let known = seen.set[0].fresh && seen.set[1].fresh;
        let holds = !split.reaches(0) && !split.reaches(1);
        let no_worse = seen.route.splits().all(|now| serves(split) >= serves(now));
        let degraded = known && no_worse && (serves(split) > 0 || holds);
        if !carries(split, usable, limits.floor) && !degraded {
            return Err(Refusal::Capacity);
        }
    }
    Ok(())
}

/// What is left carries every split in force, all data planes have acknowledged, nothing routed stops, it has drained or
/// its drain deadline passed, and the floor holds.
fn permit_lower(limits: &Limits, seen: &Observation, usable: Pair<u16>, slot: Slot, to: u16) -> Result<(), Refusal> {
    let set = &seen.set[slot];
    if !seen.route.acked {
        return Err(Refusal::Unacknowledged);
    }
    let routed = seen.route.splits().map(|split| split.routed(slot, set.total)).max().unwrap_or(0);
    if to < routed {
        return Err(Refusal::Routed(slot));
    }
    if to < routed.saturating_add(set.busy) && !seen.due.drain {
        return Err(Refusal::Busy(slot));
    }
    let mut left = usable;
    left[slot] = usable_after(set, to);
    if seen.route.splits().any(|split| split.reaches(slot) && !carries(split, left, limits.floor)) {
        return Err(Refusal::Needed(slot));
    }
    let nothing_lost = set.fresh && left == usable;
    if left[0] + left[1] < limits.floor && !nothing_lost {
        return Err(Refusal::Floor);
    }
    Ok(())
}

fn counted<G: Guards>(seen: &Observation) -> Pair<u16> {
    if G::SURPLUS { usable(seen) } else { [seen.set[0].ready, seen.set[1].ready] }
}

#[cfg(test)]
mod tests;
