//! A fast, well mixed hash of states. The states that it hashes come from us, never from an adversary.
use crate::state::State;
use std::hash::{Hash, Hasher};

/// Packs small fields into words and mixes whole words: a state is some forty fields of one and two bytes. Two values of
/// one type give the same sequence of words only where they are equal.
#[derive(Clone, Copy)]
struct Words {
    hash: u64,
    word: u64,
    bits: u32,
}

/// Both halves of a product, folded: the mixing step of wyhash (Wang Yi, 2019).
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    (product >> 64) as u64 ^ product as u64
}

impl Words {
    const NEW: Words = Words { hash: 0x1234_5678_9abc_def1, word: 0, bits: 0 };

    #[inline]
    fn push(&mut self, x: u64, width: u32) {
        if self.bits + width > 64 {
            self.flush();
        }
        self.word = self.word << width | x;
        self.bits += width;
    }

    #[inline]
    fn flush(&mut self) {
        self.mix(self.word);
        (self.word, self.bits) = (0, 0);
    }

    #[inline]
    fn mix(&mut self, word: u64) {
        let mixed = fold(self.hash ^ word.wrapping_add(0xa076_1d64_78bd_642f), 0x8ebc_6af0_9c88_c6e3);
        self.hash = mixed.rotate_left(23) ^ word;
    }
}

impl Hasher for Words {
    #[inline]
    fn finish(&self) -> u64 {
        let mut last = *self;
        last.mix(self.word);
        fold(last.hash ^ 0x9e37_79b9_7f4a_7c15, 0xe703_7ed1_a0b4_28db)
    }
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|x| self.push(u64::from(*x), 8));
    }
    #[inline]
    fn write_u8(&mut self, x: u8) {
        self.push(u64::from(x), 8);
    }
    #[inline]
    fn write_u16(&mut self, x: u16) {
        self.push(u64::from(x), 16);
    }
    #[inline]
    fn write_u32(&mut self, x: u32) {
        self.push(u64::from(x), 32);
    }
    #[inline]
    fn write_u64(&mut self, x: u64) {
        self.flush();
        self.mix(x);
    }
    /// The lengths of arrays come this way.
    #[inline]
    fn write_usize(&mut self, x: usize) {
        if x < 255 {
            self.push(x as u64, 8);
        } else {
            self.push(255, 8);
            self.write_u64(x as u64);
        }
    }
    #[inline]
    fn write_isize(&mut self, x: isize) {
        self.write_usize(x as usize);
    }
}

/// The state's hash: 64 bits, every one of which depends on every field.
pub fn fingerprint(state: &State) -> u64 {
    let mut words = Words::NEW;
    state.hash(&mut words);
    words.finish()
}

/// The chance that a search that keeps fingerprints instead of states takes two states for one: at most one half of
/// n² pairs, each equal by chance once in 2⁶⁴ − 1 (0 stands for a free place and counts as 1).
pub fn omission(states: usize) -> f64 {
    let n = states as f64;
    n * (n - 1.0).max(0.0) / 2.0 / (u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bfs;
    use crate::configs;
    use crate::subject::Subject;
    use std::collections::HashSet;

    /// Of n random numbers of 32 bits, n²/2³³ meet another one. Any part of the fingerprint must do about as well on
    /// real states, which differ in few bits.
    #[test]
    fn parts_of_it_collide_no_more_often_than_chance() {
        let list = configs::quick();
        let config = list.iter().find(|config| config.name == "kept/1/mortal").expect("it is in the list");
        let world = config.world(Subject::SOUND);
        let found = bfs::search(&world, config.start(&world), usize::MAX, &[]);
        let prints: Vec<u64> = found.graph.list.iter().map(fingerprint).collect();
        let n = prints.len() as f64;
        let whole: HashSet<u64> = prints.iter().copied().collect();
        assert_eq!(whole.len(), prints.len());
        for shift in [0, 7, 16, 32] {
            let part: HashSet<u32> = prints.iter().map(|x| (x >> shift) as u32).collect();
            let met = (prints.len() - part.len()) as f64;
            let chance = n * n / 2f64.powi(33);
            assert!(met < 2.0 * chance + 10.0, "{met} collisions of {n} states, {chance} by chance, shift {shift}");
        }
    }

    #[test]
    fn the_chance_of_an_omission_grows_with_the_square() {
        assert_eq!(omission(1), 0.0);
        let million = omission(1_000_000);
        assert!((million - 2.7e-8).abs() < 0.1e-8, "{million}");
        assert!((omission(10_000_000) / million - 100.0).abs() < 0.1);
    }
}
