//! Latencies in buckets that grow by about one percent, so that a long run costs no more memory than a short one.

/// Buckets per doubling: a value is reported at most 2^(1/64) − 1 = 1.1 % too high.
const PER_DOUBLING: f64 = 64.0;
/// Enough for 2^36 µs, which is 19 hours.
const BUCKETS: usize = 64 * 36;

/// Counts of latencies in microseconds.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    most: u64,
}

impl Histogram {
    /// An empty one.
    pub fn new() -> Self {
        Histogram { counts: vec![0; BUCKETS], total: 0, most: 0 }
    }

    /// Counts one latency of so many microseconds.
    pub fn add(&mut self, micros: u64) {
        let bucket = ((micros.max(1) as f64).log2() * PER_DOUBLING).ceil() as usize;
        self.counts[bucket.min(BUCKETS - 1)] += 1;
        self.total += 1;
        self.most = self.most.max(micros);
    }

    /// The latency in milliseconds that `share` (0..=1) of all did not exceed; 0 when there are none.
    pub fn quantile(&self, share: f64) -> f64 {
        let rank = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                let upper = (bucket as f64 / PER_DOUBLING).exp2();
                return upper.min(self.most as f64) / 1000.0;
            }
        }
        0.0
    }

    /// The largest latency in milliseconds, exact.
    pub fn most(&self) -> f64 {
        self.most as f64 / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_their_bound() {
        let mut histogram = Histogram::new();
        (1..=100_000).for_each(|micros| histogram.add(micros));
        for share in [0.01, 0.5, 0.9, 0.99, 0.999] {
            let (exact, said) = (share * 100.0, histogram.quantile(share));
            assert!(said >= exact && said <= exact * 1.012, "{share}: {said} for {exact}");
        }
        assert_eq!(histogram.most(), 100.0);
        assert_eq!(histogram.quantile(1.0), 100.0);
    }

    #[test]
    fn an_empty_one_says_nothing_took_time() {
        assert_eq!(Histogram::new().quantile(0.99), 0.0);
    }
}
