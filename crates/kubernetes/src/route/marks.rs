//! What Serin notes on a route, in the same request in which it changes the weights: so that neither is ever there
//! without the other.
use super::Patch;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serin_rollout::{Route, Split};

/// The controller's incarnation that wrote last. A lower one writes no more.
pub const EPOCH: &str = "serin.dev/epoch";
/// The number of the route that was written last: one more each time.
pub const GENERATION: &str = "serin.dev/generation";
/// That route, as JSON: weights alone do not say what its fallback is.
pub const ROUTE: &str = "serin.dev/route";
/// What was written before and may still be in force somewhere, as JSON.
pub const OLDER: &str = "serin.dev/older";
/// The selector that a Service had before Serin took it over, as JSON.
pub const SELECTOR: &str = "serin.dev/selector";

/// The right to write, and what is written with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fence {
    /// The incarnation of the controller.
    pub epoch: u64,
    /// The number of the route.
    pub generation: u64,
}

/// A split that was written earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// The number of the route.
    pub generation: u64,
    /// Its split.
    pub split: Split,
}

/// Everything that is noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Who wrote it, and which number it has.
    pub fence: Fence,
    /// The route; `None` where the object was claimed and never written.
    pub route: Option<Route>,
    /// What was written before it and may still be in force, in the order of generations.
    pub older: Vec<Past>,
}

impl Marks {
    /// What is noted on an object. What cannot be read was not written by us, and is none.
    #[must_use]
    pub fn read(object: &Value) -> Marks {
        let text = |key: &str| object.pointer("/metadata/annotations").and_then(|map| map.get(key)?.as_str());
        let number = |key: &str| text(key).and_then(|text| text.parse().ok()).unwrap_or(0);
        let route: Option<Route> = text(ROUTE).and_then(|text| serde_json::from_str(text).ok());
        let older: Option<Vec<Past>> = text(OLDER).and_then(|text| serde_json::from_str(text).ok());
        Marks {
            fence: Fence { epoch: number(EPOCH), generation: number(GENERATION) },
            route: route.filter(|route| route.splits().all(sums)),
            older: older.unwrap_or_default().into_iter().filter(|past| sums(past.split)).collect(),
        }
    }

    /// Adds them to a patch of `object`.
    pub(super) fn write(&self, object: &Value, patch: &mut Patch) {
        patch.put(object, "annotations", self.texts());
    }

    /// These as annotations.
    pub(super) fn texts(&self) -> Vec<(&'static str, String)> {
        let mut texts = vec![(EPOCH, self.fence.epoch.to_string()), (GENERATION, self.fence.generation.to_string())];
        if let Some(route) = &self.route {
            texts.push((ROUTE, json_text(route)));
            texts.push((OLDER, json_text(&self.older)));
        }
        texts
    }

    /// What is noted when `route` is written over these. `there` are the splits that are written now, whoever wrote them,
    /// and `acked` says whether they are all that is in force.
    #[must_use]
    pub fn next(&self, fence: Fence, route: Route, there: &[Split], acked: bool) -> Marks {
        let generation = self.fence.generation;
        let mut older = if acked { Vec::new() } else { self.older.clone() };
        let noted = self.route.filter(|_| !acked); // somebody may have changed it since, before all had applied it
        older.extend(noted.map(|route| Past { generation, split: route.split }));
        older.extend(there.iter().map(|split| Past { generation, split: *split }));
        // Of equal splits the youngest one counts: it is the last that a data plane can have left behind.
        let last = |i: usize, past: &Past| older.iter().rposition(|other| other.split == past.split) == Some(i);
        let older = older.iter().enumerate().filter(|(i, past)| last(*i, past)).map(|(_, past)| *past).collect();
        Marks { fence, route: Some(route), older }
    }
}

/// Whether the shares are the whole, as every split of ours.
fn sums(split: Split) -> bool {
    match split {
        Split::Weighted([a, b]) => u32::from(a) + u32::from(b) == u32::from(serin_rollout::FULL),
        Split::Members(_) => true,
    }
}

fn json_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| unreachable!("numbers and words are always JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HOME: Split = Split::Weighted([10_000, 0]);

    fn some(acked: bool) -> Marks {
        let first = Marks::read(&json!({}));
        let route =
            |share| Route { fallback: Some(Split::all(0, 2)), lease: true, ..Route::plain(Split::share_to(1, share)) };
        let fence = |generation| Fence { epoch: 3, generation };
        let second = first.next(fence(1), route(1_000), &[HOME], true);
        second.next(fence(2), route(2_500), &[Split::share_to(1, 1_000)], acked)
    }

    #[test]
    fn what_is_noted_is_read_again() {
        let marks = some(false);
        let mut object = json!({"metadata": {"annotations": {"theirs": "1"}}});
        for (key, text) in marks.texts() {
            object["metadata"]["annotations"][key] = text.into();
        }
        assert_eq!(Marks::read(&object), marks);
        let past = |generation, split| Past { generation, split };
        assert_eq!(marks.older, [past(0, HOME), past(1, Split::share_to(1, 1_000))]);
        assert_eq!(some(true).older, [past(1, Split::share_to(1, 1_000))], "what was acknowledged is all there was");
    }

    #[test]
    fn a_split_is_kept_once_and_as_its_youngest() {
        let marks = some(false);
        let fence = Fence { epoch: 3, generation: 3 };
        let back = marks.next(fence, Route::plain(HOME), &[HOME], false);
        let kept: Vec<u64> = back.older.iter().map(|past| past.generation).collect();
        assert_eq!(kept, [1, 2, 2], "what was noted counts as well as what somebody put there: {:?}", back.older);
    }

    #[test]
    fn what_cannot_be_read_is_none() {
        let with = |key: &str, text: Value| Marks::read(&json!({"metadata": {"annotations": {key: text}}}));
        let none = Marks::read(&json!(null));
        assert_eq!(none, Marks { fence: Fence::default(), route: None, older: vec![] });
        assert_eq!(with(EPOCH, json!("-1")), none);
        assert_eq!(with(EPOCH, json!(7)), none);
        assert_eq!(with(ROUTE, json!("{")), none);
        let route = r#"{"split":{"weighted":[9000,2000]},"fallback":null,"lease":false}"#;
        assert_eq!(with(ROUTE, json!(route)), none, "shares that are not the whole");
        let route = r#"{"split":{"weighted":[9000,1000]},"fallback":null,"lease":false}"#;
        assert_eq!(with(ROUTE, json!(route)).route, Some(Route::plain(Split::share_to(1, 1_000))));
        assert_eq!(with(OLDER, json!("[1,2]")), none);
    }
}
