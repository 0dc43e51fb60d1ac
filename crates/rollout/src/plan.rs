//! Strategies, compiled away: every preset becomes a list of targets with an acceptance each. Nothing but this file
//! knows a strategy by name.
use crate::permit::Limits;
use crate::split::{Bp, FULL, Pair, Route, Slot, Split};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// What a rollout will do, compiled at its start and frozen with it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// What the service must keep.
    pub limits: Limits,
    /// The most instances that may exist at once in both slots; `u16::MAX` where there is room.
    pub ceiling: u16,
    /// The form of the splits that lie between two targets.
    pub kind: Kind,
    /// Towards the wanted revision. Slot 0 stands for the good slot at the start, slot 1 for the other one.
    pub steps: Vec<Step>,
    /// Whether the old set is kept warm for a while after the commit.
    pub window: bool,
    /// Where the service rests; `None`: in the slot in which its revision was released. A platform whose names are tied
    /// to one set of instances needs it: the promoted revision is copied there, and the traffic follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<Home>,
    /// What becomes of the canary on an abort.
    pub on_abort: OnAbort,
    /// How long things may take. The core never reads them; the driver arms its timers with them.
    pub times: Times,
}

/// The slot at which a service rests.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Home {
    /// The slot.
    pub slot: Slot,
    /// The rising shares in which traffic returns to it, without analysis; everything follows the last. Empty: at once.
    pub shares: Vec<Bp>,
}

/// How a router divides traffic on the way between two targets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// By share.
    Weighted,
    /// By the instances that are routed.
    Members,
}

/// What becomes of the canary when a rollout is aborted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnAbort {
    /// It is drained and stopped.
    Retire,
    /// It stays, without traffic, until a person retires it.
    Park,
}

/// One entry of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Where to go.
    pub target: Target,
    /// When to go on.
    pub accept: Accept,
}

/// A point that the service can rest at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Target {
    /// The instances of each slot.
    pub size: Pair<u16>,
    /// The route.
    pub route: Route,
}

impl Target {
    /// `slot` carries everything with `size` instances, and the other slot is empty.
    pub fn rest(slot: Slot, size: u16) -> Target {
        let mut sizes = [0, 0];
        sizes[slot] = size;
        Target { size: sizes, route: Route::plain(Split::all(slot, size)) }
    }

    /// The target as seen when the good slot is `good`.
    pub fn for_good(self, good: Slot) -> Target {
        if good == 0 { self } else { Target { size: [self.size[1], self.size[0]], route: self.route.swapped() } }
    }
}

/// What a step waits for once its target is reached; all that is set must hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Accept {
    /// A timed hold, in milliseconds.
    pub bake_ms: Option<u64>,
    /// A passed analysis.
    pub checks: bool,
    /// A person's approval.
    pub manual: bool,
}

/// Durations in milliseconds. Defaults are those of Nomad's `update` block, where it has the same thing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Times {
    /// An instance counts as healthy after this long without a failed check or a restart.
    pub min_healthy_ms: u64,
    /// The instances of a step must be healthy in this time.
    pub healthy_ms: u64,
    /// Some instance must become healthy in this time.
    pub progress_ms: u64,
    /// Open requests get this long to end before their instance is stopped.
    pub drain_ms: u64,
    /// The old set is kept warm this long.
    pub window_ms: u64,
    /// The data plane takes the fallback when it did not hear of the controller for this long.
    pub lease_ms: u64,
}

impl Default for Times {
    fn default() -> Self {
        Times {
            min_healthy_ms: 10_000,
            healthy_ms: 5 * 60_000,
            progress_ms: 10 * 60_000,
            drain_ms: 30_000,
            window_ms: 60_000,
            lease_ms: 15_000,
        }
    }
}

/// A strategy as a person names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Preset {
    /// A canary of full size gets the traffic in rising shares, then everything; then the two swap roles.
    Weights(Vec<WeightStep>),
    /// Both sets at full size; everything moves at once. Checks before and after the cutover.
    BlueGreen {
        /// With no traffic on the new set.
        before: Accept,
        /// With all traffic on it.
        after: Accept,
    },
    /// One extra instance joins first, and the old ones are replaced one at a time while it stays to the end.
    CanaryKept {
        /// `true`: each new instance takes the place of one old one, the first included. `false`: the extra one stays
        /// beside all the others until the last of them is replaced.
        one_by_one: bool,
        /// For the first instance.
        first: Accept,
        /// For every further one.
        each: Accept,
    },
    /// There is room for one set only: it stops, then the new one starts. Needs the permission for downtime.
    InPlace {
        /// After the new set carries everything.
        after: Accept,
    },
    /// Straight to a revision that has been good before: ready, then everything.
    Direct,
}

/// One share of a weighted canary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WeightStep {
    /// The canary's share.
    pub weight: Bp,
    /// What it waits for.
    pub accept: Accept,
}

/// A plan that cannot be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlanError {
    /// A service of no instances.
    NoReplicas,
    /// Every instance may be missing, although downtime is not allowed.
    NothingLeft,
    /// A strategy without a step.
    NoSteps,
    /// The step with this index has a share outside 1..=10 000, or one that is not above the one before.
    Weight(usize),
    /// An update in place stops what serves, and downtime is not allowed.
    NeedsDowntime,
    /// The share with this index, in which traffic returns home, is outside 1..=9 999, not above the one before, or
    /// traffic is not divided by share.
    HomeShare(usize),
    /// Where there is room for one set only, nothing can be copied from one slot to the other.
    NoRoomForHome,
    /// There are two slots, and this is none of them.
    NoSlot(Slot),
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanError::NoReplicas => f.write_str("a service needs at least one replica"),
            PlanError::NothingLeft => {
                f.write_str("max_unavailable must leave at least one replica, or allow_downtime must be true")
            }
            PlanError::NoSteps => f.write_str("a release by weights needs at least one step"),
            PlanError::Weight(i) => {
                write!(f, "step {} needs a weight above the one before it and at most 100%", i + 1)
            }
            PlanError::NeedsDowntime => {
                f.write_str("an update in place stops the only copy first: set allow_downtime: true")
            }
            PlanError::HomeShare(i) => write!(
                f,
                "share {} of the way home needs traffic that is divided by share, and to be above the one before it and below 100%",
                i + 1
            ),
            PlanError::NoRoomForHome => {
                f.write_str("an update in place has room for one set only, so nothing can be copied home")
            }
            PlanError::NoSlot(slot) => write!(f, "there is no slot {slot}: the slots are 0 and 1"),
        }
    }
}

impl core::error::Error for PlanError {}

impl Plan {
    /// Compiles a strategy for `replicas` instances of which `max_unavailable` may be missing.
    ///
    /// # Errors
    /// What makes the plan impossible.
    pub fn compile(
        preset: &Preset,
        replicas: u16,
        max_unavailable: u16,
        allow_downtime: bool,
    ) -> Result<Plan, PlanError> {
        if replicas == 0 {
            return Err(PlanError::NoReplicas);
        }
        let floor = replicas.saturating_sub(max_unavailable);
        if floor == 0 && !allow_downtime {
            return Err(PlanError::NothingLeft);
        }
        let steps = match preset {
            Preset::Weights(steps) => weights(replicas, steps)?,
            Preset::BlueGreen { before, after } => blue_green(replicas, *before, *after),
            Preset::CanaryKept { one_by_one, first, each } => canary_kept(replicas, *one_by_one, *first, *each),
            Preset::InPlace { .. } if !allow_downtime => return Err(PlanError::NeedsDowntime),
            Preset::InPlace { after } => alloc::vec![Step { target: Target::rest(1, replicas), accept: *after }],
            Preset::Direct => alloc::vec![Step { target: cutover(replicas), accept: Accept::default() }],
        };
        let in_place = matches!(preset, Preset::InPlace { .. });
        let kind = match preset {
            Preset::Weights(_) | Preset::BlueGreen { .. } | Preset::Direct => Kind::Weighted,
            Preset::CanaryKept { .. } | Preset::InPlace { .. } => Kind::Members,
        };
        Ok(Plan {
            limits: Limits { replicas, floor: if in_place { 0 } else { floor } },
            ceiling: if in_place { replicas } else { u16::MAX },
            kind,
            steps,
            window: kind == Kind::Weighted,
            home: None,
            on_abort: OnAbort::Retire,
            times: Times::default(),
        })
    }

    /// The same plan for a service that rests in `slot`: what is promoted elsewhere is copied there, and the traffic
    /// follows in these rising shares.
    ///
    /// # Errors
    /// A slot that there is not, no room for two sets, or shares that do not rise.
    pub fn with_home(self, slot: Slot, shares: Vec<Bp>) -> Result<Plan, PlanError> {
        if slot > 1 {
            return Err(PlanError::NoSlot(slot));
        }
        if self.ceiling != u16::MAX {
            return Err(PlanError::NoRoomForHome);
        }
        let rises = |i: usize| shares[i] < FULL && shares[i] > i.checked_sub(1).map_or(0, |before| shares[before]);
        match (0..shares.len()).find(|i| self.kind != Kind::Weighted || !rises(*i)) {
            Some(i) => Err(PlanError::HomeShare(i)),
            None => Ok(Plan { home: Some(Home { slot, shares }), ..self }),
        }
    }

    /// The same plan with a step before all the others: the new set at full size, without traffic, until `accept` is so.
    /// Where traffic moves by members the plan stays as it is: its first instance has a part of the traffic at once.
    pub fn with_preparation(mut self, accept: Accept) -> Plan {
        if self.kind == Kind::Weighted {
            self.steps.insert(0, Step { target: shared(self.limits.replicas, 0), accept });
        }
        self
    }

    /// The plan of a service at rest, for which no revision is wanted but its own.
    ///
    /// # Errors
    /// What makes the plan impossible.
    pub fn at_rest(replicas: u16, max_unavailable: u16, allow_downtime: bool) -> Result<Plan, PlanError> {
        Plan::compile(&Preset::Direct, replicas, max_unavailable, allow_downtime)
    }
}

/// Rising shares from `start` by `step` up to `max`, as Flagger's `stepWeight` and `maxWeight` give them; the canary
/// gets everything after the last.
pub fn rising(start: Bp, step: Bp, max: Bp) -> Vec<Bp> {
    let mut list = Vec::new();
    let mut weight = start.min(max);
    while weight < max {
        list.push(weight);
        weight = weight.saturating_add(step.max(1)).min(max);
    }
    list.push(max);
    list
}

/// The canary at full size with `share` of the traffic; the data plane may return to the old set by itself.
fn shared(n: u16, share: Bp) -> Target {
    let home = Split::all(0, n);
    let split = match share {
        0 => home,
        FULL => Split::all(1, n),
        share => Split::share_to(1, share),
    };
    let fallback = (split != home).then_some(home);
    Target { size: [n, n], route: Route { split, fallback, lease: fallback.is_some() } }
}

fn cutover(n: u16) -> Target {
    shared(n, FULL)
}

fn weights(n: u16, list: &[WeightStep]) -> Result<Vec<Step>, PlanError> {
    let mut steps = Vec::with_capacity(list.len() + 1);
    let mut last = 0;
    for (i, step) in list.iter().enumerate() {
        if step.weight <= last || step.weight > FULL {
            return Err(PlanError::Weight(i));
        }
        last = step.weight;
        steps.push(Step { target: shared(n, step.weight), accept: step.accept });
    }
    let accept = list.last().ok_or(PlanError::NoSteps)?.accept;
    if last < FULL {
        steps.push(Step { target: cutover(n), accept: Accept { manual: false, ..accept } });
    }
    Ok(steps)
}

fn blue_green(n: u16, before: Accept, after: Accept) -> Vec<Step> {
    alloc::vec![Step { target: shared(n, 0), accept: before }, Step { target: cutover(n), accept: after }]
}

/// Fly's canary, which Fly itself destroys before the roll. `[old, new]` instances: `[n, 1]`, then for each old one in
/// turn `[n-i, i]` and `[n-i, i+1]`; one by one the extra instance is itself the first of the new set.
fn canary_kept(n: u16, one_by_one: bool, first: Accept, each: Accept) -> Vec<Step> {
    let members = |old: u16, new: u16| {
        let fallback = (old > 0 && new > 0).then_some(Split::all(0, old));
        let route = Route { split: Split::Members([old, new]), fallback, lease: fallback.is_some() };
        Target { size: [old, new], route }
    };
    let none = Accept::default();
    let mut steps = alloc::vec![Step { target: members(n, 1), accept: first }];
    for i in 1..=n {
        steps.push(Step { target: members(n - i, i), accept: none });
        let more = if one_by_one { i < n } else { true };
        if more {
            steps.push(Step { target: members(n - i, i + 1), accept: each });
        }
    }
    if !one_by_one {
        steps.push(Step { target: members(0, n), accept: none });
    }
    steps
}

#[cfg(test)]
mod tests;
