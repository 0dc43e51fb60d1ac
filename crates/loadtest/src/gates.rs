//! The gates that people open and close by hand: one of each kind for each canary, closed until somebody opens it.
//!
//! With a directory they are kept in its `gates.json`, which is replaced whole and synced before a change is confirmed, so that
//! no restart changes a gate. What could not be written has not happened.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serin_supervisor::{durable, lock};

use crate::payload::Canary;
use crate::refusal::Refusal;

/// So many gates of a kind may be open at once.
const MOST: usize = 10_000;
/// The file's name.
const NAME: &str = "gates.json";

/// What a gate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Open: the release may go on.
    Gate,
    /// Open: the release is to be rolled back.
    Rollback,
}

impl Kind {
    /// The word of paths, metrics and the file.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Rollback => "rollback",
        }
    }
}

type Open = BTreeMap<Kind, BTreeSet<String>>;

/// All gates.
#[derive(Debug)]
pub(crate) struct Gates {
    open: Open,
    kept: Option<Kept>,
}

#[derive(Debug)]
struct Kept {
    path: PathBuf,
    /// Held, never looked at: of two writers each would undo what the other one did.
    _lock: lock::Held,
}

impl Gates {
    /// The gates of `dir`, which is made where it is missing; without one, gates in memory.
    ///
    /// # Errors
    /// A sentence: the directory cannot be used, somebody else uses it, or its file is no file of gates.
    pub(crate) fn at(dir: Option<&Path>) -> Result<Self, String> {
        let Some(dir) = dir else { return Ok(Self { open: Open::new(), kept: None }) };
        let cannot = |e: std::io::Error| format!("the gates cannot be kept in {}: {e}", dir.display());
        std::fs::create_dir_all(dir).map_err(cannot)?;
        let lock = lock::take(dir).map_err(cannot)?.ok_or_else(|| {
            format!(
                "another load tester keeps its gates in {}; end it, or give this one another directory",
                dir.display()
            )
        })?;
        let path = dir.join(NAME);
        let open = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                format!(
                    "{} is no file of gates ({e}); put the right one back, or remove it: then all are closed",
                    path.display()
                )
            })?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Open::new(),
            Err(e) => return Err(cannot(e)),
        };
        Ok(Self { open, kept: Some(Kept { path, _lock: lock }) })
    }

    /// Whether it is open.
    pub(crate) fn is_open(&self, kind: Kind, canary: &Canary) -> bool {
        self.open.get(&kind).is_some_and(|open| open.contains(&canary.to_string()))
    }

    /// How many of a kind are open.
    pub(crate) fn open(&self, kind: Kind) -> usize {
        self.open.get(&kind).map_or(0, BTreeSet::len)
    }

    /// Opens or closes one, for good once this returns.
    ///
    /// # Errors
    /// Too many are open, or it could not be written: then it is as it was.
    pub(crate) fn set(&mut self, kind: Kind, canary: &Canary, open: bool) -> Result<(), Refusal> {
        if self.is_open(kind, canary) == open {
            return Ok(());
        }
        if open && self.open(kind) >= MOST {
            let text = format!("{MOST} gates are open already; close those that nobody needs any more");
            return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, text));
        }
        let mut next = self.open.clone();
        let of_kind = next.entry(kind).or_default();
        if open {
            of_kind.insert(canary.to_string())
        } else {
            of_kind.remove(&canary.to_string())
        };
        if let Some(kept) = &self.kept {
            let failed = |e: String| {
                let text = format!("the gate is as it was: {} cannot be written: {e}", kept.path.display());
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text)
            };
            let bytes = serde_json::to_vec(&next).map_err(|e| failed(e.to_string()))?;
            durable::replace(&kept.path, &bytes).map_err(|e| failed(e.to_string()))?;
        }
        self.open = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Payload;

    fn canary(name: &str) -> Canary {
        Payload::read(format!(r#"{{"name":"{name}","namespace":"prod"}}"#).as_bytes()).unwrap().canary()
    }

    #[test]
    fn each_is_its_own_and_closed_until_it_is_opened() {
        let mut gates = Gates::at(None).unwrap();
        gates.set(Kind::Gate, &canary("a"), true).unwrap();
        assert!(gates.is_open(Kind::Gate, &canary("a")));
        assert!(!gates.is_open(Kind::Rollback, &canary("a")) && !gates.is_open(Kind::Gate, &canary("b")));
        gates.set(Kind::Gate, &canary("b"), false).unwrap();
        gates.set(Kind::Gate, &canary("a"), false).unwrap();
        assert!(!gates.is_open(Kind::Gate, &canary("a")));
        assert_eq!(gates.open(Kind::Gate), 0);
    }

    #[test]
    fn the_next_one_finds_them_as_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("new");
        let mut gates = Gates::at(Some(&place)).unwrap();
        gates.set(Kind::Gate, &canary("a"), true).unwrap();
        gates.set(Kind::Gate, &canary("b"), true).unwrap();
        gates.set(Kind::Rollback, &canary("c"), true).unwrap();
        gates.set(Kind::Gate, &canary("b"), false).unwrap();
        assert!(Gates::at(Some(&place)).is_err_and(|why| why.contains("another load tester")));
        drop(gates);
        let gates = Gates::at(Some(&place)).unwrap();
        assert!(gates.is_open(Kind::Gate, &canary("a")) && !gates.is_open(Kind::Gate, &canary("b")));
        assert!(gates.is_open(Kind::Rollback, &canary("c")) && !gates.is_open(Kind::Rollback, &canary("a")));
    }

    #[test]
    fn what_cannot_be_written_has_not_happened() {
        let dir = tempfile::tempdir().unwrap();
        let mut gates = Gates::at(Some(dir.path())).unwrap();
        gates.set(Kind::Gate, &canary("a"), true).unwrap();
        // A directory with something in it can be replaced by nothing, whoever asks.
        std::fs::remove_file(dir.path().join(NAME)).unwrap();
        std::fs::create_dir_all(dir.path().join(NAME).join("x")).unwrap();
        assert_eq!(gates.set(Kind::Gate, &canary("b"), true).unwrap_err().status, 500);
        assert_eq!(gates.set(Kind::Gate, &canary("a"), false).unwrap_err().status, 500);
        assert!(gates.is_open(Kind::Gate, &canary("a")) && !gates.is_open(Kind::Gate, &canary("b")));
    }

    #[test]
    fn a_file_of_something_else_is_not_taken_for_closed_gates() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "[]", r#"{"gate":7}"#, r#"{"door":["a.b"]}"#] {
            std::fs::write(dir.path().join(NAME), text).unwrap();
            assert!(Gates::at(Some(dir.path())).is_err_and(|why| why.contains("no file of gates")), "{text}");
        }
    }

    #[test]
    fn they_are_not_without_number() {
        let mut gates = Gates::at(None).unwrap();
        let all = (0..MOST).map(|n| format!("c{n}.prod")).collect();
        gates.open.insert(Kind::Gate, all);
        assert_eq!(gates.set(Kind::Gate, &canary("a"), true).unwrap_err().status, 429);
        gates.set(Kind::Gate, &canary("c7"), false).unwrap();
        gates.set(Kind::Gate, &canary("a"), true).unwrap();
    }
}
