//! Every preset as the list of sizes and shares that it becomes.
use super::*;
use alloc::vec;

fn sizes(plan: &Plan) -> Vec<Pair<u16>> {
    plan.steps.iter().map(|step| step.target.size).collect()
}

fn step(weight: Bp) -> WeightStep {
    WeightStep { weight, accept: Accept { checks: true, ..Accept::default() } }
}

#[test]
fn weights_rise_and_end_with_everything() {
    let plan = Plan::compile(&Preset::Weights(vec![step(500), step(5_000)]), 2, 0, false).unwrap();
    let shares: Vec<Bp> = plan.steps.iter().map(|s| s.target.route.split.share(1)).collect();
    assert_eq!(shares, [500, 5_000, FULL]);
    assert!(plan.window, "the old set stays warm after a role swap");
    for s in &plan.steps {
        assert_eq!(s.target.size, [2, 2]);
        assert_eq!(s.target.route.fallback, Some(Split::all(0, 2)));
    }
}

#[test]
fn a_preparation_is_at_full_size_without_traffic() {
    let manual = Accept { manual: true, ..Accept::default() };
    let plan = Plan::compile(&Preset::Weights(vec![step(500)]), 2, 0, false).unwrap().with_preparation(manual);
    assert_eq!(sizes(&plan), [[2, 2]; 3]);
    let shares: Vec<Bp> = plan.steps.iter().map(|s| s.target.route.split.share(1)).collect();
    assert_eq!((shares, plan.steps[0].accept), (vec![0, 500, FULL], manual));
    assert_eq!(plan.steps[0].target.route, Route::plain(Split::all(0, 2)), "there is nothing to fall back from");
    let kept = Preset::CanaryKept { one_by_one: true, first: manual, each: manual };
    let kept = Plan::compile(&kept, 2, 0, false).unwrap();
    assert_eq!(kept.clone().with_preparation(manual), kept);
}

#[test]
fn weights_must_rise() {
    let bad = |list: Vec<WeightStep>| Plan::compile(&Preset::Weights(list), 2, 0, false).unwrap_err();
    assert_eq!(bad(vec![]), PlanError::NoSteps);
    assert_eq!(bad(vec![step(0)]), PlanError::Weight(0));
    assert_eq!(bad(vec![step(500), step(500)]), PlanError::Weight(1));
    assert_eq!(bad(vec![step(10_001)]), PlanError::Weight(0));
}

#[test]
fn rising_ends_at_the_maximum_whatever_the_step() {
    assert_eq!(rising(1_000, 1_000, 5_000), [1_000, 2_000, 3_000, 4_000, 5_000]);
    assert_eq!(rising(500, 2_000, 5_000), [500, 2_500, 4_500, 5_000]);
    assert_eq!(rising(9_000, 500, 5_000), [5_000]);
    assert_eq!(rising(1_000, 0, 1_002), [1_000, 1_001, 1_002]);
}

#[test]
fn the_kept_canary_stays_until_the_last_old_instance_is_replaced() {
    let plan = |n, one_by_one| {
        let preset = Preset::CanaryKept { one_by_one, first: Accept::default(), each: Accept::default() };
        sizes(&Plan::compile(&preset, n, 0, false).unwrap())
    };
    assert_eq!(plan(1, false), [[1, 1], [0, 1], [0, 2], [0, 1]]);
    assert_eq!(plan(1, true), [[1, 1], [0, 1]]);
    assert_eq!(plan(2, false), [[2, 1], [1, 1], [1, 2], [0, 2], [0, 3], [0, 2]]);
    assert_eq!(plan(3, true), [[3, 1], [2, 1], [2, 2], [1, 2], [1, 3], [0, 3]]);
}

#[test]
fn no_plan_goes_below_the_replicas_unless_it_was_allowed() {
    for n in 1..=12 {
        for one_by_one in [false, true] {
            let preset = Preset::CanaryKept { one_by_one, first: Accept::default(), each: Accept::default() };
            for size in sizes(&Plan::compile(&preset, n, 0, false).unwrap()) {
                assert!(size[0] + size[1] >= n && size[0] + size[1] <= n + 1);
            }
        }
    }
}

#[test]
fn in_place_needs_the_permission() {
    let preset = Preset::InPlace { after: Accept::default() };
    assert_eq!(Plan::compile(&preset, 1, 0, false), Err(PlanError::NeedsDowntime));
    let plan = Plan::compile(&preset, 1, 0, true).unwrap();
    assert_eq!((plan.ceiling, plan.limits.floor), (1, 0));
}

#[test]
fn a_service_keeps_something() {
    assert_eq!(Plan::at_rest(0, 0, false), Err(PlanError::NoReplicas));
    assert_eq!(Plan::at_rest(2, 2, false), Err(PlanError::NothingLeft));
    assert_eq!(Plan::at_rest(2, 1, false).unwrap().limits, Limits { replicas: 2, floor: 1 });
}

#[test]
fn a_target_turns_with_the_good_slot() {
    let target = shared(3, 500);
    assert_eq!(target.for_good(0), target);
    assert_eq!(target.for_good(1).route.split, Split::Weighted([500, 9_500]));
    assert_eq!(target.for_good(1).route.fallback, Some(Split::all(1, 3)));
}

#[test]
fn a_home_is_a_slot_to_which_rising_shares_lead() {
    let plan = |preset: &Preset| Plan::compile(preset, 2, 0, true).unwrap();
    let weighted = plan(&Preset::Direct);
    assert_eq!(weighted.clone().with_home(0, vec![2_500, 5_000]).unwrap().home.unwrap().shares, [2_500, 5_000]);
    assert_eq!(weighted.clone().with_home(2, vec![]), Err(PlanError::NoSlot(2)));
    assert_eq!(weighted.clone().with_home(0, vec![0]), Err(PlanError::HomeShare(0)));
    assert_eq!(weighted.clone().with_home(0, vec![5_000, 5_000]), Err(PlanError::HomeShare(1)));
    assert_eq!(weighted.with_home(0, vec![FULL]), Err(PlanError::HomeShare(0)));
    let none = Accept::default();
    let members = plan(&Preset::CanaryKept { one_by_one: false, first: none, each: none });
    assert_eq!(members.clone().with_home(1, vec![5_000]), Err(PlanError::HomeShare(0)));
    assert_eq!(members.with_home(1, vec![]).unwrap().home.unwrap().slot, 1);
    assert_eq!(plan(&Preset::InPlace { after: none }).with_home(0, vec![]), Err(PlanError::NoRoomForHome));
}
