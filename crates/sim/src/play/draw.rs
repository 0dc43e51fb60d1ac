//! Random draws that are the same on every machine: integers, and of floating-point only what IEEE 754 fixes.
use crate::simulator::Random;

/// Trials up to this number are drawn one by one.
const ONE_BY_ONE: u64 = 64;
const MILLION: u64 = 1_000_000;

/// A number from `from` to `to`, both included.
pub(super) fn between(random: &mut Random, from: u64, to: u64) -> u64 {
    from + random.number() % (to - from + 1)
}

/// How many of `trials` succeed when each does with the chance `ppm` of a million. Many trials are drawn by the normal
/// approximation, whose bell is a sum of twelve uniform numbers (Irwin and Hall).
pub(super) fn hits(random: &mut Random, trials: u64, ppm: u64) -> u64 {
    let ppm = ppm.min(MILLION);
    if ppm == 0 || trials == 0 {
        return 0;
    }
    if ppm == MILLION {
        return trials;
    }
    if trials <= ONE_BY_ONE {
        return (0..trials).filter(|_| random.number() % MILLION < ppm).count() as u64;
    }
    let (n, p) = (trials as f64, ppm as f64 / MILLION as f64);
    let bell: f64 = (0..12).map(|_| (random.number() >> 11) as f64 / (1u64 << 53) as f64).sum::<f64>() - 6.0;
    let drawn = n * p + bell * (n * p * (1.0 - p)).sqrt() + 0.5;
    (drawn.max(0.0) as u64).min(trials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_as_many_as_their_chance_says() {
        let mut random = Random(7);
        for (trials, ppm, runs) in [(10, 200_000, 20_000), (1_000, 200_000, 2_000), (100_000, 1_000, 500)] {
            let mean = (0..runs).map(|_| hits(&mut random, trials, ppm)).sum::<u64>() as f64 / runs as f64;
            let wanted = trials as f64 * ppm as f64 / 1e6;
            assert!((mean - wanted).abs() < wanted * 0.02, "{trials} at {ppm}: {mean} instead of {wanted}");
        }
        assert_eq!((hits(&mut random, 9, 0), hits(&mut random, 9, MILLION)), (0, 9));
    }

    #[test]
    fn both_ends_are_drawn() {
        let mut random = Random(1);
        let drawn: Vec<u64> = (0..200).map(|_| between(&mut random, 3, 5)).collect();
        assert!((3..=5).all(|x| drawn.contains(&x)) && drawn.iter().all(|x| (3..=5).contains(x)));
    }
}
