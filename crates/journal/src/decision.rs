//! The controller's decisions: each with everything that it was made on, so that it can be made again.
use serde::{Deserialize, Serialize};
use serin_rollout::{Event, Observation, Plan, Refusal, Status, WaitingOn, Write};

/// What a line of the decision log says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Decided {
    /// A controller began; its epoch is the line's `run`.
    Began {
        /// The service.
        service: String,
    },
    /// A plan in full, before the first decision by it in a file.
    Plan {
        /// By which decisions name it.
        hash: String,
        /// The plan.
        plan: Box<Plan>,
    },
    /// A decision. A save, and a write that is permitted, are written down before they are tried; what came of them is
    /// the next line.
    Decision(Box<Decision>),
    /// What came of the save or the write that the line before decided.
    Came(Came),
    /// The platform could not be observed, so nothing was decided.
    Blind {
        /// Why, in a sentence.
        why: String,
    },
}

/// One decision.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The plan's hash.
    pub plan: String,
    /// The saved status.
    pub status: Status,
    /// What the first key saw.
    pub seen: Observation,
    /// What it chose.
    pub choice: Choice,
    /// For a write: what the second key saw, directly before it was to be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh: Option<Observation>,
    /// For a write: what the second key said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<Permit>,
}

/// Exactly one of three, as [`serin_rollout::Decision`] says it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Choice {
    /// Save this status with these events.
    Save {
        /// The status.
        status: Status,
        /// The events.
        events: Vec<Event>,
    },
    /// Ask for this write.
    Ask(Write),
    /// Wait for this.
    Wait(WaitingOn),
}

impl From<&serin_rollout::Decision> for Choice {
    fn from(decision: &serin_rollout::Decision) -> Choice {
        match decision {
            serin_rollout::Decision::Save(status, events) => Choice::Save { status: *status, events: events.clone() },
            serin_rollout::Decision::Ask(write) => Choice::Ask(*write),
            serin_rollout::Decision::Wait(on) => Choice::Wait(*on),
        }
    }
}

/// What the second key said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permit {
    /// The write may be sent.
    Allowed,
    /// It would break this rule.
    Refused(Refusal),
}

impl From<Result<(), Refusal>> for Permit {
    fn from(answer: Result<(), Refusal>) -> Permit {
        match answer {
            Ok(()) => Permit::Allowed,
            Err(refusal) => Permit::Refused(refusal),
        }
    }
}

/// What came of a save or a write.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Came {
    /// It was done.
    Done,
    /// Somebody else changed the object first; in the platform's words.
    Conflict(String),
    /// It failed, and may have taken effect nevertheless; in the platform's words.
    Failed(String),
}

/// Names a plan by what it says: FNV-1a over its JSON, in hexadecimal.
pub fn hash(plan: &Plan) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let text = serde_json::to_vec(plan).unwrap_or_default();
    let sum = text.iter().fold(OFFSET, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(PRIME));
    format!("{sum:016x}")
}
