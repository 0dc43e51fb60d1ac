//! States that are reached: a sample of every exact search, even over phases and over what the first key may ask for.
use super::cells::{self, CELLS, PHASES};
use super::draw::{self, Known};
use crate::bfs;
use crate::choice::Choice;
use crate::configs::Flow;
use crate::env::{Env, Person};
use crate::simulator::Random;
use crate::state::State;
use crate::subject::Subject;
use crate::table::{Fx, Map};
use crate::world::World;
use serin_rollout::{Decision, Observation, Split, Status};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A small world that is searched whole.
#[derive(Clone, Debug)]
pub struct Place {
    /// The strategy.
    pub flow: Flow,
    /// Instances at rest.
    pub replicas: u16,
    /// How many of them may be missing.
    pub missing: u16,
    /// The faults.
    pub env: Env,
    /// Begins with nothing at all.
    pub from_nothing: bool,
}

/// A state as the controller sees it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The index of its place.
    pub place: usize,
    /// The saved status.
    pub status: Status,
    /// What is observed.
    pub seen: Observation,
    /// Whether the view of each set is what there is: only then does what happens next to the set show at once.
    pub current: [bool; 2],
}

/// What was reached.
#[derive(Default)]
pub struct Reached {
    /// What is known of each place.
    pub known: Vec<Known>,
    /// The states.
    pub seen: Vec<Seen>,
    /// Those of each of [`PHASES`].
    pub by_phase: Vec<Vec<u32>>,
    /// Those in which each of [`CELLS`] can come about.
    pub by_cell: Vec<Vec<u32>>,
    /// How many states the searches found.
    pub states: usize,
}

/// Instances, data planes and people.
const LIVING: Env = Env { stale: false, crash: false, zombie: false, lose: false, revisions: 2, ..Env::HARSH };
const PEOPLE: Env = Env { people: Person::ALL, late: false, undo: false, busy: false, stale_verdicts: false, ..LIVING };
/// Deaths of the controller, and the late writes of the dead.
const DEATHS: Env = Env { crash: true, zombie: true, undo: false, stale_verdicts: false, people: &[], ..LIVING };
/// Old views, with a controller that dies.
const STALE: Env =
    Env { stale: true, crash: true, undo: false, busy: false, stale_verdicts: false, people: &[], ..LIVING };

/// Every flow with one instance and with two, people, deaths, old views, instances that come late, a floor below full
/// size, drift, a third revision, and from nothing.
pub fn places() -> Vec<Place> {
    let place = |flow, replicas, env| Place { flow, replicas, missing: 0, env, from_nothing: false };
    let mut list = vec![];
    for flow in Flow::ALL {
        list.push(place(flow, 1, PEOPLE));
        list.push(place(flow, 1, STALE));
        list.push(Place { from_nothing: true, ..place(flow, 1, Env { crash: true, ..LIVING }) });
        if flow != Flow::InPlace {
            list.push(Place { missing: 1, ..place(flow, 2, Env { busy: false, undo: false, ..LIVING }) });
        }
    }
    for flow in [Flow::Weights, Flow::Kept, Flow::Home] {
        list.push(place(flow, 1, Env { lazy: true, undo: false, busy: false, ..LIVING }));
        list.push(place(flow, 1, Env { drift: true, ..LIVING }));
        list.push(place(flow, 2, Env { people: Person::ALL, down: true, late: false, ..PEOPLE }));
    }
    list.push(place(Flow::OneByOne, 2, LIVING));
    list.push(place(Flow::InPlace, 2, LIVING));
    list.push(place(Flow::Weights, 1, DEATHS));
    list.push(place(Flow::Weights, 1, Env { revisions: 3, ..LIVING }));
    list
}

/// The smallest places of some flows: enough for a test.
pub fn few() -> Vec<Place> {
    let place = |flow, env| Place { flow, replicas: 1, missing: 0, env, from_nothing: false };
    vec![place(Flow::Weights, PEOPLE), place(Flow::InPlace, LIVING), place(Flow::Kept, PEOPLE)]
}

/// More than any of these places has.
const CAP: usize = 3_000_000;
/// States of one place that are kept for each phase, and for each cell.
const PHASE_KEPT: usize = 1_000;
const CELL_KEPT: usize = 500;
/// How many draws decide which cells a state may lead to.
const DRAWS: usize = 6;

/// Searches all places, on as many threads as there are cores, and samples them; the same for the same seed.
pub fn reach(places: &[Place], seed: u64, threads: usize) -> Reached {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = vec![];
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(place) = places.get(at) else { return done };
            done.push((at, search(place, at, seed)));
        }
    };
    let mut found: Vec<(usize, Sample)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a search does not panic")).collect()
    });
    found.sort_unstable_by_key(|(at, _)| *at);
    let mut all = Reached { by_phase: vec![vec![]; PHASES.len()], by_cell: vec![vec![]; CELLS], ..Reached::default() };
    for (_, sample) in found {
        all.take(sample);
    }
    all
}

impl Reached {
    fn take(&mut self, sample: Sample) {
        self.states += sample.states;
        self.known.push(sample.known);
        let buckets = self.by_phase.iter_mut().chain(&mut self.by_cell);
        for (bucket, kept) in buckets.zip(sample.kept) {
            for seen in kept.list {
                bucket.push(self.seen.len() as u32);
                self.seen.push(seen);
            }
        }
    }
}

/// What one search leaves.
struct Sample {
    states: usize,
    known: Known,
    kept: Vec<Kept>,
}

/// An even sample of unknown many (reservoir sampling, Vitter's algorithm R).
struct Kept {
    most: usize,
    offered: u32,
    list: Vec<Seen>,
}

impl Kept {
    fn offer(&mut self, random: &mut Random, seen: &Seen) {
        self.offered += 1;
        if self.list.len() < self.most {
            self.list.push(seen.clone());
        } else if let at = random.below(self.offered) as usize
            && at < self.most
        {
            self.list[at] = seen.clone();
        }
    }
}

fn search(place: &Place, at: usize, seed: u64) -> Sample {
    let plan = place.flow.plan(place.replicas, place.missing);
    let world = World::new(Subject::SOUND, plan.clone(), place.env);
    let first = if place.from_nothing { world.nothing() } else { world.at_rest() };
    let found = bfs::search(&world, first, CAP, &[]);
    let states = found.graph.list;
    let mut random = Random(seed ^ (at as u64 + 1) << 32);
    let known = Known { plan, splits: splits(&world, &states), revisions: u32::from(place.env.revisions) };
    let kept = |most| Kept { most, offered: 0, list: vec![] };
    let mut all: Vec<Kept> = PHASES.iter().map(|_| kept(PHASE_KEPT)).collect();
    all.extend((0..CELLS).map(|_| kept(CELL_KEPT)));
    let mut met: Map<u64, ()> = Map::default();
    for state in states.iter().filter(|state| state.broken == 0) {
        if met.insert(visible(state), ()).is_some() {
            continue;
        }
        let seen = Seen {
            place: at,
            status: world.status(state.status),
            seen: world.seen(state, &Choice::QUIET),
            current: [0, 1].map(|k: usize| state.view[k].fresh && state.view[k].set == state.set[k].seen()),
        };
        let phase = cells::phase(&seen.status);
        all[phase].offer(&mut random, &seen);
        for cell in may_ask(&known, &seen, &mut random) {
            all[PHASES.len() + cell].offer(&mut random, &seen);
        }
    }
    Sample { states: states.len(), known, kept: all }
}

/// The part that the controller sees, as a number. Two that fall together only make the sample smaller by one.
fn visible(state: &State) -> u64 {
    let mut hasher = Fx::default();
    let current = [0, 1].map(|k: usize| state.view[k].set == state.set[k].seen());
    let rest = (state.accepted, state.older, state.late, state.status, state.wanted, state.claimed);
    let views = State { view: state.view, ..State::default() };
    (views, current, rest).hash(&mut hasher);
    hasher.finish()
}

/// Every split that may be in force anywhere in the place.
fn splits(world: &World, states: &[State]) -> Vec<Split> {
    let mut routes: Vec<u16> = states.iter().map(|state| state.accepted).collect();
    routes.sort_unstable();
    routes.dedup();
    let mut list: Vec<Split> = vec![];
    for split in routes.into_iter().flat_map(|id| world.route(id).splits()) {
        if !list.contains(&split) {
            list.push(split);
        }
    }
    list
}

fn may_ask(known: &Known, seen: &Seen, random: &mut Random) -> Vec<usize> {
    let mut list = vec![];
    let mut drawn = seen.seen.clone();
    for _ in 0..DRAWS {
        draw::draw(random, known, seen, &mut drawn);
        if let Decision::Ask(write) = serin_rollout::decide(&known.plan, &seen.status, &drawn) {
            let cell = cells::cell(&seen.status, &drawn, &write);
            if !list.contains(&cell) {
                list.push(cell);
            }
        }
    }
    list
}
