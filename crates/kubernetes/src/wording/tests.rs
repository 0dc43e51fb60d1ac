//! The words, as Flagger's documentation prints them.
use super::*;
use crate::wanted::Limits;
use serin_analysis::Latency;
use serin_rollout::{Rev, StepKey};

fn about() -> About<'static> {
    About { canary: "podinfo", namespace: "prod", target: "podinfo", failed: 5, skipped: false, unready: None }
}

fn said(told: &Told<'_>) -> Vec<String> {
    lines(told, &about()).into_iter().map(|line| line.text).collect()
}

fn question(name: &str, source: Source) -> Question {
    Question {
        path: String::new(),
        name: name.to_owned(),
        source,
        query: [None, None],
        interval_ms: 60_000,
        limits: Limits::default(),
        counted: None,
    }
}

#[test]
fn a_release_is_told_in_flagger_s_words() {
    let key = |step| StepKey { rollout: 1, step, attempt: 0 };
    let rev = Rev(2);
    let told = [
        Event::Serving(rev),
        Event::Started(rev),
        Event::Reached(key(0), 500),
        Event::Accepted(key(0)),
        Event::Reached(key(1), 1_050),
        Event::Reached(key(2), FULL),
        Event::Copying(rev),
        Event::Copied(rev),
        Event::Ended(Outcome::Succeeded, None),
    ];
    let said: Vec<String> = told.into_iter().flat_map(|event| said(&Told::Decided(event))).collect();
    assert_eq!(
        said,
        [
            "Initialization done! podinfo.prod",
            "New revision detected! Scaling up podinfo.prod",
            "Starting canary analysis for podinfo.prod",
            "Advance podinfo.prod canary weight 5",
            "Advance podinfo.prod canary weight 10.5",
            "Routing all traffic to canary",
            "Copying podinfo.prod template spec to podinfo-primary.prod",
            "Routing all traffic to primary",
            "Promotion completed! Scaling down podinfo.prod",
        ]
    );
}

#[test]
fn a_failure_is_told_in_flagger_s_words() {
    let told = |event| lines(&Told::Decided(event), &about());
    let back = told(Event::GoingBack(Why::Verdict));
    assert_eq!(back[0].text, "Rolling back podinfo.prod failed checks threshold reached 5");
    assert_eq!(back[0].kind, EventType::Warning);
    assert_eq!(told(Event::Ended(Outcome::Failed, None))[0].text, "Canary failed! Scaling down podinfo.prod");
    let superseded = told(Event::GoingBack(Why::Superseded));
    assert_eq!(superseded[0].text, "New revision detected! Restarting analysis for podinfo.prod");
    let about = About { unready: Some("0 of 2 are available"), skipped: true, ..about() };
    let copy = lines(&Told::Decided(Event::CopyFailed(Rev(1))), &about);
    assert_eq!(copy[0].text, "Promotion of podinfo.prod failed, primary not ready: 0 of 2 are available");
    let end = lines(&Told::Decided(Event::Ended(Outcome::Succeeded, None)), &about);
    assert_eq!(end[0].text, "Promotion completed! Canary analysis was skipped for podinfo.prod");
}

#[test]
fn a_measurement_is_told_with_its_limit() {
    let rate = question("request-success-rate", Source::BuiltIn(BuiltIn::SuccessRate, None));
    let duration = question("request-duration", Source::BuiltIn(BuiltIn::Duration(Latency::P99), None));
    let own = question("404s percentage", Source::Inline(None));
    for (question, finding, text) in [
        (&rate, Finding::Below(69.172, 99.0), "Halt podinfo.prod advancement success rate 69.17% < 99%"),
        (&rate, Finding::Below(98.999, 99.0), "Halt podinfo.prod advancement success rate 98.999% < 99%"),
        (&duration, Finding::Above(1_200.0, 500.0), "Halt podinfo.prod advancement request duration 1.20s > 0.5s"),
        (&own, Finding::Above(6.45, 5.0), "Halt podinfo.prod advancement 404s percentage 6.45 > 5"),
        (
            &rate,
            Finding::NoValue,
            "Halt advancement no values found for metric request-success-rate probably podinfo.prod is not receiving traffic",
        ),
    ] {
        assert_eq!(said(&Told::Measured(question, finding)), [text]);
    }
    assert!(said(&Told::Measured(&rate, Finding::Held(100.0))).is_empty());
    assert_eq!(said(&Told::Unanswered(&rate, "timeout")), ["Prometheus query failed: timeout"]);
    assert_eq!(said(&Told::Unanswered(&own, "timeout")), ["Prometheus query failed for 404s percentage: timeout"]);
}

#[test]
fn webhooks_are_told_by_their_names() {
    let said = |moment, answer| said(&Told::Answered(moment, "gate", answer));
    assert_eq!(said(Moment::ConfirmRollout, Ok(())), ["Confirm-rollout check gate passed"]);
    assert_eq!(said(Moment::ConfirmRollout, Err("no")), ["Halt podinfo.prod advancement waiting for approval gate"]);
    assert_eq!(said(Moment::Rollout, Err("no")), ["Halt podinfo.prod advancement external check gate failed no"]);
    assert!(said(Moment::Rollout, Ok(())).is_empty());
    for moment in Moment::ALL {
        assert!(!said(moment, Err("no")).is_empty(), "{moment:?}");
    }
}

#[test]
fn a_look_and_a_return_are_told() {
    assert_eq!(said(&Told::Looked(2, 10)), ["Advance podinfo.prod canary iteration 2/10"]);
    assert_eq!(said(&Told::Returned(2_000)), ["Advance podinfo.prod primary weight 20"]);
    assert_eq!(said(&Told::Deleted), ["Terminating canary podinfo.prod"]);
}
