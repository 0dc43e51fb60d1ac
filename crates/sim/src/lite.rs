//! Hash-compacted breadth-first search for the big worlds: eight bytes for a visited state, and no way back to tell.
//! The chance that some state is missed is about n²/2⁶⁵ for n states: 3·10⁻⁵ at 31 million. Liveness is sampled.
use crate::quiet::{Mode, Order};
use crate::state::State;
use crate::world::World;
use std::hash::{Hash, Hasher};

#[derive(Clone, Copy)]
struct Mix(u64);

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    (product >> 64) as u64 ^ product as u64
}

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        fold(self.0 ^ 0x9e37_79b9_7f4a_7c15, 0xe703_7ed1_a0b4_28db)
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|x| self.write_u64(u64::from(*x)));
    }
    fn write_u8(&mut self, x: u8) {
        self.write_u64(u64::from(x) + 1);
    }
    fn write_u16(&mut self, x: u16) {
        self.write_u64(u64::from(x) + 1);
    }
    fn write_u64(&mut self, x: u64) {
        let mixed = fold(self.0 ^ x.wrapping_add(0xa076_1d64_78bd_642f), 0x8ebc_6af0_9c88_c6e3);
        self.0 = mixed.rotate_left(23) ^ x;
    }
}

fn fingerprint(state: &State) -> u64 {
    let mut mix = Mix(0x1234_5678_9abc_def1);
    state.hash(&mut mix);
    mix.finish() | 1
}

struct Seen {
    table: Vec<u64>,
}

impl Seen {
    fn insert(&mut self, print: u64) -> bool {
        let mask = self.table.len() - 1;
        let mut at = (print >> 7) as usize & mask;
        loop {
            match self.table[at] {
                0 => {
                    self.table[at] = print;
                    return true;
                }
                x if x == print => return false,
                _ => at = (at + 1) & mask,
            }
        }
    }
}

/// What a compacted search found.
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
}

/// Searches with a table of `2^log2` places; every `sample`-th state is run to its quiet end.
pub fn search(world: &World, first: State, log2: u32, sample: usize, modes: &[Mode]) -> Found {
    let mut seen = Seen { table: vec![0; 1 << log2] };
    let cap = (1usize << log2) / 10 * 7;
    seen.insert(fingerprint(&first));
    let mut found = Found { states: 1, edges: 0, depth: 0, broken: None, cut: false, stuck: None };
    let (mut level, mut offers) = (vec![first], vec![]);
    while !level.is_empty() {
        let mut next_level = vec![];
        for state in &level {
            world.offers(state, &mut offers);
            for happening in &offers {
                let Some(next) = world.step(state, *happening) else { continue };
                found.edges += 1;
                if !seen.insert(fingerprint(&next)) {
                    continue;
                }
                found.states += 1;
                if next.broken != 0 {
                    return Found { broken: Some(next), ..found };
                }
                if found.states.is_multiple_of(sample) && !modes.is_empty() {
                    found.stuck = found.stuck.or_else(|| stuck(world, &next, modes));
                }
                next_level.push(next);
            }
            if found.states >= cap {
                return Found { cut: true, ..found };
            }
        }
        found.depth += 1;
        level = next_level;
    }
    found
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
