//! The small worlds that are searched whole. Every one names its faults; the number of its states is pinned, so that a
//! loss of behaviours fails as loudly as a broken rule.
use crate::env::{Env, Person};
use crate::state::State;
use crate::subject::Subject;
use crate::world::World;
use serin_rollout::{Accept, Kind, OnAbort, Plan, Preset, WeightStep};

/// A strategy to check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// Straight to everything.
    Direct,
    /// Half of the traffic, then everything, with the window.
    Weights,
    /// A quarter of it, half of it, then everything.
    ThreeWeights,
    /// Both sets whole, then everything at once.
    BlueGreen,
    /// An extra instance that stays beside all the others.
    Kept,
    /// One in, one out.
    OneByOne,
    /// By shares, with a person's approval and a bake.
    Manual,
    /// One stops, then the other starts.
    InPlace,
    /// Half of the traffic, then everything; then the promoted revision is copied home, and the traffic follows by halves.
    Home,
    /// An extra instance that stays beside all the others; then the promoted revision is copied home, and the traffic
    /// follows at once.
    KeptHome,
}

impl Flow {
    /// The strategy as a person would name it.
    pub fn preset(self) -> Preset {
        let checks = Accept { bake_ms: None, checks: true, manual: false };
        let all = Accept { bake_ms: Some(1), checks: true, manual: true };
        let step = |weight, accept| WeightStep { weight, accept };
        match self {
            Flow::Direct => Preset::Direct,
            Flow::Weights | Flow::Home => Preset::Weights(vec![step(5_000, checks)]),
            Flow::ThreeWeights => Preset::Weights(vec![step(2_500, checks), step(5_000, checks)]),
            Flow::BlueGreen => Preset::BlueGreen { before: Accept::default(), after: checks },
            Flow::Kept | Flow::KeptHome => {
                Preset::CanaryKept { one_by_one: false, first: checks, each: Accept::default() }
            }
            Flow::OneByOne => Preset::CanaryKept { one_by_one: true, first: checks, each: Accept::default() },
            Flow::Manual => Preset::Weights(vec![step(5_000, all)]),
            Flow::InPlace => Preset::InPlace { after: checks },
        }
    }

    /// Its plan for `replicas` instances, of which `missing` may be.
    ///
    /// # Panics
    /// If the configuration is impossible: a mistake in the list below.
    pub fn plan(self, replicas: u16, missing: u16) -> Plan {
        let possible = "the list holds possible plans only";
        let plan = Plan::compile(&self.preset(), replicas, missing, self == Flow::InPlace).expect(possible);
        let shares = match self {
            Flow::Home => vec![5_000],
            Flow::KeptHome => vec![],
            Flow::Direct
            | Flow::Weights
            | Flow::ThreeWeights
            | Flow::BlueGreen
            | Flow::Kept
            | Flow::OneByOne
            | Flow::Manual
            | Flow::InPlace => return plan,
        };
        Plan { window: false, ..plan.with_home(0, shares).expect(possible) }
    }

    /// Every strategy, in an order that seeds go by.
    pub const ALL: [Flow; 10] = [
        Flow::Direct,
        Flow::Weights,
        Flow::ThreeWeights,
        Flow::BlueGreen,
        Flow::Kept,
        Flow::OneByOne,
        Flow::Manual,
        Flow::InPlace,
        Flow::Home,
        Flow::KeptHome,
    ];

    /// Whether the canary's instances stay, one or more beside the others: such a world has the most to do.
    const fn is_kept(self) -> bool {
        matches!(self, Flow::Kept | Flow::OneByOne | Flow::KeptHome)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Flow::Direct => "direct",
            Flow::Weights => "weights",
            Flow::ThreeWeights => "weights-3",
            Flow::BlueGreen => "blue-green",
            Flow::Kept => "kept",
            Flow::OneByOne => "one-by-one",
            Flow::Manual => "manual",
            Flow::InPlace => "in-place",
            Flow::Home => "home",
            Flow::KeptHome => "kept-home",
        }
    }
}

/// The strategies that the larger worlds are searched with.
pub const FLOWS: [Flow; 6] = [Flow::Direct, Flow::Weights, Flow::BlueGreen, Flow::Kept, Flow::OneByOne, Flow::Home];

/// How a world is searched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Search {
    /// Every state kept whole, liveness from each.
    Exact,
    /// Eight bytes a state in a table of two to this power, liveness from a sample.
    Compact(u32),
}

/// One world.
#[derive(Clone, Debug)]
pub struct Config {
    /// What it is called.
    pub name: String,
    /// The strategy.
    pub flow: Flow,
    /// Instances at rest.
    pub replicas: u16,
    /// How many of them may be missing.
    pub missing: u16,
    /// What becomes of the canary when somebody gives the rollout up.
    pub on_abort: OnAbort,
    /// The numbers of instances that people change to, one after the other, at any time.
    pub rescale: &'static [u16],
    /// The faults.
    pub env: Env,
    /// Begins with nothing at all instead of a service at rest.
    pub from_nothing: bool,
    /// How to search.
    pub search: Search,
    /// Without the second key: whatever the first one decides on what it saw is carried out.
    pub alone: bool,
}

impl Config {
    fn new(flow: Flow, replicas: u16, faults: &str, env: Env) -> Config {
        let name = format!("{}/{replicas}/{faults}", flow.name());
        Config {
            name,
            flow,
            replicas,
            missing: 0,
            on_abort: OnAbort::Retire,
            rescale: &[],
            env,
            from_nothing: false,
            search: Search::Exact,
            alone: false,
        }
    }

    /// The world.
    pub fn world(&self, subject: Subject) -> World {
        let subject = if self.alone { subject.alone() } else { subject };
        let plan = |replicas: u16| Plan { on_abort: self.on_abort, ..self.flow.plan(replicas, self.missing) };
        World::new(subject, plan(self.replicas), self.env).rescaled(self.rescale.iter().map(|size| plan(*size)))
    }

    /// Its beginning.
    pub fn start(&self, world: &World) -> State {
        if self.from_nothing { world.nothing() } else { world.at_rest() }
    }

    /// How many states it has, if that is known.
    pub fn pinned(&self) -> Option<usize> {
        crate::pins::find(&self.name).map(|pin| pin.states)
    }
}

/// Instances, data planes and people, but a controller that neither dies nor sees late.
const LIVING: Env = Env { stale: false, crash: false, zombie: false, revisions: 2, ..Env::HARSH };
/// Deaths of the controller and their late writes, with views that are never old.
const DEATHS: Env =
    Env { stale: false, undo: false, busy: false, stale_verdicts: false, revisions: 2, people: &[], ..Env::HARSH };
/// Old views, with a controller that does not die.
const STALE: Env =
    Env { crash: false, zombie: false, undo: false, busy: false, revisions: 2, people: &[], ..Env::HARSH };
/// Everything but late writes of the dead, with one new revision.
const MORTAL: Env = Env { zombie: false, undo: false, revisions: 2, ..Env::HARSH };
/// Everything, with one new revision.
const ALL: Env = Env { undo: false, revisions: 2, ..Env::HARSH };
/// Also what is of no account to the others: reads that do not know, slow starts, a revision changed from outside, an
/// edit of the route.
const EVERYTHING: Env =
    Env { blind: true, lazy: true, drift: true, edits: 1, crash: true, undo: false, stale_verdicts: false, ..LIVING };
const PEOPLE: Env = Env { people: Person::ALL, late: false, undo: false, busy: false, ..LIVING };
/// What the first key must hold on its own, judged by what it saw.
const ALONE: Env = Env { lenient: true, lose: false, stale_verdicts: false, ..MORTAL };
/// A release that people park, and a route that others write meanwhile.
const PARKED: Env = Env { people: &[Person::Park, Person::Resume, Person::Retire], edits: 1, undo: false, ..LIVING };
const CROWD: Env = Env { people: Person::ALL, ..LIVING };
const THREE: Env = Env { revisions: 3, ..LIVING };
/// Failures and open requests, and a controller that does not die, with data planes that apply routes at once.
const FEW: Env =
    Env { undo: false, stale_verdicts: false, lose: false, lower: false, late: false, people: &[], ..LIVING };
const ANYBODY: Env =
    Env { anybody: true, blind: true, people: &[], undo: false, revisions: 1, lose: false, generations: 2, ..LIVING };

/// Nothing goes wrong but that the controller dies at any time.
const NOMINAL: Env = Env { crash: true, ..Env::CALM };
/// The controller dies, and instances fail.
const FAILING: Env = Env { down: true, ..NOMINAL };
/// Data planes are late besides.
const HARD: Env = Env { late: true, ..FAILING };
/// Puts faults on top of others.
type Faults = fn(Env) -> Env;
/// One class of faults each, put on top of others.
const CLASSES: [(&str, Faults); 11] = [
    ("failures", |env| Env { down: true, busy: true, ..env }),
    ("late-routes", |env| Env { late: true, lose: true, ..env }),
    ("old-views", |env| Env { stale: true, stale_verdicts: true, ..env }),
    ("late-writes", |env| Env { zombie: true, ..env }),
    ("autoscaler", |env| Env { lower: true, ..env }),
    ("lazy-starts", |env| Env { lazy: true, down: true, ..env }),
    ("blind-reads", |env| Env { blind: true, stale: true, ..env }),
    ("revisions", |env| Env { revisions: 3, undo: true, ..env }),
    ("drift", |env| Env { drift: true, ..env }),
    ("edits", |env| Env { edits: 1, ..env }),
    ("people", |env| Env { people: Person::ALL, late: false, ..env }), // they alone find enough to do
];

/// Two instances with each class of faults on top of `base`, and with sizes that change; three instances with `base` alone.
fn by_class(flows: &[Flow], name: &str, base: fn(Flow) -> Env) -> Vec<Config> {
    let mut list = vec![];
    for flow in flows.iter().copied() {
        let env = base(flow);
        for (class, faults) in CLASSES {
            list.push(Config::new(flow, 2, &format!("{name}-{class}"), faults(env)));
        }
        list.push(Config { rescale: &[1, 3], ..Config::new(flow, 2, &format!("{name}-rescale"), env) });
        list.push(Config::new(flow, 3, name, env));
    }
    list
}

/// What a few minutes on one core hold.
pub fn quick() -> Vec<Config> {
    let mut list = vec![];
    for flow in FLOWS {
        list.push(Config::new(flow, 1, "mortal", MORTAL));
        list.push(Config { from_nothing: true, ..Config::new(flow, 1, "from-nothing", Env { crash: true, ..LIVING }) });
        if flow.plan(2, 0).kind == Kind::Weighted {
            list.push(Config::new(flow, 2, "living", LIVING));
        }
    }
    list.push(Config::new(Flow::OneByOne, 2, "few-faults", FEW));
    list.push(Config::new(Flow::Weights, 1, "zombies", Env { stale: true, ..DEATHS }));
    list.push(Config::new(Flow::Weights, 1, "three-revisions", THREE));
    list.push(Config::new(Flow::Home, 1, "three-revisions", THREE));
    list.push(Config::new(Flow::Home, 1, "drift", Env { drift: true, ..LIVING }));
    list.push(Config { alone: true, ..Config::new(Flow::Home, 1, "first-key-alone", ALONE) });
    list.push(Config::new(Flow::Weights, 1, "people", PEOPLE));
    list.push(Config::new(Flow::Home, 1, "people", PEOPLE));
    list.push(Config::new(Flow::Kept, 1, "people", PEOPLE));
    list.push(Config::new(Flow::Weights, 1, "people-deaths", Env { crash: true, down: false, ..PEOPLE }));
    list.push(Config { alone: true, ..Config::new(Flow::Weights, 1, "first-key-alone", ALONE) });
    list.push(Config::new(Flow::Manual, 1, "living", LIVING));
    let parks = Env { people: &[Person::Abort, Person::Retire, Person::Resume], ..LIVING };
    list.push(Config { on_abort: OnAbort::Park, ..Config::new(Flow::Weights, 1, "parks", parks) });
    list.push(Config::new(Flow::KeptHome, 1, "living", LIVING));
    list.push(Config::new(Flow::InPlace, 1, "living", LIVING));
    list.push(Config::new(Flow::InPlace, 1, "mortal", MORTAL));
    list.push(Config::new(Flow::ThreeWeights, 2, "living", Env { undo: false, busy: false, ..LIVING }));
    list.push(Config { missing: 1, ..Config::new(Flow::Weights, 2, "floor-1", LIVING) });
    list.push(Config::new(Flow::Weights, 1, "lazy", Env { lazy: true, ..LIVING }));
    list.push(Config::new(Flow::Kept, 1, "lazy", Env { lazy: true, ..LIVING }));
    list.push(Config::new(Flow::Weights, 1, "anybody", Env { generations: 1, ..ANYBODY }));
    list.push(Config::new(Flow::Weights, 1, "blind", Env { blind: true, busy: true, ..STALE }));
    list.push(Config::new(Flow::Weights, 1, "drift", Env { drift: true, ..LIVING }));
    list.push(Config::new(Flow::OneByOne, 1, "drift", Env { drift: true, ..LIVING }));
    list.push(Config::new(Flow::InPlace, 1, "edits", Env { edits: 1, ..LIVING }));
    list.push(Config::new(Flow::Weights, 1, "edits", Env { edits: 1, ..LIVING }));
    list.push(Config::new(Flow::Home, 1, "edits", Env { edits: 1, ..LIVING }));
    list.push(Config::new(Flow::OneByOne, 1, "edits", Env { edits: 1, ..LIVING }));
    let small = Env { undo: false, busy: false, stale_verdicts: false, ..LIVING };
    list.push(Config { rescale: &[2], ..Config::new(Flow::Weights, 1, "rescale", small) });
    list.push(Config { rescale: &[1], ..Config::new(Flow::Weights, 2, "rescale", small) });
    list.extend(by_class(&Flow::ALL, "crash", |_| NOMINAL));
    list.extend(Flow::ALL.map(|flow| Config::new(flow, 1, "everything", EVERYTHING)));
    list.extend(Flow::ALL.map(|flow| Config::new(flow, 1, "parked-edits", PARKED)));
    list
}

/// Everything else that is worth hours.
pub fn long() -> Vec<Config> {
    let compact = |config| Config { search: Search::Compact(28), ..config };
    let mut list = quick();
    list.push(Config::new(Flow::OneByOne, 1, "three-revisions", THREE));
    for flow in Flow::ALL {
        list.push(Config::new(flow, 1, "all", ALL));
    }
    for flow in FLOWS {
        list.push(Config::new(flow, 2, "deaths", DEATHS));
        list.push(Config::new(flow, 2, "stale", STALE));
        // with an instance more, or a copy, people find so much more to do that the rest must be simpler
        let many = matches!(flow, Flow::Kept | Flow::Home);
        let crowd = if many { Env { undo: false, busy: false, ..CROWD } } else { CROWD };
        list.push(compact(Config::new(flow, 1, "crowd", crowd)));
        let alone = Config::new(flow, 2, "first-key-alone", Env { crash: false, ..ALONE });
        list.push(compact(Config { alone: true, ..alone }));
        list.push(Config { missing: 1, ..Config::new(flow, 2, "floor-1-deaths", DEATHS) });
    }
    let small = Env { undo: false, busy: false, stale_verdicts: false, ..LIVING };
    list.push(Config { rescale: &[2], ..Config::new(Flow::OneByOne, 1, "rescale", small) });
    list.push(Config { rescale: &[1], ..Config::new(Flow::OneByOne, 2, "rescale", small) });
    list.push(Config { missing: 1, ..Config::new(Flow::OneByOne, 2, "floor-1", LIVING) });
    list.push(Config::new(Flow::Kept, 2, "living", LIVING));
    list.push(Config::new(Flow::OneByOne, 2, "living", LIVING));
    list.push(Config::new(Flow::Weights, 1, "anybody-2", ANYBODY));
    for flow in [Flow::Weights, Flow::OneByOne] {
        list.push(compact(Config::new(flow, 1, "two-edits", Env { edits: 2, ..MORTAL })));
        list.push(compact(Config::new(flow, 2, "edits", Env { edits: 1, ..LIVING })));
    }
    list.push(Config::new(Flow::OneByOne, 2, "lazy", Env { lazy: true, undo: false, busy: false, ..LIVING }));
    list.push(Config::new(Flow::Kept, 2, "lazy", Env { lazy: true, undo: false, busy: false, ..LIVING }));
    list.push(Config::new(Flow::Direct, 2, "anybody", Env { generations: 1, lower: false, late: false, ..ANYBODY }));
    for flow in FLOWS {
        list.push(compact(Config::new(flow, 2, "mortal", MORTAL)));
    }
    list.push(compact(Config::new(Flow::Weights, 3, "living", LIVING)));
    // manual releases wait for a person where those by weights wait for a verdict: the very same worlds
    let flows = Flow::ALL.into_iter().filter(|flow| *flow != Flow::Manual).collect::<Vec<_>>();
    list.extend(by_class(&flows, "hard", |flow| if flow.is_kept() { FAILING } else { HARD }).into_iter().map(compact));
    list
}
