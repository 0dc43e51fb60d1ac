//! What was reached: a checker that reaches nothing finds nothing.
use serin_rollout::{Decision, Event, Phase, Refusal, Status, WaitingOn, Write};
use std::collections::BTreeSet;

/// The names of everything that happened, without their data.
#[derive(Clone, Default, Debug)]
pub struct Coverage {
    /// `Phase × Write`, for the writes that the second key allowed.
    pub writes: BTreeSet<String>,
    /// Reasons of the second key.
    pub refusals: BTreeSet<String>,
    /// What was waited for.
    pub waits: BTreeSet<String>,
    /// Why a rollout went back.
    pub whys: BTreeSet<String>,
    /// Facts.
    pub events: BTreeSet<String>,
}

/// The variant's name.
fn name(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// A phase as one word.
pub fn phase(status: &Status) -> &'static str {
    match status.phase {
        Phase::Idle => "Idle",
        Phase::Step(_) => "Step",
        Phase::Settling { leg: serin_rollout::Leg::Window, .. } => "Window",
        Phase::Settling { leg: serin_rollout::Leg::Retire, .. } => "Retire",
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
                for event in events {
                    self.events.insert(name(event));
                    match event {
                        Event::GoingBack(why) | Event::Ended(_, Some(why)) => {
                            self.whys.insert(name(why));
                        }
                        Event::Serving(_)
                        | Event::Replaced(_)
                        | Event::Started(_)
                        | Event::Reached(..)
                        | Event::Accepted(_)
                        | Event::Overridden(..)
                        | Event::Skipped(..)
                        | Event::Lost(_)
                        | Event::Promoted(_)
                        | Event::WindowClosed
                        | Event::Halted(_)
                        | Event::Recovered(_)
                        | Event::Adopted(_)
                        | Event::Parked(_)
                        | Event::Resumed(_)
                        | Event::Ended(_, None) => {}
                    }
                }
            }
            Decision::Ask(_) => {}
            Decision::Wait(on) => self.waited(on),
        }
    }

    fn waited(&mut self, on: &WaitingOn) {
        self.waits.insert(name(on));
    }

    /// One write, and what the second key said.
    pub fn asked(&mut self, status: &Status, asked: &Write, answer: Result<(), Refusal>) {
        match answer {
            Ok(()) => self.writes.insert(format!("{}×{}", phase(status), write(asked))),
            Err(refusal) => self.refusals.insert(name(&refusal)),
        };
    }

    /// Everything that either of two reached.
    pub fn join(&mut self, other: &Coverage) {
        self.writes.extend(other.writes.iter().cloned());
        self.refusals.extend(other.refusals.iter().cloned());
        self.waits.extend(other.waits.iter().cloned());
        self.whys.extend(other.whys.iter().cloned());
        self.events.extend(other.events.iter().cloned());
    }

    /// Every name that should be reached and was not.
    pub fn missing(&self) -> Vec<String> {
        let lists: [(&BTreeSet<String>, &str); 5] = [
            (&self.writes, WRITES),
            (&self.refusals, REFUSALS),
            (&self.waits, WAITS),
            (&self.whys, WHYS),
            (&self.events, EVENTS),
        ];
        lists
            .into_iter()
            .flat_map(|(seen, all)| all.split_whitespace().filter(|name| !seen.contains(*name)))
            .map(str::to_owned)
            .collect()
    }
}

const WRITES: &str = "Idle×Claim Idle×Resize Idle×Stop Idle×Route Step×Claim Step×Resize Step×Stop Step×Route \
    Window×Claim Window×Resize Window×Route Retire×Claim Retire×Resize Retire×Stop Retire×Route Back×Claim \
    Back×Resize Back×Stop Back×Route Halted×Claim Halted×Resize Halted×Route Parked×Claim Parked×Resize Parked×Route";
const REFUSALS: &str = "Unpinned Capacity Occupied Unacknowledged Routed Busy Needed Floor NotWhole";
const WAITS: &str = "Nothing Ready Acknowledged Drained Verdict Approval Bake Window Paused Parked Good Drift Platform";
const WHYS: &str = "Verdict Deadline Unready Aborted Superseded RolledBack Drift";
const EVENTS: &str = "Serving Replaced Started Reached Accepted Overridden Skipped Lost Promoted WindowClosed GoingBack \
    Halted Recovered Adopted Parked Resumed Ended";
