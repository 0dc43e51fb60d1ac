//! Measuring, metric by metric.

use super::*;
use crate::Histogram;
use alloc::vec::Vec;

fn rate(min: &str) -> Metric {
    Metric::SuccessRate { min: Ppm::parse_percent(min).expect("a percentage") }
}

fn counts(finished: u64, failed: u64) -> Sample {
    Sample { finished, failed, latency: Histogram::default() }
}

fn both(sample: &Sample) -> Window {
    Window { round: sample.clone(), step: sample.clone(), restarted: false }
}

fn slow(fast: u64, slow: u64) -> Sample {
    let mut latency = Histogram::default();
    latency.add_to(crate::bucket(5_000_000), fast);
    latency.add_to(crate::bucket(900_000_000), slow);
    Sample { finished: fast + slow, failed: 0, latency }
}

fn point(metric: Metric) -> Check {
    Check { method: Method::Point, ..Check::new(metric) }
}

#[test]
fn a_broken_success_rate_is_worded_as_in_the_field() {
    let found = measure(&Check::new(rate("99")), &both(&counts(133, 41)));
    assert_eq!((found.result, found.text.as_str()), (Outcome::Fail, "success rate 69.17% < 99%"));
    assert_eq!(found.samples, 133);
    assert_eq!(found.value, Ppm::new(691_729).map(Value::Ppm));
    assert_eq!(found.limit, Some(Value::Ppm(Ppm::new(990_000).expect("in range"))));
}

#[test]
fn a_slow_quantile_is_worded_as_in_the_field() {
    let metric = Metric::Latency { of: Latency::P99, max_ns: 500_000_000 };
    let found = measure(&Check::new(metric), &both(&slow(100, 20)));
    assert_eq!((found.result, found.text.as_str()), (Outcome::Fail, "latency p99 903ms > 500ms"));
    let found = measure(&Check::new(metric), &both(&slow(1_000, 0)));
    assert_eq!((found.result, found.text.as_str()), (Outcome::Pass, "latency p99 5.439ms <= 500ms"));
    let found = measure(&Check::new(metric), &both(&slow(98, 2)));
    assert_eq!(found.result, Outcome::Inconclusive, "{}", found.text);
    assert_eq!(found.text, "latency p99 903ms > 500ms, but 100 requests prove nothing yet");
    assert_eq!(measure(&point(metric), &both(&slow(98, 2))).result, Outcome::Fail);
}

#[test]
fn the_mean_is_compared_over_the_step() {
    let metric = Metric::Latency { of: Latency::Mean, max_ns: 100_000_000 };
    let found = measure(&Check::new(metric), &both(&slow(50, 50)));
    assert_eq!((found.result, found.text.as_str()), (Outcome::Fail, "mean latency 455ms > 100ms"));
    let window = Window { round: slow(0, 30), step: slow(3_000, 30), restarted: false };
    assert_eq!(
        measure(&Check::new(metric), &window).result,
        Outcome::Fail,
        "30 slow ones in a round are 903 ms on average"
    );
    assert_eq!(measure(&Check::new(metric), &both(&slow(3_000, 30))).result, Outcome::Pass);
}

#[test]
fn proof_needs_enough_and_a_single_round_may_bring_it() {
    let check = Check::new(rate("99"));
    let small = measure(&check, &both(&counts(125, 2)));
    assert_eq!(small.result, Outcome::Inconclusive);
    assert_eq!(small.text, "success rate 98.40% < 99%, but 125 requests prove nothing yet");
    let late = Window { round: counts(125, 25), step: counts(100_125, 25), restarted: false };
    let found = measure(&check, &late);
    assert_eq!((found.result, found.text.as_str()), (Outcome::Fail, "success rate 80.00% < 99%"));
    let leak = Window { round: counts(125, 3), step: counts(1_500, 36), restarted: false };
    let found = measure(&check, &leak);
    assert_eq!((found.result, found.text.as_str()), (Outcome::Fail, "success rate 97.60% < 99%"));
    assert_eq!(found.samples, 1_500);
}

#[test]
fn exactly_at_the_limit_passes() {
    assert_eq!(measure(&point(rate("99")), &both(&counts(100, 1))).result, Outcome::Pass);
    assert_eq!(measure(&point(rate("99.0001")), &both(&counts(100, 1))).result, Outcome::Fail);
    assert_eq!(measure(&Check::new(rate("100")), &both(&counts(100_000, 1))).result, Outcome::Fail);
    assert_eq!(measure(&Check::new(rate("100")), &both(&counts(100_000, 0))).result, Outcome::Pass);
    let ceiling = crate::bucket_floor(crate::bucket(5_000_000) + 1) - 1;
    for (max_ns, result) in [(ceiling, Outcome::Pass), (ceiling - 1, Outcome::Fail)] {
        assert_eq!(measure(&point(Metric::Latency { of: Latency::P50, max_ns }), &both(&slow(40, 0))).result, result);
    }
}

#[test]
fn too_little_is_what_the_policy_says() {
    for (no_data, result) in
        [(NoData::Wait, Outcome::Inconclusive), (NoData::Fail, Outcome::Fail), (NoData::Pass, Outcome::Pass)]
    {
        for method in [Method::Point, Method::default()] {
            let check = Check { no_data, method, ..Check::new(rate("99")) };
            let found = measure(&check, &both(&counts(19, 19)));
            assert_eq!((found.result, found.value), (result, None));
            assert_eq!(found.text, "success rate: 19 requests of the 20 needed");
            let none = measure(&Check { min_samples: 0, ..check }, &both(&counts(0, 0)));
            assert_eq!((none.result, none.text.as_str()), (result, "success rate: 0 requests of the 1 needed"));
        }
    }
}

#[test]
fn a_slow_service_gathers_its_samples_over_the_step() {
    let window = Window { round: counts(5, 1), step: counts(20, 4), restarted: false };
    assert_eq!(measure(&Check::new(rate("99")), &window).result, Outcome::Fail);
    assert_eq!(measure(&point(rate("99")), &window).result, Outcome::Inconclusive, "Point looks at the round alone");
}

#[test]
fn counts_that_contradict_themselves_are_no_data() {
    let found = measure(&Check::new(rate("99")), &both(&counts(10, 11)));
    assert_eq!(found.result, Outcome::Error);
    assert!(found.text.starts_with("success rate unknown: "), "{}", found.text);
}

#[test]
fn what_takes_longer_than_can_be_told_is_over_every_limit() {
    let mut latency = Histogram::default();
    latency.add_to(crate::BUCKETS - 1, 30);
    let sample = Sample { finished: 30, failed: 0, latency };
    for of in [Latency::P50, Latency::P90, Latency::P99, Latency::Mean] {
        let check = Check::new(Metric::Latency { of, max_ns: OVERFLOW_NS - 1 });
        let found = measure(&check, &both(&sample));
        assert_eq!((found.result, found.value), (Outcome::Fail, Some(Value::AtLeastNs(OVERFLOW_NS))), "{}", found.text);
    }
}

/// Over a grid of small counts: a point estimate agrees with the definition, proof only ever fails what the point estimate fails too, and
/// more failures never look better.
#[test]
fn outcomes_are_consistent_for_all_small_counts() {
    let rank = |outcome: Outcome| match outcome {
        Outcome::Pass => 0,
        Outcome::Inconclusive => 1,
        Outcome::Fail => 2,
        Outcome::Error => 3,
    };
    for min in ["50", "90", "99", "99.9", "100"] {
        let metric = rate(min);
        let limit = u64::from(Ppm::parse_percent(min).expect("a percentage").get());
        for finished in 1..=150 {
            let mut ranks = Vec::new();
            for failed in 0..=finished {
                let window = both(&counts(finished, failed));
                let plain = measure(&Check { min_samples: 0, ..point(metric) }, &window).result;
                let proof = measure(&Check { min_samples: 0, ..Check::new(metric) }, &window).result;
                let holds = (finished - failed) * 1_000_000 >= finished * limit;
                assert_eq!(plain == Outcome::Pass, holds, "{min} {finished} {failed}");
                assert_eq!(proof == Outcome::Pass, holds, "{min} {finished} {failed}");
                ranks.push(rank(proof));
            }
            assert!(ranks.is_sorted(), "{min} {finished}: {ranks:?}");
        }
    }
}
