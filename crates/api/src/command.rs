//! What the controller can be told. Every command is compare-and-swap on the step that its giver saw.

use serde::{Deserialize, Serialize};

use crate::StepKey;

/// What a person or a program asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum Command {
    /// Go on to the next step; with `full` to the end. Failed analysis is not overruled.
    Promote {
        /// All steps.
        #[serde(default)]
        full: bool,
    },
    /// Give the rollout up and go back to the good revision; retires a parked canary.
    Abort {
        /// Why; kept in the history.
        #[serde(default)]
        reason: String,
    },
    /// Stop advancing. Judging goes on.
    Pause,
    /// Go on after a pause, a halt or a park.
    Resume,
    /// Open the gate of this step.
    Approve,
    /// Ask for another share within this step.
    Weight {
        /// Basis points, 0 to 10 000.
        bp: u16,
    },
    /// Go back to the revision before: at once while it is warm, else by starting it first.
    Rollback,
    /// Leave the canary live on purpose.
    Park {
        /// Why; `serin status` shows it.
        reason: String,
    },
}

impl Command {
    /// The verb on the command line.
    pub fn verb(&self) -> &'static str {
        match self {
            Command::Promote { .. } => "promote",
            Command::Abort { .. } => "abort",
            Command::Pause => "pause",
            Command::Resume => "resume",
            Command::Approve => "approve",
            Command::Weight { .. } => "weight",
            Command::Rollback => "rollback",
            Command::Park { .. } => "park",
        }
    }
}

/// A command, the step that it was given for, and who gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRequest {
    /// [`crate::StatusView::key`] as the giver saw it.
    pub key: StepKey,
    /// Who gave it.
    pub by: String,
    /// What is asked.
    #[serde(flatten)]
    pub command: Command,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub enum Answer {
    /// It holds.
    Done {
        /// What it leads to, in one sentence.
        message: String,
    },
    /// The step has passed meanwhile: nothing was done.
    Late {
        /// Where the service is now.
        now: StepKey,
        /// The same in one sentence.
        message: String,
    },
    /// It held already: nothing was done.
    Already {
        /// Since when or by whom, in one sentence.
        message: String,
    },
    /// It cannot be done.
    Refused {
        /// Why.
        why: String,
        /// What to do instead.
        instead: String,
    },
}

/// A spec that is to be released.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeployRequest {
    /// The resolved spec, as the binary's config module writes it.
    pub spec: serde_json::Value,
    /// Also while a canary is parked, or for a revision that failed before.
    #[serde(default)]
    pub force: bool,
    /// Hash of the file's own spec, without what the command line changed: the next start of the controller with the
    /// same file then asks for nothing new.
    #[serde(default)]
    pub file_hash: Option<String>,
    /// Who asks.
    pub by: String,
    /// How the command line changed the file, by key path; kept in the history.
    #[serde(default)]
    pub changes: Vec<String>,
}

/// What became of a spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub enum DeployAnswer {
    /// A rollout has begun.
    Started {
        /// Its number.
        rollout: u64,
        /// The revision's whole hash.
        revision: String,
        /// Its events have higher sequence numbers than this.
        after: u64,
    },
    /// This very revision is being released already.
    Underway {
        /// By this rollout.
        rollout: u64,
        /// The revision's whole hash.
        revision: String,
        /// Its events have higher sequence numbers than this.
        after: u64,
    },
    /// This revision runs already. Other settings, if they changed, are taken over.
    Unchanged {
        /// Its whole hash.
        revision: String,
        /// One sentence.
        message: String,
    },
    /// It cannot be released now.
    Refused {
        /// Why.
        why: String,
        /// What to do instead.
        instead: String,
    },
}
