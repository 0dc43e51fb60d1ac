//! Small numbers for large values, so that a state of the world is a few dozen bytes.
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// A fast hash for small integers; the states that it hashes come from us, never from an adversary.
#[derive(Default, Clone, Copy)]
pub struct Fx(u64);

impl Hasher for Fx {
    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    }
    fn write(&mut self, bytes: &[u8]) {
        for &x in bytes {
            self.write_u64(u64::from(x));
        }
    }
    fn write_u8(&mut self, x: u8) {
        self.write_u64(u64::from(x));
    }
    fn write_u16(&mut self, x: u16) {
        self.write_u64(u64::from(x));
    }
    fn write_u32(&mut self, x: u32) {
        self.write_u64(u64::from(x));
    }
    fn write_usize(&mut self, x: usize) {
        self.write_u64(x as u64);
    }
    fn write_isize(&mut self, x: isize) {
        self.write_u64(x as u64);
    }
    fn write_u64(&mut self, x: u64) {
        self.0 = (self.0.rotate_left(5) ^ x).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

/// A map with [`Fx`].
pub type Map<K, V> = HashMap<K, V, BuildHasherDefault<Fx>>;

/// Values in the order in which they were first met; the number of the first is 0.
pub struct Table<T> {
    map: Map<T, u16>,
    list: Vec<T>,
}

impl<T: Copy + Eq + Hash> Table<T> {
    /// A table that begins with `first`.
    pub fn new(first: T) -> Table<T> {
        let mut table = Table { map: Map::default(), list: vec![] };
        table.id(first);
        table
    }

    /// The number of `value`, which gets one if it has none.
    pub fn id(&mut self, value: T) -> u16 {
        if let Some(id) = self.map.get(&value) {
            return *id;
        }
        let id = u16::try_from(self.list.len()).expect("a bounded world has fewer than 65 536 of anything");
        self.map.insert(value, id);
        self.list.push(value);
        id
    }

    /// The value with this number.
    pub fn get(&self, id: u16) -> T {
        self.list[usize::from(id)]
    }
}
