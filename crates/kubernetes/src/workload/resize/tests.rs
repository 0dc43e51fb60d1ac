//! The writes that a size takes, from every state that a workload can be in.
use super::super::content::Content;
use super::super::seen::{self, UNKNOWN};
use super::super::{Kind, annotation};
use super::*;
use serin_rollout::{Rev, SetSeen};

/// A target with the ReplicaSets of two templates, and a Deployment controller that does what the real one does. What it
/// does while it is paused is shown on a real cluster by `cargo xtask cluster paused`.
#[derive(Clone, Debug)]
struct World {
    newer: bool,
    paused: bool,
    desired: u16,
    analysed: Option<u16>,
    other: Option<u16>,
}

fn template(image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "shop", "image": image}]}})
}

fn expected() -> Expected {
    let target = json!({"spec": {"template": template("shop:1")}});
    let content = Content::of(Kind::Deployment, &target, |_| crate::workload::Data::Absent).expect("a template");
    Expected::of(Rev(4), &content)
}

impl World {
    fn workload(&self) -> Value {
        json!({
            "metadata": {"name": "shop", "uid": "u", "resourceVersion": "1", "generation": 2},
            "spec": {
                "replicas": self.desired, "paused": self.paused,
                "template": template(if self.newer { "shop:2" } else { "shop:1" }),
            },
            "status": {"observedGeneration": 2},
        })
    }

    fn sets(&self) -> Vec<Value> {
        let set = |replicas: u16, image: &str| {
            let mut template = template(image);
            template["metadata"]["labels"]["pod-template-hash"] = image.into();
            json!({
                "metadata": {"name": image, "ownerReferences": [{"uid": "u", "controller": true}]},
                "spec": {"replicas": replicas, "template": template},
                "status": {"replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas},
            })
        };
        let analysed = self.analysed.map(|n| set(n, "shop:1"));
        analysed.into_iter().chain(self.other.map(|n| set(n, "shop:2"))).collect()
    }

    fn with<T>(&self, look: impl FnOnce(&Now<'_>) -> T) -> T {
        let (workload, sets) = (self.workload(), self.sets());
        let sets: Vec<&Value> = sets.iter().collect();
        look(&Now { kind: Kind::Deployment, workload: Some(&workload), replica_sets: &sets, autoscaler: None })
    }

    fn seen(&self) -> SetSeen {
        self.with(|now| seen::target(now, Some(&expected()), true)).expect("it can be counted")
    }

    fn ask(&self, to: u16, pin: bool) -> Result<Vec<Change>, Problem> {
        let expected = expected();
        self.with(|now| target(now, &Asked { to, pin, revision: Some(&expected) }))
    }

    fn write(&mut self, changes: &[Change]) {
        for change in changes {
            let How::Patch(patch) = &change.how else { panic!("a target is never created") };
            for operation in patch.as_array().expect("a list").iter().skip(1) {
                match operation["path"].as_str() {
                    Some("/spec/replicas") => {
                        let to = operation["value"].as_u64().expect("a number");
                        self.desired = u16::try_from(to).expect("a small one");
                    }
                    Some("/spec/paused") => self.paused = operation["value"] == true,
                    other => panic!("the target is the user's: {other:?}"),
                }
            }
        }
    }

    /// The Deployment controller, until it has nothing left to do.
    fn settle(&mut self) {
        let (current, past) =
            if self.newer { (&mut self.other, &mut self.analysed) } else { (&mut self.analysed, &mut self.other) };
        if !self.paused {
            *current = Some(self.desired);
            *past = past.map(|_| 0);
            return;
        }
        // A paused one scales the only set that has pods; where none has any, that of its template, else the latest.
        match (current.is_some_and(|n| n > 0), past.is_some_and(|n| n > 0)) {
            (true, true) if *current == Some(self.desired) => *past = Some(0),
            (true, true) => {}
            (true, false) => *current = Some(self.desired),
            (false, true) => *past = Some(self.desired),
            (false, false) if current.is_some() => *current = Some(self.desired),
            (false, false) => *past = past.map(|_| self.desired),
        }
    }
}

/// Every combination that can be told apart.
fn worlds() -> Vec<World> {
    let mut all = Vec::new();
    for newer in [false, true] {
        for paused in [false, true] {
            for desired in [0, 2] {
                for analysed in [None, Some(0), Some(1), Some(2)] {
                    for other in [None, Some(0), Some(1), Some(2)] {
                        all.push(World { newer, paused, desired, analysed, other });
                    }
                }
            }
        }
    }
    all
}

#[test]
fn what_can_be_routed_to_never_rolls() {
    let mut routable = 0;
    for world in worlds() {
        let seen = world.seen();
        if seen.pinned && seen.fresh && seen.ready > 0 {
            routable += 1;
            assert!(world.paused && world.analysed > Some(0), "{world:?}");
            assert_eq!(seen.rev, Some(Rev(4)), "{world:?}");
            let mut pushed = World { newer: !world.newer, ..world.clone() };
            pushed.settle();
            assert!(pushed.analysed >= world.analysed.min(Some(world.desired)), "{world:?} became {pushed:?}");
        }
    }
    assert!(routable > 10, "{routable}");
}

#[test]
fn every_ask_that_is_taken_is_carried_out_and_ends() {
    let (mut taken, mut refused) = (0, 0);
    for before in worlds() {
        let empty = before.seen().is_empty();
        for (to, pin) in [(0, false), (1, true), (2, true), (3, true), (2, false)] {
            if to >= before.desired && to > 0 && !empty && before.seen().rev != Some(Rev(4)) {
                continue; // the second key refuses it: the slot is occupied
            }
            let mut world = before.clone();
            for _ in 0..4 {
                let Ok(changes) = world.ask(to, pin) else { break };
                world.write(&changes);
                let lost = before.paused && before.newer && !world.paused && to > 0;
                assert!(!lost, "{before:?} asked for {to} {pin}: it was let go, and rolls");
                world.settle();
            }
            let last = world.ask(to, pin);
            if last.is_err() {
                refused += 1;
                let other_runs = before.paused && before.other.is_some();
                assert!(before.newer || other_runs, "{before:?} asked for {to} {pin}: {last:?}");
                continue;
            }
            taken += 1;
            assert_eq!(last, Ok(Vec::new()), "{before:?} asked for {to} {pin}: it goes on for ever");
            let seen = world.seen();
            assert_eq!(seen.desired, to, "{before:?} asked for {to} {pin}");
            if to >= before.desired && to > 0 {
                let told = (seen.rev, seen.ready, seen.pinned);
                assert_eq!(told, (Some(Rev(4)), to, pin), "{before:?} asked for {to} {pin} became {world:?}");
            }
        }
    }
    assert!(taken > 100 && refused > 10, "{taken} {refused}");
}

#[test]
fn from_nothing_it_is_unpaused_once() {
    let mut world = World { newer: false, paused: false, desired: 0, analysed: None, other: Some(0) };
    let first = world.ask(2, true).expect("it can be");
    world.write(&first);
    assert!(!world.paused);
    let seen = world.seen();
    assert_eq!((seen.rev, seen.ready, seen.pinned, seen.fresh), (Some(Rev(4)), 0, true, true), "it is on its way");
    world.settle();
    let seen = world.seen();
    assert_eq!((seen.ready, seen.pinned), (2, false), "it is there, and anybody can push");
    let second = world.ask(2, true).expect("it can be");
    world.write(&second);
    assert_eq!((world.seen().pinned, world.paused), (true, true));
    // A push, and more of the analysed one.
    world.newer = true;
    assert_eq!((world.seen().rev, world.seen().ready), (Some(Rev(4)), 2));
    let third = world.ask(3, true).expect("it can be");
    world.write(&third);
    world.settle();
    assert_eq!((world.seen().ready, world.other), (3, Some(0)));
    // It ends, and the next one rolls.
    let last = world.ask(0, false).expect("it can be");
    world.write(&last);
    world.settle();
    assert!(world.seen().is_empty() && !world.paused);
    assert_eq!((world.analysed, world.other), (Some(0), Some(0)));
}

#[test]
fn a_set_that_is_there_is_paused_from_its_first_pod() {
    let mut world = World { newer: false, paused: false, desired: 0, analysed: Some(0), other: None };
    let changes = world.ask(2, true).expect("it can be");
    world.write(&changes);
    assert!(world.paused);
    world.settle();
    assert_eq!(world.seen().ready, 2);
}

#[test]
fn a_revision_that_is_gone_is_told_in_words() {
    for world in worlds().into_iter().filter(|world| world.newer && world.analysed.unwrap_or(0) == 0) {
        let problem = world.ask(3, true).expect_err("it is gone");
        assert!(problem.message.contains("nothing of revision 4 runs"), "{problem}");
    }
    let serves = World { newer: true, paused: true, desired: 2, analysed: Some(2), other: None };
    let problem = serves.ask(2, false).expect_err("it would roll");
    assert!(problem.message.contains("nobody has analysed"), "{problem}");
}

#[test]
fn what_drifted_can_be_taken_away() {
    let mut world = World { newer: true, paused: false, desired: 2, analysed: Some(1), other: Some(1) };
    assert_eq!(world.seen().rev, Some(UNKNOWN));
    let changes = world.with(|now| target(now, &Asked { to: 0, pin: false, revision: None })).expect("it can be");
    world.write(&changes);
    assert_eq!(world.desired, 0);
    let more = world.with(|now| target(now, &Asked { to: 3, pin: true, revision: None }));
    assert!(more.is_err());
}

#[test]
fn the_autoscaler_is_first_when_it_is_held_and_last_when_it_is_let_go() {
    let world = World { newer: false, paused: false, desired: 0, analysed: Some(0), other: None };
    let mut scaler = json!({
        "metadata": {"name": "shop", "resourceVersion": "9"},
        "spec": {"scaleTargetRef": {"name": "shop"}, "minReplicas": 1, "maxReplicas": 5},
    });
    let expected = expected();
    let kinds = |world: &World, scaler: &Value, to: u16, pin: bool| -> Vec<&'static str> {
        let asked = Asked { to, pin, revision: Some(&expected) };
        let changes = world.with(|now| target(&Now { autoscaler: Some(scaler), ..*now }, &asked)).expect("it can be");
        changes.iter().map(|change| change.kind).collect()
    };
    assert_eq!(kinds(&world, &scaler, 2, true), ["HorizontalPodAutoscaler", "Deployment"]);
    let up = World { paused: true, desired: 2, analysed: Some(2), ..world };
    let seen = |scaler: &Value| {
        up.with(|now| seen::target(&Now { autoscaler: Some(scaler), ..*now }, Some(&expected), true)).expect("counted")
    };
    assert!(!seen(&scaler).pinned, "it could be lowered");
    let change = autoscaler::hold(&scaler, 2).expect("it can be").expect("something changes");
    let How::Patch(patch) = &change.how else { panic!("it is there") };
    assert_eq!(patch[0], json!({"op": "test", "path": "/metadata/resourceVersion", "value": "9"}));
    scaler["metadata"]["annotations"] = json!({ annotation::HELD: patch[2]["value"] });
    scaler["spec"]["minReplicas"] = 2.into();
    scaler["spec"]["behavior"] = json!({"scaleDown": {"selectPolicy": "Disabled"}});
    assert!(seen(&scaler).pinned);
    assert_eq!(kinds(&up, &scaler, 0, false), ["Deployment", "HorizontalPodAutoscaler"]);
}

#[test]
fn a_target_that_is_gone_is_told() {
    let asked = Asked { to: 2, pin: true, revision: None };
    let nothing = Now { kind: Kind::Deployment, workload: None, replica_sets: &[], autoscaler: None };
    assert!(target(&nothing, &asked).expect_err("it is not there").message.contains("not there"));
    let world = World { newer: false, paused: true, desired: 2, analysed: Some(2), other: None };
    let mut workload = world.workload();
    workload["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    let leaving = Now { workload: Some(&workload), ..nothing };
    assert!(target(&leaving, &asked).expect_err("it goes").message.contains("being deleted"));
    let seen = seen::target(&leaving, Some(&expected()), true).expect("it can be counted");
    assert_eq!((seen.ready, seen.pinned), (0, false));
}

/// The primary of the revision, and what it is made from.
fn with_primary<T>(image: &str, look: impl FnOnce(&Primary<'_>, &Expected) -> T) -> T {
    let target = json!({
        "metadata": {"name": "shop"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "shop"}}, "template": template(image)},
    });
    let content = Content::of(Kind::Deployment, &target, |_| crate::workload::Data::Absent).expect("a template");
    let pair = ["shop-primary".to_owned(), "shop".to_owned()];
    let names = crate::wanted::Names { workload: pair.clone(), apex: "shop".to_owned(), service: pair };
    let expected = Expected::of(Rev(4), &content);
    let (owner, selector_labels) = (json!({}), &super::super::primary::SELECTOR_LABELS);
    let primary = Primary {
        rev: 4,
        content: &content,
        target: &target,
        names: &names,
        owner: &owner,
        selector_labels,
        label_prefixes: &[],
    };
    look(&primary, &expected)
}

/// A primary as the API server has it after it was created.
fn created(image: &str, to: u16, pin: bool) -> Value {
    with_primary(image, |wanted, expected| {
        let nothing = Now { kind: Kind::Deployment, workload: None, replica_sets: &[], autoscaler: None };
        let asked = Asked { to, pin, revision: Some(expected) };
        let changes = primary(&nothing, &asked, Some(wanted)).expect("it can be");
        let [Change { how: How::Create(object), .. }] = changes.as_slice() else { panic!("{changes:?}") };
        let mut object = object.clone();
        object["metadata"]["resourceVersion"] = "1".into();
        object["metadata"]["uid"] = "u".into();
        object
    })
}

/// The paths that are written when so many are asked for of the revision with this image.
fn primary_writes(there: &Value, image: &str, to: u16, pin: bool) -> Result<Vec<String>, Problem> {
    with_primary(image, |wanted, expected| {
        let now = Now { kind: Kind::Deployment, workload: Some(there), replica_sets: &[], autoscaler: None };
        let changes = primary(&now, &Asked { to, pin, revision: Some(expected) }, Some(wanted))?;
        let patches = changes.iter().filter_map(|change| match &change.how {
            How::Patch(patch) => patch.as_array(),
            How::Create(_) => None,
        });
        Ok(patches
            .flatten()
            .skip(1)
            .map(|op| format!("{} {}", op["path"].as_str().unwrap_or("?"), op["value"]))
            .collect())
    })
}

#[test]
fn a_primary_is_created_with_its_number_and_pinned_as_asked() {
    let object = created("shop:1", 3, true);
    assert_eq!((&object["spec"]["replicas"], &object["metadata"]["name"]), (&json!(3), &json!("shop-primary")));
    let seen = |object: &Value| {
        let now = Now { kind: Kind::Deployment, workload: Some(object), replica_sets: &[], autoscaler: None };
        seen::primary(&now, &[expected()], true).expect("it can be counted")
    };
    assert_eq!((seen(&object).rev, seen(&object).pinned, seen(&object).desired), (Some(Rev(4)), true, 3));
    assert!(!seen(&created("shop:1", 3, false)).pinned);
    let nothing = Now { kind: Kind::Deployment, workload: None, replica_sets: &[], autoscaler: None };
    let asked = |to| Asked { to, pin: true, revision: None };
    assert_eq!(primary(&nothing, &asked(0), None), Ok(Vec::new()));
    assert!(primary(&nothing, &asked(1), None).is_err());
}

#[test]
fn a_primary_of_the_revision_gets_its_number_and_the_pin_alone() {
    let there = created("shop:1", 3, false);
    let pinned = "/metadata/annotations/serin.dev~1pinned \"true\"".to_owned();
    assert_eq!(primary_writes(&there, "shop:1", 3, false), Ok(Vec::new()));
    assert_eq!(primary_writes(&there, "shop:1", 3, true), Ok(vec![pinned.clone()]));
    assert_eq!(primary_writes(&there, "shop:1", 5, true), Ok(vec![pinned, "/spec/replicas 5".to_owned()]));
    let held = created("shop:1", 3, true);
    assert_eq!(primary_writes(&held, "shop:1", 3, true), Ok(Vec::new()));
    let free = "/metadata/annotations/serin.dev~1pinned null".to_owned();
    assert_eq!(primary_writes(&held, "shop:1", 0, false), Ok(vec![free, "/spec/replicas 0".to_owned()]));
}

#[test]
fn a_primary_that_runs_another_revision_is_not_resized_into_this_one() {
    let problem = primary_writes(&created("shop:0", 3, true), "shop:1", 4, true).expect_err("it serves");
    assert!(problem.message.contains("runs another revision"), "{problem}");
    let mut empty = created("shop:0", 3, true);
    empty["spec"]["replicas"] = 0.into();
    let paths: Vec<String> = primary_writes(&empty, "shop:1", 4, true).expect("nothing runs");
    let begins = |path: &str| paths.iter().filter(|written| written.starts_with(path)).count();
    assert_eq!((begins("/spec/template"), begins("/spec/replicas 4")), (1, 1), "{paths:?}");
    assert_eq!(begins("/metadata/annotations/serin.dev~1hash"), 1, "{paths:?}");
    // One that is to become less is none of its business.
    assert_eq!(primary_writes(&created("shop:0", 3, true), "shop:1", 1, true), Ok(vec!["/spec/replicas 1".to_owned()]));
    // One that Serin did not write has no annotations at all.
    empty["metadata"].as_object_mut().expect("an object").remove("annotations");
    let paths = primary_writes(&empty, "shop:1", 4, true).expect("nothing runs");
    assert_eq!(paths.iter().filter(|path| path.starts_with("/metadata/annotations {}")).count(), 1, "{paths:?}");
}
