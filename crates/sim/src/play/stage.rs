//! The stage: the world's state, the moments at which something happens to it, and the clock that jumps between them.
use super::controller::Controller;
use super::draw::between;
use super::fault::{Fault, Strike, Track};
use super::traffic::{Roads, Traffic};
use super::{End, Engine, Line, Played, Scene, Script, What};
use crate::invariants::{self, Rule};
use crate::simulator::Random;
use crate::state::{Instance, State};
use crate::world::{Happening, World};
use serin_rollout::{Bp, FULL, Observation, Pair, Rev, Route, SetSeen, Slot, Split, Timers};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Milliseconds that a write takes to land.
const LANDS_MS: (u64, u64) = (5, 40);
/// That the data plane takes to confirm a route.
const CONFIRMS_MS: (u64, u64) = (20, 120);
/// That an instance takes to start, before its checks begin to pass.
const STARTS_MS: (u64, u64) = (200, 2_000);
/// That an instance is away before it is started again.
const AGAIN_MS: u64 = 1_000;
/// That an instance takes to end when it is told to.
const ENDS_MS: (u64, u64) = (50, 400);
/// That the last open requests take.
const OPEN_MS: (u64, u64) = (20, 300);
/// The longest stretch of time over which traffic is drawn at once, in calm and in trouble.
const STRETCH_MS: (u64, u64) = (500, 50);
/// When nothing changes for so long and nothing is left that could change it, nothing will.
const STILL_MS: u64 = 600_000;
/// The longest play.
const LONGEST_MS: u64 = 30 * 86_400_000;
/// The moment that never comes.
const NEVER: u64 = u64::MAX;

/// What is under way on the platform.
#[derive(Default)]
struct Platform {
    /// When instances that are not ready become so.
    starting: Pair<Vec<u64>>,
    /// Since when ready instances are.
    since: Pair<Vec<u64>>,
    /// When surplus instances are gone.
    leaving: Pair<Vec<u64>>,
    /// When the open requests of instances without traffic end.
    idle: Pair<Option<u64>>,
    /// When the data plane confirms the route with this number.
    confirm: Option<(u16, u64)>,
    whole: Pair<bool>,
}

/// What goes wrong at the moment.
#[derive(Default)]
struct Trouble {
    pending: Vec<Strike>,
    losses: Vec<Track>,
    errors_ppm: u32,
    slow_ms: u64,
    never_ready: bool,
    no_traffic: bool,
    late_ms: Option<u64>,
}

/// A play under way.
pub(super) struct Stage<'a, E> {
    pub world: &'a World,
    pub script: &'a Script,
    pub engine: &'a mut E,
    /// How far it is, for whoever watches.
    clock: &'a AtomicU64,
    pub random: Random,
    pub state: State,
    pub now: u64,
    /// When anything but the counters changed last.
    pub changed: u64,
    pub controller: Controller,
    pub traffic: Traffic,
    pub land: Option<u64>,
    pub falling_back: bool,
    lines: Vec<Line>,
    platform: Platform,
    trouble: Trouble,
    /// What the data plane applies.
    applied: Route,
    /// The part of the traffic that what is ready can carry.
    part: Bp,
    least: (Bp, u64),
    short_ms: u64,
    /// Since when that part is nothing.
    dark: Option<u64>,
    first_new: Option<u64>,
    first_bad: Option<u64>,
}

impl<'a, E: Engine> Stage<'a, E> {
    pub fn new(world: &'a World, script: &'a Script, engine: &'a mut E, clock: &'a AtomicU64) -> Stage<'a, E> {
        let state = world.at_rest();
        let mut pending = script.strikes.clone();
        pending.sort_by_key(|strike| strike.at_ms);
        Stage {
            world,
            script,
            engine,
            clock,
            random: Random(script.seed),
            state,
            now: 0,
            changed: 0,
            controller: Controller::default(),
            traffic: Traffic::default(),
            land: None,
            falling_back: false,
            lines: vec![],
            platform: Platform { whole: [true, false], ..Platform::default() },
            trouble: Trouble { pending, ..Trouble::default() },
            applied: world.route(state.accepted),
            part: FULL,
            least: (FULL, 0),
            short_ms: 0,
            dark: None,
            first_new: None,
            first_bad: None,
        }
    }

    /// From the wish for a new revision to the end.
    pub fn run(mut self) -> Played {
        self.arrange();
        self.happen(Happening::Want(2));
        self.strike();
        loop {
            if let Some(end) = self.end() {
                return self.finish(end);
            }
            let next = self.next_moment();
            self.pass(next);
            self.now = next;
            self.clock.store(next, Relaxed);
            self.platform_moment();
            self.strike();
            self.controller_moment();
            self.tell_dark();
        }
    }

    fn end(&mut self) -> Option<End> {
        if let Some(rule) = Rule::of(self.state.broken) {
            return Some(End::Broken(rule));
        }
        if let Some((outcome, why)) = self.controller.is_over() {
            return Some(End::Over(outcome, why));
        }
        let strikes = !self.trouble.pending.is_empty();
        let soon = self.next_but_looks().is_some() || strikes || self.engine.next_due(self.now).is_some();
        let still = self.now >= self.changed + STILL_MS && !soon;
        if still {
            let (waits, _) = self.wait_in_words();
            return Some(End::Still { waits, halted: self.is_halted(), since_ms: self.changed });
        }
        (self.now >= LONGEST_MS).then(|| End::Unfinished { waits: self.wait_in_words().0 })
    }

    fn finish(mut self, end: End) -> Played {
        self.traffic.give_up();
        let scene = self.scene();
        let losses =
            self.trouble.losses.iter().map(|track| Strike { fault: Fault::InstanceLost(*track), at_ms: self.now });
        Played {
            end,
            ended_ms: self.now,
            scene,
            least: self.least,
            short_ms: self.short_ms,
            first_new_ms: self.first_new,
            first_bad_ms: self.first_bad,
            going_back_ms: self.controller.going_back,
            unstruck: self.trouble.pending.iter().copied().chain(losses).collect(),
            lines: self.lines,
        }
    }

    /// What is so, without a delay.
    pub fn truth(&self) -> Observation {
        self.world.truth(&self.state, Timers::default())
    }

    fn slot_of(&self, sets: &Pair<SetSeen>, track: Track) -> Option<Slot> {
        (0..2).find(|k| sets[*k].rev == Some(Rev(track.rev())))
    }

    fn track_of(&self, set: &SetSeen) -> Track {
        if set.rev == Some(Rev(Track::New.rev())) { Track::New } else { Track::Old }
    }

    /// The split that the data plane applies at this moment.
    fn effective(&self) -> Split {
        match self.applied.fallback {
            Some(fallback) if self.falling_back => fallback,
            Some(_) | None => self.applied.split,
        }
    }

    fn roads(&self) -> Roads {
        let sets = self.truth().set;
        let new = [0, 1].map(|k: Slot| self.track_of(&sets[k]) == Track::New);
        let given_up = self.trouble.slow_ms >= self.script.response_ms;
        let errors_ppm = if given_up { 1_000_000 } else { self.trouble.errors_ppm };
        Roads {
            rate: if self.trouble.no_traffic { 0 } else { self.script.rate },
            split: self.effective(),
            fallback: self.applied.fallback,
            ready: sets.map(|set| set.ready),
            errors_ppm: new.map(|new| if new { errors_ppm } else { 0 }),
            slow_ms: new.map(|new| if new { self.slow_ms() } else { 0 }),
            hold_max: self.script.hold_max,
            hold_ms: self.script.hold_ms,
        }
    }

    /// By how much an answer of the new revision is late: no more than it is waited for.
    fn slow_ms(&self) -> u64 {
        self.trouble.slow_ms.min(self.script.response_ms)
    }

    /// How things stand.
    pub fn scene(&self) -> Scene {
        let sets = self.truth().set;
        let count = |track| self.slot_of(&sets, track).map_or([0, 0], |k| [sets[k].ready, sets[k].desired]);
        let split = self.effective();
        let share = self.slot_of(&sets, Track::New).map_or(0, |k| split.share(k));
        Scene { share, old: count(Track::Old), new: count(Track::New), tally: self.traffic.tally }
    }

    /// A line of the story.
    pub fn tell(&mut self, what: What) {
        self.lines.push(Line { at_ms: self.now, scene: self.scene(), what });
        self.changed = self.now;
    }

    /// One step of the world; `false` if it changes nothing.
    pub fn happen(&mut self, happening: Happening) -> bool {
        let Some(next) = self.world.step(&self.state, happening) else { return false };
        self.state = next;
        self.changed = self.now;
        self.arrange();
        self.weigh();
        self.look_soon();
        true
    }

    /// Gives everything that has to come its moment, and takes back what will not come any more.
    fn arrange(&mut self) {
        let seen = self.truth();
        for k in 0..2 {
            let set = &seen.set[k];
            let surplus = usize::from(set.total.saturating_sub(set.desired));
            let down = usize::from(set.total - set.ready);
            let starts = down - surplus.min(down);
            let never = self.trouble.never_ready && self.track_of(set) == Track::New;
            self.platform.starting[k].truncate(starts);
            while self.platform.starting[k].len() < starts {
                let takes = self.script.checks_ms + between(&mut self.random, STARTS_MS.0, STARTS_MS.1);
                self.platform.starting[k].push(if never { NEVER } else { self.now + takes });
            }
            let (since, ready) = (&mut self.platform.since[k], usize::from(set.ready));
            since.drain(..since.len().saturating_sub(ready));
            since.resize(ready, self.now);
            self.platform.leaving[k].truncate(surplus);
            while self.platform.leaving[k].len() < surplus {
                let takes = between(&mut self.random, ENDS_MS.0, ENDS_MS.1);
                self.platform.leaving[k].push(self.now + takes);
            }
            if set.busy == 0 {
                self.platform.idle[k] = None;
            } else if self.platform.idle[k].is_none() {
                let slow = if self.track_of(set) == Track::New { self.slow_ms() } else { 0 };
                self.platform.idle[k] = Some(self.now + slow + between(&mut self.random, OPEN_MS.0, OPEN_MS.1));
            }
        }
        let accepted = self.state.accepted;
        if seen.route.acked {
            (self.platform.confirm, self.applied) = (None, seen.route.accepted);
        } else if !self.falling_back && self.platform.confirm.is_none_or(|(id, _)| id != accepted) {
            self.confirm_soon();
        }
    }

    /// The data plane applies what it accepted, and will say so.
    pub(super) fn confirm_soon(&mut self) {
        let takes = between(&mut self.random, CONFIRMS_MS.0, CONFIRMS_MS.1);
        let at = self.now + self.trouble.late_ms.unwrap_or(takes);
        self.platform.confirm = Some((self.state.accepted, at));
    }

    /// The part of the traffic that what is ready can carry now.
    pub(super) fn weigh(&mut self) {
        let floor = self.world.limits(&self.state).floor;
        let usable = self.truth().set.map(|set| serin_rollout::usable_of(&set));
        let roads = self.roads();
        let by_split = invariants::serves(roads.split, usable, floor);
        let refused = (0..2).any(|k| roads.split.reaches(k) && usable[k] == 0);
        let by_itself = roads.fallback.filter(|_| refused).map_or(0, |split| invariants::serves(split, usable, floor));
        let whole = invariants::serves(Split::all(0, 1), [1, 0], 1);
        let part = (by_split.max(by_itself) * u64::from(FULL) / whole) as Bp;
        self.part = part.min(FULL);
        if part < self.least.0 {
            self.least = (part, self.now);
        }
    }

    /// Tells when nothing serves any more, and when something does again.
    fn tell_dark(&mut self) {
        match (self.part, self.dark) {
            (0, None) => {
                self.dark = Some(self.now);
                self.tell(What::Dark);
            }
            (1.., Some(since)) => {
                self.dark = None;
                self.tell(What::Lit(self.now - since));
            }
            (0, Some(_)) | (1.., None) => {}
        }
    }

    /// Since when all ready instances that have to prove themselves are, and will have been for long enough.
    pub fn healthy_at(&self, proven: Pair<bool>) -> u64 {
        let unproven = (0..2).filter(|k| !proven[*k]).flat_map(|k| self.platform.since[k].iter());
        unproven.max().map_or(0, |since| since + self.world.plan.times.min_healthy_ms)
    }

    /// When the data plane gives up waiting for the controller.
    fn lease_end(&self) -> Option<u64> {
        let leased = self.applied.lease && self.applied.fallback.is_some() && !self.falling_back;
        self.controller.silent_since.filter(|_| leased).map(|since| since + self.world.plan.times.lease_ms)
    }

    /// The next moment that is none of the controller's looks.
    fn next_but_looks(&self) -> Option<u64> {
        let p = &self.platform;
        let lists = p.starting.iter().chain(&p.leaving).flatten().copied().filter(|at| *at != NEVER);
        let single = p.idle.into_iter().chain([p.confirm.map(|(_, at)| at), self.land, self.lease_end()]);
        let controller = [self.controller.dead_until, self.controller.full_until, self.controller.approval_at()];
        lists.chain(single.chain(controller).flatten()).min()
    }

    fn next_moment(&self) -> u64 {
        let strike = self.trouble.pending.first().map(|strike| strike.at_ms);
        let still = Some(self.changed + STILL_MS).filter(|at| *at > self.now);
        let moments = [self.next_but_looks(), self.controller.look_at, strike, still, Some(LONGEST_MS)];
        moments.into_iter().flatten().min().unwrap_or(LONGEST_MS).max(self.now + 1)
    }

    /// Users send requests until `to`.
    fn pass(&mut self, to: u64) {
        let mut at = self.now;
        if self.part < FULL {
            self.short_ms += to - at;
        }
        let roads = self.roads();
        let new = self.slot_of(&self.truth().set, Track::New);
        while at < to {
            let calm = !self.traffic.holds() && (0..2).all(|k| !roads.split.reaches(k) || roads.ready[k] > 0);
            let length = (to - at).min(if calm { STRETCH_MS.0 } else { STRETCH_MS.1 });
            at += length;
            self.traffic.pass(&mut self.random, &roads, at, length);
            if new.is_some_and(|k| self.traffic.sent(k) > 0) {
                self.first_new.get_or_insert(at - length);
            }
            if self.traffic.bad() > 0 {
                self.first_bad.get_or_insert(at - length);
            }
        }
    }

    fn platform_moment(&mut self) {
        let now = self.now;
        if self.land.is_some_and(|at| at <= now) {
            let lands = self.world.can_land_now(&self.state);
            self.land = if lands { None } else { Some(now + LANDS_MS.1) };
            if lands {
                self.happen(Happening::Land);
            }
        }
        for k in 0..2usize {
            while take(&mut self.platform.leaving[k], now) {
                let mut stops = vec![];
                self.world.offer_deletes(&self.state.set[k], k as u8, &mut stops);
                match stops.last() {
                    Some(stop) => {
                        self.happen(*stop);
                    }
                    None => {
                        self.platform.leaving[k].push(now + AGAIN_MS); // the proxy has not confirmed yet
                        break;
                    }
                }
            }
            while take(&mut self.platform.starting[k], now) {
                if let Some(at) = self.which(k, |instance| !instance.is_ready()) {
                    self.happen(Happening::Ready(k as u8, at));
                }
            }
            if self.platform.idle[k].take_if(|at| *at <= now).is_some() {
                while let Some(at) = self.which(k, Instance::is_open) {
                    self.happen(Happening::Idle(k as u8, at));
                }
            }
        }
        if self.world.can_pick(&self.state) {
            self.happen(Happening::Pick);
        }
        if self.platform.confirm.is_some_and(|(_, at)| at <= now) {
            self.happen(Happening::Ack);
        }
        if self.lease_end().is_some_and(|at| at <= now) {
            self.falling_back = true;
            self.happen(Happening::Doubt);
            self.weigh();
            self.tell(What::FellBack);
        }
        self.tell_whole();
    }

    /// The first instance of a set of which this is so.
    fn which(&self, k: usize, what: fn(Instance) -> bool) -> Option<u8> {
        self.state.set[k].list().iter().position(|instance| what(*instance)).map(|at| at as u8)
    }

    fn tell_whole(&mut self) {
        let sets = self.truth().set;
        for (k, set) in sets.iter().enumerate() {
            let whole = set.desired > 0 && set.ready >= set.desired && set.total <= set.desired;
            let before = std::mem::replace(&mut self.platform.whole[k], whole || set.ready > set.desired);
            if whole && !before {
                self.tell(What::Ready(self.track_of(set)));
            }
        }
    }

    /// What is due of the scenario strikes.
    fn strike(&mut self) {
        while let Some(strike) = self.trouble.pending.first().copied().filter(|strike| strike.at_ms <= self.now) {
            self.trouble.pending.remove(0);
            match strike.fault {
                Fault::Errors(ppm) => self.trouble.errors_ppm = ppm,
                Fault::Slow(ms) => self.trouble.slow_ms = ms,
                Fault::NeverReady => self.trouble.never_ready = true,
                Fault::InstanceLost(track) => self.trouble.losses.push(track),
                Fault::ControllerKilled(ms) => self.kill(ms),
                Fault::NoTraffic => self.trouble.no_traffic = true,
                Fault::RouteLate(ms) => self.trouble.late_ms = Some(ms),
                Fault::StoreFull(ms) => {
                    let until = self.controller.full_until.unwrap_or(0).max(self.now + ms);
                    self.controller.full_until = Some(until);
                }
            }
            if !matches!(strike.fault, Fault::InstanceLost(_)) {
                self.tell(What::Struck(strike.fault));
            }
        }
        let sets = self.truth().set;
        let ready = |stage: &Self, track| stage.slot_of(&sets, track).filter(|k| sets[*k].ready > 0);
        let found = self.trouble.losses.iter().position(|track| ready(self, *track).is_some());
        if let Some(at) = found
            && let Some(k) = ready(self, self.trouble.losses[at])
        {
            self.trouble.losses.remove(at);
            let roads = self.roads();
            self.traffic.break_off(&mut self.random, &roads, k);
            if let Some(at) = self.which(k, Instance::is_ready) {
                self.happen(Happening::Down(k as u8, at));
            }
            if let Some(at) = self.platform.starting[k].last_mut().filter(|at| **at != NEVER) {
                *at += AGAIN_MS;
            }
            self.platform.whole[k] = false;
            self.tell(What::Lost(self.track_of(&sets[k])));
        }
    }

    /// When a write that is sent now lands.
    pub fn sends(&mut self) {
        self.land = Some(self.now + between(&mut self.random, LANDS_MS.0, LANDS_MS.1));
    }
}

/// Takes one moment out that has come.
fn take(moments: &mut Vec<u64>, now: u64) -> bool {
    let found = moments.iter().position(|at| *at <= now);
    if let Some(at) = found {
        moments.remove(at);
    }
    found.is_some()
}
