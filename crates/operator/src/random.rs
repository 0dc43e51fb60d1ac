//! A little randomness, so that many clients do not all come back at once.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A random number. The standard library seeds its hash maps from the operating system; that is enough for jitter and
/// for a name that nobody else has, and for nothing else.
pub(crate) fn number() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// `millis`, less a random part of at most half of it.
pub(crate) fn jittered(millis: u64) -> u64 {
    millis - number() % (millis / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_takes_away_at_most_half() {
        let drawn: Vec<u64> = (0..200).map(|_| jittered(1000)).collect();
        assert!(drawn.iter().all(|m| (500..=1000).contains(m)), "{drawn:?}");
        assert!(drawn.iter().any(|m| *m != drawn[0]), "200 equal draws of 501");
        assert_eq!(jittered(0), 0);
    }
}
