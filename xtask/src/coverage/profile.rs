//! What an instrumented program counted: LLVM's raw profile, version 10 ("Instrumentation Profile Format").

use super::bytes::Bytes;
use std::collections::BTreeMap;

/// The counters of every function, by the hash of its name.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counters {
    functions: BTreeMap<(u64, u64), Vec<u64>>,
}

const MAGIC: u64 = 0xff6c_7072_6f66_7281;
/// The version that is read here.
const VERSION: u64 = 10;
/// Bytes of the header, and of what is said of one function.
const HEADER: usize = 16 * 8;
const FUNCTION: usize = 64;

impl Counters {
    /// The counters of the function with this name and this structure, if it was ever loaded.
    pub fn of(&self, name: u64, structure: u64) -> Option<&[u64]> {
        self.functions.get(&(name, structure)).map(Vec::as_slice)
    }

    /// Adds what one process left.
    ///
    /// # Errors
    /// It is not a raw profile of the version that is read here.
    pub fn add(&mut self, file: &[u8]) -> Result<(), String> {
        let mut header = Bytes::new(file);
        let (magic, version) = (header.u64()?, header.u64()? & 0xff_ffff);
        if magic != MAGIC {
            return Err("it is no raw profile of a 64-bit little-endian machine".to_owned());
        }
        if version != VERSION {
            return Err(format!("it has version {version}, and xtask/src/coverage/profile.rs reads {VERSION} only"));
        }
        let [identity, functions, before, count] = [header.u64()?, header.u64()?, header.u64()?, header.u64()?];
        let mut skipped = [0; 4];
        for part in &mut skipped {
            *part = header.u64()?; // fillers, bitmaps and the names
        }
        let mut distance = header.u64()?;
        let from = HEADER + identity as usize;
        let mut list = Bytes::at(file, from)?;
        let counters = Bytes::at(file, from + functions as usize * FUNCTION + before as usize)?;
        let counters: Vec<u64> = numbers(counters, count as usize)?;
        for _ in 0..functions {
            let [name, structure, place] = [list.u64()?, list.u64()?, list.u64()?];
            list.take(24)?;
            let own = list.u32()? as usize;
            list.take(FUNCTION - 52)?;
            let first = place.wrapping_sub(distance) as usize / 8;
            distance = distance.wrapping_sub(FUNCTION as u64);
            let own = counters.get(first..first + own).ok_or("a function's counters lie outside")?;
            let sums = self.functions.entry((name, structure)).or_insert_with(|| vec![0; own.len()]);
            for (sum, more) in sums.iter_mut().zip(own) {
                *sum = sum.saturating_add(*more);
            }
        }
        Ok(())
    }
}

fn numbers(mut bytes: Bytes, count: usize) -> Result<Vec<u64>, String> {
    (0..count).map(|_| bytes.u64()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A profile of two functions, with two counters and one, in which each function tells where its counters lie
    /// relative to itself.
    fn profile(counts: [u64; 3]) -> Vec<u8> {
        let far = 4_096u64;
        let mut words = vec![MAGIC, VERSION, 0, 2, 0, 3, 0, 0, 0, 0, far, 0, 0, 0, 0, 2];
        words.extend([11, 1, far, 0, 0, 0, 2, 0]);
        words.extend([12, 1, far + 16 - FUNCTION as u64, 0, 0, 0, 1, 0]);
        words.extend(counts);
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn counts_of_several_processes_are_added() {
        let mut counters = Counters::default();
        counters.add(&profile([5, 0, 0])).expect("it can be read");
        assert_eq!(counters.of(11, 1), Some(&[5, 0][..]));
        counters.add(&profile([1, 2, 3])).expect("it can be read");
        assert_eq!(counters.of(11, 1), Some(&[6, 2][..]));
        assert_eq!(counters.of(12, 1), Some(&[3][..]));
        assert_eq!(counters.of(12, 9), None);
    }

    #[test]
    fn another_version_is_refused_by_name() {
        let mut other = profile([0; 3]);
        other[8] = 11;
        let why = Counters::default().add(&other).expect_err("nobody knows its form");
        assert!(why.contains("version 11"), "{why}");
        assert!(Counters::default().add(&profile([0; 3])[..270]).is_err());
    }
}
