//! How often the default checks roll back a release, by its true share of errors: the figures in the documentation of `Checks`.
//!
//! `cargo test -p serin-analysis --test false_alarms -- --nocapture` prints them.

use serin_analysis::{Check, Checks, History, Method, Metric, Ppm, Reading, Sample, Verdict, judge, measure};

const RELEASES: u32 = 20_000;
const STEPS: u32 = 10;
const ROUNDS_PER_STEP: u32 = 12;
const REQUESTS_PER_ROUND: usize = 125;
const SEED: u64 = 0x5e21;

/// SplitMix64 as a uniform number in [0, 1).
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Draws from the binomial distribution by its cumulative probabilities.
struct Binomial(Vec<f64>);

impl Binomial {
    fn new(trials: usize, rate: f64) -> Self {
        let mut term = (1.0 - rate).powi(trials as i32);
        let mut sum = 0.0;
        let cumulative = (0..=trials).map(|hits| {
            sum += term;
            term *= (trials - hits) as f64 / (hits + 1) as f64 * rate / (1.0 - rate);
            sum
        });
        Self(cumulative.collect())
    }

    fn draw(&self, random: &mut Random) -> u64 {
        let at = random.uniform();
        self.0.iter().position(|sum| at < *sum).unwrap_or(self.0.len() - 1) as u64
    }
}

/// Seconds until one release is rolled back, if it is.
fn release(checks: &Checks, errors: &Binomial, random: &mut Random) -> Option<f64> {
    let mut counters = Sample::default();
    let mut history = History::default();
    for step in 0..STEPS {
        let mut reading = Reading::begin(counters.clone());
        history = history.next_step();
        for round in 1..=ROUNDS_PER_STEP {
            counters.finished += REQUESTS_PER_ROUND as u64;
            counters.failed += errors.draw(random);
            let window = reading.next(counters.clone());
            let measurements: Vec<_> = checks.checks.iter().map(|check| measure(check, &window)).collect();
            let judgement = judge(checks, &history, &measurements);
            if judgement.verdict == Verdict::Fail {
                return Some(f64::from((step * ROUNDS_PER_STEP + round) * 5));
            }
            history = judgement.history;
        }
    }
    None
}

struct Found {
    share: f64,
    mean: f64,
    longest: f64,
}

fn simulate(method: Method, rate: f64, releases: u32) -> Found {
    let metric = Metric::SuccessRate { min: Ppm::parse_percent("99").expect("a percentage") };
    let checks = Checks::new(vec![Check { method, ..Check::new(metric) }]);
    assert_eq!(checks.interval_ms, 5_000);
    let errors = Binomial::new(REQUESTS_PER_ROUND, rate);
    let mut random = Random(SEED);
    let times: Vec<f64> = (0..releases).filter_map(|_| release(&checks, &errors, &mut random)).collect();
    let found = Found {
        share: times.len() as f64 / f64::from(releases),
        mean: times.iter().sum::<f64>() / times.len().max(1) as f64,
        longest: times.iter().copied().fold(0.0, f64::max),
    };
    println!(
        "{method:?}: true errors {:.1} %: rolled back {:.3} %, after {:.1} s on average, {} s at most",
        rate * 100.0,
        found.share * 100.0,
        found.mean,
        found.longest
    );
    found
}

#[test]
fn a_fifth_of_errors_is_always_gone_within_15_seconds() {
    let found = simulate(Method::default(), 0.20, RELEASES);
    assert_eq!(found.share, 1.0);
    assert!(found.longest <= 15.0, "{}", found.longest);
}

/// A release that was good for minutes and then turns bad: the step so far still looks fine on the whole, the round does not.
#[test]
fn a_fault_late_in_a_long_step_is_gone_as_fast() {
    let checks =
        Checks::new(vec![Check::new(Metric::SuccessRate { min: Ppm::parse_percent("99").expect("a percentage") })]);
    let bad = Binomial::new(REQUESTS_PER_ROUND, 0.20);
    let mut random = Random(SEED);
    for _ in 0..1_000 {
        let mut reading = Reading::begin(Sample::default());
        let mut counters = Sample { finished: 60_000, ..Sample::default() };
        let mut history = History::default();
        let mut verdicts = Vec::new();
        for _ in 0..3 {
            let window = reading.next(counters.clone());
            let judgement = judge(&checks, &history, &[measure(&checks.checks[0], &window)]);
            history = judgement.history;
            verdicts.push(judgement.verdict);
            counters.finished += REQUESTS_PER_ROUND as u64;
            counters.failed += bad.draw(&mut random);
        }
        assert_eq!(verdicts, [Verdict::Pass, Verdict::Inconclusive, Verdict::Fail]);
    }
}

/// The table in the documentation of `Checks`: (true share of errors, rolled back, mean seconds until then, rolled back by `Point`).
const FIGURES: [(f64, f64, f64, f64); 8] = [
    (0.001, 0.0, 0.0, 0.00755),
    (0.005, 0.0, 0.0, 0.9996),
    (0.0075, 0.0003, 300.8, 1.0),
    (0.01, 0.0162, 305.1, 1.0),
    (0.015, 0.69135, 253.0, 1.0),
    (0.02, 0.9997, 82.4, 1.0),
    (0.03, 1.0, 25.4, 1.0),
    (0.05, 1.0, 13.9, 1.0),
];

#[test]
fn the_documented_figures_are_what_the_simulation_gives() {
    for (rate, share, mean, point) in FIGURES {
        let proof = simulate(Method::default(), rate, RELEASES);
        assert!((proof.share - share).abs() < 1e-9, "{rate}: {}", proof.share);
        assert!((proof.mean - mean).abs() < 0.06, "{rate}: {}", proof.mean);
        let plain = simulate(Method::Point, rate, RELEASES);
        assert!((plain.share - point).abs() < 1e-9, "{rate}: {}", plain.share);
    }
}
