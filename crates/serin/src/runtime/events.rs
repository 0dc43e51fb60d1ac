//! From what the store holds of the past to what people see of it.
use serin_api::{Ending, EventView, Level, MeasurementView, Revision, RolloutDetail, RolloutView, StepKey, Verdict};
use serin_engine::store::{self, RolloutRecord, Store, StoreError};
use serin_engine::{Fact, Frozen, Judged, Outgoing};
use serin_rollout::{Event, Outcome, Why};

/// One stored event as the API shows it.
pub(crate) fn event(stored: &store::Event) -> Option<EventView> {
    let body: Outgoing = stored.decode().ok()?;
    let rollout = stored.rollout.unwrap_or(0);
    let (kind, level, key, ending, did) = match &body.fact {
        Fact::Decided(event) => decided(*event),
        Fact::Judged { .. } => ("halted_advancement", Level::Warning, None, None, None),
    };
    let key = key.map_or(StepKey { rollout, step: 0, attempt: 0 }, step_key);
    Some(EventView {
        seq: stored.seq,
        at: stored.time,
        kind: kind.to_owned(),
        level,
        key: Some(key),
        message: body.text,
        did: did.map(str::to_owned),
        ending,
    })
}

/// A key of the core as the API writes it.
pub(crate) fn step_key(key: serin_rollout::StepKey) -> StepKey {
    StepKey { rollout: u64::from(key.rollout), step: key.step, attempt: key.attempt }
}

type Told = (&'static str, Level, Option<serin_rollout::StepKey>, Option<Ending>, Option<&'static str>);

fn decided(event: Event) -> Told {
    let info = |kind, key| (kind, Level::Info, key, None, None);
    match event {
        Event::Serving(_) => ("serving", Level::Info, None, Some(Ending::Promoted), None),
        Event::Replaced(_) => ("replaced", Level::Warning, None, None, Some("starts the other revision in its place")),
        Event::Started(_) => {
            ("started", Level::Info, None, None, Some("starts the new revision; the old one is not touched"))
        }
        Event::Reached(key, _) => info("advanced", Some(key)),
        Event::Accepted(key) => info("accepted", Some(key)),
        Event::Overridden(key, _) => info("overridden", Some(key)),
        Event::Skipped(key, _) => ("skipped", Level::Warning, Some(key), None, None),
        Event::Lost(key) => {
            ("lost", Level::Warning, Some(key), None, Some("traffic goes to what is ready; the step waits"))
        }
        Event::Promoted(_) => ("promoted", Level::Info, None, Some(Ending::Promoted), None),
        Event::WindowClosed => info("window_closed", None),
        Event::GoingBack(_) => (
            "going_back",
            Level::Error,
            None,
            None,
            Some("moves all traffic to the old revision, then drains and stops the new one"),
        ),
        Event::Halted(_) => (
            "halted",
            Level::Error,
            None,
            Some(Ending::Halted),
            Some("keeps everything that serves; goes on by itself when the old revision is whole again"),
        ),
        Event::Copying(_) => info("copying", None),
        Event::Copied(_) => info("copied", None),
        Event::CopyFailed(_) => (
            "copy_failed",
            Level::Error,
            None,
            Some(Ending::Halted),
            Some("keeps everything that serves; goes on by itself when the copy is healthy"),
        ),
        Event::Recovered(_) => info("recovered", None),
        Event::Adopted(_) => ("adopted", Level::Warning, None, None, None),
        Event::Parked(_) => ("parked", Level::Warning, None, Some(Ending::Parked), None),
        Event::Resumed(key) => info("resumed", Some(key)),
        Event::Ended(outcome, why) => match ending(outcome, why) {
            Ending::Promoted => info("succeeded", None), // that it was promoted has been said before
            ending @ (Ending::RolledBack
            | Ending::Failed
            | Ending::Aborted
            | Ending::Superseded
            | Ending::Halted
            | Ending::Parked) => ("ended", Level::Error, None, Some(ending), None),
        },
    }
}

/// The ending that people see.
pub(super) fn ending(outcome: Outcome, why: Option<Why>) -> Ending {
    match (outcome, why) {
        (Outcome::Succeeded, _) => Ending::Promoted,
        (_, Some(Why::Verdict | Why::Unready | Why::Drift | Why::RolledBack)) => Ending::RolledBack,
        (_, Some(Why::Superseded)) => Ending::Superseded,
        (_, Some(Why::Aborted)) => Ending::Aborted,
        (_, Some(Why::Deadline)) | (Outcome::Failed | Outcome::Aborted, None) => Ending::Failed,
    }
}

fn revision(store: &Store, id: u32) -> Result<Revision, StoreError> {
    Ok(Revision::new(store.revision(id)?.map_or_else(|| format!("revision {id}"), |found| found.hash)))
}

/// One line of the history.
pub(crate) fn rollout(store: &Store, record: &RolloutRecord) -> Result<RolloutView, StoreError> {
    let events = store.events_of(record.number)?;
    let (mut peak, mut end, mut reason) = (0, None, String::new());
    for stored in &events {
        let Ok(Outgoing { fact: Fact::Decided(event), text, .. }) = stored.decode() else { continue };
        end = event.ended().map(|(outcome, why)| ending(outcome, why)).or(end);
        if let Event::Reached(_, share) = event {
            peak = peak.max(share);
        }
        if matches!(event, Event::GoingBack(_) | Event::Halted(_)) {
            reason = text;
        }
    }
    let frozen: Option<Frozen> = store.plan(record.number)?;
    Ok(RolloutView {
        number: record.number,
        from: record.from.map(|id| revision(store, id)).transpose()?,
        to: revision(store, record.to)?,
        started: record.started,
        ended: record.ended,
        ending: end.filter(|_| record.ended.is_some()),
        reason,
        by: frozen.map(|frozen| frozen.by).unwrap_or_default(),
        peak,
    })
}

/// Everything that is known of one rollout.
pub(crate) fn detail(store: &Store, number: u64) -> Result<Option<RolloutDetail>, StoreError> {
    let Some(record) = store.rollout(number)? else { return Ok(None) };
    let frozen: Option<Frozen> = store.plan(number)?;
    let measurements = store.measurements_of(number)?;
    Ok(Some(RolloutDetail {
        rollout: rollout(store, &record)?,
        changes: frozen.map(|frozen| frozen.changes).unwrap_or_default(),
        events: store.events_of(number)?.iter().filter_map(event).collect(),
        measurements: measurements.iter().flat_map(measured).collect(),
    }))
}

fn measured(row: &store::MeasurementRow) -> Vec<MeasurementView> {
    let Ok(judged) = row.decode::<Judged>() else { return Vec::new() };
    let view = |(name, found): (&String, &serin_analysis::Measurement)| MeasurementView {
        at: row.time,
        key: step_key(judged.key),
        metric: name.clone(),
        value: found.value.map(|value| value.to_string()),
        limit: found.limit.map(|limit| limit.to_string()).unwrap_or_default(),
        result: verdict(found.result),
        samples: found.samples,
    };
    judged.metrics.iter().zip(&judged.measurements).map(view).collect()
}

/// A measurement's result as the API writes it.
pub(crate) fn verdict(outcome: serin_analysis::Outcome) -> Verdict {
    match outcome {
        serin_analysis::Outcome::Pass => Verdict::Pass,
        serin_analysis::Outcome::Fail => Verdict::Fail,
        serin_analysis::Outcome::Inconclusive => Verdict::Inconclusive,
        serin_analysis::Outcome::Error => Verdict::Error,
    }
}
