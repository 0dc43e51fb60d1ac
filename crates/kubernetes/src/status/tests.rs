//! Every phase of ours as Flagger's, and what changes when.
use super::*;
use crate::problem::Rule;
use serin_rollout::{Armed, InStep, Interrupted, Last, Leg, Outcome, Phase as Core, Rev, Split, Why};

const NOON: &str = "2026-11-21T12:00:00Z";
const LATER: &str = "2026-11-21T13:00:00Z";

fn status(phase: Core) -> Status {
    Status { phase, rollout: 2, proven: [true, false], armed: Armed::NONE, ..Status::first(Rev(1)) }
}

fn ended(outcome: Outcome, why: Option<Why>) -> Status {
    Status { last: Some(Last { rev: Rev(2), outcome, why }), ..status(Core::Idle) }
}

fn seen<'a>(status: Option<&'a Status>, configs: &'a BTreeMap<String, String>) -> Seen<'a> {
    Seen {
        generation: Some(7),
        kind: "Deployment",
        status,
        plan: None,
        waiting: None,
        gate: None,
        weight: 0,
        failed: 0,
        iterations: 0,
        applied: "good",
        promoted: "good",
        configs,
        refused: &[],
        suspended: false,
        deleting: false,
        text: "",
        metrics: Vec::new(),
    }
}

fn truth(status: &CanaryStatus, kind: &str) -> Option<(Truth, String)> {
    let condition = status.conditions.iter().find(|condition| condition.kind == kind)?;
    Some((condition.status, condition.reason.clone()))
}

/// Every row of the table in `phase.rs`.
fn table() -> Vec<(Status, Option<Moment>, Phase)> {
    let (step, attempt) = (0, 0);
    let settling = |leg| status(Core::Settling { leg, step, attempt });
    let back = |why| Core::Back { why, keep: false };
    let halted = |from| status(Core::Halted { from });
    vec![
        (Status::first(Rev(1)), None, Phase::Initializing),
        (Status { rollout: 0, ..status(Core::Idle) }, None, Phase::Initialized),
        (ended(Outcome::Succeeded, None), None, Phase::Succeeded),
        (ended(Outcome::Failed, Some(Why::Verdict)), None, Phase::Failed),
        (ended(Outcome::Aborted, Some(Why::Aborted)), None, Phase::Failed),
        (ended(Outcome::Aborted, Some(Why::Superseded)), None, Phase::Progressing),
        (ended(Outcome::Succeeded, None), Some(Moment::ConfirmRollout), Phase::Waiting),
        (status(Core::Step(InStep::begin(0, 0))), Some(Moment::ConfirmPromotion), Phase::WaitingPromotion),
        (status(Core::Step(InStep::begin(0, 0))), Some(Moment::ConfirmTrafficIncrease), Phase::Progressing),
        (status(Core::Step(InStep::begin(3, 0))), None, Phase::Progressing),
        (settling(Leg::Window), None, Phase::Promoting),
        (settling(Leg::Home), None, Phase::Promoting),
        (settling(Leg::Retire), None, Phase::Finalising),
        (status(back(Why::Superseded)), None, Phase::Progressing),
        (status(back(Why::Verdict)), None, Phase::Failed),
        (status(back(Why::Aborted)), None, Phase::Failed),
        (halted(Interrupted::Step { step, attempt }), None, Phase::Progressing),
        (halted(Interrupted::Back { why: Why::Verdict, keep: false }), None, Phase::Failed),
        (halted(Interrupted::Home { step, attempt }), None, Phase::Failed),
        (status(Core::Parked { split: Split::all(0, 1), step, attempt }), None, Phase::WaitingPromotion),
    ]
}

#[test]
fn every_row_of_the_table_is_so() {
    let configs = BTreeMap::new();
    for (status, gate, wanted) in table() {
        let seen = Seen { gate, ..seen(Some(&status), &configs) };
        assert_eq!(phase(&seen), wanted, "{:?} {gate:?}", status.phase);
        let deleting = Seen { deleting: true, ..seen };
        assert_eq!(phase(&deleting), Phase::Terminating);
    }
    assert_eq!(phase(&seen(None, &configs)), Phase::Initializing);
}

#[test]
fn every_status_is_one_that_others_can_read() {
    let configs = BTreeMap::new();
    for (status, gate, _) in table() {
        let out = status_of(Seen { gate, ..seen(Some(&status), &configs) }, None, NOON);
        assert!(out.conditions.iter().all(|c| !c.message.is_empty() && !c.reason.is_empty()), "{out:?}");
        let json = serde_json::to_value(&out).unwrap();
        assert!(json["canaryWeight"].is_u64() && json["failedChecks"].is_u64() && json["conditions"].is_array());
        assert_eq!(serde_json::from_value::<CanaryStatus>(json).unwrap(), out);
        // kstatus: ready, in progress or failed, and exactly one of them.
        let is = |kind| truth(&out, kind).is_some_and(|(truth, _)| truth == Truth::True);
        let ways = [is("Ready"), is("Reconciling"), is("Stalled")];
        assert_eq!(ways.into_iter().filter(|way| *way).count(), 1, "{:?}: {out:?}", status.phase);
    }
}

#[test]
fn a_copy_that_fails_is_failed_and_halted_and_serves() {
    let configs = BTreeMap::new();
    let halted = status(Core::Halted { from: Interrupted::Home { step: 1, attempt: 0 } });
    let waiting = Some(WaitingOn::Copy(0));
    let out = status_of(Seen { weight: 10_000, waiting, ..seen(Some(&halted), &configs) }, None, NOON);
    assert_eq!((out.phase, out.canary_weight), (Phase::Failed, 100));
    assert_eq!(truth(&out, "Halted"), Some((Truth::True, "StableNotReady".to_owned())));
    assert_eq!(truth(&out, "Promoted"), Some((Truth::False, "Failed".to_owned())));
    assert_eq!(truth(&out, "Stalled").map(|t| t.0), Some(Truth::True));
    let message = &out.conditions.iter().find(|c| c.kind == "Halted").unwrap().message;
    assert!(message.contains("its copy in the primary is not ready"), "{message}");
}

#[test]
fn a_new_spec_is_not_promoted_yet() {
    let configs = BTreeMap::new();
    let (idle, step) = (ended(Outcome::Succeeded, None), status(Core::Step(InStep::begin(0, 0))));
    let before = status_of(seen(Some(&idle), &configs), None, NOON);
    assert_eq!(truth(&before, "Promoted"), Some((Truth::True, "Succeeded".to_owned())));
    let after = status_of(Seen { generation: Some(8), ..seen(Some(&step), &configs) }, Some(&before), LATER);
    assert_eq!(truth(&after, "Promoted"), Some((Truth::Unknown, "Progressing".to_owned())));
    assert_eq!(after.observed_generation, Some(8));
}

#[test]
fn a_revision_that_was_just_seen_is_not_promoted() {
    let configs = BTreeMap::new();
    let idle = ended(Outcome::Succeeded, None);
    let out = status_of(Seen { applied: "new", ..seen(Some(&idle), &configs) }, None, NOON);
    assert_eq!(truth(&out, "Promoted"), Some((Truth::Unknown, "Progressing".to_owned())));
    let failed = ended(Outcome::Failed, Some(Why::Verdict));
    assert_eq!(phase(&Seen { applied: "bad", ..seen(Some(&failed), &configs) }), Phase::Failed, "that one failed");
}

#[test]
fn times_change_with_what_they_are_of() {
    let configs = BTreeMap::new();
    let step = status(Core::Step(InStep::begin(0, 0)));
    let first = status_of(seen(Some(&step), &configs), None, NOON);
    assert_eq!(first.last_transition_time, NOON);
    assert_eq!(status_of(seen(Some(&step), &configs), Some(&first), LATER), first, "nothing changed, nothing is new");
    let more = Seen { weight: 500, failed: 1, text: "success rate 69.17% < 99%", ..seen(Some(&step), &configs) };
    let second = status_of(more, Some(&first), LATER);
    assert_eq!((second.last_transition_time.as_str(), second.canary_weight), (NOON, 5));
    let progressing = second.conditions.iter().find(|c| c.kind == "Progressing").unwrap();
    assert_eq!(progressing.last_transition_time, NOON, "it is as true as before");
    assert_eq!(progressing.last_update_time, LATER, "but for another reason");
    let back = status(Core::Back { why: Why::Verdict, keep: false });
    let third = status_of(seen(Some(&back), &configs), Some(&second), LATER);
    assert_eq!(third.last_transition_time, LATER);
}

#[test]
fn a_refused_spec_says_so_and_what_runs_is_left() {
    let configs = BTreeMap::new();
    let idle = ended(Outcome::Succeeded, None);
    let refused = [
        Problem::error(Rule::Value, "spec.service.port", "0 is not a port", "write a number from 1 to 65535"),
        Problem::error(Rule::Missing, "spec.targetRef", "nothing says what is released", "write it"),
        Problem::warning(Rule::Unknown, "spec.x", "there is no field `x`", ""),
    ];
    let out = status_of(Seen { refused: &refused, ..seen(Some(&idle), &configs) }, None, NOON);
    assert_eq!(out.phase, Phase::Succeeded, "the release is what it was");
    assert_eq!(truth(&out, "Promoted"), Some((Truth::Unknown, "InvalidSpec".to_owned())));
    assert_eq!(truth(&out, "Ready").map(|t| t.0), Some(Truth::False));
    assert_eq!(truth(&out, "Stalled"), Some((Truth::True, "InvalidSpec".to_owned())));
    assert!(out.conditions[0].message.ends_with("write a number from 1 to 65535 (and 1 more)"), "{out:?}");
}

#[test]
fn a_long_message_is_cut() {
    let configs = BTreeMap::new();
    let text = "ü".repeat(5_000);
    let out = status_of(Seen { text: &text, ..seen(None, &configs) }, None, NOON);
    assert!(out.conditions.iter().all(|c| c.message.len() <= 1_024));
}

#[test]
fn every_phase_is_written_as_its_word() {
    for phase in Phase::ALL {
        assert_eq!(serde_json::to_value(phase).unwrap(), phase.word());
    }
}

#[test]
fn a_status_of_flagger_s_is_read() {
    let condition = serde_json::json!({
        "type": "Promoted", "status": "True", "reason": "Succeeded", "message": "done",
        "lastUpdateTime": NOON, "lastTransitionTime": null,
    });
    let object = serde_json::json!({"status": {
        "phase": "Succeeded", "failedChecks": 1, "canaryWeight": 0, "iterations": 0, "lastAppliedSpec": "5454669676",
        "sessionAffinityCookie": "x", "trackedConfigs": null, "lastTransitionTime": NOON, "conditions": [condition],
    }});
    let before = CanaryStatus::read(&object).expect("it can be read");
    assert_eq!((before.phase, before.last_applied_spec.as_str()), (Phase::Succeeded, "5454669676"));
    let configs = BTreeMap::new();
    let idle = ended(Outcome::Succeeded, None);
    let after = status_of(seen(Some(&idle), &configs), Some(&before), LATER);
    assert_eq!(after.last_transition_time, NOON, "the phase is the same");
    assert_eq!(CanaryStatus::read(&serde_json::json!({"status": {"phase": ""}})), None);
    assert_eq!(CanaryStatus::read(&serde_json::json!({})), None);
}
