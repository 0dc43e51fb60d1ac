//! What to do about a Lease, from what was seen of it and for how long. No I/O and no clock: `now` is a time in
//! milliseconds on one clock that never goes back, and everything seen is on that clock too.

use super::Timing;
use super::record::{Record, epoch};

/// What is known of the Lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// As it was read last; `None` where there is none.
    record: Option<Record>,
    /// Since when it looks like this.
    since_ms: u64,
    /// The most transitions that this object was ever seen with; nobody can turn the number back unseen.
    most: u64,
}

impl Sight {
    /// The Lease was read at `now_ms`: a time *after* the answer came, so that it is never judged as older than it is.
    pub fn saw(&mut self, record: Option<Record>, now_ms: u64) {
        let same = match (&self.record, &record) {
            (Some(before), Some(after)) => before.same_life(after),
            (None, Some(_)) | (Some(_), None) => false,
            (None, None) => true,
        };
        let object = |record: &Option<Record>| record.as_ref().map(|record| record.uid.clone());
        if object(&self.record) != object(&record) {
            self.most = 0;
        }
        if !same {
            self.since_ms = now_ms;
        }
        self.most = self.most.max(record.as_ref().map_or(0, |record| record.transitions));
        self.record = record;
    }

    /// Who holds it, as far as is known.
    pub fn holder(&self) -> Option<String> {
        self.record.as_ref().map(|record| record.holder.clone()).filter(|holder| !holder.is_empty())
    }

    pub(super) fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is none: make one that nobody holds.
    Create,
    /// Nobody holds it any more: take it, as the `transitions`th holder, with this epoch.
    Take {
        /// `leaseTransitions` of the new holder.
        transitions: u64,
        /// The epoch that comes with it.
        epoch: u64,
    },
    /// It is held here: renew it.
    Renew,
    /// Somebody holds it, or may: look again, and take it in so many milliseconds at the earliest.
    Wait {
        /// Milliseconds from now.
        ms: u64,
    },
    /// It cannot be taken ever again; why, and what to do.
    Stuck(String),
}

/// What `me` does about the Lease. `me` is a name that no other process ever has; `holding` is the number of transitions
/// with which it holds the Lease at present, if it does.
pub fn evaluate(sight: &Sight, me: &str, holding: Option<u64>, timing: &Timing, now_ms: u64) -> Next {
    let Some(record) = &sight.record else { return Next::Create };
    if record.holder == me && holding == Some(record.transitions) {
        return Next::Renew;
    }
    let released = record.holder.is_empty() && record.transitions > 0;
    // What has this name and is not held any more was held here until its time was over, or taken by a write of which the
    // answer was lost. Nobody else waits for it; it is taken anew, so that the epoch is a greater one.
    let mine = record.holder == me;
    if !released && !mine {
        // As long as the holder says, if that is longer than what everybody should say.
        let respected = u64::try_from(timing.duration.as_millis()).unwrap_or(u64::MAX);
        let respected = respected.max(record.duration_secs.saturating_mul(1_000));
        let unchanged = now_ms.saturating_sub(sight.since_ms);
        if unchanged < respected {
            return Next::Wait { ms: respected - unchanged };
        }
    }
    let transitions = record.transitions.max(sight.most) + 1;
    match epoch(record.created_secs, transitions) {
        Some(epoch) => Next::Take { transitions, epoch },
        None => Next::Stuck(format!(
            "the Lease changed its holder {} times, and has no greater number left; delete it, and it is made anew",
            record.transitions
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: &str = "me";

    fn record(holder: &str, transitions: u64, renewed: &str) -> Record {
        Record {
            holder: holder.into(),
            transitions,
            renewed: renewed.into(),
            duration_secs: 15,
            uid: "u".into(),
            version: "1".into(),
            created_secs: 100,
        }
    }

    fn seen(records: &[(u64, Record)]) -> Sight {
        let mut sight = Sight::default();
        for (now, record) in records {
            sight.saw(Some(record.clone()), *now);
        }
        sight
    }

    fn next(sight: &Sight, holding: Option<u64>, now: u64) -> Next {
        evaluate(sight, ME, holding, &Timing::default(), now)
    }

    fn take(transitions: u64) -> Next {
        Next::Take { transitions, epoch: epoch(100, transitions).expect("in range") }
    }

    #[test]
    fn a_holder_is_judged_by_how_long_it_was_seen_unchanged() {
        // Its renewTime is of a clock that nobody knows: years ago or ahead, it makes no difference.
        for renewed in ["1999-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z", "nonsense", ""] {
            let sight = seen(&[(1_000, record("other", 4, renewed))]);
            assert_eq!(next(&sight, None, 1_000), Next::Wait { ms: 15_000 });
            assert_eq!(next(&sight, None, 15_999), Next::Wait { ms: 1 });
            assert_eq!(next(&sight, None, 16_000), take(5));
        }
    }

    #[test]
    fn each_renewal_begins_the_time_anew() {
        let sight = seen(&[(1_000, record("other", 4, "a")), (15_000, record("other", 4, "b"))]);
        assert_eq!(next(&sight, None, 16_000), Next::Wait { ms: 14_000 });
        let sight = seen(&[(1_000, record("other", 4, "a")), (15_000, record("other", 4, "a"))]);
        assert_eq!(next(&sight, None, 16_000), take(5));
    }

    #[test]
    fn a_holder_that_wants_longer_is_given_longer_and_never_shorter() {
        let with = |secs| seen(&[(0, Record { duration_secs: secs, ..record("other", 4, "a") })]);
        assert_eq!(next(&with(60), None, 15_000), Next::Wait { ms: 45_000 });
        assert_eq!(next(&with(1), None, 1_000), Next::Wait { ms: 14_000 });
        assert!(matches!(next(&with(u64::MAX), None, 1_000), Next::Wait { .. }));
    }

    #[test]
    fn a_released_one_is_taken_at_once_and_a_new_one_is_not() {
        assert_eq!(next(&seen(&[(0, record("", 4, "a"))]), None, 0), take(5));
        let newborn = seen(&[(0, record("", 0, ""))]);
        assert_eq!(next(&newborn, None, 14_999), Next::Wait { ms: 1 });
        assert_eq!(next(&newborn, None, 15_000), take(1));
        assert_eq!(next(&Sight::default(), None, 0), Next::Create);
    }

    #[test]
    fn the_holder_renews_and_only_while_it_holds() {
        let sight = seen(&[(0, record(ME, 4, "a"))]);
        assert_eq!(next(&sight, Some(4), 0), Next::Renew);
        // It lost it by time, or the answer of its taking was lost: a greater epoch, without waiting.
        assert_eq!(next(&sight, None, 0), take(5));
        assert_eq!(next(&sight, Some(3), 0), take(5));
        // Somebody else has it meanwhile.
        let other = seen(&[(0, record("other", 5, "a"))]);
        assert_eq!(next(&other, Some(4), 0), Next::Wait { ms: 15_000 });
    }

    #[test]
    fn the_number_cannot_be_turned_back() {
        let sight = seen(&[(0, record("other", 9, "a")), (1, record("", 2, "b"))]);
        assert_eq!(next(&sight, None, 1), take(10));
        let mut sight = sight;
        // Another object begins anew; its epoch is greater by the time at which it was made.
        sight.saw(Some(Record { uid: "v".into(), created_secs: 200, ..record("", 1, "c") }), 2);
        let Next::Take { transitions, epoch: later } = next(&sight, None, 2) else { panic!("it is released") };
        assert_eq!(transitions, 2);
        assert!(Some(later) > epoch(100, 10));
    }

    #[test]
    fn a_lease_that_is_gone_and_made_again_is_waited_for() {
        let mut sight = seen(&[(0, record("other", 4, "a"))]);
        sight.saw(None, 1_000);
        assert_eq!(next(&sight, None, 1_000), Next::Create);
        sight.saw(Some(Record { uid: "v".into(), ..record("", 0, "") }), 2_000);
        assert_eq!(next(&sight, None, 16_999), Next::Wait { ms: 1 });
    }

    #[test]
    fn numbers_that_are_used_up_are_told() {
        let sight = seen(&[(0, record("", (1 << 20) - 1, "a"))]);
        assert!(matches!(next(&sight, None, 0), Next::Stuck(why) if why.contains("delete it")));
    }
}
