//! Goes over one decision log from its first line to its last, and asks every monitor about each decision, each write and
//! each change.
use crate::invariants::Rule;
use crate::trace::change::{CHECKS, Change, Look, Sent};
use crate::trace::facts::Facts;
use crate::trace::monitor::{Finding, Monitor};
use crate::trace::reach;
use crate::trace::read::{Entry, Spot};
use crate::trace::writes::{self, Debt};
use serin_journal::decision::{Came, Choice, Decided, Decision, Permit};
use serin_rollout::{Event, Observation, Outcome, Plan, Status, Write, WriteError, decide, permit};
use std::collections::HashMap;
use std::rc::Rc;

/// What was counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    /// Decisions.
    pub decisions: u64,
    /// Statuses that were to be saved.
    pub saves: u64,
    /// Writes that were sent.
    pub writes: u64,
    /// Writes that the second key refused.
    pub refused: u64,
    /// Pairs of looks that were compared.
    pub changes: u64,
    /// Of these, those in which anything changed, and that the simulated world was asked about.
    pub reached: u64,
    /// Rollouts that began.
    pub started: u64,
    /// Rollouts that ended on the new revision.
    pub promoted: u64,
    /// Rollouts that ended on the old one.
    pub returned: u64,
}

/// What was decided, and what came of it is not told yet.
enum Pending {
    Save(Spot, Status),
    Write(Box<Look>, Write),
}

/// One incarnation after the other.
pub struct Walk<'a> {
    facts: &'a Facts,
    plans: HashMap<String, Rc<Plan>>,
    look: Option<Look>,
    /// Sent since the last look, and what may still take effect.
    sent: Vec<Sent>,
    pending: Option<Pending>,
    /// The statuses that may be the saved one; empty where nothing is known.
    saved: Vec<Status>,
    claimed: bool,
    /// When the last line was written that is older than the next look.
    last: u64,
    /// What is said of the last write; `None` where nothing is known.
    failed: Option<Option<WriteError>>,
    died: bool,
    blind: bool,
    debt: Debt,
    reach: reach::Reach,
    /// The routes that were permitted and sent, and when.
    pub routes: Vec<(u64, Sent)>,
    /// Every look, in order.
    pub looks: Vec<Look>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// What was counted.
    pub counted: Counted,
}

impl<'a> Walk<'a> {
    /// Before the first line.
    pub fn new(facts: &'a Facts) -> Walk<'a> {
        Walk {
            facts,
            plans: HashMap::new(),
            look: None,
            sent: vec![],
            pending: None,
            saved: vec![],
            claimed: false,
            last: 0,
            failed: None,
            died: false,
            blind: false,
            debt: Debt::default(),
            reach: reach::Reach::default(),
            routes: vec![],
            looks: vec![],
            findings: vec![],
            counted: Counted::default(),
        }
    }

    fn find(&mut self, monitor: Monitor, spots: Vec<Spot>, what: impl Into<String>) {
        self.findings.push(Finding { monitor, spots, what: what.into() });
    }

    /// The next line.
    pub fn line(&mut self, entry: &Entry<Decided>) {
        if entry.begins {
            self.restart();
        }
        if entry.gap {
            self.forget();
        }
        let spot = &entry.spot;
        match &entry.line.what {
            Decided::Began { .. } => {
                if !entry.begins && !entry.gap {
                    self.find(Monitor::Order, vec![spot.clone()], "an incarnation begins twice");
                }
            }
            Decided::Plan { hash, plan } => {
                if serin_journal::decision::hash(plan) != *hash {
                    self.find(Monitor::Order, vec![spot.clone()], format!("this is not the plan {hash}"));
                }
                self.plans.insert(hash.clone(), Rc::new((**plan).clone()));
            }
            Decided::Blind { .. } => {
                self.unanswered(spot);
                self.blind = true;
            }
            Decided::Came(came) => self.came(spot, came),
            Decided::Decision(decision) => self.decision(entry, decision),
        }
        // An incarnation and its plan are written down when it first decides: after it has looked.
        if !matches!(entry.line.what, Decided::Began { .. } | Decided::Plan { .. }) {
            self.last = entry.line.boot;
        }
    }

    /// Another incarnation: what its predecessor did last may have taken effect, or may yet.
    fn restart(&mut self) {
        match self.pending.take() {
            Some(Pending::Save(_, status)) => self.saved.push(status),
            Some(Pending::Write(look, write)) => self.send(&look, write, false),
            None => {}
        }
        (self.died, self.claimed, self.failed) = (true, false, Some(None));
    }

    /// Lines are missing: nothing is known of what was before.
    fn forget(&mut self) {
        (self.look, self.pending, self.failed) = (None, None, None);
        self.saved.clear();
        self.sent.clear();
        self.claimed = true;
    }

    fn unanswered(&mut self, spot: &Spot) {
        if let Some(pending) = self.pending.take() {
            let before = match pending {
                Pending::Save(spot, _) => spot,
                Pending::Write(look, _) => look.spot.clone(),
            };
            self.find(Monitor::Answered, vec![before, spot.clone()], "nothing is told of what came of it");
        }
    }

    fn decision(&mut self, entry: &Entry<Decided>, decision: &Decision) {
        let spot = &entry.spot;
        self.counted.decisions += 1;
        self.unanswered(spot);
        let Some(plan) = self.plans.get(&decision.plan).cloned() else {
            return self.find(
                Monitor::Order,
                vec![spot.clone()],
                format!("the plan {} is not in the log", decision.plan),
            );
        };
        let since = self.last;
        let look = |seen: &Observation| Look {
            spot: spot.clone(),
            boot: entry.line.boot,
            since,
            run: entry.line.run,
            seen: seen.clone(),
            status: decision.status,
            plan: plan.clone(),
        };
        let seen = look(&decision.seen);
        self.replay(&seen, decision);
        self.status(&seen);
        self.levels(&seen);
        self.next(seen.clone());
        match (&decision.choice, &decision.fresh) {
            (Choice::Wait(_), _) => self.failed = Some(None),
            (Choice::Save { status, events }, _) => self.saves(&seen, status, events),
            (Choice::Ask(write), Some(fresh)) => {
                let fresh = look(fresh);
                self.levels(&fresh);
                self.next(fresh.clone());
                self.asks(fresh, *write, decision.permit);
            }
            (Choice::Ask(_), None) => self.find(Monitor::Permitted, vec![spot.clone()], "nothing was read before it"),
        }
    }

    /// See [`Monitor::Decides`] and [`Monitor::Permits`].
    fn replay(&mut self, look: &Look, decision: &Decision) {
        let again = Choice::from(&decide(&look.plan, &decision.status, &decision.seen));
        if again != decision.choice {
            let what = format!("it says {:?}, and decides {again:?}", decision.choice);
            self.find(Monitor::Decides, vec![look.spot.clone()], what);
        }
        let (Choice::Ask(write), Some(fresh)) = (&decision.choice, &decision.fresh) else { return };
        let again = Some(Permit::from(permit(&look.plan.limits, fresh, write)));
        if again != decision.permit {
            let what = format!("it says {:?}, and answers {again:?}", decision.permit);
            self.find(Monitor::Permits, vec![look.spot.clone()], what);
        }
    }

    /// See [`Monitor::Skips`] and [`Monitor::Frozen`].
    fn status(&mut self, look: &Look) {
        let status = look.status;
        if !self.saved.is_empty() && !self.saved.contains(&status) {
            let what = format!("the status is {status:?}, and may be one of {:?}", self.saved);
            self.find(Monitor::Skips, vec![look.spot.clone()], what);
        }
        self.saved = vec![status];
        if let Some(before) = self.look.as_ref().filter(|before| !status.is_idle() && before.plan != look.plan) {
            let spots = vec![before.spot.clone(), look.spot.clone()];
            self.find(Monitor::Frozen, spots, format!("{:?} goes by another plan", status.phase));
        }
    }

    /// See [`Monitor::Claimed`] and [`Monitor::Failed`].
    fn levels(&mut self, look: &Look) {
        let spots = || vec![look.spot.clone()];
        if look.seen.claimed != self.claimed && self.failed.is_some() {
            self.find(Monitor::Claimed, spots(), format!("it says {}, and it is not so", look.seen.claimed));
        }
        self.claimed = look.seen.claimed;
        if let Some(failed) = self.failed
            && failed != look.seen.failed
        {
            let what = format!("it says {:?}, and {failed:?} is what came of it", look.seen.failed);
            self.find(Monitor::Failed, spots(), what);
        }
        self.failed = Some(look.seen.failed);
    }

    fn saves(&mut self, look: &Look, next: &Status, events: &[Event]) {
        self.counted.saves += 1;
        for event in events {
            match event.ended() {
                Some((Outcome::Succeeded, _)) => self.counted.promoted += 1,
                Some((Outcome::Failed | Outcome::Aborted, _)) => self.counted.returned += 1,
                None => self.counted.started += u64::from(matches!(event, Event::Started(_))),
            }
        }
        if let Some(rule) = writes::save(look, next) {
            self.find(Monitor::Invariant(rule), vec![look.spot.clone()], format!("{:?} becomes {next:?}", look.status));
        }
        self.pending = Some(Pending::Save(look.spot.clone(), *next));
    }

    fn asks(&mut self, look: Look, write: Write, answer: Option<Permit>) {
        match answer {
            Some(Permit::Allowed) => {}
            Some(Permit::Refused(refusal)) => {
                self.counted.refused += 1;
                self.failed = Some(Some(WriteError::Refused(refusal)));
                return;
            }
            None => return self.find(Monitor::Permitted, vec![look.spot], "the second key was not asked"),
        }
        self.counted.writes += 1;
        if write != Write::Claim && !look.seen.claimed {
            self.find(Monitor::Claims, vec![look.spot.clone()], format!("{write:?} is sent before the claim"));
        }
        for rule in writes::write(&look, &write) {
            self.find(Monitor::Invariant(rule), vec![look.spot.clone()], format!("{write:?} on {:?}", look.seen));
        }
        if let Write::Route(_) = write {
            self.routes.push((look.boot, Sent { spot: look.spot.clone(), write, done: false }));
        }
        self.pending = Some(Pending::Write(Box::new(look), write));
    }

    fn came(&mut self, spot: &Spot, came: &Came) {
        match self.pending.take() {
            None => self.find(Monitor::Permitted, vec![spot.clone()], "nothing was decided that this came of"),
            Some(Pending::Save(_, next)) => match came {
                Came::Done => self.saved = vec![next],
                Came::Conflict(_) | Came::Failed(_) => self.saved.push(next),
            },
            Some(Pending::Write(look, write)) => {
                let done = *came == Came::Done;
                self.failed = match came {
                    Came::Done => Some(None),
                    Came::Conflict(_) => Some(Some(WriteError::Conflict)),
                    Came::Failed(_) => Some(Some(WriteError::Platform)),
                };
                self.claimed = (self.claimed || (done && write == Write::Claim)) && !matches!(came, Came::Conflict(_));
                if done && write == Write::Claim {
                    self.sent.retain(|sent| sent.done); // what a dead incarnation sent cannot land any more
                }
                self.send(&look, write, done);
            }
        }
    }

    fn send(&mut self, look: &Look, write: Write, done: bool) {
        self.sent.push(Sent { spot: look.spot.clone(), write, done });
    }

    /// The next observation: every rule about the change is asked.
    fn next(&mut self, after: Look) {
        let floor = after.plan.limits.floor;
        let before = self.look.take().filter(|before| !self.facts.ended_between(before.since, after.boot));
        match &before {
            None => self.debt = Debt::forgive(&after.seen, floor),
            Some(before) => self.change(before, &after),
        }
        if !self.debt.holds(&after.seen, floor) {
            let what = format!("{:?} with {:?} owed by the world", after.seen, self.debt);
            self.find(Monitor::Invariant(Rule::Capacity), vec![after.spot.clone()], what);
            self.debt = Debt::forgive(&after.seen, floor);
        }
        self.sent.retain(|sent| !sent.done);
        (self.died, self.blind) = (false, false);
        self.looks.push(after.clone());
        self.look = Some(after);
    }

    fn change(&mut self, before: &Look, after: &Look) {
        self.counted.changes += 1;
        let lowered = [0, 1].map(|k| {
            let of = self.sent.iter().filter_map(|sent| match sent.write {
                Write::Resize { slot, to, .. } if slot == k => Some(to),
                Write::Resize { .. } | Write::Claim | Write::Route(_) | Write::Rewrite { .. } => None,
            });
            of.min()
        });
        let floor = after.plan.limits.floor;
        self.debt.next(&before.seen, &after.seen, lowered, floor);
        if !self.sent.is_empty() {
            self.debt.landed(&after.seen, floor);
        }
        let change = Change {
            before,
            after,
            writes: &self.sent,
            died: self.died,
            blind: self.blind,
            table: self.facts.table_between(before.since, after.boot),
            taken_up: self.facts.taken_up_between(before.since, after.boot),
        };
        let mut found: Vec<_> =
            CHECKS.iter().filter_map(|(monitor, check)| Some((*monitor, check(&change)?))).collect();
        if found.is_empty() && before.seen != after.seen && !change.taken_up {
            self.counted.reached += 1;
            found.extend(self.reach.check(&change).map(|what| (Monitor::Reachable, what)));
        }
        for (monitor, what) in found {
            self.find(monitor, vec![before.spot.clone(), after.spot.clone()], what);
        }
    }
}
