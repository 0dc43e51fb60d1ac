//! Where a mutant and the sound core part: the same state, the same observation, two decisions.
use super::Mutant;
use super::telling::Way;
use crate::choice::Choice;
use crate::quiet::Mode;
use crate::state::State;
use crate::story;
use crate::world::{Act, Happening, World};
use serin_rollout::{
    Decision, Observation, Plan, Refusal, Slot, Status, WaitingOn, Why, Write, WriteError, decide, permit,
};

/// Two decisions on the same observation.
pub(super) struct Fork {
    /// The line of the story.
    pub line: usize,
    /// The mutant does nothing from that line on.
    pub waits: bool,
    /// What the mutant does.
    pub theirs: String,
    /// What the sound core does.
    pub ours: String,
    /// Why the second key does not allow the mutant's write, if it is one and it does not.
    pub refused: Option<String>,
}

/// The place that explains most: where a mutant of our core first decides something else; of another tool, whose every
/// decision is another, the last one. A mutant that does nothing any more is asked at the end.
pub(super) fn find(mutant: &Mutant, world: &World, way: &Way, quiet: &Way, stuck: Option<Mode>) -> Option<Fork> {
    if let (Some(mode), Some((_, last))) = (stuck, quiet.last())
        && let Some(fork) = at_the_end(world, last, mode, way.len() + quiet.len() - 2)
    {
        return Some(fork);
    }
    let walk: Vec<_> = way.iter().chain(quiet.iter().skip(1)).collect();
    let places = (1..walk.len()).filter_map(|i| at(world, &walk[i - 1].1, walk[i].0?, i));
    let mut places: Vec<Fork> = places.collect();
    if places.is_empty() {
        None
    } else if mutant.subject.ours && !mutant.env.anybody {
        Some(places.swap_remove(0))
    } else {
        places.pop()
    }
}

/// The sound core, where the mutant has come to rest.
fn at_the_end(world: &World, state: &State, mode: Mode, line: usize) -> Option<Fork> {
    if world.quiet(state, mode).is_some() {
        return None;
    }
    let status = world.status(state.status);
    let choices = world.quiet_choices(&status, mode);
    let ours = choices.into_iter().find_map(|choice| {
        let seen = world.seen(state, &choice);
        match decide(&world.plan, &status, &seen) {
            Decision::Wait(_) => None,
            decision @ (Decision::Save(..) | Decision::Ask(_)) => Some(says(&world.plan, &status, &seen, &decision)),
        }
    })?;
    Some(Fork { line, waits: true, theirs: "does nothing any more".to_owned(), ours, refused: None })
}

fn at(world: &World, before: &State, by: Happening, line: usize) -> Option<Fork> {
    let (choice, act) = match by {
        Happening::Round(choice) => (choice, world.decide(before, &world.status(before.status), choice).act),
        Happening::Somebody(id) => (Choice::QUIET, Act::Ask(id)),
        _ => return None,
    };
    let status = world.status(before.status);
    let seen = world.seen(before, &choice);
    let ours = decide(&world.plan, &status, &seen);
    let write = match act {
        Act::Ask(id) => Some(world.write(id)),
        Act::Save(_) | Act::Wait => None,
    };
    let theirs = match (act, write) {
        (_, Some(write)) => format!("sends: {}", story::write(&write)),
        (Act::Save(next), None) => format!("saves {}", named(&world.status(next))),
        (Act::Wait | Act::Ask(_), None) => "waits".to_owned(),
    };
    let same = match (&ours, write) {
        (Decision::Ask(ours), Some(theirs)) => *ours == theirs,
        (Decision::Save(ours, _), None) => world.status_id(crate::choice::canonical(*ours)) == saved(act),
        (Decision::Ask(_) | Decision::Save(..) | Decision::Wait(_), _) => false,
    };
    let refusal = write.and_then(|write| permit(world.limits(), &world.truth(before, choice.due), &write).err());
    if same && refusal.is_none() {
        return None;
    }
    let ours = match (by, same) {
        (Happening::Somebody(_), _) => "whoever asks, the second key is asked first".to_owned(),
        (_, true) => "decides the same, and reads again before it writes".to_owned(),
        (_, false) => says(&world.plan, &status, &seen, &ours),
    };
    Some(Fork { line, waits: false, theirs, ours, refused: refusal.map(refused) })
}

fn saved(act: Act) -> u16 {
    match act {
        Act::Save(id) => id,
        Act::Ask(_) | Act::Wait => u16::MAX,
    }
}

/// A phase in words, with what it is about where the name does not say it.
fn named(status: &Status) -> String {
    format!("{}, with {} as the good set", story::phase(status), letter(status.good))
}

fn says(plan: &Plan, status: &Status, seen: &Observation, decision: &Decision) -> String {
    match decision {
        Decision::Save(next, _) => format!("saves {}", named(next)),
        Decision::Ask(Write::Claim) => {
            let seen = Observation { claimed: true, ..seen.clone() };
            let then = says(plan, status, &seen, &decide(plan, status, &seen));
            format!("fences all objects first, so that no older write can land; then it {then}")
        }
        Decision::Ask(write) => format!("sends: {}", story::write(write)),
        Decision::Wait(on) => format!("waits {}", waits(*on)),
    }
}

fn letter(slot: Slot) -> &'static str {
    ["A", "B"][slot]
}

fn waits(on: WaitingOn) -> String {
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
        WaitingOn::Good(why) => format!("for the good set, because of {}", reason(why)),
        WaitingOn::Copy(slot) => format!("for the copy in {}; what serves goes on serving", letter(slot)),
        WaitingOn::Drift(slot) => format!("for somebody to undo the change of {} from outside", letter(slot)),
        WaitingOn::Platform(WriteError::Refused(refusal)) => format!("because {}", refused(refusal)),
        WaitingOn::Platform(WriteError::Platform | WriteError::Conflict) => "for the platform".to_owned(),
    }
}

fn reason(why: Why) -> &'static str {
    match why {
        Why::Verdict => "a failed analysis",
        Why::Deadline => "a deadline",
        Why::Unready => "instances that are not ready",
        Why::Aborted => "an abort",
        Why::Superseded => "a newer revision",
        Why::RolledBack => "a rollback",
        Why::Drift => "a change from outside",
    }
}

fn refused(refusal: Refusal) -> String {
    match refusal {
        Refusal::Unpinned(slot) => format!("others may shrink {}, or it is shrinking", letter(slot)),
        Refusal::Capacity => "what is ready cannot carry it, and another split serves more".to_owned(),
        Refusal::Occupied(slot) => format!("{} exists with another revision", letter(slot)),
        Refusal::Unacknowledged => "a data plane may still apply an older route".to_owned(),
        Refusal::Routed(slot) => format!("instances of {} may get requests", letter(slot)),
        Refusal::Busy(slot) => format!("instances of {} have open requests", letter(slot)),
        Refusal::Needed(slot) => format!("what is left of {} would not carry every split in force", letter(slot)),
        Refusal::Floor => "less than the floor would be left".to_owned(),
        Refusal::NotWhole(slot) => format!("{} is not whole", letter(slot)),
    }
}
