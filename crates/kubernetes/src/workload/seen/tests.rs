//! What is told of workloads in every state.
use super::*;
use crate::workload::{Data, Kind};
use serde_json::{Value, json};

fn template(image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "shop", "image": image}]}})
}

fn content(image: &str) -> Content {
    Content::of(Kind::Deployment, &json!({"spec": {"template": template(image)}}), |_| Data::Absent)
        .expect("a template")
}

fn deployment() -> Value {
    json!({
        "metadata": {"name": "shop", "uid": "u", "generation": 3, "annotations": {}},
        "spec": {"replicas": 3, "paused": true, "template": template("shop:1")},
        "status": {"observedGeneration": 3, "replicas": 3, "readyReplicas": 3},
    })
}

fn set(image: &str, replicas: u16, ready: u16) -> Value {
    json!({
        "metadata": {"name": image, "generation": 1, "ownerReferences": [{"uid": "u", "controller": true}]},
        "spec": {"replicas": replicas, "template": template(image)},
        "status": {"observedGeneration": 1, "replicas": replicas, "readyReplicas": ready, "availableReplicas": ready},
    })
}

fn look(workload: &Value, sets: &[Value]) -> Result<SetSeen, Problem> {
    let sets: Vec<&Value> = sets.iter().collect();
    let now = Now { kind: Kind::Deployment, workload: Some(workload), replica_sets: &sets, autoscaler: None };
    target(&now, Some(&Expected::of(Rev(4), &content("shop:1"))), true)
}

#[test]
fn nothing_is_empty_and_what_is_absent_is_none() {
    let nothing = Now { kind: Kind::Deployment, workload: None, replica_sets: &[], autoscaler: None };
    assert_eq!(target(&nothing, None, true), Ok(SetSeen::EMPTY));
    assert_eq!(primary(&nothing, &[], true), Ok(SetSeen::EMPTY));
    assert!(!target(&nothing, None, false).expect("nothing").is_empty(), "what is not known is not empty");
    let mut bare = deployment();
    bare["status"] = Value::Null;
    let seen = look(&bare, &[]).expect("it can be counted");
    assert_eq!(
        (seen.total, seen.ready, seen.fresh),
        (0, 0, false),
        "a controller that has not looked has seen nothing"
    );
}

#[test]
fn readiness_is_that_of_the_analysed_template() {
    let mut newer = deployment();
    newer["spec"]["template"] = template("shop:2");
    let seen = look(&newer, &[set("shop:1", 3, 2), set("shop:2", 0, 0)]).expect("it can be counted");
    assert_eq!((seen.rev, seen.total, seen.ready, seen.pinned), (Some(Rev(4)), 3, 2, true), "paused with a newer one");
    let seen = look(&deployment(), &[set("shop:1", 2, 2), set("shop:2", 3, 3)]).expect("it can be counted");
    assert_eq!((seen.total, seen.ready), (5, 2));
    let mut terminating = set("shop:2", 0, 0);
    terminating["status"]["terminatingReplicas"] = 4.into();
    assert_eq!(look(&deployment(), &[set("shop:1", 3, 3), terminating]).expect("counted").total, 7);
}

#[test]
fn only_its_own_sets_count() {
    let mut others = [set("shop:1", 3, 3), set("shop:1", 3, 3), set("shop:1", 3, 3)];
    others[0]["metadata"]["ownerReferences"][0]["uid"] = "v".into();
    others[1]["metadata"]["ownerReferences"][0]["controller"] = false.into();
    others[2]["metadata"]["ownerReferences"] = Value::Null;
    let seen = look(&deployment(), &others).expect("it can be counted");
    assert_eq!((seen.ready, seen.total), (0, 3), "the Deployment itself tells of three");
}

#[test]
fn a_view_that_a_controller_has_not_seen_is_stale() {
    let seen = look(&deployment(), &[set("shop:1", 3, 3)]).expect("it can be counted");
    assert!(seen.fresh);
    let mut later = deployment();
    later["metadata"]["generation"] = 4.into();
    assert!(!look(&later, &[set("shop:1", 3, 3)]).expect("counted").fresh);
    let mut set = set("shop:1", 3, 3);
    set["metadata"]["generation"] = 2.into();
    assert!(!look(&deployment(), &[set]).expect("counted").fresh);
}

#[test]
fn ready_pods_on_the_way_make_the_view_stale_and_not_empty() {
    let mut rolling = deployment();
    rolling["spec"]["paused"] = false.into();
    let seen = look(&rolling, &[set("shop:1", 2, 2)]).expect("it can be counted");
    assert_eq!((seen.ready, seen.pinned, seen.fresh), (0, true, false));
    let seen = look(&rolling, &[set("shop:1", 2, 0)]).expect("it can be counted");
    assert_eq!((seen.ready, seen.pinned, seen.fresh), (0, true, true));
    let seen = look(&rolling, &[set("shop:1", 3, 1)]).expect("it can be counted");
    assert_eq!((seen.ready, seen.pinned, seen.fresh), (1, false, true));
}

#[test]
fn the_primary_runs_what_its_annotations_say_if_its_template_does() {
    let known = [Expected::of(Rev(3), &content("shop:0")), Expected::of(Rev(4), &content("shop:1"))];
    let mut workload = deployment();
    workload["spec"]["paused"] = false.into();
    workload["metadata"]["annotations"] = json!({
        annotation::REVISION: "4", annotation::HASH: known[1].hash, annotation::TEMPLATE: known[1].template,
        annotation::PINNED: "true",
    });
    let see = |workload: &Value, sets: &[Value]| {
        let sets: Vec<&Value> = sets.iter().collect();
        let now = Now { kind: Kind::Deployment, workload: Some(workload), replica_sets: &sets, autoscaler: None };
        primary(&now, &known, true).expect("it can be counted")
    };
    let sets = [set("shop:0", 1, 1), set("shop:1", 2, 2)];
    let seen = see(&workload, &sets);
    assert_eq!((seen.rev, seen.ready, seen.total, seen.pinned), (Some(Rev(4)), 2, 3, true));
    let with = |change: fn(&mut Value)| {
        let mut workload = workload.clone();
        change(&mut workload);
        see(&workload, &sets)
    };
    assert_eq!(with(|w| w["spec"]["template"] = template("evil:1")).rev, Some(UNKNOWN), "somebody edited it");
    assert_eq!(with(|w| w["spec"]["template"] = template("evil:1")).ready, 2, "what was analysed still serves");
    assert_eq!(with(|w| w["metadata"]["annotations"][annotation::REVISION] = "3".into()).rev, Some(UNKNOWN));
    assert_eq!(with(|w| w["metadata"]["annotations"][annotation::REVISION] = "x".into()).rev, Some(UNKNOWN));
    assert_eq!(with(|w| w["metadata"]["annotations"][annotation::HASH] = 7.into()).rev, Some(UNKNOWN));
    assert_eq!(with(|w| w["metadata"]["annotations"] = Value::Null).rev, Some(UNKNOWN));
    assert!(!with(|w| w["metadata"]["annotations"][annotation::PINNED] = "false".into()).pinned);
}

#[test]
fn nothing_that_an_object_can_hold_makes_it_panic_or_count_wrong() {
    let odd = [json!("3"), json!(-1), json!(1.5), json!(70_000), json!(u64::MAX), json!([]), json!({}), json!(true)];
    let places = ["/spec/replicas", "/status/replicas", "/status/readyReplicas", "/status/availableReplicas"];
    let mut told = 0;
    for value in &odd {
        for place in places {
            let mut broken = set("shop:1", 3, 3);
            *broken.pointer_mut(place).expect("it is there") = value.clone();
            let problem = look(&deployment(), &[broken]).expect_err("it is no number");
            assert!(!problem.message.is_empty() && !problem.path.is_empty(), "{problem}");
            told += 1;
        }
        let mut broken = deployment();
        broken["spec"]["replicas"] = value.clone();
        assert!(look(&broken, &[]).is_err(), "{value}");
    }
    assert_eq!(told, 32);
    for place in ["metadata", "spec", "status"] {
        for value in odd.iter().chain([&Value::Null]) {
            let (mut workload, mut set) = (deployment(), set("shop:1", 3, 3));
            workload[place] = value.clone();
            set[place] = value.clone();
            for sets in [vec![set.clone()], Vec::new()] {
                if let Ok(seen) = look(&workload, &sets).or_else(|_| look(&deployment(), &sets)) {
                    assert!(seen.ready <= seen.total && seen.healthy <= seen.ready, "{seen:?}");
                }
            }
        }
    }
    let full = [set("shop:1", u16::MAX, 1), set("shop:1", 1, 1)];
    assert!(look(&deployment(), &full).is_err(), "together they are too many");
}

#[test]
fn a_daemon_set_is_refused_with_what_to_do() {
    let workload = deployment();
    let now = Now { kind: Kind::DaemonSet, workload: Some(&workload), replica_sets: &[], autoscaler: None };
    let problem = target(&now, None, true).expect_err("it cannot be told");
    assert!(problem.message.contains("DaemonSet") && problem.help.contains("Deployment"), "{problem}");
}
