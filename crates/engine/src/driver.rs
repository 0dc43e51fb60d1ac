//! The loop: observe, decide, save or (observe again, permit, write). It has no opinion about releases.
use crate::crash::{Boundary, point};
use crate::diary::Diary;
use crate::ledger::{Change, Ledger};
use crate::ports::{Clock, Fleet, Look, MetricSource, PortError, Revision, Router};
use crate::saved::Saved;
use crate::snapshot::Snapshot;
use crate::timers::due;
use serin_journal::Journal;
use serin_rollout::{Decision, Observation, Rev, Status, Verdict, WaitingOn, Write, WriteError, decide, permit};
use std::sync::Arc;
use tokio::sync::watch;

/// So many decisions in one round mean that saving or writing changes nothing: the round ends, and the next one looks
/// again.
const DECISIONS: usize = 64;

/// What a driver is made of.
#[derive(Debug)]
pub struct Parts<L, F, R, M, C> {
    /// The service's name, for events.
    pub service: String,
    /// What must not be forgotten.
    pub ledger: L,
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
pub struct Driver<L, F, R, M, C> {
    pub(crate) parts: Parts<L, F, R, M, C>,
    pub(crate) saved: Option<Saved>,
    /// What the analysis has just found, which is kept together with the decision that it leads to.
    pub(crate) found: Option<Change>,
    claimed: bool,
    failed: Option<WriteError>,
    trouble: Option<String>,
    /// A commit failed: it may be there nevertheless, so the state is read again before anything is decided.
    pub(crate) doubtful: bool,
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
    Save(PortError),
    /// The state could not be read.
    #[error("the state cannot be read: {0}")]
    Load(PortError),
    /// The platform could not be observed; without facts nothing is decided.
    #[error("the platform cannot be observed: {0}")]
    Observe(PortError),
    /// The state names a revision that is not kept.
    #[error("revision {0} is not kept")]
    NoRevision(u32),
}

impl<L: Ledger, F: Fleet, R: Router, M: MetricSource, C: Clock> Driver<L, F, R, M, C> {
    /// A driver that goes on where the ledger says.
    ///
    /// # Errors
    /// A ledger that cannot be read.
    pub async fn new(mut parts: Parts<L, F, R, M, C>) -> Result<Self, RoundError> {
        let saved = parts.ledger.load().await.map_err(RoundError::Load)?;
        let journal = std::mem::replace(&mut parts.journal, Journal::off());
        let diary = Diary::new(journal, &parts.service);
        let publish = watch::Sender::new(None);
        Ok(Driver {
            parts,
            saved,
            found: None,
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

    /// The status as kept; `None` where the service never ran.
    pub fn status(&self) -> Option<&Status> {
        self.saved.as_ref().map(|saved| &saved.status)
    }

    /// Decides and acts until there is something to wait for; then, and only then, the lease is renewed.
    ///
    /// # Errors
    /// Why the round did not end.
    pub async fn round(&mut self) -> Result<WaitingOn, RoundError> {
        let mut result = self.decisions().await;
        if let Err(error) = self.keep_found().await {
            result = result.and(Err(error));
        }
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
            self.show(seen, waiting).await;
        }
        result.map(|_| waiting)
    }

    /// `None`: a write was refused or failed, or nothing is wanted yet.
    async fn decisions(&mut self) -> Result<Option<WaitingOn>, RoundError> {
        self.be_sure().await?;
        self.judge().await;
        for _ in 0..DECISIONS {
            let Some(now) = self.now() else { return Ok(None) };
            let (plan, status) = (now.plan().clone(), now.status);
            let seen = self.look(Look::Known).await?;
            let decision = decide(&plan, &status, &seen);
            match decision {
                Decision::Wait(on) => {
                    self.diary.decided(&self.parts.clock, (&plan, &status, &seen), &decision, None);
                    self.looked = Some(seen);
                    self.keep_found().await?;
                    self.failed = None;
                    self.renew().await;
                    return Ok(Some(on));
                }
                Decision::Save(next, ref events) => {
                    self.diary.decided(&self.parts.clock, (&plan, &status, &seen), &decision, None);
                    self.looked = Some(seen);
                    let saved = self.save(next, events).await;
                    self.diary.saved(&self.parts.clock, &saved);
                    saved?;
                }
                Decision::Ask(write) => {
                    self.keep_found().await?;
                    let fresh = self.look(Look::Fresh).await?;
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

    /// The state that counts now: what is kept, with what the analysis has just found.
    pub(crate) fn now(&self) -> Option<&Saved> {
        self.found.as_ref().map(|found| &found.saved).or(self.saved.as_ref())
    }

    async fn look(&mut self, look: Look) -> Result<Observation, RoundError> {
        let seen = self.observe(look).await;
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
                let epoch = self.parts.ledger.epoch();
                match self.parts.fleet.claim(epoch).await {
                    Ok(()) => self.parts.router.claim(epoch).await,
                    Err(error) => Err(error),
                }
            }
            Write::Resize { slot, to, rev, pin } => {
                let revision = self.content(rev).await?;
                self.parts.fleet.resize(slot, to, &revision, pin).await
            }
            Write::Route(route) => {
                let lease_ms = self.saved.as_ref().map_or(0, |saved| saved.plan().times.lease_ms);
                self.parts.router.write(route, lease_ms).await
            }
            Write::Rewrite { slot, rev } => {
                let revision = self.content(rev).await?;
                self.parts.fleet.rewrite(slot, &revision).await
            }
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

    /// What a write is about to ask for.
    async fn content(&mut self, rev: Rev) -> Result<Revision, RoundError> {
        let found = self.parts.ledger.revision(rev).await.map_err(RoundError::Load);
        let revision = found.and_then(|found| found.ok_or(RoundError::NoRevision(rev.0)));
        self.diary.unsent(&self.parts.clock, &revision);
        revision
    }

    async fn observe(&mut self, look: Look) -> Result<Observation, PortError> {
        if let Some(saved) = &self.saved {
            self.parts.router.orient(saved.status.good).await;
        }
        let set = self.parts.fleet.observe(look).await?;
        let route = self.parts.router.observe(look).await?;
        let saved = self.now();
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

    async fn show(&mut self, seen: Observation, waiting: WaitingOn) {
        let Some(saved) = self.saved.clone() else { return };
        let mut hashes = [None, None];
        for (hash, rev) in hashes.iter_mut().zip(saved.status.rev) {
            let Some(rev) = rev else { continue };
            *hash = self.parts.ledger.revision(rev).await.ok().flatten().map(|found| found.hash);
        }
        self.publish.send_replace(Some(Arc::new(Snapshot {
            status: saved.status,
            intent: saved.intent,
            plan: saved.plan().clone(),
            checks: saved.checks().cloned(),
            seen,
            waiting,
            trouble: self.trouble.clone(),
            judging: saved.judging,
            timers: saved.timers,
            instances: self.parts.fleet.instances(),
            troubles: self.parts.fleet.troubles(),
            router: self.parts.router.describe(),
            hashes,
            notes: saved.notes,
            wish: saved.wish,
            waiting_since_ms: self.waiting.map_or(0, |(_, since)| since),
        })));
    }
}
