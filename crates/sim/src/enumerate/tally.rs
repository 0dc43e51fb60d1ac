//! What the second key says of each input beside what would become of the world, counted.
use super::consequence::{self, Consequence, Harm, Stricter};
use super::platform::Platform;
use crate::subject::Permit;
use serin_rollout::{Limits, Observation, Refusal, SetSeen, Write};

/// The names of the refusals, in the order of the counts.
pub const REFUSALS: [&str; 9] =
    ["unpinned", "capacity", "occupied", "unacknowledged", "routed", "busy", "needed", "floor", "not_whole"];

/// The place of a refusal among [`REFUSALS`].
pub const fn place(refusal: Refusal) -> usize {
    match refusal {
        Refusal::Unpinned(_) => 0,
        Refusal::Capacity => 1,
        Refusal::Occupied(_) => 2,
        Refusal::Unacknowledged => 3,
        Refusal::Routed(_) => 4,
        Refusal::Busy(_) => 5,
        Refusal::Needed(_) => 6,
        Refusal::Floor => 7,
        Refusal::NotWhole(_) => 8,
    }
}

/// The smallest input of a kind, by its numbers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Smallest {
    size: u32,
    /// The input in words.
    pub words: String,
}

/// Counts of inputs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// All.
    pub inputs: u64,
    /// Allowed ones.
    pub allowed: u64,
    /// Refused ones, by [`REFUSALS`].
    pub refused: [u64; 9],
    /// Allowed ones that may do harm, by [`Harm`].
    pub unsound: [u64; Harm::ALL.len()],
    /// Allowed ones in which only what is certain is kept.
    pub gambles: u64,
    /// Refused ones that would be harmless although all is fresh, pinned and confirmed, by [`Stricter`].
    pub stricter: [u64; Stricter::ALL.len()],
    /// The smallest input of each count of `unsound`.
    pub worst: [Option<Smallest>; Harm::ALL.len()],
    /// The smallest gamble.
    pub gamble: Option<Smallest>,
    /// The smallest input of each count of `stricter`.
    pub strictest: [Option<Smallest>; Stricter::ALL.len()],
}

fn keep(least: &mut Option<Smallest>, limits: &Limits, seen: &Observation, write: &Write, more: &str) {
    let size = measure(limits, seen, write);
    if least.as_ref().is_none_or(|least| size < least.size) {
        *least = Some(Smallest { size, words: format!("{}: {more}", words(limits, seen, write)) });
    }
}

fn measure(limits: &Limits, seen: &Observation, write: &Write) -> u32 {
    let set = |set: &SetSeen| {
        let odd = u16::from(!set.fresh) + u16::from(!set.pinned && set.desired > 0);
        set.desired + set.total + set.ready + set.busy + odd
    };
    let to = if let Write::Resize { to, .. } = write { *to } else { 0 };
    let route = seen.route.splits().count() as u16;
    u32::from(limits.replicas) * 16 + u32::from(set(&seen.set[0]) + set(&seen.set[1]) + limits.floor + to + route)
}

fn words(limits: &Limits, seen: &Observation, write: &Write) -> String {
    let set = |set: &SetSeen| {
        let SetSeen { rev, desired, total, ready, busy, pinned, fresh, healthy: _ } = *set;
        let rev = rev.map_or(0, |rev| rev.0);
        let (pinned, fresh) = (if pinned { "" } else { " unpinned" }, if fresh { "" } else { " stale" });
        format!("[r{rev} {desired} wanted, {total} there, {ready} ready, {busy} busy{pinned}{fresh}]")
    };
    let in_force: Vec<_> = seen.route.splits().collect();
    let (acked, drain) = (seen.route.acked, seen.due.drain);
    let sets = seen.set.each_ref().map(set).join(" ");
    format!(
        "replicas={} floor={} {sets} in force {in_force:?} acked={acked} drain={drain} {write:?}",
        limits.replicas, limits.floor
    )
}

impl Tally {
    /// Adds another part's.
    pub fn add(&mut self, other: Tally) {
        self.inputs += other.inputs;
        self.allowed += other.allowed;
        self.gambles += other.gambles;
        let smaller = |a: &mut Option<Smallest>, b: Option<Smallest>| {
            *a = a.take().into_iter().chain(b).min();
        };
        for (i, b) in other.worst.into_iter().enumerate() {
            self.unsound[i] += other.unsound[i];
            smaller(&mut self.worst[i], b);
        }
        smaller(&mut self.gamble, other.gamble);
        for (sum, more) in self.refused.iter_mut().zip(other.refused) {
            *sum += more;
        }
        for (i, b) in other.strictest.into_iter().enumerate() {
            self.stricter[i] += other.stricter[i];
            smaller(&mut self.strictest[i], b);
        }
    }
}

/// A second key beside the promise.
pub struct Judge<'a> {
    /// The key.
    pub permit: Permit,
    /// The platforms.
    pub platform: &'a Platform,
    /// The counts.
    pub tally: Tally,
}

impl Judge<'_> {
    /// One input.
    pub fn input(&mut self, limits: &Limits, seen: &Observation, write: &Write) {
        let tally = &mut self.tally;
        tally.inputs += 1;
        let consequence = consequence::of(self.platform, limits, seen, write);
        match ((self.permit)(limits, seen, write), consequence) {
            (Ok(()), Consequence::Harmless) => tally.allowed += 1,
            (Ok(()), Consequence::Gamble) => {
                (tally.allowed, tally.gambles) = (tally.allowed + 1, tally.gambles + 1);
                keep(&mut tally.gamble, limits, seen, write, "a kind platform would have kept more");
            }
            (Ok(()), Consequence::Harm(harm)) => {
                tally.allowed += 1;
                tally.unsound[harm as usize] += 1;
                keep(&mut tally.worst[harm as usize], limits, seen, write, &format!("{harm:?}"));
            }
            (Err(refusal), consequence) => {
                tally.refused[place(refusal)] += 1;
                let sure = seen.route.acked && seen.set.iter().all(|set| set.fresh && set.pinned);
                if sure && consequence == Consequence::Harmless {
                    let case = Stricter::of(self.platform, limits, seen, write);
                    tally.stricter[case as usize] += 1;
                    keep(&mut tally.strictest[case as usize], limits, seen, write, &format!("{refusal:?}"));
                }
            }
        }
    }
}
