//! A bounded file of lines. Whatever goes wrong with it is counted, and nothing else.
use crate::{Line, Stamp};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Appends lines to a file; one that is full becomes the older one, and the older one before it goes.
#[derive(Debug)]
pub struct Journal {
    path: Option<PathBuf>,
    most: u64,
    run: u64,
    file: Option<File>,
    length: u64,
    seq: u64,
    dropped: u64,
}

/// Where what was written before this file is.
pub fn older(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

impl Journal {
    /// Appends to `path` until it has `most` bytes. `run` names this incarnation. Nothing is touched before the first
    /// line.
    pub fn at(path: PathBuf, most: u64, run: u64) -> Journal {
        Journal { path: Some(path), most, run, file: None, length: 0, seq: 0, dropped: 0 }
    }

    /// A journal that keeps nothing.
    pub fn off() -> Journal {
        Journal { path: None, most: 0, run: 0, file: None, length: 0, seq: 0, dropped: 0 }
    }

    /// Whether anything is kept at all.
    pub fn is_on(&self) -> bool {
        self.path.is_some()
    }

    /// Makes sure that the next lines, of `length` bytes together, go into one file. `true`: that file is a new one.
    pub fn make_room(&mut self, length: u64) -> bool {
        let Some(path) = self.path.clone() else { return false };
        if self.file.is_none() {
            self.open(&path);
        }
        if self.length == 0 || self.length.saturating_add(length) <= self.most {
            return self.length == 0;
        }
        // What cannot be renamed is begun anew in its place: the bound matters more than what is old.
        if std::fs::rename(&path, older(&path)).is_err()
            && let Some(file) = &self.file
        {
            drop(file.set_len(0));
        }
        self.file = None;
        self.open(&path);
        true
    }

    /// Appends one line and returns its number, or drops and counts it.
    pub fn tell<W: Serialize>(&mut self, stamp: Stamp, what: W) -> u64 {
        self.seq += 1;
        if !self.is_on() {
            return self.seq;
        }
        let line = Line { at: stamp.at, boot: stamp.boot, run: self.run, seq: self.seq, dropped: self.dropped, what };
        let written = serde_json::to_vec(&line).is_ok_and(|mut text| {
            text.push(b'\n');
            self.make_room(text.len() as u64);
            self.write(&text)
        });
        self.dropped = if written { 0 } else { self.dropped + 1 };
        self.seq
    }

    /// How many lines were dropped since the last one that was written.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// A line that an earlier incarnation did not finish is ended first, so that no other one is lost with it.
    fn open(&mut self, path: &Path) {
        let mut options = OpenOptions::new();
        self.length = 0;
        let Ok(file) = options.create(true).read(true).append(true).mode(0o600).open(path) else { return };
        self.length = file.metadata().map_or(0, |known| known.len());
        let mut last = [b'\n'];
        let read = self.length == 0 || file.read_exact_at(&mut last, self.length - 1).is_ok();
        self.file = Some(file);
        if read && last != [b'\n'] {
            self.write(b"\n");
        }
    }

    /// All of it, or nothing: half a line is taken back.
    fn write(&mut self, text: &[u8]) -> bool {
        let Some(file) = &mut self.file else { return false };
        if file.write_all(text).is_ok() {
            self.length += text.len() as u64;
            return true;
        }
        if file.set_len(self.length).is_err() {
            self.file = None; // opened again it begins on a new line
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Stamp = Stamp { at: 5, boot: 3 };

    fn lines(path: &Path) -> Vec<Line<String>> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    #[test]
    fn what_is_told_is_there_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        let mut journal = Journal::at(path.clone(), 1_000, 7);
        for word in ["one", "two"] {
            journal.tell(NOW, word);
        }
        let found = lines(&path);
        assert_eq!(
            found.iter().map(|line| (line.seq, line.what.as_str())).collect::<Vec<_>>(),
            [(1, "one"), (2, "two")]
        );
        assert_eq!((found[0].run, found[0].at, found[0].boot, found[0].dropped), (7, 5, 3, 0));
    }

    #[test]
    fn two_files_are_the_most() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        let mut journal = Journal::at(path.clone(), 500, 1);
        for _ in 0..100 {
            journal.tell(NOW, "a line that takes some room");
        }
        let size = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert!(size(&path) <= 500 && size(&older(&path)) <= 500);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
        let (old, new) = (lines(&older(&path)), lines(&path));
        assert_eq!(new.last().unwrap().seq, 100);
        assert_eq!(old.last().unwrap().seq + 1, new[0].seq, "nothing is lost at the turn");
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_the_next_line_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("not-yet");
        let mut journal = Journal::at(place.join("lines"), 1_000, 1);
        journal.tell(NOW, "lost");
        journal.tell(NOW, "lost too");
        assert_eq!(journal.dropped(), 2);
        std::fs::create_dir(&place).unwrap();
        journal.tell(NOW, "there");
        let found = lines(&place.join("lines"));
        assert_eq!(found.iter().map(|line| (line.seq, line.dropped)).collect::<Vec<_>>(), [(3, 2)]);
    }

    #[test]
    fn a_line_that_nobody_finished_spoils_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        std::fs::write(&path, "{\"at\":1,\"bo").unwrap();
        Journal::at(path.clone(), 1_000, 2).tell(NOW, "whole");
        assert_eq!(lines(&path)[0].what, "whole");
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
    }
}
