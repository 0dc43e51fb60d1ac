//! Liveness. The environment turns quiet: nothing fails any more, everything that was asked for happens, and the
//! controller goes on. Where that ends has a name, and it depends on what the analysis and the people say.
use crate::choice::{Choice, Judged, timers};
use crate::env::Person;
use crate::invariants;
use crate::state::{Set, State};
use crate::world::{Happening, World};
use serin_rollout::{FULL, Interrupted, Leg, Outcome, Phase, Rev, Route, Split, Status, Timer, Verdict, Write, other};

/// How the quiet world behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Every analysis passes.
    Pass,
    /// Every analysis fails.
    Fail,
    /// A person gives up whatever is going on.
    Abort,
    /// What is not proven never becomes ready.
    NeverReady,
    /// Nothing becomes ready any more.
    Frozen,
    /// A copy never becomes ready.
    CopyFails,
    /// A copy never becomes ready, and people then want another revision.
    CopyCorrected,
}

impl Mode {
    /// All of them.
    pub const ALL: [Mode; 7] =
        [Mode::Pass, Mode::Fail, Mode::Abort, Mode::NeverReady, Mode::Frozen, Mode::CopyFails, Mode::CopyCorrected];

    /// What must come of it.
    pub const fn promise(self) -> &'static str {
        match self {
            Mode::Pass => "passing verdicts in a healthy world end Succeeded on the wanted revision",
            Mode::Fail => "failing verdicts end Failed on the old revision, with the canary gone",
            Mode::Abort => "an abort ends Aborted on the old revision, with the canary gone",
            Mode::NeverReady => "a revision that never becomes ready ends on the old one, with the canary gone",
            Mode::Frozen => "no route that is allowed would serve more than the one in force",
            Mode::CopyFails => "a copy that never becomes ready leaves everything on the whole set that it was made of",
            Mode::CopyCorrected => {
                "where a copy never becomes ready, a corrected revision takes its place and is promoted"
            }
        }
    }
}

impl World {
    /// Whether this can come about here: somebody has to be there who gives up, and something to be copied.
    pub fn knows(&self, mode: Mode) -> bool {
        match mode {
            Mode::Abort => self.env.people.contains(&Person::Abort),
            Mode::CopyFails | Mode::CopyCorrected => self.plan.home.is_some(),
            Mode::Pass | Mode::Fail | Mode::NeverReady | Mode::Frozen => true,
        }
    }

    /// The next thing in a quiet world; `None` at the end.
    pub fn quiet(&self, s: &State, mode: Mode) -> Option<(Happening, State)> {
        if let Some(happening) = self.quiet_environment(s, mode) {
            let next = self.step(s, happening);
            assert!(next.is_some(), "{happening:?} changes nothing in {s:?}");
            return next.map(|next| (happening, next));
        }
        let list = self.quiet_choices(&self.status(s.status), mode);
        list.into_iter().find_map(|choice| {
            let happening = Happening::Round(choice);
            self.step(s, happening).map(|next| (happening, next))
        })
    }

    fn quiet_environment(&self, s: &State, mode: Mode) -> Option<Happening> {
        if s.flight.write != 0 {
            let lands = self.can_land_now(s);
            return Some(if lands { Happening::Land } else { Happening::Ack });
        }
        let status = self.status(s.status);
        let halted = matches!(status.phase, Phase::Halted { from: Interrupted::Home { .. } });
        if mode == Mode::CopyCorrected && halted && s.wanted < self.env.revisions && !s.late {
            return Some(Happening::Want(s.wanted + 1));
        }
        for k in 0..2u8 {
            let slot = usize::from(k);
            let set = &s.set[slot];
            if set.total() > set.desired {
                return Some(Happening::Delete(k, set.ready > 0));
            }
            if set.total() < set.desired {
                return Some(Happening::Create(k));
            }
            let stuck = match mode {
                Mode::Pass | Mode::Fail | Mode::Abort => false,
                Mode::NeverReady => slot == new_slot(&status) || !status.proven[slot],
                Mode::Frozen => true,
                Mode::CopyFails | Mode::CopyCorrected => slot == other(status.good) && is_copying(&status),
            };
            if set.notready > 0 && !stuck {
                return Some(Happening::Ready(k));
            }
            if set.busy {
                return Some(Happening::Idle(k));
            }
        }
        if s.late {
            return Some(Happening::Ack);
        }
        let outdated = |k: usize| self.env.stale && !(s.view[k].fresh && s.view[k].set == s.set[k]);
        (0..2u8).find(|k| outdated(usize::from(*k))).map(Happening::Sync)
    }

    /// First without anything due, then what only has to be waited for, then deadlines.
    fn quiet_choices(&self, status: &Status, mode: Mode) -> Vec<Choice> {
        let judged = match mode {
            Mode::Pass | Mode::Frozen | Mode::NeverReady | Mode::Abort | Mode::CopyFails | Mode::CopyCorrected => {
                Judged::Now(Verdict::Pass)
            }
            Mode::Fail => Judged::Now(Verdict::Fail),
        };
        let manual = match status.phase {
            Phase::Step(at) => self.plan.steps.get(usize::from(at.step)).is_some_and(|step| step.accept.manual),
            Phase::Idle | Phase::Settling { .. } | Phase::Back { .. } | Phase::Halted { .. } | Phase::Parked { .. } => {
                false
            }
        };
        let person = match mode {
            Mode::Abort => Some(Person::Abort),
            Mode::Pass | Mode::Fail | Mode::NeverReady | Mode::Frozen | Mode::CopyFails | Mode::CopyCorrected => {
                manual.then_some(Person::Approve)
            }
        };
        let quiet = Choice { judged, person, ..Choice::QUIET };
        let armed = crate::choice::armed(status);
        let waits = [Timer::Bake, Timer::Drain, Timer::Window];
        let harmless = armed.iter().copied().filter(|timer| waits.contains(timer));
        let mut list = vec![quiet, Choice { due: timers(harmless), ..quiet }];
        if matches!(mode, Mode::NeverReady | Mode::Frozen | Mode::CopyFails | Mode::CopyCorrected) {
            list.push(Choice { due: timers(armed), ..quiet });
        }
        list
    }

    /// Whether a quiet run that began in `start` and ended in `end` kept its promise.
    pub fn kept(&self, mode: Mode, start: &State, end: &State) -> bool {
        if mode == Mode::Frozen {
            return !self.could_serve_more(end);
        }
        let (from, to) = (self.status(start.status), self.status(end.status));
        if !self.returns(mode, start, &from, &to) {
            return false;
        }
        if let Phase::Halted { from: Interrupted::Home { .. } } = to.phase {
            return match mode {
                Mode::CopyFails => self.alone(end, to.good),
                Mode::CopyCorrected => self.alone(end, to.good) && end.wanted == self.env.revisions,
                Mode::NeverReady => !self.could_serve_more(end),
                Mode::Pass | Mode::Fail | Mode::Abort | Mode::Frozen => false,
            };
        }
        if mode == Mode::NeverReady && matches!(to.phase, Phase::Settling { .. }) {
            return matches!(from.phase, Phase::Settling { .. }); // the old set is gone; the new one is all there is
        }
        if matches!(to.phase, Phase::Parked { .. }) {
            return self.env.people.contains(&Person::Park);
        }
        if mode == Mode::NeverReady && !to.proven[to.good] {
            return matches!(to.phase, Phase::Idle); // nothing has ever served, and nothing can
        }
        let wanted = Rev(u32::from(end.wanted));
        let handled = to.rev[to.good] == Some(wanted)
            || to.last.is_some_and(|last| last.rev == wanted && last.outcome != Outcome::Succeeded);
        if !self.rests(end, &to) || !handled {
            return false;
        }
        let side = other(from.good);
        if mode == Mode::NeverReady && matches!(from.phase, Phase::Settling { .. }) {
            return true; // see `returns`
        }
        let active = start.zombie_save == 0 && start.zombie.write == 0;
        let releasing = matches!(from.phase, Phase::Step(_)) && from.rev[side] == Some(wanted) && active;
        let settled = matches!(from.phase, Phase::Settling { .. }) && from.rev[from.good] == Some(wanted) && active;
        let failed = from.last.is_some_and(|last| last.rev == wanted && last.outcome != Outcome::Succeeded);
        let begins = matches!(from.phase, Phase::Idle) && from.rev[from.good] != Some(wanted) && !failed;
        let outcome = to.last.filter(|last| last.rev == wanted).map(|last| last.outcome);
        let on = to.rev[to.good];
        match mode {
            Mode::Pass => !(releasing || settled || begins) || on == Some(wanted),
            Mode::Fail if releasing || begins && from.proven[from.good] => {
                on == from.rev[from.good] && outcome == Some(Outcome::Failed)
            }
            Mode::Abort if releasing || begins && from.proven[from.good] => {
                on == from.rev[from.good] && outcome == Some(Outcome::Aborted)
            }
            Mode::NeverReady if releasing && start.set[side].ready == 0 => on == from.rev[from.good],
            Mode::CopyCorrected => !(releasing || settled || begins) || on >= Some(wanted),
            Mode::Fail | Mode::Abort | Mode::NeverReady | Mode::Frozen | Mode::CopyFails => true,
        }
    }

    /// The slot carries everything alone, whole and confirmed.
    fn alone(&self, s: &State, slot: usize) -> bool {
        let n = self.plan.limits.replicas;
        self.route(s.accepted) == Route::plain(Split::all(slot, n)) && !s.late && u16::from(s.set[slot].ready) >= n
    }

    /// While the old set is warm, a failed verdict, a person and a dead new set lead back to it.
    fn returns(&self, mode: Mode, start: &State, from: &Status, to: &Status) -> bool {
        let Phase::Settling { leg: Leg::Window, .. } = from.phase else { return true };
        let n = self.plan.limits.replicas;
        let set = |slot: usize| &start.set[slot];
        let (good, side) = (from.good, other(from.good));
        let dead = u16::from(set(good).ready) < self.plan.limits.floor && u16::from(set(side).usable()) >= n;
        let wanted = from.rev[good] == Some(Rev(u32::from(start.wanted)));
        let calm = wanted && start.flight.write == 0 && start.zombie.write == 0 && start.zombie_save == 0;
        match mode {
            Mode::Fail | Mode::Abort => !calm || to.rev[to.good] == from.rev[side],
            Mode::NeverReady => !(calm && dead) || to.rev[to.good] == from.rev[side],
            Mode::Pass | Mode::Frozen | Mode::CopyFails | Mode::CopyCorrected => true,
        }
    }

    /// The good slot carries everything alone, whole and confirmed, where the service rests; the other one is empty;
    /// nothing is going on.
    pub fn rests(&self, s: &State, status: &Status) -> bool {
        let n = self.plan.limits.replicas;
        let (good, side) = (status.good, other(status.good));
        let home: &Set = &s.set[good];
        matches!(status.phase, Phase::Idle)
            && self.plan.home.as_ref().is_none_or(|home| home.slot == good)
            && self.alone(s, good)
            && u16::from(home.desired) == n
            && status.rev[good].is_some_and(|rev| rev.0 == u32::from(home.rev))
            && status.proven[good]
            && s.set[side].total() == 0
            && s.set[side].desired == 0
    }

    /// Whether some route that both keys' rules allow would serve more than the accepted one. Of three and more instances
    /// a tenth more: whole instances make the measure jump, and shares do not hit every multiple.
    pub fn could_serve_more(&self, s: &State) -> bool {
        let status = self.status(s.status);
        let floor = self.plan.limits.floor;
        let usable = s.set.map(|set| u16::from(set.usable()));
        let now = invariants::serves(self.route(s.accepted).split, usable, floor);
        let truth = self.truth(s, Choice::QUIET.due);
        self.splits(s).into_iter().any(|split| {
            let route = Route::plain(split);
            let then = invariants::serves(split, usable, floor);
            (if self.plan.limits.replicas > 2 { then * 10 > now * 11 } else { then > now })
                && serin_rollout::permit(self.limits(), &truth, &Write::Route(route)).is_ok()
                && invariants::share(&self.plan, &status, &route, &self.in_force(s), usable)
        })
    }

    /// Splits that one could think of.
    fn splits(&self, s: &State) -> Vec<Split> {
        let n = self.plan.limits.replicas;
        match self.plan.kind {
            serin_rollout::Kind::Weighted => {
                let even = (0..=n).map(|k| (u32::from(k) * u32::from(FULL) / u32::from(n)) as u16);
                let steps = self.plan.steps.iter().map(|step| step.target.route.split.share(1));
                even.chain(steps).flat_map(|share| [0, 1].map(|slot| Split::share_to(slot, share))).collect()
            }
            serin_rollout::Kind::Members => {
                let [a, b] = s.set.map(|set| u16::from(set.desired));
                (0..=a).flat_map(|a| (0..=b).map(move |b| Split::Members([a, b]))).collect()
            }
        }
    }
}

/// The other slot holds what is to become a copy, and never was one.
fn is_copying(status: &Status) -> bool {
    let home = match status.phase {
        Phase::Settling { leg: Leg::Home, .. } | Phase::Halted { from: Interrupted::Home { .. } } => true,
        Phase::Settling { .. }
        | Phase::Idle
        | Phase::Step(_)
        | Phase::Back { .. }
        | Phase::Halted { .. }
        | Phase::Parked { .. } => false,
    };
    home && status.rev[0] == status.rev[1]
}

/// The slot of the newer revision.
fn new_slot(status: &Status) -> usize {
    match status.phase {
        Phase::Settling { .. } => status.good,
        Phase::Idle | Phase::Step(_) | Phase::Back { .. } | Phase::Halted { .. } | Phase::Parked { .. } => {
            other(status.good)
        }
    }
}
