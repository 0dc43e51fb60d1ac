//! The world around the two keys: instances, data planes, caches, crashes, late writes, people. Every step is one small
//! thing that happens, and every order of them is tried.
//!
//! A round of the controller is *decide on what was seen, read again, permit, send*, in one step; the write lands in a
//! later one, so that anything may happen in between. Deciding and reading again are one step because what the
//! decision sees is arbitrarily old already.
use crate::choice::{self, Choice};
use crate::coverage::Coverage;
use crate::env::Env;
use crate::excuses::Excuses;
use crate::invariants::{self, Rule};
use crate::state::{Flight, Instance, MOST, OLDER, Seen, Set, State, View};
use crate::subject::Subject;
use crate::table::{Map, Table};
use serin_rollout::{
    Decision, Limits, Observation, Plan, Rev, Route, RouteSeen, SetSeen, Slot, Split, Status, Timers, Write,
};
use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;

mod landing;
mod offers;
mod router;

/// One thing that happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Happening {
    /// The platform stops one of the surplus: the one with this index.
    Delete(u8, u8),
    /// The platform creates an instance.
    Create(u8),
    /// The instance with this index becomes ready.
    Ready(u8, u8),
    /// The ready instance with this index fails.
    Down(u8, u8),
    /// The open requests on the instance with this index, to which nothing sends any more, end.
    Idle(u8, u8),
    /// The router picks anew for the accepted route.
    Pick,
    /// The controller's view of a set catches up.
    Sync(u8),
    /// No data plane applies this older route any more.
    Forget(u16),
    /// Every data plane has confirmed the accepted route.
    Ack,
    /// Some data plane does not apply the accepted route for a while: it took the fallback by itself, or has not confirmed
    /// yet that instances came or went.
    Doubt,
    /// The autoscaler lowers a set.
    Lower(u8),
    /// Somebody gives a set a revision that nobody else knows.
    Drift(u8),
    /// Somebody writes this route, which nobody asks the second key for.
    Edit(u16),
    /// People want this revision.
    Want(u8),
    /// People want the plan with this index.
    Rescale(u8),
    /// The controller decides with these choices of the world, and saves or sends.
    Round(Choice),
    /// The write takes effect.
    Land,
    /// The write is lost.
    Lose,
    /// The controller dies and starts anew; with `true` its write is still under way.
    Crash(bool),
    /// The controller dies while it saves what it decides with these choices; the save is still under way.
    DieSaving(Choice),
    /// The write of the dead incarnation takes effect.
    ZombieLands,
    /// The save of the dead incarnation takes effect.
    ZombieSaves,
    /// Somebody else sends this write, which the second key allows.
    Somebody(u16),
    /// The controller decides and sends, and the read before the write does not know the slots of these bits.
    RoundBlind(Choice, u8),
    /// The same of somebody else's write.
    SomebodyBlind(u16, u8),
}

/// What a round leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// A status, by number.
    Save(u16),
    /// A write, by number.
    Ask(u16),
    /// Nothing.
    Wait,
}

/// One of the different decisions that the world's choices lead to.
#[derive(Clone, Copy, Debug)]
pub struct Decided {
    /// The first choice that leads here.
    pub choice: Choice,
    /// The decision.
    pub act: Act,
    /// The rule that the decision itself breaks; 0 for none.
    pub broken: u8,
}

/// The splits in force.
pub struct InForce {
    list: [Split; 2 * (OLDER + 1)],
    bits: [u8; 2 * (OLDER + 1)],
    len: usize,
}

impl InForce {
    /// Every split with the bit of its generation.
    pub fn generations(&self) -> impl Iterator<Item = (u8, Split)> + '_ {
        self.bits.iter().copied().zip(self.iter().copied())
    }
}

impl Deref for InForce {
    type Target = [Split];
    fn deref(&self) -> &[Split] {
        &self.list[..self.len]
    }
}

struct Names {
    status: Table<Status>,
    route: Table<Route>,
    write: Table<Write>,
}

/// The keys, a plan, and what the environment may do.
pub struct World {
    /// The two keys.
    pub subject: Subject,
    /// What a rollout does, and what is kept at rest.
    pub plan: Plan,
    /// The plans of the same strategy that people change to one after the other; `plan` is the first.
    pub sizes: Vec<Plan>,
    /// The faults.
    pub env: Env,
    /// What the rules excuse.
    pub excuses: Excuses,
    /// What was reached.
    pub reached: RefCell<Coverage>,
    names: RefCell<Names>,
    rounds: RefCell<Map<State, Rc<[Decided]>>>,
    anybody: Vec<u16>,
    edits: Vec<u16>,
}

/// Rounds that are remembered at most.
const REMEMBERED: usize = 1_500_000;

/// The revision that comes from outside.
pub const ALIEN: u8 = 99;

impl World {
    /// A world in which nothing has happened yet.
    pub fn new(subject: Subject, plan: Plan, env: Env) -> World {
        let nobody = Rev(u32::MAX);
        let names = Names {
            status: Table::new(Status::first(nobody)),
            route: Table::new(Route::NOWHERE),
            write: Table::new(Write::Rewrite { slot: 0, rev: nobody }),
        };
        let mut world = World {
            subject,
            sizes: vec![plan.clone()],
            plan,
            env,
            excuses: Excuses::default(),
            reached: RefCell::default(),
            names: RefCell::new(names),
            rounds: RefCell::default(),
            anybody: vec![],
            edits: vec![],
        };
        world.edits = landing::edits(&world.plan).map(|route| world.route_id(route)).to_vec();
        if env.anybody {
            let offers = offers::writes(&world.plan);
            world.anybody = offers.into_iter().map(|write| world.write_id(write)).collect();
        }
        world
    }

    /// The first revision serves whole, and nothing else is wanted.
    pub fn at_rest(&self) -> State {
        let size = self.plan.limits.replicas;
        let mut status = Status::first(Rev(1));
        status.proven[0] = true;
        let home = Set::whole(1, size as u8);
        let mut state = self.nothing();
        state.set[0] = home;
        state.view[0].set = home.seen();
        state.accepted = self.route_id(Route::plain(Split::all(0, size)));
        state.status = self.status_id(status);
        state
    }

    /// There is nothing yet; the first revision is wanted.
    pub fn nothing(&self) -> State {
        let view = View { set: Seen::default(), fresh: true };
        let status = self.status_id(Status::first(Rev(1)));
        State { view: [view; 2], status, wanted: 1, claimed: true, edits: self.env.edits, ..State::default() }
    }

    /// The same world, in which people may change the plan to these, one after the other.
    #[must_use]
    pub fn rescaled(mut self, others: impl IntoIterator<Item = Plan>) -> World {
        self.sizes.extend(others);
        self
    }

    /// The same world with other excuses.
    #[must_use]
    pub fn excusing(self, excuses: Excuses) -> World {
        World { excuses, ..self }
    }

    /// The plan that counts: the one that the rollout under way began with, at rest the wanted one.
    pub fn plan_of(&self, s: &State) -> &Plan {
        &self.sizes[usize::from(self.counts(s))]
    }

    fn counts(&self, s: &State) -> u8 {
        if self.status(s.status).is_idle() { s.scale } else { s.frozen }
    }

    /// What the service must keep now.
    pub fn limits(&self, s: &State) -> &Limits {
        &self.plan_of(s).limits
    }

    /// The status with this number.
    pub fn status(&self, id: u16) -> Status {
        self.names.borrow().status.get(id)
    }

    /// The number of a status.
    pub fn status_id(&self, status: Status) -> u16 {
        self.names.borrow_mut().status.id(status)
    }

    /// The route with this number.
    pub fn route(&self, id: u16) -> Route {
        self.names.borrow().route.get(id)
    }

    /// The number of a route.
    pub fn route_id(&self, route: Route) -> u16 {
        self.names.borrow_mut().route.id(route)
    }

    /// The write with this number.
    pub fn write(&self, id: u16) -> Write {
        self.names.borrow().write.get(id)
    }

    /// The number of a write.
    pub fn write_id(&self, write: Write) -> u16 {
        self.names.borrow_mut().write.id(write)
    }

    /// Every split that some data plane may apply: of the accepted route and of those that are not gone yet.
    pub fn in_force(&self, state: &State) -> InForce {
        let names = self.names.borrow();
        let mut all = InForce { list: [Split::Members([0, 0]); 2 * (OLDER + 1)], bits: [0; 2 * (OLDER + 1)], len: 0 };
        let older = state.older.iter().copied().take_while(|id| *id != 0);
        for (at, id) in std::iter::once(state.accepted).chain(older).enumerate() {
            let route = names.route.get(id);
            (all.list[all.len], all.bits[all.len], all.len) = (route.split, 1 << at, all.len + 1);
            if let Some(fallback) = route.fallback {
                (all.list[all.len], all.bits[all.len], all.len) = (fallback, 1 << at, all.len + 1);
            }
        }
        all
    }

    /// What the driver would hand to a key.
    fn observe(&self, state: &State, sets: [View; 2], choice: &Choice) -> Observation {
        let status = self.status(state.status);
        let set = sets.map(|View { set, fresh }| SetSeen {
            rev: (set.rev != 0).then_some(Rev(u32::from(set.rev))),
            desired: u16::from(set.desired),
            total: u16::from(set.total()),
            ready: u16::from(set.ready),
            healthy: if choice.healthy { u16::from(set.ready) } else { 0 },
            busy: u16::from(set.busy),
            pinned: set.pinned,
            fresh,
        });
        let older = state.older.iter().filter(|id| **id != 0);
        let route = RouteSeen {
            accepted: self.route(state.accepted),
            acked: !state.late,
            in_force: older.flat_map(|id| self.route(*id).splits()).collect(),
        };
        Observation {
            claimed: state.claimed,
            set,
            route,
            intent: choice.intent(&status, Rev(u32::from(state.wanted))),
            verdict: choice.verdict(&status),
            due: choice.due,
            failed: None,
        }
    }

    /// What the first key sees.
    pub fn seen(&self, state: &State, choice: &Choice) -> Observation {
        self.observe(state, state.view, choice)
    }

    /// What a linearizable read sees.
    pub fn truth(&self, state: &State, due: Timers) -> Observation {
        self.read(state, due, 0)
    }

    /// What a linearizable read sees that does not know the slots of the bits `blind`: what was asked for is as it is,
    /// what there is as it was seen last.
    fn read(&self, state: &State, due: Timers, blind: u8) -> Observation {
        let sets = [0, 1].map(|k: Slot| {
            let (set, old) = (state.set[k].seen(), state.view[k].set);
            if blind & (1 << k) == 0 {
                return View { set, fresh: true };
            }
            View { set: Seen { ready: old.ready, notready: old.notready, busy: old.busy, ..set }, fresh: false }
        });
        self.observe(state, sets, &Choice { due, ..Choice::QUIET })
    }

    /// The different decisions that a round may come to, waits left out.
    pub fn rounds(&self, state: &State) -> Rc<[Decided]> {
        let key = self.seen_part(state);
        if let Some(list) = self.rounds.borrow().get(&key) {
            return list.clone();
        }
        let status = self.status(state.status);
        let mut list: Vec<Decided> = vec![];
        let unproven = (0..2).any(|k| !status.proven[k] && key.view[k].fresh && key.view[k].set.ready > 0);
        let matters = |choice: &Choice| choice.healthy || unproven; // health is asked of unproven sets only
        for choice in choice::all(&self.env, self.plan_of(state), &status).into_iter().filter(matters) {
            let decided = self.decide(&key, &status, choice);
            let same = |x: &Decided| {
                x.act == decided.act && x.broken == decided.broken && x.choice.due.drain == decided.choice.due.drain
            };
            if decided.act != Act::Wait && !list.iter().any(same) {
                list.push(decided);
            }
        }
        let list: Rc<[Decided]> = list.into();
        let mut rounds = self.rounds.borrow_mut();
        if rounds.len() >= REMEMBERED {
            rounds.clear();
        }
        rounds.insert(key, list.clone());
        list
    }

    /// The decision with one choice.
    pub fn decide(&self, state: &State, status: &Status, choice: Choice) -> Decided {
        let seen = self.seen(state, &choice);
        let decision = (self.subject.decide)(self.plan_of(state), status, &seen);
        if let Ok(mut reached) = self.reached.try_borrow_mut() {
            reached.decided(status, &choice, &decision);
        }
        let (act, broken) = match decision {
            Decision::Wait(_) => (Act::Wait, None),
            Decision::Save(next, _) => {
                let judge = crate::advance::judge;
                let broken = if self.subject.ours { judge(self.plan_of(state), status, &next, &seen) } else { None };
                (Act::Save(self.status_id(choice::canonical(next))), broken)
            }
            Decision::Ask(write) => (Act::Ask(self.write_id(write)), self.judge_ask(state, status, &seen, &write)),
        };
        Decided { choice, act, broken: broken.map_or(0, |rule| rule as u8) }
    }

    fn judge_ask(&self, state: &State, status: &Status, seen: &Observation, write: &Write) -> Option<Rule> {
        let refused = || serin_rollout::permit(self.limits(state), seen, write).is_err();
        if self.subject.agrees && *write != Write::Claim && refused() {
            return Some(Rule::Agreement);
        }
        if let Write::Route(route) = write
            && self.subject.ours
        {
            let usable = serin_rollout::usable_of;
            let usable = [usable(&seen.set[0]), usable(&seen.set[1])];
            if !self.excuses.share
                && !invariants::share(self.plan_of(state), status, route, &self.in_force(state), usable)
            {
                return Some(Rule::Share);
            }
        }
        None
    }

    /// The state after `happening`; `None` if nothing changes.
    pub fn step(&self, before: &State, happening: Happening) -> Option<State> {
        let mut s = *before;
        match happening {
            Happening::Delete(k, at) => self.delete(&mut s, usize::from(k), usize::from(at)),
            Happening::Create(k) => self.create(&mut s, usize::from(k)),
            Happening::Ready(k, at) => one(&mut s.set[usize::from(k)], at, |instance| instance.with_ready(true)),
            Happening::Down(k, at) => {
                let set = &mut s.set[usize::from(k)];
                let counted = set.list()[usize::from(at)].sent() != 0 || set.scaled || self.excuses.debt_stays;
                let debt = &mut s.debt[usize::from(k)];
                *debt = (*debt + u8::from(counted)).min(MOST as u8);
                one(set, at, |instance| instance.with_ready(false));
            }
            Happening::Idle(k, at) => one(&mut s.set[usize::from(k)], at, Instance::idle),
            Happening::Pick => self.pick(&mut s),
            Happening::Sync(k) => s.view[usize::from(k)] = View { set: s.set[usize::from(k)].seen(), fresh: true },
            Happening::Forget(id) => self.forget(&mut s, id),
            Happening::Ack => self.confirm(&mut s),
            Happening::Doubt => s.late = true,
            Happening::Lower(k) => {
                let set = &mut s.set[usize::from(k)];
                (set.desired, set.scaled) = (set.desired - 1, true);
                self.overtakes(&mut s, usize::from(k));
            }
            Happening::Drift(k) => {
                let set = &mut s.set[usize::from(k)];
                s.debt[usize::from(k)] += set.ready();
                set.rev = ALIEN;
                set.change(|instance| instance.with_ready(false));
                self.overtakes(&mut s, usize::from(k));
            }
            Happening::Edit(id) => self.edit(&mut s, id),
            Happening::Want(rev) => s.wanted = rev,
            Happening::Rescale(plan) => (s.scale, s.zombie_save) = (plan, 0), // the wish and the status are one object
            Happening::Round(choice) => self.round(&mut s, choice, 0)?,
            Happening::RoundBlind(choice, blind) => self.round(&mut s, choice, blind)?,
            Happening::Land => self.land(&mut s, true),
            Happening::Lose => s.flight = Flight::default(),
            Happening::Crash(leave) => {
                if leave {
                    s.zombie = s.flight;
                }
                self.restart(&mut s);
            }
            Happening::DieSaving(choice) => {
                let status = self.status(s.status);
                let Act::Save(next) = self.decide(&s, &status, choice).act else { return None };
                s.zombie_save = next;
                self.restart(&mut s);
            }
            Happening::ZombieLands => self.land(&mut s, false),
            Happening::ZombieSaves => self.save_late(&mut s),
            Happening::Somebody(write) => self.send(&mut s, write, &Choice::QUIET, 0)?,
            Happening::SomebodyBlind(write, blind) => self.send(&mut s, write, &Choice::QUIET, blind)?,
        }
        if self.status(s.status).is_idle() {
            s.frozen = 0; // it does not count any more
        }
        if self.limits(&s).floor > self.limits(before).floor {
            self.owe(&mut s); // people ask for more than there is
        }
        let in_force = self.settle(&mut s);
        if s.broken == 0 && !invariants::capacity(&s, in_force.generations(), self.limits(&s).floor) {
            s.broken = Rule::Capacity as u8;
        }
        if self.excuses.only.is_some_and(|rule| s.broken != rule as u8) {
            s.broken = 0;
        }
        (s != *before).then_some(s)
    }

    fn round(&self, s: &mut State, choice: Choice, blind: u8) -> Option<()> {
        let rounds = self.rounds.borrow().get(&self.seen_part(s)).cloned();
        let known = rounds.and_then(|list| list.iter().find(|decided| decided.choice == choice).copied());
        let decided = known.unwrap_or_else(|| self.decide(s, &self.status(s.status), choice));
        s.broken = decided.broken;
        match decided.act {
            Act::Wait => None,
            Act::Save(next) => {
                if s.broken == 0 && self.subject.ours {
                    let (from, to) = (self.status(s.status), self.status(next));
                    let rule = crate::advance::promotes_what_it_says(&from, &to, &s.view);
                    s.broken = rule.map_or(0, |rule| rule as u8);
                }
                if self.status(s.status).is_idle() {
                    s.frozen = s.scale;
                }
                (s.status, s.zombie_save) = (next, 0);
                Some(())
            }
            Act::Ask(write) => match self.send(s, write, &choice, blind) {
                Some(()) => Some(()),
                None => (s.broken != 0).then_some(()),
            },
        }
    }

    /// The save of a dead incarnation takes effect.
    fn save_late(&self, s: &mut State) {
        if self.status(s.status).is_idle() {
            s.frozen = s.scale;
        }
        (s.status, s.zombie_save) = (s.zombie_save, 0);
    }

    /// A new process: it has seen nothing and fenced nothing.
    fn restart(&self, s: &mut State) {
        s.flight = Flight::default();
        s.claimed = false;
        s.view = [View::default(); 2];
    }

    /// Reductions, each of which keeps everything that can still happen. Returns the splits in force.
    fn settle(&self, s: &mut State) -> InForce {
        let in_force = self.in_force(s);
        let floor = self.limits(s).floor;
        for k in 0..2 {
            while !self.env.lazy && s.set[k].total() < s.set[k].desired {
                self.create(s, k); // creation is eager
            }
            let set = &mut s.set[k];
            if set.total() == 0 && set.desired == 0 {
                *set = Set::default(); // what it was does not matter any more
            }
            if set.surplus() == 0 {
                (set.drained, set.scaled) = (false, false);
            }
            if !self.env.stale {
                s.view[k] = View { set: s.set[k].seen(), fresh: true };
            } else if s.view[k].fresh && s.view[k].set.total() == 0 && s.view[k].set.desired == 0 {
                s.view[k].set = Seen::default();
            } else if !s.view[k].fresh && self.subject.reads_fresh {
                let seen = &mut s.view[k].set; // the core ignores the readiness of a stale view
                (seen.notready, seen.ready) = (seen.total(), 0);
            }
            let missing = |(bit, split): (u8, Split)| {
                invariants::counts_on(split, k, floor).saturating_sub(u16::from(s.set[k].serving(bit)))
            };
            let short = in_force.generations().map(missing).max().unwrap_or(0);
            if !self.excuses.debt_stays {
                s.debt[k] = s.debt[k].min(short as u8); // what is not missing now is not owed
            }
        }
        in_force
    }

    /// The part of a state that the controller can see.
    fn seen_part(&self, state: &State) -> State {
        let plan = self.counts(state);
        State {
            view: state.view,
            accepted: state.accepted,
            older: state.older,
            late: state.late,
            status: state.status,
            scale: plan,
            frozen: plan,
            wanted: state.wanted,
            claimed: state.claimed,
            ..State::default()
        }
    }

    /// Somebody else wrote to the object: a write that is under way to it fails, because every write names the version
    /// that it read.
    fn overtakes(&self, s: &mut State, object: usize) {
        for flight in [&mut s.flight, &mut s.zombie] {
            if flight.write != 0 && object_of(&self.write(flight.write)) == object {
                *flight = Flight::default();
            }
        }
    }
}

/// One instance of a set changes.
fn one(set: &mut Set, at: u8, by: impl Fn(Instance) -> Instance) {
    let instance = &mut set.list_mut()[usize::from(at)];
    *instance = by(*instance);
    set.sort();
}

/// The object that a write goes to: a set by its slot, 2 for the route.
pub fn object_of(write: &Write) -> usize {
    match write {
        Write::Resize { slot, .. } | Write::Rewrite { slot, .. } => *slot,
        Write::Route(_) => 2,
        Write::Claim => 3,
    }
}
