//! The decision log: every decision with what it was made on. It is written down before a decision is carried out, and
//! what came of it after; a log that cannot be written changes nothing.
use crate::ports::{Clock, PortError};
use serin_journal::decision::{Came, Choice, Decided, Decision, Permit, hash};
use serin_journal::{Journal, Stamp};
use serin_rollout::{Observation, Plan, Status};

/// Writes decisions down, but for those that say the same again.
#[derive(Debug)]
pub(crate) struct Diary {
    journal: Journal,
    service: String,
    began: bool,
    /// The plan that the present file holds, and its hash.
    plan: Option<(Plan, String)>,
    last: Option<Decision>,
    blind: bool,
}

impl Diary {
    pub fn new(journal: Journal, service: &str) -> Diary {
        Diary { journal, service: service.to_owned(), began: false, plan: None, last: None, blind: false }
    }

    /// A decision. One that waits, or that the second key refused, is written down once for as long as nothing changes.
    pub fn decided(
        &mut self,
        clock: &impl Clock,
        (plan, status, seen): (&Plan, &Status, &Observation),
        choice: &serin_rollout::Decision,
        asked: Option<(&Observation, Permit)>,
    ) {
        if !self.journal.is_on() {
            return;
        }
        let hash = match &self.plan {
            Some((known, hash)) if known == plan => hash.clone(),
            Some(_) | None => hash(plan),
        };
        let decision = Decision {
            plan: hash.clone(),
            status: *status,
            seen: seen.clone(),
            choice: choice.into(),
            fresh: asked.map(|(fresh, _)| fresh.clone()),
            permit: asked.map(|(_, permit)| permit),
        };
        let stays = matches!(decision.choice, Choice::Wait(_)) || matches!(decision.permit, Some(Permit::Refused(_)));
        self.blind = false;
        if stays && self.last.as_ref() == Some(&decision) {
            return;
        }
        self.begin(clock);
        let length = serde_json::to_vec(&decision).map_or(0, |text| text.len() as u64);
        let turned = self.journal.make_room(length + FRAME);
        if turned || self.plan.as_ref().is_none_or(|(_, known)| *known != hash) {
            self.tell(clock, Decided::Plan { hash: hash.clone(), plan: Box::new(plan.clone()) });
            self.plan = Some((plan.clone(), hash));
        }
        self.last = stays.then(|| decision.clone());
        self.tell(clock, Decided::Decision(Box::new(decision)));
        if self.journal.dropped() > 0 {
            (self.plan, self.last) = (None, None); // said again as soon as there is room
        }
    }

    /// What came of the save that was decided last.
    pub fn saved<E: std::fmt::Display>(&mut self, clock: &impl Clock, result: &Result<(), E>) {
        let came = result.as_ref().map_or_else(|error| Came::Failed(error.to_string()), |()| Came::Done);
        self.tell(clock, Decided::Came(came));
    }

    /// The write that was decided last was not sent, where there is an error.
    pub fn unsent<T, E: std::fmt::Display>(&mut self, clock: &impl Clock, prepared: &Result<T, E>) {
        if let Err(error) = prepared {
            self.tell(clock, Decided::Came(Came::Failed(error.to_string())));
        }
    }

    /// What came of the write that was decided last, as the platform says.
    pub fn answered(&mut self, clock: &impl Clock, result: &Result<(), PortError>) {
        let came = match result {
            Ok(()) => Came::Done,
            Err(PortError::Conflict(why)) => Came::Conflict(why.clone()),
            Err(PortError::Failed(why)) => Came::Failed(why.clone()),
        };
        self.tell(clock, Decided::Came(came));
    }

    /// Nothing could be observed; said once until something can.
    pub fn blind(&mut self, clock: &impl Clock, why: &PortError) {
        if !std::mem::replace(&mut self.blind, true) {
            self.begin(clock);
            self.last = None;
            self.tell(clock, Decided::Blind { why: why.to_string() });
        }
    }

    fn begin(&mut self, clock: &impl Clock) {
        if !std::mem::replace(&mut self.began, true) {
            let service = self.service.clone();
            self.tell(clock, Decided::Began { service });
        }
    }

    fn tell(&mut self, clock: &impl Clock, what: Decided) {
        let stamp = Stamp { at: clock.wall_ms(), boot: clock.boot_ms() };
        self.journal.tell(stamp, what);
    }
}

/// More than a line has beside what it says, and room for a plan.
const FRAME: u64 = 8 * 1024;
