//! How users come to the instances: Services, the HTTPRoute that divides between them, and when a split is in force.
//!
//! ```text
//! a Canary ─▶ services (three Services)  http (the HTTPRoute, or the weights of the user's own)  ─▶ JSON Patches
//! HTTPRoutes ─▶ seen (what is written, by whom, and who has taken it)  ─▶ acknowledge (is it in force everywhere?)
//! ```
//!
//! Slot 0 is the primary, behind the Service `NAME-primary`; slot 1 is the target, behind `NAME-canary`. An HTTPRoute gives
//! the share of each as `weight`. Splits by share are carried as they are, in basis points; of those by members only the
//! ones that send everything to one slot, or nothing anywhere. No data plane of Kubernetes takes a fallback by itself: it
//! is noted and counted as in force, which is only stricter.
//!
//! What is written is weights and notes ([`marks`]), one JSON Patch with tests for each object. Server-side apply would not
//! do: `rules` and `backendRefs` are lists without keys, so that whoever applies one weight owns the whole list.
//!
//! Traffic by plain Kubernetes is in [`ratio`]: which Service selects what.
pub mod acknowledge;
mod count;
pub mod http;
pub mod marks;
mod parents;
pub mod ratio;
mod rules;
pub mod seen;
pub mod services;

use crate::patch::Patch;
use crate::wanted::{Names, Ports, Wanted};
use serin_rollout::Pair;

/// Which backends of a route are ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    /// The namespace of the Services.
    pub namespace: String,
    /// The Service that users call.
    pub apex: String,
    /// The Service of each slot.
    pub service: Pair<String>,
    /// The port of these, where a backend is made anew.
    pub port: u16,
}

impl Ours {
    /// Those of a canary.
    #[must_use]
    pub fn of(wanted: &Wanted) -> Ours {
        Ours::new(&wanted.namespace, &wanted.names, &wanted.ports)
    }

    /// Those with these names.
    #[must_use]
    pub fn new(namespace: &str, names: &Names, ports: &Ports) -> Ours {
        Ours {
            namespace: namespace.to_owned(),
            apex: names.apex.clone(),
            service: names.service.clone(),
            port: ports.port,
        }
    }
}

#[cfg(test)]
impl Ours {
    /// Those of a shop.
    pub(crate) fn of_a_shop() -> Ours {
        Ours {
            namespace: "prod".to_owned(),
            apex: "shop".to_owned(),
            service: ["shop-primary".to_owned(), "shop-canary".to_owned()],
            port: 80,
        }
    }
}

/// The Canary that an object is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its name.
    pub name: String,
    /// What tells it from a later one of the same name.
    pub uid: String,
}

impl Owner {
    /// As an entry of `ownerReferences`: when the Canary is deleted, the object is too.
    #[must_use]
    pub fn reference(&self) -> serde_json::Value {
        serde_json::json!({
            "apiVersion": format!("{}/{}", crate::flagger::GROUP, crate::flagger::VERSIONS[0]),
            "kind": crate::flagger::Canary::KIND,
            "name": self.name,
            "uid": self.uid,
            "controller": true,
            "blockOwnerDeletion": true,
        })
    }

    /// Whose an object is.
    pub(crate) fn of(&self, object: &serde_json::Value) -> Belongs {
        let list = object.pointer("/metadata/ownerReferences").and_then(serde_json::Value::as_array);
        let mut controllers = list.into_iter().flatten().filter(|owner| owner.get("controller") == Some(&true.into()));
        match controllers.next() {
            Some(owner) if owner.get("uid").and_then(serde_json::Value::as_str) == Some(&self.uid) => Belongs::Ours,
            Some(owner) => {
                let text = |key: &str| owner.get(key).and_then(serde_json::Value::as_str).unwrap_or("?");
                let (kind, name) = (crate::decode::cut(text("kind")), crate::decode::cut(text("name")));
                Belongs::Somebody(format!("{kind} {name}"))
            }
            None => Belongs::Nobody,
        }
    }
}

/// Whose an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Belongs {
    /// The Canary made it.
    Ours,
    /// No controller looks after it: a person wrote it.
    Nobody,
    /// Another controller does, which may change back what is changed.
    Somebody(String),
}
