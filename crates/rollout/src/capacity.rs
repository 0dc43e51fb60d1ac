//! What a number of ready instances can carry. Both keys, [`crate::decide`] and [`crate::permit`], count with this.
use crate::observation::SetSeen;
use crate::split::{Bp, FULL, Pair, Split};

/// Instances needed for `share` of the traffic when `floor` instances carry all of it: rounded up, and at least one for
/// any share, because "0 of 0 ready" is not ready.
pub fn need(share: Bp, floor: u16) -> u16 {
    if share == 0 {
        return 0;
    }
    let exact = (u32::from(share) * u32::from(floor)).div_ceil(u32::from(FULL));
    (exact as u16).max(1)
}

/// The largest share that `count` instances can carry when `floor` instances carry all of it.
pub fn can_carry(count: u16, floor: u16) -> Bp {
    let floor = u32::from(floor.max(1));
    (u32::from(count).min(floor) * u32::from(FULL) / floor) as Bp
}

/// What stays ready of a set when the platform removes its surplus, whichever instances it picks. A stale view counts
/// as nothing: unknown is not ready.
pub fn usable_of(set: &SetSeen) -> u16 {
    if set.fresh { set.ready.saturating_sub(set.total.saturating_sub(set.desired)) } else { 0 }
}

/// What stays ready of a set when its platform keeps `to` instances, whichever it picks. Those that it has yet to create
/// count as there: it may create them and then stop others.
pub fn usable_after(set: &SetSeen, to: u16) -> u16 {
    if set.fresh { set.ready.saturating_sub(set.present().saturating_sub(to)) } else { 0 }
}

/// Whether `usable` instances carry the whole of `split` when `floor` instances carry all traffic. A split that routes
/// to nothing is carried only where the floor is 0.
pub fn carries(split: Split, usable: Pair<u16>, floor: u16) -> bool {
    match split {
        Split::Weighted(shares) => (0..2).all(|k| usable[k] >= need(shares[k], floor)),
        Split::Members(members) => {
            let routed = usable[0].min(members[0]) + usable[1].min(members[1]);
            routed >= floor.max(u16::from(members != [0, 0]))
        }
    }
}

/// The part of the traffic, in hundredths of a basis point, that `usable` instances serve under `split`: a set with
/// fewer than it needs serves in proportion.
pub fn served(split: Split, usable: Pair<u16>, floor: u16) -> u32 {
    const SCALE: u32 = 100;
    let part = |share: Bp, have: u16, need: u16| {
        let need = u32::from(need.max(1));
        u32::from(share) * SCALE * u32::from(have).min(need) / need
    };
    match split {
        Split::Weighted(shares) => (0..2).map(|k| part(shares[k], usable[k], need(shares[k], floor))).sum(),
        Split::Members(members) => part(FULL, usable[0].min(members[0]) + usable[1].min(members[1]), floor),
    }
}

#[cfg(test)]
mod tests;
