//! Quantiles of the histogram against the exact ones of the sorted data: never below, and less than a factor 2^(1/8) above.

use serin_analysis::{Check, Latency, Method, Metric, OVERFLOW_NS, Sample, Value, Window, measure};

/// SplitMix64: small, seeded, good enough to scatter test data.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

fn value(of: Latency, sample: &Sample) -> u64 {
    let check = Check { method: Method::Point, ..Check::new(Metric::Latency { of, max_ns: 1_000_000_000 }) };
    let check = Check { min_samples: 1, ..check };
    let window = Window { round: sample.clone(), step: sample.clone(), restarted: false };
    match measure(&check, &window).value {
        Some(Value::Ns(ns)) => ns,
        other => panic!("expected an upper bound, got {other:?}"),
    }
}

fn exact_quantile(sorted: &[u64], per_hundred: usize) -> u64 {
    sorted[(sorted.len() * per_hundred).div_ceil(100).max(1) - 1]
}

/// `bound` is not below `exact` and bound^8 < 2 exact^8 (in logarithms, with room for nothing but the float's own error).
fn assert_tight(bound: u64, exact: f64, what: &str) {
    assert!(bound as f64 >= exact * (1.0 - 1e-12), "{what}: {bound} is below {exact}");
    let factor = bound as f64 / exact.max(1024.0);
    assert!(factor < 2_f64.powf(0.125) * (1.0 + 1e-9), "{what}: {bound} is {factor} times {exact}");
}

#[test]
fn bounds_hold_for_many_shapes_of_data() {
    let mut random = Random(20_261_121);
    for round in 0..2_000 {
        let size = 1 + random.below(400) as usize;
        let shape = round % 5;
        let mut data: Vec<u64> = (0..size)
            .map(|_| match shape {
                0 => random.below(2_000_000_000),
                1 => 1 << random.below(39),
                2 => (1 << random.below(39)) + random.below(1_000),
                3 => {
                    20_000_000
                        + if random.below(100) == 0 { random.below(3_000_000_000) } else { random.below(1_000_000) }
                }
                _ => random.next() >> (25 + random.below(39)),
            })
            .map(|nanos| nanos.min(OVERFLOW_NS - 1))
            .collect();
        let mut sample = Sample { finished: size as u64, ..Sample::default() };
        data.iter().for_each(|nanos| sample.latency.record(*nanos));
        data.sort_unstable();
        for (of, per_hundred) in [(Latency::P50, 50), (Latency::P90, 90), (Latency::P99, 99)] {
            let exact = exact_quantile(&data, per_hundred);
            assert_tight(value(of, &sample), exact as f64, &format!("shape {shape} p{per_hundred} of {size}"));
        }
        // Each of the small ones may be reported as 1023 ns, so the mean's bound is measured against that.
        let mean = data.iter().map(|nanos| (*nanos).max(1023) as f64).sum::<f64>() / size as f64;
        assert_tight(value(Latency::Mean, &sample).max(1023), mean, &format!("shape {shape} mean of {size}"));
        let plain = data.iter().sum::<u64>() as f64 / size as f64;
        assert!(value(Latency::Mean, &sample) as f64 >= plain, "shape {shape}: the mean's bound is not below the mean");
    }
}

#[test]
fn the_factor_is_really_reached() {
    let worst = (0..240)
        .map(|index| {
            let floor = serin_analysis::bucket_floor(index).max(1024);
            let mut sample = Sample { finished: 1, ..Sample::default() };
            sample.latency.record(floor.min(OVERFLOW_NS - 1));
            value(Latency::P50, &sample) as f64 / floor as f64
        })
        .fold(0.0, f64::max);
    assert!(worst > 1.0905 && worst < 1.0906, "{worst}");
}
