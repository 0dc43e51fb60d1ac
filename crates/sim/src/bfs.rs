//! Exact breadth-first search: every state that can be reached, the shortest way to a broken rule, and from every
//! state the end of its quiet run.
use crate::quiet::{Mode, Order};
use crate::state::State;
use crate::table::Fx;
use crate::world::{Happening, World};
use std::hash::{Hash, Hasher};

/// A set of states with numbers, in the order in which they were found.
pub struct Graph {
    /// The states.
    pub list: Vec<State>,
    parent: Vec<(u32, Option<Happening>)>,
    slots: Vec<u32>,
}

const FREE: u32 = u32::MAX;

fn hash(state: &State) -> u64 {
    let mut hasher = Fx::default();
    state.hash(&mut hasher);
    hasher.finish()
}

impl Graph {
    fn new(first: State) -> Graph {
        let mut graph = Graph { list: vec![], parent: vec![], slots: vec![FREE; 1 << 16] };
        graph.insert(first, 0, None);
        graph
    }

    fn place(&self, state: &State) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let mut at = hash(state) as usize & mask;
        loop {
            match self.slots[at] {
                FREE => return Err(at),
                id if self.list[id as usize] == *state => return Ok(id),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// The number of a state.
    pub fn find(&self, state: &State) -> Option<u32> {
        self.place(state).ok()
    }

    /// `true` if it is new.
    fn insert(&mut self, state: State, parent: u32, by: Option<Happening>) -> bool {
        let Err(at) = self.place(&state) else { return false };
        self.slots[at] = self.list.len() as u32;
        self.list.push(state);
        self.parent.push((parent, by));
        if self.list.len() * 3 > self.slots.len() * 2 {
            self.grow();
        }
        true
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        self.slots = vec![FREE; mask + 1];
        for (id, state) in self.list.iter().enumerate() {
            let mut at = hash(state) as usize & mask;
            while self.slots[at] != FREE {
                at = (at + 1) & mask;
            }
            self.slots[at] = id as u32;
        }
    }

    /// The way from the beginning to this state.
    pub fn way(&self, mut id: u32) -> Vec<(Option<Happening>, State)> {
        let mut way = vec![];
        loop {
            let (parent, by) = self.parent[id as usize];
            way.push((by, self.list[id as usize]));
            if by.is_none() {
                way.reverse();
                return way;
            }
            id = parent;
        }
    }
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
pub struct Found {
    /// Everything reached.
    pub graph: Graph,
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
pub fn search(world: &World, first: State, cap: usize, modes: &[Mode]) -> Found {
    let mut graph = Graph::new(first);
    let (mut edges, mut head, mut depth, mut level_end) = (0u64, 0usize, 0u32, 1usize);
    let mut broken = None;
    let mut offers = vec![];
    while head < graph.list.len() && broken.is_none() && graph.list.len() < cap {
        if head == level_end {
            (depth, level_end) = (depth + 1, graph.list.len());
        }
        let state = graph.list[head];
        world.offers(&state, &mut offers);
        for happening in &offers {
            let Some(next) = world.step(&state, *happening) else { continue };
            edges += 1;
            if graph.insert(next, head as u32, Some(*happening)) && next.broken != 0 {
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
            if let Err(stuck) = run_all(world, &found.graph, mode, order, &mut found.quiet) {
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
fn run_all(world: &World, graph: &Graph, mode: Mode, order: Order, longest: &mut u32) -> Result<(), Stuck> {
    let n = graph.list.len();
    let mut end = vec![UNKNOWN; n];
    let mut length = vec![0u32; n];
    let mut path: Vec<u32> = vec![];
    for start in 0..n as u32 {
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
