//! What a decision and a round of the analysis change, and what they tell about it, kept at once.
use crate::crash::{Boundary, point};
use crate::driver::{Driver, RoundError};
use crate::judging::{Judged, Judging, subject};
use crate::ledger::{Change, Happened, Ledger};
use crate::ports::{Clock, Fleet, MetricSource, Router};
use crate::saved::{Frozen, Notes, Saved, Wish};
use crate::store::RolloutRecord;
use crate::timers::rearm;
use crate::wording::{About, Fact, Outgoing, text};
use serin_analysis::Outcome as Found;
use serin_rollout::{Event, Outcome, Slot, Status, StepKey, other};

impl<L: Ledger, F: Fleet, R: Router, M: MetricSource, C: Clock> Driver<L, F, R, M, C> {
    /// Reads the state again where it is not known what became of the last change to it.
    pub(crate) async fn be_sure(&mut self) -> Result<(), RoundError> {
        if self.doubtful {
            self.saved = self.parts.ledger.load().await.map_err(RoundError::Load)?;
            self.doubtful = false;
        }
        Ok(())
    }

    /// Keeps `change`, and only then goes by it.
    pub(crate) async fn keep(&mut self, change: Change) -> Result<(), RoundError> {
        if let Err(error) = self.parts.ledger.commit(&change).await {
            self.doubtful = true;
            return Err(RoundError::Save(error));
        }
        self.saved = Some(change.saved);
        Ok(())
    }

    /// Keeps what the analysis has found, where no decision did so.
    pub(crate) async fn keep_found(&mut self) -> Result<(), RoundError> {
        match self.found.take() {
            Some(found) => self.keep(found).await,
            None => Ok(()),
        }
    }

    /// Keeps the status, its events and its timers, and what the analysis has found. Whatever leaves rest keeps to what was
    /// wanted then: a rollout, which has a number and a history, and the way home of a service at rest, which has neither.
    pub(crate) async fn save(&mut self, next: Status, events: &[Event]) -> Result<(), RoundError> {
        point(Boundary::BeforeSave);
        let (found, now) = (self.found.take(), self.parts.clock.wall_ms());
        let Some(mut change) = found.or_else(|| Some(Change::to(self.saved.clone()?, now))) else { return Ok(()) };
        let saved = &mut change.saved;
        if saved.status.is_idle() && !next.is_idle() {
            change.rollout = leave_rest(saved, &next, now);
        }
        let ended = events.iter().find_map(|event| event.ended());
        if let (Some((outcome, _)), Some(rollout)) = (ended, &mut saved.rollout) {
            (rollout.ended, rollout.outcome) = (Some(now), Some(word(outcome).to_owned()));
            change.rollout = saved.rollout.clone();
        }
        saved.status = next;
        saved.timers = rearm(&saved.timers, &next, saved.plan(), &self.parts.clock);
        self.begin_judging(&mut change.saved).await;
        let told = self.told(&change.saved, events);
        change.events.extend(told);
        self.keep(change).await?;
        point(Boundary::AfterSave);
        Ok(())
    }

    fn told(&self, saved: &Saved, events: &[Event]) -> Vec<Happened> {
        let judging = saved.judging.as_ref();
        let fresh = other(saved.status.good);
        let instances = self.parts.fleet.instances();
        let error = instances.into_iter().filter(|instance| instance.slot == fresh).find_map(|instance| instance.error);
        let about = About {
            unready: error.or_else(|| self.parts.fleet.troubles().into_iter().next()),
            service: &self.parts.service,
            failed: judging.map_or(0, |judging| judging.history.failed_total),
            measured: judging.map_or("", |judging| &judging.found),
        };
        let rollout = (saved.status.rollout > 0).then_some(u64::from(saved.status.rollout));
        let happened = |event: &Event| {
            let text = text(event, &about);
            Happened {
                rollout,
                what: Outgoing { service: self.parts.service.clone(), fact: Fact::Decided(*event), text },
            }
        };
        events.iter().map(happened).collect()
    }

    /// Begins the analysis of what is to be judged in `saved`, where that has not begun.
    async fn begin_judging(&mut self, saved: &mut Saved) {
        let Some(((key, reached, slot), interval_ms)) = unbegun(saved) else { return };
        let counters = self.parts.metrics.read(slot).await;
        let now = self.parts.clock.boot_ms();
        saved.judging = Some(Judging::begin(saved.judging.as_ref(), (key, reached), counters, now, interval_ms));
    }

    /// One round of the analysis, when it is time for it.
    pub(crate) async fn judge(&mut self) {
        let Some(saved) = &self.saved else { return };
        if unbegun(saved).is_some() {
            let mut saved = saved.clone();
            self.begin_judging(&mut saved).await;
            self.found = Some(Change::to(saved, self.parts.clock.wall_ms()));
            return;
        }
        let (Some((key, _, slot)), Some(checks)) = (subject(&saved.status), saved.checks()) else { return };
        let now = self.parts.clock.boot_ms();
        let due = |judging: &&Judging| judging.is_due(now, checks.interval_ms);
        let Some(mut judging) = saved.judging.as_ref().filter(due).cloned() else { return };
        let (checks, saved) = (checks.clone(), saved.clone());
        let counters = self.parts.metrics.read(slot).await;
        let asked = self.parts.metrics.ask(slot, key).await;
        let judged = judging.round(&checks, counters, asked, now);
        let mut change = Change::to(saved, self.parts.clock.wall_ms());
        if let Some(outcome) = judged {
            let metrics = checks.names().map(str::to_owned).collect();
            change.judged = Some(Judged { key, metrics, measurements: judging.measurements.clone() });
            if outcome == Found::Fail {
                let failed = judging.history.failed_total;
                let text = format!("Halt {} advancement {}", self.parts.service, judging.text);
                let fact = Fact::Judged { failed, text: judging.text.clone() };
                let what = Outgoing { service: self.parts.service.clone(), fact, text };
                change.events.push(Happened { rollout: Some(u64::from(key.rollout)), what });
            }
        }
        change.saved.judging = Some(judging);
        self.found = Some(change);
    }
}

/// What is to be judged in `saved` and has not begun, and the milliseconds from round to round.
fn unbegun(saved: &Saved) -> Option<((StepKey, bool, Slot), u64)> {
    let ((key, reached, slot), checks) = (subject(&saved.status)?, saved.checks()?);
    let begun = |judging: &Judging| judging.key == key && judging.reached == reached;
    (!saved.judging.as_ref().is_some_and(begun)).then_some(((key, reached, slot), checks.interval_ms))
}

/// Freezes what is wanted; the record of the rollout that begins with it, if one does.
fn leave_rest(saved: &mut Saved, next: &Status, now_ms: u64) -> Option<RolloutRecord> {
    let Wish { plan, checks, by, changes, .. } = saved.wish.clone();
    saved.frozen = Some(Frozen { plan, checks, by, changes });
    if next.rollout == saved.status.rollout {
        return None;
    }
    (saved.judging, saved.notes) = (None, Notes::default());
    saved.rollout = Some(RolloutRecord {
        number: u64::from(next.rollout),
        from: saved.status.rev[next.good].map(|rev| rev.0),
        to: saved.intent.wanted.0,
        started: now_ms,
        ended: None,
        outcome: None,
    });
    saved.rollout.clone()
}

/// How a rollout ended, as the history says it.
fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::Aborted => "aborted",
    }
}
