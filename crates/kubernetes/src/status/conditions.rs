//! The conditions of a canary: one fact each, with a reason for programs and a message for people.
//!
//! | condition | True | False | Unknown |
//! |---|---|---|---|
//! | `Promoted` | the wanted revision serves | it does not, and that is over | a release is on its way |
//! | `Progressing` | a release is on its way | none is | |
//! | `Halted` | what serves is kept serving, and nothing advances | | |
//! | `Ready` | at rest, with what is wanted | a release is on its way, failed, or was refused | |
//! | `Reconciling` | as `Progressing`; only there while True, as `kstatus` wants it | | |
//! | `Stalled` | failed, halted or refused: it does not go on without somebody; only there while True | | |
//!
//! Reasons: Flagger's phase, or one of `InvalidSpec`, `Suspended`, `StableNotReady`, `Parked`, `Paused`,
//! `WaitingForApproval`.
use super::{CanaryStatus, Phase, Seen};
use crate::problem::Problem;
use crate::wanted::Moment;
use serde::{Deserialize, Serialize};
use serin_rollout::{Phase as Core, WaitingOn};

/// The longest message that is written; Kubernetes takes 32 768 bytes.
const LONGEST: usize = 1_024;

/// Whether something holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody can say yet.
    #[default]
    Unknown,
}

/// One fact about a canary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// Which one.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it holds.
    pub status: Truth,
    /// Why, in one word for programs.
    pub reason: String,
    /// Why, in a sentence for people; never empty.
    pub message: String,
    /// When anything of it changed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_update_time: String,
    /// When its status changed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_transition_time: String,
}

/// All conditions of what was seen.
pub(super) fn conditions(seen: &Seen<'_>, phase: Phase, before: Option<&CanaryStatus>, now: &str) -> Vec<Condition> {
    let halted = seen.status.is_some_and(|status| matches!(status.phase, Core::Halted { .. }));
    let refused = seen.refused.iter().any(Problem::is_error);
    let settled = matches!(phase, Phase::Initialized | Phase::Succeeded);
    let failed = matches!(phase, Phase::Failed | Phase::Terminated);
    let moving = !settled && !failed;
    let (reason, message) = why(seen, phase, halted);
    let (cause, said) = (reason.as_str(), message.as_str());
    let when = |truth: bool| if truth { Truth::True } else { Truth::False };
    let promoted = if settled && !refused {
        Truth::True
    } else if failed {
        Truth::False
    } else {
        Truth::Unknown
    };
    // What `Promoted` says in one word is Flagger's phase, unless the spec was refused: scripts compare it.
    let word = if refused { cause } else { phase.word() };
    let halt = if halted { "StableNotReady" } else { "NotHalted" };
    let still = if halted { said } else { "Nothing is halted" };
    let mut all = vec![
        ("Promoted", promoted, word, said),
        ("Progressing", when(moving), cause, said),
        ("Halted", when(halted), halt, still),
        ("Ready", when(settled && !refused), cause, said),
    ];
    if moving && !refused && !halted && !seen.suspended {
        all.push(("Reconciling", Truth::True, cause, said));
    }
    if failed || halted || refused {
        all.push(("Stalled", Truth::True, cause, said));
    }
    all.into_iter().map(|condition| dated(condition, before, now)).collect()
}

/// The condition with its times: what did not change keeps them.
fn dated(
    (kind, status, reason, message): (&str, Truth, &str, &str),
    before: Option<&CanaryStatus>,
    now: &str,
) -> Condition {
    let old = before.and_then(|before| before.conditions.iter().find(|condition| condition.kind == kind));
    let since = |old: Option<&String>| old.filter(|time| !time.is_empty()).cloned().unwrap_or_else(|| now.to_owned());
    let same = old.filter(|old| old.status == status && old.reason == reason && old.message == message);
    Condition {
        kind: kind.to_owned(),
        status,
        reason: reason.to_owned(),
        message: message.to_owned(),
        last_update_time: since(same.map(|old| &old.last_update_time)),
        last_transition_time: since(old.filter(|old| old.status == status).map(|old| &old.last_transition_time)),
    }
}

/// Why it is as it is: what is most urgent to know comes first.
fn why(seen: &Seen<'_>, phase: Phase, halted: bool) -> (String, String) {
    let text = |reason: &str, message: &str| {
        let message = if seen.text.is_empty() { message.to_owned() } else { format!("{message}: {}", seen.text) };
        (reason.to_owned(), shortened(&message))
    };
    if let Some(problem) = seen.refused.iter().find(|problem| problem.is_error()) {
        let more = seen.refused.iter().filter(|problem| problem.is_error()).count() - 1;
        let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
        let message = format!("The spec is refused, and what runs is left as it is: {problem}{more}");
        return ("InvalidSpec".to_owned(), shortened(&message));
    }
    if seen.suspended {
        return text("Suspended", "Nothing is done while `suspend` is true");
    }
    if halted {
        let copy = matches!(seen.waiting, Some(WaitingOn::Copy(_)));
        let message = if copy {
            "The new revision serves, but its copy in the primary is not ready; everything that serves goes on serving"
        } else {
            "The stable revision cannot serve; everything that serves goes on serving"
        };
        return text("StableNotReady", message);
    }
    match (seen.waiting, seen.gate) {
        (Some(WaitingOn::Paused), _) => return text("Paused", "A person paused the release"),
        (Some(WaitingOn::Parked), _) => return text("Parked", "A person left the canary live"),
        (_, Some(gate @ (Moment::ConfirmRollout | Moment::ConfirmTrafficIncrease | Moment::ConfirmPromotion))) => {
            return text("WaitingForApproval", &format!("Waiting for approval by {}", gate.word()));
        }
        (_, _) => {}
    }
    let kind = seen.kind;
    let message = match phase {
        Phase::Initializing => format!("New {kind}, its primary is being made ready"),
        Phase::Initialized => format!("The primary of the {kind} serves"),
        Phase::Waiting | Phase::WaitingPromotion => "Waiting for approval".to_owned(),
        Phase::Progressing => "A new revision is being analysed".to_owned(),
        Phase::Promoting => "The new revision passed, and is copied to the primary".to_owned(),
        Phase::Finalising => format!("The primary serves the new revision; the canary {kind} is drained and stopped"),
        Phase::Succeeded => "The new revision passed and was promoted".to_owned(),
        Phase::Failed => "The new revision failed; the revision before it serves".to_owned(),
        Phase::Terminating | Phase::Terminated => "The canary is being deleted".to_owned(),
    };
    text(phase.word(), &message)
}

/// At most so many bytes, cut between two characters.
fn shortened(message: &str) -> String {
    let end = (0..=LONGEST.min(message.len())).rev().find(|at| message.is_char_boundary(*at));
    message[..end.unwrap_or(0)].to_owned()
}
