//! Hash-compacted breadth-first search for the big worlds: eight bytes for a visited state. States are kept whole only
//! while they wait to be looked at. Two states with one fingerprint are taken for one; [`omission`] bounds the chance.
//! Liveness is sampled. The way to a state is found by a second search that also keeps who was whose parent.
use crate::bfs;
use crate::fingerprint::fingerprint;
use crate::progress::Meter;
use crate::quiet::{Mode, Order};
use crate::state::State;
use crate::world::{Happening, World};

pub use crate::fingerprint::omission;

/// A set of fingerprints of a fixed size, and for each, where asked for, the place of its parent.
struct Seen {
    table: Vec<u64>,
    parents: Vec<u32>,
}

/// The fingerprint as it is kept: 0 is a free place.
fn kept(state: &State) -> u64 {
    fingerprint(state).max(1)
}

impl Seen {
    fn new(log2: u32, with_parents: bool) -> Seen {
        Seen { table: vec![0; 1 << log2], parents: vec![0; if with_parents { 1 << log2 } else { 0 }] }
    }

    /// The place of a fingerprint: where it is, or the free one where it belongs.
    fn place(&self, print: u64) -> Result<usize, usize> {
        let mask = self.table.len() - 1;
        let mut at = print as usize & mask;
        loop {
            match self.table[at] {
                0 => return Err(at),
                x if x == print => return Ok(at),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// Looks at the places of all these, so that the memory's answers come at the same time.
    fn warm(&self, prints: &[u64]) {
        let mask = self.table.len() - 1;
        std::hint::black_box(prints.iter().fold(0, |all, print| all ^ self.table[*print as usize & mask]));
    }

    /// `true` if it is new.
    fn insert(&mut self, print: u64, parent: u64) -> bool {
        let Err(at) = self.place(print) else { return false };
        self.table[at] = print;
        if !self.parents.is_empty() {
            self.parents[at] = self.place(parent).map_or(at, |place| place) as u32;
        }
        true
    }

    /// The fingerprints from the first state to this one.
    fn chain(&self, print: u64) -> Vec<u64> {
        let mut chain = vec![];
        let mut at = self.place(print).ok();
        while let Some(place) = at {
            chain.push(self.table[place]);
            let parent = self.parents[place] as usize;
            at = (parent != place).then_some(parent);
        }
        chain.reverse();
        chain
    }
}

/// What a compacted search found.
#[derive(Clone, Default, Debug)]
pub struct Found {
    /// States reached.
    pub states: usize,
    /// Steps taken.
    pub edges: u64,
    /// Levels.
    pub depth: u32,
    /// A state that breaks a rule.
    pub broken: Option<State>,
    /// The table was full before the search was done.
    pub cut: bool,
    /// A state from which a quiet run breaks a promise.
    pub stuck: Option<(State, Mode, Order)>,
    /// States from which quiet runs were taken.
    pub sampled: usize,
    /// The most states that waited at once, in both levels.
    pub waiting: usize,
}

/// The binary logarithm of the table for so many states: at most three quarters of its places are taken.
pub fn log2_for(states: usize) -> u32 {
    (states / 3 * 4 + 64).next_power_of_two().ilog2()
}

/// The memory that a compacted search needs at its peak, in bytes: its table, and the states that wait in two levels. Where
/// it was measured these were a twentieth to an eighth of all states; a sixth is counted here, and a full table where the
/// number of states is not known.
pub fn bytes(log2: u32, states: Option<usize>) -> u64 {
    let waiting = states.unwrap_or(1 << log2) / 6;
    ((size_of::<u64>() << log2) + waiting * size_of::<State>()) as u64
}

/// A compacted search.
pub struct Search<'w> {
    /// Where.
    pub world: &'w World,
    /// The beginning.
    pub first: State,
    /// The table has two to this power places.
    pub log2: u32,
}

impl Search<'_> {
    /// Searches; every `sample`-th state is run to its quiet ends, unless there are no `modes`.
    pub fn run(&self, sample: usize, modes: &[Mode], meter: &Meter) -> Found {
        self.until(&mut Seen::new(self.log2, false), sample, modes, meter, None)
    }

    /// One of the shortest ways to a state that [`Search::run`] met in this very world. It searches again, with four more
    /// bytes for each place of the table.
    pub fn way(&self, to: &State, meter: &Meter) -> Vec<(Option<Happening>, State)> {
        let mut seen = Seen::new(self.log2, true);
        self.until(&mut seen, usize::MAX, &[], meter, Some(to));
        let mut states = vec![self.first];
        let mut offers = vec![];
        for print in seen.chain(kept(to)).into_iter().skip(1) {
            let before = states[states.len() - 1];
            self.world.offers(&before, &mut offers);
            let mut next = offers.iter().filter_map(|happening| self.world.step(&before, *happening));
            states.extend(next.find(|state| kept(state) == print));
        }
        bfs::retrace(self.world, &states)
    }

    fn until(&self, seen: &mut Seen, sample: usize, modes: &[Mode], meter: &Meter, to: Option<&State>) -> Found {
        let world = self.world;
        let full = (1usize << self.log2) / 10 * 8;
        let first = kept(&self.first);
        seen.insert(first, first);
        let mut found = Found { states: 1, ..Found::default() };
        let (mut level, mut next_level) = (vec![self.first], vec![]);
        let (mut offers, mut after, mut prints) = (vec![], vec![], vec![]);
        while !level.is_empty() {
            for (i, state) in level.iter().enumerate() {
                if i.is_multiple_of(Meter::EVERY) {
                    meter.searched(found.states, level.len() - i + next_level.len(), found.depth);
                }
                let parent = if seen.parents.is_empty() { 0 } else { kept(state) };
                world.offers(state, &mut offers);
                after.clear();
                after.extend(offers.iter().filter_map(|happening| world.step(state, *happening)));
                prints.clear();
                prints.extend(after.iter().map(kept));
                seen.warm(&prints);
                for (next, print) in after.iter().copied().zip(&prints) {
                    found.edges += 1;
                    if !seen.insert(*print, parent) {
                        continue;
                    }
                    found.states += 1;
                    if next.broken != 0 || to == Some(&next) {
                        return Found { broken: (next.broken != 0).then_some(next), ..found };
                    }
                    if found.states.is_multiple_of(sample) && !modes.is_empty() {
                        found.sampled += 1;
                        found.stuck = stuck(world, &next, modes);
                        if found.stuck.is_some() {
                            return found;
                        }
                    }
                    next_level.push(next);
                }
                if found.states >= full {
                    return Found { cut: true, ..found };
                }
            }
            found.depth += u32::from(!next_level.is_empty());
            found.waiting = found.waiting.max(level.len() + next_level.len());
            std::mem::swap(&mut level, &mut next_level);
            next_level.clear();
        }
        found
    }
}

/// The promise that a quiet run from `start` breaks, and who goes first in it.
pub fn stuck(world: &World, start: &State, modes: &[Mode]) -> Option<(State, Mode, Order)> {
    const TOO_LONG: u32 = 20_000;
    let known = modes.iter().filter(|mode| world.knows(**mode));
    known.flat_map(|mode| Order::ALL.map(|order| (*mode, order))).find_map(|(mode, order)| {
        let mut state = *start;
        for _ in 0..TOO_LONG {
            match world.quiet(&state, mode, order) {
                Some((_, next)) => state = next,
                None => return (!world.kept(mode, order, start, &state)).then_some((*start, mode, order)),
            }
        }
        Some((*start, mode, order))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configs::{self, Config, Flow};
    use crate::env::Env;
    use crate::mutants::guards::NoReadyForward;
    use crate::subject::Subject;

    fn config(name: &str) -> Config {
        configs::quick().into_iter().find(|config| config.name == name).expect("it is in the list")
    }

    #[test]
    fn it_finds_as_much_as_the_exact_search() {
        for name in ["weights/1/from-nothing", "one-by-one/2/floor-1"] {
            let config = config(name);
            let world = config.world(Subject::SOUND);
            let exact = bfs::search(&world, config.start(&world), usize::MAX, &[]);
            let log2 = log2_for(exact.graph.list.len());
            let search = Search { world: &world, first: config.start(&world), log2 };
            let found = search.run(64, &Mode::ALL, &Meter::default());
            assert!(!found.cut && found.broken.is_none() && found.stuck.is_none(), "{name}");
            assert_eq!((found.states, found.edges), (exact.graph.list.len(), exact.edges), "{name}");
            assert_eq!(found.depth, exact.depth, "{name}");
            assert_eq!(found.sampled, found.states / 64);
        }
    }

    #[test]
    fn a_full_table_is_told() {
        let config = config("weights/1/from-nothing");
        let world = config.world(Subject::SOUND);
        let search = Search { world: &world, first: config.start(&world), log2: 12 };
        let found = search.run(64, &[], &Meter::default());
        assert!(found.cut && found.states < 1 << 12);
    }

    /// The same shortest way as that of the exact search, from a search that kept no states.
    #[test]
    fn the_way_to_a_broken_state_is_told() {
        let subject = Subject::with::<NoReadyForward>("no readiness forwards").alone();
        let world = World::new(subject, Flow::Weights.plan(1, 0), Env { down: true, late: true, ..Env::CALM });
        let first = world.at_rest();
        let exact = bfs::search(&world, first, usize::MAX, &[]);
        let expected = exact.graph.way(exact.broken.expect("this mutant is caught"));
        let search = Search { world: &world, first, log2: 20 };
        let broken = search.run(64, &[], &Meter::default()).broken.expect("and so it is without states");
        let way = search.way(&broken, &Meter::default());
        assert_eq!(way, expected);
        assert!(way.len() > 5 && way.last().is_some_and(|(_, state)| state.broken != 0));
    }
}
