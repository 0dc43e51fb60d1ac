//! What is seen of a slot. Everything here errs to the careful side: fewer ready, more that exist, not pinned, not fresh.
//!
//! | the target | `rev` | `pinned` | `ready` |
//! |---|---|---|---|
//! | paused, all of its pods are of the expected template (whatever its spec holds) | expected | yes | those of that template |
//! | paused on its way to the expected template, or before it was ever rolled | expected | no | those of that template |
//! | paused, and all of its pods, or its spec and some of them, are of another one | unknown | no | those of the expected template |
//! | not paused, on its way to the expected template | expected | yes | 0 |
//! | not paused, and there | expected | no | those of that template |
//! | not paused, and on its way to another template | unknown | no | those of the expected template |
//!
//! A paused Deployment keeps its pods only while one ReplicaSet has all of them. Where two have some, a push of the other
//! one's template can end the expected one: it is "current" then, and complete, so the rest goes.
//!
//! With an autoscaler, it is pinned only while that is held as well. One that is being deleted has nothing that can be
//! counted on. The primary is never paused: it runs what its annotations say if its template is the one that they name.
//!
//! On its way to the expected template `pinned` is told although anybody could push, so that nobody asks again meanwhile; as
//! it has nothing ready, nothing is routed to it. Should there be ready pods all the same (somebody let a serving target roll
//! and scaled it up), the view is told as stale rather than as a service of which nothing is ready: that would be a
//! reason to take the traffic from pods that serve.
//!
//! Nobody knows here how many requests are open: `busy` is 0, and whoever knows the data plane fills it in.
use super::content::{Content, template_digest};
use super::sets::{Sets, Told};
use super::{annotation, autoscaler, reading};
use crate::problem::Problem;
use serin_rollout::{Rev, SetSeen};

pub use super::sets::Now;

/// What runs is none of the revisions that are known.
pub const UNKNOWN: Rev = Rev(u32::MAX);

/// A revision, as it is found again in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its number.
    pub rev: Rev,
    /// Its full hash.
    pub hash: String,
    /// The digest of the target's pod template.
    pub template: String,
}

impl Expected {
    /// The revision of this number and content.
    #[must_use]
    pub fn of(rev: Rev, content: &Content) -> Expected {
        Expected { rev, hash: content.hash(), template: content.template_digest() }
    }
}

/// The target, in slot 1. `expected` is what it is to run, `None` where nothing was ever tried there; `fresh` whether this
/// view is as new as the own last write.
///
/// # Errors
/// What is of the wrong kind, or more pods than can be counted.
pub fn target(now: &Now<'_>, expected: Option<&Expected>, fresh: bool) -> Result<SetSeen, Problem> {
    let Some(workload) = now.deployment()? else { return Ok(SetSeen { fresh, ..SetSeen::EMPTY }) };
    let told = Told::of(workload)?;
    let digest = expected.map_or("", |expected| expected.template.as_str());
    let sets = Sets::count(workload, now, digest)?;
    let current = template_digest(reading::template(workload)?) == digest;
    let held = now.autoscaler.map_or(Ok(true), |scaler| autoscaler::is_held(scaler, told.desired))?;
    let rolling = !told.paused && current && told.desired > 0 && !sets.complete(told.desired);
    let runs = match (told.paused, current) {
        (true, true) => sets.wanted > 0 || sets.others == 0,
        (true, false) => sets.others == 0 && (sets.wanted > 0 || told.desired == 0),
        (false, current) => current,
    };
    let kept = told.paused && held && sets.others == 0 && (sets.exist > 0 || told.desired == 0);
    let pinned = rolling || kept;
    let rev = match expected {
        Some(expected) if runs => Some(expected.rev),
        None if told.desired == 0 && sets.total == 0 => None,
        Some(_) | None => Some(UNKNOWN),
    };
    let mut seen = set(told, sets, rev, pinned, fresh);
    if rolling {
        (seen.fresh, seen.ready, seen.healthy) = (seen.fresh && sets.ready == 0, 0, 0);
    }
    Ok(seen)
}

/// The primary, in slot 0. `known` are the revisions that it may have.
///
/// # Errors
/// What is of the wrong kind, or more pods than can be counted.
pub fn primary(now: &Now<'_>, known: &[Expected], fresh: bool) -> Result<SetSeen, Problem> {
    let Some(workload) = now.deployment()? else { return Ok(SetSeen { fresh, ..SetSeen::EMPTY }) };
    let told = Told::of(workload)?;
    let present = template_digest(reading::template(workload)?);
    let written = reading::annotation(workload, annotation::TEMPLATE);
    let sets = Sets::count(workload, now, written.unwrap_or(&present))?;
    let rev = if written == Some(present.as_str()) { annotated(workload, known) } else { None };
    let held = now.autoscaler.map_or(Ok(true), |scaler| autoscaler::is_held(scaler, told.desired))?;
    let pinned = held && reading::annotation(workload, annotation::PINNED) == Some("true");
    Ok(set(told, sets, Some(rev.unwrap_or(UNKNOWN)), pinned, fresh))
}

/// The known revision that the annotations name, by number and hash: a number alone may have been another's.
pub(super) fn annotated(workload: &serde_json::Value, known: &[Expected]) -> Option<Rev> {
    let number: u32 = reading::annotation(workload, annotation::REVISION)?.parse().ok()?;
    let hash = reading::annotation(workload, annotation::HASH)?;
    known.iter().find(|known| known.rev == Rev(number) && known.hash == hash).map(|known| known.rev)
}

fn set(told: Told, sets: Sets, rev: Option<Rev>, pinned: bool, fresh: bool) -> SetSeen {
    let stays = !told.leaving;
    SetSeen {
        rev,
        desired: told.desired,
        total: sets.total,
        ready: if stays { sets.ready } else { 0 },
        healthy: if stays { sets.available } else { 0 },
        busy: 0,
        pinned: pinned && stays,
        fresh: fresh && told.observed && sets.observed,
    }
}

#[cfg(test)]
mod tests;
