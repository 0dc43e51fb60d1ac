//! The sizes of the worlds, as data: how many states and steps each configuration has. A search that reaches fewer has
//! lost behaviours, and fails as loudly as one that finds a broken rule.
//!
//! `pinned.txt` has one line for each configuration, `NAME STATES EDGES`, in the order of the list. It is rewritten by
//! `UPDATE=1 serin-sim check [--long]`, and the diff is what is reviewed.
use std::path::PathBuf;
use std::sync::OnceLock;

const FILE: &str = include_str!("../pinned.txt");

/// The size of one configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pin {
    /// Its name.
    pub name: String,
    /// States that can be reached.
    pub states: usize,
    /// Steps between them.
    pub edges: u64,
}

/// Reads lines of `NAME STATES EDGES`; empty ones and those that begin with `#` say nothing.
///
/// # Errors
/// A sentence that says which line makes no sense, and why.
pub fn parse(text: &str) -> Result<Vec<Pin>, String> {
    let mut pins: Vec<Pin> = vec![];
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[name, states, edges] = &words[..] else {
            return Err(format!("pinned.txt:{number}: write NAME STATES EDGES, not {line:?}"));
        };
        let (Ok(states), Ok(edges)) = (states.parse(), edges.parse()) else {
            return Err(format!("pinned.txt:{number}: states and edges are whole numbers, not {states:?} {edges:?}"));
        };
        if pins.iter().any(|pin| pin.name == name) {
            return Err(format!("pinned.txt:{number}: {name} is there twice"));
        }
        pins.push(Pin { name: name.to_owned(), states, edges });
    }
    Ok(pins)
}

/// The text of these pins, as [`parse`] reads it.
pub fn print(pins: &[Pin]) -> String {
    let head = "# Configuration, states, edges. Rewritten by `UPDATE=1 serin-sim check --long`; review the diff.\n";
    pins.iter().fold(head.to_owned(), |text, pin| text + &format!("{} {} {}\n", pin.name, pin.states, pin.edges))
}

/// All pins.
///
/// # Panics
/// If the file in the repository makes no sense.
pub fn all() -> &'static [Pin] {
    static PINS: OnceLock<Vec<Pin>> = OnceLock::new();
    PINS.get_or_init(|| parse(FILE).unwrap_or_else(|why| panic!("{why}")))
}

/// The pin of a configuration.
pub fn find(name: &str) -> Option<&'static Pin> {
    all().iter().find(|pin| pin.name == name)
}

/// `old` with what was `found` in its place, in the order of `names`; a pin that none of these names is dropped.
pub fn updated(old: &[Pin], found: &[Pin], names: &[String]) -> Vec<Pin> {
    let of = |name: &String| found.iter().chain(old).find(|pin| pin.name == *name).cloned();
    names.iter().filter_map(of).collect()
}

/// The names of pins that no configuration has.
pub fn orphans(names: &[String]) -> Vec<String> {
    all().iter().map(|pin| pin.name.clone()).filter(|name| !names.contains(name)).collect()
}

/// Where the file is in the sources.
pub fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/pinned.txt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(name: &str, states: usize) -> Pin {
        Pin { name: name.to_owned(), states, edges: 2 * states as u64 }
    }

    #[test]
    fn what_is_printed_is_read_again() {
        let pins = vec![pin("a/1/x", 3), pin("b/2/y", 400_000_000_000)];
        assert_eq!(parse(&print(&pins)), Ok(pins));
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        for (text, why) in [
            ("a 1", "pinned.txt:1: write NAME STATES EDGES, not \"a 1\""),
            ("# x\n\na 1 2 3", "pinned.txt:3: write NAME STATES EDGES, not \"a 1 2 3\""),
            ("a 1 many", "pinned.txt:1: states and edges are whole numbers, not \"1\" \"many\""),
            ("a 1 2\na 1 2", "pinned.txt:2: a is there twice"),
        ] {
            assert_eq!(parse(text), Err(why.to_owned()));
        }
    }

    #[test]
    fn an_update_keeps_the_lists_order_and_drops_what_is_gone() {
        let names = ["c", "a", "b"].map(str::to_owned);
        let pins = updated(&[pin("a", 1), pin("gone", 1), pin("b", 1)], &[pin("b", 2), pin("c", 3)], &names);
        assert_eq!(pins, [pin("c", 3), pin("a", 1), pin("b", 2)]);
    }
}
