//! Whole releases: both keys of the core, over what is seen of a target and its primary and with the writes that follow,
//! beside a Deployment controller that takes its time. Newer templates are pushed at every moment. What is shown: while
//! anything may go to a slot, no pod of it is of another template than the one that was analysed; and all ends on the last
//! revision that was pushed, with the target empty and the primary let go.
#[path = "workloads/patched.rs"]
mod patched;

use patched::patched;
use serde_json::{Value, json};
use serin_kubernetes::route::Owner;
use serin_kubernetes::wanted::Names;
use serin_kubernetes::workload::primary::{self, Primary, SELECTOR_LABELS};
use serin_kubernetes::workload::resize::{self, Asked};
use serin_kubernetes::workload::seen::{self, Now, UNKNOWN};
use serin_kubernetes::workload::{Change, Content, Data, Expected, How, Kind};
use serin_rollout::{
    Accept, Decision, Intent, Observation, Phase, Plan, Preset, Rev, Route, RouteSeen, Slot, Split, Status, Timers,
    Verdict, WeightStep, Write, decide, permit,
};

/// How many there are at rest.
const REPLICAS: u16 = 3;
/// A release takes some fifty rounds; one that takes so many never ends.
const MOST: u32 = 600;

/// A ReplicaSet.
#[derive(Clone, Debug)]
struct Set {
    template: Value,
    replicas: u16,
    ready: u16,
}

/// A Deployment with its ReplicaSets, the oldest first.
#[derive(Clone, Debug)]
struct Workload {
    object: Value,
    sets: Vec<Set>,
}

fn small(number: &Value) -> u16 {
    number.as_u64().and_then(|number| u16::try_from(number).ok()).expect("a small number")
}

impl Workload {
    fn of(mut object: Value, uid: &str) -> Workload {
        object["metadata"]["uid"] = uid.into();
        object["metadata"]["resourceVersion"] = "1".into();
        object["metadata"]["generation"] = 1.into();
        Workload { object, sets: Vec::new() }
    }

    fn change(&mut self, edit: impl FnOnce(&Value) -> Value) {
        let after = edit(&self.object);
        assert_ne!(after, self.object, "a write that changes nothing");
        self.object = after;
        let version = self.object["metadata"]["generation"].as_u64().expect("a number") + 1;
        self.object["metadata"]["generation"] = version.into();
        self.object["metadata"]["resourceVersion"] = version.to_string().into();
    }

    /// The controllers get to it: what was asked for earlier is ready, and what is asked for now is begun.
    fn tick(&mut self) {
        for set in &mut self.sets {
            set.ready = set.replicas;
        }
        let (desired, template) = (small(&self.object["spec"]["replicas"]), self.object["spec"]["template"].clone());
        let current = self.sets.iter().position(|set| set.template == template);
        if self.object["spec"]["paused"] == true {
            self.scale(desired, current);
        } else {
            let current = current.unwrap_or_else(|| {
                self.sets.push(Set { template, replicas: 0, ready: 0 });
                self.sets.len() - 1
            });
            for (i, set) in self.sets.iter_mut().enumerate() {
                set.replicas = if i == current { desired } else { 0 };
            }
        }
        for set in &mut self.sets {
            set.ready = set.ready.min(set.replicas);
        }
        self.object["status"]["observedGeneration"] = self.object["metadata"]["generation"].clone();
    }

    /// What a paused one does: it scales the only set that has pods; where none has any, that of its template, else the
    /// latest; and where the one of its template is complete, the others go.
    fn scale(&mut self, desired: u16, current: Option<usize>) {
        let active: Vec<usize> = (0..self.sets.len()).filter(|i| self.sets[*i].replicas > 0).collect();
        match (active.as_slice(), current) {
            ([only], _) => self.sets[*only].replicas = desired,
            ([], Some(i)) => self.sets[i].replicas = desired,
            ([], None) => self.sets.last_mut().into_iter().for_each(|last| last.replicas = desired),
            ([..], Some(i)) if self.sets[i].ready == desired => {
                active.iter().filter(|other| **other != i).for_each(|other| self.sets[*other].replicas = 0);
            }
            ([..], _) => {}
        }
    }

    fn replica_sets(&self) -> Vec<Value> {
        let uid = &self.object["metadata"]["uid"];
        let value = |set: &Set| {
            let owners = json!([{ "uid": uid, "controller": true }]);
            let Set { template, replicas, ready } = set;
            let status = json!({"replicas": replicas, "readyReplicas": ready, "availableReplicas": ready});
            json!({"metadata": {"name": "set", "ownerReferences": owners}, "status": status,
                "spec": {"replicas": replicas, "template": template}})
        };
        self.sets.iter().map(value).collect()
    }

    fn images(&self) -> Vec<&str> {
        let running = self.sets.iter().filter(|set| set.replicas > 0);
        running.map(|set| set.template["spec"]["containers"][0]["image"].as_str().expect("an image")).collect()
    }
}

#[derive(Clone)]
struct World {
    plan: Plan,
    status: Status,
    target: Workload,
    primary: Option<Workload>,
    revisions: Vec<(Content, Expected)>,
    accepted: Route,
    earlier: Vec<Split>,
    /// What the analysis says of each revision.
    verdict: fn(Rev) -> Verdict,
}

fn pushed(number: usize) -> Value {
    let container = json!({"name": "shop", "image": format!("shop:{number}")});
    json!({"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [container]}})
}

impl World {
    fn new(verdict: fn(Rev) -> Verdict) -> World {
        let spec = json!({"replicas": 0, "selector": {"matchLabels": {"app": "shop"}}, "template": pushed(0)});
        let accept = Accept { checks: true, ..Accept::default() };
        let steps = vec![WeightStep { weight: 2_000, accept }, WeightStep { weight: 5_000, accept }];
        let plan = Plan::compile(&Preset::Weights(steps), REPLICAS, 0, false).expect("a plan");
        let plan = Plan { window: false, ..plan.with_home(0, Vec::new()).expect("it has a home") };
        let mut world = World {
            plan,
            status: Status::first(Rev(0)),
            target: Workload::of(json!({"metadata": {"name": "shop"}, "spec": spec}), "target"),
            primary: None,
            revisions: Vec::new(),
            accepted: Route::NOWHERE,
            earlier: Vec::new(),
            verdict,
        };
        world.target.tick();
        world.take_revision();
        world
    }

    fn take_revision(&mut self) {
        let content = Content::of(Kind::Deployment, &self.target.object, |_| Data::Absent).expect("a template");
        if self.revisions.iter().all(|(known, _)| *known != content) {
            let expected = Expected::of(Rev(u32::try_from(self.revisions.len()).expect("a few")), &content);
            self.revisions.push((content, expected));
        }
    }

    /// Somebody pushes a template: a new one, or one that was there before.
    fn push(&mut self, number: usize) {
        self.target.change(|object| {
            let mut object = object.clone();
            object["spec"]["template"] = pushed(number);
            object
        });
        self.take_revision();
    }

    fn wanted(&self) -> Rev {
        let content = Content::of(Kind::Deployment, &self.target.object, |_| Data::Absent).expect("a template");
        let at = self.revisions.iter().position(|(known, _)| *known == content).expect("it was taken");
        Rev(u32::try_from(at).expect("a few"))
    }

    fn expected(&self, rev: Rev) -> Option<Expected> {
        (rev != UNKNOWN).then(|| self.revisions[rev.0 as usize].1.clone())
    }

    fn with<T>(workload: Option<&Workload>, look: impl FnOnce(&Now<'_>) -> T) -> T {
        let sets = workload.map(Workload::replica_sets).unwrap_or_default();
        let replica_sets: Vec<&Value> = sets.iter().collect();
        let workload = workload.map(|workload| &workload.object);
        look(&Now { kind: Kind::Deployment, workload, replica_sets: &replica_sets, autoscaler: None })
    }

    fn observe(&self) -> Observation {
        let known: Vec<Expected> = self.revisions.iter().map(|(_, expected)| expected.clone()).collect();
        let expected = self.status.rev[1].and_then(|rev| self.expected(rev));
        let primary = Self::with(self.primary.as_ref(), |now| seen::primary(now, &known, true)).expect("counted");
        let target = Self::with(Some(&self.target), |now| seen::target(now, expected.as_ref(), true)).expect("counted");
        let verdict = self.status.rev[1].map_or(Verdict::Pass, self.verdict);
        Observation {
            claimed: true,
            set: [primary, target],
            route: RouteSeen {
                accepted: self.accepted,
                acked: self.earlier.is_empty(),
                in_force: self.earlier.clone(),
            },
            intent: Intent::of(self.wanted()),
            verdict: self.status.key().map(|key| (key, verdict)),
            due: Timers::default(),
            failed: None,
        }
    }

    /// One round; whether there was nothing to do.
    fn round(&mut self) -> bool {
        let seen = self.observe();
        match decide(&self.plan, &self.status, &seen) {
            Decision::Save(status, _) => self.status = status,
            Decision::Wait(_) => return true,
            Decision::Ask(write) => {
                let allowed = permit(&self.plan.limits, &seen, &write);
                assert_eq!(allowed, Ok(()), "{write:?} in {seen:?}");
                self.carry_out(&write);
            }
        }
        false
    }

    fn carry_out(&mut self, write: &Write) {
        match *write {
            Write::Claim => {}
            Write::Route(route) => {
                self.earlier = self.accepted.splits().collect();
                self.accepted = route;
            }
            Write::Resize { slot, to, rev, pin } => {
                let revision = self.expected(rev);
                let asked = Asked { to, pin, revision: revision.as_ref() };
                let changes = if slot == 1 {
                    Self::with(Some(&self.target), |now| resize::target(now, &asked))
                } else {
                    let content = self.revisions[if rev == UNKNOWN { 0 } else { rev.0 as usize }].0.clone();
                    self.made_from(&content, rev.0, |wanted| {
                        Self::with(self.primary.as_ref(), |now| resize::primary(now, &asked, Some(wanted)))
                    })
                };
                let changes = changes.unwrap_or_else(|problem| panic!("{write:?}: {problem}"));
                assert!(!changes.is_empty(), "{write:?} was asked for, and changes nothing");
                changes.iter().for_each(|change| self.apply(slot, change));
            }
            Write::Rewrite { slot, rev } => {
                assert_eq!(slot, 0, "the target is the user's");
                let content = self.revisions[rev.0 as usize].0.clone();
                let there = &self.primary.as_ref().expect("it is there").object;
                let change = self.made_from(&content, rev.0, |wanted| primary::rewrite(there, wanted));
                let change = change.expect("it can be").expect("something changes");
                self.apply(0, &change);
            }
        }
    }

    fn made_from<T>(&self, content: &Content, rev: u32, make: impl FnOnce(&Primary<'_>) -> T) -> T {
        let pair = ["shop-primary".to_owned(), "shop".to_owned()];
        let names = Names { workload: pair.clone(), apex: "shop".to_owned(), service: pair };
        let owner = Owner { name: "shop".into(), uid: "u".into() }.reference();
        let (target, owner, selector_labels) = (&self.target.object, &owner, &SELECTOR_LABELS);
        make(&Primary { rev, content, target, names: &names, owner, selector_labels, label_prefixes: &[] })
    }

    fn apply(&mut self, slot: Slot, change: &Change) {
        match (&change.how, slot) {
            (How::Create(object), 0) => self.primary = Some(Workload::of(object.clone(), "primary")),
            (How::Create(_), _) => panic!("the target is the user's"),
            (How::Patch(_), 0) => {
                self.primary.as_mut().expect("it is there").change(|object| patched(object, change));
            }
            (How::Patch(_), _) => {
                let before = self.target.object["spec"]["template"].clone();
                self.target.change(|object| patched(object, change));
                assert_eq!(self.target.object["spec"]["template"], before, "the target's template is the user's");
            }
        }
    }

    /// The controllers and the data plane get to it.
    fn tick(&mut self) {
        self.target.tick();
        self.primary.iter_mut().for_each(Workload::tick);
        self.earlier.clear();
    }

    fn is_routed(&self, slot: Slot) -> bool {
        self.accepted.reaches(slot) || self.earlier.iter().any(|split| split.reaches(slot))
    }

    /// While anything may go to a slot, all of its pods are of the revision that belongs there.
    fn check(&self, story: &str) {
        for slot in (0..2).filter(|slot| self.is_routed(*slot)) {
            let workload = if slot == 0 { self.primary.as_ref() } else { Some(&self.target) };
            let images = workload.expect("what is routed is there").images();
            let rev = self.status.rev[slot].expect("what is routed has a revision");
            let image = self.revisions[rev.0 as usize].0.template["spec"]["containers"][0]["image"].clone();
            assert_eq!(images, [image.as_str().expect("an image")], "{story}: slot {slot} in {:?}", self.status.phase);
        }
    }

    /// Rounds, at least so many, until nothing is left to do; `delay` of them for each look of the controllers; `at` every round `(round,
    /// world)` may be interfered with.
    fn run(&mut self, delay: u32, least: u32, story: &str, mut at: impl FnMut(u32, &mut World)) -> u32 {
        let mut idle = 0;
        for round in 0..MOST {
            at(round, self);
            idle = if self.round() { idle + 1 } else { 0 };
            self.check(story);
            if round % delay == 0 {
                self.tick();
                self.check(story);
            }
            if idle > 4 * delay && round >= least {
                return round;
            }
        }
        panic!("{story}: it never ends: {:?} {:?}", self.status, self.observe());
    }

    fn rests_on(&self, number: usize, story: &str) {
        let seen = self.observe();
        assert_eq!(self.status.phase, Phase::Idle, "{story}");
        assert_eq!((self.status.good, self.accepted), (0, Route::plain(Split::all(0, REPLICAS))), "{story}");
        let image = format!("shop:{number}");
        assert_eq!(self.primary.as_ref().expect("it is there").images(), [image.as_str()], "{story}");
        assert_eq!((seen.set[0].ready, seen.set[0].pinned), (REPLICAS, false), "{story}");
        assert!(seen.set[1].is_empty() && self.target.object["spec"]["paused"] != true, "{story}");
    }
}

/// A service at rest on the first revision.
fn rested(delay: u32, verdict: fn(Rev) -> Verdict) -> World {
    let mut world = World::new(verdict);
    world.run(delay, 0, "the first revision", |_, _| {});
    world.rests_on(0, "the first revision");
    world
}

#[test]
fn a_push_at_any_moment_never_reaches_users_unseen() {
    let mut rounds = 0;
    for delay in 1..3 {
        let rested = rested(delay, |_| Verdict::Pass);
        for (second, third) in [(2, 2), (2, 3), (2, 1), (0, 2)] {
            for when in (0..66).step_by(3) {
                let story = format!("delay {delay}, then {second} after {when}, then {third}");
                let mut world = rested.clone();
                world.push(1);
                rounds += world.run(delay, 75, &story, |round, world| {
                    if round == when {
                        world.push(second);
                    }
                    if round == when + 7 && third != second {
                        world.push(third);
                    }
                });
                world.rests_on(third, &story);
            }
        }
    }
    assert!(rounds > 10_000, "{rounds}");
}

#[test]
fn a_revision_that_fails_leaves_the_old_one_and_a_later_one_is_taken() {
    for delay in 1..3 {
        let rested = rested(delay, |rev| if rev == Rev(1) { Verdict::Fail } else { Verdict::Pass });
        let mut world = rested.clone();
        world.push(1);
        world.run(delay, 0, "a failure", |_, _| {});
        world.rests_on(0, "a failure");
        for when in (0..30).step_by(3) {
            let story = format!("delay {delay}, after {when}");
            let mut world = rested.clone();
            world.push(1);
            world.run(delay, 40, &story, |round, world| {
                if round == when {
                    world.push(2);
                }
            });
            world.rests_on(2, &story);
        }
    }
}
