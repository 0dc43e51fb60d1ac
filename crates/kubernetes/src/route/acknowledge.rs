//! Whether a split that was written is in force everywhere: a decision on what is known, with a name for how strong it is.
//!
//! That the API server has the weights, and that the Gateway's controller has accepted them, comes first, and proves
//! nothing about data planes: they are told later, each by itself. Then, in this order:
//!
//! 1. **dataplane**: every data plane reports the generation that it applies, and it is ours. (Not where somebody else
//!    changed the weights since: then our generation is not what is there.)
//! 2. **measured**: requests are counted by the data planes (never by the pods, where probes count as well), and they exclude
//!    that one k-th of them is still divided by any older split: see `count.rs` for the test and its source. k is the
//!    number of data planes that are known of, and [`ASSUMED_PLANES`] at least. One that gets a smaller part of the
//!    requests than that may be missed.
//!    Windows: requests are counted anew from window to window, for right after a write the older split is in force with
//!    good reason. A window is judged once, when it is long enough ([`Window::least_ms`]) and has all requests that the
//!    test needs, whatever they were; one that does not pass is closed. What is spent of alpha halves from window to window
//!    (500, 250, 125, … parts of a million, sum below 1 in 1000), so that many looks do not add up to a wrong answer. From
//!    the ninth on it is one in a million for each, and these last 8.5 minutes each.
//! 3. **time**: [`SURE_MS`] have gone by and nothing speaks against it. That is weaker, status says so, and no set loses
//!    instances by it: unless there was no request at all since the write, or nothing older to be in force.
//!
//! Where the new split is the same as an older one with another one between (90/10, 75/25, and back to 90/10), counts cannot
//! tell a data plane that has yet to apply what came between. And where older splits gave a slot both more and less than the
//! new one does, two data planes that lag behind with one of them each look together like the new one. In both cases
//! `measured` takes [`SURE_MS`] as well. Neither can be where the new split is everything to one slot for the first time.
use super::count::{MOST, excludes, fits, needed};
use super::seen::Seen;
use serin_rollout::{Pair, Split};

/// How long it takes until nothing but time is enough, in milliseconds.
pub const SURE_MS: u64 = 30_000;
/// How many data planes there are at least thought to be where nobody can say.
pub const ASSUMED_PLANES: usize = 4;

/// What a confirmation is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Nothing spoke against it for some time.
    Time,
    /// Requests were counted.
    Measured,
    /// Every data plane said so.
    Dataplane,
}

impl Strength {
    /// The word that is shown.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dataplane => "dataplane",
            Self::Measured => "measured",
            Self::Time => "time",
        }
    }
}

/// What a data plane says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plane {
    /// Which one.
    pub name: String,
    /// The generation that it applies; `None` where it does not say.
    pub generation: Option<u64>,
}

/// A time in which requests were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Which one since the write: 0, 1, …
    pub number: u32,
    /// Its length so far, in milliseconds.
    pub ms: u64,
    /// The requests that the data planes sent to each slot in it; `None` where nobody counts them.
    pub requests: Option<Pair<u64>>,
}

impl Window {
    /// How long this window lasts at least, in milliseconds: a second, and twice as long from window to window.
    #[must_use]
    pub const fn least_ms(&self) -> u64 {
        1_000 << if self.number > 9 { 9 } else { self.number }
    }

    /// How rare a wrong answer of this window may be, in parts of a million.
    const fn alpha_ppm(&self) -> u32 {
        let spent = if self.number > 8 { 0 } else { 500 >> self.number };
        if spent > 0 { spent } else { 1 }
    }
}

/// Everything that is known of a write.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// The routes as they are.
    pub seen: &'a Seen,
    /// The data planes that are known of. Empty where nobody can say.
    pub planes: &'a [Plane],
    /// The present window.
    pub window: Window,
    /// All requests since the write was accepted, whatever the window; `None` where nobody counts them.
    pub requests: Option<u64>,
    /// How long ago the write was accepted, in milliseconds.
    pub since_ms: u64,
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The split is in force, and nothing else is.
    Acknowledged {
        /// How strong that is.
        strength: Strength,
        /// Whether it is enough for a set to lose instances.
        retires: bool,
        /// On what grounds, as a sentence.
        because: String,
    },
    /// Not known.
    Missing {
        /// What is missing, in sentences.
        what: Vec<String>,
        /// Which older splits may still be in force.
        still: Vec<Split>,
        /// Whether the window is closed and the next one begins.
        next_window: bool,
    },
}

impl Answer {
    /// Whether the split is in force, by whatever strength.
    #[must_use]
    pub const fn acknowledged(&self) -> bool {
        matches!(self, Self::Acknowledged { .. })
    }

    /// Whether a set may lose instances by it.
    #[must_use]
    pub const fn retires(&self) -> bool {
        matches!(self, Self::Acknowledged { retires: true, .. })
    }

    /// The same where instances are to be lost: not known unless it is enough for that. `seen` is what it was made of.
    #[must_use]
    pub fn strictly(self, seen: &Seen) -> Answer {
        match self {
            Self::Acknowledged { retires: false, because, .. } => {
                let what = vec![format!("{because}, and that is not enough for instances to be stopped")];
                Self::Missing { what, still: different(seen).collect(), next_window: false }
            }
            other @ (Self::Acknowledged { .. } | Self::Missing { .. }) => other,
        }
    }

    /// The older splits that may still be in force.
    #[must_use]
    pub fn still(&self) -> &[Split] {
        match self {
            Self::Acknowledged { .. } => &[],
            Self::Missing { still, .. } => still,
        }
    }
}

/// Older splits that are not the accepted one.
fn different(seen: &Seen) -> impl Iterator<Item = Split> + '_ {
    seen.older.iter().map(|past| past.split).filter(|split| !same(*split, seen.accepted.split))
}

/// Whether two splits come to the same weights.
fn same(a: Split, b: Split) -> bool {
    (0..2).all(|slot| a.share(slot) == b.share(slot))
}

/// What requests say.
enum Counted {
    Excluded(String),
    Not { why: String, closed: bool },
}

/// Whether the accepted route is in force, and alone.
#[must_use]
pub fn acknowledge(known: &Known<'_>) -> Answer {
    let seen = known.seen;
    let mut what = not_taken(seen);
    let generation = seen.fence.generation;
    let least = known.planes.iter().map(|plane| plane.generation.unwrap_or(0)).min().unwrap_or(0);
    let after = |past: &&super::marks::Past| past.generation >= least;
    let still: Vec<Split> = seen.older.iter().filter(after).map(|past| past.split).collect();
    let missing = |what, next_window| Answer::Missing { what, still: still.clone(), next_window };
    for plane in known.planes {
        match plane.generation {
            Some(at) if at < generation => {
                what.push(format!("{} applies generation {at}, and {generation} is written", plane.name));
            }
            Some(at) if at > generation => {
                what.push(format!("{} applies generation {at}, which is newer than the one that was seen", plane.name));
            }
            Some(_) | None => {}
        }
    }
    if !what.is_empty() {
        return missing(what, false);
    }
    if !seen.edited && !known.planes.is_empty() && known.planes.iter().all(|plane| plane.generation.is_some()) {
        let because = format!("all {} data planes apply generation {generation}", known.planes.len());
        return Answer::Acknowledged { strength: Strength::Dataplane, retires: true, because };
    }
    let others: Vec<Split> = still.iter().copied().filter(|split| !same(*split, seen.accepted.split)).collect();
    let now = seen.accepted.split.share(1);
    let returns = others.len() < still.len() && !others.is_empty();
    let around = others.iter().any(|split| split.share(1) < now) && others.iter().any(|split| split.share(1) > now);
    match counted(known, &others) {
        Counted::Excluded(because) if !(returns || around) || known.since_ms >= SURE_MS => {
            return Answer::Acknowledged { strength: Strength::Measured, retires: true, because };
        }
        Counted::Excluded(because) => {
            let why = if returns { "the same split was there before" } else { "older splits may hide each other" };
            what.push(format!("{because}, but {why}, so {} has to go by", seconds(SURE_MS)));
        }
        Counted::Not { why, closed: true } => return missing(vec![why], true),
        Counted::Not { why, closed: false } => what.push(why),
    }
    if known.since_ms < SURE_MS {
        what.push(format!("{} of {} have gone by", seconds(known.since_ms), seconds(SURE_MS)));
        return missing(what, false);
    }
    let because = format!("{} have gone by, and nothing speaks against it", seconds(known.since_ms));
    let retires = known.requests == Some(0) || others.is_empty();
    Answer::Acknowledged { strength: Strength::Time, retires, because }
}

/// What the API server and the Gateways' controllers have not said yet.
fn not_taken(seen: &Seen) -> Vec<String> {
    let mut what = Vec::new();
    if seen.routes == 0 {
        what.push("there is no HTTPRoute that names our Services".to_owned());
    } else if !seen.has_parents {
        what.push("the HTTPRoute belongs to no Gateway; write `parentRefs`".to_owned());
    }
    if seen.routes > 0 && !seen.settled {
        what.push("the rules do not all say the same yet".to_owned());
    }
    what.extend(seen.waiting.iter().map(|(route, parent)| format!("{route}, {}: {}", parent.name, parent.missing)));
    what
}

/// Whether the window's requests exclude all of the older splits.
fn counted(known: &Known<'_>, others: &[Split]) -> Counted {
    let (window, now) = (known.window, known.seen.accepted.split);
    let not = |why: &str| Counted::Not { why: why.to_owned(), closed: false };
    let Some(requests) = window.requests else { return not("nobody counts the requests that data planes send") };
    if others.is_empty() {
        return not("there is no older split that requests could tell this one from");
    }
    let sum = requests[0].saturating_add(requests[1]);
    if !fits(requests, now) {
        let why =
            format!("of {sum} requests {} and {} went to the slots, which is not {now:?}", requests[0], requests[1]);
        return Counted::Not { why, closed: true };
    }
    let planes = u32::try_from(known.planes.len().max(ASSUMED_PLANES)).unwrap_or(u32::MAX);
    let needs = others.iter().map(|older| needed(now, *older, planes, window.alpha_ppm()));
    let Some(needs) = needs.collect::<Option<Vec<u64>>>() else {
        return not(&format!("the splits are too near to be told apart by {MOST} requests"));
    };
    let needs = needs.into_iter().max().unwrap_or(0);
    if sum < needs || window.ms < window.least_ms() {
        return not(&format!(
            "{sum} of {needs} requests and {} of {} were counted",
            seconds(window.ms),
            seconds(window.least_ms())
        ));
    }
    match others.iter().find(|older| !excludes(requests, now, **older, planes, window.alpha_ppm())) {
        None => Counted::Excluded(format!("{sum} requests exclude every older split at one of {planes} data planes")),
        Some(older) => {
            let why = format!("{sum} requests do not exclude that one of {planes} data planes still applies {older:?}");
            Counted::Not { why, closed: true }
        }
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

#[cfg(test)]
mod tests;
