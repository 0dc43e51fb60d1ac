//! A second opinion: stateright, a checker that shares nothing with ours but the world's `offers` and `step`, must reach
//! exactly as many states.
use crate::admission;
use crate::bfs;
use crate::configs::{self, Config};
use crate::progress::{Screen, Watched};
use crate::state::State;
use crate::subject::Subject;
use crate::world::{Happening, World};
use stateright::{Checker, Model, Property};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

thread_local! {
    /// The world of the one thread that searches. A world gives numbers in the order in which it meets things, so one
    /// search must know one world only.
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// A configuration as stateright's model.
struct Crossed {
    config: Config,
    subject: Subject,
    broken: Arc<AtomicU64>,
}

impl Crossed {
    fn begins(&self) -> (World, State) {
        let world = self.config.world(self.subject);
        let start = self.config.start(&world);
        (world, start)
    }

    fn with<T>(&self, state: &State, use_it: impl FnOnce(&World) -> T) -> T {
        WORLD.with_borrow_mut(|world| {
            let world = world.get_or_insert_with(|| {
                let (world, start) = self.begins();
                assert_eq!(start, *state, "a search begins in the thread that goes on with it, at the beginning");
                world
            });
            use_it(world)
        })
    }
}

impl Model for Crossed {
    type State = State;
    type Action = Happening;

    fn init_states(&self) -> Vec<State> {
        vec![self.begins().1]
    }

    fn actions(&self, state: &State, out: &mut Vec<Happening>) {
        self.with(state, |world| world.offers(state, out));
    }

    fn next_state(&self, state: &State, happening: Happening) -> Option<State> {
        self.with(state, |world| world.step(state, happening))
    }

    fn properties(&self) -> Vec<Property<Crossed>> {
        vec![Property::always("no rule is broken", |model: &Crossed, state: &State| {
            model.broken.fetch_add(u64::from(state.broken != 0), Relaxed);
            state.broken == 0
        })]
    }
}

/// What two checkers found in one configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// States that our exact search reached.
    pub ours: usize,
    /// States that stateright reached.
    pub theirs: usize,
    /// Whether ours met a broken rule.
    pub our_broken: bool,
    /// Whether theirs did.
    pub their_broken: bool,
}

impl Compared {
    /// Whether both found the same, and nothing broken. Where a rule is broken both stop, each where it was.
    pub fn agrees(&self) -> bool {
        self.ours == self.theirs && !self.our_broken && !self.their_broken
    }
}

/// Both searches of one configuration.
pub fn compare(config: &Config, subject: Subject) -> Compared {
    let broken = Arc::new(AtomicU64::new(0));
    let model = Crossed { config: config.clone(), subject, broken: broken.clone() };
    let checker = model.checker().threads(1).spawn_bfs().join();
    let world = config.world(subject);
    let found = bfs::search(&world, config.start(&world), usize::MAX, &[]);
    Compared {
        name: config.name.clone(),
        ours: found.graph.list.len(),
        theirs: checker.unique_state_count(),
        our_broken: found.broken.is_some(),
        their_broken: broken.load(Relaxed) > 0,
    }
}

/// No configuration with more states is compared.
const MOST: usize = 400_000;

/// The configurations that are compared: all small ones.
pub fn chosen(only: Option<&str>) -> Vec<Config> {
    let small = |config: &Config| config.pinned().is_some_and(|states| states < MOST);
    let named = |config: &Config| only.is_none_or(|name| config.name.contains(name));
    configs::quick().into_iter().filter(|config| small(config) && named(config)).collect()
}

/// Compares these configurations, in `threads` threads, and tells each result on `screen`.
pub fn all(list: &[Config], threads: usize, screen: &Screen) -> Vec<Compared> {
    let mut order: Vec<(usize, u64)> = (0..list.len()).map(|i| (i, 1)).collect();
    order.sort_by_key(|(i, _)| std::cmp::Reverse(list[*i].pinned()));
    let done = Mutex::new(vec![]);
    let lock = || done.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        let watched = Watched(screen);
        scope.spawn(|| screen.watch(|_| format!("{} of {} compared", lock().len(), list.len())));
        admission::run(order, threads, u64::MAX, |i| {
            let began = Instant::now();
            let compared = compare(&list[i], Subject::SOUND);
            let verdict = if compared.agrees() { "the same" } else { "DIFFERENT" };
            let Compared { name, ours, theirs, .. } = &compared;
            let secs = began.elapsed().as_secs_f64();
            screen.say(&format!("{name:<28} ours={ours:<8} stateright={theirs:<8} {secs:>6.1}s {verdict}\n"));
            lock().push((i, compared));
        });
        drop(watched);
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, compared)| compared).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configs::FLOWS;
    use crate::mutants::guards::NoReadyForward;

    fn config(name: &str) -> Config {
        configs::quick().into_iter().find(|config| config.name == name).expect("it is in the list")
    }

    #[test]
    fn both_checkers_count_the_same() {
        for name in ["in-place/1/living", "manual/1/living", "direct/1/from-nothing"] {
            let compared = compare(&config(name), Subject::SOUND);
            assert!(compared.agrees() && compared.ours > 1_000, "{compared:?}");
        }
    }

    #[test]
    fn both_checkers_find_what_is_broken() {
        let broken = Subject::with::<NoReadyForward>("no readiness forwards").alone();
        let compared = compare(&config("weights/1/from-nothing"), broken);
        assert!(compared.our_broken && compared.their_broken && !compared.agrees(), "{compared:?}");
    }

    #[test]
    fn every_flow_is_compared() {
        let list = chosen(None);
        for flow in FLOWS {
            assert!(list.iter().any(|config| config.flow == flow), "{}", flow.name());
        }
    }
}
