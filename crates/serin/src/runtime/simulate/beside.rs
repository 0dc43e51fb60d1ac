//! What production does beside the two keys, on the virtual clock: timers, judging and sentences are the engine's and
//! the status page's own.
use super::super::{convert, view};
use crate::config::Spec;
use serin_analysis::{Checks, Outcome, Sample};
use serin_engine::judging::subject;
use serin_engine::wording::About;
use serin_engine::{Armed, Clock, Judging, Notes, RouterSeen, Snapshot, Wish, timers, wording};
use serin_rollout::{Event, Intent, Observation, Plan, Rev, Slot, Status, StepKey, Timers, Verdict, WaitingOn};
use serin_sim::play::{Engine, Judged};

/// The clock of a play.
#[derive(Clone, Copy)]
struct Now(u64);

impl Clock for Now {
    fn boot_ms(&self) -> u64 {
        self.0
    }
    fn boot_id(&self) -> String {
        String::new()
    }
    fn wall_ms(&self) -> u64 {
        self.0
    }
}

/// The engine's parts for one release.
pub(super) struct Beside<'a> {
    spec: &'a Spec,
    checks: Option<Checks>,
    armed: Vec<Armed>,
    judging: Option<Judging>,
}

impl<'a> Beside<'a> {
    pub fn new(spec: &'a Spec) -> Beside<'a> {
        Beside { spec, checks: convert::checks(spec), armed: Vec::new(), judging: None }
    }

    /// The judging that was begun for what is to be judged now.
    fn begun(&self, key: StepKey, reached: bool) -> Option<&Judging> {
        self.judging.as_ref().filter(|judging| judging.key == key && judging.reached == reached)
    }

    fn snapshot(&self, plan: &Plan, status: &Status, seen: &Observation, waiting: WaitingOn) -> Snapshot {
        let wish = Wish {
            rev: Rev(2),
            plan: plan.clone(),
            checks: self.checks.clone(),
            spec: serde_json::Value::Null,
            file_hash: None,
            by: String::new(),
            changes: Vec::new(),
        };
        let router = RouterSeen {
            addresses: Vec::new(),
            strength: String::new(),
            falling_back: None,
            circuit: None,
            held: 0,
            unreachable: None,
        };
        Snapshot {
            status: *status,
            intent: Intent::of(Rev(2)),
            wish,
            plan: plan.clone(),
            seen: seen.clone(),
            waiting,
            waiting_since_ms: 0,
            trouble: None,
            judging: self.judging.clone(),
            timers: self.armed.clone(),
            checks: self.checks.clone(),
            troubles: Vec::new(),
            instances: Vec::new(),
            router,
            hashes: [None, None],
            notes: Notes::default(),
        }
    }
}

impl Engine for Beside<'_> {
    fn saved(&mut self, plan: &Plan, status: &Status, now_ms: u64) {
        self.armed = timers::rearm(&self.armed, status, plan, &Now(now_ms));
    }

    fn due(&self, now_ms: u64) -> Timers {
        timers::due(&self.armed, &Now(now_ms))
    }

    fn next_due(&self, now_ms: u64) -> Option<u64> {
        self.armed.iter().map(|armed| armed.boot_ms).filter(|at| *at > now_ms).min()
    }

    fn next_look(&self, status: &Status, now_ms: u64) -> Option<u64> {
        let ((key, reached, _), _) = (subject(status)?, self.checks.as_ref()?);
        Some(self.begun(key, reached).map_or(now_ms, |judging| judging.next_ms))
    }

    fn judge(&mut self, status: &Status, now_ms: u64, read: &dyn Fn(Slot) -> Sample) -> Option<Judged> {
        let ((key, reached, slot), checks) = (subject(status)?, self.checks.as_ref()?);
        let Some(mut judging) = self.begun(key, reached).cloned() else {
            let old = self.judging.as_ref();
            self.judging = Some(Judging::begin(old, (key, reached), Ok(read(slot)), now_ms, checks.interval_ms));
            return None;
        };
        let found = judging.round(checks, Ok(read(slot)), Vec::new(), now_ms);
        let text = format!("Halt {} advancement {}", self.spec.service, judging.text);
        self.judging = Some(judging);
        found.map(|found| Judged { failed: found == Outcome::Fail, text })
    }

    fn verdict(&self) -> Option<(StepKey, Verdict)> {
        let judging = self.judging.as_ref()?;
        Some((judging.key, judging.verdict.filter(|verdict| judging.reached || *verdict != Verdict::Pass)?))
    }

    fn event(&self, event: &Event) -> String {
        let judging = self.judging.as_ref();
        let about = About {
            service: &self.spec.service,
            failed: judging.map_or(0, |judging| judging.history.failed_total),
            measured: judging.map_or("", |judging| &judging.found),
            unready: None,
        };
        wording::text(event, &about)
    }

    fn wait(&self, plan: &Plan, status: &Status, seen: &Observation, on: WaitingOn) -> (String, Option<u64>) {
        let snapshot = self.snapshot(plan, status, seen, on);
        let (_, text, timer) = view::reason(&snapshot, on);
        let armed = timer.and_then(|timer| self.armed.iter().find(|armed| armed.key.timer == timer));
        (text, armed.map(|armed| armed.boot_ms))
    }
}
