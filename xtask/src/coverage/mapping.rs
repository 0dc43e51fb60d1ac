//! Which piece of source each counter stands for: LLVM's coverage mapping, version 7 ("Code Coverage Mapping Format").

use super::bytes::Bytes;
use super::profile::Counters;
use super::{elf, md5};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// A piece of source, lines and columns counted from 1; the end is the first column behind it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region {
    /// The file, from the root of the repository.
    pub file: String,
    /// Where it begins: line and column.
    pub from: (u64, u64),
    /// Where it ends: line and column.
    pub to: (u64, u64),
}

/// How often each region was executed, over all instantiations of its function.
pub type Counts = BTreeMap<Region, u64>;

/// The version that is read here, as it is written.
const VERSION: u64 = 6;

/// A value that is counted, or follows from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Zero,
    Counter(usize),
    Difference(usize),
    Sum(usize),
}

impl Value {
    fn of(code: u64) -> Value {
        let index = (code >> 2) as usize;
        match code & 3 {
            0 => Value::Zero,
            1 => Value::Counter(index),
            2 => Value::Difference(index),
            _ => Value::Sum(index),
        }
    }
}

/// The mapping of one program.
#[derive(Debug)]
pub struct Mapping<'a> {
    files: HashMap<u64, Vec<&'a str>>,
    functions: &'a [u8],
}

impl<'a> Mapping<'a> {
    /// Reads the mapping out of a program. Files below `root` are named from there, however the compiler was given them.
    ///
    /// # Errors
    /// It has none, or one of a form that is not read here.
    pub fn of(program: &'a [u8], root: &Path) -> Result<Mapping<'a>, String> {
        let files = lists(elf::section(program, "__llvm_covmap")?, root)?;
        let functions = elf::section(program, "__llvm_covfun")?;
        Ok(Mapping { files, functions })
    }

    /// How often every region of the chosen files was executed.
    ///
    /// # Errors
    /// The mapping is damaged.
    pub fn counts(&self, counters: &Counters, chosen: &dyn Fn(&str) -> bool) -> Result<Counts, String> {
        let mut counts = Counts::new();
        let mut rest = Bytes::new(self.functions);
        while rest.len() > 0 {
            let (name, size, structure, files) = (rest.u64()?, rest.u32()? as usize, rest.u64()?, rest.u64()?);
            let data = rest.take(size)?;
            rest.fill(28 + size);
            let files = self.files.get(&files).ok_or("a function's list of files is missing")?;
            let values = counters.of(name, structure).unwrap_or_default();
            regions(data, files, values, &mut |region, count| {
                if chosen(&region.file) {
                    let sum = counts.entry(region).or_insert(0u64);
                    *sum = sum.saturating_add(count);
                }
            })?;
        }
        Ok(counts)
    }
}

/// The lists of files, by their hash.
fn lists<'a>(section: &'a [u8], root: &Path) -> Result<HashMap<u64, Vec<&'a str>>, String> {
    let mut rest = Bytes::new(section);
    let mut lists = HashMap::new();
    while rest.len() > 0 {
        let [_, size, _, version] = [rest.u32()?, rest.u32()?, rest.u32()?, rest.u32()?];
        if version != VERSION {
            let number = version + 1;
            return Err(format!(
                "its coverage mapping has version {number}, and xtask/src/coverage/mapping.rs reads 7"
            ));
        }
        let encoded = rest.take(size as usize)?;
        rest.fill(size as usize);
        let mut list = Bytes::new(encoded);
        let (count, _, compressed) = (list.length()?, list.leb()?, list.leb()?);
        if compressed != 0 {
            return Err(COMPRESSED.to_owned());
        }
        let mut files = vec![];
        for _ in 0..count {
            let length = list.length()?;
            let name = std::str::from_utf8(list.take(length)?).map_err(|e| e.to_string())?;
            files.push(Path::new(name).strip_prefix(root).ok().and_then(Path::to_str).unwrap_or(name));
        }
        lists.insert(md5::low(encoded), files);
    }
    Ok(lists)
}

const COMPRESSED: &str = "its names are compressed: build it with -C llvm-args=-enable-name-compression=false";

/// The regions of code of one function, each with its count.
fn regions(data: &[u8], files: &[&str], values: &[u64], hear: &mut dyn FnMut(Region, u64)) -> Result<(), String> {
    let mut data = Bytes::new(data);
    let own = (0..data.length()?).map(|_| data.length()).collect::<Result<Vec<_>, _>>()?;
    let mut expressions = vec![];
    for _ in 0..data.length()? {
        expressions.push((Value::of(data.leb()?), Value::of(data.leb()?)));
    }
    for file in own {
        let file = *files.get(file).ok_or("a function's file is missing")?;
        let mut line = 0;
        for _ in 0..data.length()? {
            let code = data.leb()?;
            let is_code = skip_to_place(&mut data, code)?;
            line += data.leb()?;
            let [column, more, end] = [data.leb()?, data.leb()?, data.leb()?];
            let is_gap = end >> 31 != 0;
            if is_code && !is_gap {
                let count = evaluate(Value::of(code), values, &expressions, 0)?;
                let region = Region { file: file.to_owned(), from: (line, column), to: (line + more, end) };
                hear(region, u64::try_from(count).unwrap_or(0));
            }
        }
    }
    Ok(())
}

/// Skips what stands between the kind of a region and its place; whether it is a region of code.
fn skip_to_place(data: &mut Bytes, code: u64) -> Result<bool, String> {
    if code & 3 != 0 || code == 0 {
        return Ok(true);
    }
    if code & 4 != 0 {
        return Ok(false); // an expansion
    }
    let further = match code >> 3 {
        2 => 0, // skipped by a preprocessor
        4 => 2, // a branch: two values
        5 => 2, // a decision of several conditions
        6 => 5, // a condition of one
        other => return Err(format!("a region of kind {other} is not known here")),
    };
    for _ in 0..further {
        data.leb()?;
    }
    Ok(false)
}

fn evaluate(value: Value, counts: &[u64], expressions: &[(Value, Value)], depth: usize) -> Result<i128, String> {
    let both = |index: usize| {
        let (a, b) = *expressions.get(index).ok_or("an expression is missing")?;
        if depth > expressions.len() {
            return Err("an expression contains itself".to_owned());
        }
        Ok((evaluate(a, counts, expressions, depth + 1)?, evaluate(b, counts, expressions, depth + 1)?))
    };
    match value {
        Value::Zero => Ok(0),
        Value::Counter(index) => Ok(counts.get(index).copied().map_or(0, i128::from)),
        Value::Difference(index) => both(index).map(|(a, b)| a - b),
        Value::Sum(index) => both(index).map(|(a, b)| a + b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_may_follow_from_others() {
        // One file; one expression, counter 0 less counter 1; three regions: counter 0, counter 1, the expression.
        let data = [1, 0, 1, 1, 5, 3, 1, 4, 5, 2, 9, 5, 1, 9, 0, 20, 2, 1, 9, 0, 12];
        let mut seen = vec![];
        regions(&data, &["a.rs"], &[7, 7], &mut |region, count| seen.push((region.from, region.to, count)))
            .expect("it can be read");
        assert_eq!(seen, [((4, 5), (6, 9), 7), ((5, 9), (5, 20), 7), ((6, 9), (6, 12), 0)]);
        let mut never = vec![];
        regions(&data, &["a.rs"], &[], &mut |_, count| never.push(count)).expect("it can be read");
        assert_eq!(never, [0; 3], "a function that was never loaded was never executed");
        assert!(regions(&data, &[], &[], &mut |_, _| {}).is_err());
    }

    #[test]
    fn what_is_no_code_is_left_out() {
        // A branch, an expansion and a gap between two regions of code, the second of which counts nothing.
        let data = [
            1, 0, 0, 5, 1, 1, 1, 0, 9, 32, 1, 5, 0, 1, 0, 2, 4, 1, 1, 0, 3, 1, 0, 1, 0, 0x83, 0x80, 0x80, 0x80, 8, 0,
            1, 2, 0, 4,
        ];
        let mut seen = vec![];
        regions(&data, &["a.rs"], &[1], &mut |region, count| seen.push((region.from, count))).expect("it can be read");
        assert_eq!(seen, [((1, 1), 1), ((3, 2), 0)]);
        assert!(regions(&[1, 0, 0, 1, 24, 1, 1, 0, 9], &["a.rs"], &[1], &mut |_, _| {}).is_err());
    }

    #[test]
    fn compressed_names_and_other_versions_are_refused() {
        let mut list = vec![0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 1, 5, 0, 4];
        list.extend(*b"/r/a");
        let root = Path::new("/r");
        assert!(lists(&list, root).is_ok_and(|lists| lists.values().all(|files| files == &["a"])));
        list[18] = 4;
        assert!(lists(&list, root).is_err_and(|why| why.contains("compress")));
        list[12] = 7;
        assert!(lists(&list, root).is_err_and(|why| why.contains("version 8")));
    }
}
