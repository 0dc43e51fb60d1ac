//! What is asked of every input.
use super::cells;
use super::draw::Known;
use crate::subject::{Decide, Permit};
use serin_rollout::{Decision, Observation, Refusal, Slot, Status, WaitingOn, Write};

/// A pair of keys that must agree.
#[derive(Clone, Copy)]
pub struct Keys {
    /// The first key.
    pub decide: Decide,
    /// The second key.
    pub permit: Permit,
}

/// What is wrong with an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// The second key refuses, on the same view, what the first one asks for.
    Refused(Write, Refusal),
    /// The same input has two answers.
    Undetermined,
    /// A status is saved that was saved already.
    EmptySave,
    /// A write is asked for that changes nothing in what is seen.
    EmptyWrite(Write),
    /// It is waited for something in a slot that there is not.
    NoSuchSlot(Slot),
    /// On the same observation one status after the other is saved without end.
    Circle,
    /// It panicked.
    Panicked,
}

/// What came of an input.
pub struct Answer {
    /// The cell of the write that is asked for at once.
    pub asks: Option<usize>,
    /// How many statuses are saved before anything else.
    pub saves: u32,
    /// What is wrong.
    pub flaw: Option<Flaw>,
}

/// More saves than any observation needs: each phase and each attempt at a step at most once.
const MOST_SAVES: u32 = 48;

/// Puts an input to the first key, then what it saves to it again until it saves no more.
pub fn check(keys: Keys, known: &Known, status: &Status, seen: &Observation) -> Answer {
    let decide = |status: &Status| (keys.decide)(&known.plan, status, seen);
    let mut answer = Answer { asks: None, saves: 0, flaw: None };
    let mut now = *status;
    let mut decision = decide(&now);
    if decision != decide(&now) {
        answer.flaw = Some(Flaw::Undetermined);
        return answer;
    }
    if let Decision::Ask(write) = &decision {
        answer.asks = Some(cells::cell(status, seen, write));
    }
    loop {
        match decision {
            Decision::Save(next, _) if next == now => answer.flaw = Some(Flaw::EmptySave),
            Decision::Save(next, _) if answer.saves < MOST_SAVES => {
                (now, answer.saves) = (next, answer.saves + 1);
                decision = decide(&now);
                continue;
            }
            Decision::Save(..) => answer.flaw = Some(Flaw::Circle),
            Decision::Ask(write) => answer.flaw = asked(keys.permit, known, seen, &write),
            Decision::Wait(on) => answer.flaw = slot_of(&on).filter(|slot| *slot > 1).map(Flaw::NoSuchSlot),
        }
        return answer;
    }
}

fn asked(permit: Permit, known: &Known, seen: &Observation, write: &Write) -> Option<Flaw> {
    if let Err(refusal) = permit(&known.plan.limits, seen, write) {
        return Some(Flaw::Refused(*write, refusal));
    }
    let changes = match *write {
        Write::Claim => !seen.claimed,
        Write::Route(route) => seen.route.accepted != route,
        Write::Resize { slot, to, rev, pin } => {
            let set = &seen.set[slot];
            (set.desired, set.rev, set.pinned) != (to, Some(rev), pin)
        }
        Write::Rewrite { slot, rev } => seen.set[slot].rev != Some(rev),
    };
    (!changes).then_some(Flaw::EmptyWrite(*write))
}

fn slot_of(on: &WaitingOn) -> Option<Slot> {
    match *on {
        WaitingOn::Ready(slot) | WaitingOn::Drained(slot) | WaitingOn::Copy(slot) | WaitingOn::Drift(slot) => {
            Some(slot)
        }
        WaitingOn::Nothing
        | WaitingOn::Acknowledged
        | WaitingOn::Verdict(_)
        | WaitingOn::Approval(_)
        | WaitingOn::Bake
        | WaitingOn::Window
        | WaitingOn::Paused
        | WaitingOn::Parked
        | WaitingOn::Good(_)
        | WaitingOn::Platform(_) => None,
    }
}
