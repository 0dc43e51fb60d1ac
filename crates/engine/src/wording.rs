//! The one event type as people read it, in the field's wording.
use serde::{Deserialize, Serialize};
use serin_rollout::{Bp, Event, Outcome, Why};

/// What the outbox holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// The service.
    pub service: String,
    /// What happened.
    pub fact: Fact,
    /// The same in one line.
    pub text: String,
}

/// Where a fact comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A decision of the core.
    Decided(Event),
    /// A round of the analysis failed, or its source could not be read.
    Judged {
        /// Rounds failed altogether.
        failed: u32,
        /// What was measured.
        text: String,
    },
}

/// What a sentence needs besides the event.
#[derive(Clone, Debug)]
pub struct About<'a> {
    /// The service.
    pub service: &'a str,
    /// Rounds of the analysis that failed so far.
    pub failed: u32,
    /// What the last round found.
    pub measured: &'a str,
    /// Why the new revision is not ready, as far as the platform can say.
    pub unready: Option<String>,
}

/// The event in one line.
pub fn text(event: &Event, about: &About<'_>) -> String {
    let name = about.service;
    match *event {
        Event::Serving(_) => format!("Initialization done! {name} serves"),
        Event::Replaced(_) => format!("Replacing the first revision of {name}, which never served"),
        Event::Started(_) => format!("New revision detected! Starting canary analysis for {name}"),
        Event::Reached(_, 0) => format!("Canary of {name} is ready, without traffic"),
        Event::Reached(_, share) => format!("Advance {name} canary weight {}", percent(share)),
        Event::Accepted(key) => format!("Step {} of {name} accepted", key.step + 1),
        Event::Overridden(_, share) => format!("Canary weight of {name} set to {} by a person", percent(share)),
        Event::Skipped(_, false) => format!("Step of {name} skipped by a person"),
        Event::Skipped(_, true) => format!("Analysis of {name} skipped by a person, promoting"),
        Event::Lost(_) => format!("Canary of {name} lost its readiness, the step begins anew"),
        Event::Promoted(_) => format!("Promotion completed! The new revision of {name} carries everything"),
        Event::WindowClosed => format!("Rollback window of {name} closed, retiring the old revision"),
        Event::Copying(_) => format!("Copying the new revision of {name} to where the service rests"),
        Event::Copied(_) => format!("Copy of {name} is healthy, routing all traffic to it"),
        Event::CopyFailed(_) => {
            format!("Halting {name}: the copy is not healthy in time{}, what serves is kept serving", because(about))
        }
        Event::GoingBack(why) => going_back(why, about),
        Event::Halted(_) => format!("Halting {name}: the stable revision cannot serve, what serves is kept serving"),
        Event::Recovered(_) => format!("Stable revision of {name} recovered"),
        Event::Adopted(_) => format!("The canary of {name}, which serves, takes the part of the stable revision"),
        Event::Parked(share) => format!("Canary of {name} parked with weight {}", percent(share)),
        Event::Resumed(_) => format!("Resuming the rollout of {name}"),
        Event::Ended(outcome, why) => ended(outcome, why, name),
    }
}

fn going_back(why: Why, about: &About<'_>) -> String {
    let name = about.service;
    match why {
        Why::Verdict if about.measured.is_empty() => format!("Rolling back {name} failed checks threshold reached"),
        Why::Verdict => {
            format!("Rolling back {name} failed checks threshold reached {}: {}", about.failed, about.measured)
        }
        Why::Deadline => format!("Rolling back {name} progress deadline exceeded{}", because(about)),
        Why::Unready => format!("Rolling back {name} the new revision is not ready any more{}", because(about)),
        Why::Aborted => format!("Rolling back {name} aborted by a person"),
        Why::Superseded => format!("Rolling back {name} superseded by another revision"),
        Why::RolledBack => format!("Rolling back {name} to the previous revision, asked for by a person"),
        Why::Drift => format!("Rolling back {name} its revision was changed from outside"),
    }
}

fn because(about: &About<'_>) -> String {
    about.unready.as_ref().map_or(String::new(), |why| format!(": {why}"))
}

fn ended(outcome: Outcome, why: Option<Why>, name: &str) -> String {
    match (outcome, why) {
        (Outcome::Succeeded, _) => format!("Rollout of {name} succeeded: the old revision is drained and stopped"),
        (Outcome::Failed, _) => {
            format!("Rollout of {name} failed: all traffic is on the old revision, the canary is drained and stopped")
        }
        (Outcome::Aborted, _) => {
            format!("Rollout of {name} given up: all traffic is on the old revision, the canary is drained and stopped")
        }
    }
}

/// Basis points as a person writes them: `5`, `2.5`, `0.01`.
pub(crate) fn percent(share: Bp) -> String {
    let (whole, part) = (share / 100, share % 100);
    if part == 0 { whole.to_string() } else { format!("{whole}.{part:02}").trim_end_matches('0').to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_says_what_was_not_ready() {
        let about = About { service: "shop", failed: 0, measured: "", unready: Some("command not found".into()) };
        let text = text(&Event::GoingBack(Why::Deadline), &about);
        assert_eq!(text, "Rolling back shop progress deadline exceeded: command not found");
    }

    #[test]
    fn shares_are_written_without_needless_digits() {
        assert_eq!(percent(500), "5");
        assert_eq!(percent(250), "2.5");
        assert_eq!(percent(1), "0.01");
        assert_eq!(percent(10_000), "100");
    }
}
