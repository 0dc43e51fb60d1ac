//! What follows from an object as a whole, beyond the goldens in `tests/objects`.
use super::*;
use serde_json::{Value, json};
use serin_rollout::Bp;

fn canary(name: &str, spec: Value) -> Decoded<Canary> {
    let meta = json!({"name": name, "namespace": "prod"});
    let value = json!({"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": meta, "spec": spec});
    Canary::decode(&value).expect("a canary")
}

fn spec(analysis: Value) -> Value {
    json!({
        "provider": "kubernetes",
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
        "service": {"port": 9898},
        "analysis": analysis,
    })
}

fn serin(analysis: Value) -> Value {
    let mut spec = spec(analysis);
    spec["provider"] = json!("serin");
    spec
}

fn want(spec: Value, target: Target) -> Result<Wanted, Vec<Problem>> {
    wanted(&canary("podinfo", spec), &Templates::new(), &target, &Defaults::default())
}

fn shares(wanted: &Wanted) -> Vec<Bp> {
    wanted.plan.steps.iter().map(|step| step.target.route.split.share(1)).collect()
}

#[test]
fn a_floor_is_a_percentage_rounded_up_and_at_least_one() {
    for (replicas, percent, floor) in [(3, 50, 2), (3, 100, 3), (10, 75, 8), (1, 1, 1), (4, 0, 1), (200, 99, 198)] {
        let analysis = json!({"interval": "10s", "threshold": 1, "stepWeight": 50,
            "primaryReadyThreshold": percent, "canaryReadyThreshold": percent});
        let target = Target { replicas: Some(replicas), ..Target::default() };
        let wanted = want(serin(analysis), target).expect("it is sound");
        assert_eq!(wanted.plan.limits.floor, floor, "{percent} % of {replicas}");
    }
}

#[test]
fn the_size_is_what_serves_now() {
    let size = |target: Target| want(serin(json!({"stepWeight": 50})), target).map(|w| w.plan.limits.replicas);
    let at = |replicas, primary, autoscaler_min| Target { replicas, primary, autoscaler_min, ..Target::default() };
    assert_eq!(size(at(Some(0), Some(7), Some(2))).ok(), Some(7));
    assert_eq!(size(at(Some(0), Some(1), Some(3))).ok(), Some(3));
    assert_eq!(size(at(Some(4), None, None)).ok(), Some(4));
    assert_eq!(size(at(None, None, None)).ok(), Some(1), "Kubernetes' own default");
    let told = size(at(Some(0), Some(0), None)).expect_err("nothing runs");
    assert!(told[0].to_string().contains("the workload has no replicas"), "{told:?}");
    assert!(size(at(Some(70_000), None, None)).is_err());
}

#[test]
fn traffic_returns_by_the_steps_of_the_promotion() {
    let analysis = json!({"stepWeights": [5, 50], "stepWeightPromotion": 40});
    let wanted = want(serin(analysis), Target::default()).expect("it is sound");
    assert_eq!(shares(&wanted), [500, 5_000, 10_000]);
    let home = wanted.plan.home.expect("it rests at the primary");
    assert_eq!((home.slot, home.shares), (0, vec![4_000, 8_000]));
}

#[test]
fn weights_end_at_the_maximum_and_not_beyond_it() {
    let wanted = want(serin(json!({"stepWeight": 20, "maxWeight": 50})), Target::default()).expect("it is sound");
    assert_eq!(shares(&wanted), [2_000, 4_000, 5_000, 10_000]);
}

#[test]
fn who_cannot_divide_traffic_is_given_iterations() {
    let wanted = want(spec(json!({"stepWeight": 5, "interval": "2s"})), Target::default()).expect("it is sound");
    assert_eq!(wanted.way, Way::Iterations(10));
    assert_eq!(shares(&wanted), [0, 10_000]);
    assert_eq!(wanted.plan.steps[0].accept.bake_ms, Some(20_000));
    assert!(wanted.warnings[0].message.contains("cannot divide traffic"));
}

#[test]
fn gates_end_the_steps_before_them() {
    let manual = |kind: &str| {
        let hooks = json!([{"type": kind, "name": "gate", "url": "http://gate/"}]);
        let wanted = want(serin(json!({"stepWeights": [10, 50], "webhooks": hooks})), Target::default()).unwrap();
        let steps = 0..u16::try_from(wanted.plan.steps.len()).unwrap();
        let asked: Vec<bool> = steps.map(|step| !wanted.gates_after(step).is_empty()).collect();
        let manual: Vec<bool> = wanted.plan.steps.iter().map(|step| step.accept.manual).collect();
        assert_eq!(asked, manual, "{kind}: an approval is asked for where somebody gives it");
        manual
    };
    assert_eq!(manual("confirm-traffic-increase"), [true, true, true, false], "the first rise has a gate too");
    assert_eq!(manual("confirm-promotion"), [false, true, false]);
    assert_eq!(manual("confirm-rollout"), [false, false, false]);
    let hooks = json!([{"type": "confirm-promotion", "name": "gate", "url": "http://gate/"}]);
    let wanted = want(spec(json!({"iterations": 3, "webhooks": hooks})), Target::default()).unwrap();
    assert_eq!(wanted.plan.steps.iter().map(|step| step.accept.manual).collect::<Vec<_>>(), [true, false]);
    assert_eq!((wanted.gates_after(0).len(), wanted.gates_after(1).len()), (1, 0));
    assert_eq!(manual("pre-rollout"), [false; 4]);
    let hooks = json!([
        {"type": "pre-rollout", "name": "smoke test", "url": "http://test/"},
        {"type": "confirm-promotion", "name": "gate", "url": "http://gate/"}
    ]);
    let wanted = want(spec(json!({"iterations": 3, "webhooks": hooks})), Target::default()).unwrap();
    assert_eq!(shares(&wanted), [0, 0, 10_000]);
    let accepted = |step: usize| (wanted.plan.steps[step].accept.checks, wanted.plan.steps[step].accept.manual);
    assert_eq!([accepted(0), accepted(1)], [(true, false), (false, true)], "the smoke test comes before all rounds");
    let gates = [0, 1, 2].map(|step| wanted.gates_after(step).len());
    assert_eq!(gates, [0, 1, 0]);
}

#[test]
fn an_answer_is_held_against_both_limits() {
    let limits = Limits { min: Some(1.0), max: Some(2.0) };
    assert_eq!(limits.judge(Some(1.0)), Finding::Held(1.0));
    assert_eq!(limits.judge(Some(2.0)), Finding::Held(2.0));
    assert_eq!(limits.judge(Some(0.5)), Finding::Below(0.5, 1.0));
    assert_eq!(limits.judge(Some(f64::INFINITY)), Finding::Above(f64::INFINITY, 2.0));
    assert_eq!(limits.judge(Some(f64::NAN)), Finding::NoValue);
    assert_eq!(Limits::default().judge(None), Finding::NoValue);
}

#[test]
fn other_namespaces_are_out_of_reach_where_the_operator_says_so() {
    let metric = json!([{"name": "a", "threshold": 1, "templateRef": {"name": "t", "namespace": "other"}}]);
    let alert = json!([{"name": "a", "providerRef": {"name": "s", "namespace": "other"}}]);
    let spec = serin(json!({"stepWeight": 50, "metrics": metric, "alerts": alert}));
    let defaults = Defaults { cross_namespace: false, ..Defaults::default() };
    let told = wanted(&canary("podinfo", spec), &Templates::new(), &Target::default(), &defaults).expect_err("refused");
    let paths: Vec<&str> = told.iter().map(|problem| problem.path.as_str()).collect();
    let at = |part: &str| format!("spec.analysis.{part}.namespace");
    assert_eq!(paths, [at("metrics[0].templateRef"), at("alerts[0].providerRef")]);
}

#[test]
fn two_canaries_do_not_share_a_workload() {
    let named = |name: &str, target: &str| {
        let mut spec = spec(json!({"iterations": 1}));
        spec["targetRef"]["name"] = json!(target);
        canary(name, spec).object
    };
    let all = [named("a", "shop"), named("b", "shop"), named("c", "shop-primary"), named("d", "other")];
    let told: Vec<String> = collisions(&all).iter().map(|(_, name, p)| format!("{name}: {}", p.message)).collect();
    assert_eq!(
        told,
        [
            "a: Deployment shop belongs to the canary b as well",
            "a: Deployment shop-primary belongs to the canary b and c as well",
            "b: Deployment shop belongs to the canary a as well",
            "b: Deployment shop-primary belongs to the canary a and c as well",
            "c: Deployment shop-primary belongs to the canary a and b as well",
        ]
    );
    assert_eq!(collisions(&all[..2]).len(), 2, "a shared target is told once of each");
    let mut elsewhere = named("e", "other");
    elsewhere.meta.namespace = "test".to_owned();
    assert!(collisions(&[named("d", "other"), elsewhere]).is_empty(), "namespaces keep them apart");
}
