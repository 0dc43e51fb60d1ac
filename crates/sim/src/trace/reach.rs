//! The last word on a change: the simulated world itself. What was seen before is put into it, the writes that were sent
//! land in it, and then whatever it offers happens, in every order, until it shows what was seen next.
use crate::env::Env;
use crate::state::{OLDER, Seen, Set, State, View};
use crate::subject::Subject;
use crate::trace::change::{Change, Look, is_part_route};
use crate::trace::writes::{fits, set_of, splits};
use crate::world::{Happening, World};
use serin_rollout::{Observation, Route, Split, Write};
use std::collections::{HashSet, VecDeque};

/// What may happen on one machine: instances come and go and fail, data planes are late, requests stay open. Nobody
/// scales a set or gives it another revision from outside.
const HERE: Env = Env { down: true, late: true, busy: true, lazy: true, revisions: 1, ..Env::CALM };

/// More states than any change between two looks has been seen to need.
const MOST: usize = 400_000;

/// Asks the world, and remembers what it has shown already.
#[derive(Debug, Default)]
pub struct Reach {
    known: HashSet<String>,
}

/// What a look shows, in the world's terms: where instances that go are counted as ready or not is left out.
#[derive(PartialEq, Eq, Hash, Clone, Debug)]
struct Shown {
    sets: [Counts; 2],
    late: bool,
    accepted: u16,
}

impl Reach {
    /// What cannot be reached, if anything.
    pub fn check(&mut self, change: &Change<'_>) -> Option<String> {
        if !fits(&change.before.seen) || !fits(&change.after.seen) {
            return None;
        }
        let key = format!("{:?}", (facts(change.before), facts(change.after), change.writes.len(), change.table));
        let key = change.writes.iter().fold(key, |key, sent| format!("{key}{:?}{}", sent.write, sent.done));
        if !self.known.insert(key) {
            return None;
        }
        let world = World::new(Subject::SOUND, (*change.before.plan).clone(), HERE);
        let target = shown(&world, change.after);
        let starts = starts(&world, change);
        let reached = starts.iter().any(|start| search(&world, change, *start, &target));
        (!reached)
            .then(|| format!("from {:?} the world never comes to {:?}", facts(change.before), facts(change.after)))
    }
}

/// The part of a look that the world has.
fn facts(look: &Look) -> (&[serin_rollout::SetSeen; 2], &Route, bool) {
    (&look.seen.set, &look.seen.route.accepted, look.seen.route.acked)
}

fn shown(world: &World, look: &Look) -> Shown {
    let sets = [0, 1].map(|k: usize| view(&set_of(&look.seen.set[k]), look.seen.set[k].fresh));
    Shown { sets, late: !look.seen.route.acked, accepted: world.route_id(look.seen.route.accepted) }
}

/// Of a set: its revision, how many are asked for, how many there are, how many of them stay ready, how many have open
/// requests, and whether others keep off.
type Counts = (u8, u8, u8, u8, u8, bool);

/// What can be compared of a set: what goes on in it only where the view is fresh, and its revision only where there is
/// anything.
fn view(set: &Seen, fresh: bool) -> Counts {
    let rev = if set.total() + set.desired == 0 { 0 } else { set.rev };
    let (usable, busy) = if fresh { (set.usable(), set.busy) } else { (u8::MAX, u8::MAX) };
    (rev, set.desired, set.total(), usable, busy, set.pinned && rev != 0)
}

/// The states that the older look may stand for.
fn starts(world: &World, change: &Change<'_>) -> Vec<State> {
    let seen = &change.before.seen;
    let mut state = world.nothing();
    state.accepted = world.route_id(seen.route.accepted);
    state.older = older(world, seen);
    // a table for other instances is on its way like a route is
    state.late = !seen.route.acked || change.table || change.died;
    state.status = world.status_id(change.before.status);
    let mut list = vec![state];
    for k in 0..2 {
        let known = set_of(&seen.set[k]);
        let all = if seen.set[k].fresh { known.ready..=known.ready } else { 0..=known.total() };
        let all: Vec<(u8, u8)> = all.flat_map(|ready| (0..=known.busy).map(move |ailing| (ready, ailing))).collect();
        list = list
            .iter()
            .flat_map(|state| all.iter().map(move |one| (state, *one)))
            .map(|(state, (ready, ailing))| {
                let mut state = *state;
                let set = Seen { ready, notready: known.total() - ready, ..known };
                state.set[k] = Set::counted(&set, ailing);
                state.view[k] = View { set, fresh: true };
                state
            })
            .collect();
    }
    list.iter_mut().for_each(|state| world.place(state));
    list
}

fn older(world: &World, seen: &Observation) -> [u16; OLDER] {
    let accepted: Vec<Split> = seen.route.accepted.splits().collect();
    let mut older = [0; OLDER];
    let others = splits(seen).into_iter().filter(|split| !accepted.contains(split));
    for (place, split) in older.iter_mut().zip(others) {
        *place = world.route_id(Route::plain(split));
    }
    older.sort_unstable_by_key(|id| (*id == 0, *id));
    older
}

/// Whether the world comes from `start` to `target`. Writes land in the order in which they were sent, those that are
/// known to be done all of them.
fn search(world: &World, change: &Change<'_>, start: State, target: &Shown) -> bool {
    let mut seen: HashSet<(State, usize)> = HashSet::new();
    let mut next = VecDeque::from([(start, 0)]);
    let mut offers = vec![];
    let last = change.writes.iter().rposition(|sent| sent.done).map_or(0, |at| at + 1);
    while let Some((state, landed)) = next.pop_front() {
        if !seen.insert((state, landed)) {
            continue;
        }
        if landed >= last && is_shown(world, change, &state, target) {
            return true;
        }
        if seen.len() > MOST {
            return true; // too large a service to be searched whole: the rules of each change are all that is asked
        }
        world.offers_outside(&state, &mut offers);
        let happens = |happening: &Happening| !matches!(happening, Happening::Want(_) | Happening::Sync(_));
        let after = offers.iter().filter(|one| happens(one)).filter_map(|one| world.step(&state, *one));
        next.extend(after.map(|state| (unbroken(state), landed)));
        if let Some(sent) = change.writes.get(landed) {
            next.extend(land(world, &state, &sent.write).map(|state| (state, landed + 1)));
            if !sent.done {
                next.push_back((state, landed + 1));
            }
        }
    }
    false
}

fn is_shown(world: &World, change: &Change<'_>, state: &State, target: &Shown) -> bool {
    let fresh = [0, 1].map(|k: usize| change.after.seen.set[k].fresh);
    let sets = [0, 1].map(|k: usize| view(&state.set[k].seen(), fresh[k]));
    let same = state.accepted == target.accepted;
    let route = same || is_part_route(&world.route(target.accepted), &world.route(state.accepted));
    sets == target.sets && state.late == target.late && route
}

/// The write takes effect. Whether it was sound is judged elsewhere, on what was really read before it.
fn land(world: &World, state: &State, write: &Write) -> Option<State> {
    if *write == Write::Claim {
        return Some(*state);
    }
    let mut state = *state;
    state.flight.write = world.write_id(canonical(write));
    world.step(&state, Happening::Land).map(unbroken)
}

/// The revision as [`set_of`] names it.
fn canonical(write: &Write) -> Write {
    let name = |rev: serin_rollout::Rev| serin_rollout::Rev(rev.0 % 200 + 1);
    match *write {
        Write::Resize { slot, to, rev, pin } => Write::Resize { slot, to, rev: name(rev), pin },
        Write::Rewrite { slot, rev } => Write::Rewrite { slot, rev: name(rev) },
        Write::Claim | Write::Route(_) => *write,
    }
}

/// Nothing is owed and nothing is broken: only what may happen is asked here.
fn unbroken(state: State) -> State {
    State { broken: 0, debt: [0; 2], flight: Default::default(), ..state }
}
