//! The reviewed list of regions that nothing executes, each with a reason. It names them by their text, so that it
//! outlives what is written above them.

use super::mapping::Region;
use std::collections::{BTreeMap, BTreeSet};

/// A region as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Piece {
    /// The file.
    pub file: String,
    /// The line that it begins on, without the blanks around it.
    pub line: String,
    /// Its own text on that line.
    pub text: String,
}

impl Piece {
    /// What stands at `region` in the file's `source`.
    pub fn of(region: &Region, source: &str) -> Piece {
        let line = source.lines().nth(region.from.0.saturating_sub(1) as usize).unwrap_or_default();
        let end = if region.from.0 == region.to.0 { region.to.1.saturating_sub(1) } else { u64::MAX };
        let from = region.from.1.saturating_sub(1) as usize;
        let text = line.get(from..line.len().min(end as usize)).unwrap_or_default();
        Piece { file: region.file.clone(), line: line.trim().to_owned(), text: text.trim().to_owned() }
    }

    /// The whole line.
    fn line_of(&self) -> Piece {
        Piece { text: WHOLE.to_owned(), ..self.clone() }
    }
}

/// An entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The region.
    pub piece: Piece,
    /// Why nothing executes it.
    pub why: String,
}

/// The text of an entry for a line of which nothing is executed.
const WHOLE: &str = "*";

/// Reads the list: entries of four lines `file:`, `line:`, `text:` and `why:`, empty lines between them, and lines that
/// begin with `#` for people. `text: *` stands for everything that begins on the line.
///
/// # Errors
/// The number of the first line that makes no sense, and what is expected instead.
pub fn parse(list: &str) -> Result<Vec<Entry>, String> {
    const KEYS: [&str; 4] = ["file: ", "line: ", "text: ", "why: "];
    let mut entries = vec![];
    let mut values: Vec<String> = vec![];
    for (number, line) in list.lines().enumerate() {
        let (number, line) = (number + 1, line.trim());
        if line.starts_with('#') || line.is_empty() && values.is_empty() {
            continue;
        }
        let key = KEYS[values.len()];
        let value = line.strip_prefix(key).map(str::trim).filter(|value| !value.is_empty());
        values.push(value.ok_or_else(|| format!("line {number} must be `{key}…`, not {line:?}"))?.to_owned());
        if let [file, line, text, why] = values.as_slice() {
            let piece = Piece { file: file.clone(), line: line.clone(), text: text.clone() };
            entries.push(Entry { piece, why: why.clone() });
            values.clear();
        }
    }
    if values.is_empty() { Ok(entries) } else { Err(format!("it ends where `{}…` must follow", KEYS[values.len()])) }
}

/// What the list and the regions that nothing executed do not agree on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Nothing executed them, and they are not listed.
    pub uncovered: Vec<(Region, Piece)>,
    /// They are listed, and are executed or do not exist.
    pub wrong: Vec<Piece>,
    /// Nothing executed them, and the list says why.
    pub listed: usize,
}

/// Matches each region that nothing executed with an entry. Each entry stands for one region, or for all of a line none
/// of which is executed.
pub fn judge(all: Vec<(Region, Piece, u64)>, entries: &[Entry]) -> Judged {
    let (never, executed): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, _, count)| *count == 0);
    let alive: BTreeSet<Piece> = executed.into_iter().map(|(_, piece, _)| piece.line_of()).collect();
    let mut judged = Judged::default();
    let mut open: BTreeMap<&Piece, usize> = BTreeMap::new();
    let mut lines: BTreeMap<&Piece, bool> = BTreeMap::new();
    for Entry { piece, .. } in entries {
        if piece.text != WHOLE {
            *open.entry(piece).or_default() += 1;
        } else if alive.contains(piece) || lines.insert(piece, false).is_some() {
            judged.wrong.push(piece.clone());
        }
    }
    for (region, piece, _) in never {
        if let Some(met) = lines.get_mut(&piece.line_of()) {
            *met = true;
            judged.listed += 1;
        } else if let Some(left) = open.get_mut(&piece).filter(|left| **left > 0) {
            *left -= 1;
            judged.listed += 1;
        } else {
            judged.uncovered.push((region, piece));
        }
    }
    judged.wrong.extend(open.into_iter().flat_map(|(piece, left)| vec![piece.clone(); left]));
    judged.wrong.extend(lines.into_iter().filter(|(_, met)| !met).map(|(piece, _)| piece.clone()));
    judged
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "fn f() {\n    if x { a } else { b }\n}\n";

    fn region(line: u64, from: u64, to: (u64, u64)) -> Region {
        Region { file: "f.rs".to_owned(), from: (line, from), to }
    }

    fn seen(region: Region, count: u64) -> (Region, Piece, u64) {
        let piece = Piece::of(&region, SOURCE);
        (region, piece, count)
    }

    #[test]
    fn a_region_is_named_by_its_text() {
        let piece = Piece::of(&region(2, 21, (2, 26)), SOURCE);
        assert_eq!((piece.line.as_str(), piece.text.as_str()), ("if x { a } else { b }", "{ b }"));
        assert_eq!(Piece::of(&region(1, 1, (3, 2)), SOURCE).text, "fn f() {");
        assert_eq!(Piece::of(&region(9, 1, (9, 2)), SOURCE).line, "");
    }

    #[test]
    fn the_list_must_name_exactly_what_nothing_executes() {
        let entry = "# a note\nfile: f.rs\nline: if x { a } else { b }\ntext: { b }\nwhy: never\n\n";
        let list = parse(entry).expect("it makes sense");
        let (a, b) = (region(2, 10, (2, 15)), region(2, 21, (2, 26)));
        let judged = |counts: [u64; 2]| judge(vec![seen(a.clone(), counts[0]), seen(b.clone(), counts[1])], &list);
        assert_eq!(judged([1, 0]), Judged { listed: 1, ..Judged::default() });
        assert_eq!(judged([0, 0]).uncovered.len(), 1);
        assert_eq!(judged([0, 0]).uncovered[0].0, a);
        assert_eq!(judged([1, 1]).wrong, [Piece::of(&b, SOURCE)]);
        let twice = vec![seen(b.clone(), 0), seen(b.clone(), 0)];
        assert_eq!(judge(twice, &list).uncovered.len(), 1, "an entry stands for one region");
    }

    #[test]
    fn a_whole_line_is_listed_only_while_nothing_of_it_is_executed() {
        let list = parse("file: f.rs\nline: if x { a } else { b }\ntext: *\nwhy: never\n").expect("it makes sense");
        let (a, b) = (region(2, 10, (2, 15)), region(2, 21, (2, 26)));
        let judged = |counts: [u64; 2]| judge(vec![seen(a.clone(), counts[0]), seen(b.clone(), counts[1])], &list);
        assert_eq!(judged([0, 0]), Judged { listed: 2, ..Judged::default() });
        assert_eq!((judged([1, 0]).uncovered.len(), judged([1, 0]).wrong.len()), (1, 1));
        assert_eq!(judged([1, 1]).wrong.len(), 1);
        assert_eq!(judge(vec![], &list).wrong.len(), 1);
    }

    #[test]
    fn an_entry_without_a_reason_is_refused() {
        assert!(parse("file: f.rs\nline: x\ntext: x\n").is_err());
        assert!(parse("file: f.rs\nline: x\ntext: x\nwhy:\n").is_err_and(|why| why.starts_with("line 4 ")));
        assert!(parse("line: x\n").is_err_and(|why| why.contains("file: ")));
    }
}
