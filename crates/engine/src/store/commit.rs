//! Everything that is written at once.

use std::ops::RangeInclusive;

use redb::{Database, ReadableTable as _, WriteTransaction};
use serde::Serialize;

use super::record::RolloutRecord;
use super::tables::{self, meta};
use super::{Store, StoreError};

/// One atomic write: collect, then [`Store::commit`]. Values are turned into JSON when they are added, so a value that cannot be is refused
/// before anything is written.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    state: Vec<(String, Option<Vec<u8>>)>,
    revisions: Vec<(u32, String, Vec<u8>)>,
    last_good: Option<u32>,
    installed: Option<Vec<u32>>,
    rollouts: Vec<RolloutRecord>,
    plans: Vec<(u64, Vec<u8>)>,
    events: Vec<(Option<u64>, u64, Vec<u8>)>,
    measurements: Vec<(u64, u64, Vec<u8>)>,
}

/// How many measurements of a rollout are kept, the last ones: one that waits for a person over a weekend is measured all the
/// time.
pub const KEEP_MEASUREMENTS: u64 = 10_000;

/// What a commit did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The numbers of its events, in the order in which they were added; `None` when there were none.
    pub events: Option<RangeInclusive<u64>>,
}

/// Why a transaction was not carried out.
pub(super) enum Failure {
    /// It contradicts what is there.
    Refused(String),
    /// The storage failed.
    Storage(redb::Error),
}

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Storage(error.into())
    }
}

type Encoded = Result<(), serde_json::Error>;

impl Commit {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the state named `key`.
    ///
    /// # Errors
    /// When the value has no JSON form; so for all the methods below that take one.
    pub fn put_state<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Encoded {
        self.state.push((key.to_string(), Some(serde_json::to_vec(value)?)));
        Ok(())
    }

    /// Removes the state named `key`.
    pub fn remove_state(&mut self, key: &str) {
        self.state.push((key.to_string(), None));
    }

    /// Adds a revision under the id that [`Store::next_revision`] named, or repeats a known one. `hash` is SHA-256 in lower-case hexadecimal.
    pub fn put_revision<T: Serialize + ?Sized>(&mut self, id: u32, hash: &str, content: &T) -> Encoded {
        self.revisions.push((id, hash.to_string(), serde_json::to_vec(content)?));
        Ok(())
    }

    /// Names the revision to which an abort returns. It and its content stay for as long as they are named here.
    pub fn set_last_good(&mut self, revision: u32) {
        self.last_good = Some(revision);
    }

    /// Replaces the list of revisions that slots run: these are never pruned.
    pub fn set_installed(&mut self, revisions: impl IntoIterator<Item = u32>) {
        self.installed = Some(revisions.into_iter().collect());
    }

    /// Writes a rollout's record: a known number is replaced, a new one must be [`Store::next_rollout`].
    pub fn put_rollout(&mut self, record: RolloutRecord) {
        self.rollouts.push(record);
    }

    /// Stores the frozen plan of a rollout. It can be repeated, not changed.
    pub fn put_plan<T: Serialize + ?Sized>(&mut self, rollout: u64, plan: &T) -> Encoded {
        self.plans.push((rollout, serde_json::to_vec(plan)?));
        Ok(())
    }

    /// Appends an event to the outbox.
    pub fn put_event<T: Serialize + ?Sized>(&mut self, rollout: Option<u64>, time: u64, body: &T) -> Encoded {
        self.events.push((rollout, time, serde_json::to_vec(body)?));
        Ok(())
    }

    /// Appends a measurement to a rollout's, of which the last [`KEEP_MEASUREMENTS`] are kept.
    pub fn put_measurement<T: Serialize + ?Sized>(&mut self, rollout: u64, time: u64, body: &T) -> Encoded {
        self.measurements.push((rollout, time, serde_json::to_vec(body)?));
        Ok(())
    }
}

impl Store {
    /// Writes all of `commit`, or nothing, and returns when it is on the disk.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it contradicts what is there (nothing is written, the store is as before); [`StoreError::Io`] and
    /// [`StoreError::Corrupt`] when the disk failed. Then the store goes on as described at [`StoreError::Io`].
    pub fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        let committed = self.writing(|transaction| apply(transaction, commit))?;
        if let Some(events) = &committed.events {
            self.announce(*events.end());
        }
        Ok(committed)
    }
}

/// Runs `write` in a transaction and commits it; whatever it wrote is dropped when it fails.
pub(super) fn durably<T>(
    database: &Database,
    write: impl FnOnce(&WriteTransaction) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut transaction = database.begin_write()?;
    // One more fsync, and worth it: all data is on the disk before the header names it, so a write that finds no room leaves the commit undone.
    // In one phase redb may refuse a commit with an error and find it valid when it opens the file again.
    transaction.set_two_phase_commit(true);
    match write(&transaction) {
        Ok(value) => {
            transaction.commit()?;
            Ok(value)
        }
        Err(Failure::Refused(reason)) => {
            transaction.abort()?;
            Err(Failure::Refused(reason))
        }
        Err(Failure::Storage(error)) => Err(Failure::Storage(error)),
    }
}

fn apply(transaction: &WriteTransaction, commit: &Commit) -> Result<Committed, Failure> {
    let mut state = transaction.open_table(tables::STATE)?;
    for (key, value) in &commit.state {
        match value {
            Some(value) => state.insert(key.as_str(), value.as_slice())?,
            None => state.remove(key.as_str())?,
        };
    }
    revisions(transaction, commit)?;
    rollouts(transaction, commit)?;
    measurements(transaction, commit)?;
    Ok(Committed { events: events(transaction, commit)? })
}

fn revisions(transaction: &WriteTransaction, commit: &Commit) -> Result<(), Failure> {
    let mut numbers = transaction.open_table(tables::META)?;
    let mut by_id = transaction.open_table(tables::REVISIONS)?;
    let mut by_hash = transaction.open_table(tables::REVISION_IDS)?;
    for (id, hash, content) in &commit.revisions {
        if hash.len() != 64 || !hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return refuse(format!("`{hash}` is not a SHA-256 in 64 lower-case hexadecimal digits"));
        }
        let known = by_hash.get(hash.as_str())?.map(|known| known.value());
        let last = tables::number(&numbers, meta::LAST_REVISION)?;
        match known {
            Some(known) if known != *id => return refuse(format!("revision {hash} has the id {known}, not {id}")),
            Some(_) => {
                let same = by_id.get(*id)?.is_some_and(|row| row.value().1 == content.as_slice());
                if !same {
                    return refuse(format!("revision {hash} is known with other content"));
                }
            }
            None if u64::from(*id) != last + 1 => {
                return refuse(format!("a new revision gets the id {}, not {id}", last + 1));
            }
            None => {
                by_id.insert(*id, (hash.as_str(), content.as_slice()))?;
                by_hash.insert(hash.as_str(), *id)?;
                numbers.insert(meta::LAST_REVISION, u64::from(*id))?;
            }
        }
    }
    if let Some(id) = commit.last_good {
        if by_id.get(id)?.is_none() {
            return refuse(format!("revision {id} cannot be the last good one: it is not stored"));
        }
        numbers.insert(meta::LAST_GOOD, u64::from(id))?;
    }
    if let Some(ids) = &commit.installed {
        let mut installed = transaction.open_table(tables::INSTALLED)?;
        installed.retain(|_, ()| false)?;
        for id in ids {
            if by_id.get(*id)?.is_none() {
                return refuse(format!("revision {id} cannot be installed: it is not stored"));
            }
            installed.insert(*id, ())?;
        }
    }
    Ok(())
}

fn rollouts(transaction: &WriteTransaction, commit: &Commit) -> Result<(), Failure> {
    let mut numbers = transaction.open_table(tables::META)?;
    let mut records = transaction.open_table(tables::ROLLOUTS)?;
    let by_id = transaction.open_table(tables::REVISIONS)?;
    for record in &commit.rollouts {
        let last = tables::number(&numbers, meta::LAST_ROLLOUT)?;
        let known = records.get(record.number)?.is_some();
        if !known && record.number != last + 1 {
            return refuse(format!("a new rollout gets the number {}, not {}", last + 1, record.number));
        }
        for id in record.from.iter().chain([&record.to]) {
            if by_id.get(*id)?.is_none() {
                return refuse(format!("rollout {} names revision {id}, which is not stored", record.number));
            }
        }
        let json = serde_json::to_vec(record).map_err(|error| Failure::Refused(error.to_string()))?;
        records.insert(record.number, json.as_slice())?;
        numbers.insert(meta::LAST_ROLLOUT, last.max(record.number))?;
    }
    let mut plans = transaction.open_table(tables::PLANS)?;
    for (rollout, plan) in &commit.plans {
        if records.get(*rollout)?.is_none() {
            return refuse(format!("a plan needs its rollout, and rollout {rollout} is not stored"));
        }
        let other = plans.get(*rollout)?.is_some_and(|known| known.value() != plan.as_slice());
        if other {
            return refuse(format!("the plan of rollout {rollout} is frozen, and this is another one"));
        }
        plans.insert(*rollout, plan.as_slice())?;
    }
    Ok(())
}

fn measurements(transaction: &WriteTransaction, commit: &Commit) -> Result<(), Failure> {
    let records = transaction.open_table(tables::ROLLOUTS)?;
    let mut rows = transaction.open_table(tables::MEASUREMENTS)?;
    for (rollout, time, body) in &commit.measurements {
        if records.get(*rollout)?.is_none() {
            return refuse(format!("a measurement needs its rollout, and rollout {rollout} is not stored"));
        }
        let last = rows.range((*rollout, 0)..=(*rollout, u64::MAX))?.next_back().transpose()?;
        let seq = last.map_or(0, |(key, _)| key.value().1) + 1;
        rows.insert((*rollout, seq), (*time, body.as_slice()))?;
        // Each of them is followed by the next number, so one that goes for each that comes is enough.
        if seq > KEEP_MEASUREMENTS {
            rows.remove((*rollout, seq - KEEP_MEASUREMENTS))?;
        }
    }
    Ok(())
}

fn events(transaction: &WriteTransaction, commit: &Commit) -> Result<Option<RangeInclusive<u64>>, Failure> {
    let mut numbers = transaction.open_table(tables::META)?;
    let mut rows = transaction.open_table(tables::EVENTS)?;
    let mut index = transaction.open_table(tables::EVENTS_BY_ROLLOUT)?;
    let before = tables::number(&numbers, meta::LAST_EVENT)?;
    let mut seq = before;
    for (rollout, time, body) in &commit.events {
        seq += 1;
        // Rollouts count from 1, so 0 stands for none.
        let rollout = rollout.unwrap_or(0);
        rows.insert(seq, (rollout, *time, body.as_slice()))?;
        index.insert((rollout, seq), ())?;
    }
    if seq == before {
        return Ok(None);
    }
    numbers.insert(meta::LAST_EVENT, seq)?;
    Ok(Some(before + 1..=seq))
}

fn refuse<T>(reason: String) -> Result<T, Failure> {
    Err(Failure::Refused(reason))
}
