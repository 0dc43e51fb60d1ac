//! The one mover: grow, wait ready, route, wait acknowledged, shrink, wait drained. It knows targets and nothing else.
use super::View;
use crate::guards::Guards;
use crate::observation::Write;
use crate::plan::Target;
use crate::split::{Route, Slot, Split, other};
use crate::waiting::WaitingOn;

/// What it takes to come closer to a target.
pub(super) enum Move {
    /// This write.
    Ask(Write),
    /// Something that only the world can do.
    Wait(WaitingOn),
    /// Nothing: the target is reached.
    There,
}

/// How far to go, and how careful to be on the way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Towards a revision that has to prove itself: it is healthy before it gets traffic.
    Forward,
    /// To the good slot: traffic moves as its capacity allows.
    Home,
}

impl<G: Guards> View<'_, G> {
    /// The next move towards `target`.
    pub(super) fn toward(&self, target: &Target, mode: Mode) -> Move {
        if let Some(slot) = (0..2).find(|k| self.plan.ceiling != u16::MAX && !self.fresh(*k)) {
            return Move::Wait(WaitingOn::Ready(slot)); // unknown is not empty: there may be no room
        }
        let target = &self.with_shares_kept(self.within_ceiling(target));
        if let Some(write) = self.grow(target) {
            return Move::Ask(write);
        }
        let wish = self.with_safe_fallback(target.route);
        if self.seen.route.accepted != wish {
            return self.route(target, wish, mode);
        }
        if !self.acked() {
            return Move::Wait(WaitingOn::Acknowledged);
        }
        self.shrink(target).unwrap_or(Move::There)
    }

    /// A target that is possible with the room there is: where both sets do not fit, the one that has too many goes
    /// first. The target itself becomes possible again once that is done.
    fn within_ceiling(&self, target: &Target) -> Target {
        let set = &self.seen.set;
        let most: u32 = (0..2).map(|k| u32::from(set[k].present().max(target.size[k]))).sum();
        if most <= u32::from(self.plan.ceiling) {
            return *target;
        }
        let size = [0, 1].map(|k: Slot| set[k].desired.min(target.size[k]));
        Target { size, route: Route::plain(Split::Members(size)) }
    }

    /// A share goes to every instance of its set, so none of them can be stopped under it: more than the target asks for
    /// stay until the traffic has gone.
    fn with_shares_kept(&self, target: Target) -> Target {
        let Split::Weighted(shares) = target.route.split else { return target };
        let keep = |k: Slot| if shares[k] > 0 { self.seen.set[k].desired.max(target.size[k]) } else { target.size[k] };
        Target { size: [keep(0), keep(1)], ..target }
    }

    fn grow(&self, target: &Target) -> Option<Write> {
        (0..2).find_map(|slot| {
            let (set, size) = (&self.seen.set[slot], target.size[slot]);
            let pin = set.pinned || G::PIN;
            if size == 0 || (set.desired >= size && set.pinned == pin) {
                return None;
            }
            let rev = self.rev_of(slot)?;
            Some(Write::Resize { slot, to: size.max(set.desired), rev, pin })
        })
    }

    /// The route with its fallback, if that is a place to go: a data plane may take it at any moment. One that is in
    /// force already stays while it serves anything, so that a short weakness does not rewrite the route twice.
    fn with_safe_fallback(&self, route: Route) -> Route {
        let accepted = &self.seen.route.accepted;
        let safe = |split: Split| {
            let stays = *accepted == route && route.fallback == Some(split);
            self.carried(split) || (stays && self.serves(split) > 0)
        };
        let fallback = route.fallback.filter(|split| safe(*split));
        Route { fallback, lease: route.lease && fallback.is_some(), ..route }
    }

    fn route(&self, target: &Target, wish: Route, mode: Mode) -> Move {
        for slot in 0..2 {
            let unproven = !self.status.proven[slot] && wish.split.reaches(slot) && G::READY_FORWARD;
            let size = target.size[slot];
            // Where there is room for one set only nothing serves meanwhile: it proves itself while it does.
            let alone = self.plan.ceiling != u16::MAX && self.usable[slot] >= size;
            if unproven && mode == Mode::Forward && !alone && !self.is_healthy(slot, size) {
                return Move::Wait(WaitingOn::Ready(slot));
            }
        }
        let ready = match mode {
            Mode::Forward => !G::READY_FORWARD,
            Mode::Home => !G::READY_BACK,
        };
        if !(self.carried(wish.split) || ready) {
            let short = (0..2).find(|k| wish.split.reaches(*k) && self.usable[*k] < self.plan.limits.replicas);
            return Move::Wait(WaitingOn::Ready(short.unwrap_or(self.good)));
        }
        let known = |k: Slot| self.fresh(k) && self.seen.set[k].pinned;
        if let Some(slot) = (0..2).find(|k| wish.reaches(*k) && G::PIN && !known(*k)) {
            return Move::Wait(WaitingOn::Ready(slot)); // its view is older than the write that pins it
        }
        if let Some(slot) = (0..2).find(|k| wish.reaches(*k) && self.seen.set[*k].total > self.seen.set[*k].desired) {
            return Move::Wait(WaitingOn::Drained(slot));
        }
        Move::Ask(Write::Route(wish))
    }

    /// Whether `size` instances of `slot` have been ready for as long as it takes.
    pub(super) fn is_healthy(&self, slot: Slot, size: u16) -> bool {
        let set = &self.seen.set[slot];
        self.fresh(slot) && set.healthy >= size && self.usable[slot] >= size
    }

    /// Everything that is left to do once the route is in force.
    fn shrink(&self, target: &Target) -> Option<Move> {
        for slot in 0..2 {
            let (set, size) = (&self.seen.set[slot], target.size[slot]);
            if set.desired <= size {
                continue;
            }
            let routed = self.seen.route.splits().map(|split| split.routed(slot, set.present())).max().unwrap_or(0);
            let open = size < routed.saturating_add(set.busy) || !self.fresh(slot);
            if G::DRAIN && open && !self.seen.due.drain {
                return Some(Move::Wait(WaitingOn::Drained(slot)));
            }
            if G::SURVIVOR && !self.survives(slot, size) {
                return Some(Move::Wait(WaitingOn::Ready(other(slot))));
            }
            let rev = self.seen.set[slot].rev?;
            return Some(Move::Ask(Write::Resize { slot, to: size, rev, pin: size > 0 && set.pinned }));
        }
        for slot in 0..2 {
            let (set, size) = (&self.seen.set[slot], target.size[slot]);
            if !self.fresh(slot) || set.total > size {
                return Some(Move::Wait(WaitingOn::Drained(slot)));
            }
            if size > 0 && !self.status.proven[slot] && !self.is_healthy(slot, size) {
                return Some(Move::Wait(WaitingOn::Ready(slot)));
            }
        }
        None
    }

    /// Whether what stays when `slot` shrinks to `size` carries all that may be in force, and no healthy copy is lost
    /// that the floor needs.
    fn survives(&self, slot: Slot, size: u16) -> bool {
        let mut left = self.usable;
        left[slot] = crate::capacity::usable_after(&self.seen.set[slot], size);
        let carried = |split: Split| crate::capacity::carries(split, left, self.floor());
        let nothing_lost = self.fresh(slot) && left[slot] == self.seen.set[slot].ready;
        self.seen.route.splits().all(|split| !split.reaches(slot) || carried(split))
            && (left[0] + left[1] >= self.floor() || nothing_lost)
    }
}
