//! A latency histogram whose buckets grow by 2^(1/8), and the quantiles that it can promise.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Number of buckets: one for everything below 2^10 ns, then 8 for each power of two, the last of which (from 2^(39 + 7/8) ns, almost
/// 17 minutes, on) takes everything above as well.
pub const BUCKETS: usize = 8 * 30 + 1;

/// Where the last bucket begins, in nanoseconds. Nothing above it can be told apart, so no limit may lie above it.
pub const OVERFLOW_NS: u64 = bucket_floor(BUCKETS - 1);

/// 2^(i/8) with 63 bits of fraction for i = 1..=7, rounded up: an integer mantissa is at or above the root exactly when it is at or above this.
const ROOTS: [u64; 7] = [
    0x8b95_c1e3_ea8b_d6e7,
    0x9837_f051_8db8_a970,
    0xa5fe_d6a9_b151_38eb,
    0xb504_f333_f9de_6485,
    0xc567_2a11_5506_dade,
    0xd744_fcca_d69d_6af5,
    0xeac0_c6e7_dd24_392f,
];

/// The bucket whose half-open range holds `nanos`. Exact at every boundary.
#[must_use]
#[inline]
pub const fn bucket(nanos: u64) -> usize {
    if nanos < 1 << 10 {
        return 0;
    }
    let power = 63 - nanos.leading_zeros();
    let mantissa = nanos << nanos.leading_zeros();
    let mut eighth = 0;
    while eighth < ROOTS.len() && mantissa >= ROOTS[eighth] {
        eighth += 1;
    }
    let index = 8 * (power as usize - 10) + eighth + 1;
    if index < BUCKETS { index } else { BUCKETS - 1 }
}

/// The smallest number of nanoseconds that falls into bucket `index` (0 for the first; an index past the last stands for the last).
#[must_use]
pub const fn bucket_floor(index: usize) -> u64 {
    if index == 0 {
        return 0;
    }
    let index = if index < BUCKETS { index } else { BUCKETS - 1 };
    let (power, eighth) = (10 + (index - 1) / 8, (index - 1) % 8);
    if eighth == 0 {
        return 1 << power;
    }
    let shift = 63 - power;
    ROOTS[eighth - 1].div_ceil(1 << shift)
}

/// The largest number of nanoseconds that falls into bucket `index`; `None` for the last bucket, which has no end.
const fn bucket_ceiling(index: usize) -> Option<u64> {
    if index + 1 < BUCKETS { Some(bucket_floor(index + 1) - 1) } else { None }
}

/// A bound on a latency, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// No more than this.
    AtMost(u64),
    /// The last bucket is involved: this or anything above.
    AtLeast(u64),
}

/// How many requests took how long. Serialised sparsely, as pairs `[bucket, count]` in rising order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: Box<[u64; BUCKETS]>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]) }
    }
}

impl Histogram {
    /// Builds one from a count per bucket, in the order of [`bucket`].
    #[must_use]
    pub fn from_counts(counts: &[u64; BUCKETS]) -> Self {
        Self { counts: Box::new(*counts) }
    }

    /// Counts one request that took `nanos`.
    pub fn record(&mut self, nanos: u64) {
        self.add_to(bucket(nanos), 1);
    }

    /// Adds `count` requests to bucket `index`; an index past the last stands for the last.
    pub fn add_to(&mut self, index: usize, count: u64) {
        let cell = &mut self.counts[index.min(BUCKETS - 1)];
        *cell = cell.saturating_add(count);
    }

    /// The count of every bucket.
    #[must_use]
    pub fn counts(&self) -> &[u64; BUCKETS] {
        &self.counts
    }

    /// All requests in it.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// How many requests certainly took longer than `nanos`: those in buckets that lie wholly above it.
    #[must_use]
    pub fn above(&self, nanos: u64) -> u64 {
        self.counts[bucket(nanos) + 1..].iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// An upper bound of the quantile `per_hundred` / 100 (nearest rank: the smallest observed latency that at least that share of the
    /// requests does not exceed). `None` when there are no requests.
    ///
    /// The bound is the largest latency of the bucket that holds the quantile, so it is never below the true value and, from 2^10 ns up to
    /// the last bucket, less than a factor 2^(1/8) (9.06 %) above it; below 2^10 ns it is 1023 ns.
    pub(crate) fn quantile(&self, per_hundred: u64) -> Option<Bound> {
        let total = self.total();
        if total == 0 {
            return None;
        }
        let rank = (u128::from(total) * u128::from(per_hundred)).div_ceil(100).max(1);
        let mut seen = 0_u128;
        for (index, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= rank {
                return Some(bound(index));
            }
        }
        Some(bound(BUCKETS - 1))
    }

    /// An upper bound of the mean, with the same factor as a quantile's; requests in the last bucket count with its lower end, and then
    /// the result is only a lower bound. `None` when there are no requests.
    pub(crate) fn mean(&self) -> Option<Bound> {
        let mut total = 0_u128;
        let mut sum = 0_u128;
        for (index, count) in self.counts.iter().enumerate() {
            let each = bucket_ceiling(index).unwrap_or(OVERFLOW_NS);
            total += u128::from(*count);
            sum = sum.saturating_add(u128::from(each) * u128::from(*count));
        }
        if total == 0 {
            return None;
        }
        let mean = u64::try_from(sum.div_ceil(total)).unwrap_or(u64::MAX);
        Some(if self.counts[BUCKETS - 1] == 0 { Bound::AtMost(mean) } else { Bound::AtLeast(mean) })
    }

    /// What was counted since `earlier`, or `None` when some count went backwards.
    pub(crate) fn since(&self, earlier: &Self) -> Option<Self> {
        let mut result = Self::default();
        for (index, cell) in result.counts.iter_mut().enumerate() {
            *cell = self.counts[index].checked_sub(earlier.counts[index])?;
        }
        Some(result)
    }

    /// Adds what `other` counted.
    pub(crate) fn add(&mut self, other: &Self) {
        for (index, count) in other.counts.iter().enumerate() {
            self.add_to(index, *count);
        }
    }
}

fn bound(index: usize) -> Bound {
    bucket_ceiling(index).map_or(Bound::AtLeast(OVERFLOW_NS), Bound::AtMost)
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.counts.iter().enumerate().filter(|(_, count)| **count > 0))
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut result = Self::default();
        let mut lowest = 0;
        for (index, count) in Vec::<(usize, u64)>::deserialize(deserializer)? {
            if index < lowest || index >= BUCKETS {
                return Err(D::Error::custom("histogram buckets must rise from 0 to 240, each at most once"));
            }
            result.counts[index] = count;
            lowest = index + 1;
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_begins_where_the_one_below_ends() {
        for index in 1..BUCKETS {
            let floor = bucket_floor(index);
            assert_eq!(bucket(floor), index, "floor of {index}");
            assert_eq!(bucket(floor - 1), index - 1, "below the floor of {index}");
        }
        assert_eq!(bucket(0), 0);
        assert_eq!(bucket(1023), 0);
        assert_eq!(bucket(1024), 1);
        assert_eq!(bucket(1 << 40), BUCKETS - 1);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn a_boundary_is_the_eighth_root_of_two() {
        // floor^8 >= 2^(80 + i) and (floor - 1)^8 < 2^(80 + i), in exact arithmetic where it fits into 128 bits.
        for index in 1..=40 {
            let floor = u128::from(bucket_floor(index));
            let target = 1_u128 << (80 + index - 1);
            assert!(floor.pow(8) >= target, "{index}");
            assert!((floor - 1).pow(8) < target, "{index}");
        }
    }

    #[test]
    fn the_last_bucket_only_promises_a_lower_bound() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(99), None);
        assert_eq!(histogram.mean(), None);
        histogram.record(u64::MAX);
        assert_eq!(histogram.quantile(50), Some(Bound::AtLeast(OVERFLOW_NS)));
        assert_eq!(histogram.mean(), Some(Bound::AtLeast(OVERFLOW_NS)));
        assert_eq!(histogram.above(OVERFLOW_NS - 1), 1);
        assert_eq!(histogram.above(OVERFLOW_NS), 0, "it is in the same bucket, so it is not certainly above");
    }

    #[test]
    fn sparse_form_round_trips_and_refuses_disorder() {
        let mut histogram = Histogram::default();
        for nanos in [0, 5_000, 5_000, 1 << 30, u64::MAX] {
            histogram.record(nanos);
        }
        let text = serde_json::to_string(&histogram).expect("a histogram is plain data");
        assert_eq!(text, "[[0,1],[19,2],[161,1],[240,1]]");
        assert_eq!(serde_json::from_str::<Histogram>(&text).expect("own output"), histogram);
        for bad in ["[[241,1]]", "[[3,1],[3,1]]", "[[4,1],[3,1]]", "[[1,-1]]"] {
            assert!(serde_json::from_str::<Histogram>(bad).is_err(), "{bad}");
        }
    }
}
