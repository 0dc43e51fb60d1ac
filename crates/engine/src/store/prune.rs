//! Keeping the history short without forgetting what may still be needed.

use std::collections::BTreeSet;

use redb::{ReadableTable as _, WriteTransaction};

use super::commit::Failure;
use super::record::RolloutRecord;
use super::tables::{self, meta};
use super::{Store, StoreError};

/// How many rollouts are kept, unless told otherwise.
pub const KEEP_ROLLOUTS: usize = 100;

/// How many events that belong to no rollout are kept.
const KEEP_OTHER_EVENTS: usize = 1_000;

/// What a pruning removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Rollouts, each with its plan, events and measurements.
    pub rollouts: usize,
    /// Revisions that only those rollouts named.
    pub revisions: usize,
    /// Events that belonged to no rollout.
    pub other_events: usize,
}

impl Store {
    /// Removes all but the last `keep` rollouts (and the oldest events of none), in one transaction. To be called when a rollout has ended.
    ///
    /// Never removed: a rollout that has not ended, one whose revision is the last good one or installed, one with an event that some reader has
    /// not dealt with; and no revision that one of those, or a kept rollout, names.
    ///
    /// # Errors
    /// When the disk fails; then nothing was removed.
    pub fn prune(&self, keep: usize) -> Result<Pruned, StoreError> {
        self.writing(|transaction| {
            let seen = seen_by_all(transaction)?;
            let protected = protected(transaction)?;
            let records = records(transaction)?;
            let beyond = records.len().saturating_sub(keep);
            let mut kept = protected.clone();
            let mut gone = Vec::new();
            for (index, record) in records.into_iter().enumerate() {
                let needed = record.ended.is_none() || protected.contains(&record.to);
                if index < beyond && !needed && last_event_of(transaction, record.number)? <= seen {
                    gone.push(record);
                } else {
                    kept.extend(record.from.iter().chain([&record.to]));
                }
            }
            let mut named = BTreeSet::new();
            for record in &gone {
                remove_rollout(transaction, record.number)?;
                named.extend(record.from.iter().chain([&record.to]));
            }
            let mut revisions = 0;
            for id in named.difference(&kept) {
                remove_revision(transaction, *id)?;
                revisions += 1;
            }
            let other_events = remove_other_events(transaction, seen)?;
            Ok(Pruned { rollouts: gone.len(), revisions, other_events })
        })
    }
}

/// The last event that every reader has dealt with; all of them when there is no reader.
fn seen_by_all(transaction: &WriteTransaction) -> Result<u64, Failure> {
    let cursors = transaction.open_table(tables::CURSORS)?;
    let mut seen = u64::MAX;
    for row in cursors.iter()? {
        seen = seen.min(row?.1.value());
    }
    Ok(seen)
}

/// The revisions that must stay whatever the history says.
fn protected(transaction: &WriteTransaction) -> Result<BTreeSet<u32>, Failure> {
    let numbers = transaction.open_table(tables::META)?;
    let last_good = numbers.get(meta::LAST_GOOD)?.and_then(|id| u32::try_from(id.value()).ok());
    let mut found: BTreeSet<u32> = last_good.into_iter().collect();
    for row in transaction.open_table(tables::INSTALLED)?.iter()? {
        found.insert(row?.0.value());
    }
    Ok(found)
}

/// All rollouts, oldest first.
fn records(transaction: &WriteTransaction) -> Result<Vec<RolloutRecord>, Failure> {
    let mut found = Vec::new();
    for row in transaction.open_table(tables::ROLLOUTS)?.iter()? {
        let (number, json) = row?;
        let record = serde_json::from_slice(json.value()).map_err(|error| {
            let what = format!("the record of rollout {} does not read back: {error}", number.value());
            Failure::Storage(redb::Error::Corrupted(what))
        })?;
        found.push(record);
    }
    Ok(found)
}

fn last_event_of(transaction: &WriteTransaction, rollout: u64) -> Result<u64, Failure> {
    let index = transaction.open_table(tables::EVENTS_BY_ROLLOUT)?;
    let last = index.range((rollout, 0)..=(rollout, u64::MAX))?.next_back().transpose()?;
    Ok(last.map_or(0, |(key, _)| key.value().1))
}

fn remove_rollout(transaction: &WriteTransaction, number: u64) -> Result<(), Failure> {
    transaction.open_table(tables::ROLLOUTS)?.remove(number)?;
    transaction.open_table(tables::PLANS)?.remove(number)?;
    let all = (number, 0)..=(number, u64::MAX);
    transaction.open_table(tables::MEASUREMENTS)?.retain_in(all.clone(), |_, _| false)?;
    let mut events = transaction.open_table(tables::EVENTS)?;
    let mut index = transaction.open_table(tables::EVENTS_BY_ROLLOUT)?;
    for row in index.extract_from_if(all, |_, ()| true)? {
        events.remove(row?.0.value().1)?;
    }
    Ok(())
}

fn remove_revision(transaction: &WriteTransaction, id: u32) -> Result<(), Failure> {
    let removed = transaction.open_table(tables::REVISIONS)?.remove(id)?.map(|row| row.value().0.to_string());
    if let Some(hash) = removed {
        transaction.open_table(tables::REVISION_IDS)?.remove(hash.as_str())?;
    }
    Ok(())
}

/// Removes the oldest events that belong to no rollout, beyond those that are kept and only what every reader has seen.
fn remove_other_events(transaction: &WriteTransaction, seen: u64) -> Result<usize, Failure> {
    let mut events = transaction.open_table(tables::EVENTS)?;
    let mut index = transaction.open_table(tables::EVENTS_BY_ROLLOUT)?;
    let mut numbers = Vec::new();
    for row in index.range((0, 0)..=(0, u64::MAX))? {
        numbers.push(row?.0.value().1);
    }
    let beyond = numbers.len().saturating_sub(KEEP_OTHER_EVENTS);
    let mut removed = 0;
    for seq in numbers.into_iter().take(beyond).take_while(|seq| *seq <= seen) {
        events.remove(seq)?;
        index.remove((0, seq))?;
        removed += 1;
    }
    Ok(removed)
}
