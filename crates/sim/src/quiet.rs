//! Liveness. The environment turns quiet: nothing fails any more, everything that was asked for happens, and the
//! controller goes on. Where that ends has a name, and it depends on what the analysis and the people say.
use crate::choice::{Choice, Judged, timers};
use crate::env::Person;
use crate::invariants;
use crate::state::{Instance, Seen, Set, State};
use crate::world::{ALIEN, Happening, World};
use serin_rollout::{
    FULL, Interrupted, Kind, Last, Leg, Limits, OnAbort, Outcome, Phase, Rev, Route, Split, Status, StepKey, Timer,
    Verdict, Write, other,
};

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
    /// The platform refuses for good whatever would let the slot that is not the good one grow.
    Refused,
}

/// Who goes first in a quiet world. A release must come to its right end under every one of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Data planes and views catch up at once; the controller acts between any two things that instances do.
    RouteFirst,
    /// Everything outside is done before the controller makes a round, the instances first.
    InstancesFirst,
    /// The controller makes rounds as long as one changes anything; its view is the last thing to catch up.
    ControllerFirst,
}

impl Order {
    /// All of them.
    pub const ALL: [Order; 3] = [Order::RouteFirst, Order::InstancesFirst, Order::ControllerFirst];
}

impl Mode {
    /// All of them.
    pub const ALL: [Mode; 8] = [
        Mode::Pass,
        Mode::Fail,
        Mode::Abort,
        Mode::NeverReady,
        Mode::Frozen,
        Mode::CopyFails,
        Mode::CopyCorrected,
        Mode::Refused,
    ];

    /// What must come of it.
    pub const fn promise(self) -> &'static str {
        match self {
            Mode::Pass => "I6: passing verdicts in a healthy world end Succeeded on the wanted revision",
            Mode::Fail => "I6: failing verdicts end Failed on the old revision, with the canary gone",
            Mode::Abort => {
                "I6: an abort ends Aborted on the old revision, with the canary gone, or Parked without traffic where the plan says so"
            }
            Mode::NeverReady => "I6: a revision that never becomes ready ends on the old one, with the canary gone",
            Mode::Frozen => "I6: no route that is allowed would serve more than the one in force",
            Mode::CopyFails => {
                "I6: a copy that never becomes ready leaves everything on the whole set that it was made of"
            }
            Mode::CopyCorrected => {
                "I6: where a copy never becomes ready, a corrected revision takes its place and is promoted"
            }
            Mode::Refused => {
                "I6: a canary that the platform does not let grow ends Failed on the old revision by its deadlines, with the canary gone"
            }
        }
    }
}

impl World {
    /// Whether this world has what the mode is about: somebody who aborts, a platform that does not take a write, something
    /// to copy.
    pub fn knows(&self, mode: Mode) -> bool {
        match mode {
            Mode::Abort => self.env.people.contains(&Person::Abort),
            Mode::Refused => self.env.lose,
            Mode::CopyFails | Mode::CopyCorrected => self.plan.home.is_some(),
            Mode::Pass | Mode::Fail | Mode::NeverReady | Mode::Frozen => true,
        }
    }

    /// The next thing in a quiet world; `None` at the end. A function on states, so that a run that meets a state again
    /// goes round for ever.
    ///
    /// # Panics
    /// If the world offers something that changes nothing: a mistake in the world.
    pub fn quiet(&self, s: &State, mode: Mode, order: Order) -> Option<(Happening, State)> {
        let outside = |happening: Happening| {
            let next = self.step(s, happening);
            assert!(next.is_some(), "{happening:?} changes nothing in {s:?}");
            next.map(|next| (happening, next))
        };
        if let Some(happening) = self.quiet_flight(s, mode) {
            return outside(happening);
        }
        let rest = || self.quiet_instances(s, mode).or_else(|| quiet_route(s)).or_else(|| self.quiet_view(s));
        let first = match order {
            Order::RouteFirst => quiet_route(s).or_else(|| self.quiet_view(s)),
            Order::InstancesFirst => rest(),
            Order::ControllerFirst => None,
        };
        if let Some(happening) = first {
            return outside(happening);
        }
        let list = self.quiet_choices(s, mode);
        let at_once = match order {
            Order::RouteFirst | Order::ControllerFirst => 1, // nothing is due before the others have done what they can
            Order::InstancesFirst => 0,
        };
        let round = |choice: &Choice| {
            let happening = Happening::Round(*choice);
            let next = self.step(s, happening)?;
            (!self.is_in_vain(s, &next, mode)).then_some((happening, next))
        };
        if let Some(round) = list.iter().take(at_once).find_map(round) {
            return Some(round);
        }
        match rest() {
            Some(happening) => outside(happening),
            None => list.iter().find_map(round),
        }
    }

    /// What becomes of the write that is under way.
    fn quiet_flight(&self, s: &State, mode: Mode) -> Option<Happening> {
        if s.flight.write == 0 {
            None
        } else if mode == Mode::Refused && self.grows_the_side(s) {
            Some(Happening::Lose)
        } else if self.can_land_now(s) {
            Some(Happening::Land)
        } else {
            Some(Happening::Ack)
        }
    }

    /// Whether the write that is under way would give the slot that is not the good one more than it has.
    fn grows_the_side(&self, s: &State) -> bool {
        let side = other(self.status(s.status).good);
        match self.write(s.flight.write) {
            Write::Resize { slot, to, .. } => slot == side && to > u16::from(s.set[slot].desired),
            Write::Claim | Write::Route(_) | Write::Rewrite { .. } => false,
        }
    }

    /// Whether the write that a round sent will not be taken, or repeats what an old view has not shown yet.
    fn is_in_vain(&self, before: &State, sent: &State, mode: Mode) -> bool {
        if sent.flight.write == 0 || sent.broken != 0 {
            return false;
        }
        if mode == Mode::Refused && self.grows_the_side(sent) {
            return true;
        }
        let known = |s: &State| (s.set, s.accepted, s.claimed);
        let landed = || if self.can_land_now(sent) { self.step(sent, Happening::Land) } else { None };
        self.quiet_view(before).is_some() && landed().is_some_and(|landed| known(&landed) == known(before))
    }

    fn quiet_instances(&self, s: &State, mode: Mode) -> Option<Happening> {
        let status = self.status(s.status);
        let halted = matches!(status.phase, Phase::Halted { from: Interrupted::Home { .. } });
        if mode == Mode::CopyCorrected && halted && s.wanted < self.env.revisions && !s.late {
            return Some(Happening::Want(s.wanted + 1));
        }
        for k in 0..2u8 {
            let slot = usize::from(k);
            let set = &s.set[slot];
            let mut stops = vec![];
            self.offer_deletes(set, k, &mut stops);
            if let Some(stop) = stops.last() {
                return Some(*stop);
            }
            if set.total() < set.desired {
                return Some(Happening::Create(k));
            }
            let stuck = match mode {
                Mode::Pass | Mode::Fail | Mode::Abort | Mode::Refused => false,
                Mode::NeverReady => slot == new_slot(&status) || !status.proven[slot],
                Mode::Frozen => true,
                Mode::CopyFails | Mode::CopyCorrected => slot == other(status.good) && is_copying(s, &status),
            };
            let find = |what: fn(Instance) -> bool| set.list().iter().position(|one| what(*one)).map(|at| at as u8);
            if let Some(at) = find(|one| !one.is_ready()).filter(|_| !stuck && set.desired > 0) {
                return Some(Happening::Ready(k, at));
            }
            if let Some(at) = find(Instance::is_open) {
                return Some(Happening::Idle(k, at));
            }
        }
        self.can_pick(s).then_some(Happening::Pick)
    }

    fn quiet_view(&self, s: &State) -> Option<Happening> {
        let outdated = |k: usize| self.env.stale && !(s.view[k].fresh && s.view[k].set == s.set[k].seen());
        (0..2u8).find(|k| outdated(usize::from(*k))).map(Happening::Sync)
    }

    /// First without anything due, then what only has to be waited for, then deadlines.
    pub(crate) fn quiet_choices(&self, s: &State, mode: Mode) -> Vec<Choice> {
        let status = &self.status(s.status);
        let judged = match mode {
            Mode::Pass
            | Mode::Frozen
            | Mode::NeverReady
            | Mode::Abort
            | Mode::Refused
            | Mode::CopyFails
            | Mode::CopyCorrected => Judged::Now(Verdict::Pass),
            Mode::Fail => Judged::Now(Verdict::Fail),
        };
        let manual = match status.phase {
            Phase::Step(at) => self.plan_of(s).steps.get(usize::from(at.step)).is_some_and(|step| step.accept.manual),
            Phase::Idle | Phase::Settling { .. } | Phase::Back { .. } | Phase::Halted { .. } | Phase::Parked { .. } => {
                false
            }
        };
        let person = match mode {
            Mode::Abort => Some(Person::Abort),
            Mode::Pass
            | Mode::Fail
            | Mode::NeverReady
            | Mode::Frozen
            | Mode::Refused
            | Mode::CopyFails
            | Mode::CopyCorrected => manual.then_some(Person::Approve),
        };
        let quiet = Choice { judged, person, ..Choice::QUIET };
        let armed = crate::choice::armed(status);
        let waits = [Timer::Bake, Timer::Drain, Timer::Window];
        let harmless = armed.iter().copied().filter(|timer| waits.contains(timer));
        let mut list = vec![quiet, Choice { due: timers(harmless), ..quiet }];
        if !matches!(mode, Mode::Pass | Mode::Fail | Mode::Abort) {
            list.push(Choice { due: timers(armed), ..quiet });
        }
        list
    }

    /// Whether a quiet run that began in `start` and ended in `end` kept its promise.
    pub fn kept(&self, mode: Mode, order: Order, start: &State, end: &State) -> bool {
        if mode == Mode::Frozen {
            return !self.could_serve_more(end);
        }
        let (from, to) = (self.status(start.status), self.status(end.status));
        if self.env.drift && self.rests_changed(end, &to) {
            return true;
        }
        if !self.returns(mode, start, &from, &to) {
            return false;
        }
        if let Phase::Halted { from: Interrupted::Home { .. } } = to.phase {
            return match mode {
                Mode::CopyFails | Mode::Refused => self.alone(end, to.good),
                Mode::CopyCorrected => self.alone(end, to.good) && end.wanted == self.env.revisions,
                Mode::NeverReady => !self.could_serve_more(end),
                Mode::Pass | Mode::Fail | Mode::Abort | Mode::Frozen => false,
            };
        }
        if mode == Mode::NeverReady && matches!(to.phase, Phase::Settling { .. }) {
            return matches!(from.phase, Phase::Settling { .. }); // the old set is gone; the new one is all there is
        }
        if let Phase::Parked { split, .. } = to.phase {
            return self.may_stay_parked(mode, &from, end, &to, split);
        }
        if mode == Mode::NeverReady && !to.proven[to.good] {
            return matches!(to.phase, Phase::Idle); // nothing has ever served, and nothing can
        }
        if !self.rests(end, &to) || !is_handled(end, &to) {
            return false;
        }
        let wanted = Rev(u32::from(end.wanted));
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
        let seen = &start.view[side]; // who acts before it looks again may promote what was ready then
        let believed = order == Order::ControllerFirst && seen.fresh && seen.set.ready > 0;
        let weak = order != Order::InstancesFirst && self.gives_up_weak(start, &from);
        match mode {
            Mode::Pass => weak || !(releasing || settled || begins) || on == Some(wanted),
            Mode::Fail if releasing || begins && from.proven[from.good] => {
                on == from.rev[from.good] && outcome == Some(Outcome::Failed)
            }
            Mode::Abort if releasing || begins && from.proven[from.good] => {
                let kept = self.plan.on_abort == OnAbort::Park && self.plan.ceiling == u16::MAX;
                !kept && on == from.rev[from.good] && outcome == Some(Outcome::Aborted)
            }
            Mode::NeverReady if releasing && start.set[side].ready() == 0 && !believed => on == from.rev[from.good],
            Mode::Refused if self.must_grow(start, &from) || begins && from.proven[from.good] => {
                on == from.rev[from.good] && (!(releasing || begins) || outcome == Some(Outcome::Failed))
            }
            Mode::Refused => weak || !(releasing || settled) || on == Some(wanted),
            Mode::CopyCorrected => weak || !(releasing || settled || begins) || on >= Some(wanted),
            Mode::Fail | Mode::Abort | Mode::NeverReady | Mode::Frozen | Mode::CopyFails => true,
        }
    }

    /// Where people change sets from outside, a release need not come to its own end, but to rest: with the wanted
    /// revision handled as anywhere, or on the good set as they changed it, which the controller leaves to them.
    fn rests_changed(&self, s: &State, status: &Status) -> bool {
        let theirs = s.set[status.good].rev == ALIEN && matches!(status.phase, Phase::Idle);
        (theirs && self.alone(s, status.good)) || (self.rests(s, status) && is_handled(s, status))
    }

    /// Whether a release may end parked: a person left it so before, or an abort did, as the plan says, without traffic on
    /// the canary.
    fn may_stay_parked(&self, mode: Mode, from: &Status, end: &State, to: &Status, split: Split) -> bool {
        let was = matches!(from.phase, Phase::Parked { .. });
        let aborted = mode == Mode::Abort
            || matches!(
                from.phase,
                Phase::Back { keep: true, .. } | Phase::Halted { from: Interrupted::Back { keep: true, .. } }
            );
        let (good, n) = (to.good, self.plan_of(end).limits.replicas);
        // another rollout may begin, and be given up; out of a halt against the set that was adopted
        let free = matches!(from.phase, Phase::Idle | Phase::Settling { .. } | Phase::Halted { .. });
        let kept = (free || good == from.good) && split == Split::all(good, n) && self.alone(end, good);
        let kept = kept && self.plan.on_abort == OnAbort::Park;
        (was && self.env.people.contains(&Person::Park)) || ((was || aborted) && kept)
    }

    /// The slot carries everything alone, whole and confirmed.
    fn alone(&self, s: &State, slot: usize) -> bool {
        let n = self.plan_of(s).limits.replicas;
        self.route(s.accepted) == Route::plain(Split::all(slot, n)) && !s.late && u16::from(s.set[slot].ready()) >= n
    }

    /// Whether a controller that is faster than the new revision's instances goes back because of what they are like now,
    /// or will be when the write under way has landed: they fail in a step for the third time, or after the commit.
    fn gives_up_weak(&self, s: &State, status: &Status) -> bool {
        let lowered = |k: usize| match self.write(s.flight.write) {
            Write::Resize { slot, to, .. } if slot == k => to as u8,
            Write::Resize { .. } | Write::Rewrite { .. } | Write::Claim | Write::Route(_) => u8::MAX,
        };
        let short = |k: usize| {
            let usable = |set: Seen| u16::from(Seen { desired: set.desired.min(lowered(k)), ..set }.usable());
            let n = self.limits(s).replicas;
            (s.view[k].fresh && usable(s.view[k].set) < n) || usable(s.set[k].seen()) < n
        };
        match status.phase {
            Phase::Step(at) => at.lost >= 2 && short(other(status.good)),
            Phase::Settling { .. } => short(status.good),
            Phase::Idle | Phase::Back { .. } | Phase::Halted { .. } | Phase::Parked { .. } => false,
        }
    }

    /// Whether the canary has fewer instances than this step or a later one asks for, when it comes to that: a step stops
    /// those beyond its own, unless they have a share.
    fn must_grow(&self, s: &State, status: &Status) -> bool {
        let Phase::Step(at) = status.phase else { return false };
        let side = other(status.good);
        let plan = self.plan_of(s);
        let mut has = u16::from(s.set[side].desired);
        plan.steps.iter().enumerate().skip(usize::from(at.step)).any(|(k, step)| {
            let target = step.target.for_good(status.good);
            let given = if k == usize::from(at.step) { at.weight } else { None };
            let shared = plan.kind == Kind::Weighted && given.unwrap_or(target.route.split.share(side)) > 0;
            let grows = target.size[side] > has;
            has = if shared { has.max(target.size[side]) } else { target.size[side] };
            grows
        })
    }

    /// While the old set is warm, a failed verdict, a person and a dead new set lead back to it.
    fn returns(&self, mode: Mode, start: &State, from: &Status, to: &Status) -> bool {
        let Phase::Settling { leg: Leg::Window, step, .. } = from.phase else { return true };
        let accepted = step == StepKey::NONE; // out of a halt, by a person who knew what had been asked for
        let Limits { replicas: n, floor } = *self.limits(start);
        let set = |slot: usize| &start.set[slot];
        let (good, side) = (from.good, other(from.good));
        if start.set[side].rev == ALIEN || start.view[side].set.rev == ALIEN {
            return true; // what somebody gave another revision is no way back
        }
        let dead = u16::from(set(good).ready()) < floor && u16::from(set(side).usable()) >= n;
        let wanted = from.rev[good] == Some(Rev(u32::from(start.wanted)));
        let calm = wanted && start.flight.write == 0 && start.zombie.write == 0 && start.zombie_save == 0;
        match mode {
            Mode::Fail | Mode::Abort if accepted => true,
            Mode::Fail | Mode::Abort => !calm || to.rev[to.good] == from.rev[side],
            Mode::NeverReady => !(calm && dead) || to.rev[to.good] == from.rev[side],
            Mode::Pass | Mode::Frozen | Mode::Refused | Mode::CopyFails | Mode::CopyCorrected => true,
        }
    }

    /// The good slot carries everything alone, whole and confirmed, where the service rests; the other one is empty;
    /// nothing is going on.
    pub fn rests(&self, s: &State, status: &Status) -> bool {
        let n = self.plan_of(s).limits.replicas;
        let good = status.good;
        let home: &Set = &s.set[good];
        matches!(status.phase, Phase::Idle)
            && self.plan.home.as_ref().is_none_or(|home| home.slot == good)
            && self.alone(s, good)
            && u16::from(home.desired) == n
            && status.rev[good].is_some_and(|rev| rev.0 == u32::from(home.rev))
            && status.proven[good]
            && invariants::nothing_beside(&s.set, good)
    }

    /// Whether some route that both keys' rules allow would serve more than the accepted one. Of three and more instances
    /// a tenth more: whole instances make the measure jump, and shares do not hit every multiple.
    pub fn could_serve_more(&self, s: &State) -> bool {
        let status = self.status(s.status);
        let floor = self.plan_of(s).limits.floor;
        let usable = s.set.map(|set| u16::from(set.usable()));
        let now = invariants::serves(self.route(s.accepted).split, usable, floor);
        let truth = self.truth(s, Choice::QUIET.due);
        self.splits(s).into_iter().any(|split| {
            let route = Route::plain(split);
            let then = invariants::serves(split, usable, floor);
            (if self.plan_of(s).limits.replicas > 2 { then * 10 > now * 11 } else { then > now })
                && serin_rollout::permit(self.limits(s), &truth, &Write::Route(route)).is_ok()
                && invariants::share(self.plan_of(s), &status, &route, &self.in_force(s), usable)
        })
    }

    /// Splits that one could think of.
    fn splits(&self, s: &State) -> Vec<Split> {
        let n = self.plan_of(s).limits.replicas;
        match self.plan_of(s).kind {
            Kind::Weighted => {
                let even = (0..=n).map(|k| (u32::from(k) * u32::from(FULL) / u32::from(n)) as u16);
                let steps = self.plan_of(s).steps.iter().map(|step| step.target.route.split.share(1));
                even.chain(steps).flat_map(|share| [0, 1].map(|slot| Split::share_to(slot, share))).collect()
            }
            Kind::Members => {
                let [a, b] = s.set.map(|set| u16::from(set.desired));
                (0..=a).flat_map(|a| (0..=b).map(move |b| Split::Members([a, b]))).collect()
            }
        }
    }
}

/// The revision that people want serves, or was given up.
fn is_handled(s: &State, status: &Status) -> bool {
    let wanted = Rev(u32::from(s.wanted));
    let given_up = |last: Last| last.rev == wanted && last.outcome != Outcome::Succeeded;
    status.rev[status.good] == Some(wanted) || status.last.is_some_and(given_up)
}

/// The other slot holds a copy of what serves, on the way home.
fn is_copying(s: &State, status: &Status) -> bool {
    let home = match status.phase {
        Phase::Settling { leg: Leg::Home, .. } | Phase::Halted { from: Interrupted::Home { .. } } => true,
        Phase::Settling { .. }
        | Phase::Idle
        | Phase::Step(_)
        | Phase::Back { .. }
        | Phase::Halted { .. }
        | Phase::Parked { .. } => false,
    };
    home && status.rev[status.good].is_some_and(|rev| rev.0 == u32::from(s.set[other(status.good)].rev))
}

/// The data planes drop the older generations one by one, then confirm.
fn quiet_route(s: &State) -> Option<Happening> {
    let older = s.older.iter().find(|id| **id != 0).map(|id| Happening::Forget(*id));
    if s.late { older.or(Some(Happening::Ack)) } else { None }
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
