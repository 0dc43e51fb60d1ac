//! The HTTPRoute: one that is made for a canary, or the user's own, of which the weights alone are written.
//!
//! **Weights.** Where a rule has no backends but ours, weights are basis points. Where somebody else's stand beside them,
//! ours keep together the share of the whole that they have, and all weights of the rule are multiplied by one whole
//! number, the least with which ours sum to 10 000 or more, so that a basis point can be expressed: 90 and 0 beside 10
//! become 7 560 and 2 520 beside 1 120. (Where that would pass the 1 000 000 that a weight may be, it is as much as fits.)
//!
//! **What is left alone.** Rules that name none of our Services, or the Service of one slot only; filters, matches, timeouts
//! and whatever else stands in a route, known or not.
use super::marks::{Fence, Marks};
use super::parents::reference;
use super::rules::{HEAVIEST, Kind, Part, Rule, parts_of, rules};
use super::seen::split_in;
use super::{Belongs, Ours, Owner, Patch};
use crate::problem::{Problem, Rule as Broken};
use crate::wanted::Wanted;
use serde_json::{Map, Value, json};
use serin_rollout::{FULL, Pair, Route, Slot, Split, other};

/// The version that objects are written in. `v1beta1` is the same schema, and the API server gives either as the other.
pub const VERSION: &str = "gateway.networking.k8s.io/v1";
/// The kind's name.
pub const KIND: &str = "HTTPRoute";

/// Why a route cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// It was not read from an API server.
    #[error("the HTTPRoute has no resourceVersion, so nobody can say which one would be changed; read it again")]
    Versionless,
    /// A later incarnation of the controller has claimed it.
    #[error("epoch {0} has claimed the HTTPRoute, and this controller is older: it writes no more")]
    Fenced(u64),
    /// Nothing in it divides.
    #[error("no rule of the HTTPRoute names both {0} and {1} with a weight; name both in `backendRefs`")]
    NotOurs(String, String),
    /// It is not clear what a rule means.
    #[error(
        "rule {0} of the HTTPRoute names one of our Services twice, or the apex beside them; name {1} and {2} once each"
    )]
    Unclear(usize, String, String),
    /// A weight that is none.
    #[error("a weight in rule {0} of the HTTPRoute is no whole number from 0 to 1000000")]
    Weight(usize),
    /// A port that the Services of the slots do not have.
    #[error("rule {0} of the HTTPRoute goes to port {1}, and the canary's Services have port {2} only")]
    Port(usize, u64, u16),
    /// A split that weights cannot express there.
    #[error("weights cannot express {split:?} in rule {rule} of the HTTPRoute")]
    NotCarried {
        /// The rule's number.
        rule: usize,
        /// What was asked for.
        split: Split,
    },
}

/// Whether a route has anything to do with these Services.
#[must_use]
pub fn concerns(route: &Value, ours: &Ours) -> bool {
    rules(route, ours).iter().any(|rule| rule.kind() != Kind::Foreign)
}

/// A whole HTTPRoute with `route` written into it.
///
/// # Errors
/// What the canary says of times that a route cannot say, and a split that weights cannot express.
pub fn made(wanted: &Wanted, owner: &Owner, route: Route, fence: Fence) -> Result<Value, Problem> {
    let marks = Marks { fence, route: Some(route), older: Vec::new() };
    let mut annotations: Map<String, Value> =
        wanted.service.apex.annotations.iter().map(|(key, text)| (key.clone(), json!(text))).collect();
    annotations.extend(marks.texts().into_iter().map(|(key, text)| (key.to_owned(), text.into())));
    let weights = parts_of(route.split, FULL.into()).ok_or_else(|| {
        let message = format!("weights cannot express {:?}", route.split);
        Problem::error(Broken::Unsupported, "spec.provider", message, "take a plan of weights")
    })?;
    let backend = |slot: Slot| {
        json!({"group": "", "kind": "Service", "name": wanted.names.service[slot], "port": wanted.ports.port,
            "weight": weights[slot]})
    };
    let mut rule = json!({"matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "backendRefs": [backend(0), backend(1)]});
    if let Some(times) = timeouts(wanted)? {
        rule["timeouts"] = times;
    }
    let mut spec = json!({"parentRefs": wanted.service.gateway_refs, "rules": [rule]});
    if !wanted.service.hosts.is_empty() {
        spec["hostnames"] = json!(wanted.service.hosts);
    }
    let meta = json!({"name": wanted.names.apex, "namespace": wanted.namespace, "labels": wanted.service.apex.labels,
        "annotations": annotations, "ownerReferences": [owner.reference()]});
    Ok(json!({"apiVersion": VERSION, "kind": KIND, "metadata": meta, "spec": spec}))
}

/// What has to change in a route that was made for this canary, so that it says what the canary says now: hosts, parents
/// and times. Weights stay. `None` where nothing has to, and where the route is not this canary's.
///
/// # Errors
/// What the canary says of times that a route cannot say.
pub fn reformed(existing: &Value, wanted: &Wanted, owner: &Owner) -> Result<Option<Patch>, Problem> {
    let (Belongs::Ours, Some(mut patch)) = (owner.of(existing), Patch::of(existing)) else { return Ok(None) };
    let there = |path: &str| existing.pointer(path).filter(|value| !value.is_null());
    let references = |list: &[Value]| list.iter().map(|v| reference(v, &wanted.namespace)).collect::<Vec<_>>();
    let parents = there("/spec/parentRefs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if references(parents) != references(&wanted.service.gateway_refs) {
        patch.add("/spec/parentRefs", json!(wanted.service.gateway_refs));
    }
    let hosts = json!(wanted.service.hosts);
    if there("/spec/hostnames").unwrap_or(&json!([])) != &hosts {
        patch.add("/spec/hostnames", hosts);
    }
    let times = timeouts(wanted)?;
    if there("/spec/rules/0").is_some() && there("/spec/rules/0/timeouts") != times.as_ref() {
        match times {
            Some(times) => patch.add("/spec/rules/0/timeouts", times),
            None => patch.remove("/spec/rules/0/timeouts"),
        }
    }
    let texts = |map: &std::collections::BTreeMap<String, String>| {
        map.iter().map(|(key, text)| (key.clone(), text.clone())).collect::<Vec<_>>()
    };
    for (what, wished) in
        [("labels", texts(&wanted.service.apex.labels)), ("annotations", texts(&wanted.service.apex.annotations))]
    {
        patch.put(existing, what, wished.iter().map(|(key, text)| (key.as_str(), text.clone())));
    }
    Ok(Some(patch).filter(|patch| !patch.is_empty()))
}

/// The rule's `timeouts`, in the Gateway API's own notation.
fn timeouts(wanted: &Wanted) -> Result<Option<Value>, Problem> {
    let read = |key: &str, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => crate::duration::parse(text)
            .map(Some)
            .map_err(|(message, help)| Problem::error(Broken::Value, format!("spec.service.{key}"), message, help)),
    };
    let request = read("timeout", &wanted.service.timeout)?;
    let attempt = read("backendTimeout", &wanted.service.backend_timeout)?;
    if let (Some(request), Some(attempt)) = (request, attempt)
        && request > 0
        && attempt > request
    {
        let message = "one try may take longer than the whole request, and no Gateway takes that";
        let help = "write at most the `timeout`";
        return Err(Problem::error(Broken::Contradiction, "spec.service.backendTimeout", message, help));
    }
    let mut map = Map::new();
    map.extend(request.map(|ms| ("request".to_owned(), notated(ms).into())));
    map.extend(attempt.map(|ms| ("backendRequest".to_owned(), notated(ms).into())));
    Ok(Some(Value::Object(map)).filter(|map| map != &json!({})))
}

/// A length of time as GEP-2257 writes it: whole numbers of h, m, s and ms, at most four of them.
fn notated(ms: u64) -> String {
    let parts = [(ms / 3_600_000, "h"), (ms / 60_000 % 60, "m"), (ms / 1_000 % 60, "s"), (ms % 1_000, "ms")];
    let text: String = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Notes that `epoch` writes from now on, so that no write of an earlier incarnation lands any more: they all test the
/// version that they have seen. `None` where that is so already.
///
/// # Errors
/// A later incarnation has claimed it.
pub fn claimed(route: &Value, epoch: u64) -> Result<Option<Patch>, Unwritable> {
    let mut patch = Patch::of(route).ok_or(Unwritable::Versionless)?;
    let marks = Marks::read(route);
    if marks.fence.epoch > epoch {
        return Err(Unwritable::Fenced(marks.fence.epoch));
    }
    let fence = Fence { epoch, ..marks.fence };
    patch.put(route, "annotations", [(super::marks::EPOCH, fence.epoch.to_string())]);
    Ok(Some(patch).filter(|patch| !patch.is_empty()))
}

/// Lets a user's own route name the Services of the slots where it names the apex: everything goes to slot `to`, where the
/// apex leads now, so that nothing changes for users; the other one stands beside it with weight 0. `None` where no rule
/// names the apex. Both Services must be there before.
///
/// # Errors
/// Why it is not clear what that means.
pub fn adopted(route: &Value, ours: &Ours, to: Slot) -> Result<Option<Patch>, Unwritable> {
    let mut patch = Patch::of(route).ok_or(Unwritable::Versionless)?;
    for rule in rules(route, ours) {
        let (Kind::Apex, Some(backend)) = (rule.kind(), rule.only(Part::Apex)) else {
            if rule.kind() == Kind::Mixed {
                return Err(unclear(&rule, ours));
            }
            continue;
        };
        let list = format!("/spec/rules/{}/backendRefs", rule.index);
        let path = format!("{list}/{}", backend.index);
        let Some(mut beside) = route.pointer(&path).cloned() else { continue };
        match beside.get("port").and_then(Value::as_u64) {
            Some(port) if port != u64::from(ours.port) => return Err(Unwritable::Port(rule.index, port, ours.port)),
            Some(_) | None => {}
        }
        patch.test(format!("{path}/name"), json!(ours.apex));
        patch.replace(format!("{path}/name"), json!(ours.service[to]));
        beside["name"] = json!(ours.service[other(to)]);
        beside["weight"] = json!(0);
        patch.add(format!("{list}/{}", backend.index + 1), beside);
    }
    Ok(Some(patch).filter(|patch| !patch.is_empty()))
}

/// Writes `route` with its notes. `acked`: what is written now is all that is in force. Idempotent: what is there already
/// is not written, and the tests stay.
///
/// # Errors
/// Why it cannot be written.
pub fn weighed(route: &Value, ours: &Ours, wish: Route, fence: Fence, acked: bool) -> Result<Patch, Unwritable> {
    let mut patch = Patch::of(route).ok_or(Unwritable::Versionless)?;
    let marks = Marks::read(route);
    if marks.fence.epoch > fence.epoch {
        return Err(Unwritable::Fenced(marks.fence.epoch));
    }
    let rules = rules(route, ours);
    if let Some(rule) = rules.iter().find(|rule| rule.kind() == Kind::Mixed) {
        return Err(unclear(rule, ours));
    }
    let mut there: Vec<Split> = Vec::new();
    let mut written = 0;
    for rule in rules.iter().filter(|rule| rule.kind() == Kind::Divides) {
        if let Some(weights) = weights(rule, wish.split)? {
            write_rule(&mut patch, route, rule, &weights);
            written += 1;
        }
        there.extend(split_in(rule, None).into_iter().flatten());
    }
    if written == 0 {
        let [first, second] = ours.service.clone();
        return Err(Unwritable::NotOurs(first, second));
    }
    there.dedup();
    marks.next(fence, wish, &there, acked).write(route, &mut patch);
    Ok(patch)
}

fn unclear(rule: &Rule, ours: &Ours) -> Unwritable {
    let [first, second] = ours.service.clone();
    Unwritable::Unclear(rule.index, first, second)
}

/// The new weight of each backend of a rule, by its place; `None` where the rule gives ours nothing and others something.
fn weights(rule: &Rule, split: Split) -> Result<Option<Vec<(usize, u64)>>, Unwritable> {
    let foreign = rule.foreign().ok_or(Unwritable::Weight(rule.index))?;
    let beside: u64 = foreign.iter().map(|(_, weight)| weight).sum();
    let mut all = foreign.clone();
    let mut whole = u64::from(FULL);
    if beside > 0 {
        let have: u64 = rule.weights(None).ok_or(Unwritable::Weight(rule.index))?.iter().sum();
        if have == 0 {
            return Ok(None);
        }
        if split == Split::Members([0, 0]) {
            return Err(Unwritable::NotCarried { rule: rule.index, split }); // their share of the whole would be lost
        }
        let heaviest = foreign.iter().map(|(_, weight)| *weight).max().unwrap_or(0).max(have);
        let factor = u64::from(FULL).div_ceil(have).min(HEAVIEST / heaviest).max(1);
        whole = (have * factor).min(HEAVIEST);
        // Rounded only where ours together are heavier than one of them may be.
        let scaled = |weight: u64| if weight == 0 { 0 } else { (weight * whole / have).clamp(1, HEAVIEST) };
        all = foreign.into_iter().map(|(index, weight)| (index, scaled(weight))).collect();
    }
    let parts: Pair<u64> = parts_of(split, whole).ok_or(Unwritable::NotCarried { rule: rule.index, split })?;
    let ours = [0, 1].into_iter().filter_map(|slot| Some((rule.only(Part::Slot(slot))?.index, parts[slot])));
    all.extend(ours);
    all.sort_unstable();
    Ok(Some(all))
}

/// Tests who stands where, and writes what differs.
fn write_rule(patch: &mut Patch, route: &Value, rule: &Rule, weights: &[(usize, u64)]) {
    for (index, weight) in weights {
        let Some(backend) = rule.backends.get(*index) else { continue };
        if backend.part.is_none() && backend.weight == Some(*weight) {
            continue;
        }
        let path = format!("/spec/rules/{}/backendRefs/{index}", rule.index);
        for key in ["name", "port"] {
            if let Some(value) = route.pointer(&format!("{path}/{key}")) {
                patch.test(format!("{path}/{key}"), value.clone());
            }
        }
        match (backend.written, backend.weight == Some(*weight)) {
            (true, true) => {}
            (true, false) => patch.replace(format!("{path}/weight"), json!(weight)),
            (false, _) => patch.add(format!("{path}/weight"), json!(weight)),
        }
    }
}

#[cfg(test)]
mod tests;
