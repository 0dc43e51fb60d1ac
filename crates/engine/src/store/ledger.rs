//! The store as the ledger of a service on one machine.
use super::{Commit, KEEP_ROLLOUTS, Store, StoreError};
use crate::ledger::{Change, Ledger};
use crate::ports::{PortError, Revision};
use crate::saved::Saved;
use serin_rollout::Rev;
use std::sync::Arc;

/// The name of the one state that is kept.
pub(super) const SAVED: &str = "saved";

impl Store {
    /// The whole state; `None` where the service never ran.
    ///
    /// # Errors
    /// When the disk fails, or what is stored has another shape.
    pub fn saved(&self) -> Result<Option<Saved>, StoreError> {
        self.state(SAVED)
    }
}

impl Ledger for Arc<Store> {
    fn epoch(&self) -> u64 {
        Store::epoch(self)
    }

    async fn load(&mut self) -> Result<Option<Saved>, PortError> {
        self.saved().map_err(failed)
    }

    async fn commit(&mut self, change: &Change) -> Result<(), PortError> {
        let commit =
            commit(change).map_err(|error| PortError::Failed(format!("a value cannot be written: {error}")))?;
        Store::commit(self, &commit).map_err(failed)?;
        if change.rollout.as_ref().is_some_and(|rollout| rollout.ended.is_some()) {
            self.prune(KEEP_ROLLOUTS).map_err(failed)?;
        }
        Ok(())
    }

    async fn number(&mut self, hash: &str) -> Result<Rev, PortError> {
        let known = self.revision_id(hash).map_err(failed)?;
        known.map_or_else(|| self.next_revision(), Ok).map(Rev).map_err(failed)
    }

    async fn revision(&mut self, rev: Rev) -> Result<Option<Revision>, PortError> {
        let Some(found) = Store::revision(self, rev.0).map_err(failed)? else { return Ok(None) };
        let content = found.decode().map_err(|error| PortError::Failed(format!("revision {rev:?}: {error}")))?;
        Ok(Some(Revision { rev, hash: found.hash, content }))
    }

    async fn before(&mut self, rev: Rev) -> Result<Option<Rev>, PortError> {
        let records = self.rollouts(KEEP_ROLLOUTS * 10).map_err(failed)?;
        let brought = records.iter().find(|r| r.to == rev.0 && r.outcome.as_deref() == Some("succeeded"));
        Ok(brought.and_then(|record| record.from).map(Rev))
    }
}

fn failed(error: StoreError) -> PortError {
    PortError::Failed(error.to_string())
}

fn commit(change: &Change) -> Result<Commit, serde_json::Error> {
    let (saved, at_ms) = (&change.saved, change.at_ms);
    let mut commit = Commit::new();
    if let Some(revision) = &change.revision {
        commit.put_revision(revision.rev.0, &revision.hash, &revision.content)?;
    }
    commit.put_state(SAVED, saved)?;
    let status = &saved.status;
    commit.set_installed(status.rev.into_iter().flatten().map(|rev| rev.0));
    if let Some(good) = status.rev[status.good].filter(|_| status.proven[status.good]) {
        commit.set_last_good(good.0);
    }
    if let Some(rollout) = &change.rollout {
        commit.put_rollout(rollout.clone());
        if let Some(frozen) = saved.frozen.as_ref().filter(|_| rollout.ended.is_none()) {
            commit.put_plan(rollout.number, frozen)?;
        }
    }
    if let Some(judged) = &change.judged {
        commit.put_measurement(u64::from(judged.key.rollout), at_ms, judged)?;
    }
    for event in &change.events {
        commit.put_event(event.rollout, at_ms, &event.what)?;
    }
    Ok(commit)
}
