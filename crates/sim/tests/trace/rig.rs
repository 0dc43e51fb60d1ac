//! A small machine under the shipped core, which writes the journals that a real one writes.
use serin_journal::decision::{Came, Choice, Decided, Decision, Permit, hash};
use serin_journal::fact::{InstanceFact, Named, ProxyFact};
use serin_journal::{DECISIONS, INSTANCES, Journal, PROXY, Stamp};
use serin_rollout::{
    Accept, Event, Intent, Observation, Plan, Preset, Rev, Route, RouteSeen, SetSeen, Split, Status, Timer, TimerKey,
    Timers, Verdict, WeightStep, Write, decide, permit,
};
use std::path::Path;

/// From one look to the next.
const LOOK: u64 = 10;
/// An instance is ready after this, healthy after another such time, and gone so long after it was told to stop.
const READY: u64 = 40;

struct Instance {
    id: String,
    born: u64,
    ready: bool,
    stopped: Option<u64>,
}

/// The machine, and the controller on it.
pub struct Rig {
    plan: Plan,
    status: Status,
    intent: Intent,
    /// What the analysis says of every step.
    pub verdict: Verdict,
    orders: [(Option<Rev>, u16, bool); 2],
    living: [Vec<Instance>; 2],
    route: Route,
    tables: Vec<(u64, u64, Route, [Vec<Named>; 2])>,
    generation: u64,
    timers: Vec<(TimerKey, u64)>,
    began: bool,
    claimed: bool,
    boot: u64,
    epoch: u64,
    turn: u64,
    decisions: Journal,
    instances: Journal,
    proxy: Journal,
    told: Option<Decision>,
}

fn plan() -> Plan {
    let accept = Accept { bake_ms: Some(50), checks: true, manual: false };
    let steps = [2_000, 5_000].map(|weight| WeightStep { weight, accept });
    let mut plan = Plan::compile(&Preset::Weights(steps.to_vec()), 2, 0, false).unwrap();
    (plan.times.window_ms, plan.times.healthy_ms) = (60, 5_000);
    plan
}

impl Rig {
    /// The first revision is wanted, and nothing runs.
    pub fn new(state: &Path) -> Rig {
        std::fs::create_dir_all(state.join("proxy")).unwrap();
        let most = 1 << 24;
        let mut rig = Rig {
            plan: plan(),
            status: Status::first(Rev(1)),
            intent: Intent::of(Rev(1)),
            verdict: Verdict::Pass,
            orders: [(None, 0, false); 2],
            living: [vec![], vec![]],
            route: Route::NOWHERE,
            tables: vec![],
            generation: 0,
            timers: vec![],
            began: false,
            claimed: false,
            boot: 1_000,
            epoch: 1,
            turn: 0,
            decisions: Journal::at(state.join(DECISIONS), most, 1),
            instances: Journal::at(state.join(INSTANCES), most, 1),
            proxy: Journal::at(state.join("proxy").join(PROXY), most, 900),
            told: None,
        };
        rig.proxy.tell(rig.stamp(), ProxyFact::Began {});
        rig
    }

    fn stamp(&self) -> Stamp {
        Stamp { at: 1_700_000_000_000 + self.boot, boot: self.boot }
    }

    /// Like the driver, which writes down that it began when it has something to write down: after it has looked.
    fn begin(&mut self) {
        if std::mem::replace(&mut self.began, true) {
            return;
        }
        let stamp = self.stamp();
        self.decisions.tell(stamp, Decided::Began { service: "shop".into() });
        self.decisions.tell(stamp, Decided::Plan { hash: hash(&self.plan), plan: Box::new(self.plan.clone()) });
        self.instances.tell(stamp, InstanceFact::Began {});
    }

    /// The controller dies, and the next one goes on.
    pub fn restart(&mut self, state: &Path) {
        self.epoch += 1;
        self.boot += LOOK;
        self.decisions = Journal::at(state.join(DECISIONS), 1 << 24, self.epoch);
        self.instances = Journal::at(state.join(INSTANCES), 1 << 24, self.epoch);
        (self.began, self.claimed, self.told) = (false, false, None);
    }

    /// Another revision is wanted, and goes its way until the service rests.
    pub fn release(&mut self, rev: u32, verdict: Verdict) {
        (self.intent.wanted, self.verdict) = (Rev(rev), verdict);
        assert!((0..1_000).any(|_| self.round() && self.status.is_idle()), "{:?}", self.status);
    }

    /// The same, until the controller has just sent a write of the rollout's first step; it dies then.
    pub fn begin_release(&mut self, rev: u32, state: &Path) {
        (self.intent.wanted, self.verdict) = (Rev(rev), Verdict::Pass);
        while self.status.is_idle() {
            self.one();
        }
        while !self.one() {}
        self.restart(state);
    }

    /// Decides until there is something to wait for. `true`: there is nothing.
    fn round(&mut self) -> bool {
        loop {
            match self.decide() {
                Choice::Wait(on) => return on == serin_rollout::WaitingOn::Nothing,
                Choice::Save { status, events } => self.save(status, &events),
                Choice::Ask(write) => {
                    self.carry_out(write);
                    self.decisions.tell(self.stamp(), Decided::Came(Came::Done));
                }
            }
        }
    }

    /// One decision; a write is sent, and nobody hears what came of it. `true`: that was so.
    fn one(&mut self) -> bool {
        match self.decide() {
            Choice::Wait(_) => false,
            Choice::Save { status, events } => {
                self.save(status, &events);
                false
            }
            Choice::Ask(write) => {
                self.carry_out(write);
                true
            }
        }
    }

    fn decide(&mut self) -> Choice {
        let seen = self.look();
        let choice = Choice::from(&decide(&self.plan, &self.status, &seen));
        let mut decision = Decision {
            plan: hash(&self.plan),
            status: self.status,
            seen,
            choice: choice.clone(),
            fresh: None,
            permit: None,
        };
        if let Choice::Ask(write) = choice {
            let fresh = self.look();
            let answer = permit(&self.plan.limits, &fresh, &write);
            assert_eq!(answer, Ok(()), "{write:?} on {fresh:?}");
            (decision.fresh, decision.permit) = (Some(fresh), Some(Permit::Allowed));
        }
        let again = matches!(choice, Choice::Wait(_)) && self.told.as_ref() == Some(&decision);
        self.begin();
        if !again {
            self.decisions.tell(self.stamp(), Decided::Decision(Box::new(decision.clone())));
        }
        self.told = Some(decision);
        choice
    }

    fn save(&mut self, next: Status, _: &[Event]) {
        self.status = next;
        let keys = Timer::ALL.into_iter().filter_map(|timer| next.timer(timer));
        let old = std::mem::take(&mut self.timers);
        let deadline = |key: TimerKey| {
            let length = match key.timer {
                Timer::Bake => 50,
                Timer::Window => self.plan.times.window_ms,
                Timer::Drain | Timer::Healthy | Timer::Progress => self.plan.times.healthy_ms,
            };
            old.iter().find(|(known, _)| *known == key).map_or(self.boot + length, |(_, at)| *at)
        };
        self.timers = keys.map(|key| (key, deadline(key))).collect();
        self.decisions.tell(self.stamp(), Decided::Came(Came::Done));
    }

    fn carry_out(&mut self, write: Write) {
        self.boot += 1;
        match write {
            Write::Claim => self.claimed = true,
            Write::Resize { slot, to, rev, pin } => self.orders[slot] = (Some(rev), to, pin),
            Write::Route(route) => {
                self.route = route;
                self.generation += 1;
                self.bring_table();
            }
            Write::Rewrite { .. } => unreachable!("this machine never rewrites a set"),
        }
    }

    /// What a tick of the keeper does, and then what is so.
    fn look(&mut self) -> Observation {
        self.boot += LOOK;
        for slot in 0..2 {
            self.fill(slot);
        }
        self.acknowledge();
        self.bring_table();
        self.stop_surplus();
        let mut due = Timers::default();
        for (key, _) in self.timers.iter().filter(|(_, at)| *at <= self.boot) {
            match key.timer {
                Timer::Bake => due.bake = true,
                Timer::Healthy => due.healthy = true,
                Timer::Progress => due.progress = true,
                Timer::Drain => due.drain = true,
                Timer::Window => due.window = true,
            }
        }
        let in_force = self.tables.iter().flat_map(|(_, _, route, _)| route.splits()).collect();
        Observation {
            claimed: self.claimed,
            set: [self.set(0), self.set(1)],
            route: RouteSeen { accepted: self.route, acked: self.tables.len() < 2, in_force },
            intent: self.intent,
            verdict: self.status.key().map(|key| (key, self.verdict)),
            due,
            failed: None,
        }
    }

    fn set(&self, slot: usize) -> SetSeen {
        let (rev, desired, pinned) = self.orders[slot];
        let all = &self.living[slot];
        let staying: Vec<_> = all.iter().filter(|one| one.stopped.is_none()).take(usize::from(desired)).collect();
        let confirmed = |id: &str| {
            let has = |table: &[Vec<Named>; 2]| table.iter().flatten().any(|named| named.ready && named.id == id);
            self.tables.iter().all(|(_, _, _, table)| has(table))
        };
        let ready = |one: &&&Instance| one.ready && confirmed(&one.id);
        let healthy = |one: &&&Instance| self.boot >= one.born + 2 * READY;
        let (stay, total) = (staying.iter().filter(ready).count(), all.len());
        SetSeen {
            rev,
            desired,
            total: total as u16,
            ready: (stay + total.saturating_sub(usize::from(desired))) as u16,
            healthy: staying.iter().filter(ready).filter(healthy).count() as u16,
            busy: 0,
            pinned,
            fresh: true,
        }
    }

    fn fill(&mut self, slot: usize) {
        let (boot, stamp) = (self.boot, self.stamp());
        let (rev, desired, _) = self.orders[slot];
        while self.living[slot].iter().filter(|one| one.stopped.is_none()).count() < usize::from(desired) {
            self.turn += 1;
            let (id, rev) = (format!("shop-{}", self.turn), rev.unwrap());
            self.instances.tell(stamp, InstanceFact::Started { id: id.clone(), slot, rev });
            self.living[slot].push(Instance { id, born: boot, ready: false, stopped: None });
        }
        for one in self.living[slot].iter_mut().filter(|one| !one.ready && boot >= one.born + READY) {
            one.ready = true;
            self.instances.tell(stamp, InstanceFact::Ready { id: one.id.clone() });
        }
        let gone = |one: &Instance| one.stopped.is_some_and(|at| boot >= at + READY);
        for one in self.living[slot].iter().filter(|one| gone(one)) {
            self.instances.tell(stamp, InstanceFact::Exited { id: one.id.clone(), stopping: true });
        }
        self.living[slot].retain(|one| !gone(one));
    }

    /// A table is confirmed by the second look after it.
    fn acknowledge(&mut self) {
        let Some((version, at, ..)) = self.tables.last() else { return };
        if self.tables.len() > 1 && self.boot >= at + 2 * LOOK {
            self.proxy.tell(Stamp { at: 0, boot: self.boot }, ProxyFact::Acknowledged { version: *version });
            self.tables.drain(..self.tables.len() - 1);
        }
    }

    fn bring_table(&mut self) {
        let endpoints = [0, 1].map(|slot: usize| {
            let staying = self.living[slot].iter().filter(|one| one.stopped.is_none());
            let staying = staying.take(usize::from(self.orders[slot].1));
            staying.map(|one| Named { id: one.id.clone(), ready: one.ready }).collect::<Vec<_>>()
        });
        let last = self.tables.last();
        if last.is_some_and(|(_, _, route, known)| *route == self.route && *known == endpoints)
            || (last.is_none() && endpoints.iter().all(Vec::is_empty))
        {
            return;
        }
        let version = last.map_or(1, |(version, ..)| version + 1);
        let clip = |split: Split| match split {
            Split::Weighted(_) => split,
            Split::Members(m) => Split::Members([0, 1].map(|slot: usize| m[slot].min(endpoints[slot].len() as u16))),
        };
        let fact = ProxyFact::Table {
            epoch: self.epoch,
            version,
            generation: self.generation,
            split: clip(self.route.split),
            fallback: self.route.fallback.map(clip),
            lease_ms: self.route.lease.then_some(1_000),
            endpoints: endpoints.clone(),
        };
        self.proxy.tell(self.stamp(), fact);
        self.tables.push((version, self.boot, self.route, endpoints));
    }

    fn stop_surplus(&mut self) {
        let [(version, _, _, table)] = &self.tables[..] else { return };
        let stamp = self.stamp();
        for slot in 0..2 {
            let desired = self.orders[slot].1;
            let all = self.living[slot].iter_mut().filter(|one| one.stopped.is_none()).skip(usize::from(desired));
            for one in all.filter(|one| table.iter().flatten().all(|named| named.id != one.id)) {
                one.stopped = Some(self.boot);
                let (id, version) = (one.id.clone(), *version);
                self.instances.tell(stamp, InstanceFact::Stopped { id, slot, desired, open: 0, version });
            }
        }
    }
}
