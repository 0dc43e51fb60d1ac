//! Every preset, driven by `decide` and guarded by `permit`, in a greedy world without faults: the release ends where it
//! should, and at no moment is a split in force without the capacity that it needs.
use serin_rollout::*;

/// A world in which everything that was asked for happens, one thing at a time, the worst choice first.
struct World {
    plan: Plan,
    status: Status,
    seen: Observation,
    events: Vec<Event>,
    writes: usize,
    verdict: Verdict,
    breaks: Option<Slot>,
    young: bool,
    least: u16,
    most: u16,
}

impl World {
    fn new(plan: Plan) -> World {
        let seen = Observation {
            claimed: false,
            set: [SetSeen::EMPTY; 2],
            route: RouteSeen { accepted: Route::NOWHERE, acked: true, in_force: vec![] },
            intent: Intent::of(Rev(1)),
            verdict: None,
            due: Timers::default(),
            failed: None,
        };
        let status = Status::first(Rev(1));
        let verdict = Verdict::Pass;
        World {
            plan,
            status,
            seen,
            events: vec![],
            writes: 0,
            verdict,
            breaks: None,
            young: false,
            least: u16::MAX,
            most: 0,
        }
    }

    /// Runs until nothing changes any more.
    fn run(&mut self) {
        for _ in 0..5_000 {
            self.seen.verdict = self.status.key().map(|key| (key, self.verdict));
            self.seen.due = Timers::default();
            match decide(&self.plan, &self.status, &self.seen) {
                Decision::Save(status, events) => {
                    self.status = status;
                    self.events.extend(events);
                }
                Decision::Ask(write) => self.apply(write),
                Decision::Wait(_) if self.advance_world() => {}
                Decision::Wait(_) => {
                    let armed = |timer| self.status.timer(timer).is_some();
                    self.seen.due = Timers {
                        bake: armed(Timer::Bake),
                        healthy: armed(Timer::Healthy),
                        progress: armed(Timer::Progress),
                        drain: armed(Timer::Drain),
                        window: armed(Timer::Window),
                    };
                    match decide(&self.plan, &self.status, &self.seen) {
                        Decision::Save(status, events) => {
                            self.status = status;
                            self.events.extend(events);
                        }
                        Decision::Ask(write) => self.apply(write),
                        Decision::Wait(_) => return,
                    }
                }
            }
            self.check();
        }
        panic!("it never rests: {:?} {:?}", self.status, self.seen);
    }

    fn apply(&mut self, write: Write) {
        let checked = permit(&self.plan.limits, &self.seen, &write);
        assert_eq!(checked, Ok(()), "{write:?} in {:?}\n{:?}", self.status, self.seen);
        self.writes += 1;
        match write {
            Write::Claim => self.seen.claimed = true,
            Write::Resize { slot, to, rev, pin } => {
                let set = &mut self.seen.set[slot];
                (set.desired, set.rev, set.pinned) = (to, Some(rev), pin);
                set.total = set.total.max(to);
            }
            Write::Route(route) => {
                self.seen.route.in_force.extend(self.seen.route.accepted.splits());
                self.seen.route.accepted = route;
                self.seen.route.acked = false;
            }
            Write::Rewrite { .. } => panic!("nobody asks for that here"),
        }
    }

    fn advance_world(&mut self) -> bool {
        for slot in 0..2 {
            let broken = self.breaks == Some(slot);
            let set = &mut self.seen.set[slot];
            if set.total > set.desired {
                set.total -= 1;
                set.ready = set.ready.saturating_sub(1);
                set.healthy = set.healthy.min(set.ready);
                return true;
            }
            if set.ready < set.total && !broken {
                set.ready += 1;
                return true;
            }
            if set.healthy < set.ready && !self.young {
                set.healthy += 1;
                return true;
            }
        }
        let late = !self.seen.route.acked;
        self.seen.route.acked = true;
        self.seen.route.in_force.clear();
        late
    }

    fn check(&mut self) {
        let ready = [self.seen.set[0].ready, self.seen.set[1].ready];
        if self.status.proven[self.status.good] && self.plan.limits.floor > 0 {
            self.least = self.least.min(ready[0] + ready[1]);
            for split in self.seen.route.splits() {
                let carried = match split {
                    Split::Weighted(shares) => (0..2).all(|k| {
                        u32::from(ready[k]) * 10_000 >= u32::from(shares[k]) * u32::from(self.plan.limits.floor)
                    }),
                    Split::Members(m) => ready[0].min(m[0]) + ready[1].min(m[1]) >= self.plan.limits.floor,
                };
                assert!(carried || self.breaks.is_some(), "{split:?} {ready:?} {:?}", self.status);
            }
        }
        self.most = self.most.max(self.seen.set[0].total + self.seen.set[1].total);
    }

    fn serving(&self) -> Option<Rev> {
        let good = self.status.good;
        let whole = self.seen.set[good].ready == self.plan.limits.replicas;
        let alone = self.seen.route.accepted == Route::plain(Split::all(good, self.plan.limits.replicas));
        let empty = self.seen.set[1 - good].total == 0;
        (self.status.is_idle() && whole && alone && empty).then_some(self.seen.set[good].rev)?
    }
}

fn checks() -> Accept {
    Accept { bake_ms: Some(1), checks: true, manual: false }
}

fn presets(n: u16) -> Vec<(&'static str, Plan)> {
    let step = |weight| WeightStep { weight, accept: checks() };
    let kept = |one_by_one| Preset::CanaryKept { one_by_one, first: checks(), each: Accept::default() };
    let list = [
        ("weights", Preset::Weights(vec![step(500), step(2_500), step(5_000)]), false),
        ("blue/green", Preset::BlueGreen { before: Accept::default(), after: checks() }, false),
        ("canary kept", kept(false), false),
        ("canary kept, one by one", kept(true), false),
        ("direct", Preset::Direct, false),
        ("in place", Preset::InPlace { after: checks() }, true),
    ];
    list.into_iter()
        .filter(|(_, _, downtime)| !downtime || n == 1)
        .map(|(name, preset, downtime)| (name, Plan::compile(&preset, n, 0, downtime).unwrap()))
        .collect()
}

fn started(plan: Plan) -> World {
    let mut world = World::new(plan);
    world.run();
    assert_eq!(world.serving(), Some(Rev(1)), "the first revision serves: {:?}", world.seen);
    assert!(world.events.contains(&Event::Serving(Rev(1))));
    world
}

#[test]
fn a_good_release_ends_on_the_new_revision() {
    for n in 1..=12 {
        for (name, plan) in presets(n) {
            let mut world = started(plan);
            world.least = n;
            for rev in 2..=4 {
                world.seen.intent.wanted = Rev(rev);
                world.run();
                assert_eq!(world.serving(), Some(Rev(rev)), "{name} n={n}: {:?} {:?}", world.status, world.seen);
                assert_eq!(world.events.last(), Some(&Event::Ended(Outcome::Succeeded, None)), "{name}");
            }
            let room = if name.starts_with("canary") { n + 1 } else { 2 * n };
            assert!(world.most <= room, "{name} n={n}: at most {}", world.most);
        }
    }
}

#[test]
fn a_bad_release_ends_on_the_old_revision() {
    for n in 1..=12 {
        for (name, plan) in presets(n).into_iter().filter(|(name, _)| *name != "direct") {
            let mut world = started(plan);
            (world.verdict, world.seen.intent.wanted) = (Verdict::Fail, Rev(2));
            world.run();
            assert_eq!(world.serving(), Some(Rev(1)), "{name} n={n}: {:?} {:?}", world.status, world.seen);
            assert_eq!(world.events.last(), Some(&Event::Ended(Outcome::Failed, Some(Why::Verdict))), "{name}");
            let before = world.events.len();
            world.run();
            assert_eq!(world.events.len(), before, "a failed revision is not tried again by itself");
        }
    }
}

#[test]
fn a_revision_that_never_becomes_ready_ends_at_its_deadline() {
    for n in 1..=6 {
        for (name, plan) in presets(n) {
            let mut world = started(plan);
            (world.breaks, world.seen.intent.wanted) = (Some(1), Rev(2));
            world.run();
            assert_eq!(world.serving(), Some(Rev(1)), "{name} n={n}: {:?} {:?}", world.status, world.seen);
            assert_eq!(world.events.last(), Some(&Event::Ended(Outcome::Failed, Some(Why::Deadline))), "{name}");
        }
    }
}

#[test]
fn a_first_revision_that_never_served_is_replaced() {
    for n in 1..=4 {
        for (name, plan) in presets(n) {
            let mut world = World::new(plan);
            world.breaks = Some(0);
            world.run();
            assert_eq!(world.serving(), None);
            (world.breaks, world.seen.intent.wanted) = (None, Rev(2));
            world.breaks = Some(0);
            world.run();
            assert_eq!(world.serving(), Some(Rev(2)), "{name} n={n}: {:?} {:?}", world.status, world.seen);
        }
    }
}

#[test]
fn a_first_revision_that_serves_is_never_replaced_without_a_canary() {
    for (name, plan) in presets(1) {
        let mut world = World::new(plan);
        world.young = true;
        world.run();
        assert!(world.seen.route.reaches(0), "{name}: it serves before it has been healthy for long");
        (world.young, world.seen.intent.wanted) = (false, Rev(2));
        world.run();
        assert!(world.events.contains(&Event::Started(Rev(2))), "{name}: {:?}", world.events);
        assert!(!world.events.contains(&Event::Replaced(Rev(2))), "{name}");
    }
}
