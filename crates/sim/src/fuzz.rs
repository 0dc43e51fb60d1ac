//! The two keys beside each other: whatever the first one asks for, the second one allows on the same view. Hundreds of
//! millions of inputs, each drawn from a state that an exact search reached ([`places`]), with everything that the world
//! may choose drawn anew ([`draw`]). On inputs that no world reaches the first key may ask for what the second refuses;
//! that is what the second key is for, and no flaw. What [`checks`] asks of every input besides holds anywhere.
//!
//! The inputs depend on the seed alone, not on the number of threads: each has a generator of its own.
use crate::simulator::Random;
use crate::subject::Subject;
use cells::{CELLS, IMPOSSIBLE, PHASES, WRITES};
use checks::{Answer, Flaw, Keys};
use draw::Known;
use places::{Place, Reached, Seen};
use serin_rollout::Observation;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

pub mod cells;
pub mod checks;
pub mod draw;
pub mod places;

/// Counts of inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// All.
    pub inputs: u64,
    /// Those on which a write is asked for at once, by cell.
    pub asks: [u64; CELLS],
    /// Those on which the second key refuses it.
    pub refused: u64,
    /// Those with any other flaw.
    pub flaws: u64,
    /// The longest chain of saves on one observation.
    pub saves: u32,
    /// The first flawed input, in words.
    pub first: Option<(u64, String)>,
}

impl Tally {
    const NONE: Tally = Tally { inputs: 0, asks: [0; CELLS], refused: 0, flaws: 0, saves: 0, first: None };

    fn add(&mut self, other: Tally) {
        self.inputs += other.inputs;
        self.refused += other.refused;
        self.flaws += other.flaws;
        self.saves = self.saves.max(other.saves);
        for (sum, more) in self.asks.iter_mut().zip(other.asks) {
            *sum += more;
        }
        self.first = self.first.take().into_iter().chain(other.first).min();
    }

    fn flawed(&mut self, index: u64, flaw: Flaw, input: &str) {
        match flaw {
            Flaw::Refused(..) => self.refused += 1,
            Flaw::Undetermined
            | Flaw::EmptySave
            | Flaw::EmptyWrite(_)
            | Flaw::NoSuchSlot(_)
            | Flaw::Circle
            | Flaw::Panicked => self.flaws += 1,
        }
        let earlier = self.first.as_ref().is_some_and(|(first, _)| *first <= index);
        if !earlier {
            self.first = Some((index, format!("input {index}: {flaw:?} for {input}")));
        }
    }
}

/// Inputs that a thread takes at once.
const CHUNK: u64 = 1 << 14;

/// Puts `inputs` drawn inputs to the keys.
pub fn fuzz(keys: Keys, reached: &Reached, seed: u64, inputs: u64, threads: usize) -> Tally {
    let phases: Vec<&[u32]> = reached.by_phase.iter().map(Vec::as_slice).filter(|list| !list.is_empty()).collect();
    let cells: Vec<&[u32]> = reached.by_cell.iter().map(Vec::as_slice).filter(|list| !list.is_empty()).collect();
    let next = AtomicU64::new(0);
    let work = || {
        let (mut tally, mut drawn) = (Tally::NONE, crate::enumerate::inputs::blank());
        loop {
            let from = next.fetch_add(CHUNK, Ordering::Relaxed);
            if from >= inputs {
                return tally;
            }
            for index in from..(from + CHUNK).min(inputs) {
                let (seen, mut random) = input(reached, &phases, &cells, seed, index);
                let known = &reached.known[seen.place];
                draw::draw(&mut random, known, seen, &mut drawn);
                judge(keys, known, seen, &drawn, index, &mut tally);
            }
        }
    };
    let mut all = Tally::NONE;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            all.add(worker.join().expect("panics of the keys are caught"));
        }
    });
    all
}

/// Inputs that are drawn from one state, one after the other.
const DRAWS: u64 = 8;

/// The state and the generator of an input. Every second state is one of a phase, the others lead to a cell, each as
/// likely as any other of its kind.
fn input<'a>(reached: &'a Reached, phases: &[&[u32]], cells: &[&[u32]], seed: u64, index: u64) -> (&'a Seen, Random) {
    let base = Random(seed).number();
    let which = index / DRAWS;
    let mut random = Random(base ^ which.wrapping_mul(0xd6e8_feb8_6659_fd93));
    let kinds = if which & 1 == 0 { phases } else { cells };
    let list = kinds[random.below(kinds.len() as u32) as usize];
    let seen = &reached.seen[list[random.below(list.len() as u32) as usize] as usize];
    (seen, Random(random.number() ^ index))
}

fn judge(keys: Keys, known: &Known, seen: &Seen, drawn: &Observation, index: u64, tally: &mut Tally) {
    let answer = catch_unwind(AssertUnwindSafe(|| checks::check(keys, known, &seen.status, drawn)));
    let answer = answer.unwrap_or(Answer { asks: None, saves: 0, flaw: Some(Flaw::Panicked) });
    tally.inputs += 1;
    tally.saves = tally.saves.max(answer.saves);
    if let Some(cell) = answer.asks {
        tally.asks[cell] += 1;
    }
    if let Some(flaw) = answer.flaw {
        tally.flawed(index, flaw, &format!("{:?}\n{:?}\n{drawn:?}", known.plan, seen.status));
    }
}

/// Inputs that every possible cell must see.
const LEAST: u64 = 100_000;
const QUICK: u64 = 200_000_000;
const LONG: u64 = 3_000_000_000;

/// Searches, draws, checks, and prints the table of cells on standard error. Whether all is well, and the keys of the
/// closing line.
pub fn perform(long: bool, seed: u64) -> (bool, String) {
    let list: Vec<Place> = places::places();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let reached = places::reach(&list, seed, threads);
    eprintln!("{} places, {} states, {} kept", list.len(), reached.states, reached.seen.len());
    let keys = Keys { decide: Subject::SOUND.decide, permit: serin_rollout::permit };
    let (inputs, began) = (if long { LONG } else { QUICK }, Instant::now());
    let tally = fuzz(keys, &reached, seed, inputs, threads);
    eprintln!("{inputs} inputs in {:.1} s", began.elapsed().as_secs_f64());
    tell(&tally);
    let impossible = |cell: usize| IMPOSSIBLE.iter().any(|(name, _)| *name == cells::name(cell));
    let possible = (0..CELLS).filter(|cell| !impossible(*cell));
    let least = possible.clone().map(|cell| tally.asks[cell]).min().unwrap_or(0);
    let contradicted = (0..CELLS).filter(|cell| impossible(*cell) && tally.asks[*cell] > 0).count();
    let keys = format!(
        "inputs={} asks={} refused={} flaws={} cells={} least={least} impossible={} contradicted={contradicted} longest_chain={} states={}",
        tally.inputs,
        tally.asks.iter().sum::<u64>(),
        tally.refused,
        tally.flaws,
        possible.count(),
        IMPOSSIBLE.len(),
        tally.saves,
        reached.states,
    );
    (tally.refused == 0 && tally.flaws == 0 && contradicted == 0 && least >= LEAST, keys)
}

fn tell(tally: &Tally) {
    eprintln!("{:<8}{}", "", WRITES.map(|name| format!("{name:>12}")).concat());
    for (row, name) in PHASES.iter().enumerate() {
        let cells = &tally.asks[row * WRITES.len()..][..WRITES.len()];
        eprintln!("{name:<8}{}", cells.iter().map(|n| format!("{n:>12}")).collect::<String>());
    }
    for (name, why) in IMPOSSIBLE {
        eprintln!("{name} cannot be: {why}");
    }
    if let Some((_, words)) = &tally.first {
        eprintln!("{words}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::NoAck;
    use serin_rollout::{Decision, Plan, Rev, Status, Write};

    const INPUTS: u64 = 200_000;

    fn few() -> Reached {
        places::reach(&places::few(), 7, 2)
    }

    fn sound() -> Keys {
        Keys { decide: Subject::SOUND.decide, permit: serin_rollout::permit }
    }

    #[test]
    fn the_keys_agree_and_the_inputs_do_not_depend_on_the_threads() {
        let reached = few();
        let tally = fuzz(sound(), &reached, 7, INPUTS, 1);
        assert_eq!((tally.refused, tally.flaws), (0, 0), "{:?}", tally.first);
        assert!(tally.inputs == INPUTS && tally.asks.iter().filter(|n| **n > 100).count() > 15, "{tally:?}");
        assert_eq!(tally, fuzz(sound(), &few(), 7, INPUTS, 3));
        assert_ne!(tally.asks, fuzz(sound(), &reached, 8, INPUTS, 2).asks);
    }

    #[test]
    fn a_first_key_that_does_not_wait_is_refused() {
        let keys = Keys { decide: Subject::with::<NoAck>("no acknowledgement").decide, ..sound() };
        let tally = fuzz(keys, &few(), 7, INPUTS, 2);
        assert!(tally.refused > 0 && tally.first.is_some(), "{tally:?}");
    }

    /// Asks again for what is there, saves what is saved, or panics.
    fn broken(plan: &Plan, status: &Status, seen: &Observation) -> Decision {
        assert!(!seen.due.healthy, "a key that cannot be late");
        match serin_rollout::decide(plan, status, seen) {
            Decision::Save(_, events) => Decision::Save(*status, events),
            Decision::Ask(Write::Route(_)) => Decision::Ask(Write::Route(seen.route.accepted)),
            decision @ (Decision::Ask(_) | Decision::Wait(_)) => decision,
        }
    }

    #[test]
    fn empty_saves_empty_writes_and_panics_are_flaws() {
        let reached = few();
        let tally = fuzz(Keys { decide: broken, ..sound() }, &reached, 7, 2_000, 2);
        assert!(tally.flaws > 0, "{tally:?}");
    }

    /// Saves for ever.
    fn restless(_: &Plan, status: &Status, _: &Observation) -> Decision {
        let turned = Status { rev: [status.rev[0], Some(Rev(status.rev[1].map_or(1, |rev| rev.0 ^ 1)))], ..*status };
        Decision::Save(turned, vec![])
    }

    #[test]
    fn saves_without_end_are_a_flaw() {
        let tally = fuzz(Keys { decide: restless, ..sound() }, &few(), 7, 100, 1);
        assert!(tally.first.is_some_and(|(_, words)| words.contains("Circle")) && tally.flaws == 100);
    }
}
