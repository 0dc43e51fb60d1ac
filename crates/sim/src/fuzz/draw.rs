//! What the world may show in a state that was reached, drawn anew.
//!
//! Free in every round, in the exact searches as here: which of the armed timers are due, the verdict and the key that it
//! names, what people ask for (any number of things at once, under the present key or an old one), how many of the ready
//! instances are healthy, and why the last write failed.
//!
//! Perturbed, each by something that may happen at any moment without anybody's doing:
//! * of a set whose view is what there is: instances fail or become ready, and the platform removes surplus;
//! * open requests end;
//! * data planes confirm the route, or one forgets an older one, as long as the route is not confirmed;
//! * a data plane comes back that still applies an older route of this very place, and nothing is confirmed any more;
//! * the controller dies and starts anew: it has seen both sets, and has not claimed anything;
//! * the claim lands, or a write that changes nothing is repeated: a view becomes older than the own last write.
use super::places::Seen;
use crate::choice;
use crate::simulator::Random;
use serin_rollout::{
    FULL, Intent, Observation, Plan, Refusal, Rev, SetSeen, Split, Status, StepKey, Timer, Timers, Verdict, WriteError,
};

/// What is known of a place.
pub struct Known {
    /// Its plan.
    pub plan: Plan,
    /// The splits of every route that is accepted in it.
    pub splits: Vec<Split>,
    /// The highest revision that people want in it.
    pub revisions: u32,
}

/// Draws an observation of `from` into `out`.
pub fn draw(random: &mut Random, known: &Known, from: &Seen, out: &mut Observation) {
    let Observation { claimed, set, ref route, intent, .. } = from.seen;
    (out.claimed, out.set) = (claimed, set);
    (out.route.accepted, out.route.acked) = (route.accepted, route.acked);
    out.route.in_force.clear();
    out.route.in_force.extend_from_slice(&route.in_force);
    out.due = due(random, &from.status);
    out.verdict = verdict(random, &from.status);
    out.intent = people(random, known, &from.status, intent.wanted);
    out.failed = failure(random);
    perturb(random, known, from, out);
    for set in &mut out.set {
        set.healthy = if random.below(2) == 0 { set.ready } else { random.below(u32::from(set.ready) + 1) as u16 };
    }
}

/// A part of the armed timers, every fourth time all of them.
fn due(random: &mut Random, status: &Status) -> Timers {
    let all = random.below(4) == 0;
    let armed = Timer::ALL.into_iter().filter(|timer| status.timer(*timer).is_some());
    choice::timers(armed.filter(|_| all || random.below(3) == 0))
}

/// The present key, or one of an attempt or a rollout that is over.
fn key(random: &mut Random, status: &Status) -> Option<StepKey> {
    let key = status.now();
    Some(match random.below(8) {
        0 => StepKey { attempt: key.attempt.wrapping_add(1), ..key },
        1 => StepKey { rollout: key.rollout.wrapping_add(1), ..key },
        _ => key,
    })
}

fn verdict(random: &mut Random, status: &Status) -> Option<(StepKey, Verdict)> {
    let verdict = match random.below(10) {
        0..=3 => Verdict::Pass,
        4 => Verdict::Fail,
        5 => Verdict::Inconclusive,
        6 => Verdict::Error,
        _ => return None,
    };
    key(random, status).map(|key| (key, verdict))
}

fn people(random: &mut Random, known: &Known, status: &Status, wanted: Rev) -> Intent {
    let mut intent = Intent::of(wanted);
    if random.below(16) == 0 {
        intent.wanted = Rev(1 + random.below(known.revisions.max(2)));
    }
    let mut asked = random.below(4); // often nothing, seldom three things at once
    while asked > 1 {
        asked -= 1;
        let rollout = Some(status.rollout.wrapping_sub(u32::from(random.below(8) == 0)));
        match random.below(11) {
            0 => intent.abort = rollout,
            1 => intent.rollback = rollout,
            2 => intent.park = rollout,
            3 => intent.retire = rollout,
            4 => intent.pause = rollout,
            5 => intent.retry = rollout,
            6 => intent.resume = key(random, status),
            7 | 8 => intent.approved = key(random, status),
            9 => intent.promote = key(random, status).map(|key| (key, random.below(2) == 0)),
            _ => intent.weight = key(random, status).map(|key| (key, share(random))),
        }
    }
    intent
}

fn share(random: &mut Random) -> u16 {
    match random.below(4) {
        0 => 0,
        1 => FULL,
        2 => [1, 2_500, 5_000, 7_500][random.below(4) as usize],
        _ => random.below(u32::from(FULL) + 1) as u16,
    }
}

fn failure(random: &mut Random) -> Option<WriteError> {
    let slot = random.below(2) as usize;
    let refusals = [
        Refusal::Unpinned(slot),
        Refusal::Capacity,
        Refusal::Occupied(slot),
        Refusal::Unacknowledged,
        Refusal::Routed(slot),
        Refusal::Busy(slot),
        Refusal::Needed(slot),
        Refusal::Floor,
        Refusal::NotWhole(slot),
    ];
    match random.below(24) {
        at @ 0..9 => Some(WriteError::Refused(refusals[at as usize])),
        9 => Some(WriteError::Platform),
        10 => Some(WriteError::Conflict),
        _ => None,
    }
}

fn perturb(random: &mut Random, known: &Known, from: &Seen, out: &mut Observation) {
    for (set, current) in out.set.iter_mut().zip(from.current) {
        if current {
            happen(random, set);
        }
        if set.busy > 0 && random.below(4) == 0 {
            set.busy = 0;
        }
    }
    let route = &mut out.route;
    if route.acked && random.below(32) == 0 {
        route.acked = false;
        route.in_force.push(known.splits[random.below(known.splits.len() as u32) as usize]);
    } else if !route.acked && random.below(4) == 0 {
        route.acked = true;
        route.in_force.clear();
    } else if !route.in_force.is_empty() && random.below(4) == 0 {
        route.in_force.swap_remove(random.below(route.in_force.len() as u32) as usize);
    }
    match random.below(32) {
        0 | 1 => out.claimed = false,
        2 => out.set[random.below(2) as usize].fresh = false,
        3 => out.set.iter_mut().for_each(|set| set.fresh = false),
        _ => {}
    }
}

/// What may happen to a set before the next look at it.
fn happen(random: &mut Random, set: &mut SetSeen) {
    if set.total > set.desired && random.below(4) == 0 {
        let idle = set.total - set.ready;
        let ready = set.ready > 0 && (idle == 0 || random.below(2) == 0);
        set.total -= 1;
        set.ready -= u16::from(ready);
    }
    if random.below(4) == 0 {
        let most = if set.desired > 0 { set.total } else { set.ready };
        set.ready = random.below(u32::from(most) + 1) as u16;
    }
}
