//! The outbox: events in the order in which they were committed, and how far each reader has come.
//!
//! A reader asks for the events after its cursor, deals with them, and then advances. It sees each event at least once: after a crash between
//! dealing and advancing it sees some again, so what it does must bear repetition.

use redb::ReadableTable as _;

use super::commit::Failure;
use super::record::Event;
use super::tables::{self, meta};
use super::{Store, StoreError, read};

impl Store {
    /// Up to `limit` events with a greater number than `seq`, oldest first. Numbers may be missing where events were pruned.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn events_after(&self, seq: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let Some(first) = seq.checked_add(1) else {
            return Ok(Vec::new());
        };
        self.reading(|transaction| {
            let table = transaction.open_table(tables::EVENTS)?;
            let mut found = Vec::new();
            for row in table.range(first..)?.take(limit) {
                let (seq, value) = row?;
                found.push(read::event(seq.value(), value.value()));
            }
            Ok(found)
        })
    }

    /// How far the reader `name` has come: the number of the last event that it has dealt with, 0 when it never advanced.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn cursor(&self, name: &str) -> Result<u64, StoreError> {
        self.reading(|transaction| Ok(transaction.open_table(tables::CURSORS)?.get(name)?.map_or(0, |seq| seq.value())))
    }

    /// Says durably that the reader `name` has dealt with everything up to `seq`. Going back is ignored, so a repetition does nothing. From its
    /// first advance on, no event that it has not seen is pruned; a new reader that wants that from the beginning advances to 0.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when there is no event `seq` yet; otherwise when the disk fails.
    pub fn advance(&self, name: &str, seq: u64) -> Result<(), StoreError> {
        self.writing(|transaction| {
            let last = tables::number(&transaction.open_table(tables::META)?, meta::LAST_EVENT)?;
            if seq > last {
                return Err(Failure::Refused(format!("`{name}` cannot be at event {seq}: the last one is {last}")));
            }
            let mut cursors = transaction.open_table(tables::CURSORS)?;
            let before = cursors.get(name)?.map_or(0, |seq| seq.value());
            cursors.insert(name, before.max(seq))?;
            Ok(())
        })
    }

    /// Forgets a reader, so that pruning no longer waits for it.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn forget_cursor(&self, name: &str) -> Result<(), StoreError> {
        self.writing(|transaction| {
            transaction.open_table(tables::CURSORS)?.remove(name)?;
            Ok(())
        })
    }
}
