//! `spec.analysis`, or `spec.canaryAnalysis` in the old spelling: the steps, the checks, and who is asked and told.
use crate::decode::Fields;
use crate::problem::{Problem, Rule};
use serde_json::Value;
use std::collections::BTreeMap;

/// How a release goes on, and by what it is judged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Analysis {
    /// The field that it was read from: `spec.analysis` or `spec.canaryAnalysis`.
    pub path: String,
    /// From look to look.
    pub interval: Option<String>,
    /// Failed checks, over all steps, that are too many.
    pub threshold: Option<i64>,
    /// How often a canary without weights is looked at.
    pub iterations: Option<i64>,
    /// The last weight, in per cent.
    pub max_weight: Option<i64>,
    /// How much the weight rises each time.
    pub step_weight: Option<i64>,
    /// The weights one by one.
    pub step_weights: Option<Vec<i64>>,
    /// How much the primary's weight rises each time on the way home.
    pub step_weight_promotion: Option<i64>,
    /// Whether requests are copied to the canary.
    pub mirror: bool,
    /// How many of them, in per cent.
    pub mirror_weight: Option<i64>,
    /// How many of the primary's instances must be available, in per cent.
    pub primary_ready_threshold: Option<i64>,
    /// How many of the canary's.
    pub canary_ready_threshold: Option<i64>,
    /// Which users go to the canary, as Istio's `HTTPMatchRequest`.
    pub matches: Vec<Value>,
    /// Whether a user stays where he was sent first.
    pub session_affinity: Option<SessionAffinity>,
    /// What is measured.
    pub metrics: Vec<Metric>,
    /// Who is asked and told over HTTP.
    pub webhooks: Vec<Webhook>,
    /// Which rooms are told.
    pub alerts: Vec<Alert>,
}

/// The cookie that keeps a user where he was sent first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionAffinity {
    /// The cookie of those on the canary.
    pub cookie_name: String,
    /// The cookie of those on the primary.
    pub primary_cookie_name: Option<String>,
    /// How long it lives, in seconds; 86 400 where it is absent.
    pub max_age: Option<i64>,
    /// Attribute of the cookie.
    pub domain: Option<String>,
    /// Attribute of the cookie.
    pub http_only: bool,
    /// Attribute of the cookie.
    pub partitioned: bool,
    /// Attribute of the cookie.
    pub path: Option<String>,
    /// Attribute of the cookie.
    pub same_site: Option<String>,
    /// Attribute of the cookie.
    pub secure: bool,
}

/// One thing that is measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metric {
    /// The field, such as `spec.analysis.metrics[0]`.
    pub path: String,
    /// `request-success-rate` and `request-duration` are built in; every other one needs a query.
    pub name: String,
    /// Over which time it looks back.
    pub interval: Option<String>,
    /// The old form of a limit: the least success rate, the most of anything else.
    pub threshold: Option<f64>,
    /// The limits.
    pub range: Option<Range>,
    /// The old form of a query, asked at the canary's metrics server.
    pub query: Option<String>,
    /// The template's name, and its namespace where it says one.
    pub template: Option<(String, Option<String>)>,
    /// What the template is filled with.
    pub variables: BTreeMap<String, String>,
}

/// The limits of a metric; both are good values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Range {
    /// The least.
    pub min: Option<f64>,
    /// The most.
    pub max: Option<f64>,
}

/// Somebody who is asked or told over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Webhook {
    /// The field.
    pub path: String,
    /// When; `rollout` where nothing is written.
    pub kind: String,
    /// What it is called.
    pub name: String,
    /// Where the request goes.
    pub url: String,
    /// How long it may take.
    pub timeout: Option<String>,
    /// How often it is tried again.
    pub retries: Option<i64>,
    /// Whether no alert is sent because of it.
    pub mute_alert: bool,
    /// Whether the server's certificate is taken unseen.
    pub disable_tls: bool,
    /// What is sent along.
    pub metadata: BTreeMap<String, String>,
}

/// A room that is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alert {
    /// The field.
    pub path: String,
    /// What it is called.
    pub name: String,
    /// `info`, `warn` or `error`; `info` where nothing is written.
    pub severity: String,
    /// The `AlertProvider`, and its namespace where it says one.
    pub provider: (String, Option<String>),
}

impl Analysis {
    pub(super) fn read(fields: &mut Fields<'_, '_>) -> Analysis {
        Analysis {
            path: fields.path().to_owned(),
            interval: fields.text("interval"),
            threshold: fields.whole("threshold"),
            iterations: fields.whole("iterations"),
            max_weight: fields.whole("maxWeight"),
            step_weight: fields.whole("stepWeight"),
            step_weights: fields.wholes("stepWeights"),
            step_weight_promotion: fields.whole("stepWeightPromotion"),
            mirror: fields.truth("mirror").unwrap_or(false),
            mirror_weight: fields.whole("mirrorWeight"),
            primary_ready_threshold: fields.whole("primaryReadyThreshold"),
            canary_ready_threshold: fields.whole("canaryReadyThreshold"),
            matches: fields.foreigners("match"),
            session_affinity: fields.child("sessionAffinity", SessionAffinity::read),
            metrics: fields.children("metrics", Metric::read),
            webhooks: fields.children("webhooks", Webhook::read),
            alerts: fields.children("alerts", Alert::read),
        }
    }
}

impl SessionAffinity {
    fn read(fields: &mut Fields<'_, '_>) -> SessionAffinity {
        SessionAffinity {
            cookie_name: fields.needed_text("cookieName", "write the name of a cookie").unwrap_or_default(),
            primary_cookie_name: fields.filled("primaryCookieName"),
            max_age: fields.whole("maxAge"),
            domain: fields.filled("domain"),
            http_only: fields.truth("httpOnly").unwrap_or(false),
            partitioned: fields.truth("partitioned").unwrap_or(false),
            path: fields.filled("path"),
            same_site: fields.filled("sameSite"),
            secure: fields.truth("secure").unwrap_or(false),
        }
    }
}

impl Metric {
    fn read(fields: &mut Fields<'_, '_>) -> Option<Metric> {
        let metric = Metric {
            path: fields.path().to_owned(),
            interval: fields.text("interval").filter(|text| !text.is_empty()),
            threshold: fields.number("threshold"),
            range: fields.child("thresholdRange", |range| Range { min: range.number("min"), max: range.number("max") }),
            query: fields.filled("query"),
            template: fields.child("templateRef", reference).flatten(),
            variables: fields.texts_by_name("templateVariables"),
            name: String::new(),
        };
        let name = fields.needed_text("name", "write request-success-rate, request-duration, or a name of your own")?;
        Some(Metric { name, ..metric })
    }
}

/// A name, and a namespace where there is one. `apiVersion` and `kind` may be written, and say nothing.
fn reference(fields: &mut Fields<'_, '_>) -> Option<(String, Option<String>)> {
    let namespace = fields.filled("namespace");
    fields.pass_over("apiVersion");
    fields.pass_over("kind");
    Some((fields.needed_text("name", "write the name of the object that is meant")?, namespace))
}

impl Webhook {
    /// When webhooks are called, as Flagger names it.
    pub const KINDS: [&'static str; 8] = [
        "confirm-rollout",
        "pre-rollout",
        "rollout",
        "confirm-traffic-increase",
        "confirm-promotion",
        "post-rollout",
        "rollback",
        "event",
    ];

    fn read(fields: &mut Fields<'_, '_>) -> Option<Webhook> {
        let kind = fields.filled("type").unwrap_or_else(|| "rollout".to_owned());
        let known = Self::KINDS.contains(&kind.as_str());
        if !known {
            let message = format!("there is no type of webhook called `{}`", crate::decode::cut(&kind));
            let help = match serin_near::nearest(&kind, Self::KINDS) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("write one of {}", Self::KINDS.join(", ")),
            };
            fields.add(Problem::error(Rule::Value, fields.at("type"), message, help));
        }
        let hook = Webhook {
            path: fields.path().to_owned(),
            kind,
            timeout: fields.filled("timeout"),
            retries: fields.whole("retries"),
            mute_alert: fields.truth("muteAlert").unwrap_or(false),
            disable_tls: fields.truth("disableTLS").unwrap_or(false),
            metadata: fields.texts_by_name("metadata"),
            ..Webhook::default()
        };
        let name = fields.needed_text("name", "write what the log shall call it");
        let url = fields.needed_text("url", "write the address that is called, such as http://tester.prod/");
        known.then_some(Webhook { name: name?, url: url?, ..hook })
    }
}

impl Alert {
    fn read(fields: &mut Fields<'_, '_>) -> Option<Alert> {
        let severity = fields.filled("severity").unwrap_or_else(|| "info".to_owned());
        let known = ["info", "warn", "error"].contains(&severity.as_str());
        if !known {
            let message = format!("there is no severity called `{}`", crate::decode::cut(&severity));
            fields.add(Problem::error(Rule::Value, fields.at("severity"), message, "write info, warn or error"));
        }
        let path = fields.path().to_owned();
        let name = fields.needed_text("name", "write what the log shall call it");
        let provider = fields.child("providerRef", reference);
        if provider.is_none() {
            let help = "write `providerRef` with the name of an AlertProvider";
            fields.add(Problem::error(Rule::Missing, fields.at("providerRef"), "nothing says who is told", help));
        }
        known.then_some(Alert { path, name: name?, severity, provider: provider.flatten()? })
    }
}
