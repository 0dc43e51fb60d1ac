//! The tables, their format's number, and what happens to it when a store is opened.

use std::path::Path;

use redb::{Database, ReadableTable, TableDefinition};

use super::{OpenError, migrate, snapshot};

/// The number of the format below. A change that an older Serin would misread raises it, and `begin_epoch` then migrates.
pub(super) const SCHEMA: u64 = 2;

/// Numbers of the store itself, by the names below.
pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// Current state: JSON by name.
pub(super) const STATE: TableDefinition<&str, &[u8]> = TableDefinition::new("state");
/// Revision id to (hash, content).
pub(super) const REVISIONS: TableDefinition<u32, (&str, &[u8])> = TableDefinition::new("revisions");
/// Hash to revision id.
pub(super) const REVISION_IDS: TableDefinition<&str, u32> = TableDefinition::new("revision_ids");
/// Ids of the revisions that slots run at present.
pub(super) const INSTALLED: TableDefinition<u32, ()> = TableDefinition::new("installed");
/// Rollout number to its record, as JSON.
pub(super) const ROLLOUTS: TableDefinition<u64, &[u8]> = TableDefinition::new("rollouts");
/// Rollout number to its frozen plan.
pub(super) const PLANS: TableDefinition<u64, &[u8]> = TableDefinition::new("plans");
/// Sequence number to (rollout or 0, time, JSON).
pub(super) const EVENTS: TableDefinition<u64, (u64, u64, &[u8])> = TableDefinition::new("events");
/// (rollout or 0, sequence number).
pub(super) const EVENTS_BY_ROLLOUT: TableDefinition<(u64, u64), ()> = TableDefinition::new("events_by_rollout");
/// (rollout, number within it) to (time, JSON).
pub(super) const MEASUREMENTS: TableDefinition<(u64, u64), (u64, &[u8])> = TableDefinition::new("measurements");
/// Reader's name to the last event it has dealt with.
pub(super) const CURSORS: TableDefinition<&str, u64> = TableDefinition::new("cursors");

/// Names in [`META`].
pub(super) mod meta {
    pub(crate) const SCHEMA: &str = "schema";
    pub(crate) const EPOCH: &str = "epoch";
    pub(crate) const LAST_EVENT: &str = "last_event";
    pub(crate) const LAST_REVISION: &str = "last_revision";
    pub(crate) const LAST_ROLLOUT: &str = "last_rollout";
    pub(crate) const LAST_GOOD: &str = "last_good";
}

/// Checks the format, makes what is missing, and increments the epoch: one transaction. Returns the epoch and the last event's number.
pub(super) fn begin_epoch(database: &Database, path: &Path) -> Result<(u64, u64), OpenError> {
    let found = schema(database).map_err(|error| OpenError::database(path, error))?;
    if let Some(found) = found.filter(|found| *found > SCHEMA) {
        return Err(OpenError::SchemaTooNew { path: path.to_path_buf(), found, known: SCHEMA });
    }
    raise_epoch(database, found.unwrap_or(SCHEMA)).map_err(|error| OpenError::database(path, error))
}

/// The number of the format in the file; `None` in a new one.
fn schema(database: &Database) -> Result<Option<u64>, redb::Error> {
    match snapshot(database)?.open_table(META) {
        Ok(table) => Ok(table.get(meta::SCHEMA)?.map(|value| value.value())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn raise_epoch(database: &Database, found: u64) -> Result<(u64, u64), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    let (epoch, last);
    {
        // Opening a table makes it; so readers find every one of them.
        transaction.open_table(STATE)?;
        transaction.open_table(REVISIONS)?;
        transaction.open_table(REVISION_IDS)?;
        transaction.open_table(INSTALLED)?;
        transaction.open_table(ROLLOUTS)?;
        transaction.open_table(PLANS)?;
        transaction.open_table(EVENTS)?;
        transaction.open_table(EVENTS_BY_ROLLOUT)?;
        transaction.open_table(MEASUREMENTS)?;
        transaction.open_table(CURSORS)?;
        let mut table = transaction.open_table(META)?;
        migrate::from(found, &transaction)?;
        table.insert(meta::SCHEMA, SCHEMA)?;
        epoch = number(&table, meta::EPOCH)? + 1;
        table.insert(meta::EPOCH, epoch)?;
        last = number(&table, meta::LAST_EVENT)?;
    }
    transaction.commit()?;
    Ok((epoch, last))
}

/// The epoch and the last event's number as they are on the disk.
pub(super) fn epoch_and_last_event(database: &Database) -> Result<(u64, u64), redb::Error> {
    let table = snapshot(database)?.open_table(META)?;
    Ok((number(&table, meta::EPOCH)?, number(&table, meta::LAST_EVENT)?))
}

/// A number of [`META`], 0 while it was never written.
pub(super) fn number(table: &impl ReadableTable<&'static str, u64>, name: &str) -> Result<u64, redb::Error> {
    Ok(table.get(name)?.map_or(0, |value| value.value()))
}
