//! What happened, as Flagger's log tells it: one line per fact, or two where Flagger has two. People's alerts and eyes are
//! trained on these words, so they are the same; where Flagger has no line there is one of ours in its manner.
use crate::payload::EventType;
use crate::promql::BuiltIn;
use crate::wanted::{Finding, Moment, Question, Source};
use serin_rollout::{Bp, Event, FULL, Outcome, Why};

/// What a line needs besides the fact.
#[derive(Clone, Debug)]
pub struct About<'a> {
    /// The canary's name.
    pub canary: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// The workload's name.
    pub target: &'a str,
    /// Failed rounds so far.
    pub failed: u32,
    /// Whether the release was not judged.
    pub skipped: bool,
    /// Why something is not ready, as far as the platform can say.
    pub unready: Option<&'a str>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Told<'a> {
    /// A decision of the core.
    Decided(Event),
    /// A metric was measured; a good value is not told.
    Measured(&'a Question, Finding),
    /// A metric could not be asked for, and why.
    Unanswered(&'a Question, &'a str),
    /// A webhook answered, and with what where it was no good answer.
    Answered(Moment, &'a str, Result<(), &'a str>),
    /// A canary without traffic was looked at so many times, of so many.
    Looked(u32, u32),
    /// The primary has this share on the way home.
    Returned(Bp),
    /// The object is being deleted.
    Deleted,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How important it is.
    pub kind: EventType,
    /// The words.
    pub text: String,
}

/// The lines of a fact; none where Flagger would say nothing either.
#[must_use]
pub fn lines(told: &Told<'_>, about: &About<'_>) -> Vec<Line> {
    let normal = |text: String| vec![Line { kind: EventType::Normal, text }];
    let warning = |text: String| vec![Line { kind: EventType::Warning, text }];
    let canary = format!("{}.{}", about.canary, about.namespace);
    match told {
        Told::Decided(event) => decided(*event, about),
        Told::Measured(question, finding) => measured(question, *finding, about).map(warning).unwrap_or_default(),
        Told::Unanswered(question, why) => {
            let what = match question.source {
                Source::BuiltIn(..) => "Prometheus query failed".to_owned(),
                Source::Inline(_) => format!("Prometheus query failed for {}", question.name),
                Source::Template(..) => format!("Metric query failed for {}", question.name),
            };
            warning(format!("{what}: {why}"))
        }
        Told::Answered(moment, name, answer) => answered(*moment, name, *answer, &canary),
        Told::Looked(n, of) => normal(format!("Advance {canary} canary iteration {n}/{of}")),
        Told::Returned(share) => normal(format!("Advance {canary} primary weight {}", percent(*share))),
        Told::Deleted => normal(format!("Terminating canary {canary}")),
    }
}

fn decided(event: Event, about: &About<'_>) -> Vec<Line> {
    use EventType::{Normal, Warning};
    let canary = format!("{}.{}", about.canary, about.namespace);
    let target = format!("{}.{}", about.target, about.namespace);
    let primary = format!("{}-primary.{}", about.target, about.namespace);
    let (kind, text) = match event {
        Event::Serving(_) => (Normal, format!("Initialization done! {canary}")),
        Event::Replaced(_) => (Normal, format!("New revision detected! Restarting initialization for {target}")),
        Event::Started(_) => (Normal, format!("New revision detected! Scaling up {target}")),
        Event::Reached(key, share) => return reached(key.step == 0, share, about),
        Event::Accepted(_) => return Vec::new(),
        Event::Overridden(_, share) => {
            (Normal, format!("Canary weight of {canary} set to {} by a person", percent(share)))
        }
        Event::Skipped(_, false) => (Normal, format!("Step of {canary} skipped by a person")),
        Event::Skipped(_, true) => (Normal, format!("Analysis of {canary} skipped by a person")),
        Event::Lost(_) => (Warning, format!("Halt {canary} advancement canary not ready{}", because(about))),
        Event::Promoted(_) => (Normal, format!("Canary analysis completed! Promoting {canary}")),
        Event::WindowClosed => (Normal, format!("Rollback window of {canary} closed")),
        Event::Copying(_) => (Normal, format!("Copying {target} template spec to {primary}")),
        Event::Copied(_) => (Normal, "Routing all traffic to primary".to_owned()),
        Event::CopyFailed(_) => (Warning, format!("Promotion of {target} failed, primary not ready{}", because(about))),
        Event::GoingBack(why) => return going_back(why, about),
        Event::Halted(_) => (Warning, format!("Halt {canary} advancement primary not ready{}", because(about))),
        Event::Recovered(_) => (Normal, format!("Primary of {canary} is ready again")),
        Event::Adopted(_) => (Normal, format!("The side of {canary} that serves takes the part of the primary")),
        Event::Parked(share) => (Normal, format!("Canary {canary} parked with weight {}", percent(share))),
        Event::Resumed(_) => (Normal, format!("Resuming canary analysis for {target}")),
        Event::Ended(Outcome::Succeeded, _) if about.skipped => {
            (Normal, format!("Promotion completed! Canary analysis was skipped for {target}"))
        }
        Event::Ended(Outcome::Succeeded, _) => (Normal, format!("Promotion completed! Scaling down {target}")),
        Event::Ended(Outcome::Aborted, Some(Why::Superseded)) => return Vec::new(), // told as the next one starts
        Event::Ended(Outcome::Failed | Outcome::Aborted, _) => {
            (Warning, format!("Canary failed! Scaling down {canary}"))
        }
    };
    vec![Line { kind, text }]
}

/// The canary is whole, and has its share. Flagger tells the two apart.
fn reached(first: bool, share: Bp, about: &About<'_>) -> Vec<Line> {
    let canary = format!("{}.{}", about.canary, about.namespace);
    let mut lines = Vec::new();
    let mut say = |text: String| lines.push(Line { kind: EventType::Normal, text });
    if first && !about.skipped {
        say(format!("Starting canary analysis for {}.{}", about.target, about.namespace));
    }
    match share {
        0 => {}
        FULL => say("Routing all traffic to canary".to_owned()),
        share => say(format!("Advance {canary} canary weight {}", percent(share))),
    }
    lines
}

fn going_back(why: Why, about: &About<'_>) -> Vec<Line> {
    let canary = format!("{}.{}", about.canary, about.namespace);
    let (kind, text) = match why {
        Why::Verdict => {
            (EventType::Warning, format!("Rolling back {canary} failed checks threshold reached {}", about.failed))
        }
        Why::Deadline => {
            (EventType::Warning, format!("Rolling back {canary} progress deadline exceeded{}", because(about)))
        }
        Why::Unready => (EventType::Warning, format!("Rolling back {canary} canary not ready{}", because(about))),
        Why::Aborted => (EventType::Warning, format!("Rolling back {canary} aborted by a person")),
        Why::Superseded => {
            let text = format!("New revision detected! Restarting analysis for {}.{}", about.target, about.namespace);
            (EventType::Normal, text)
        }
        Why::RolledBack => (EventType::Warning, format!("Rolling back {canary} asked for by a person")),
        Why::Drift => (EventType::Warning, format!("Rolling back {canary} changed from outside")),
    };
    vec![Line { kind, text }]
}

fn because(about: &About<'_>) -> String {
    about.unready.map_or(String::new(), |why| format!(": {why}"))
}

/// What is told of a measurement that is not good.
#[must_use]
pub fn measured(question: &Question, finding: Finding, about: &About<'_>) -> Option<String> {
    let canary = format!("{}.{}", about.canary, about.namespace);
    let (value, sign, limit) = match finding {
        Finding::Held(_) => return None,
        Finding::Below(value, limit) => (value, "<", limit),
        Finding::Above(value, limit) => (value, ">", limit),
        Finding::NoValue => return Some(no_value(question, about)),
    };
    Some(match question.source {
        Source::BuiltIn(BuiltIn::SuccessRate, _) => {
            format!("Halt {canary} advancement success rate {}% {sign} {limit}%", apart(value, limit))
        }
        Source::BuiltIn(BuiltIn::Duration(_), _) => {
            let (value, limit) = (value / 1_000.0, limit / 1_000.0);
            format!("Halt {canary} advancement request duration {}s {sign} {limit}s", apart(value, limit))
        }
        Source::Inline(_) | Source::Template(..) => {
            format!("Halt {canary} advancement {} {} {sign} {limit}", question.name, apart(value, limit))
        }
    })
}

/// A value with two decimals, or with as many as it takes not to read like its limit.
fn apart(value: f64, limit: f64) -> String {
    for decimals in 2..=9 {
        let text = format!("{value:.decimals$}");
        if text
            .parse::<f64>()
            .is_ok_and(|shown| (shown < limit) == (value < limit) && (shown > limit) == (value > limit))
        {
            return text;
        }
    }
    value.to_string()
}

fn no_value(question: &Question, about: &About<'_>) -> String {
    match question.source {
        Source::BuiltIn(..) => format!(
            "Halt advancement no values found for metric {} probably {}.{} is not receiving traffic",
            question.name, about.target, about.namespace
        ),
        Source::Inline(_) => format!("Halt advancement no values found for metric: {}", question.name),
        Source::Template(..) => format!("Halt advancement no values found for custom metric: {}", question.name),
    }
}

fn answered(moment: Moment, name: &str, answer: Result<(), &str>, canary: &str) -> Vec<Line> {
    let (kind, text) = match (moment, answer) {
        (Moment::Rollout | Moment::Event, Ok(())) => return Vec::new(),
        (Moment::ConfirmRollout, Ok(())) => (EventType::Normal, format!("Confirm-rollout check {name} passed")),
        (Moment::PreRollout, Ok(())) => (EventType::Normal, format!("Pre-rollout check {name} passed")),
        (Moment::ConfirmTrafficIncrease, Ok(())) => {
            (EventType::Normal, format!("Confirm-traffic-increase check {name} passed"))
        }
        (Moment::ConfirmPromotion, Ok(())) => (EventType::Normal, format!("Confirm-promotion check {name} passed")),
        (Moment::PostRollout, Ok(())) => (EventType::Normal, format!("Post-rollout check {name} passed")),
        (Moment::Rollback, Ok(())) => (EventType::Warning, format!("Rollback check {name} passed")),
        (Moment::ConfirmRollout, Err(_)) => {
            (EventType::Warning, format!("Halt {canary} advancement waiting for approval {name}"))
        }
        (Moment::PreRollout, Err(why)) => {
            (EventType::Warning, format!("Halt {canary} advancement pre-rollout check {name} failed {why}"))
        }
        (Moment::Rollout, Err(why)) => {
            (EventType::Warning, format!("Halt {canary} advancement external check {name} failed {why}"))
        }
        (Moment::ConfirmTrafficIncrease, Err(_)) => {
            (EventType::Warning, format!("Halt {canary} advancement waiting for traffic increase approval {name}"))
        }
        (Moment::ConfirmPromotion, Err(_)) => {
            (EventType::Warning, format!("Halt {canary} advancement waiting for promotion approval {name}"))
        }
        (Moment::PostRollout, Err(why)) => (EventType::Warning, format!("Post-rollout hook {name} failed {why}")),
        (Moment::Rollback, Err(_)) => (EventType::Normal, format!("Rollback hook {name} not signaling a rollback")),
        (Moment::Event, Err(why)) => (EventType::Warning, format!("Event hook {name} failed {why}")),
    };
    vec![Line { kind, text }]
}

/// Basis points in per cent: `5`, `2.5`.
fn percent(share: Bp) -> String {
    (f64::from(share) / 100.0).to_string()
}

#[cfg(test)]
mod tests;
