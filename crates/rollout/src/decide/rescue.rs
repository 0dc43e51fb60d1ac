//! Where traffic goes when the split in force is not carried.
use super::{Decision, View};
use crate::capacity::{can_carry, served};
use crate::guards::Guards;
use crate::observation::Write;
use crate::plan::Kind;
use crate::split::{Bp, FULL, Route, Slot, Split};
use crate::status::Phase;
use core::cmp::Reverse;

impl<G: Guards> View<'_, G> {
    /// How much of the traffic `split` would serve now.
    pub(super) fn serves(&self, split: Split) -> u32 {
        served(split, self.usable, self.floor())
    }

    /// While the accepted split is not carried: whatever serves more.
    pub(super) fn relieve(&self) -> Option<Decision> {
        if self.carried(self.seen.route.accepted.split) {
            return None;
        }
        self.rescue(false).map(|route| Decision::Ask(Write::Route(route)))
    }

    /// The route that serves most of what is seen, if it is better than the accepted one. With `home`, one that serves
    /// no less and gives the other slot less is better too.
    pub(super) fn rescue(&self, home: bool) -> Option<Route> {
        if !G::RESCUE || self.makes_room() || !self.fresh(0) || !self.fresh(1) {
            return None;
        }
        let accepted = self.seen.route.accepted.split;
        let now = accepted.share(self.side);
        let least = FULL - can_carry(self.usable[self.good], self.floor());
        let most = self.most(now);
        let whole = can_carry(self.usable[self.side], self.floor());
        let split = [0, least.min(most), whole.min(most), now.min(most), self.even().min(most), most]
            .into_iter()
            .map(|share| self.split_of(share))
            .filter(|split| self.can_be_routed(*split))
            .max_by_key(|split| (self.serves(*split), Reverse(split.share(self.side))))?;
        let best = self.serves(split);
        let better = best > self.serves(accepted) || (home && split.share(self.side) < now);
        let no_worse = best > 0 && self.seen.route.splits().all(|x| best >= self.serves(x));
        (better && no_worse && split != accepted).then_some(Route::plain(split))
    }

    /// Where there is room for one set only, one goes before the other comes: a gap is meant, and there is nowhere else to
    /// go. While everything stands still none is.
    fn makes_room(&self) -> bool {
        self.plan.ceiling != u16::MAX && !matches!(self.status.phase, Phase::Parked { .. } | Phase::Halted { .. })
    }

    /// The largest share that the other slot may be given: what it has or may have anyway, unless it is known to be good
    /// or nothing else serves at all.
    fn most(&self, now: Bp) -> Bp {
        let alone = self.usable[self.good] == 0;
        if self.status.proven[self.side] || alone || !G::CAP { FULL } else { now.max(self.allowed()) }
    }

    /// The share that the step, or the person who parked it, gives the other slot.
    fn allowed(&self) -> Bp {
        let split = match self.status.phase {
            Phase::Step(at) => self.target_of(at.step, at.weight).map(|target| target.route.split),
            Phase::Parked { split, .. } => Some(split),
            Phase::Idle | Phase::Settling { .. } | Phase::Back { .. } | Phase::Halted { .. } => None,
        };
        split.map_or(0, |split| split.share(self.side))
    }

    /// The other slot's share when everybody who is ready gets as much as everybody else.
    fn even(&self) -> Bp {
        Split::Members(self.usable).share(self.side)
    }

    /// The split that gives the other slot `share`; by members as much of it as whole instances allow.
    fn split_of(&self, share: Bp) -> Split {
        let size = |slot: Slot| self.seen.set[slot].desired;
        match self.plan.kind {
            _ if share == 0 => Split::all(self.good, size(self.good).min(self.plan.limits.replicas)),
            _ if share == FULL => Split::all(self.side, size(self.side)),
            Kind::Weighted => Split::share_to(self.side, share),
            Kind::Members => {
                let mut members = [size(0), size(1)];
                while members[self.side] > 0 && Split::Members(members).share(self.side) > share {
                    members[self.side] -= 1;
                }
                Split::Members(members)
            }
        }
    }

    fn can_be_routed(&self, split: Split) -> bool {
        (0..2).all(|slot| {
            let set = &self.seen.set[slot];
            !split.reaches(slot) || (set.pinned && set.total <= set.desired && self.usable[slot] > 0)
        })
    }
}
