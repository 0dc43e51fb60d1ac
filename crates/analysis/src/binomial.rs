//! The upper tail of the binomial distribution, without logarithms (there are none in `core`).

/// Whether it would be rarer than `alpha_ppm` that `hits` or more of `trials` independent requests are bad when each is bad with probability
/// `rate_ppm`: P(X >= hits) <= alpha, X ~ Binomial(trials, rate).
///
/// The terms are summed relative to the largest one (at the mode) by the ratio of neighbours, so nothing overflows and what underflows is too
/// small to matter: the relative error stays under 1e-9. `rate_ppm` and `alpha_ppm` above a million count as one.
pub fn rarer_than(trials: u64, hits: u64, rate_ppm: u32, alpha_ppm: u32) -> bool {
    if hits > trials {
        return true;
    }
    if hits == 0 || rate_ppm >= 1_000_000 {
        return alpha_ppm >= 1_000_000;
    }
    if rate_ppm == 0 {
        return true;
    }
    // Bounds the work (some 10^5 terms). Halving both counts throws evidence away, so it errs towards "not rare".
    let halvings = (64 - trials.leading_zeros()).saturating_sub(30);
    let (trials, hits) = (trials >> halvings, hits >> halvings);
    let odds = f64::from(rate_ppm) / f64::from(1_000_000 - rate_ppm);
    let n = trials as f64;
    let mode = (u128::from(trials + 1) * u128::from(rate_ppm) / 1_000_000) as u64;
    let (mut all, mut tail) = (0.0, 0.0);
    let mut count = |at: u64, term: f64| {
        all += term;
        if at >= hits {
            tail += term;
        }
    };
    let (mut at, mut term) = (mode, 1.0);
    while at <= trials && term > NEGLIGIBLE {
        count(at, term);
        term *= (n - at as f64) / (at as f64 + 1.0) * odds;
        at += 1;
    }
    let (mut at, mut term) = (mode, 1.0);
    while at > 0 && term > NEGLIGIBLE {
        term *= at as f64 / (n - at as f64 + 1.0) / odds;
        at -= 1;
        count(at, term);
    }
    tail * 1e6 <= f64::from(alpha_ppm) * all
}

/// Terms this much smaller than the largest are not summed: even 2^64 of them would stay far below any alpha.
const NEGLIGIBLE: f64 = 1e-40;

#[cfg(test)]
mod tests {
    use super::*;

    /// P(X >= hits) in exact rationals, scaled: sum of C(n,k) r^k (d-r)^(n-k) for small n and a small denominator d.
    fn exact(trials: u32, hits: u32, rate: u128, denominator: u128) -> (u128, u128) {
        let choose = |k: u32| (0..k).fold(1_u128, |c, i| c * u128::from(trials - i) / u128::from(i + 1));
        let term = |k: u32| choose(k) * rate.pow(k) * (denominator - rate).pow(trials - k);
        ((hits..=trials).map(term).sum(), denominator.pow(trials))
    }

    #[test]
    fn agrees_with_exact_arithmetic() {
        let mut both = [0, 0];
        for trials in 1..=15_u32 {
            for hits in 0..=trials {
                for (rate, denominator) in [(1_u128, 100_u128), (1, 10), (1, 2), (9, 10), (1, 4)] {
                    for alpha in [1_u128, 100, 1_000, 10_000, 250_000, 900_000] {
                        let (part, whole) = exact(trials, hits, rate, denominator);
                        let expected = part * 1_000_000 <= alpha * whole;
                        // Equality is where rounding may decide: leave out what is within one part in 1e9 of it.
                        let (left, right) = ((part * 1_000_000) as f64, (alpha * whole) as f64);
                        if (left - right).abs() < 1e-9 * right {
                            continue;
                        }
                        let rate_ppm = (rate * 1_000_000 / denominator) as u32;
                        let found = rarer_than(trials.into(), hits.into(), rate_ppm, alpha as u32);
                        assert_eq!(found, expected, "{trials} {hits} {rate}/{denominator} {alpha}");
                        both[usize::from(found)] += 1;
                    }
                }
            }
        }
        assert!(both[0] > 1_000 && both[1] > 1_000, "both answers are exercised: {both:?}");
    }

    #[test]
    fn edges() {
        assert!(rarer_than(10, 1, 0, 1), "with a rate of 0 one failure is proof");
        assert!(!rarer_than(10, 0, 0, 1), "none is none");
        assert!(!rarer_than(10, 10, 1_000_000, 999_999), "with a rate of 1 nothing is");
        assert!(!rarer_than(0, 0, 10_000, 1_000));
        assert!(rarer_than(u64::MAX - 1, u64::MAX - 1, 10_000, 1_000), "huge counts neither overflow nor hang");
        assert!(!rarer_than(1 << 40, 1 << 30, 10_000, 1_000), "2^30 of 2^40 is less than 1 %");
    }

    #[test]
    fn is_monotone_in_the_hits() {
        for trials in [20_u64, 125, 1_500, 100_000] {
            let first = (0..=trials).find(|hits| rarer_than(trials, *hits, 10_000, 1_000));
            let first = first.expect("all of them failing is rare");
            assert!((first..=trials.min(first + 500)).all(|hits| rarer_than(trials, hits, 10_000, 1_000)), "{trials}");
            assert!(first > trials / 100, "{trials}: {first} is above the limit itself");
        }
    }
}
