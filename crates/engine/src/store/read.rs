//! What the store says about the present and the past.

use redb::{ReadTransaction, ReadableTable as _};
use serde::de::DeserializeOwned;

use super::record::{Event, MeasurementRow, Revision, RolloutRecord};
use super::tables::{self, meta};
use super::{Store, StoreError};

impl Store {
    /// The state named `key`, as the caller's type; `None` when there is none.
    ///
    /// # Errors
    /// When the disk fails, or the stored value has another shape ([`StoreError::Corrupt`]).
    pub fn state<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StoreError> {
        let bytes = self.reading(|transaction| {
            Ok(transaction.open_table(tables::STATE)?.get(key)?.map(|value| value.value().to_vec()))
        })?;
        bytes.map(|bytes| self.decode(&bytes, || format!("the state `{key}`"))).transpose()
    }

    /// The id of a hash, when it is stored.
    ///
    /// # Errors
    /// When the disk fails; so for every method below.
    pub fn revision_id(&self, hash: &str) -> Result<Option<u32>, StoreError> {
        self.reading(|transaction| Ok(transaction.open_table(tables::REVISION_IDS)?.get(hash)?.map(|id| id.value())))
    }

    /// The id that the next new revision gets.
    pub fn next_revision(&self) -> Result<u32, StoreError> {
        let last = self.number(meta::LAST_REVISION)?;
        u32::try_from(last + 1).map_err(|_| self.damaged(format!("the last revision's id is {last}")))
    }

    /// A revision with its whole content.
    pub fn revision(&self, id: u32) -> Result<Option<Revision>, StoreError> {
        self.reading(|transaction| revision(transaction, id))
    }

    /// The revision to which an abort returns, whole.
    pub fn last_good(&self) -> Result<Option<Revision>, StoreError> {
        self.reading(|transaction| {
            let id = transaction.open_table(tables::META)?.get(meta::LAST_GOOD)?.map(|id| id.value());
            match id.and_then(|id| u32::try_from(id).ok()) {
                Some(id) => revision(transaction, id),
                None => Ok(None),
            }
        })
    }

    /// The revisions that slots run, by id, as last committed.
    pub fn installed(&self) -> Result<Vec<u32>, StoreError> {
        self.reading(|transaction| {
            let table = transaction.open_table(tables::INSTALLED)?;
            table.iter()?.map(|row| Ok(row?.0.value())).collect()
        })
    }

    /// The number that the next rollout gets.
    pub fn next_rollout(&self) -> Result<u64, StoreError> {
        Ok(self.number(meta::LAST_ROLLOUT)? + 1)
    }

    /// The last `limit` rollouts, newest first.
    pub fn rollouts(&self, limit: usize) -> Result<Vec<RolloutRecord>, StoreError> {
        let rows = self.reading(|transaction| {
            let table = transaction.open_table(tables::ROLLOUTS)?;
            table.iter()?.rev().take(limit).map(|row| Ok(row?.1.value().to_vec())).collect::<Result<Vec<_>, _>>()
        })?;
        rows.iter().map(|bytes| self.decode(bytes, || "a rollout's record".to_string())).collect()
    }

    /// One rollout's record.
    pub fn rollout(&self, number: u64) -> Result<Option<RolloutRecord>, StoreError> {
        let bytes = self.reading(|transaction| {
            Ok(transaction.open_table(tables::ROLLOUTS)?.get(number)?.map(|value| value.value().to_vec()))
        })?;
        bytes.map(|bytes| self.decode(&bytes, || format!("the record of rollout {number}"))).transpose()
    }

    /// The frozen plan of a rollout, as the caller's type.
    pub fn plan<T: DeserializeOwned>(&self, rollout: u64) -> Result<Option<T>, StoreError> {
        let bytes = self.reading(|transaction| {
            Ok(transaction.open_table(tables::PLANS)?.get(rollout)?.map(|value| value.value().to_vec()))
        })?;
        bytes.map(|bytes| self.decode(&bytes, || format!("the plan of rollout {rollout}"))).transpose()
    }

    /// All events of a rollout that are still kept, oldest first.
    pub fn events_of(&self, rollout: u64) -> Result<Vec<Event>, StoreError> {
        self.reading(|transaction| {
            let index = transaction.open_table(tables::EVENTS_BY_ROLLOUT)?;
            let events = transaction.open_table(tables::EVENTS)?;
            let mut found = Vec::new();
            for row in index.range((rollout, 0)..=(rollout, u64::MAX))? {
                let seq = row?.0.value().1;
                if let Some(value) = events.get(seq)? {
                    found.push(event(seq, value.value()));
                }
            }
            Ok(found)
        })
    }

    /// All measurements of a rollout, oldest first.
    pub fn measurements_of(&self, rollout: u64) -> Result<Vec<MeasurementRow>, StoreError> {
        self.reading(|transaction| {
            let table = transaction.open_table(tables::MEASUREMENTS)?;
            let mut found = Vec::new();
            for row in table.range((rollout, 0)..=(rollout, u64::MAX))? {
                let (key, value) = row?;
                let (time, body) = value.value();
                found.push(MeasurementRow { seq: key.value().1, time, body: body.to_vec() });
            }
            Ok(found)
        })
    }

    fn number(&self, name: &str) -> Result<u64, StoreError> {
        self.reading(|transaction| tables::number(&transaction.open_table(tables::META)?, name))
    }

    fn decode<T: DeserializeOwned>(&self, bytes: &[u8], what: impl FnOnce() -> String) -> Result<T, StoreError> {
        serde_json::from_slice(bytes).map_err(|error| self.damaged(format!("{} does not read back: {error}", what())))
    }

    fn damaged(&self, what: String) -> StoreError {
        StoreError::Corrupt { path: self.path.clone(), what }
    }
}

fn revision(transaction: &ReadTransaction, id: u32) -> Result<Option<Revision>, redb::Error> {
    let table = transaction.open_table(tables::REVISIONS)?;
    Ok(table.get(id)?.map(|row| {
        let (hash, content) = row.value();
        Revision { id, hash: hash.to_string(), content: content.to_vec() }
    }))
}

pub(super) fn event(seq: u64, (rollout, time, body): (u64, u64, &[u8])) -> Event {
    Event { seq, rollout: (rollout > 0).then_some(rollout), time, body: body.to_vec() }
}
