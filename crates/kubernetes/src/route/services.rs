//! The three Services: `NAME-primary` and `NAME-canary`, each of which selects the pods of one slot, and the apex `NAME`,
//! which users call.
//!
//! **Taking over** an apex that has traffic loses no request if it goes in this order: the primary's workload serves; the
//! Services of the slots are made; then the apex selects the primary's pods, by one patch of `spec.selector`, so that at no
//! moment it selects none. Its addresses, node ports, type, families and foreign labels stay what they are. Its
//! selector is noted ([`super::marks::SELECTOR`]) and given back by [`restored`]. It gets no `ownerReferences`: a Service that
//! was there before the Canary stays when the Canary goes.
//!
//! **What cannot be changed**: `clusterIP` of a Service (the API server: 422, "may not change once set"), so neither whether
//! it is headless. `nodePort`s are kept because ports are changed member by member; a list that is written anew would lose
//! those that it does not name.
use super::marks::SELECTOR;
use super::{Belongs, Owner, Patch};
use crate::decode::cut;
use crate::flagger::Labels;
use crate::patch::escaped;
use crate::problem::{Problem, Rule};
use crate::wanted::Wanted;
use serde_json::{Map, Value, json};
use serin_rollout::{Pair, Slot};
use std::collections::BTreeMap;

/// Labels that pods are selected by.
pub type Selector = BTreeMap<String, String>;

/// What Services are made from.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// What the canary wants.
    pub wanted: &'a Wanted,
    /// The canary.
    pub owner: &'a Owner,
    /// What selects the pods of each slot, and none of the other's.
    pub selector: &'a Pair<Selector>,
    /// The label by which Flagger tells things apart, such as `app`; each Service has its own name in it.
    pub label: &'a str,
    /// The containers' other ports, by name, where `portDiscovery` asks for them.
    pub discovered: &'a [(String, u16)],
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// It is as it should be.
    Nothing,
    /// It is not there: this whole object.
    Create(Value),
    /// It is there.
    Patch(Patch),
}

/// What is to be done with a Service, and what may surprise.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What is to be done.
    pub deed: Deed,
    /// What may surprise.
    pub told: Vec<Problem>,
}

/// The Service of a slot.
///
/// # Errors
/// Why one of this name that is there cannot be used.
pub fn slot(wish: &Wish<'_>, slot: Slot, existing: Option<&Value>) -> Result<Step, Problem> {
    let name = &wish.wanted.names.service[slot];
    let labels = [&wish.wanted.service.primary, &wish.wanted.service.canary][slot];
    let Some(existing) = existing else { return Ok(created(wish, name, labels, &wish.selector[slot])) };
    match wish.owner.of(existing) {
        Belongs::Ours => {}
        Belongs::Somebody(who) => {
            let message = format!("the Service {name} belongs to {who}");
            let help = "write another `service.name`, so that names do not collide";
            return Err(Problem::error(Rule::Reference, "spec.service.name", message, help));
        }
        Belongs::Nobody => {
            let same = existing.pointer("/spec/selector") == Some(&json!(wish.selector[slot]));
            if !same {
                let message = format!("there is a Service {name} that Serin did not make, and it selects other pods");
                let help = "delete it, or write another `service.name`";
                return Err(Problem::error(Rule::Reference, "spec.service.name", message, help));
            }
        }
    }
    changed(wish, name, labels, existing, Some(&wish.selector[slot]))
}

/// The apex Service. It selects slot `to`: the primary, once that serves. With `None` its selector stays as it is; one that
/// is not there yet has no users, and begins with the primary.
///
/// # Errors
/// Why the one that is there cannot be taken over.
pub fn apex(wish: &Wish<'_>, to: Option<Slot>, existing: Option<&Value>) -> Result<Step, Problem> {
    apex_by(wish, to.map(|slot| &wish.selector[slot]), existing)
}

/// The same with any selector, such as [`super::ratio::common`] gives.
///
/// # Errors
/// Why the one that is there cannot be taken over.
pub fn apex_by(wish: &Wish<'_>, selector: Option<&Selector>, existing: Option<&Value>) -> Result<Step, Problem> {
    let (name, labels) = (&wish.wanted.names.apex, &wish.wanted.service.apex);
    match existing {
        None => Ok(created(wish, name, labels, selector.unwrap_or(&wish.selector[0]))),
        Some(existing) => changed(wish, name, labels, existing, selector),
    }
}

/// Which slot's pods a Service selects, and no others.
#[must_use]
pub fn selects(service: &Value, selector: &Pair<Selector>) -> Option<Slot> {
    let now: Selector = serde_json::from_value(service.pointer("/spec/selector")?.clone()).ok()?;
    let within = |slot: &Slot| selector[*slot].iter().all(|(key, value)| now.get(key) == Some(value));
    [0, 1].into_iter().find(|slot| !selector[*slot].is_empty() && within(slot))
}

/// Gives a Service the selector back that it had before it was taken over. `None` where none is noted.
#[must_use]
pub fn restored(service: &Value) -> Option<Patch> {
    let noted = service.pointer("/metadata/annotations")?.get(SELECTOR)?.as_str()?;
    let selector: Selector = serde_json::from_str(noted).ok()?;
    let mut patch = Patch::of(service)?;
    patch.add("/spec/selector", json!(selector));
    patch.remove(format!("/metadata/annotations/{}", escaped(SELECTOR)));
    Some(patch)
}

fn labels_of(wish: &Wish<'_>, name: &str, labels: &Labels) -> Vec<(String, String)> {
    let mut all = labels.labels.clone();
    all.insert(wish.label.to_owned(), name.to_owned());
    all.into_iter().collect()
}

fn port(wish: &Wish<'_>) -> Value {
    let ports = &wish.wanted.ports;
    let mut entry =
        json!({"name": ports.name, "port": ports.port, "protocol": "TCP", "targetPort": target(&ports.target)});
    if let Some(protocol) = &wish.wanted.service.app_protocol {
        entry["appProtocol"] = json!(protocol);
    }
    entry
}

/// The ports of the containers that are not the service's own.
fn others<'a>(wish: &'a Wish<'_>) -> impl Iterator<Item = &'a (String, u16)> {
    let ports = &wish.wanted.ports;
    let asked = wish.wanted.service.port_discovery;
    let own = move |(name, port): &&(String, u16)| {
        *name == ports.name || *name == ports.target || *port == ports.port || port.to_string() == ports.target
    };
    wish.discovered.iter().filter(move |one| asked && !own(one))
}

/// A number is a port, anything else the name of one.
fn target(text: &str) -> Value {
    text.parse::<u16>().map_or_else(|_| json!(text), |number| json!(number))
}

fn created(wish: &Wish<'_>, name: &str, labels: &Labels, selector: &Selector) -> Step {
    let mut ports = vec![port(wish)];
    ports.extend(
        others(wish).map(|(name, port)| json!({"name": name, "port": port, "protocol": "TCP", "targetPort": port})),
    );
    let mut spec = json!({"type": "ClusterIP", "selector": selector, "ports": ports});
    if wish.wanted.service.headless {
        spec["clusterIP"] = json!("None");
    }
    if let Some(distribution) = &wish.wanted.service.traffic_distribution {
        spec["trafficDistribution"] = json!(distribution);
    }
    let labels_there: Map<String, Value> =
        labels_of(wish, name, labels).into_iter().map(|(key, text)| (key, text.into())).collect();
    let meta = json!({"name": name, "namespace": wish.wanted.namespace, "labels": labels_there,
        "annotations": labels.annotations, "ownerReferences": [wish.owner.reference()]});
    let object = json!({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec});
    Step { deed: Deed::Create(object), told: Vec::new() }
}

fn changed(
    wish: &Wish<'_>,
    name: &str,
    labels: &Labels,
    existing: &Value,
    selector: Option<&Selector>,
) -> Result<Step, Problem> {
    let refused = |path: &str, message: String, help: &str| Err(Problem::error(Rule::Reference, path, message, help));
    let spec = existing.get("spec").and_then(Value::as_object).cloned().unwrap_or_default();
    let Some(mut patch) = Patch::of(existing) else {
        return refused("spec.service.name", format!("the Service {name} says no resourceVersion"), "read it again");
    };
    if spec.get("type").and_then(Value::as_str) == Some("ExternalName") {
        let message = format!("the Service {name} is a name for something outside of the cluster");
        return refused(
            "spec.service.name",
            message,
            "make it a Service of type ClusterIP, or write another `service.name`",
        );
    }
    let now: Option<Selector> = spec.get("selector").and_then(|map| serde_json::from_value(map.clone()).ok());
    let Some(now) = now.filter(|now| !now.is_empty()) else {
        let message = format!("the Service {name} selects no pods by labels: somebody else keeps its endpoints");
        return refused("spec.service.name", message, "give it a selector, or write another `service.name`");
    };
    let mut told = Vec::new();
    let ours = wish.owner.of(existing) == Belongs::Ours;
    if let Belongs::Somebody(who) = wish.owner.of(existing) {
        let message = format!("the Service {name} belongs to {who}, which may change it back");
        let help = "let nobody else write its selector and its ports";
        told.push(Problem::warning(Rule::Reference, "spec.service.name", message, help));
    }
    headless(wish, name, &spec, &mut told);
    ports_changed(wish, name, &spec, ours, &mut patch, &mut told)?;
    if let Some(selector) = selector.filter(|selector| **selector != now) {
        let known = wish.selector.iter().any(|one| one.iter().all(|(key, value)| now.get(key) == Some(value)));
        if !known {
            let message = format!(
                "the Service {name} selects {} now; what else that finds gets no traffic of it any more",
                shown(&now)
            );
            let help = "write another `service.name` if it stands for more than this workload";
            told.push(Problem::warning(Rule::Surprise, "spec.service.name", message, help));
        }
        patch.test("/spec/selector", json!(now));
        patch.replace("/spec/selector", json!(selector));
        let noted = existing.pointer("/metadata/annotations").is_some_and(|map| map.get(SELECTOR).is_some());
        if !ours && !noted {
            patch.put(existing, "annotations", [(SELECTOR, json!(now).to_string())]);
        }
    }
    dressed(wish, name, labels, existing, &mut patch);
    let deed = if patch.is_empty() { Deed::Nothing } else { Deed::Patch(patch) };
    Ok(Step { deed, told })
}

/// Labels and annotations that the canary names, as far as they are not somebody else's.
fn dressed(wish: &Wish<'_>, name: &str, labels: &Labels, existing: &Value, patch: &mut Patch) {
    let unmanaged = &wish.wanted.service.unmanaged;
    let own = wish.owner.of(existing) == Belongs::Ours;
    // The label with the name tells our own Services apart; that of a user's Service is the user's.
    let wished = if own { labels_of(wish, name, labels) } else { labels.labels.clone().into_iter().collect() };
    let free = |keys: &[String], texts: Vec<(String, String)>| {
        texts.into_iter().filter(|(key, _)| !keys.contains(key)).collect::<Vec<_>>()
    };
    let wished = free(&unmanaged.labels, wished);
    patch.put(existing, "labels", wished.iter().map(|(key, text)| (key.as_str(), text.clone())));
    let wished = free(&unmanaged.annotations, labels.annotations.clone().into_iter().collect());
    // What was just put there by the selector's note must not be lost where there were no annotations at all.
    if existing.pointer("/metadata/annotations").is_none() && patch.touches("/metadata/annotations") {
        for (key, text) in wished {
            patch.add(format!("/metadata/annotations/{}", escaped(&key)), json!(text));
        }
    } else {
        patch.put(existing, "annotations", wished.iter().map(|(key, text)| (key.as_str(), text.clone())));
    }
}

fn headless(wish: &Wish<'_>, name: &str, spec: &Map<String, Value>, told: &mut Vec<Problem>) {
    let now = spec.get("clusterIP").and_then(Value::as_str) == Some("None");
    if now != wish.wanted.service.headless {
        let (is, said) =
            if now { ("has no address of its own", "false") } else { ("has an address of its own", "true") };
        let message =
            format!("the Service {name} {is}, and `headless` is {said}: that cannot be changed once it is made");
        let help = "delete the Service and let it be made anew if a gap is acceptable, or write what it is";
        told.push(Problem::warning(Rule::NoEffect, "spec.service.headless", message, help));
    }
}

/// The port, member by member. That of a user's own Service says where users come out, and is not bent.
fn ports_changed(
    wish: &Wish<'_>,
    name: &str,
    spec: &Map<String, Value>,
    ours: bool,
    patch: &mut Patch,
    told: &mut Vec<Problem>,
) -> Result<(), Problem> {
    let list = spec.get("ports").and_then(Value::as_array).cloned().unwrap_or_default();
    let ports = &wish.wanted.ports;
    let is_it = |entry: &Value| {
        let udp = entry.get("protocol").and_then(Value::as_str).is_some_and(|protocol| protocol != "TCP");
        !udp && entry.get("port").and_then(Value::as_u64) == Some(ports.port.into())
    };
    let Some(index) = list.iter().position(is_it) else {
        return port_added(wish, name, &list, ours, patch);
    };
    let path = format!("/spec/ports/{index}");
    let now = list[index].get("targetPort").cloned().unwrap_or_else(|| json!(ports.port));
    let wished = target(&ports.target);
    if now != wished {
        let numbers = now.is_number() && wished.is_number();
        if !ours && (numbers || wish.wanted.service.target_port.is_none()) {
            let message = format!("the Service {name} leads to port {now} of the pods, and the canary says {wished}");
            let help = format!("write `targetPort: {}`", now.as_str().map_or_else(|| now.to_string(), str::to_owned));
            return Err(Problem::error(Rule::Contradiction, "spec.service.targetPort", message, help));
        }
        if !ours {
            let message = format!("the Service {name} leads to port {now} of the pods, and will lead to {wished}");
            let help = "make sure that both are the same port";
            told.push(Problem::warning(Rule::Surprise, "spec.service.targetPort", message, help));
        }
        patch.test(format!("{path}/port"), json!(ports.port));
        patch.add(format!("{path}/targetPort"), wished);
    }
    if let Some(protocol) = &wish.wanted.service.app_protocol
        && list[index].get("appProtocol") != Some(&json!(protocol))
    {
        patch.test(format!("{path}/port"), json!(ports.port));
        patch.add(format!("{path}/appProtocol"), json!(protocol));
    }
    for (other, number) in others(wish) {
        if ours && !list.iter().any(|entry| entry.get("port").and_then(Value::as_u64) == Some((*number).into())) {
            patch.add("/spec/ports/-", json!({"name": other, "port": number, "protocol": "TCP", "targetPort": number}));
        }
    }
    Ok(())
}

/// A port that the Service does not have yet.
fn port_added(wish: &Wish<'_>, name: &str, list: &[Value], ours: bool, patch: &mut Patch) -> Result<(), Problem> {
    let ports = &wish.wanted.ports;
    if list.iter().any(|entry| entry.get("name").and_then(Value::as_str).is_none_or(str::is_empty)) {
        let message = format!("the Service {name} has one port without a name, and it is not {}", ports.port);
        let help = "write its port as `service.port`, or name its port so that there can be a second one";
        return Err(Problem::error(Rule::Contradiction, "spec.service.port", message, help));
    }
    let named = |entry: &Value| entry.get("name").and_then(Value::as_str) == Some(&ports.name);
    match list.iter().position(named) {
        None => patch.add("/spec/ports/-", port(wish)),
        Some(index) if ours => {
            let path = format!("/spec/ports/{index}");
            patch.test(format!("{path}/name"), json!(ports.name));
            patch.add(format!("{path}/port"), json!(ports.port));
            patch.add(format!("{path}/targetPort"), target(&ports.target));
        }
        Some(index) => {
            let now = list[index].get("port").and_then(Value::as_u64).unwrap_or(0);
            let message = format!(
                "the Service {name} has {} as the name of port {now}, and the canary says {}",
                cut(&ports.name),
                ports.port
            );
            let help = format!("write `port: {now}`, or another `portName` for a port beside it");
            return Err(Problem::error(Rule::Contradiction, "spec.service.port", message, help));
        }
    }
    Ok(())
}

fn shown(selector: &Selector) -> String {
    let pairs: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    cut(&pairs.join(",")).to_owned()
}

#[cfg(test)]
mod tests;
