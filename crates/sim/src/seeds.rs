//! Many seeds on all cores. What comes of them does not depend on how many cores there are.
use crate::configs::Flow;
use crate::progress::{Screen, Watched, short};
use crate::simulator::{self, Run, Stats};
use crate::subject::Subject;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Steps of a seed's safety phase.
pub const STEPS: u32 = 3_000;

/// Seeds that a thread takes at once.
const BATCH: u64 = 32;

/// Broken seeds whose stories are kept: the first ones.
const TOLD: usize = 3;

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Seeds {
    /// The first.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// In how many threads.
    pub threads: usize,
}

/// What came of many seeds.
#[derive(Default)]
pub struct Outcome {
    /// Seeds that were run.
    pub seeds: u64,
    /// What happened in all of them.
    pub stats: Stats,
    /// The same by strategy and size: how many seeds, and what happened in them.
    pub by_world: BTreeMap<(&'static str, u16), (u64, Stats)>,
    /// How many were broken.
    pub broken: u64,
    /// The first of those.
    pub stories: BTreeMap<u64, Run>,
}

impl Outcome {
    fn add(&mut self, seed: u64, run: Run) {
        self.seeds += 1;
        self.stats.add(&run.stats);
        let (seeds, stats) = self.by_world.entry((run.flow.map_or("given", Flow::name), run.replicas)).or_default();
        *seeds += 1;
        stats.add(&run.stats);
        if run.broken.is_some() {
            self.broken += 1;
            self.keep(seed, run);
        }
    }

    fn keep(&mut self, seed: u64, run: Run) {
        self.stories.insert(seed, run);
        while self.stories.len() > TOLD {
            self.stories.pop_last();
        }
    }

    fn join(&mut self, other: Outcome) {
        self.seeds += other.seeds;
        self.stats.add(&other.stats);
        for (world, (more, stats)) in other.by_world {
            let (seeds, sum) = self.by_world.entry(world).or_default();
            *seeds += more;
            sum.add(&stats);
        }
        self.broken += other.broken;
        other.stories.into_iter().for_each(|(seed, run)| self.keep(seed, run));
    }

    /// What happened by strategy and size, a line each.
    pub fn table(&self) -> String {
        let mut text = String::from(
            "flow          R    seeds      steps   writes failures  crashes late_writes succeeded returned   halted\n",
        );
        for ((flow, replicas), (seeds, stats)) in &self.by_world {
            let Stats { steps, rounds: _, writes, failures, crashes, zombies, succeeded, returned, halted } = stats;
            text += &format!(
                "{flow:<12} {replicas:>2} {seeds:>8} {steps:>10} {writes:>8} {failures:>8} {crashes:>8} \
                 {zombies:>11} {succeeded:>9} {returned:>8} {halted:>8}\n"
            );
        }
        text
    }
}

/// Runs them, and tells progress on `screen`.
pub fn run(subject: Subject, seeds: Seeds, screen: &Screen) -> Outcome {
    let (taken, done, sum) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::new(Outcome::default()));
    std::thread::scope(|scope| {
        let watched = Watched(screen);
        scope.spawn(|| screen.watch(|spent| progress(done.load(Relaxed), seeds.count, spent)));
        std::thread::scope(|workers| {
            for _ in 0..seeds.threads.max(1) {
                workers.spawn(|| {
                    let mut own = Outcome::default();
                    loop {
                        let from = taken.fetch_add(BATCH, Relaxed);
                        if from >= seeds.count {
                            break;
                        }
                        for seed in from..(from + BATCH).min(seeds.count) {
                            let seed = seeds.first.wrapping_add(seed);
                            own.add(seed, simulator::run(subject, seed, STEPS));
                            done.fetch_add(1, Relaxed);
                        }
                    }
                    sum.lock().unwrap_or_else(PoisonError::into_inner).join(own);
                });
            }
        });
        drop(watched);
    });
    sum.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn progress(done: u64, of: u64, spent: Duration) -> String {
    let rate = done as f64 / spent.as_secs_f64().max(0.001);
    let left = (of - done) as f64 / rate.max(0.001);
    format!("{} of {} seeds, {rate:.0}/s, {left:.0} s left", short(done), short(of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::guards::NoPermit;

    fn outcome(subject: Subject, first: u64, count: u64, threads: usize) -> Outcome {
        run(subject, Seeds { first, count, threads }, &Screen::default())
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let subject = Subject::with::<NoPermit>("no second key");
        let alone = outcome(subject, 1, 1_000, 1);
        assert_eq!(alone.seeds, 1_000);
        assert!(alone.stories.len() == TOLD && alone.broken > 3, "{}", alone.broken);
        for threads in [2, 5] {
            let together = outcome(subject, 1, 1_000, threads);
            assert_eq!((together.seeds, together.broken), (alone.seeds, alone.broken));
            assert_eq!((together.stats, &together.by_world), (alone.stats, &alone.by_world));
            let stories = |x: &Outcome| x.stories.iter().map(|(s, run)| (*s, run.story.clone())).collect::<Vec<_>>();
            assert_eq!(stories(&together), stories(&alone));
        }
    }

    #[test]
    fn a_broken_seed_is_broken_alone() {
        let subject = Subject::with::<NoPermit>("no second key");
        let many = outcome(subject, 1, 1_000, 2);
        let (seed, run) = many.stories.last_key_value().expect("this mutant is caught");
        let alone = outcome(subject, *seed, 1, 1);
        assert_eq!((alone.seeds, alone.broken), (1, 1));
        assert_eq!(alone.stories[seed].story, run.story);
        assert_eq!(alone.stories[seed].setting, run.setting);
    }

    #[test]
    fn worlds_add_up() {
        let all = outcome(Subject::SOUND, 1, 200, 2);
        assert_eq!(all.by_world.values().map(|(seeds, _)| seeds).sum::<u64>(), 200);
        assert_eq!(all.by_world.values().map(|(_, stats)| stats.steps).sum::<u64>(), all.stats.steps);
        assert_eq!(all.table().lines().count(), all.by_world.len() + 1);
    }
}
