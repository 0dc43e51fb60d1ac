//! A platform in which everything that is asked for happens by the next look, and a driver of a shop on it.
use serin_analysis::{Check, Checks, Measurement, Metric, Ppm, Sample};
use serin_engine::store::Store;
use serin_engine::{
    Clock, Driver, Fleet, InstanceSeen, Ledger, Look, MetricSource, Order, Ordered, Parts, PortError, Revision, Router,
    RouterSeen,
};
use serin_journal::decision::Decided;
use serin_journal::{DECISIONS, Journal, Line};
use serin_rollout::{
    Accept, Pair, Plan, Preset, Rev, Route, RouteSeen, SetSeen, Slot, Split, StepKey, WaitingOn, WeightStep,
};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

/// A platform in which everything that is asked for happens by the next look.
#[derive(Debug)]
pub struct World {
    pub now: u64,
    pub epoch: u64,
    pub sets: Pair<SetSeen>,
    pub route: Route,
    pub renewed: u32,
    pub writes: u32,
    /// Requests a second to each slot by its share of 1000, and how many in 100 the new revision fails.
    pub failing: u64,
    pub counted: Pair<Sample>,
    pub new: Option<Rev>,
    /// The counters cannot be read.
    pub uncounted: bool,
    /// What others say when they are asked.
    pub said: Vec<Measurement>,
    pub unreachable: bool,
    /// The slot whose instances do not become ready.
    pub starting: Option<Slot>,
    /// The data plane applies the fallback, as the lease was not renewed.
    pub falling_back: bool,
    /// Why it cannot run what it is asked about.
    pub refuses: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Port(pub Rc<RefCell<World>>);

impl Port {
    pub fn new() -> Port {
        Port(Rc::new(RefCell::new(World {
            now: 1_000,
            epoch: 0,
            sets: [SetSeen::EMPTY; 2],
            route: Route::NOWHERE,
            renewed: 0,
            writes: 0,
            failing: 0,
            counted: Default::default(),
            new: None,
            uncounted: false,
            said: vec![],
            unreachable: false,
            starting: None,
            falling_back: false,
            refuses: None,
        })))
    }

    /// A second passes under load.
    pub fn second(&self) {
        let mut world = self.0.borrow_mut();
        world.now += 1_000;
        for slot in 0..2 {
            let share = u64::from(world.route.split.share(slot));
            let requests = share / 10;
            let bad = world.new.is_some() && world.sets[slot].rev == world.new;
            let failed = if bad { requests * world.failing / 100 } else { 0 };
            let sample = &mut world.counted[slot];
            sample.finished += requests;
            sample.failed += failed;
        }
    }

    fn claimed(&self, epoch: u64) -> Result<(), PortError> {
        let mut world = self.0.borrow_mut();
        if epoch < world.epoch {
            return Err(PortError::Conflict("fenced".into()));
        }
        world.epoch = epoch;
        Ok(())
    }
}

impl Fleet for Port {
    async fn claim(&mut self, epoch: u64) -> Result<(), PortError> {
        self.claimed(epoch)
    }
    async fn observe(&mut self, _: Look) -> Result<Pair<SetSeen>, PortError> {
        let mut world = self.0.borrow_mut();
        if world.unreachable {
            return Err(PortError::Failed("nobody answers".into()));
        }
        let starting = world.starting;
        for (slot, set) in world.sets.iter_mut().enumerate() {
            let ready = if starting == Some(slot) { 0 } else { set.desired };
            (set.total, set.ready, set.healthy) = (set.desired, ready, ready);
        }
        Ok(world.sets)
    }
    async fn resize(&mut self, slot: Slot, to: u16, revision: &Revision, pin: bool) -> Result<(), PortError> {
        let mut world = self.0.borrow_mut();
        world.writes += 1;
        let set = &mut world.sets[slot];
        (set.rev, set.desired, set.pinned) = (Some(revision.rev), to, pin);
        Ok(())
    }
    async fn rewrite(&mut self, slot: Slot, revision: &Revision) -> Result<(), PortError> {
        let mut world = self.0.borrow_mut();
        world.writes += 1;
        world.sets[slot].rev = Some(revision.rev);
        Ok(())
    }
    async fn refuses(&self, _: &serde_json::Value) -> Option<String> {
        self.0.borrow().refuses.clone()
    }
    fn instances(&self) -> Vec<InstanceSeen> {
        Vec::new()
    }
    fn troubles(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Router for Port {
    async fn claim(&mut self, epoch: u64) -> Result<(), PortError> {
        self.claimed(epoch)
    }
    async fn observe(&mut self, _: Look) -> Result<RouteSeen, PortError> {
        let world = self.0.borrow();
        Ok(RouteSeen { accepted: world.route, acked: !world.falling_back, in_force: vec![] })
    }
    async fn orient(&mut self, _: Slot) {}
    async fn write(&mut self, route: Route, _: u64) -> Result<(), PortError> {
        let mut world = self.0.borrow_mut();
        (world.route, world.writes) = (route, world.writes + 1);
        Ok(())
    }
    async fn renew(&mut self) -> Result<(), PortError> {
        let mut world = self.0.borrow_mut();
        (world.renewed, world.falling_back) = (world.renewed + 1, false);
        Ok(())
    }
    fn describe(&self) -> RouterSeen {
        RouterSeen::default()
    }
}

impl MetricSource for Port {
    async fn read(&mut self, slot: Slot) -> Result<Sample, String> {
        let world = self.0.borrow();
        if world.uncounted { Err("the counters are away".to_owned()) } else { Ok(world.counted[slot].clone()) }
    }
    async fn ask(&mut self, _: Slot, _: StepKey) -> Vec<Measurement> {
        self.0.borrow().said.clone()
    }
}

impl Clock for Port {
    fn boot_ms(&self) -> u64 {
        self.0.borrow().now
    }
    fn boot_id(&self) -> String {
        "one".into()
    }
    fn wall_ms(&self) -> u64 {
        self.0.borrow().now + 5_000_000
    }
}

pub type On<L> = Driver<L, Port, Port, Port, Port>;
pub type Tested = On<Arc<Store>>;

pub async fn driver(port: &Port, dir: &Path) -> Tested {
    with(port, dir, Arc::new(Store::open(dir.join("store.redb")).unwrap())).await
}

pub async fn with<L: Ledger>(port: &Port, dir: &Path, ledger: L) -> On<L> {
    let (fleet, router, metrics, clock) = (port.clone(), port.clone(), port.clone(), port.clone());
    let journal = Journal::at(dir.join(DECISIONS), 1 << 24, ledger.epoch());
    Driver::new(Parts { service: "shop".into(), ledger, fleet, router, metrics, clock, journal }).await.unwrap()
}

pub fn plan(manual: bool) -> Plan {
    let accept = Accept { bake_ms: Some(3_000), checks: true, manual };
    let steps = [1_000, 5_000].map(|weight| WeightStep { weight, accept });
    let mut plan = Plan::compile(&Preset::Weights(steps.to_vec()), 2, 0, false).unwrap();
    plan.times.window_ms = 4_000;
    plan
}

pub fn order(version: u32, plan: Plan) -> Order {
    let rate = Metric::SuccessRate { min: Ppm::parse_percent("99%").unwrap() };
    Order {
        hash: format!("{version:064x}"),
        content: serde_json::json!({ "version": version }),
        plan,
        checks: Some(Checks { interval_ms: 1_000, ..Checks::new(vec![Check::new(rate)]) }),
        spec: serde_json::Value::Null,
        file_hash: None,
        by: "somebody".into(),
        changes: vec![],
        force: false,
    }
}

/// Seconds pass, with some rounds in each, until `end` holds.
pub async fn until<L: Ledger>(driver: &mut On<L>, port: &Port, what: &str, end: impl Fn(&On<L>) -> bool) -> WaitingOn {
    for _ in 0..200 {
        let on = driver.round().await.unwrap();
        if end(driver) {
            return on;
        }
        port.second();
    }
    panic!("{what} never came: {:?}", driver.status());
}

pub async fn rest(driver: &mut Tested, port: &Port) {
    until(driver, port, "rest", |d| d.status().is_some_and(|s| s.is_idle() && s.proven[s.good])).await;
    driver.round().await.unwrap();
}

pub async fn serving(port: &Port, dir: &Path) -> Tested {
    let mut driver = driver(port, dir).await;
    assert_eq!(driver.round().await.unwrap(), WaitingOn::Nothing, "nothing is wanted, so nothing is done");
    assert_eq!(driver.deploy(&order(1, plan(false))).await.unwrap(), Ordered::Accepted { rollout: 0, rev: Rev(1) });
    rest(&mut driver, port).await;
    assert_eq!(port.0.borrow().route, Route::plain(Split::all(0, 2)));
    driver
}

pub fn key(driver: &Tested) -> StepKey {
    driver.status().unwrap().now()
}

/// What the decision log of a service holds.
pub fn decided(dir: &Path) -> Vec<Decided> {
    let text = std::fs::read_to_string(dir.join(DECISIONS)).unwrap();
    text.lines().map(|line| serde_json::from_str::<Line<Decided>>(line).unwrap().what).collect()
}
