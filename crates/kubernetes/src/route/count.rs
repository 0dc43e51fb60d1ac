//! Whether requests that were counted say that nobody divides by an older split any more.
//!
//! **The question.** k data planes carry the route; `p` is the share of slot 1 in the new split, `q` the one in an older
//! split. If those that still apply the older one get at least one k-th of the requests, then a request goes to slot 1 with
//! probability at least (for q > p; else at most) `p' = p + (q - p) / k`. Of n requests x went to slot 1.
//!
//! **The test.** The older split is excluded where so few (many) would be rarer than alpha:
//! `P(X <= x) <= alpha, X ~ Binomial(n, p')`, exactly, as [`serin_analysis::rarer_than`] sums it. A greater part on the
//! older split only makes x rarer, by stochastic order. Data planes choose a backend at random for each request (Envoy:
//! `weighted_clusters`), and how requests come to the data planes only matters on average: a sum of independent trials
//! that differ in their probabilities is tighter around its mean than the binomial one (W. Hoeffding, *On the
//! distribution of the number of successes in independent trials*, Ann. Math. Statist. 27, 1956, theorem 5).
//!
//! **How many requests.** The least n, as far as doubling and halving finds it, with which the test excludes the older
//! split with probability 99 % once all data planes apply the new one. It depends on p, q, k and alpha and not on what
//! was counted, so that a window is judged once. For one k-th of the requests, alpha 500 in a million (the first window):
//!
//! | from → to | k = 1 | 2 | 4 | 8 |
//! |---|---|---|---|---|
//! | 25 % → 0 | 27 | 57 | 118 | 240 |
//! | 10 % → 0 | 73 | 149 | 301 | 605 |
//! | 50 % → all | 11 | 27 | 57 | 118 |
//! | 95 % → all | 149 | 301 | 605 | 1213 |
//! | 0 → 10 % | 44 | 853 | 4033 | 17164 |
//! | 10 % → 25 % | 197 | 928 | 3983 | 16442 |
//!
//! Where more than [`MOST`] were needed the two splits are too near to each other.
use serin_analysis::rarer_than;
use serin_rollout::{FULL, Pair, Split};

/// The most requests of a window. More are not waited for.
pub(super) const MOST: u64 = 200_000;
/// How rare counts may be under the split that they should follow, to either side, in parts of a million.
const FIT_PPM: u32 = 100;
/// How often the test may miss that everything is as it should be, in parts of a million.
const MISS_PPM: u32 = 10_000;
const MILLION: u32 = 1_000_000;

/// A new split against an older one, turned so that the older one gives more to the slot that is counted.
#[derive(Clone, Copy)]
struct Contest {
    /// The share of that slot in the new split, in parts of a million.
    new: u32,
    /// The share that the requests have while one of the data planes applies the older one.
    mixed: u32,
    /// The slot.
    slot: usize,
}

fn contest(new: Split, older: Split, planes: u32) -> Option<Contest> {
    let slot = usize::from(older.share(1) > new.share(1));
    let (new, older) = (u32::from(new.share(slot)), u32::from(older.share(slot)));
    let per_bp = MILLION / u32::from(FULL);
    let difference = older.saturating_sub(new) * per_bp / planes.max(1); // rounded down: harder to tell
    (difference > 0).then_some(Contest { new: new * per_bp, mixed: new * per_bp + difference, slot })
}

impl Contest {
    /// Whether `hits` of `trials` on the slot are too few for the older split.
    fn excludes(self, hits: u64, trials: u64, alpha_ppm: u32) -> bool {
        rarer_than(trials, trials - hits, MILLION - self.mixed, alpha_ppm)
    }

    /// Whether `trials` exclude the older split nearly always when it is gone.
    fn suffices(self, trials: u64, alpha_ppm: u32) -> bool {
        if !self.excludes(0, trials, alpha_ppm) {
            return false;
        }
        let (mut yes, mut no) = (0, trials + 1); // the most hits that still exclude it
        while no - yes > 1 {
            let middle = yes + (no - yes) / 2;
            if middle <= trials && self.excludes(middle, trials, alpha_ppm) { yes = middle } else { no = middle }
        }
        rarer_than(trials, yes + 1, self.new, MISS_PPM)
    }
}

/// How many requests it takes to see that none of `planes` data planes applies `older` instead of `new`. `None` where
/// that cannot be seen by counting.
pub(super) fn needed(new: Split, older: Split, planes: u32, alpha_ppm: u32) -> Option<u64> {
    let contest = contest(new, older, planes)?;
    let mut enough = 1;
    while !contest.suffices(enough, alpha_ppm) {
        enough *= 2;
        if enough > 2 * MOST {
            return None;
        }
    }
    let mut few = enough / 2;
    while enough - few > 1 {
        let middle = few + (enough - few) / 2;
        if contest.suffices(middle, alpha_ppm) { enough = middle } else { few = middle }
    }
    Some(enough).filter(|enough| *enough <= MOST)
}

/// Whether the counts say that none of `planes` data planes applies `older` instead of `new`.
pub(super) fn excludes(counts: Pair<u64>, new: Split, older: Split, planes: u32, alpha_ppm: u32) -> bool {
    let trials = counts[0].saturating_add(counts[1]);
    contest(new, older, planes).is_some_and(|contest| contest.excludes(counts[contest.slot], trials, alpha_ppm))
}

/// Whether the counts may have come of `split` alone. Of a slot without a share not one may have been.
pub(super) fn fits(counts: Pair<u64>, split: Split) -> bool {
    let trials = counts[0].saturating_add(counts[1]);
    (0..2).all(|slot| {
        let rate = u32::from(split.share(slot)) * (MILLION / u32::from(FULL));
        !rarer_than(trials, counts[slot], rate, FIT_PPM)
    })
}

#[cfg(test)]
mod tests;
