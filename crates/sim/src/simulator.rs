//! Seeded simulation at the sizes of production: the same world, one random way instead of all of them. Every seed
//! draws its own strategy, size and weights of faults (a swarm), runs a safety phase in which everything goes wrong,
//! and then a healed one in which everything must come to its end.
use crate::choice::{self, Choice, Judged};
use crate::configs::Flow;
use crate::env::{Env, Person};
use crate::invariants::Rule;
use crate::lite;
use crate::quiet::Mode;
use crate::state::State;
use crate::story;
use crate::subject::Subject;
use crate::world::{Happening, World};
use serin_rollout::{OnAbort, Outcome, Phase, Plan, Timer, Timers, Verdict, Write};

/// A small generator whose whole state is the seed (SplitMix64, Steele et al. 2014).
#[derive(Clone, Copy, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u32) -> u32 {
        (((self.number() >> 32) * u64::from(n)) >> 32) as u32
    }

    /// `true` this often in a hundred thousand.
    pub fn seldom(&mut self, in_hundred_thousand: u32) -> bool {
        self.below(100_000) < in_hundred_thousand
    }

    /// `true` this often in a thousand.
    pub fn often(&mut self, in_thousand: u32) -> bool {
        self.below(1_000) < in_thousand
    }
}

/// What happened in a run.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Stats {
    /// Steps.
    pub steps: u64,
    /// Rounds of the controller.
    pub rounds: u64,
    /// Writes that landed.
    pub writes: u64,
    /// Instances that failed.
    pub failures: u64,
    /// Deaths of the controller.
    pub crashes: u64,
    /// Writes and saves of the dead that landed.
    pub zombies: u64,
    /// Rollouts that ended on the new revision.
    pub succeeded: u64,
    /// Rollouts that ended on the old one.
    pub returned: u64,
    /// Halts.
    pub halted: u64,
}

impl Stats {
    /// Adds another run's.
    pub fn add(&mut self, other: &Stats) {
        self.steps += other.steps;
        self.rounds += other.rounds;
        self.writes += other.writes;
        self.failures += other.failures;
        self.crashes += other.crashes;
        self.zombies += other.zombies;
        self.succeeded += other.succeeded;
        self.returned += other.returned;
        self.halted += other.halted;
    }
}

/// One seed's run.
#[derive(Default)]
pub struct Run {
    /// What happened.
    pub stats: Stats,
    /// The rule or promise that was broken.
    pub broken: Option<&'static str>,
    /// The strategy that the seed drew; `None` where the plan was given.
    pub flow: Option<Flow>,
    /// The size that it drew.
    pub replicas: u16,
    /// The world that the seed drew, in words.
    pub setting: String,
    /// The end of the story, where something was broken.
    pub story: String,
}

/// How often what happens, in a thousand or as a weight; 0 is common, so that some runs know some faults only.
struct Swarm {
    controller: u32,
    crash: u32,
    lose: u32,
    land: u32,
    due: u32,
    deadline: u32,
    pass: u32,
    fail: u32,
    person: u32,
    healthy: u32,
    down: u32,
    sync: u32,
    ack: u32,
    want: u32,
    lower: u32,
    zombie: u32,
    drift: u32,
    edit: u32,
}

impl Swarm {
    fn draw(random: &mut Random) -> Swarm {
        let mut rare = |most: u32| if random.below(3) == 0 { 0 } else { 1 + random.below(most) };
        Swarm {
            controller: 200 + rare(600),
            crash: rare(20),
            lose: rare(100),
            land: 300 + rare(600),
            due: 20 + rare(300),
            deadline: rare(200),
            pass: 100 + rare(700),
            fail: rare(300),
            person: rare(300),
            healthy: 300 + rare(690),
            down: rare(30),
            sync: 10 + rare(400),
            ack: 20 + rare(400),
            want: 50 + rare(1_000),
            lower: rare(60),
            zombie: rare(300),
            drift: if random.below(8) == 0 { 1 } else { 0 },
            edit: random.below(3),
        }
    }

    fn weight(&self, happening: Happening) -> u32 {
        match happening {
            Happening::Delete(..)
            | Happening::Create(_)
            | Happening::Ready(..)
            | Happening::Idle(..)
            | Happening::Pick => 200,
            Happening::Down(..) => self.down,
            Happening::Sync(_) => self.sync,
            Happening::Forget(_) | Happening::Ack => self.ack,
            Happening::Doubt => self.down,
            Happening::Lower(_) => self.lower,
            Happening::Drift(_) => self.drift,
            Happening::Edit(_) => self.edit,
            Happening::ZombieLands | Happening::ZombieSaves => self.zombie,
            Happening::Rescale(_) => self.want / 4,
            Happening::Want(_)
            | Happening::Round(_)
            | Happening::Land
            | Happening::Lose
            | Happening::Crash(_)
            | Happening::DieSaving(_)
            | Happening::Somebody(_)
            | Happening::SomebodyBlind(..)
            | Happening::RoundBlind(..) => 0,
        }
    }

    fn choice(&self, random: &mut Random, world: &World, s: &State) -> Choice {
        let status = world.status(s.status);
        let judged = match random.below(1_000) {
            _ if random.seldom(self.fail) => Judged::Now(Verdict::Fail),
            x if x < self.pass => Judged::Now(Verdict::Pass),
            x if x < 900 => Judged::Nothing,
            x if x % 4 == 0 => Judged::Stale(Verdict::Pass),
            x if x % 4 == 1 => Judged::Stale(Verdict::Fail),
            x if x % 4 == 2 => Judged::Now(Verdict::Inconclusive),
            _ => Judged::Now(Verdict::Error),
        };
        let mut is_due = |timer: &Timer| match timer {
            Timer::Bake | Timer::Drain | Timer::Window => random.often(self.due),
            Timer::Healthy | Timer::Progress => random.seldom(self.deadline),
        };
        let due: Timers = choice::timers(choice::armed(&status).into_iter().filter(&mut is_due));
        let parked = if matches!(status.phase, Phase::Parked { .. }) { 5_000 } else { 0 };
        let person =
            random.seldom(self.person + parked).then(|| Person::ALL[random.below(Person::ALL.len() as u32) as usize]);
        let approve = random.often(300).then_some(Person::Approve);
        Choice { judged, due, healthy: random.often(self.healthy), person: person.or(approve) }
    }

    fn next(&self, random: &mut Random, world: &World, s: &State, offers: &mut Vec<Happening>) -> Option<Happening> {
        if random.seldom(self.want) {
            world.offers_outside(s, offers);
            offers.retain(|happening| matches!(happening, Happening::Want(_)));
            return (!offers.is_empty()).then(|| offers[random.below(offers.len() as u32) as usize]);
        }
        if random.often(self.controller) {
            return Some(self.controller(random, world, s));
        }
        world.offers_outside(s, offers);
        const NOTHING: u32 = 100;
        let total: u32 = offers.iter().map(|happening| self.weight(*happening)).sum();
        let mut point = random.below(total + NOTHING);
        offers.iter().copied().find(|happening| {
            let weight = self.weight(*happening);
            let here = point < weight;
            point = point.wrapping_sub(if here { 0 } else { weight });
            here
        })
    }

    fn controller(&self, random: &mut Random, world: &World, s: &State) -> Happening {
        let in_flight = s.flight.write != 0;
        let free = s.zombie.write == 0 && s.zombie_save == 0;
        if random.often(self.crash) {
            let claim = in_flight && world.write(s.flight.write) == Write::Claim;
            let leaves = random.often(500) && free;
            return match (in_flight, leaves) {
                (true, true) if !claim => Happening::Crash(true),
                (false, true) => Happening::DieSaving(self.choice(random, world, s)),
                (true | false, _) => Happening::Crash(false),
            };
        }
        if !in_flight {
            return Happening::Round(self.choice(random, world, s));
        }
        if random.often(self.lose) {
            Happening::Lose
        } else if world.can_land_now(s) && random.often(self.land) {
            Happening::Land
        } else {
            Happening::Ack
        }
    }
}

/// What a seed draws.
pub struct Drawn {
    /// The strategy.
    pub flow: Flow,
    /// Instances at rest.
    pub replicas: u16,
    /// The world.
    pub world: World,
    /// Begins with nothing at all.
    pub from_nothing: bool,
    /// The world in words.
    pub setting: String,
}

/// The world of a seed.
pub fn draw(subject: Subject, random: &mut Random) -> Drawn {
    const SIZES: [u16; 6] = [1, 2, 3, 4, 7, 10];
    let flow = Flow::ALL[random.below(Flow::ALL.len() as u32) as usize];
    let replicas = if flow == Flow::InPlace { 1 } else { SIZES[random.below(6) as usize] };
    let missing = if flow != Flow::InPlace && replicas > 1 && random.below(3) == 0 { 1 } else { 0 };
    let drift = random.below(8) == 0;
    let edits = if random.below(4) == 0 { 100 } else { 0 };
    let env = Env { revisions: 90, lazy: random.below(2) == 0, drift, edits, people: Person::ALL, ..Env::HARSH };
    let from_nothing = random.below(4) == 0;
    let on_abort = if random.below(4) == 0 { OnAbort::Park } else { OnAbort::Retire };
    let setting = format!(
        "{} R={replicas} missing={missing} from_nothing={from_nothing} drift={drift} edits={edits} on_abort={on_abort:?}",
        flow.name()
    );
    let world = World::new(subject, Plan { on_abort, ..flow.plan(replicas, missing) }, env);
    Drawn { flow, replicas, world, from_nothing, setting }
}

/// The last steps of a way are told.
const TOLD: usize = 40;

/// Runs one seed for `steps` steps and then to its quiet ends.
pub fn run(subject: Subject, seed: u64, steps: u32) -> Run {
    let mut random = Random(seed);
    let Drawn { flow, replicas, world, from_nothing, setting } = draw(subject, &mut random);
    let run = walk(&world, from_nothing, random, steps);
    Run { flow: Some(flow), replicas, setting, ..run }
}

/// The same for a plan that somebody has.
pub fn run_plan(subject: Subject, plan: Plan, seed: u64, steps: u32) -> Run {
    let env = Env { revisions: 90, lazy: true, people: Person::ALL, ..Env::HARSH };
    walk(&World::new(subject, plan, env), false, Random(seed), steps)
}

fn walk(world: &World, from_nothing: bool, mut random: Random, steps: u32) -> Run {
    let swarm = Swarm::draw(&mut random);
    let mut state = if from_nothing { world.nothing() } else { world.at_rest() };
    let mut stats = Stats::default();
    let mut way = vec![(None, state)];
    let mut offers = vec![];
    for _ in 0..steps {
        stats.steps += 1;
        let Some(happening) = swarm.next(&mut random, world, &state, &mut offers) else { continue };
        let Some(next) = world.step(&state, happening) else { continue };
        count(world, &mut stats, &state, &next, happening);
        state = next;
        if way.len() > 4 * TOLD {
            way.drain(..3 * TOLD);
        }
        way.push((Some(happening), state));
        if let Some(rule) = Rule::of(state.broken) {
            let story = story::tell(world, &way[way.len().saturating_sub(TOLD)..]);
            return Run { stats, broken: Some(rule.sentence()), story, ..Run::default() };
        }
    }
    let modes = [Mode::Pass, Mode::Fail, Mode::Abort, Mode::Frozen, Mode::Refused, Mode::CopyFails];
    let stuck = lite::stuck(world, &state, &modes);
    let story = stuck.map_or_else(String::new, |(start, mode, order)| {
        story::tell(world, &way[way.len().saturating_sub(TOLD)..]) + &story::tell_quiet(world, mode, order, start)
    });
    Run { stats, broken: stuck.map(|(_, mode, _)| mode.promise()), story, ..Run::default() }
}

fn count(world: &World, stats: &mut Stats, before: &State, after: &State, happening: Happening) {
    match happening {
        Happening::Round(_) | Happening::RoundBlind(..) => stats.rounds += 1,
        Happening::Land => stats.writes += 1,
        Happening::Down(..) => stats.failures += 1,
        Happening::Crash(_) | Happening::DieSaving(_) => stats.crashes += 1,
        Happening::ZombieLands | Happening::ZombieSaves => stats.zombies += 1,
        Happening::Delete(..)
        | Happening::Create(_)
        | Happening::Ready(..)
        | Happening::Idle(..)
        | Happening::Pick
        | Happening::Sync(_)
        | Happening::Forget(_)
        | Happening::Ack
        | Happening::Doubt
        | Happening::Lower(_)
        | Happening::Drift(_)
        | Happening::Edit(_)
        | Happening::Want(_)
        | Happening::Rescale(_)
        | Happening::Lose
        | Happening::Somebody(_)
        | Happening::SomebodyBlind(..) => {}
    }
    if before.status == after.status {
        return;
    }
    let (a, b) = (world.status(before.status), world.status(after.status));
    if matches!(b.phase, Phase::Halted { .. }) && !matches!(a.phase, Phase::Halted { .. }) {
        stats.halted += 1;
    }
    if matches!(b.phase, Phase::Idle) && !matches!(a.phase, Phase::Idle) {
        match b.last.map(|last| last.outcome) {
            Some(Outcome::Succeeded) => stats.succeeded += 1,
            Some(Outcome::Failed | Outcome::Aborted) => stats.returned += 1,
            None => {}
        }
    }
}
