//! What happens and what is decided, in the words of somebody who watches.
use crate::choice::{Choice, Judged};
use crate::env::Person;
use crate::state::{Set, State};
use crate::world::{Act, Happening, World};
use serin_rollout::{
    Interrupted, Leg, Phase, Refusal, Route, Slot, Split, Status, Timers, Verdict, WaitingOn, Why, Write, WriteError,
};

pub(super) fn letter(slot: Slot) -> &'static str {
    ["A", "B"][slot]
}

/// What happens.
pub(super) fn happening(world: &World, before: &State, by: Happening) -> String {
    let set = |k: u8| letter(usize::from(k));
    let sizes = before.set.map(|set| u16::from(set.desired));
    let wrote = |id: u16| write(&world.write(id), sizes);
    match by {
        Happening::Round(choice) => round(world, before, &choice),
        Happening::Somebody(id) => format!("somebody {}", wrote(id)),
        Happening::Land => format!("what was sent takes effect: it {}", wrote(before.flight.write)),
        Happening::Lose => format!("what was sent is lost: it would have {}", wrote(before.flight.write)),
        Happening::ZombieLands => {
            format!("a write of the dead controller takes effect: it {}", wrote(before.zombie.write))
        }
        Happening::Crash(true) => "THE CONTROLLER DIES; what it sent is on its way".to_owned(),
        Happening::Crash(false) => "THE CONTROLLER DIES and starts anew".to_owned(),
        Happening::Down(k, _) => format!("AN INSTANCE OF {} FAILS", set(k)),
        Happening::Lower(k) => format!("THE AUTOSCALER SHRINKS {}", set(k)),
        Happening::Delete(k, at)
            if before.set[usize::from(k)].list().get(usize::from(at)).is_some_and(|i| i.is_ready()) =>
        {
            format!("a ready instance of {} is gone", set(k))
        }
        Happening::Delete(k, _) => format!("an instance of {} that was not ready is gone", set(k)),
        Happening::Ready(k, _) => format!("an instance of {} becomes ready", set(k)),
        Happening::Create(k) => format!("an instance of {} is created", set(k)),
        Happening::Idle(k, _) => format!("the open requests of {} end", set(k)),
        Happening::Want(rev) => format!("people want revision {rev}"),
        Happening::Ack => "every data plane has confirmed the route".to_owned(),
        Happening::Forget(_)
        | Happening::Sync(_)
        | Happening::Pick
        | Happening::Doubt
        | Happening::Edit(_)
        | Happening::Rescale(_)
        | Happening::RoundBlind(..)
        | Happening::SomebodyBlind(..)
        | Happening::Drift(_)
        | Happening::DieSaving(_)
        | Happening::ZombieSaves => crate::story::happening(world, before, by),
    }
}

fn round(world: &World, before: &State, choice: &Choice) -> String {
    let act = match world.decide(before, &world.status(before.status), *choice).act {
        Act::Save(next) => saved(&world.status(next)),
        Act::Ask(id) => write(&world.write(id), before.set.map(|set| u16::from(set.desired))),
        Act::Wait => "waits".to_owned(),
    };
    let because = reasons(choice);
    if because.is_empty() { format!("the controller {act}") } else { format!("{}: it {act}", because.join(", ")) }
}

fn reasons(choice: &Choice) -> Vec<String> {
    let verdict = |verdict: Verdict| match verdict {
        Verdict::Pass => "passes",
        Verdict::Fail => "fails",
        Verdict::Inconclusive => "says nothing",
        Verdict::Error => "cannot be asked",
    };
    let mut list = match choice.judged {
        Judged::Nothing => vec![],
        Judged::Now(now) => vec![format!("the analysis {}", verdict(now))],
        Judged::Stale(old) => vec![format!("an answer about something else {}", verdict(old))],
    };
    let Timers { bake, healthy, progress, drain, window } = choice.due;
    let due = [
        (bake, "the step's time is over"),
        (healthy, "the deadline is over"),
        (progress, "nothing made progress in time"),
        (drain, "the delay is over"),
        (window, "the rollback window is over"),
    ];
    list.extend(due.into_iter().filter(|(on, _)| *on).map(|(_, what)| what.to_owned()));
    list.extend(choice.person.map(|person| format!("a person {}", asked(person))));
    list
}

/// What a person does.
pub(super) fn asked(person: Person) -> String {
    let what = match person {
        Person::Abort => "aborts",
        Person::Rollback => "returns to the revision before",
        Person::Park => "leaves the canary as it is",
        Person::Retire => "removes what was released",
        Person::Resume => "goes on",
        Person::Pause => "pauses",
        Person::Retry => "asks for a new start",
        Person::Approve => "approves the step",
        Person::ApproveLate => "approves a step that is over",
        Person::Promote => "skips the step's acceptance",
        Person::PromoteLate => "promotes a step that is over",
        Person::PromoteAll => "promotes at once",
        Person::Weight(share) => return format!("gives the canary {}%", share / 100),
    };
    what.to_owned()
}

/// A write, as what it does to sets of these sizes.
pub(super) fn write(write: &Write, sizes: [u16; 2]) -> String {
    match *write {
        Write::Claim => "fences all objects".to_owned(),
        Write::Route(to) => format!("sends the traffic to {}", route(&to)),
        Write::Rewrite { slot, rev } => format!("rewrites {} in place as r{}", letter(slot), rev.0),
        Write::Resize { slot, to, rev, pin } => {
            let (set, size) = (letter(slot), sizes[slot]);
            match () {
                () if to == 0 => format!("stops all of {set}"),
                () if to < size => format!("stops {} of {set}", size - to),
                () if size == 0 => format!("starts {to} of r{} in {set}", rev.0),
                () if to > size => format!("starts {} more in {set}", to - size),
                () if pin => format!("holds {set} at {to} of r{}", rev.0),
                () => format!("lets others scale {set}"),
            }
        }
    }
}

/// A route, with the split that the data plane may return to by itself.
pub(super) fn route(route: &Route) -> String {
    let fallback = route.fallback.map_or_else(String::new, |to| format!(" (fallback {})", split(to)));
    format!("{}{fallback}", split(route.split))
}

fn split(split: Split) -> String {
    match split {
        Split::Members([0, 0]) => "nowhere".to_owned(),
        Split::Weighted([0, _]) | Split::Members([0, _]) => "B".to_owned(),
        Split::Weighted([_, 0]) | Split::Members([_, 0]) => "A".to_owned(),
        Split::Weighted([a, b]) => format!("A {}% B {}%", f64::from(a) / 100.0, f64::from(b) / 100.0),
        Split::Members([a, b]) => format!("{a} of A and {b} of B"),
    }
}

/// What a saved status says.
pub(super) fn saved(status: &Status) -> String {
    let what = match status.phase {
        Phase::Idle => "that the release is over".to_owned(),
        Phase::Step(at) if at.reached => format!("that step {} is reached", at.step),
        Phase::Step(at) => format!("that step {} begins", at.step),
        Phase::Settling { leg: Leg::Window, .. } => format!("that {} is promoted", letter(status.good)),
        Phase::Settling { leg: Leg::Retire, .. } => "that the other set may go".to_owned(),
        Phase::Settling { leg: Leg::Home, .. } if status.rev[0] != status.rev[1] => {
            "that the way home begins".to_owned()
        }
        Phase::Settling { leg: Leg::Home, .. } if status.proven == [true; 2] => "that the copy is whole".to_owned(),
        Phase::Settling { leg: Leg::Home, .. } => format!("that {} becomes a copy", letter(1 - status.good)),
        Phase::Back { .. } => format!("that it goes back to {}", letter(status.good)),
        Phase::Halted { from: Interrupted::Home { .. } } => {
            "that the copy failed; what serves goes on serving".to_owned()
        }
        Phase::Halted { .. } => "that it halts; what serves goes on serving".to_owned(),
        Phase::Parked { .. } => "that the canary stays until a person decides".to_owned(),
    };
    format!("writes down {what}")
}

/// What a wait is for.
pub(super) fn waits(on: WaitingOn) -> String {
    match on {
        WaitingOn::Nothing => "for another revision".to_owned(),
        WaitingOn::Ready(slot) => format!("until {} is ready; what serves goes on serving", letter(slot)),
        WaitingOn::Acknowledged => "until every data plane has confirmed the route".to_owned(),
        WaitingOn::Drained(slot) => format!("until {} has drained", letter(slot)),
        WaitingOn::Verdict(_) => "for the analysis of this step".to_owned(),
        WaitingOn::Approval(_) => "for a person's approval".to_owned(),
        WaitingOn::Bake => "until the step's time is over".to_owned(),
        WaitingOn::Window => "until the rollback window is over".to_owned(),
        WaitingOn::Paused => "for a person to resume".to_owned(),
        WaitingOn::Parked => "for the person who parked the canary".to_owned(),
        WaitingOn::Good(why) => format!("for the good set: {}", reason(why)),
        WaitingOn::Copy(slot) => format!("for the copy in {}; what serves goes on serving", letter(slot)),
        WaitingOn::Drift(slot) => format!("for somebody to undo the change of {} from outside", letter(slot)),
        WaitingOn::Platform(WriteError::Refused(refusal)) => format!("because {}", refused(refusal)),
        WaitingOn::Platform(WriteError::Platform | WriteError::Conflict) => "for the platform".to_owned(),
    }
}

fn reason(why: Why) -> &'static str {
    match why {
        Why::Verdict => "the analysis failed",
        Why::Deadline => "a deadline is over",
        Why::Unready => "instances are not ready",
        Why::Aborted => "a person aborted",
        Why::Superseded => "another revision is wanted",
        Why::RolledBack => "a person returned",
        Why::Drift => "somebody changed it from outside",
    }
}

/// Why the second key does not allow a write.
pub(super) fn refused(refusal: Refusal) -> String {
    match refusal {
        Refusal::Unpinned(slot) => format!("others may shrink {}, or it is shrinking", letter(slot)),
        Refusal::Capacity => "what is ready cannot carry it, and what is in force serves more".to_owned(),
        Refusal::Occupied(slot) => format!("{} exists with another revision", letter(slot)),
        Refusal::Unacknowledged => "a data plane may still apply an older route".to_owned(),
        Refusal::Routed(slot) => format!("instances of {} may get requests", letter(slot)),
        Refusal::Busy(slot) => format!("instances of {} have open requests", letter(slot)),
        Refusal::Needed(slot) => format!("what is left of {} would not carry every split in force", letter(slot)),
        Refusal::Floor => "fewer ready instances than the service needs would be left".to_owned(),
        Refusal::NotWhole(slot) => format!("{} is not whole", letter(slot)),
    }
}

/// A set, with what is surplus.
pub(super) fn set(set: &Set) -> String {
    if set.total() == 0 && set.desired == 0 {
        return "-".to_owned();
    }
    let going = set.total().saturating_sub(set.desired);
    let going = if going > 0 { format!(", {going} going") } else { String::new() };
    format!("r{} {}/{} ready{going}{}", set.rev, set.ready(), set.desired, if set.busy() > 0 { ", busy" } else { "" })
}

/// Where the traffic goes.
pub(super) fn traffic(world: &World, state: &State) -> String {
    let now = route(&world.route(state.accepted));
    let older: Vec<String> = state.older.iter().filter(|id| **id != 0).map(|id| route(&world.route(*id))).collect();
    match (state.late, older.is_empty()) {
        (true, false) => format!("{now}; somewhere still {}", older.join(", ")),
        (true, true) => format!("{now}; not confirmed"),
        (false, _) => now,
    }
}
