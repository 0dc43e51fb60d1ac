//! Exact breadth-first search: every state that can be reached, the shortest way to a broken rule, and from every
//! state the end of its quiet run.
use crate::fingerprint::fingerprint;
use crate::progress::Meter;
use crate::quiet::{Mode, Order};
use crate::state::State;
use crate::world::{Happening, World};

/// A set of states with numbers, in the order in which they were found. What led from one to the next is not kept: the
/// world tells it again.
pub struct Graph<'w> {
    /// The states.
    pub list: Vec<State>,
    world: &'w World,
    parent: Vec<u32>,
    /// The upper half of a fingerprint, then the number of its state: a place with another fingerprint is passed over
    /// without a look at the state.
    slots: Vec<u64>,
}

const FREE: u64 = u64::MAX;

/// Places that a graph begins with.
const PLACES: usize = 1 << 16;

/// The number of places for so many states: at most four fifths are taken.
fn places(states: usize) -> usize {
    (states / 4 * 5 + 2).next_power_of_two().max(PLACES)
}

/// The memory that an exact search of so many states needs at its peak, in bytes, liveness included.
pub fn bytes(states: usize) -> u64 {
    let per_state = size_of::<State>() + size_of::<u32>() + 2 * size_of::<u32>();
    (states * per_state + places(states) * size_of::<u64>()) as u64
}

impl<'w> Graph<'w> {
    fn new(world: &'w World, first: State) -> Graph<'w> {
        let mut graph = Graph { list: vec![], world, parent: vec![], slots: vec![FREE; PLACES] };
        graph.insert(first, fingerprint(&first), 0);
        graph
    }

    fn place(&self, state: &State, print: u64) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let mut at = print as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == FREE {
                return Err(at);
            }
            let id = slot as u32;
            if slot >> 32 == print >> 32 && self.list[id as usize] == *state {
                return Ok(id);
            }
            at = (at + 1) & mask;
        }
    }

    /// The number of a state.
    pub fn find(&self, state: &State) -> Option<u32> {
        self.place(state, fingerprint(state)).ok()
    }

    /// Looks at the places of all these, and at the states that seem to be there, so that the memory's answers come at
    /// the same time and not one after the other: most of a search is waiting for them.
    fn warm(&self, prints: &[u64]) {
        let mask = self.slots.len() - 1;
        let slots = prints.iter().map(|print| self.slots[*print as usize & mask]);
        std::hint::black_box(slots.fold(0, |all, slot| all ^ slot));
        let known = prints.iter().map(|print| (print >> 32, self.slots[*print as usize & mask]));
        let states =
            known.filter(|(tag, slot)| slot >> 32 == *tag).map(|(_, slot)| self.list.get(slot as u32 as usize));
        std::hint::black_box(states.fold(0, |all, state| all ^ state.map_or(0, |state| state.accepted)));
    }

    /// `true` if it is new. `print` is its fingerprint.
    fn insert(&mut self, state: State, print: u64, parent: u32) -> bool {
        let Err(at) = self.place(&state, print) else { return false };
        self.slots[at] = print >> 32 << 32 | self.list.len() as u64;
        self.list.push(state);
        self.parent.push(parent);
        if places(self.list.len()) > self.slots.len() {
            self.grow();
        }
        true
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        self.slots = vec![]; // given back before the larger one is taken
        self.slots = vec![FREE; mask + 1];
        for (id, state) in self.list.iter().enumerate() {
            let print = fingerprint(state);
            let mut at = print as usize & mask;
            while self.slots[at] != FREE {
                at = (at + 1) & mask;
            }
            self.slots[at] = print >> 32 << 32 | id as u64;
        }
    }

    /// The way from the beginning to this state, one of the shortest.
    pub fn way(&self, id: u32) -> Vec<(Option<Happening>, State)> {
        let mut ids = vec![id];
        while let Some(id) = ids.last().copied().filter(|id| *id != 0) {
            ids.push(self.parent[id as usize]);
        }
        ids.reverse();
        retrace(self.world, &ids.iter().map(|id| self.list[*id as usize]).collect::<Vec<_>>())
    }
}

/// What happened between these states, each of which follows the one before.
///
/// # Panics
/// If one does not follow: a bug of the search.
pub fn retrace(world: &World, states: &[State]) -> Vec<(Option<Happening>, State)> {
    let mut way = vec![];
    let mut offers = vec![];
    for (i, state) in states.iter().enumerate() {
        let by = i.checked_sub(1).map(|before| {
            world.offers(&states[before], &mut offers);
            let leads = |by: &&Happening| world.step(&states[before], **by) == Some(*state);
            *offers.iter().find(leads).expect("a state in the graph follows its parent")
        });
        way.push((by, *state));
    }
    way
}

/// A quiet run that broke its promise.
pub struct Stuck {
    /// The promise.
    pub mode: Mode,
    /// Who went first.
    pub order: Order,
    /// Where the run began.
    pub start: u32,
    /// Whether it goes round for ever.
    pub circle: bool,
}

/// What a search found.
pub struct Found<'w> {
    /// Everything reached.
    pub graph: Graph<'w>,
    /// Steps taken.
    pub edges: u64,
    /// The length of the longest shortest way.
    pub depth: u32,
    /// The first state that breaks a rule.
    pub broken: Option<u32>,
    /// Whether the search ended before it was done.
    pub cut: bool,
    /// The first quiet run that broke its promise.
    pub stuck: Option<Stuck>,
    /// The longest quiet run.
    pub quiet: u32,
}

/// Searches from `first`, at most `cap` states, then runs every state to its quiet end, unless a rule is broken.
pub fn search<'w>(world: &'w World, first: State, cap: usize, modes: &[Mode]) -> Found<'w> {
    search_told(world, first, cap, modes, &Meter::default())
}

/// [`search`], with `meter` told how far it is.
pub fn search_told<'w>(world: &'w World, first: State, cap: usize, modes: &[Mode], meter: &Meter) -> Found<'w> {
    let mut graph = Graph::new(world, first);
    let (mut edges, mut head, mut depth, mut level_end) = (0u64, 0usize, 0u32, 1usize);
    let mut broken = None;
    let (mut offers, mut next, mut prints) = (vec![], vec![], vec![]);
    while head < graph.list.len() && broken.is_none() && graph.list.len() < cap {
        if head == level_end {
            (depth, level_end) = (depth + 1, graph.list.len());
        }
        if head.is_multiple_of(Meter::EVERY) {
            meter.searched(graph.list.len(), graph.list.len() - head, depth);
        }
        let state = graph.list[head];
        world.offers(&state, &mut offers);
        next.clear();
        next.extend(offers.iter().filter_map(|happening| world.step(&state, *happening)));
        prints.clear();
        prints.extend(next.iter().map(fingerprint));
        graph.warm(&prints);
        for (next, print) in next.iter().zip(&prints) {
            edges += 1;
            if graph.insert(*next, *print, head as u32) && next.broken != 0 {
                broken = Some(graph.list.len() as u32 - 1);
                break;
            }
        }
        head += 1;
    }
    let cut = head < graph.list.len() && broken.is_none();
    let mut found = Found { graph, edges, depth, broken, cut, stuck: None, quiet: 0 };
    if broken.is_none() && !cut {
        let known = modes.iter().filter(|mode| world.knows(**mode));
        for (mode, order) in known.flat_map(|mode| Order::ALL.map(|order| (*mode, order))) {
            if let Err(stuck) = run_all(world, &found.graph, mode, order, &mut found.quiet, meter) {
                found.stuck = Some(stuck);
                break;
            }
        }
    }
    found
}

const UNKNOWN: u32 = u32::MAX;
const OPEN: u32 = u32::MAX - 1;

/// The quiet run is a function on states, so the end of every one is found in one pass. A quiet step that leaves the
/// graph (a repeated loss of its way) cannot happen: the quiet world does nothing that the harsh one does not offer.
fn run_all(
    world: &World,
    graph: &Graph,
    mode: Mode,
    order: Order,
    longest: &mut u32,
    meter: &Meter,
) -> Result<(), Stuck> {
    let n = graph.list.len();
    let mut end = vec![UNKNOWN; n];
    let mut length = vec![0u32; n];
    let mut path: Vec<u32> = vec![];
    for start in 0..n as u32 {
        if (start as usize).is_multiple_of(Meter::EVERY) {
            meter.rested(start as usize, mode);
        }
        path.clear();
        let mut at = start;
        let last = loop {
            match end[at as usize] {
                UNKNOWN => {}
                OPEN => return Err(Stuck { mode, order, start: at, circle: true }),
                known => break known,
            }
            end[at as usize] = OPEN;
            path.push(at);
            let Some((happening, next)) = world.quiet(&graph.list[at as usize], mode, order) else { break at };
            let Some(id) = graph.find(&next) else {
                panic!("{happening:?} is quiet but not offered, in {:?}", graph.list[at as usize])
            };
            at = id;
        };
        let shortest = if end[at as usize] == OPEN { 0 } else { length[at as usize] + 1 };
        for (more, &id) in path.iter().rev().enumerate() {
            let steps = shortest + more as u32;
            (end[id as usize], length[id as usize]) = (last, steps);
            *longest = (*longest).max(steps);
            if !world.kept(mode, order, &graph.list[id as usize], &graph.list[last as usize]) {
                return Err(Stuck { mode, order, start: id, circle: false });
            }
        }
    }
    Ok(())
}
