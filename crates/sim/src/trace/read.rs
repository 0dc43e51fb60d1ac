//! Finds journals and reads them: the older file before the newer one, and nothing that makes no sense but a line that
//! nobody finished.
use serde_json::Value;
use serin_journal::{DECISIONS, DeserializeOwned, Line, older};
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Where a line is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spot {
    /// The file.
    pub file: Rc<Path>,
    /// Counts from 1.
    pub line: usize,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// One line of a journal.
#[derive(Clone, Debug)]
pub struct Entry<W> {
    /// Where it is.
    pub spot: Spot,
    /// What it says.
    pub line: Line<W>,
    /// Its incarnation wrote others before it that are missing here.
    pub gap: bool,
    /// Another incarnation wrote the line before it.
    pub begins: bool,
}

/// A journal as it was read.
#[derive(Clone, Debug)]
pub struct Log<W> {
    /// Its lines.
    pub entries: Vec<Entry<W>>,
    /// Lines that nobody finished.
    pub torn: u64,
    /// Lines that say that others are missing although nothing of that kind was announced; and lines out of order.
    pub wrong: Vec<(Spot, String)>,
}

impl<W> Default for Log<W> {
    fn default() -> Self {
        Log { entries: vec![], torn: 0, wrong: vec![] }
    }
}

/// The directories at or below `dir` that hold a decision log, or the older half of one.
///
/// # Errors
/// A directory that cannot be read.
pub fn services(dir: &Path) -> Result<Vec<PathBuf>, String> {
    if !dir.is_dir() {
        let what = if dir.exists() { "is not a directory" } else { "is not there" };
        let hint = "name the state directory of a service, or one above it";
        return Err(format!("{} {what}; {hint}", dir.display()));
    }
    let names = [Path::new(DECISIONS).to_owned(), older(Path::new(DECISIONS))];
    let mut found = vec![];
    let mut next = vec![dir.to_owned()];
    while let Some(dir) = next.pop() {
        let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", dir.display());
        for entry in std::fs::read_dir(&dir).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if entry.file_type().map_err(unreadable)?.is_dir() {
                next.push(entry.path());
            } else if names.iter().any(|name| entry.file_name() == name.as_os_str()) {
                found.push(dir.clone());
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Reads a journal; one that is not there has no lines.
///
/// # Errors
/// A line that is neither whole nor unfinished, with its place.
pub fn log<W: DeserializeOwned>(path: &Path) -> Result<Log<W>, String> {
    let mut raw = vec![];
    for file in [older(path), path.to_owned()] {
        let text = match std::fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(format!("{} cannot be read: {error}", file.display())),
        };
        let file: Rc<Path> = file.into();
        let pieces = text.split_inclusive(|byte| *byte == b'\n');
        for (number, piece) in (1..).zip(pieces).filter(|(_, piece)| *piece != b"\n") {
            let spot = Spot { file: file.clone(), line: number };
            raw.push((spot, serde_json::from_slice::<Line<W>>(piece), whole(piece)));
        }
    }
    order(raw)
}

/// Why a line makes no sense. Of the place that the parser tells, only the column: each line is read by itself.
fn senseless(spot: &Spot, error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    let text = text.strip_suffix(place.as_str()).unwrap_or(&text);
    match error.line() {
        1 => format!("{spot} makes no sense: {text}, at column {}", error.column()),
        _ => format!("{spot} makes no sense: {text}, at its end"),
    }
}

/// Whether this is a finished line: one that ends, and is JSON.
fn whole(piece: &[u8]) -> bool {
    piece.ends_with(b"\n") && serde_json::from_slice::<Value>(piece).is_ok()
}

type Raw<W> = (Spot, Result<Line<W>, serde_json::Error>, bool);

fn order<W>(raw: Vec<Raw<W>>) -> Result<Log<W>, String> {
    let mut log = Log { entries: vec![], torn: 0, wrong: vec![] };
    let mut last: Option<(u64, u64, u64)> = None;
    let mut torn: Option<String> = None;
    for (spot, line, whole) in raw {
        let line = match line {
            Ok(line) => line,
            Err(error) if whole => return Err(senseless(&spot, &error)),
            Err(error) => {
                // two in a row were not written by one who was killed: the first of them is where it begins
                if let Some(why) = torn {
                    return Err(why);
                }
                torn = Some(senseless(&spot, &error));
                log.torn += 1;
                continue;
            }
        };
        let begins = last.is_none_or(|(run, ..)| run != line.run);
        if let Some(why) = torn.take()
            && !begins
            && line.dropped == 0
        {
            return Err(why); // whoever wrote it went on as if it were whole
        }
        let (_, seq, boot) = last.filter(|_| !begins).unwrap_or((0, 0, 0));
        let missing = line.seq.checked_sub(seq + 1);
        let rotated = log.entries.is_empty();
        if missing.is_none_or(|missing| missing != line.dropped && !rotated) {
            log.wrong.push((spot.clone(), format!("line {} follows line {seq} of the same incarnation", line.seq)));
        }
        if line.boot < boot || last.is_some_and(|(run, ..)| line.run < run) {
            log.wrong.push((spot.clone(), "it was written after a line that is younger".to_owned()));
        }
        last = Some((line.run, line.seq, line.boot));
        let gap = missing != Some(0);
        log.entries.push(Entry { spot, line, gap, begins });
    }
    Ok(log)
}
