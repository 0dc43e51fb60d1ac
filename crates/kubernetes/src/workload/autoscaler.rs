//! An autoscaler: how it is kept from lowering a number, and given back as it was.
//!
//! A held HorizontalPodAutoscaler (autoscaling/v2) has `minReplicas` and `maxReplicas` at least at the size, and
//! `behavior.scaleDown.selectPolicy: Disabled`. The last is what keeps it from lowering; the first makes it raise with us;
//! and the second must rise too, since whatever the behaviour says, what is above `maxReplicas` is lowered to it.
//!
//! What it was, and what was written in its place, stands in an annotation. When it is let go, a field that still has what
//! was written becomes what it was; one that somebody has edited meanwhile stays as they want it.
use super::{Change, annotate, annotation, reading};
use crate::problem::{Problem, Rule};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const API: &str = "autoscaling/v2";
const KIND: &str = "HorizontalPodAutoscaler";
const POLICY: &str = "/spec/behavior/scaleDown/selectPolicy";
const DISABLED: &str = "Disabled";
/// The policy of one that names none.
const USUAL: &str = "Max";

/// What is kept in the annotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    /// Each as it was, and as it was written.
    min: (u16, u16),
    max: (u16, u16),
    /// The policy as it was; `None` where there was none.
    policy: Option<String>,
    /// Whether there was a `behavior` at all; the API server fills a whole one in beside the policy.
    behavior: bool,
}

/// Whether it cannot lower its workload, which has `desired` instances.
///
/// # Errors
/// Numbers that are none.
pub fn is_held(scaler: &Value, desired: u16) -> Result<bool, Problem> {
    let disabled = reading::text(scaler, POLICY)? == Some(DISABLED);
    Ok(disabled && held(scaler)?.is_some() && reading::count(scaler, "/spec/maxReplicas")? >= desired)
}

/// What makes it hold at least `size` instances; `None` where it does.
///
/// # Errors
/// One that Serin cannot hold.
pub fn hold(scaler: &Value, size: u16) -> Result<Option<Change>, Problem> {
    can_be_held(scaler)?;
    let (min, max) = sizes(scaler)?;
    let policy = reading::text(scaler, POLICY)?;
    let before = held(scaler)?;
    // What somebody has edited since is what they want to have back.
    let was =
        |now: u16, kept: Option<(u16, u16)>| kept.filter(|(_, written)| *written == now).map_or(now, |(was, _)| was);
    let (was_min, was_max) =
        (was(min, before.as_ref().map(|held| held.min)), was(max, before.as_ref().map(|held| held.max)));
    let kept_policy = before.as_ref().filter(|_| policy == Some(DISABLED));
    let held = Held {
        min: (was_min, was_min.max(size).max(1)),
        max: (was_max, was_max.max(size).max(1)),
        policy: kept_policy.map_or_else(|| policy.map(str::to_owned), |held| held.policy.clone()),
        behavior: kept_policy.map_or_else(|| reading::at(scaler, "/spec/behavior").is_some(), |held| held.behavior),
    };
    let mut operations = annotate(scaler, &[(annotation::HELD, Some(written(&held)))]);
    operations.extend(number("minReplicas", min, held.min.1));
    operations.extend(number("maxReplicas", max, held.max.1));
    if policy != Some(DISABLED) {
        operations.extend(disable(scaler));
    }
    Change::patch(API, KIND, scaler, operations)
}

/// What lets it go; `None` where nobody holds it.
///
/// # Errors
/// One that Serin cannot have held.
pub fn release(scaler: &Value) -> Result<Option<Change>, Problem> {
    let Some(held) = held(scaler)? else { return Ok(None) };
    can_be_held(scaler)?;
    let (min, max) = sizes(scaler)?;
    let back = |now: u16, (was, written): (u16, u16)| if now == written { was } else { now };
    let mut operations = annotate(scaler, &[(annotation::HELD, None)]);
    operations.extend(number("minReplicas", min, back(min, held.min)));
    operations.extend(number("maxReplicas", max, back(max, held.max)));
    if reading::text(scaler, POLICY)? == Some(DISABLED) {
        operations.push(match (&held.policy, held.behavior) {
            (None, false) if is_filled_in(scaler) => json!({"op": "remove", "path": "/spec/behavior"}),
            (policy, _) => {
                let usual = policy.as_deref().unwrap_or(USUAL);
                json!({"op": "replace", "path": POLICY, "value": usual})
            }
        });
    }
    Change::patch(API, KIND, scaler, operations)
}

/// The primary's own autoscaler: a copy of the target's, which scales the primary. `least` and `most` are the canary's
/// `primaryScalerReplicas`.
///
/// # Errors
/// One that Serin cannot copy.
pub fn primary(
    scaler: &Value,
    workload: &str,
    owner: &Value,
    least: Option<u16>,
    most: Option<u16>,
) -> Result<Value, Problem> {
    can_be_held(scaler)?;
    let name = format!("{}-primary", reading::name(scaler)?);
    let mut spec = scaler.get("spec").cloned().unwrap_or_else(|| json!({}));
    spec["scaleTargetRef"]["name"] = workload.into();
    // A target whose autoscaler is held at this moment is copied as it was.
    if let Some(held) = held(scaler)? {
        (spec["minReplicas"], spec["maxReplicas"]) = (held.min.0.into(), held.max.0.into());
        match (held.policy, held.behavior) {
            (None, false) => {
                spec.as_object_mut().map(|spec| spec.remove("behavior"));
            }
            (policy, _) => spec["behavior"]["scaleDown"]["selectPolicy"] = policy.as_deref().unwrap_or(USUAL).into(),
        }
    }
    for (key, number) in [("minReplicas", least), ("maxReplicas", most)] {
        if let Some(number) = number {
            spec[key] = number.into();
        }
    }
    let mut metadata = json!({ "name": name, "ownerReferences": [owner] });
    if let Some(namespace) = reading::text(scaler, "/metadata/namespace")? {
        metadata["namespace"] = namespace.into();
    }
    Ok(json!({ "apiVersion": API, "kind": KIND, "metadata": metadata, "spec": spec }))
}

/// Serin holds what it knows how to hold.
fn can_be_held(scaler: &Value) -> Result<(), Problem> {
    let kind = scaler.get("kind").and_then(Value::as_str).unwrap_or(KIND);
    if kind != KIND {
        let message = format!("a {} cannot be kept from lowering its workload yet", crate::decode::cut(kind));
        let help = "name a HorizontalPodAutoscaler in `autoscalerRef`, or leave this canary to Flagger";
        return Err(Problem::error(Rule::Unsupported, "spec.autoscalerRef", message, help));
    }
    let target = reading::at(scaler, "/spec/scaleTargetRef").is_some_and(Value::is_object);
    let behavior = reading::map(scaler, "/spec/behavior")?;
    let down = reading::map(scaler, "/spec/behavior/scaleDown")?;
    if target || behavior.or(down).is_some() {
        return Ok(());
    }
    let message = format!("the autoscaler {} scales nothing", reading::title(scaler));
    Err(Problem::error(Rule::Missing, "spec.scaleTargetRef", message, "name the target in it"))
}

/// The least and the most; the API server fills in 1 for the least.
fn sizes(scaler: &Value) -> Result<(u16, u16), Problem> {
    let least = if reading::at(scaler, "/spec/minReplicas").is_some() {
        reading::count(scaler, "/spec/minReplicas")?
    } else {
        1
    };
    Ok((least, reading::count(scaler, "/spec/maxReplicas")?))
}

fn held(scaler: &Value) -> Result<Option<Held>, Problem> {
    let Some(text) = reading::annotation(scaler, annotation::HELD) else { return Ok(None) };
    serde_json::from_str(text).map(Some).map_err(|_| {
        let message =
            format!("the annotation {} of {} was not written by Serin", annotation::HELD, reading::title(scaler));
        let help = "write minReplicas, maxReplicas and behavior as you want them, and remove the annotation";
        Problem::error(Rule::Value, "metadata.annotations", message, help)
    })
}

/// The annotation's text.
///
/// # Panics
/// Never: it has only numbers, texts and truth values.
fn written(held: &Held) -> String {
    serde_json::to_string(held).expect("it is always JSON")
}

fn number(key: &str, now: u16, wanted: u16) -> Option<Value> {
    let path = format!("/spec/{key}");
    (now != wanted).then(|| json!({"op": "add", "path": path, "value": wanted}))
}

/// What disables scaling down, whatever there is of the behaviour.
fn disable(scaler: &Value) -> Vec<Value> {
    let add = |path: &str, value: Value| json!({"op": "add", "path": path, "value": value});
    if reading::at(scaler, "/spec/behavior").is_none() {
        vec![add("/spec/behavior", json!({"scaleDown": {"selectPolicy": DISABLED}}))]
    } else if reading::at(scaler, "/spec/behavior/scaleDown").is_none() {
        vec![add("/spec/behavior/scaleDown", json!({"selectPolicy": DISABLED}))]
    } else {
        vec![add(POLICY, DISABLED.into())]
    }
}

/// Whether the behaviour is what the API server fills in beside a disabled policy, so that nobody else has written any.
fn is_filled_in(scaler: &Value) -> bool {
    let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let pods = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
    let down = json!({"selectPolicy": DISABLED, "policies": [percent]});
    let up = json!({"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [pods, percent]});
    let behavior = scaler.pointer("/spec/behavior");
    behavior == Some(&json!({"scaleDown": down, "scaleUp": up}))
        || behavior == Some(&json!({"scaleDown": {"selectPolicy": DISABLED}}))
}

#[cfg(test)]
mod tests;
