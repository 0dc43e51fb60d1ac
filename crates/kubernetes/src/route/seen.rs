//! What HTTPRoutes say now, whoever wrote it: the accepted route, every split that is written, and what is odd.
//!
//! What counts is what is *there*. The note of the last write only says what weights cannot: the route's fallback, and
//! which of the splits that come to the same shares was meant. Where the weights differ from it somebody else changed
//! them, and the accepted route is what they say.
//!
//! Several rules and several routes are one split if they agree. Where they do not, the accepted route is one that was
//! *not* written last, so that whoever wants the newest writes it again; and all of them are in force.
use super::Ours;
use super::acknowledge::Answer;
use super::marks::{Fence, Marks, Past};
use super::parents::{self, Parent};
use super::rules::{Kind, Part, Rule, parts_of, rules, split_of};
use crate::decode::cut;
use crate::problem::{Found, Problem, Rule as Broken};
use serde_json::Value;
use serin_rollout::{Route, RouteSeen, Slot, Split};

/// Which routes there are, as far as a canary is concerned.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The accepted route; [`Route::NOWHERE`] where none names our Services.
    pub accepted: Route,
    /// Whether every rule that divides says exactly that.
    pub settled: bool,
    /// Every split that is written, each once. A rule that names the Service of one slot alone is one too.
    pub splits: Vec<Split>,
    /// Whether the weights are not those that were written last: then no generation says anything about them.
    pub edited: bool,
    /// What was written before and may still be in force somewhere, as far as is noted.
    pub older: Vec<Past>,
    /// The highest epoch and generation that are noted.
    pub fence: Fence,
    /// The lowest epoch that is noted; it is that of `fence` when all routes are claimed.
    pub least_epoch: u64,
    /// How many routes name our Services.
    pub routes: usize,
    /// Parents that have not taken it, and which route that is about.
    pub waiting: Vec<(String, Parent)>,
    /// Whether there is a parent at all.
    pub has_parents: bool,
    /// What may surprise, or keeps a release from going on.
    pub found: Vec<Problem>,
}

impl Seen {
    /// Whether every route is fenced for `epoch`.
    #[must_use]
    pub fn is_claimed(&self, epoch: u64) -> bool {
        self.routes > 0 && self.least_epoch == epoch && self.fence.epoch == epoch
    }

    /// What the core is told, with what was made of the data planes.
    #[must_use]
    pub fn told(&self, answer: &Answer) -> RouteSeen {
        let acked = self.settled && answer.acknowledged();
        let mut in_force = self.splits.clone();
        if !acked {
            let older =
                answer.still().iter().chain(self.older.iter().map(|past| &past.split).filter(|_| !self.settled));
            for split in older {
                if !in_force.contains(split) {
                    in_force.push(*split);
                }
            }
        }
        RouteSeen { accepted: self.accepted, acked, in_force }
    }
}

/// One rule's part in it.
struct Written {
    /// The split that its weights amount to.
    split: Split,
    /// The route that they stand for, with what was noted.
    route: Route,
    /// Whether that is what was noted.
    noted: bool,
    /// The generation that its route notes.
    generation: u64,
}

impl Written {
    /// What was noted and is not there any more: it may still be in force somewhere.
    fn overwritten(&self, marks: &Marks) -> Option<Past> {
        let route = marks.route.filter(|_| !self.noted)?;
        Some(Past { generation: self.generation, split: route.split })
    }
}

/// What these routes say of our Services. Those that name none of them are passed over. `apex`: the slot that the apex
/// Service selects, where it is known.
#[must_use]
pub fn seen(objects: &[Value], ours: &Ours, apex: Option<Slot>) -> Seen {
    let mut found = Found::default();
    let mut splits: Vec<Split> = Vec::new();
    let mut dividing: Vec<Written> = Vec::new();
    let mut rest: Option<Route> = None;
    let (mut older, mut waiting, mut epochs) = (Vec::<Past>::new(), Vec::new(), Vec::new());
    let (mut fence, mut routes, mut parented) = (Fence::default(), 0, true);
    for object in objects {
        let rules: Vec<Rule> = rules(object, ours).into_iter().filter(|rule| rule.kind() != Kind::Foreign).collect();
        if rules.is_empty() {
            continue;
        }
        let (name, marks) = (name_of(object), Marks::read(object));
        routes += 1;
        epochs.push(marks.fence.epoch);
        fence = Fence {
            epoch: fence.epoch.max(marks.fence.epoch),
            generation: fence.generation.max(marks.fence.generation),
        };
        older.extend(marks.older.iter().filter(|past| !older.contains(past)).copied().collect::<Vec<_>>());
        let (missing, parents) = parents::missing(object);
        waiting.extend(missing.into_iter().map(|parent| (name.clone(), parent)));
        parented &= parents > 0;
        for rule in &rules {
            tell(&mut found, &name, rule, ours);
            for split in split_in(rule, apex).into_iter().flatten() {
                if !splits.contains(&split) {
                    splits.push(split);
                }
                if rule.kind() == Kind::Divides {
                    let one = written(rule, split, &marks);
                    older.extend(one.overwritten(&marks).filter(|past| !older.contains(past)));
                    dividing.push(one);
                } else {
                    rest = rest.or(Some(Route::plain(split)));
                }
            }
        }
    }
    let edited = edited(&mut found, &dividing);
    let lags = dividing.iter().min_by_key(|one| (one.noted, one.generation));
    let accepted = lags.map(|one| one.route).or(rest).unwrap_or(Route::NOWHERE);
    let settled = dividing.iter().all(|one| one.route == accepted && one.generation == fence.generation) && routes > 0;
    let least_epoch = epochs.into_iter().min().unwrap_or(0);
    let has_parents = parented && routes > 0;
    Seen {
        accepted,
        settled,
        splits,
        edited,
        older,
        fence,
        least_epoch,
        routes,
        waiting,
        has_parents,
        found: found.finish(),
    }
}

/// The split of a rule. Nothing where it gives ours nothing and others something; everything to either slot where that
/// cannot be told: unknown is not empty.
pub(super) fn split_in(rule: &Rule, apex: Option<Slot>) -> [Option<Split>; 2] {
    let Some(weights) = rule.weights(apex) else {
        return [0, 1].map(|slot| Some(Split::share_to(slot, serin_rollout::FULL)));
    };
    let beside = rule.foreign().is_none_or(|list| list.iter().any(|(_, weight)| *weight > 0));
    let nothing = weights == [0, 0] && beside;
    [Some(split_of(weights)).filter(|_| !nothing), None]
}

/// A dividing rule with what was noted of it.
fn written(rule: &Rule, split: Split, marks: &Marks) -> Written {
    let generation = marks.fence.generation;
    let weights = rule.weights(None);
    let fits = |route: &Route| {
        let Some(weights) = weights else { return false };
        let sum = weights[0] + weights[1];
        if sum == 0 { route.split == Split::Members([0, 0]) } else { parts_of(route.split, sum) == Some(weights) }
    };
    match marks.route.filter(fits) {
        Some(route) => Written { split, route, noted: true, generation },
        None => Written { split, route: Route::plain(split), noted: false, generation },
    }
}

/// Whether somebody else changed weights that were ours.
fn edited(found: &mut Found, dividing: &[Written]) -> bool {
    let edited = dividing.iter().find(|one| !one.noted && one.generation > 0);
    if let Some(one) = edited {
        let message =
            format!("somebody changed the weights since they were written last: they are {:?} now", one.split);
        let help = "leave weights out of what you apply, or let Serin alone write them";
        found.warn(|| Problem::warning(Broken::Surprise, "spec.rules", message, help));
    }
    edited.is_some()
}

fn tell(found: &mut Found, name: &str, rule: &Rule, ours: &Ours) {
    let path = format!("{name} spec.rules[{}].backendRefs", rule.index);
    let [primary, canary] = &ours.service;
    let (message, help) = match rule.kind() {
        Kind::Foreign => return,
        Kind::Divides if rule.weights(None).is_none() => {
            let message = "a weight cannot be read, so that anything may be in force";
            (message.to_owned(), "write a whole number from 0 to 1000000".to_owned())
        }
        Kind::Divides if split_in(rule, None)[0].is_none() => {
            let message = "others get everything here, and neither slot anything; the rule is left alone".to_owned();
            (message, format!("give {primary} a weight, or take both out"))
        }
        Kind::Divides => return,
        Kind::Lone(slot) => {
            let one = &ours.service[slot];
            let message = format!(
                "{one} stands here without the other one: that is in force all the time, so {one} is never without traffic"
            );
            (message, format!("name both {primary} and {canary}, or name neither here"))
        }
        Kind::Apex => return,
        Kind::Mixed => {
            let apex = rule.backends.iter().any(|backend| backend.part == Some(Part::Apex));
            let what = if apex { "the apex stands beside others of ours" } else { "one of ours stands here twice" };
            let message = format!("{what}, so that no weight can be written");
            (message, format!("name {primary} and {canary} once each"))
        }
    };
    found.warn(|| Problem::warning(Broken::Contradiction, path, message, help));
}

fn name_of(object: &Value) -> String {
    let text = |path: &str| cut(object.pointer(path).and_then(Value::as_str).unwrap_or("?")).to_owned();
    format!("HTTPRoute {}/{}", text("/metadata/namespace"), text("/metadata/name"))
}

#[cfg(test)]
mod tests;
