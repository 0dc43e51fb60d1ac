//! What is checked: a pair of keys. Production's pair is [`Subject::SOUND`]; everything else is a mutant.
use serin_rollout::{Decision, Guards, Limits, Observation, Plan, Refusal, Status, Write, decide_with, permit_with};

/// The signature of the first key.
pub type Decide = fn(&Plan, &Status, &Observation) -> Decision;
/// The signature of the second key.
pub type Permit = fn(&Limits, &Observation, &Write) -> Result<(), Refusal>;

/// Something that decides and something that permits.
#[derive(Clone, Copy)]
pub struct Subject {
    /// How it is called in reports.
    pub name: &'static str,
    /// The first key.
    pub decide: Decide,
    /// The second key; `None` where every write goes out unasked.
    pub permit: Option<Permit>,
    /// Whether a view that is not fresh is never read for readiness, so that the world may forget what it said.
    pub reads_fresh: bool,
    /// Whether its statuses mean what ours mean, so that acceptance, shares and pins can be judged.
    pub ours: bool,
    /// Whether the first key must never ask for what the second one refuses on the same view.
    pub agrees: bool,
}

impl Subject {
    /// What runs in production.
    pub const SOUND: Subject = Subject {
        name: "sound",
        decide: serin_rollout::decide,
        permit: Some(serin_rollout::permit),
        reads_fresh: true,
        ours: true,
        agrees: true,
    };

    /// The shipped core with the guards `G`.
    pub fn with<G: Guards>(name: &'static str) -> Subject {
        Subject {
            name,
            decide: decide_with::<G>,
            permit: G::PERMIT.then_some(permit_with::<G> as Permit),
            reads_fresh: G::FRESH,
            ours: true,
            agrees: false,
        }
    }

    /// Another first key, alone.
    pub fn foreign(name: &'static str, decide: Decide) -> Subject {
        Subject { name, decide, permit: None, reads_fresh: false, ours: false, agrees: false }
    }

    /// Another first key, with the sound second one.
    pub fn twisted(name: &'static str, decide: Decide) -> Subject {
        Subject { name, decide, agrees: false, ..Subject::SOUND }
    }

    /// The same without its second key.
    pub fn alone(self) -> Subject {
        Subject { permit: None, agrees: false, ..self }
    }
}
