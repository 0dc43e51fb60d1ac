//! What webhooks are sent: Flagger's payload, and ours under one key beside it.
//!
//! Receivers of Flagger's (its load tester, its gates, people's own) read `name`, `namespace`, `phase`, `checksum` and
//! `metadata`, and pass over what they do not know. `serin` says what those could never tell: which attempt it is, at which
//! weight, of which revision. The source of the form is Flagger's documentation of webhooks.
use crate::status::Phase;
use crate::wanted::{Hook, Moment};
use serde::{Deserialize, Serialize};
use serin_rollout::Bp;
use std::collections::BTreeMap;

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The canary's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Where the release stands; see [`phase_for`].
    pub phase: Phase,
    /// What names this revision together with its configuration: the whole SHA-256 in hexadecimal, where Flagger has 32
    /// bits. Receivers compare it, and do not look into it.
    pub checksum: String,
    /// The webhook's own metadata; of an event also what happened.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// What Flagger's payload has no place for.
    pub serin: Attempt,
}

/// Which attempt it is about. The same values mean the same attempt, so that a receiver can tell a repetition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The number of the rollout.
    pub rollout: u32,
    /// The index of the step; absent outside of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u16>,
    /// The how-manieth attempt at it, from 0.
    pub attempt: u16,
    /// The canary's share, in basis points.
    pub weight: Bp,
    /// The revision's full hash.
    pub revision: String,
}

/// How important an event is; Kubernetes' own two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventType {
    /// Things go as planned.
    Normal,
    /// Somebody may want to look.
    Warning,
}

impl EventType {
    /// The word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// The phase that a webhook is told: Flagger says `Progressing` to those that it calls while a release runs, whatever the
/// status says, and the status's own phase to all others.
#[must_use]
pub const fn phase_for(moment: Moment, status: Phase) -> Phase {
    match moment {
        Moment::PreRollout | Moment::Rollout | Moment::ConfirmTrafficIncrease | Moment::ConfirmPromotion => {
            Phase::Progressing
        }
        Moment::ConfirmRollout | Moment::PostRollout | Moment::Rollback | Moment::Event => status,
    }
}

/// The payload of a hook that is asked or told something by its type alone.
#[must_use]
pub fn of_hook(hook: &Hook, canary: (&str, &str), status: Phase, checksum: &str, attempt: Attempt) -> Payload {
    Payload {
        name: canary.0.to_owned(),
        namespace: canary.1.to_owned(),
        phase: phase_for(hook.moment, status),
        checksum: checksum.to_owned(),
        metadata: hook.metadata.clone(),
        serin: attempt,
    }
}

/// The payload of an event, `at_ms` milliseconds after the Unix epoch. A hook's own metadata never replaces what happened.
#[must_use]
pub fn of_event(payload: Payload, message: &str, kind: EventType, at_ms: u64) -> Payload {
    let mut metadata = payload.metadata;
    metadata.insert("eventMessage".to_owned(), message.to_owned());
    metadata.insert("eventType".to_owned(), kind.word().to_owned());
    metadata.insert("timestamp".to_owned(), at_ms.to_string());
    Payload { metadata, ..payload }
}

/// Whether an answer agrees: 200 to 202. Flagger takes no other 2xx, so gates rely on 204 and the like holding.
#[must_use]
pub const fn agrees(status: u16) -> bool {
    200 <= status && status <= 202
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(moment: Moment) -> Hook {
        let metadata = [("cmd", "hey"), ("eventType", "mine")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        Hook {
            moment,
            name: "load".to_owned(),
            url: "http://tester/".to_owned(),
            timeout_ms: 1,
            retries: 0,
            mute_alert: false,
            insecure: false,
            metadata,
        }
    }

    fn payload(moment: Moment) -> Payload {
        let attempt = Attempt { rollout: 3, step: Some(1), attempt: 0, weight: 500, revision: "ab12".to_owned() };
        of_hook(&hook(moment), ("podinfo", "prod"), Phase::Failed, "ab12", attempt)
    }

    #[test]
    fn a_receiver_of_flagger_s_finds_what_it_reads() {
        let text = serde_json::to_string(&payload(Moment::Rollout)).unwrap();
        assert_eq!(
            text,
            r#"{"name":"podinfo","namespace":"prod","phase":"Progressing","checksum":"ab12","metadata":{"cmd":"hey","eventType":"mine"},"serin":{"rollout":3,"step":1,"attempt":0,"weight":500,"revision":"ab12"}}"#
        );
        assert_eq!(serde_json::from_str::<Payload>(&text).unwrap(), payload(Moment::Rollout));
    }

    #[test]
    fn an_event_says_what_happened_whatever_the_hook_says() {
        let told =
            of_event(payload(Moment::Event), "Advance podinfo.prod canary weight 5", EventType::Warning, 1_700_000);
        assert_eq!(told.phase, Phase::Failed);
        assert_eq!(told.metadata["eventMessage"], "Advance podinfo.prod canary weight 5");
        assert_eq!(told.metadata["eventType"], "Warning");
        assert_eq!(told.metadata["timestamp"], "1700000");
        assert_eq!(told.metadata["cmd"], "hey");
    }

    #[test]
    fn only_the_first_three_good_statuses_agree() {
        let good: Vec<u16> = (100..600).filter(|status| agrees(*status)).collect();
        assert_eq!(good, [200, 201, 202]);
    }

    #[test]
    fn nothing_is_sent_where_there_is_no_metadata() {
        let bare = Payload { metadata: BTreeMap::new(), ..payload(Moment::Rollout) };
        assert!(!serde_json::to_string(&bare).unwrap().contains("metadata"));
    }
}
