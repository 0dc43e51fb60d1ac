//! Where a mutant and the sound core part: the same state, the same observation, two decisions.
use super::Mutant;
use super::telling::Way;
use super::wording;
use crate::choice::Choice;
use crate::quiet::{Mode, Order};
use crate::state::State;
use crate::world::{Act, Happening, World};
use serin_rollout::{Decision, Observation, Plan, Status, Write, decide, permit};

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
pub(super) fn find(
    mutant: &Mutant,
    world: &World,
    way: &Way,
    quiet: &Way,
    stuck: Option<(Mode, Order)>,
) -> Option<Fork> {
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
fn at_the_end(world: &World, state: &State, (mode, order): (Mode, Order), line: usize) -> Option<Fork> {
    if world.quiet(state, mode, order).is_some() {
        return None;
    }
    let status = world.status(state.status);
    let choices = world.quiet_choices(state, mode);
    let ours = choices.into_iter().find_map(|choice| {
        let seen = world.seen(state, &choice);
        match decide(world.plan_of(state), &status, &seen) {
            Decision::Wait(_) => None,
            decision @ (Decision::Save(..) | Decision::Ask(_)) => {
                Some(says(world.plan_of(state), &status, &seen, &decision))
            }
        }
    })?;
    Some(Fork { line, waits: true, theirs: "does nothing any more".to_owned(), ours, refused: None })
}

fn at(world: &World, before: &State, by: Happening, line: usize) -> Option<Fork> {
    let (choice, act) = if let Happening::Round(choice) = by {
        (choice, world.decide(before, &world.status(before.status), choice).act)
    } else if let Happening::Somebody(id) = by {
        (Choice::QUIET, Act::Ask(id))
    } else {
        return None; // nobody decides anything
    };
    let status = world.status(before.status);
    let seen = world.seen(before, &choice);
    let ours = decide(world.plan_of(before), &status, &seen);
    let write = match act {
        Act::Ask(id) => Some(world.write(id)),
        Act::Save(_) | Act::Wait => None,
    };
    let theirs = match (act, write) {
        (_, Some(write)) => wording::write(&write, before.set.map(|set| u16::from(set.desired))),
        (Act::Save(next), None) => wording::saved(&world.status(next)),
        (Act::Wait | Act::Ask(_), None) => "waits".to_owned(),
    };
    let same = match (&ours, write) {
        (Decision::Ask(ours), Some(theirs)) => *ours == theirs,
        (Decision::Save(ours, _), None) => world.status_id(crate::choice::canonical(*ours)) == saved(act),
        (Decision::Ask(_) | Decision::Save(..) | Decision::Wait(_), _) => false,
    };
    let refusal = write.and_then(|write| permit(world.limits(before), &world.truth(before, choice.due), &write).err());
    if same && refusal.is_none() {
        return None;
    }
    let ours = match (by, same) {
        (Happening::Somebody(_), _) => "whoever asks, the second key is asked first".to_owned(),
        (_, true) => "decides the same, and reads again before it writes".to_owned(),
        // a phase that another tool saved says something else to us: only that it is not done is comparable
        (_, false) if settles(&ours) && !world.subject.ours => "does not do that".to_owned(),
        (_, false) => says(&world.plan, &status, &seen, &ours),
    };
    Some(Fork { line, waits: false, theirs, ours, refused: refusal.map(wording::refused) })
}

fn saved(act: Act) -> u16 {
    match act {
        Act::Save(id) => id,
        Act::Ask(_) | Act::Wait => u16::MAX,
    }
}

fn says(plan: &Plan, status: &Status, seen: &Observation, decision: &Decision) -> String {
    let write = match decision {
        Decision::Save(next, _) if next.phase == status.phase && next.armed != status.armed => {
            return "notes what it waits for, and waits".to_owned();
        }
        Decision::Save(next, _) => return wording::saved(next),
        Decision::Wait(on) => return format!("waits {}", wording::waits(*on)),
        Decision::Ask(write) => write,
    };
    let sizes = [seen.set[0].desired, seen.set[1].desired];
    let text = wording::write(write, sizes);
    match prepared(seen, write) {
        None => text,
        Some(seen) => format!("{text} first; then it {}", says(plan, status, &seen, &decide(plan, status, &seen))),
    }
}

/// Whether a promotion that is over is what is written down.
fn settles(decision: &Decision) -> bool {
    matches!(decision, Decision::Save(next, _) if matches!(next.phase, serin_rollout::Phase::Settling { .. }))
}

/// What is seen after a write that only prepares the next one: it fences, or it holds a set at the size that it has.
fn prepared(seen: &Observation, write: &Write) -> Option<Observation> {
    let mut seen = seen.clone();
    match *write {
        Write::Claim => seen.claimed = true,
        Write::Resize { slot, to, pin: true, .. } if to == seen.set[slot].desired && !seen.set[slot].pinned => {
            seen.set[slot].pinned = true;
        }
        Write::Resize { .. } | Write::Route(_) | Write::Rewrite { .. } => return None,
    }
    Some(seen)
}
