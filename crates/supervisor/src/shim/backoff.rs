//! How long to wait before a program that ended is started again.

use std::time::Duration;

use crate::program::Backoff;

/// Counts the ends in a row.
#[derive(Debug)]
pub(super) struct Waits {
    settings: Backoff,
    in_a_row: u32,
}

impl Waits {
    pub(super) fn new(settings: Backoff) -> Self {
        Self { settings, in_a_row: 0 }
    }

    /// The wait after a run of this length: none at first, then `first`, doubling up to `max`.
    pub(super) fn after(&mut self, ran: Duration) -> Duration {
        if ran >= Duration::from_millis(self.settings.reset_after_ms) {
            self.in_a_row = 0;
        }
        let wait = match self.in_a_row.checked_sub(1) {
            None => 0,
            Some(doublings) => {
                let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
                self.settings.first_ms.saturating_mul(factor).min(self.settings.max_ms)
            }
        };
        self.in_a_row = self.in_a_row.saturating_add(1);
        Duration::from_millis(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_and_starts_anew_after_a_long_run() {
        let mut waits = Waits::new(Backoff { first_ms: 100, max_ms: 30_000, reset_after_ms: 60_000 });
        let seen: Vec<u128> = (0..12).map(|_| waits.after(Duration::from_secs(1)).as_millis()).collect();
        assert_eq!(seen, [0, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
        assert_eq!(waits.after(Duration::from_secs(60)).as_millis(), 0);
        assert_eq!(waits.after(Duration::ZERO).as_millis(), 100);
        for _ in 0..100 {
            assert!(waits.after(Duration::ZERO).as_millis() <= 30_000);
        }
    }
}
