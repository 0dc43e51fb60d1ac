//! What was reached, and how often: a checker that reaches nothing finds nothing.
//!
//! A decision, a wait, an event and a choice of the world (a due timer, a verdict, a person) count once for each decision
//! that was evaluated. What the controller can see is decided on once and remembered, so that is the number of different
//! sights and choices, not of the edges that lead through them. A write and a refusal count once for each time that the
//! second key was asked, which is on every edge.
//!
//! Every word below is the name of a pattern, and the compiler checks that the patterns are complete: a new variant of
//! one of the core's enums does not compile until it has a word here, and a word is expected to be reached until
//! [`NEVER`] says why it cannot.
use crate::choice::{Choice, Judged};
use crate::env::Person;
use serin_rollout::{
    Decision, Event, Leg, Outcome, Phase, Refusal, Status, Timer, Timers, Verdict, WaitingOn, Why, Write,
};
use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

/// One of a fixed list of words.
trait Word: Copy {
    /// All of them.
    const ALL: &'static [&'static str];
    /// The place of this one in the list.
    fn place(self) -> usize;
}

/// `Name of Type { Word = pattern, … }`: the words for the values of a type, one for each pattern.
macro_rules! words {
    ($name:ident of $type:ty { $($word:ident = $pattern:pat),+ $(,)? }) => {
        #[derive(Clone, Copy, Debug)]
        enum $name {
            $($word),+
        }

        impl $name {
            fn of(value: &$type) -> $name {
                match value {
                    $($pattern => $name::$word),+
                }
            }
        }

        impl Word for $name {
            const ALL: &'static [&'static str] = &[$(stringify!($word)),+];
            fn place(self) -> usize {
                self as usize
            }
        }
    };
}

words!(Where of Phase {
    Idle = Phase::Idle,
    Step = Phase::Step(_),
    Window = Phase::Settling { leg: Leg::Window, .. },
    Retire = Phase::Settling { leg: Leg::Retire, .. },
    Home = Phase::Settling { leg: Leg::Home, .. },
    Back = Phase::Back { .. },
    Halted = Phase::Halted { .. },
    Parked = Phase::Parked { .. },
});

words!(Decided of Decision {
    Save = Decision::Save(..),
    Ask = Decision::Ask(_),
    Wait = Decision::Wait(_),
});

words!(Written of Write {
    Claim = Write::Claim,
    Stop = Write::Resize { to: 0, .. },
    Resize = Write::Resize { .. },
    Route = Write::Route(_),
    Rewrite = Write::Rewrite { .. },
});

words!(Refused of Refusal {
    Unpinned = Refusal::Unpinned(_),
    Capacity = Refusal::Capacity,
    Occupied = Refusal::Occupied(_),
    Unacknowledged = Refusal::Unacknowledged,
    Routed = Refusal::Routed(_),
    Busy = Refusal::Busy(_),
    Needed = Refusal::Needed(_),
    Floor = Refusal::Floor,
    NotWhole = Refusal::NotWhole(_),
});

words!(Waits of WaitingOn {
    Nothing = WaitingOn::Nothing,
    Ready = WaitingOn::Ready(_),
    Acknowledged = WaitingOn::Acknowledged,
    Drained = WaitingOn::Drained(_),
    Verdict = WaitingOn::Verdict(_),
    Approval = WaitingOn::Approval(_),
    Bake = WaitingOn::Bake,
    Window = WaitingOn::Window,
    Paused = WaitingOn::Paused,
    Parked = WaitingOn::Parked,
    Good = WaitingOn::Good(_),
    Copy = WaitingOn::Copy(_),
    Drift = WaitingOn::Drift(_),
    Platform = WaitingOn::Platform(_),
});

words!(Happened of Event {
    Serving = Event::Serving(_),
    Replaced = Event::Replaced(_),
    Started = Event::Started(_),
    Reached = Event::Reached(..),
    Accepted = Event::Accepted(_),
    Overridden = Event::Overridden(..),
    Skipped = Event::Skipped(..),
    Lost = Event::Lost(_),
    Promoted = Event::Promoted(_),
    WindowClosed = Event::WindowClosed,
    Copying = Event::Copying(_),
    Copied = Event::Copied(_),
    CopyFailed = Event::CopyFailed(_),
    GoingBack = Event::GoingBack(_),
    Halted = Event::Halted(_),
    Recovered = Event::Recovered(_),
    Adopted = Event::Adopted(_),
    Parked = Event::Parked(_),
    Resumed = Event::Resumed(_),
    Succeeded = Event::Ended(Outcome::Succeeded, _),
    Failed = Event::Ended(Outcome::Failed, _),
    Aborted = Event::Ended(Outcome::Aborted, _),
});

words!(Because of Why {
    Verdict = Why::Verdict,
    Deadline = Why::Deadline,
    Unready = Why::Unready,
    Aborted = Why::Aborted,
    Superseded = Why::Superseded,
    RolledBack = Why::RolledBack,
    Drift = Why::Drift,
});

words!(Due of Timer {
    Bake = Timer::Bake,
    Healthy = Timer::Healthy,
    Progress = Timer::Progress,
    Drain = Timer::Drain,
    Window = Timer::Window,
});

words!(Judgement of Judged {
    Unjudged = Judged::Nothing,
    Pass = Judged::Now(Verdict::Pass),
    Fail = Judged::Now(Verdict::Fail),
    Inconclusive = Judged::Now(Verdict::Inconclusive),
    Error = Judged::Now(Verdict::Error),
    Stale = Judged::Stale(_),
});

words!(Asked of Person {
    Abort = Person::Abort,
    Rollback = Person::Rollback,
    Park = Person::Park,
    Retire = Person::Retire,
    Resume = Person::Resume,
    Pause = Person::Pause,
    Retry = Person::Retry,
    Approve = Person::Approve,
    ApproveLate = Person::ApproveLate,
    Promote = Person::Promote,
    PromoteLate = Person::PromoteLate,
    PromoteAll = Person::PromoteAll,
    Weight = Person::Weight(_),
});

fn is_due(due: &Timers, timer: Timer) -> bool {
    match timer {
        Timer::Bake => due.bake,
        Timer::Healthy => due.healthy,
        Timer::Progress => due.progress,
        Timer::Drain => due.drain,
        Timer::Window => due.window,
    }
}

/// The only row of a list that is no table.
#[derive(Clone, Copy, Debug)]
struct Any;

impl Word for Any {
    const ALL: &'static [&'static str] = &[""];
    fn place(self) -> usize {
        0
    }
}

words!(How of Outcome {
    Succeeded = Outcome::Succeeded,
    Failed = Outcome::Failed,
    Aborted = Outcome::Aborted,
});

/// A phase as one word.
pub fn phase(status: &Status) -> &'static str {
    Where::ALL[Where::of(&status.phase).place()]
}

/// How often each pair of words was met.
#[derive(Clone, Debug)]
struct Grid<R, C> {
    counts: Vec<u64>,
    words: PhantomData<(R, C)>,
}

impl<R: Word, C: Word> Default for Grid<R, C> {
    fn default() -> Self {
        Grid { counts: vec![0; R::ALL.len() * C::ALL.len()], words: PhantomData }
    }
}

impl<R: Word, C: Word> Grid<R, C> {
    fn count(&mut self, row: R, column: C) {
        self.counts[row.place() * C::ALL.len() + column.place()] += 1;
    }

    fn join(&mut self, other: &Self) {
        for (sum, more) in self.counts.iter_mut().zip(&other.counts) {
            *sum += more;
        }
    }

    /// Adds every cell to `all`, by its name.
    fn tell(&self, kind: &str, all: &mut BTreeMap<String, u64>) {
        let names = R::ALL.iter().flat_map(|row| C::ALL.iter().map(move |column| (row, column)));
        for ((row, column), count) in names.zip(&self.counts) {
            let cross = if row.is_empty() { "" } else { "×" };
            all.insert(format!("{kind}:{row}{cross}{column}"), *count);
        }
    }
}

/// How often everything happened, without its data.
#[derive(Clone, Default, Debug)]
pub struct Coverage {
    decisions: Grid<Where, Decided>,
    waits: Grid<Any, Waits>,
    events: Grid<Any, Happened>,
    /// What made a rollout go back.
    back: Grid<Any, Because>,
    /// How it ended then.
    ends: Grid<How, Because>,
    /// What was due when a decision was made.
    due: Grid<Where, Due>,
    judged: Grid<Where, Judgement>,
    people: Grid<Where, Asked>,
    /// Writes that the second key allowed.
    writes: Grid<Where, Written>,
    refusals: Grid<Any, Refused>,
}

impl Coverage {
    /// One decision, and the choices of the world that it was made with.
    pub fn decided(&mut self, status: &Status, choice: &Choice, decision: &Decision) {
        let phase = Where::of(&status.phase);
        self.decisions.count(phase, Decided::of(decision));
        for timer in Timer::ALL.iter().filter(|timer| is_due(&choice.due, **timer)) {
            self.due.count(phase, Due::of(timer));
        }
        let judged = if status.key().is_some() { &choice.judged } else { &Judged::Nothing }; // no step, no verdict
        self.judged.count(phase, Judgement::of(judged));
        if let Some(person) = &choice.person {
            self.people.count(phase, Asked::of(person));
        }
        match decision {
            Decision::Save(_, events) => events.iter().for_each(|event| self.happened(event)),
            Decision::Ask(_) => {}
            Decision::Wait(on) => self.waits.count(Any, Waits::of(on)),
        }
    }

    fn happened(&mut self, event: &Event) {
        self.events.count(Any, Happened::of(event));
        if let Event::GoingBack(why) = event {
            self.back.count(Any, Because::of(why));
        }
        if let Some((outcome, Some(why))) = event.ended() {
            self.ends.count(How::of(&outcome), Because::of(&why));
        }
    }

    /// One write, and what the second key said.
    pub fn asked(&mut self, status: &Status, asked: &Write, answer: Result<(), Refusal>) {
        match answer {
            Ok(()) => self.writes.count(Where::of(&status.phase), Written::of(asked)),
            Err(refused) => self.refusals.count(Any, Refused::of(&refused)),
        }
    }

    /// Everything that either of two reached.
    pub fn join(&mut self, other: &Coverage) {
        self.decisions.join(&other.decisions);
        self.waits.join(&other.waits);
        self.events.join(&other.events);
        self.back.join(&other.back);
        self.ends.join(&other.ends);
        self.due.join(&other.due);
        self.judged.join(&other.judged);
        self.people.join(&other.people);
        self.writes.join(&other.writes);
        self.refusals.join(&other.refusals);
    }

    /// Every name with its count, those that were never reached too.
    pub fn table(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        self.decisions.tell("decision", &mut all);
        self.waits.tell("wait", &mut all);
        self.events.tell("event", &mut all);
        self.back.tell("back", &mut all);
        self.ends.tell("end", &mut all);
        self.due.tell("due", &mut all);
        self.judged.tell("judged", &mut all);
        self.people.tell("person", &mut all);
        self.writes.tell("write", &mut all);
        self.refusals.tell("refusal", &mut all);
        all
    }

    /// How many names were reached.
    pub fn reached(&self) -> usize {
        self.table().values().filter(|count| **count > 0).count()
    }

    /// Every name that should be reached and was not, and every one that was although [`NEVER`] says that it cannot be.
    pub fn missing(&self) -> Vec<String> {
        let table = self.table();
        let never: BTreeSet<&str> = NEVER.iter().flat_map(|(_, names)| names.split_whitespace()).collect();
        let wrong =
            never.iter().filter(|name| table.get(**name) != Some(&0)).map(|name| format!("{name} (is in NEVER)"));
        let missing = table.iter().filter(|(name, count)| **count == 0 && !never.contains(name.as_str()));
        missing.map(|(name, _)| name.clone()).chain(wrong).collect()
    }
}

/// What cannot be, and why. A name that is reached all the same must be taken out.
pub const NEVER: &[(&str, &str)] = &[
    (
        "a timer is due only where it is armed: a bake within a step, a window within the window, progress where \
         something has to become healthy for the first time, and nothing where a person or the world is waited for",
        "due:Idle×Bake due:Retire×Bake due:Home×Bake due:Back×Bake due:Halted×Bake due:Parked×Bake due:Window×Bake \
         due:Idle×Window due:Step×Window due:Retire×Window due:Home×Window due:Back×Window due:Halted×Window \
         due:Parked×Window due:Idle×Progress due:Window×Progress due:Retire×Progress due:Back×Progress \
         due:Halted×Progress due:Parked×Progress due:Idle×Healthy due:Window×Healthy due:Retire×Healthy \
         due:Halted×Healthy due:Parked×Healthy",
    ),
    (
        "nothing is stopped there: what a person parked keeps its size, a halted release keeps all it has, and both sets \
         stay in the window",
        "due:Window×Drain write:Halted×Stop write:Parked×Stop",
    ),
    (
        "a rollout that came to its end has no reason to go back; one that is not brought home any more was superseded",
        "end:Succeeded×Verdict end:Succeeded×Deadline end:Succeeded×Unready end:Succeeded×Aborted \
         end:Succeeded×RolledBack end:Succeeded×Drift",
    ),
    (
        "a rollout failed because of itself, and was aborted because of somebody",
        "end:Failed×Aborted end:Failed×Superseded end:Failed×RolledBack end:Aborted×Verdict end:Aborted×Deadline \
         end:Aborted×Unready end:Aborted×Drift",
    ),
    (
        "no step is current, so no verdict can name one",
        "judged:Idle×Pass judged:Idle×Fail judged:Idle×Inconclusive judged:Idle×Error judged:Idle×Stale \
         judged:Back×Pass judged:Back×Fail judged:Back×Inconclusive judged:Back×Error judged:Back×Stale",
    ),
    (
        "an approval names a step, and is read within one only",
        "person:Idle×Approve person:Window×Approve person:Retire×Approve person:Home×Approve person:Back×Approve \
         person:Halted×Approve person:Parked×Approve person:Idle×ApproveLate person:Window×ApproveLate \
         person:Retire×ApproveLate person:Home×ApproveLate person:Back×ApproveLate person:Halted×ApproveLate \
         person:Parked×ApproveLate",
    ),
    ("the driver says that; the core asks again", "wait:Platform"),
    (
        "a set is rewritten only to carry the good revision home; at rest somebody else may do it",
        "write:Step×Rewrite write:Window×Rewrite write:Retire×Rewrite write:Back×Rewrite \
         write:Parked×Rewrite",
    ),
    (
        "both sets are whole and pinned when the window opens, and nobody lowers what is pinned",
        "write:Window×Resize write:Window×Stop",
    ),
    ("what is copied to is rewritten at the size that it has", "write:Home×Stop"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: &Status, choice: &Choice, decision: &Decision) -> BTreeMap<String, u64> {
        let mut coverage = Coverage::default();
        coverage.decided(status, choice, decision);
        coverage.table().into_iter().filter(|(_, count)| *count > 0).collect()
    }

    #[test]
    fn a_decision_counts_with_its_phase_its_choices_and_its_reason() {
        let status = Status::first(serin_rollout::Rev(1));
        let timers = Timers { drain: true, ..Timers::default() };
        let choice = Choice { due: timers, person: Some(Person::Weight(7)), ..Choice::QUIET };
        let ended = Event::Ended(Outcome::Failed, Some(Why::Drift));
        let table = seen(&status, &choice, &Decision::Save(status, vec![Event::WindowClosed, ended]));
        let names: Vec<&str> = table.keys().map(String::as_str).collect();
        let all = [
            "decision:Idle×Save",
            "due:Idle×Drain",
            "end:Failed×Drift",
            "event:Failed",
            "event:WindowClosed",
            "judged:Idle×Unjudged",
            "person:Idle×Weight",
        ];
        assert_eq!(names, all);
    }

    #[test]
    fn counts_add_up() {
        let (mut one, mut two) = (Coverage::default(), Coverage::default());
        let status = Status::first(serin_rollout::Rev(1));
        one.asked(&status, &Write::Claim, Ok(()));
        two.asked(&status, &Write::Claim, Ok(()));
        two.asked(&status, &Write::Claim, Err(Refusal::Floor));
        one.join(&two);
        assert_eq!((one.table()["write:Idle×Claim"], one.table()["refusal:Floor"], one.reached()), (2, 1, 2));
    }

    #[test]
    fn what_is_never_reached_is_missing_unless_it_cannot_be() {
        let mut coverage = Coverage::default();
        let missing = coverage.missing();
        let never: Vec<&str> = NEVER.iter().flat_map(|(_, names)| names.split_whitespace()).collect();
        assert_eq!(missing.len() + never.len(), coverage.table().len(), "NEVER names something twice or nothing");
        assert!(missing.iter().any(|name| name == "refusal:Floor"));
        coverage.waits.count(Any, Waits::Platform);
        assert!(coverage.missing().contains(&"wait:Platform (is in NEVER)".to_owned()));
    }
}
