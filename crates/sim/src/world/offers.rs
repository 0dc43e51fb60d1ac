//! What may happen next.
use super::{Act, Happening, World};
use crate::state::State;
use serin_rollout::{FULL, Plan, Rev, Route, Split, Write};

impl World {
    /// Everything that may happen in this state, into `out`.
    pub fn offers(&self, s: &State, out: &mut Vec<Happening>) {
        self.offers_outside(s, out);
        if s.broken == 0 {
            self.offer_controller(s, out);
        }
    }

    /// Everything that may happen without the living controller, into `out`.
    pub fn offers_outside(&self, s: &State, out: &mut Vec<Happening>) {
        out.clear();
        if s.broken != 0 {
            return;
        }
        for k in 0..2u8 {
            self.offer_set(s, k, out);
        }
        if self.can_pick(s) {
            out.push(Happening::Pick);
        }
        if self.env.late && !s.late && s.accepted != 0 {
            out.push(Happening::Doubt);
        }
        if s.late {
            out.push(Happening::Ack);
            let older = s.older.iter().filter(|id| **id != 0);
            out.extend(older.map(|id| Happening::Forget(*id)));
        }
        if s.edits > 0 && self.takes_route(s) {
            out.extend(self.edits.iter().filter(|id| **id != s.accepted).map(|id| Happening::Edit(*id)));
        }
        let good = self.status(s.status).good;
        if s.wanted < self.env.revisions {
            out.push(Happening::Want(s.wanted + 1));
        }
        let home = self.status(s.status).rev[good].map_or(0, |rev| rev.0 as u8);
        if self.env.undo && s.wanted != home && home != 0 {
            out.push(Happening::Want(home));
        }
        if usize::from(s.scale) + 1 < self.sizes.len() {
            out.push(Happening::Rescale(s.scale + 1));
        }
        if self.can_land(s, &s.zombie) {
            out.push(Happening::ZombieLands);
        }
        if s.zombie_save != 0 {
            out.push(Happening::ZombieSaves);
        }
    }

    fn offer_set(&self, s: &State, k: u8, out: &mut Vec<Happening>) {
        let (slot, env) = (usize::from(k), &self.env);
        let set = &s.set[slot];
        self.offer_deletes(set, k, out);
        if set.total() < set.desired {
            out.push(Happening::Create(k));
        }
        for at in super::router::distinct(set) {
            let (instance, at) = (set.list()[at], at as u8);
            if !instance.is_ready() && set.desired > 0 {
                out.push(Happening::Ready(k, at));
            }
            if env.down && instance.is_ready() {
                out.push(Happening::Down(k, at));
            }
            if instance.is_open() {
                out.push(Happening::Idle(k, at));
            }
        }
        if env.stale && !(s.view[slot].fresh && s.view[slot].set == set.seen()) {
            out.push(Happening::Sync(k));
        }
        if env.drift && set.total() > 0 && set.rev != super::ALIEN {
            out.push(Happening::Drift(k));
        }
        let traffic = || {
            let older = s.older.iter().copied().filter(|id| *id != 0);
            older.chain([s.accepted]).any(|id| self.route(id).split.reaches(slot))
        };
        if env.lower && !set.pinned && set.desired > 0 && !traffic() {
            out.push(Happening::Lower(k));
        }
    }

    fn offer_controller(&self, s: &State, out: &mut Vec<Happening>) {
        let env = &self.env;
        if s.flight.write != 0 {
            if self.can_land(s, &s.flight) {
                out.push(Happening::Land);
            }
            if env.lose {
                out.push(Happening::Lose);
            }
        } else if env.anybody {
            for id in self.anybody.iter().filter(|id| self.changes(s, **id)) {
                out.push(Happening::Somebody(*id));
                out.extend(self.unknown().map(|blind| Happening::SomebodyBlind(*id, blind)));
            }
        } else {
            for decided in self.rounds(s).iter() {
                out.push(Happening::Round(decided.choice));
                if matches!(decided.act, Act::Ask(_)) {
                    out.extend(self.unknown().map(|blind| Happening::RoundBlind(decided.choice, blind)));
                }
                if env.zombie && s.zombie_save == 0 && s.zombie.write == 0 && matches!(decided.act, Act::Save(_)) {
                    out.push(Happening::DieSaving(decided.choice));
                }
            }
        }
        if env.crash && (s.flight.write != 0 || s.claimed || s.view[0].fresh || s.view[1].fresh) {
            out.push(Happening::Crash(false));
            let free = s.zombie.write == 0 && s.zombie_save == 0;
            if env.zombie && free && s.flight.write != 0 && self.write(s.flight.write) != Write::Claim {
                out.push(Happening::Crash(true));
            }
        }
    }

    /// What the read before a write may not know, one bit for each slot.
    fn unknown(&self) -> impl Iterator<Item = u8> + use<> {
        if self.env.blind { 1..4 } else { 1..1 }
    }

    /// Whether a write would change anything.
    fn changes(&self, s: &State, id: u16) -> bool {
        match self.write(id) {
            Write::Claim => false,
            Write::Route(_) => self.route_of(id) != Some(s.accepted),
            Write::Resize { slot, to, rev, pin } => {
                let set = &s.set[slot];
                let empty = to == 0 && set.desired == 0;
                !empty && (u16::from(set.desired), u32::from(set.rev), set.pinned) != (to, rev.0, pin)
            }
            Write::Rewrite { slot, rev } => s.set[slot].total() > 0 && u32::from(s.set[slot].rev) != rev.0,
        }
    }

    fn route_of(&self, write: u16) -> Option<u16> {
        match self.write(write) {
            Write::Route(route) => Some(self.route_id(route)),
            Write::Claim | Write::Resize { .. } | Write::Rewrite { .. } => None,
        }
    }
}

/// Everything that somebody may think of.
pub(super) fn writes(plan: &Plan) -> Vec<Write> {
    let n = plan.limits.replicas;
    let mut list = vec![];
    for slot in 0..2 {
        for to in 0..=n {
            for rev in [Rev(1), Rev(2)] {
                list.extend([true, false].map(|pin| Write::Resize { slot, to, rev, pin }));
            }
        }
        list.push(Write::Rewrite { slot, rev: Rev(2) });
    }
    let mut splits: Vec<Split> = [2_500, 5_000].map(|share| Split::share_to(1, share)).to_vec();
    splits.extend([Split::share_to(1, FULL), Split::share_to(1, 0)]);
    splits.extend((0..=n).flat_map(|a| (0..=n).map(move |b| Split::Members([a, b]))));
    for split in &splits {
        list.push(Write::Route(Route::plain(*split)));
        for fallback in [Split::all(0, n), Split::all(1, n)] {
            if fallback != *split {
                list.push(Write::Route(Route { split: *split, fallback: Some(fallback), lease: true }));
            }
        }
    }
    list
}
