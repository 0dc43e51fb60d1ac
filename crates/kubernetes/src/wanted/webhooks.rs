//! Who is asked and told over HTTP, and at which moments.
use super::{View, Way};
use crate::decode::cut;
use crate::duration;
use crate::problem::{Found, Problem, Rule};
use std::collections::BTreeMap;

/// How long a webhook may take where nothing is written.
const TIMEOUT_MS: u64 = 10_000;
/// The most retries that are taken.
const MOST_RETRIES: i64 = 100;

/// When a webhook is called, and what its answer means. A good answer is one of the statuses 200 to 202, as with Flagger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// Before the canary is scaled up; asked until it agrees.
    ConfirmRollout,
    /// Once the canary is ready, before it gets traffic; anything but a good answer is a failed check.
    PreRollout,
    /// In every round, before the metrics; anything but a good answer is a failed check.
    Rollout,
    /// Before each rise of the weight, and before everything goes over; asked until it agrees.
    ConfirmTrafficIncrease,
    /// Before the revision is promoted; asked until it agrees. The analysis goes on meanwhile.
    ConfirmPromotion,
    /// After the release succeeded or failed; the answer is logged.
    PostRollout,
    /// In every round; a good answer rolls back.
    Rollback,
    /// At every event; the answer is logged.
    Event,
}

impl Moment {
    /// All of them.
    pub const ALL: [Moment; 8] = [
        Moment::ConfirmRollout,
        Moment::PreRollout,
        Moment::Rollout,
        Moment::ConfirmTrafficIncrease,
        Moment::ConfirmPromotion,
        Moment::PostRollout,
        Moment::Rollback,
        Moment::Event,
    ];

    /// Flagger's word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ConfirmRollout => "confirm-rollout",
            Self::PreRollout => "pre-rollout",
            Self::Rollout => "rollout",
            Self::ConfirmTrafficIncrease => "confirm-traffic-increase",
            Self::ConfirmPromotion => "confirm-promotion",
            Self::PostRollout => "post-rollout",
            Self::Rollback => "rollback",
            Self::Event => "event",
        }
    }
}

/// Somebody who is asked or told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// When.
    pub moment: Moment,
    /// What it is called.
    pub name: String,
    /// Where the request goes.
    pub url: String,
    /// How long one try may take, in milliseconds.
    pub timeout_ms: u64,
    /// How often it is tried again when nobody answers, or with 429 or 5xx.
    pub retries: u32,
    /// Whether no alert is sent because of it.
    pub mute_alert: bool,
    /// Whether the server's certificate is taken unseen.
    pub insecure: bool,
    /// What is sent along.
    pub metadata: BTreeMap<String, String>,
}

/// Which hooks stand before what, as indices of the list of hooks. Where several stand at one moment, all must agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gates {
    /// Before the canary is scaled up.
    pub rollout: Vec<usize>,
    /// Once the canary is ready: each good answer is a passed check.
    pub preparation: Vec<usize>,
    /// Before each rise of the weight.
    pub traffic_increase: Vec<usize>,
    /// Before the revision is promoted.
    pub promotion: Vec<usize>,
}

impl Gates {
    pub(super) fn of(hooks: &[Hook]) -> Gates {
        let at = |moment| hooks.iter().enumerate().filter(|(_, h)| h.moment == moment).map(|(i, _)| i).collect();
        Gates {
            rollout: at(Moment::ConfirmRollout),
            preparation: at(Moment::PreRollout),
            traffic_increase: at(Moment::ConfirmTrafficIncrease),
            promotion: at(Moment::ConfirmPromotion),
        }
    }

    /// Whether a gate ends a step by weight: one for the next rise, or after the last weight one for the promotion.
    #[must_use]
    pub fn stands_after(&self, last: bool) -> bool {
        !self.traffic_increase.is_empty() || (last && !self.promotion.is_empty())
    }
}

impl View<'_> {
    pub(super) fn hooks(&self, way: Option<&Way>, found: &mut Found) -> Vec<Hook> {
        let written = self.canary.analysis.iter().flat_map(|analysis| &analysis.webhooks);
        let mut hooks = Vec::new();
        for hook in written {
            let Some(moment) = Moment::ALL.into_iter().find(|moment| moment.word() == hook.kind) else { continue };
            if !["http://", "https://"]
                .iter()
                .any(|scheme| hook.url.len() > scheme.len() && hook.url.starts_with(scheme))
            {
                let message = format!("`{}` cannot be called", cut(&hook.url));
                let help = "write an address that begins with http:// or https://";
                found.add_unless_known(Problem::error(Rule::Value, format!("{}.url", hook.path), message, help));
            }
            let timeout_ms = match hook.timeout.as_deref().map(duration::parse) {
                None => TIMEOUT_MS,
                Some(Ok(ms @ 1..)) => ms,
                Some(Ok(0)) => {
                    let path = format!("{}.timeout", hook.path);
                    let problem = Problem::error(Rule::Value, path, "nobody answers in no time", "write 10s");
                    found.add_unless_known(problem);
                    TIMEOUT_MS
                }
                Some(Err((message, help))) => {
                    found.add_unless_known(Problem::error(
                        Rule::Value,
                        format!("{}.timeout", hook.path),
                        message,
                        help,
                    ));
                    TIMEOUT_MS
                }
            };
            let retries = hook.retries.unwrap_or(0);
            if !(0..=MOST_RETRIES).contains(&retries) {
                let help = format!("write a number from 0 to {MOST_RETRIES}");
                let message = format!("{retries} tries more are impossible");
                found.add_unless_known(Problem::error(Rule::Value, format!("{}.retries", hook.path), message, help));
            }
            if moment == Moment::ConfirmTrafficIncrease && matches!(way, Some(Way::Iterations(_))) {
                let message = "it is never asked: without weights nothing rises, as with Flagger";
                let help = "write confirm-promotion to be asked before everything goes over";
                found.add_unless_known(Problem::warning(Rule::NoEffect, format!("{}.type", hook.path), message, help));
            }
            hooks.push(Hook {
                moment,
                name: hook.name.clone(),
                url: hook.url.clone(),
                timeout_ms,
                retries: u32::try_from(retries).unwrap_or(0),
                mute_alert: hook.mute_alert,
                insecure: hook.disable_tls,
                metadata: hook.metadata.clone(),
            });
        }
        hooks
    }
}
