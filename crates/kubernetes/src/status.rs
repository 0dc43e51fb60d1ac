//! What stands in `.status` of a `Canary`: Flagger's fields, which dashboards and scripts read, and ours beside them.
//!
//! Who reads it, and what for (facts about these programs, by which this was made):
//!
//! * **`kubectl wait --for=condition=promoted`** reads the condition `Promoted`: True after a promotion, False after a
//!   failure, Unknown meanwhile. Here it is Unknown from the moment that a new spec is seen, and `observedGeneration` says
//!   of which spec the status speaks.
//! * **Flux and `kstatus`** hold `observedGeneration` against the generation, then read `Stalled` (True: failed),
//!   `Reconciling` (True: in progress) and `Ready`.
//! * **Argo CD's check for this kind** reads `phase`, holds `canaryWeight` to be a number, and puts the messages of all
//!   conditions together; so these three are always there, and every condition has a message.
//! * Flagger writes `lastTransitionTime` with every write. Here it says when the phase changed, and a condition's when
//!   its status did.
//!
//! No clock is read: the time comes in as text, in the form of RFC 3339.
mod conditions;
mod phase;

pub use conditions::{Condition, Truth};
pub use phase::{Phase, phase};

use crate::problem::Problem;
use crate::wanted::{Finding, Moment, Question};
use serde::{Deserialize, Serialize};
use serin_rollout::{Bp, Plan, Status, WaitingOn};
use std::collections::BTreeMap;

/// The status of a canary. Everything that is not optional is always written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CanaryStatus {
    /// Where the release stands, in Flagger's words.
    pub phase: Phase,
    /// Failed rounds of this release.
    pub failed_checks: u32,
    /// The share of the target's own instances, in per cent, rounded down. 100 where a halted copy leaves everything to
    /// them.
    pub canary_weight: u16,
    /// How often a canary without traffic was looked at.
    pub iterations: u32,
    /// The hashes of the ConfigMaps and Secrets that belong to the revision.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tracked_configs: BTreeMap<String, String>,
    /// The full hash of the revision that was seen last.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_applied_spec: String,
    /// The full hash of the revision that was promoted last.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_promoted_spec: String,
    /// When the phase changed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_transition_time: String,
    /// What holds now.
    pub conditions: Vec<Condition>,
    /// The generation of the spec that all of this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The number of the rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<u32>,
    /// What was measured in the last round.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Measured>,
}

impl CanaryStatus {
    /// The status that stands in an object, whoever wrote it. What cannot be read is left out: only the times are taken
    /// over from it.
    #[must_use]
    pub fn read(object: &serde_json::Value) -> Option<CanaryStatus> {
        let mut fields = object.get("status")?.as_object()?.clone();
        fields.retain(|_, value| !value.is_null());
        for condition in fields.get_mut("conditions").and_then(|list| list.as_array_mut()).into_iter().flatten() {
            if let Some(condition) = condition.as_object_mut() {
                condition.retain(|_, value| !value.is_null());
            }
        }
        serde_json::from_value(fields.into()).ok()
    }
}

/// One measurement as people read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Measured {
    /// The metric.
    pub name: String,
    /// The value; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The least that is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// The most that is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// Whether it is good. What has no value is not.
    pub good: bool,
}

impl Measured {
    /// What was found of a question.
    #[must_use]
    pub fn of(question: &Question, finding: Finding) -> Measured {
        let value = match finding {
            Finding::Held(value) | Finding::Below(value, _) | Finding::Above(value, _) => Some(value.to_string()),
            Finding::NoValue => None,
        };
        Measured {
            name: question.name.clone(),
            value,
            min: question.limits.min.map(|min| min.to_string()),
            max: question.limits.max.map(|max| max.to_string()),
            good: matches!(finding, Finding::Held(_)),
        }
    }
}

/// Everything that a status is made of.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// Kubernetes' number of the spec that was read.
    pub generation: Option<i64>,
    /// The kind of the workload.
    pub kind: &'a str,
    /// What was saved of the service; `None` before anything was.
    pub status: Option<&'a Status>,
    /// The plan that counts; `None` before there was one.
    pub plan: Option<&'a Plan>,
    /// What the last decision waits for.
    pub waiting: Option<WaitingOn>,
    /// The gate that was asked and did not agree.
    pub gate: Option<Moment>,
    /// The share of slot 1, the target's own instances.
    pub weight: Bp,
    /// Failed rounds of this release.
    pub failed: u32,
    /// How often a canary without traffic was looked at.
    pub iterations: u32,
    /// The full hash of the revision that was seen last.
    pub applied: &'a str,
    /// The full hash of the revision that was promoted last.
    pub promoted: &'a str,
    /// The hashes of the ConfigMaps and Secrets that belong to the revision.
    pub configs: &'a BTreeMap<String, String>,
    /// Why the spec is refused; warnings do no harm here.
    pub refused: &'a [Problem],
    /// Nothing is to be done.
    pub suspended: bool,
    /// The object is being deleted.
    pub deleting: bool,
    /// What was measured in the last round, or why nothing goes on, in a sentence.
    pub text: &'a str,
    /// What was measured in the last round.
    pub metrics: Vec<Measured>,
}

/// The status to write. `before` is the one that stands there; `now` is the time in the form of RFC 3339.
#[must_use]
pub fn status_of(seen: Seen<'_>, before: Option<&CanaryStatus>, now: &str) -> CanaryStatus {
    let phase = phase(&seen);
    let unchanged = before.filter(|before| before.phase == phase && !before.last_transition_time.is_empty());
    let last_transition_time = unchanged.map_or_else(|| now.to_owned(), |before| before.last_transition_time.clone());
    let conditions = conditions::conditions(&seen, phase, before, now);
    CanaryStatus {
        phase,
        failed_checks: seen.failed,
        canary_weight: seen.weight / 100,
        iterations: seen.iterations,
        tracked_configs: seen.configs.clone(),
        last_applied_spec: seen.applied.to_owned(),
        last_promoted_spec: seen.promoted.to_owned(),
        last_transition_time,
        conditions,
        observed_generation: seen.generation,
        rollout: seen.status.map(|status| status.rollout),
        metrics: seen.metrics,
    }
}

#[cfg(test)]
mod tests;
