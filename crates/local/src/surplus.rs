//! Which instances of a slot go when there are too many, and when they may be stopped.
//!
//! The contract, which [`serin_rollout::permit()`] counts on when it lets a set shrink to what is routed and what is busy:
//! of what is too many the unready ones go first, then those without open requests, then the others, and one that
//! requests are routed to goes last of all. Whoever goes leaves the proxy's table first. It is stopped when the proxy has
//! confirmed a table that does not name it, and either nothing is open on it any more or it has been without routed
//! requests for the drain time.
use std::time::{Duration, Instant};

/// What the choice goes by. Those that stay come first in the order of [`Claim::rank`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// It is ready.
    pub ready: bool,
    /// The accepted table names it. One that has left the table comes back only in the place of one that is not ready:
    /// else two that take turns in being busy would take turns in leaving.
    pub named: bool,
    /// Some split in force reaches it.
    pub routed: bool,
    /// Requests are open on it.
    pub busy: bool,
    /// Its turn: a later one is younger.
    pub turn: u64,
}

impl Claim {
    /// Lower stays, higher goes.
    pub fn rank(&self) -> impl Ord + use<> {
        (!self.ready, !self.named, !self.routed, !self.busy, self.turn)
    }
}

/// Whether an instance that no confirmed table names may be stopped now.
///
/// The drain time counts from the moment that no split in force reached it, which a controller knows only of the time in
/// which it ran itself: the next one begins to count anew, so that what is open has at least its time, and at most that
/// much more.
pub(crate) fn may_stop(open: u64, unrouted: Option<Instant>, drain: Duration, now: Instant) -> bool {
    open == 0 || unrouted.is_some_and(|since| now.saturating_duration_since(since) >= drain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: Claim = Claim { ready: true, named: true, routed: false, busy: false, turn: 0 };

    /// The turns of those that stay when there is room for `room`.
    fn stay(room: usize, claims: &[Claim]) -> Vec<u64> {
        let mut claims = claims.to_vec();
        claims.sort_by_key(Claim::rank);
        let mut turns: Vec<u64> = claims.iter().take(room).map(|claim| claim.turn).collect();
        turns.sort_unstable();
        turns
    }

    #[test]
    fn the_unready_go_first_then_the_idle_then_the_youngest_and_the_routed_last() {
        let routed = Claim { routed: true, turn: 1, ..CLAIM };
        let (idle, busy) = (Claim { turn: 2, ..CLAIM }, Claim { busy: true, turn: 3, ..CLAIM });
        let unready = Claim { ready: false, busy: true, turn: 0, ..CLAIM };
        let all = [busy, unready, idle, routed];
        assert_eq!(stay(3, &all), [1, 2, 3], "the unready one, whatever is open on it");
        assert_eq!(stay(2, &all), [1, 3], "the idle one, although a younger one is busy");
        assert_eq!(stay(1, &all), [1], "what is routed to stays");
        assert_eq!(stay(2, &[idle, Claim { turn: 4, ..idle }, Claim { turn: 5, ..idle }]), [2, 4]);
    }

    #[test]
    fn who_has_left_the_table_comes_back_only_for_one_that_is_not_ready() {
        let (left, kept) = (Claim { named: false, busy: true, turn: 1, ..CLAIM }, Claim { turn: 2, ..CLAIM });
        assert_eq!(stay(1, &[left, kept]), [2]);
        assert_eq!(stay(1, &[left, Claim { ready: false, ..kept }]), [1]);
    }

    #[test]
    fn what_is_open_has_the_drain_time_and_no_more() {
        let (now, drain) = (Instant::now(), Duration::from_secs(30));
        assert!(may_stop(0, None, drain, now));
        assert!(!may_stop(1, None, drain, now) && !may_stop(1, Some(now), drain, now));
        assert!(!may_stop(1, Some(now), drain, now + Duration::from_secs(29)));
        assert!(may_stop(1, Some(now), drain, now + drain));
        assert!(may_stop(1, Some(now), Duration::ZERO, now));
    }
}
