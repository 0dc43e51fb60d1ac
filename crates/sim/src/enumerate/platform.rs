//! What a platform may do next with one set of instances, found by trying everything: no formula of the core's is here.
use serin_rollout::SetSeen;
use std::collections::BTreeSet;

/// The most instances that a set of the enumeration has or is asked for: one more than the largest size.
pub const MOST: u16 = 5;
const SIDE: usize = MOST as usize + 1;

/// How many ready instances a platform may leave of a set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Left {
    /// At the worst moment of the worst way.
    pub least: u16,
    /// At the end of the kindest way.
    pub most: u16,
}

/// Every way of every platform with every set up to [`MOST`].
pub struct Platform {
    left: Vec<Left>,
}

impl Platform {
    /// Tries everything.
    pub fn explored() -> Platform {
        let mut left = vec![Left::default(); SIDE * SIDE * SIDE * SIDE];
        for desired in 0..=MOST {
            for total in 0..=MOST {
                for ready in 0..=total {
                    for to in 0..=MOST {
                        left[index(desired, total, ready, to)] = explore(desired, total, ready, to);
                    }
                }
            }
        }
        Platform { left }
    }

    /// What may be left of a set that is left alone.
    pub fn alone(&self, set: &SetSeen) -> Left {
        self.after(set, set.desired)
    }

    /// What may be left of a set whose number is set to `to` at any moment from now on. Of a view that is older than
    /// the own last write nothing is known: anything may be there.
    pub fn after(&self, set: &SetSeen, to: u16) -> Left {
        if set.fresh { self.left[index(set.desired, set.total, set.ready, to)] } else { Left { least: 0, most: MOST } }
    }
}

fn index(desired: u16, total: u16, ready: u16, to: u16) -> usize {
    [desired, total, ready, to].into_iter().fold(0, |at, x| at * SIDE + usize::from(x))
}

/// Breadth first: the write lands at any moment; before and after it the platform creates instances that are missing,
/// none of which is ready, and removes those that are too many, ready or not as it likes. No instance fails and none
/// becomes ready: that would not be the write's doing.
fn explore(desired: u16, total: u16, ready: u16, to: u16) -> Left {
    let first = (false, ready, total - ready);
    let (mut seen, mut open) = (BTreeSet::from([first]), vec![first]);
    let mut left = Left { least: ready, most: 0 };
    while let Some((landed, ready, idle)) = open.pop() {
        let (total, asked) = (ready + idle, if landed { to } else { desired });
        left.least = left.least.min(ready);
        if landed && total == to {
            left.most = left.most.max(ready);
        }
        let mut next = vec![(true, ready, idle)];
        if total < asked {
            next.push((landed, ready, idle + 1));
        }
        if total > asked && ready > 0 {
            next.push((landed, ready - 1, idle));
        }
        if total > asked && idle > 0 {
            next.push((landed, ready, idle - 1));
        }
        open.extend(next.into_iter().filter(|state| seen.insert(*state)));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(desired: u16, total: u16, ready: u16) -> SetSeen {
        SetSeen { desired, total, ready, ..SetSeen::EMPTY }
    }

    #[test]
    fn a_surplus_goes_whichever_instance_it_is() {
        let platform = Platform::explored();
        assert_eq!(platform.alone(&set(1, 2, 1)), Left { least: 0, most: 1 });
        assert_eq!(platform.alone(&set(2, 2, 1)), Left { least: 1, most: 1 });
    }

    #[test]
    fn an_instance_that_is_still_to_come_may_take_the_place_of_a_ready_one() {
        let platform = Platform::explored();
        assert_eq!(platform.after(&set(3, 1, 1), 1), Left { least: 0, most: 1 });
    }

    #[test]
    fn of_an_old_view_nothing_is_known() {
        let platform = Platform::explored();
        let stale = SetSeen { fresh: false, ..set(2, 2, 2) };
        assert_eq!(platform.alone(&stale), Left { least: 0, most: MOST });
    }
}
