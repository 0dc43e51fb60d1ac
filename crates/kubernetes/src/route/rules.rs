//! The rules of an HTTPRoute, and which of their backends are ours. Whatever stands in them, nothing is concluded from
//! what cannot be read.
use super::Ours;
use serde_json::{Map, Value};
use serin_rollout::{FULL, Pair, Slot, Split};

/// The greatest weight that the Gateway API knows.
pub(super) const HEAVIEST: u64 = 1_000_000;

/// Which backend of ours one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The Service of a slot.
    Slot(Slot),
    /// The Service that users call.
    Apex,
}

/// An entry of a rule's `backendRefs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Backend {
    /// Its place in the list.
    pub index: usize,
    /// Which one of ours it is.
    pub part: Option<Part>,
    /// Its weight, 1 where none is written; `None` where it is none.
    pub weight: Option<u64>,
    /// Whether a weight is written.
    pub written: bool,
}

/// A rule with its backends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// Its place in the list.
    pub index: usize,
    /// All of them, in order. Empty where there are none, or no list.
    pub backends: Vec<Backend>,
}

/// What a rule does with what it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// None of its backends is ours.
    Foreign,
    /// It names the Services of both slots, each once.
    Divides,
    /// It names the Service of this slot alone.
    Lone(Slot),
    /// It names the apex Service alone.
    Apex,
    /// It names the apex beside a slot, or one of them twice: what is meant cannot be told.
    Mixed,
}

/// The rules of a route.
pub(super) fn rules(route: &Value, ours: &Ours) -> Vec<Rule> {
    let namespace = route.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or(&ours.namespace);
    let list = route.pointer("/spec/rules").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let rule = |(index, rule): (usize, &Value)| {
        let refs = rule.get("backendRefs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let backends = refs.iter().enumerate().map(|(index, value)| backend(index, value, namespace, ours)).collect();
        Rule { index, backends }
    };
    list.iter().enumerate().map(rule).collect()
}

fn backend(index: usize, value: &Value, namespace: &str, ours: &Ours) -> Backend {
    let none = Map::new();
    let map = value.as_object().unwrap_or(&none);
    let said = |key: &str, default: &'static str| match map.get(key) {
        None | Some(Value::Null) => Some(default),
        Some(_) => None,
    };
    let is = |key: &str, default: &'static str, wanted: &str| {
        said(key, default).or_else(|| map.get(key).and_then(Value::as_str)).is_some_and(|text| text == wanted)
    };
    let here = map.get("namespace").and_then(Value::as_str).unwrap_or(namespace) == ours.namespace;
    let service = here && is("group", "", "") && is("kind", "Service", "Service");
    let name = map.get("name").and_then(Value::as_str).filter(|_| service);
    let part = name.and_then(|name| match ours.service.iter().position(|service| service == name) {
        Some(slot) => Some(Part::Slot(slot)),
        None => (name == ours.apex).then_some(Part::Apex),
    });
    let weight = map.get("weight").filter(|weight| !weight.is_null());
    let number = weight.map_or(Some(1), Value::as_u64).filter(|number| *number <= HEAVIEST);
    Backend { index, part, weight: number, written: weight.is_some() }
}

impl Rule {
    /// The only backend that is this part of ours.
    pub fn only(&self, part: Part) -> Option<&Backend> {
        let mut all = self.backends.iter().filter(|backend| backend.part == Some(part));
        all.next().filter(|_| all.next().is_none())
    }

    pub fn kind(&self) -> Kind {
        let count = |part| self.backends.iter().filter(|backend| backend.part == Some(part)).count();
        match (count(Part::Slot(0)), count(Part::Slot(1)), count(Part::Apex)) {
            (0, 0, 0) => Kind::Foreign,
            (1, 1, 0) => Kind::Divides,
            (1.., 0, 0) => Kind::Lone(0),
            (0, 1.., 0) => Kind::Lone(1),
            (0, 0, 1) => Kind::Apex,
            (_, _, _) => Kind::Mixed,
        }
    }

    /// The weights of the slots, those of the apex counted where it leads; `None` where one cannot be read, or where the
    /// apex leads nobody knows where.
    pub fn weights(&self, apex: Option<Slot>) -> Option<Pair<u64>> {
        let mut sums = [0, 0];
        for backend in &self.backends {
            let slot = match backend.part {
                Some(Part::Slot(slot)) => slot,
                Some(Part::Apex) => match (apex, backend.weight) {
                    (Some(slot), _) => slot,
                    (None, Some(0)) => continue,
                    (None, _) => return None,
                },
                None => continue,
            };
            sums[slot] += backend.weight?;
        }
        Some(sums)
    }

    /// The weights of the backends that are not ours; `None` where one cannot be read.
    pub fn foreign(&self) -> Option<Vec<(usize, u64)>> {
        let foreign = self.backends.iter().filter(|backend| backend.part.is_none());
        foreign.map(|backend| backend.weight.map(|weight| (backend.index, weight))).collect()
    }
}

/// The split that weights amount to. It is 0 or the whole only where a weight is: a share that is nearly nothing still
/// reaches its slot.
pub(super) fn split_of(weights: Pair<u64>) -> Split {
    let sum = weights[0] + weights[1];
    if sum == 0 {
        return Split::Members([0, 0]);
    }
    let exact = (weights[1] * u64::from(FULL) + sum / 2) / sum;
    let least = u64::from(weights[1] > 0);
    let most = u64::from(FULL) - u64::from(weights[0] > 0);
    Split::share_to(1, exact.clamp(least, most) as u16)
}

/// The weights of both slots under `split` when they sum to `whole`; `None` for a split that these cannot express. A slot
/// that gets anything gets at least 1.
pub(super) fn parts_of(split: Split, whole: u64) -> Option<Pair<u64>> {
    let share = match split {
        Split::Weighted(shares) => shares[1],
        Split::Members([0, 0]) => return Some([0, 0]),
        Split::Members([_, 0]) => 0,
        Split::Members([0, _]) => FULL,
        Split::Members(_) => return None,
    };
    if whole < 2 && share > 0 && share < FULL {
        return None;
    }
    let part = (u64::from(share) * whole + u64::from(FULL) / 2) / u64::from(FULL);
    let part = match share {
        0 | FULL => part,
        _ => part.clamp(1, whole - 1),
    };
    Some([whole - part, part])
}

#[cfg(test)]
mod tests;
