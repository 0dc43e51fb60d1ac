//! The second key. Read this first: whatever asks for a write, be it [`crate::decide`], a person or a bug, nothing
//! happens unless this allows it. It knows sizes, readiness, freshness and splits, and nothing else.
use crate::capacity::{carries, served, usable_after, usable_of};
use crate::guards::{Guards, Sound};
use crate::observation::{Observation, RouteSeen, SetSeen, Write};
use crate::split::{Pair, Route, Slot, Split, other};
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
    /// Traffic for a set that others may shrink, that is shrinking, or of which nothing new is known.
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
        Write::Route(route) => permit_route::<G>(limits, seen, usable, &route),
        Write::Resize { slot, to, rev, pin } => {
            let set = &seen.set[slot];
            if G::KEY_OCCUPIED && set.rev != Some(rev) && !set.is_empty() {
                return Err(Refusal::Occupied(slot));
            }
            if to < set.desired {
                permit_lower::<G>(limits, seen, usable, slot, to)?;
            }
            if set.pinned && !pin { permit_unpin::<G>(&seen.route, slot) } else { Ok(()) }
        }
        Write::Rewrite { slot, .. } => permit_rewrite::<G>(limits, seen, usable, slot),
    }
}

/// Whether everything goes to `slot`, so that whoever scales it sees the traffic that it has to carry.
fn rests_on(route: &RouteSeen, slot: Slot) -> bool {
    route.accepted.split.reaches(slot) && !route.reaches(other(slot))
}

/// Others may lower a set again when no split in force reaches it, or when everything goes there and they see that.
fn permit_unpin<G: Guards>(route: &RouteSeen, slot: Slot) -> Result<(), Refusal> {
    if G::KEY_PINNED && route.reaches(slot) && !rests_on(route, slot) {
        Err(Refusal::Unpinned(slot))
    } else if G::KEY_ACKED && !route.acked {
        Err(Refusal::Unacknowledged)
    } else {
        Ok(())
    }
}

/// No split in force reaches the set, nobody is still served by it, and the other set is whole.
fn permit_rewrite<G: Guards>(
    limits: &Limits,
    seen: &Observation,
    usable: Pair<u16>,
    slot: Slot,
) -> Result<(), Refusal> {
    if G::KEY_ROUTED && seen.route.reaches(slot) {
        Err(Refusal::Routed(slot))
    } else if G::KEY_ACKED && !seen.route.acked {
        Err(Refusal::Unacknowledged)
    } else if G::KEY_BUSY && busy::<G>(&seen.set[slot]) > 0 && !seen.due.drain {
        Err(Refusal::Busy(slot))
    } else if G::KEY_WHOLE && usable[other(slot)] < limits.replicas {
        Err(Refusal::NotWhole(other(slot)))
    } else {
        Ok(())
    }
}

/// Both splits of the route go only to sets that stay, and are carried; or, degraded, each serves something and no less
/// than every split in force does. Where nothing serves, requests may be held.
fn permit_route<G: Guards>(
    limits: &Limits,
    seen: &Observation,
    usable: Pair<u16>,
    route: &Route,
) -> Result<(), Refusal> {
    for split in route.splits() {
        for slot in 0..2 {
            let set = &seen.set[slot];
            let stays = (set.fresh || !G::KEY_FRESH) && set.pinned && set.total <= set.desired;
            if G::KEY_PINNED && split.reaches(slot) && !stays {
                return Err(Refusal::Unpinned(slot));
            }
        }
        let serves = |split| served(split, usable, limits.floor);
        let known = seen.set[0].fresh && seen.set[1].fresh;
        let holds = !split.reaches(0) && !split.reaches(1) && seen.set[0].ready + seen.set[1].ready == 0;
        let no_worse = seen.route.splits().all(|now| serves(split) >= serves(now));
        let degraded = known && no_worse && (serves(split) > 0 || holds);
        if G::KEY_CAPACITY && !carries(split, usable, limits.floor) && !degraded {
            return Err(Refusal::Capacity);
        }
    }
    Ok(())
}

/// What is left carries every split in force, all data planes have acknowledged, nothing routed stops, it has drained or
/// its drain deadline passed, and the floor holds.
fn permit_lower<G: Guards>(
    limits: &Limits,
    seen: &Observation,
    usable: Pair<u16>,
    slot: Slot,
    to: u16,
) -> Result<(), Refusal> {
    let set = &seen.set[slot];
    if G::KEY_ACKED && !seen.route.acked {
        return Err(Refusal::Unacknowledged);
    }
    let routed = seen.route.splits().map(|split| split.routed(slot, set.present())).max().unwrap_or(0);
    if G::KEY_ROUTED && to < routed {
        return Err(Refusal::Routed(slot));
    }
    if G::KEY_BUSY && to < routed.saturating_add(busy::<G>(set)) && !seen.due.drain {
        return Err(Refusal::Busy(slot));
    }
    let mut left = usable;
    left[slot] = usable_after(set, to);
    let carried = |split: Split| !split.reaches(slot) || carries(split, left, limits.floor);
    if G::KEY_NEEDED && !seen.route.splits().all(carried) {
        return Err(Refusal::Needed(slot));
    }
    let nothing_lost = set.fresh && left[slot] == set.ready;
    if G::KEY_FLOOR && left[0] + left[1] < limits.floor && !nothing_lost {
        return Err(Refusal::Floor);
    }
    Ok(())
}

/// Instances with open requests that nothing sends to. Where nothing new is known, all of them may have some.
fn busy<G: Guards>(set: &SetSeen) -> u16 {
    if set.fresh || !G::KEY_FRESH { set.busy } else { set.present() }
}

fn counted<G: Guards>(seen: &Observation) -> Pair<u16> {
    [0, 1].map(|slot: Slot| {
        let set = SetSeen { fresh: seen.set[slot].fresh || !G::KEY_FRESH, ..seen.set[slot] };
        if G::SURPLUS { usable_of(&set) } else { set.ready }
    })
}

#[cfg(test)]
mod tests;
