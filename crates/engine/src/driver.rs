//! The loop: observe, decide, save or (observe again, permit, write). It has no opinion about releases.
use crate::crash::{Boundary, point};
use crate::diary::Diary;
use crate::judging::{Judged, Judging, subject};
use crate::ports::{Clock, Fleet, MetricSource, PortError, Revision, Router};
use crate::saved::{self, Frozen, Notes, Saved, Wish};
use crate::snapshot::Snapshot;
use crate::store::{Commit, KEEP_ROLLOUTS, RolloutRecord, Store, StoreError};
use crate::timers::{due, rearm};
use crate::wording::{About, Fact, Outgoing, text};
use serin_analysis::Outcome as Found;
use serin_journal::Journal;
use serin_rollout::{
    Decision, Event, Observation, Outcome, Rev, Status, Verdict, WaitingOn, Write, WriteError, decide, other, permit,
};
use std::sync::Arc;
use tokio::sync::watch;

/// So many decisions in one round mean that saving or writing changes nothing: the round ends, and the next one looks
/// again.
const DECISIONS: usize = 64;

/// What a driver is made of.
#[derive(Debug)]
pub struct Parts<F, R, M, C> {
    /// The service's name, for events.
    pub service: String,
    /// What must not be forgotten.
    pub store: Arc<Store>,
    /// The instances.
    pub fleet: F,
    /// The split.
    pub router: R,
    /// The measurements.
    pub metrics: M,
    /// The time.
    pub clock: C,
    /// Where decisions are written down.
    pub journal: Journal,
}

/// Runs the releases of one service. Whoever owns it calls [`Driver::round`] again and again; all commands go through
/// it, so that nothing else ever changes the saved state.
#[derive(Debug)]
pub struct Driver<F, R, M, C> {
    pub(crate) parts: Parts<F, R, M, C>,
    pub(crate) saved: Option<Saved>,
    claimed: bool,
    failed: Option<WriteError>,
    trouble: Option<String>,
    /// A commit failed: it may be there nevertheless, so the state is read again before anything is decided.
    doubtful: bool,
    /// What the last decision was made on.
    looked: Option<Observation>,
    /// What it waits for, and since when on the wall clock.
    waiting: Option<(WaitingOn, u64)>,
    diary: Diary,
    publish: watch::Sender<Option<Arc<Snapshot>>>,
}

/// Why a round did not end. Nothing is lost: the next round looks again.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// The state could not be saved, so nothing was written and the lease not renewed.
    #[error("the state cannot be saved, so nothing is changed and the canary's lease runs out: {0}")]
    Store(#[from] StoreError),
    /// A value has no JSON form.
    #[error("a value cannot be written down: {0}")]
    Encode(#[from] serde_json::Error),
    /// The platform could not be observed; without facts nothing is decided.
    #[error("the platform cannot be observed: {0}")]
    Observe(PortError),
    /// The store names a revision that it does not hold.
    #[error("revision {0} is not in the store")]
    NoRevision(u32),
}

impl<F: Fleet, R: Router, M: MetricSource, C: Clock> Driver<F, R, M, C> {
    /// A driver that goes on where the store says.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub fn new(mut parts: Parts<F, R, M, C>) -> Result<Self, StoreError> {
        let saved = Saved::load(&parts.store)?;
        let journal = std::mem::replace(&mut parts.journal, Journal::off());
        let diary = Diary::new(journal, &parts.service);
        let publish = watch::Sender::new(None);
        Ok(Driver {
            parts,
            saved,
            claimed: false,
            failed: None,
            trouble: None,
            doubtful: false,
            looked: None,
            waiting: None,
            diary,
            publish,
        })
    }

    /// Every round's view, the last one kept. `None` before the first.
    pub fn snapshots(&self) -> watch::Receiver<Option<Arc<Snapshot>>> {
        self.publish.subscribe()
    }

    /// The status as saved; `None` where the service never ran.
    pub fn status(&self) -> Option<&Status> {
        self.saved.as_ref().map(|saved| &saved.status)
    }

    /// Decides and acts until there is something to wait for; then, and only then, the lease is renewed.
    ///
    /// # Errors
    /// Why the round did not end.
    pub async fn round(&mut self) -> Result<WaitingOn, RoundError> {
        let result = self.decisions().await;
        self.doubtful |= matches!(result, Err(RoundError::Store(_)));
        self.trouble = match &result {
            Err(error) => Some(error.to_string()),
            Ok(_) if self.failed.is_none() => None,
            Ok(_) => self.trouble.take(),
        };
        let waiting = match &result {
            Ok(Some(on)) => *on,
            Ok(None) | Err(_) => self.failed.map_or(WaitingOn::Nothing, WaitingOn::Platform),
        };
        if self.waiting.is_none_or(|(on, _)| on != waiting) {
            self.waiting = Some((waiting, self.parts.clock.wall_ms()));
        }
        if let Some(seen) = self.looked.take() {
            self.show(seen, waiting);
        }
        result.map(|_| waiting)
    }

    /// `None`: a write was refused or failed, or nothing is wanted yet.
    async fn decisions(&mut self) -> Result<Option<WaitingOn>, RoundError> {
        if self.doubtful {
            self.saved = Saved::load(&self.parts.store)?;
            self.doubtful = false;
        }
        self.judge().await?;
        for _ in 0..DECISIONS {
            let Some(saved) = &self.saved else { return Ok(None) };
            let (plan, status) = (saved.plan().clone(), saved.status);
            let seen = self.look().await?;
            let decision = decide(&plan, &status, &seen);
            match decision {
                Decision::Wait(on) => {
                    self.diary.decided(&self.parts.clock, (&plan, &status, &seen), &decision, None);
                    self.looked = Some(seen);
                    self.failed = None;
                    self.renew().await;
                    return Ok(Some(on));
                }
                Decision::Save(next, ref events) => {
                    self.diary.decided(&self.parts.clock, (&plan, &status, &seen), &decision, None);
                    self.looked = Some(seen);
                    let saved = self.save(next, events);
                    self.diary.saved(&self.parts.clock, &saved);
                    saved?;
                }
                Decision::Ask(write) => {
                    let fresh = self.look().await?;
                    let permitted = permit(&plan.limits, &fresh, &write);
                    let asked = Some((&fresh, permitted.into()));
                    self.diary.decided(&self.parts.clock, (&plan, &status, &seen), &decision, asked);
                    self.looked = Some(fresh);
                    if let Err(refusal) = permitted {
                        self.failed = Some(WriteError::Refused(refusal));
                        self.trouble = Some(format!("{write:?} is not permitted now: {refusal:?}"));
                        self.renew().await;
                        return Ok(None);
                    }
                    if !self.send(write).await? {
                        self.renew().await;
                        return Ok(None);
                    }
                }
            }
        }
        Ok(None)
    }

    async fn look(&mut self) -> Result<Observation, RoundError> {
        let seen = self.observe().await;
        if let Err(error) = &seen {
            self.diary.blind(&self.parts.clock, error);
        }
        seen.map_err(RoundError::Observe)
    }

    /// A renewal that fails is no error: the data plane then does what it is for.
    async fn renew(&mut self) {
        if self.claimed
            && let Err(error) = self.parts.router.renew().await
        {
            self.trouble = Some(format!("the lease was not renewed: {error}"));
        }
    }

    /// Carries a permitted write out. `false`: the platform did not take it.
    async fn send(&mut self, write: Write) -> Result<bool, RoundError> {
        point(Boundary::BeforeSend);
        let done = match write {
            Write::Claim => {
                let epoch = self.parts.store.epoch();
                match self.parts.fleet.claim(epoch).await {
                    Ok(()) => self.parts.router.claim(epoch).await,
                    Err(error) => Err(error),
                }
            }
            Write::Resize { slot, to, rev, pin } => {
                let revision = self.revision(rev);
                self.diary.unsent(&self.parts.clock, &revision);
                let revision = revision?;
                self.parts.fleet.resize(slot, to, &revision, pin).await
            }
            Write::Route(route) => {
                let lease_ms = self.saved.as_ref().map_or(0, |saved| saved.plan().times.lease_ms);
                self.parts.router.write(route, lease_ms).await
            }
            Write::Rewrite { .. } => Err(PortError::Failed("this platform never rewrites a set".into())),
        };
        point(Boundary::AfterSend);
        self.diary.answered(&self.parts.clock, &done);
        match done {
            Ok(()) => {
                self.claimed |= write == Write::Claim;
                self.failed = None;
                point(Boundary::AfterAnswer);
                Ok(true)
            }
            Err(error) => {
                self.claimed &= !matches!(error, PortError::Conflict(_));
                self.failed = Some(match error {
                    PortError::Conflict(_) => WriteError::Conflict,
                    PortError::Failed(_) => WriteError::Platform,
                });
                self.trouble = Some(error.to_string());
                Ok(false)
            }
        }
    }

    fn revision(&self, rev: Rev) -> Result<Revision, RoundError> {
        let found = self.parts.store.revision(rev.0)?.ok_or(RoundError::NoRevision(rev.0))?;
        Ok(Revision { rev, hash: found.hash.clone(), content: found.decode()? })
    }

    async fn observe(&mut self) -> Result<Observation, PortError> {
        if let Some(saved) = &self.saved {
            self.parts.router.orient(saved.status.good).await;
        }
        let set = self.parts.fleet.observe().await?;
        let route = self.parts.router.observe().await?;
        let saved = self.saved.as_ref();
        let verdict = saved.and_then(|saved| saved.judging.as_ref()).and_then(|judging| {
            Some((judging.key, judging.verdict.filter(|v| judging.reached || *v != Verdict::Pass)?))
        });
        Ok(Observation {
            claimed: self.claimed,
            set,
            route,
            intent: saved.map_or(serin_rollout::Intent::of(Rev(0)), |saved| saved.intent),
            verdict,
            due: saved.map(|saved| due(&saved.timers, &self.parts.clock)).unwrap_or_default(),
            failed: self.failed,
        })
    }

    /// Saves the status, its events and its timers in one transaction. Whatever leaves rest keeps to what was wanted
    /// then: a rollout, which has a number and a history, and the way home of a service at rest, which has neither.
    fn save(&mut self, next: Status, events: &[Event]) -> Result<(), RoundError> {
        point(Boundary::BeforeSave);
        let Some(mut saved) = self.saved.clone() else { return Ok(()) };
        let mut commit = Commit::new();
        if saved.status.is_idle() && !next.is_idle() {
            let Wish { plan, checks, by, changes, .. } = saved.wish.clone();
            let frozen = Frozen { plan, checks, by, changes };
            commit.put_state(saved::FROZEN, &frozen)?;
            if next.rollout != saved.status.rollout {
                commit.put_rollout(RolloutRecord {
                    number: u64::from(next.rollout),
                    from: saved.status.rev[next.good].map(|rev| rev.0),
                    to: saved.intent.wanted.0,
                    started: self.parts.clock.wall_ms(),
                    ended: None,
                    outcome: None,
                });
                commit.put_plan(u64::from(next.rollout), &frozen)?;
                (saved.judging, saved.notes) = (None, Notes::default());
                commit.remove_state(saved::JUDGING);
                commit.remove_state(saved::NOTES);
            }
            saved.frozen = Some(frozen);
        }
        self.close_record(&mut commit, events)?;
        saved.status = next;
        saved.timers = rearm(&saved.timers, &next, saved.plan(), &self.parts.clock);
        commit.put_state(saved::STATUS, &next)?;
        commit.put_state(saved::TIMERS, &saved.timers)?;
        commit.set_installed(next.rev.into_iter().flatten().map(|rev| rev.0));
        if let Some(good) = next.rev[next.good].filter(|_| next.proven[next.good]) {
            commit.set_last_good(good.0);
        }
        self.put_events(&mut commit, &saved, events)?;
        self.parts.store.commit(&commit)?;
        self.saved = Some(saved);
        point(Boundary::AfterSave);
        if events.iter().any(|event| event.ended().is_some()) {
            self.parts.store.prune(KEEP_ROLLOUTS)?;
        }
        Ok(())
    }

    /// The history says how the rollout ended.
    fn close_record(&self, commit: &mut Commit, events: &[Event]) -> Result<(), RoundError> {
        let Some(saved) = &self.saved else { return Ok(()) };
        let ended = events.iter().find_map(|event| event.ended());
        let (Some((outcome, _)), Some(record)) = (ended, self.parts.store.rollout(u64::from(saved.status.rollout))?)
        else {
            return Ok(());
        };
        let word = match outcome {
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
            Outcome::Aborted => "aborted",
        };
        let ended = Some(self.parts.clock.wall_ms());
        commit.put_rollout(RolloutRecord { ended, outcome: Some(word.to_owned()), ..record });
        Ok(())
    }

    fn put_events(&self, commit: &mut Commit, saved: &Saved, events: &[Event]) -> Result<(), RoundError> {
        let judging = saved.judging.as_ref();
        let fresh = other(saved.status.good);
        let instances = self.parts.fleet.instances();
        let error = instances.into_iter().filter(|instance| instance.slot == fresh).find_map(|instance| instance.error);
        let about = About {
            unready: error.or_else(|| self.parts.fleet.troubles().into_iter().next()),
            service: &self.parts.service,
            failed: judging.map_or(0, |judging| judging.history.failed_total),
            measured: judging.map_or("", |judging| &judging.text),
        };
        let rollout = (saved.status.rollout > 0).then_some(u64::from(saved.status.rollout));
        for event in events {
            let text = text(event, &about);
            let body = Outgoing { service: self.parts.service.clone(), fact: Fact::Decided(*event), text };
            commit.put_event(rollout, self.parts.clock.wall_ms(), &body)?;
        }
        Ok(())
    }

    /// One round of the analysis, when it is time for it.
    async fn judge(&mut self) -> Result<(), RoundError> {
        let Some(saved) = &self.saved else { return Ok(()) };
        let (Some((key, reached, slot)), Some(checks)) = (subject(&saved.status), saved.checks().cloned()) else {
            return Ok(());
        };
        let now = self.parts.clock.boot_ms();
        let old = saved.judging.as_ref();
        let mut judging = match old {
            Some(judging) if judging.key == key && judging.reached == reached => judging.clone(),
            Some(_) | None => Judging::begin(old, key, reached, now, checks.interval_ms),
        };
        let is_due = judging.reading.is_none() || judging.next_ms <= now || judging.next_ms > now + checks.interval_ms;
        if !is_due {
            return Ok(());
        }
        let counters = self.parts.metrics.read(slot).await;
        let judged = judging.round(&checks, counters, now);
        let rollout = u64::from(key.rollout);
        let mut commit = Commit::new();
        commit.put_state(saved::JUDGING, &judging)?;
        if let Some(outcome) = judged {
            let metrics = checks.checks.iter().map(|check| check.metric.name().to_owned()).collect();
            let row = Judged { key, metrics, measurements: judging.measurements.clone() };
            commit.put_measurement(rollout, self.parts.clock.wall_ms(), &row)?;
            if outcome == Found::Fail {
                let failed = judging.history.failed_total;
                let text = format!("Halt {} advancement {}", self.parts.service, judging.text);
                let fact = Fact::Judged { failed, text: judging.text.clone() };
                let body = Outgoing { service: self.parts.service.clone(), fact, text };
                commit.put_event(Some(rollout), self.parts.clock.wall_ms(), &body)?;
            }
        }
        self.parts.store.commit(&commit)?;
        if let Some(saved) = &mut self.saved {
            saved.judging = Some(judging);
        }
        Ok(())
    }

    fn show(&self, seen: Observation, waiting: WaitingOn) {
        let Some(saved) = &self.saved else { return };
        let hash = |rev: Option<Rev>| {
            let found = self.parts.store.revision(rev?.0).ok()??;
            Some(found.hash)
        };
        self.publish.send_replace(Some(Arc::new(Snapshot {
            status: saved.status,
            intent: saved.intent,
            wish: saved.wish.clone(),
            plan: saved.plan().clone(),
            seen,
            waiting,
            trouble: self.trouble.clone(),
            judging: saved.judging.clone(),
            timers: saved.timers.clone(),
            checks: saved.checks().cloned(),
            instances: self.parts.fleet.instances(),
            troubles: self.parts.fleet.troubles(),
            router: self.parts.router.describe(),
            hashes: saved.status.rev.map(hash),
            notes: saved.notes.clone(),
            waiting_since_ms: self.waiting.map_or(0, |(_, since)| since),
        })));
    }
}
