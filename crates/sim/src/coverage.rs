//! What was reached: a checker that reaches nothing finds nothing.
use serin_rollout::{Decision, Event, Phase, Refusal, Status, WaitingOn, Why, Write};
use std::collections::BTreeSet;

/// The names of everything that happened, without their data.
#[derive(Clone, Default, Debug)]
pub struct Coverage {
    /// `Phase × Write`, for the writes that the second key allowed.
    pub writes: BTreeSet<(&'static str, &'static str)>,
    /// Reasons of the second key.
    pub refusals: BTreeSet<&'static str>,
    /// What was waited for.
    pub waits: BTreeSet<&'static str>,
    /// Why a rollout went back.
    pub whys: BTreeSet<&'static str>,
    /// Facts.
    pub events: BTreeSet<&'static str>,
}

fn wait(on: &WaitingOn) -> &'static str {
    match on {
        WaitingOn::Nothing => "Nothing",
        WaitingOn::Ready(_) => "Ready",
        WaitingOn::Acknowledged => "Acknowledged",
        WaitingOn::Drained(_) => "Drained",
        WaitingOn::Verdict(_) => "Verdict",
        WaitingOn::Approval(_) => "Approval",
        WaitingOn::Bake => "Bake",
        WaitingOn::Window => "Window",
        WaitingOn::Paused => "Paused",
        WaitingOn::Parked => "Parked",
        WaitingOn::Good(_) => "Good",
        WaitingOn::Copy(_) => "Copy",
        WaitingOn::Drift(_) => "Drift",
        WaitingOn::Platform(_) => "Platform",
    }
}

fn why(why: &Why) -> &'static str {
    match why {
        Why::Verdict => "Verdict",
        Why::Deadline => "Deadline",
        Why::Unready => "Unready",
        Why::Aborted => "Aborted",
        Why::Superseded => "Superseded",
        Why::RolledBack => "RolledBack",
        Why::Drift => "Drift",
    }
}

fn refusal(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Unpinned(_) => "Unpinned",
        Refusal::Capacity => "Capacity",
        Refusal::Occupied(_) => "Occupied",
        Refusal::Unacknowledged => "Unacknowledged",
        Refusal::Routed(_) => "Routed",
        Refusal::Busy(_) => "Busy",
        Refusal::Needed(_) => "Needed",
        Refusal::Floor => "Floor",
        Refusal::NotWhole(_) => "NotWhole",
    }
}

/// The event's name, and why, where it says so.
fn event(event: &Event) -> (&'static str, Option<Why>) {
    match event {
        Event::Serving(_) => ("Serving", None),
        Event::Replaced(_) => ("Replaced", None),
        Event::Started(_) => ("Started", None),
        Event::Reached(..) => ("Reached", None),
        Event::Accepted(_) => ("Accepted", None),
        Event::Overridden(..) => ("Overridden", None),
        Event::Skipped(..) => ("Skipped", None),
        Event::Lost(_) => ("Lost", None),
        Event::Promoted(_) => ("Promoted", None),
        Event::WindowClosed => ("WindowClosed", None),
        Event::Copying(_) => ("Copying", None),
        Event::Copied(_) => ("Copied", None),
        Event::CopyFailed(_) => ("CopyFailed", None),
        Event::GoingBack(why) => ("GoingBack", Some(*why)),
        Event::Halted(_) => ("Halted", None),
        Event::Recovered(_) => ("Recovered", None),
        Event::Adopted(_) => ("Adopted", None),
        Event::Parked(_) => ("Parked", None),
        Event::Resumed(_) => ("Resumed", None),
        Event::Ended(_, why) => ("Ended", *why),
    }
}

/// A phase as one word.
pub fn phase(status: &Status) -> &'static str {
    match status.phase {
        Phase::Idle => "Idle",
        Phase::Step(_) => "Step",
        Phase::Settling { leg: serin_rollout::Leg::Window, .. } => "Window",
        Phase::Settling { leg: serin_rollout::Leg::Retire, .. } => "Retire",
        Phase::Settling { leg: serin_rollout::Leg::Home, .. } => "Home",
        Phase::Back { .. } => "Back",
        Phase::Halted { .. } => "Halted",
        Phase::Parked { .. } => "Parked",
    }
}

fn write(write: &Write) -> &'static str {
    match write {
        Write::Claim => "Claim",
        Write::Resize { to: 0, .. } => "Stop",
        Write::Resize { .. } => "Resize",
        Write::Route(_) => "Route",
        Write::Rewrite { .. } => "Rewrite",
    }
}

impl Coverage {
    /// One decision.
    pub fn decided(&mut self, decision: &Decision) {
        match decision {
            Decision::Save(_, events) => {
                for (name, because) in events.iter().map(event) {
                    self.events.insert(name);
                    self.whys.extend(because.as_ref().map(why));
                }
            }
            Decision::Ask(_) => {}
            Decision::Wait(on) => {
                self.waits.insert(wait(on));
            }
        }
    }

    /// One write, and what the second key said.
    pub fn asked(&mut self, status: &Status, asked: &Write, answer: Result<(), Refusal>) {
        match answer {
            Ok(()) => self.writes.insert((phase(status), write(asked))),
            Err(refused) => self.refusals.insert(refusal(&refused)),
        };
    }

    /// Everything that either of two reached.
    pub fn join(&mut self, other: &Coverage) {
        self.writes.extend(&other.writes);
        self.refusals.extend(&other.refusals);
        self.waits.extend(&other.waits);
        self.whys.extend(&other.whys);
        self.events.extend(&other.events);
    }

    /// Every name that should be reached and was not.
    pub fn missing(&self) -> Vec<String> {
        let writes: BTreeSet<String> = self.writes.iter().map(|(phase, write)| format!("{phase}×{write}")).collect();
        let names = |set: &BTreeSet<&'static str>| set.iter().map(|name| (*name).to_owned()).collect();
        let lists: [(BTreeSet<String>, &str); 5] = [
            (writes, WRITES),
            (names(&self.refusals), REFUSALS),
            (names(&self.waits), WAITS),
            (names(&self.whys), WHYS),
            (names(&self.events), EVENTS),
        ];
        lists
            .iter()
            .flat_map(|(seen, all)| all.split_whitespace().filter(|name| !seen.contains(*name)))
            .map(str::to_owned)
            .collect()
    }
}

/// `Window×Resize` cannot be: both sets are whole and pinned when the window opens, and nobody lowers what is pinned.
const WRITES: &str = "Idle×Claim Idle×Resize Idle×Stop Idle×Route Step×Claim Step×Resize Step×Stop Step×Route \
    Window×Claim Window×Route Home×Claim Home×Resize Home×Route Home×Rewrite Retire×Claim Retire×Resize Retire×Stop Retire×Route Back×Claim \
    Back×Resize Back×Stop Back×Route Halted×Claim Halted×Resize Halted×Route Halted×Rewrite Parked×Claim Parked×Resize Parked×Route";
const REFUSALS: &str = "Unpinned Capacity Occupied Unacknowledged Routed Busy Needed Floor NotWhole";
/// `Platform` is the driver's to say: the core asks again.
const WAITS: &str = "Nothing Ready Acknowledged Drained Verdict Approval Bake Window Paused Parked Good Copy Drift";
const WHYS: &str = "Verdict Deadline Unready Aborted Superseded RolledBack Drift";
const EVENTS: &str = "Serving Replaced Started Reached Accepted Overridden Skipped Lost Promoted WindowClosed Copying Copied \
    CopyFailed GoingBack \
    Halted Recovered Adopted Parked Resumed Ended";
