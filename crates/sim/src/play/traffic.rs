//! The requests of users: how many go where, how they are answered, and what waits while nothing is ready.
use super::draw::hits;
use crate::simulator::Random;
use serin_analysis::{Sample, bucket};
use serin_rollout::{Pair, Slot, Split};
use std::collections::VecDeque;

/// What became of the requests so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Answered well.
    pub answered: u64,
    /// Answered with an error by the new revision itself.
    pub failed: u64,
    /// Not answered: nothing was ready for too long, or an instance ended in the middle of them.
    pub lost: u64,
}

impl Tally {
    /// All of them.
    pub const fn sent(&self) -> u64 {
        self.answered + self.failed + self.lost
    }
}

/// What the data plane knows in one stretch of time.
pub(super) struct Roads {
    pub rate: u32,
    pub split: Split,
    /// Where it may send by itself what a slot refuses.
    pub fallback: Option<Split>,
    pub ready: Pair<u16>,
    pub errors_ppm: Pair<u32>,
    pub slow_ms: Pair<u64>,
    pub hold_max: u64,
    pub hold_ms: u64,
}

impl Roads {
    /// The slot that serves what `slot` should and cannot.
    pub fn stand_in(&self, slot: Slot) -> Option<Slot> {
        let there = |k: &Slot| self.ready[*k] > 0 && self.fallback.is_some_and(|split| split.reaches(*k));
        if self.ready[slot] > 0 { Some(slot) } else { (0..2).find(there) }
    }

    /// How many of `count` requests each slot is meant to get.
    fn shares(&self, random: &mut Random, count: u64) -> Pair<u64> {
        let second = match self.split {
            Split::Weighted(shares) => hits(random, count, u64::from(shares[1]) * 100),
            Split::Members(members) => {
                let [a, b] = [0, 1].map(|k: Slot| u64::from(members[k].min(self.ready[k])));
                let part = (b * 1_000_000).checked_div(a + b);
                hits(random, count, part.unwrap_or(if members[0] == 0 { 1_000_000 } else { 0 }))
            }
        };
        [count - second, second]
    }
}

/// Milliseconds that a healthy answer takes, each as likely as the others.
const ANSWERS_MS: [u64; 12] = [3, 4, 5, 6, 7, 9, 11, 14, 18, 24, 33, 55];
/// Their mean.
const MEAN_MS: u64 = 16;

/// Counters, and the requests that wait.
#[derive(Default)]
pub(super) struct Traffic {
    pub counters: Pair<Sample>,
    pub tally: Tally,
    held: VecDeque<(u64, u64)>,
    carry: u64,
    sent: Pair<u64>,
    bad: u64,
}

impl Traffic {
    /// Whether requests wait for an instance.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Requests that a slot got.
    pub fn sent(&self, slot: Slot) -> u64 {
        self.sent[slot]
    }

    /// Requests that a fault spoiled.
    pub fn bad(&self) -> u64 {
        self.bad
    }

    /// What users send in the `length_ms` before `now_ms`.
    pub fn pass(&mut self, random: &mut Random, roads: &Roads, now_ms: u64, length_ms: u64) {
        let exact = self.carry + u64::from(roads.rate) * length_ms;
        self.carry = exact % 1_000;
        let count = hits(random, exact / 1_000 * 2, 500_000); // people do not send evenly
        let shares = roads.shares(random, count);
        for (slot, share) in shares.into_iter().enumerate().filter(|(_, share)| *share > 0) {
            let reached = roads.split.reaches(slot);
            match roads.stand_in(slot).filter(|_| reached) {
                Some(by) => self.answer(random, roads, by, share, 0),
                None => self.hold(roads, share, now_ms),
            }
        }
        self.release(random, roads, now_ms);
    }

    fn answer(&mut self, random: &mut Random, roads: &Roads, slot: Slot, count: u64, waited_ms: u64) {
        let failed = hits(random, count, u64::from(roads.errors_ppm[slot]));
        self.tally.failed += failed;
        self.tally.answered += count - failed;
        self.sent[slot] += count;
        self.bad += if roads.slow_ms[slot] > 0 { count } else { failed };
        let counters = &mut self.counters[slot];
        counters.finished += count;
        counters.failed += failed;
        let mut rest = count;
        for (i, ms) in ANSWERS_MS.iter().enumerate() {
            let here = hits(random, rest, 1_000_000 / (ANSWERS_MS.len() - i) as u64);
            rest -= here;
            counters.latency.add_to(bucket((ms + waited_ms + roads.slow_ms[slot]) * 1_000_000), here);
        }
    }

    fn hold(&mut self, roads: &Roads, count: u64, now_ms: u64) {
        let waiting: u64 = self.held.iter().map(|(_, count)| count).sum();
        let taken = count.min(roads.hold_max.saturating_sub(waiting));
        self.tally.lost += count - taken;
        if taken > 0 {
            self.held.push_back((now_ms, taken));
        }
    }

    /// What waits is answered as soon as anything that the split reaches is ready, and given up after its time.
    fn release(&mut self, random: &mut Random, roads: &Roads, now_ms: u64) {
        let open = (0..2).find_map(|slot| roads.stand_in(slot).filter(|_| roads.split.reaches(slot)));
        while let Some((since, count)) = self.held.front().copied() {
            let waited = now_ms - since;
            if let Some(slot) = open {
                self.answer(random, roads, slot, count, waited);
            } else if waited >= roads.hold_ms {
                self.tally.lost += count;
            } else {
                return;
            }
            self.held.pop_front();
        }
    }

    /// Nothing will be ready any more: what waits is lost.
    pub fn give_up(&mut self) {
        self.tally.lost += self.held.drain(..).map(|(_, count)| count).sum::<u64>();
    }

    /// An instance of `slot` ended: the requests that it was answering are lost. The track is judged by them.
    pub fn break_off(&mut self, random: &mut Random, roads: &Roads, slot: Slot) {
        let ready = u64::from(roads.ready[slot].max(1));
        let share = u64::from(roads.split.share(slot));
        let open = u64::from(roads.rate) * share * (MEAN_MS + roads.slow_ms[slot]) / 1_000 / 10_000 / ready;
        let lost = hits(random, open * 2, 500_000);
        self.tally.lost += lost;
        self.counters[slot].finished += lost;
        self.counters[slot].failed += lost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roads(split: Split, fallback: Option<Split>, ready: Pair<u16>) -> Roads {
        Roads {
            rate: 1_000,
            split,
            fallback,
            ready,
            errors_ppm: [0, 200_000],
            slow_ms: [0, 0],
            hold_max: 500,
            hold_ms: 1_000,
        }
    }

    #[test]
    fn every_request_is_counted_once_and_goes_where_the_split_says() {
        let (mut traffic, mut random) = (Traffic::default(), Random(3));
        let roads = roads(Split::share_to(1, 2_500), None, [2, 2]);
        for i in 1..=100 {
            traffic.pass(&mut random, &roads, i * 1_000, 1_000);
        }
        let sent = traffic.tally.sent();
        assert!((95_000..105_000).contains(&sent), "{sent}");
        assert_eq!(sent, traffic.sent(0) + traffic.sent(1));
        assert_eq!(sent, traffic.counters[0].finished + traffic.counters[1].finished);
        assert!((23_000..27_000).contains(&traffic.sent(1)), "{}", traffic.sent(1));
        assert_eq!(traffic.counters[0].failed, 0);
        assert!((4_500..5_500).contains(&traffic.tally.failed), "{:?}", traffic.tally);
        assert_eq!(traffic.counters[1].latency.total(), traffic.sent(1));
    }

    #[test]
    fn a_slot_without_an_instance_is_stood_in_for_or_held_and_then_lost() {
        let mut random = Random(3);
        let mut saved = Traffic::default();
        saved.pass(&mut random, &roads(Split::share_to(1, 5_000), Some(Split::all(0, 2)), [2, 0]), 100, 100);
        assert_eq!((saved.tally.lost, saved.sent(1), saved.holds()), (0, 0, false));
        let mut alone = Traffic::default();
        let nothing = roads(Split::all(0, 2), None, [0, 0]);
        alone.pass(&mut random, &nothing, 100, 100);
        assert!(alone.holds() && alone.tally.sent() == 0);
        alone.pass(&mut random, &roads(Split::all(0, 2), None, [1, 0]), 500, 100);
        assert!(!alone.holds() && alone.tally.lost == 0 && alone.tally.answered > 100, "{:?}", alone.tally);
        for i in 1..=20 {
            alone.pass(&mut random, &nothing, 500 + i * 100, 100);
        }
        assert!(alone.tally.lost > 1_000, "more than may wait, and what waits for too long: {:?}", alone.tally);
    }
}
