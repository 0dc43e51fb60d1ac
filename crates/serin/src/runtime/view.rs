//! From a snapshot of the engine to the status that people see.
use super::events::{step_key, verdict};
use crate::config::Spec;
use crate::config::spec::Strategy;
use serin_analysis::Metric;
use serin_api::{
    Addresses, AnalysisView, GateView, InstanceView, LastOutcome, MetricView, ParkedView, PausedView, PhaseWord,
    Progress, Revision, RolloutView, RouteView, SlotView, Split, StatusView, Strength, Track, Verdict, Waiting,
};
use serin_engine::{Clock, Snapshot, SystemClock};
use serin_proxy::protocol::Measures;
use serin_rollout::{Phase, Refusal, Slot, Timer, WaitingOn, WriteError, other};

/// What the view needs beside the snapshot.
pub(crate) struct Beside<'a> {
    pub service: &'a str,
    pub seq: u64,
    pub measures: Option<&'a Measures>,
    /// The present or last rollout.
    pub rollout: Option<RolloutView>,
}

/// The whole status.
pub(crate) fn status(snapshot: &Snapshot, beside: Beside<'_>) -> StatusView {
    let status = &snapshot.status;
    let spec: Option<Spec> = serde_json::from_value(snapshot.wish.spec.clone()).ok();
    let address = |name: &str| {
        let found = snapshot.router.addresses.iter().find(|(known, _)| known == name);
        found.map(|(_, address)| address.clone())
    };
    StatusView {
        service: beside.service.to_owned(),
        now: SystemClock.wall_ms(),
        seq: beside.seq,
        key: step_key(status.now()),
        phase: phase(&status.phase),
        message: message(snapshot),
        waiting: waiting(snapshot),
        rollout: (!status.is_idle()).then(|| progress(snapshot, &beside, spec.as_ref())).flatten(),
        slots: [slot(snapshot, 0), slot(snapshot, 1)],
        route: route(snapshot),
        addresses: Addresses {
            main: address("main").unwrap_or_default(),
            stable: address("stable"),
            canary: address("canary"),
        },
        analysis: analysis(snapshot),
        gates: gates(snapshot),
        parked: snapshot
            .notes
            .park
            .as_ref()
            .filter(|_| matches!(status.phase, Phase::Parked { .. }))
            .map(|note| ParkedView { by: note.by.clone(), reason: note.reason.clone(), since: note.at_ms }),
        paused: (snapshot.intent.pause == Some(status.rollout) && !status.is_idle())
            .then_some(snapshot.notes.pause.as_ref())
            .flatten()
            .map(|note| PausedView { by: note.by.clone(), since: note.at_ms }),
        warnings: warnings(snapshot, spec.as_ref()),
        last: status.is_idle().then(|| last(beside.rollout)).flatten(),
    }
}

fn phase(phase: &Phase) -> PhaseWord {
    match phase {
        Phase::Idle => PhaseWord::Idle,
        Phase::Step(_) => PhaseWord::Step,
        Phase::Settling { .. } => PhaseWord::Settling,
        Phase::Back { .. } => PhaseWord::Back,
        Phase::Halted { .. } => PhaseWord::Halted,
        Phase::Parked { .. } => PhaseWord::Parked,
    }
}

fn message(snapshot: &Snapshot) -> String {
    match snapshot.status.phase {
        Phase::Idle | Phase::Step(_) | Phase::Parked { .. } => String::new(),
        Phase::Settling { leg: serin_rollout::Leg::Window, .. } => {
            "promoted; the previous revision is kept warm as the way back".to_owned()
        }
        Phase::Settling { leg: serin_rollout::Leg::Retire, .. } => {
            "promoted; the previous revision is being drained and stopped".to_owned()
        }
        Phase::Settling { leg: serin_rollout::Leg::Home, .. } => {
            "promoted; the new revision is copied to where the service rests, and serves meanwhile".to_owned()
        }
        Phase::Back { .. } => "all traffic returns to the stable revision".to_owned(),
        Phase::Halted { from: serin_rollout::Interrupted::Home { .. } } => {
            "the copy of the new revision is not healthy; what serves is kept, and the copy is tried on. Deploy a corrected revision if it cannot become healthy".to_owned()
        }
        Phase::Halted { .. } => {
            "the stable revision cannot serve; what serves is kept. Fix it, deploy a corrected revision, or accept the canary with `serin promote --full`".to_owned()
        }
    }
}

/// The one reason for waiting, in words: what it is, what stands behind it, and what a person can do.
fn waiting(snapshot: &Snapshot) -> Option<Waiting> {
    if snapshot.waiting == WaitingOn::Nothing && snapshot.trouble.is_none() {
        return None;
    }
    let (reason, mut text, timer) = reason(snapshot, snapshot.waiting);
    if let Some(trouble) = &snapshot.trouble {
        text = if text.is_empty() { trouble.clone() } else { format!("{text}: {trouble}") };
    }
    let armed = timer.and_then(|timer| snapshot.timers.iter().find(|armed| armed.key.timer == timer));
    let deadline = armed.map(|armed| SystemClock.wall_ms() + armed.left_ms(&SystemClock));
    Some(Waiting { reason: reason.to_owned(), text, since: snapshot.waiting_since_ms, deadline })
}

/// What is waited for: a word, a sentence, and the timer that ends the wait.
pub(super) fn reason(snapshot: &Snapshot, on: WaitingOn) -> (&'static str, String, Option<Timer>) {
    let track = |slot: Slot| if slot == snapshot.status.good { "stable" } else { "canary" };
    let plain = |word, text: &str, timer| (word, text.to_owned(), timer);
    match on {
        WaitingOn::Nothing => plain("trouble", "", None),
        // Instances count only once the proxy has confirmed them: until then it is the proxy that is waited for.
        WaitingOn::Acknowledged => ("acknowledged", unconfirmed(snapshot), None),
        WaitingOn::Ready(_) | WaitingOn::Good(_) if !snapshot.seen.route.acked => {
            ("acknowledged", unconfirmed(snapshot), None)
        }
        // What this controller has not looked at yet may serve as well as ever.
        WaitingOn::Ready(slot) | WaitingOn::Drained(slot) if !snapshot.seen.set[slot].fresh => {
            plain(Waiting::LOOKING, "a first look at every instance since the controller began", None)
        }
        WaitingOn::Ready(slot) => {
            ("ready", not_ready(snapshot, slot, asked(snapshot, slot), track(slot)), Some(Timer::Healthy))
        }
        WaitingOn::Drained(slot) => {
            let busy = snapshot.seen.set[slot].busy;
            let text = match busy {
                0 => format!("the {} instances that get no requests any more to end", track(slot)),
                _ => format!("the open requests of {busy} {} instance(s) to end; then they are stopped", track(slot)),
            };
            ("drained", text, Some(Timer::Drain))
        }
        WaitingOn::Verdict(_) => {
            let found = snapshot.judging.as_ref().map(|judging| judging.text.as_str()).filter(|text| !text.is_empty());
            let found = found.unwrap_or("nothing is measured yet; it needs requests");
            ("analysis", format!("the analysis to pass: {found}"), None)
        }
        WaitingOn::Approval(_) => {
            plain("approval", "a person: `serin approve` goes on, `serin abort` goes back to the old version", None)
        }
        WaitingOn::Bake => plain("bake", "the step's hold to end; `serin promote` goes on now", Some(Timer::Bake)),
        WaitingOn::Window => {
            plain("window", "the rollback window to close; until then `serin rollback` is instant", Some(Timer::Window))
        }
        WaitingOn::Paused => plain("paused", "a person: `serin resume` goes on, `serin abort` goes back", None),
        WaitingOn::Parked => {
            plain("parked", "a person: `serin resume` goes on, `serin abort` retires the canary", None)
        }
        WaitingOn::Copy(slot) => (
            "copy",
            format!(
                "{}; deploy a corrected revision if they cannot become so",
                not_ready(snapshot, slot, whole(snapshot, slot), "the copy's")
            ),
            None,
        ),
        WaitingOn::Good(_) => {
            let good = snapshot.status.good;
            let text = not_ready(snapshot, good, whole(snapshot, good), "stable");
            let ways = "repair it, deploy a corrected revision, or take the canary with `serin promote --full`";
            ("stable", format!("{text}; {ways}"), None)
        }
        WaitingOn::Drift(slot) => {
            let text = format!("somebody to undo a change from outside: the {} set runs another revision", track(slot));
            ("drift", text, None)
        }
        WaitingOn::Platform(WriteError::Refused(why)) => {
            ("refused", format!("the next write to be safe: {}", refusal(why, track)), None)
        }
        WaitingOn::Platform(WriteError::Conflict) => {
            plain("conflict", "the claim on the service: another controller has written to it", None)
        }
        WaitingOn::Platform(WriteError::Platform) => {
            plain("platform", "the platform to take the last write; it is tried again", None)
        }
    }
}

/// Why the route counts as not confirmed.
fn unconfirmed(snapshot: &Snapshot) -> String {
    match &snapshot.router.falling_back {
        Some(why) => {
            format!("the proxy to leave the fallback, which it took because {why}, and to apply the split again")
        }
        None => "the proxy to confirm the route".to_owned(),
    }
}

/// What the second key says no to.
pub(super) fn refusal(why: Refusal, track: impl Fn(Slot) -> &'static str) -> String {
    match why {
        Refusal::Unpinned(slot) => format!("the {} set may still shrink by itself", track(slot)),
        Refusal::Capacity => "what is ready could not carry the traffic".to_owned(),
        Refusal::Occupied(slot) => format!("the {} set still holds another revision", track(slot)),
        Refusal::Unacknowledged => "the proxy may still use an older route".to_owned(),
        Refusal::Routed(slot) => format!("{} instances that may get requests would be stopped", track(slot)),
        Refusal::Busy(slot) => format!("{} instances still have open requests", track(slot)),
        Refusal::Needed(slot) => format!("the {} set is still needed to carry the traffic", track(slot)),
        Refusal::Floor => "too few instances would be left".to_owned(),
        Refusal::NotWhole(slot) => format!("the {} set is not whole", track(slot)),
    }
}

/// Why the service is not up as it should be, while no release is going on; for the controller's own terminal, so
/// without what changes from one look to the next.
pub(crate) fn not_up(snapshot: &Snapshot) -> Option<String> {
    let short = match snapshot.waiting {
        WaitingOn::Ready(_) | WaitingOn::Good(_) | WaitingOn::Copy(_) | WaitingOn::Platform(_) => {
            snapshot.status.is_idle()
        }
        WaitingOn::Nothing
        | WaitingOn::Acknowledged
        | WaitingOn::Drained(_)
        | WaitingOn::Verdict(_)
        | WaitingOn::Approval(_)
        | WaitingOn::Bake
        | WaitingOn::Window
        | WaitingOn::Paused
        | WaitingOn::Parked
        | WaitingOn::Drift(_) => false,
    };
    if !short {
        return None;
    }
    let waits = waiting(snapshot)?.text;
    let why: Vec<&str> = snapshot.troubles.iter().map(String::as_str).collect();
    let why = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
    Some(format!("waiting for {waits}{why}"))
}

/// How many instances a slot is to have now: a canary may be smaller than the service, what serves is never meant to be.
fn asked(snapshot: &Snapshot, slot: Slot) -> u16 {
    let desired = snapshot.seen.set[slot].desired;
    if slot == snapshot.status.good || desired == 0 { whole(snapshot, slot) } else { desired }
}

/// How many instances a slot has that carries everything.
fn whole(snapshot: &Snapshot, slot: Slot) -> u16 {
    snapshot.seen.set[slot].desired.max(snapshot.plan.limits.replicas)
}

/// What is missing until `of` instances of a slot count.
fn not_ready(snapshot: &Snapshot, slot: Slot, of: u16, track: &str) -> String {
    let set = &snapshot.seen.set[slot];
    let counts = if set.ready >= of {
        let least = snapshot.plan.times.min_healthy_ms as f64 / 1000.0;
        format!("{track} instances to stay healthy for {least} s ({} of {of} have)", set.healthy)
    } else {
        format!("{track} instances to be ready ({} of {of})", set.ready)
    };
    let error = snapshot.instances.iter().filter(|i| i.slot == slot).find_map(|i| i.error.clone());
    match error {
        Some(error) if error.starts_with("the program ended") => {
            format!("{counts}: {error}; `serin logs` shows its output")
        }
        Some(error) => format!("{counts}: {error}"),
        None => counts,
    }
}

fn progress(snapshot: &Snapshot, beside: &Beside<'_>, spec: Option<&Spec>) -> Option<Progress> {
    let (status, record) = (&snapshot.status, beside.rollout.clone()?);
    let fresh = match status.phase {
        Phase::Settling { .. } => status.good,
        Phase::Idle | Phase::Step(_) | Phase::Back { .. } | Phase::Halted { .. } | Phase::Parked { .. } => {
            other(status.good)
        }
    };
    let key = status.key().filter(serin_rollout::StepKey::is_of_a_step);
    let strategy = match spec.map(|spec| &spec.release.strategy) {
        Some(Strategy::Weights { .. }) => "weights",
        Some(Strategy::BlueGreen { .. }) => "blue/green",
        Some(Strategy::CanaryKept { .. }) => "canary kept to the end",
        Some(Strategy::InPlace) => "update in place",
        None => "release",
    };
    let chosen = beside.measures.map_or([0; 2], chosen);
    let (requests, part) = (chosen[0] + chosen[1], chosen[fresh] * u64::from(serin_rollout::FULL));
    Some(Progress {
        number: record.number,
        from: record.from,
        to: record.to,
        step: key.map_or(0, |key| key.step),
        steps: snapshot.plan.steps.len() as u16,
        attempt: key.map_or(0, |key| key.attempt),
        weight: snapshot.seen.route.accepted.split.share(fresh),
        share: part.checked_div(requests).map(|share| share as u16),
        requests,
        started: record.started,
        strategy: strategy.to_owned(),
    })
}

/// How many requests of the present generation each slot got.
fn chosen(measures: &Measures) -> [u64; 2] {
    measures.generations.last().map_or([0; 2], |now| now.slots.each_ref().map(|slot| slot.chosen))
}

fn slot(snapshot: &Snapshot, slot: Slot) -> SlotView {
    let (set, status) = (&snapshot.seen.set[slot], &snapshot.status);
    let there = set.present() > 0;
    // The way back is the good slot while the canary has everything, and the other one once the roles are swapped.
    let may_return = slot == status.good || matches!(status.phase, Phase::Settling { .. });
    let warm = there && may_return && !snapshot.seen.route.accepted.split.reaches(slot) && status.proven[slot];
    let instances = snapshot.instances.iter().filter(|instance| instance.slot == slot);
    // Until the proxy has confirmed a new route, none of them counts as ready for a write. People want to see what is so.
    let unconfirmed = !snapshot.seen.route.acked;
    let count = |known: u16, is: fn(&serin_engine::InstanceSeen) -> bool| {
        if unconfirmed { instances.clone().filter(|instance| is(instance)).count() as u16 } else { known }
    };
    let (ready, healthy) = (count(set.ready, |i| i.state == "ready"), count(set.healthy, |i| i.healthy));
    let track = if slot == status.good { Track::Stable } else { Track::Canary };
    SlotView {
        track: there.then_some(track),
        revision: snapshot.hashes[slot].clone().filter(|_| there).map(Revision::new),
        warm,
        desired: set.desired,
        total: set.total,
        ready,
        healthy,
        instances: instances.map(instance).collect(),
    }
}

fn instance(seen: &serin_engine::InstanceSeen) -> InstanceView {
    let address = seen.address.clone().unwrap_or_default();
    InstanceView {
        id: seen.id.clone(),
        pid: seen.pid,
        port: address.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0),
        address,
        state: seen.state.clone(),
        since: seen.since_ms,
        restarts: seen.restarts,
        last_exit: seen.last_exit.clone(),
        open: seen.open,
    }
}

fn split(split: serin_rollout::Split) -> Split {
    match split {
        serin_rollout::Split::Weighted(shares) => Split::Weighted(shares),
        serin_rollout::Split::Members(members) => Split::Members(members),
    }
}

fn route(snapshot: &Snapshot) -> RouteView {
    let (seen, router) = (&snapshot.seen.route, &snapshot.router);
    RouteView {
        split: split(seen.accepted.split),
        fallback: seen.accepted.fallback.map(split),
        lease_ms: seen.accepted.lease.then_some(snapshot.plan.times.lease_ms),
        in_force: seen.acked,
        strength: match router.strength.as_str() {
            "measured" => Strength::Measured,
            "time" => Strength::Time,
            _ => Strength::Dataplane,
        },
        falling_back: router.falling_back.is_some(),
        circuit: [0, 1].map(|slot| router.circuit.as_ref().is_some_and(|broken| broken.0 == slot)),
    }
}

fn analysis(snapshot: &Snapshot) -> Option<AnalysisView> {
    let checks = snapshot.checks.as_ref()?;
    let judging = snapshot.judging.as_ref().filter(|_| !snapshot.status.is_idle())?;
    let limit = |metric: Metric, limit: String| match metric {
        Metric::SuccessRate { .. } => format!(">= {limit}"),
        Metric::Latency { .. } => format!("<= {limit}"),
    };
    // Before the first look there is nothing but the limits.
    let limits = |check: &serin_analysis::Check| match check.metric {
        Metric::SuccessRate { min } => min.to_string(),
        Metric::Latency { max_ns, .. } => format!("{} ms", max_ns / 1_000_000),
    };
    let rows = checks.checks.iter().enumerate().map(|(number, check)| (check, judging.measurements.get(number)));
    let metrics = rows.map(|(check, found)| MetricView {
        name: check.metric.name().to_owned(),
        value: found.and_then(|found| found.value).map(|value| value.to_string()),
        limit: {
            let known = found.and_then(|found| found.limit);
            limit(check.metric, known.map_or_else(|| limits(check), |known| known.to_string()))
        },
        result: found.map_or(Verdict::Inconclusive, |found| verdict(found.result)),
        samples: found.map_or(0, |found| found.samples),
    });
    Some(AnalysisView {
        metrics: metrics.collect(),
        consecutive: judging.history.failed,
        consecutive_max: checks.budget.consecutive,
        total: judging.history.failed_total,
        total_max: checks.budget.total,
    })
}

fn gates(snapshot: &Snapshot) -> Vec<GateView> {
    let Some(key) = snapshot.status.key() else { return Vec::new() };
    let manual = snapshot.plan.steps.get(usize::from(key.step)).is_some_and(|step| step.accept.manual);
    if !manual || !matches!(snapshot.status.phase, Phase::Step(_)) {
        return Vec::new();
    }
    let opened_by = (snapshot.intent.approved == Some(key)).then(|| "a person".to_owned());
    vec![GateView { name: format!("step {}", key.step + 1), key: step_key(key), opened_by }]
}

fn warnings(snapshot: &Snapshot, spec: Option<&Spec>) -> Vec<String> {
    let mut list = Vec::new();
    if spec.is_some_and(|spec| spec.allow_downtime) {
        list.push("allow_downtime is on: over an update nothing serves for a moment, and requests are held".to_owned());
    }
    if let Some(why) = &snapshot.router.falling_back {
        list.push(format!("the proxy has returned to the fallback by itself: {why}"));
    }
    if let Some((_, why)) = &snapshot.router.circuit {
        list.push(why.clone());
    }
    if snapshot.router.held > 0 {
        list.push(format!("{} requests wait for an instance", snapshot.router.held));
    }
    list.extend(snapshot.troubles.iter().cloned());
    list
}

fn last(rollout: Option<RolloutView>) -> Option<LastOutcome> {
    let rollout = rollout?;
    Some(LastOutcome {
        rollout: rollout.number,
        ending: rollout.ending?,
        reason: rollout.reason,
        at: rollout.ended?,
        revision: rollout.to,
    })
}
