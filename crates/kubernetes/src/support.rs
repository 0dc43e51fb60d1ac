//! What of Flagger's language Serin carries out, as one table. Whoever teaches Serin something more moves a row; nothing
//! else asks by itself whether a field is supported.
//!
//! A field that Flagger itself ignores with the same provider has no effect here either, and a warning says so: an object
//! that works there must not be refused for it. A field that does something there and nothing here yet is refused, with
//! what to do instead: a release that quietly leaves something out would be worse than none.
use crate::flagger::{Analysis, Canary, Service};
use crate::problem::{Problem, Rule};
use serin_near::nearest;

/// Who divides the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// An HTTPRoute of the Gateway API. `gatewayapi:v1beta1` names the same objects as `gatewayapi:v1`.
    GatewayApi,
    /// The selector of the apex service: all or nothing.
    Kubernetes,
    /// Serin's own proxy.
    Serin,
}

impl Provider {
    /// Whether it can divide traffic by share.
    #[must_use]
    pub const fn divides(self) -> bool {
        match self {
            Self::GatewayApi | Self::Serin => true,
            Self::Kubernetes => false,
        }
    }
}

/// Every provider that Flagger's objects can name, and what it is here; `None`: refused.
const PROVIDERS: [(&str, Option<Provider>); 22] = [
    ("gatewayapi:v1", Some(Provider::GatewayApi)),
    ("gatewayapi:v1beta1", Some(Provider::GatewayApi)),
    ("kubernetes", Some(Provider::Kubernetes)),
    ("serin", Some(Provider::Serin)),
    ("apisix", None),
    ("appmesh", None),
    ("appmesh:v1beta1", None),
    ("appmesh:v1beta2", None),
    ("contour", None),
    ("gloo", None),
    ("istio", None),
    ("knative", None),
    ("kuma", None),
    ("linkerd", None),
    ("nginx", None),
    ("osm", None),
    ("skipper", None),
    ("smi:v1alpha1", None),
    ("smi:v1alpha2", None),
    ("smi:v1alpha3", None),
    ("smi:linkerd", None),
    ("traefik", None),
];

/// Every kind of metric provider that a template can name, and whether it is asked.
const METRIC_PROVIDERS: [(&str, bool); 11] = [
    ("prometheus", true),
    ("cloudwatch", false),
    ("datadog", false),
    ("dynatrace", false),
    ("externalmetrics", false),
    ("graphite", false),
    ("influxdb", false),
    ("keptn", false),
    ("newrelic", false),
    ("splunk", false),
    ("stackdriver", false),
];

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Support {
    /// Serin does it.
    Carried,
    /// Neither Flagger nor Serin does anything with it here.
    NoEffect,
    /// Serin does not do it yet.
    Refused,
}
use Support::{Carried, NoEffect, Refused};

/// Where a field is looked for. An analysis is told by the name that it is written under.
enum Has {
    Canary(fn(&Canary) -> bool),
    Service(fn(&Service) -> bool),
    Analysis(fn(&Analysis) -> bool),
}

/// A field, or a value of it.
struct Row {
    /// Below the part of the object that `set` looks at.
    path: &'static str,
    /// Whether the object has it.
    set: Has,
    /// With [`Provider::GatewayApi`].
    gateway: Support,
    /// With [`Provider::Kubernetes`].
    kubernetes: Support,
    /// With [`Provider::Serin`].
    serin: Support,
    /// What it is about, as the subject of a sentence.
    what: &'static str,
    /// What to do where it is refused.
    instead: &'static str,
}

const LEAVE_OUT: &str = "leave it out, or leave this canary to Flagger until Serin can do it";

const ROWS: [Row; 27] = [
    row("targetRef.kind", |c| kind_is(c, "DaemonSet"), [Carried; 3], "a DaemonSet", LEAVE_OUT),
    row(
        "targetRef.kind",
        |c| kind_is(c, "Service"),
        [Refused; 3],
        "a Service as the target",
        "name the Deployment behind it",
    ),
    row("autoscalerRef", |c| scaler_is(c, "HorizontalPodAutoscaler"), [Carried; 3], "an autoscaler", LEAVE_OUT),
    row(
        "autoscalerRef",
        |c| scaler_is(c, "ScaledObject"),
        [Refused; 3],
        "KEDA's ScaledObject",
        "use a HorizontalPodAutoscaler, or leave this canary to Flagger until Serin can do it",
    ),
    row(
        "autoscalerRef.primaryScalerReplicas",
        |c| c.autoscaler.as_ref().is_some_and(|a| a.primary_min.is_some() || a.primary_max.is_some()),
        [Refused; 3],
        "another size of the primary's autoscaler",
        "leave it out: the primary is scaled as the target is",
    ),
    row("ingressRef", |c| c.ingress.is_some(), [Refused; 3], "an Ingress", LEAVE_OUT),
    row("routeRef", |c| c.route.is_some(), [Refused; 3], "a route of APISIX", LEAVE_OUT),
    row("upstreamRef", |c| c.upstream.is_some(), [Refused; 3], "an upstream of Gloo", LEAVE_OUT),
    service("gateways", |s| !s.gateways.is_empty(), [NoEffect; 3], "Istio's list of gateways"),
    service("gatewayRefs", |s| !s.gateway_refs.is_empty(), [Carried, NoEffect, NoEffect], "a parent of the route"),
    service("hosts", |s| !s.hosts.is_empty(), [Carried, NoEffect, NoEffect], "a host name"),
    service("timeout", |s| s.timeout.is_some(), [Carried, NoEffect, NoEffect], "the time of a request"),
    service("backendTimeout", |s| s.backend_timeout.is_some(), [Carried, NoEffect, NoEffect], "the time of a try"),
    service("delegation", |s| s.delegation, [NoEffect; 3], "Istio's delegation"),
    service("trafficPolicy", |s| s.traffic_policy.is_some(), [NoEffect; 3], "Istio's traffic policy"),
    service("retries", |s| s.retries.is_some(), [NoEffect; 3], "trying again, in Istio's words,"),
    service("match", |s| !s.matches.is_empty(), [Refused, NoEffect, Refused], "a route for some requests only"),
    service("rewrite", |s| s.rewrite.is_some(), [Refused, NoEffect, Refused], "rewriting requests"),
    service("headers", |s| s.headers.is_some(), [Refused, NoEffect, Refused], "changing headers"),
    service("mirror", |s| !s.mirror.is_empty(), [Refused, NoEffect, Refused], "copying requests"),
    service("corsPolicy", |s| s.cors_policy.is_some(), [Refused, NoEffect, Refused], "a policy for other origins"),
    service("meshName", |s| s.mesh_name.is_some(), [NoEffect; 3], "App Mesh's name"),
    service("backends", |s| !s.backends.is_empty(), [NoEffect; 3], "App Mesh's list of backends"),
    analysis("match", |a| !a.matches.is_empty(), "sending some users to the canary"),
    analysis("sessionAffinity", |a| a.session_affinity.is_some(), "keeping a user on one track"),
    analysis("mirror", |a| a.mirror, "copying requests to the canary"),
    row(
        "metricsServer",
        |c| c.metrics_server.is_some(),
        [Carried; 3],
        "a Prometheus of its own",
        "leave it out: the operator's own Prometheus is asked",
    ),
];

const fn row(
    path: &'static str,
    set: fn(&Canary) -> bool,
    support: [Support; 3],
    what: &'static str,
    instead: &'static str,
) -> Row {
    let [gateway, kubernetes, serin] = support;
    Row { path, set: Has::Canary(set), gateway, kubernetes, serin, what, instead }
}

const fn service(path: &'static str, set: fn(&Service) -> bool, support: [Support; 3], what: &'static str) -> Row {
    let [gateway, kubernetes, serin] = support;
    Row { path, set: Has::Service(set), gateway, kubernetes, serin, what, instead: LEAVE_OUT }
}

const fn analysis(path: &'static str, set: fn(&Analysis) -> bool, what: &'static str) -> Row {
    let (gateway, kubernetes, serin) = (Refused, Refused, Refused);
    Row { path, set: Has::Analysis(set), gateway, kubernetes, serin, what, instead: LEAVE_OUT }
}

fn kind_is(canary: &Canary, kind: &str) -> bool {
    canary.target.as_ref().is_some_and(|target| target.kind == kind)
}

fn scaler_is(canary: &Canary, kind: &str) -> bool {
    canary.autoscaler.as_ref().is_some_and(|scaler| scaler.reference.kind == kind)
}

impl Row {
    /// The path of the field, where the object has it.
    fn path_in(&self, canary: &Canary) -> Option<String> {
        match self.set {
            Has::Canary(set) => set(canary).then(|| format!("spec.{}", self.path)),
            Has::Service(set) => {
                canary.service.as_ref().filter(|s| set(s)).map(|_| format!("spec.service.{}", self.path))
            }
            Has::Analysis(set) => {
                canary.analysis.as_ref().filter(|a| set(a)).map(|a| format!("{}.{}", a.path, self.path))
            }
        }
    }

    const fn on(&self, provider: Provider) -> Support {
        match provider {
            Provider::GatewayApi => self.gateway,
            Provider::Kubernetes => self.kubernetes,
            Provider::Serin => self.serin,
        }
    }
}

/// The provider of a canary: its own, or else the operator's.
///
/// # Errors
/// One that nobody knows, where Flagger would quietly take Istio; or one that is not carried out.
pub fn provider(canary: &Canary, default: &str) -> Result<Provider, Problem> {
    let name = canary.provider.as_deref().unwrap_or(default);
    let shown = crate::decode::cut(name);
    let whose = if canary.provider.is_some() { "" } else { ", the operator's default," };
    let (rule, message, help) = match PROVIDERS.into_iter().find(|(known, _)| *known == name) {
        Some((_, Some(provider))) => return Ok(provider),
        Some((_, None)) => (
            Rule::Unsupported,
            format!("traffic by `{shown}`{whose} is not carried out by Serin yet"),
            "write gatewayapi:v1 or kubernetes, or leave this canary to Flagger until Serin can do it".to_owned(),
        ),
        None => {
            let carried = PROVIDERS.into_iter().filter(|(_, provider)| provider.is_some()).map(|(name, _)| name);
            let help = match nearest(name, PROVIDERS.into_iter().map(|(name, _)| name)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("write one of {}", carried.collect::<Vec<_>>().join(", ")),
            };
            (Rule::Value, format!("there is no provider called `{shown}`{}", whose.trim_end_matches(',')), help)
        }
    };
    Err(Problem::error(rule, "spec.provider", message, help))
}

/// Why a kind of metric provider cannot be asked; the rule, what is wrong and what to do.
pub(crate) fn metric_provider(kind: &str) -> Option<(Rule, String, String)> {
    let shown = crate::decode::cut(kind);
    match METRIC_PROVIDERS.into_iter().find(|(known, _)| *known == kind) {
        Some((_, true)) => None,
        Some((_, false)) => Some((
            Rule::Unsupported,
            format!("Serin does not ask `{shown}` yet"),
            "ask a Prometheus that has the figure, or leave this canary to Flagger until Serin can do it".to_owned(),
        )),
        None => {
            let help = match nearest(kind, METRIC_PROVIDERS.into_iter().map(|(name, _)| name)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "write prometheus".to_owned(),
            };
            Some((Rule::Value, format!("there is no kind of metric provider called `{shown}`"), help))
        }
    }
}

/// What of the object is refused or has no effect.
pub(crate) fn told(canary: &Canary, provider: Provider) -> Vec<Problem> {
    let mut told = Vec::new();
    for row in &ROWS {
        let Some(path) = row.path_in(canary) else { continue };
        match row.on(provider) {
            Carried => {}
            NoEffect => {
                let alike = if provider == Provider::Serin { "" } else { ", as with Flagger" };
                let message = format!("{} has no effect with this provider{alike}", row.what);
                told.push(Problem::warning(Rule::NoEffect, path, message, "leave it out"));
            }
            Refused => {
                let message = format!("{} is not carried out by Serin yet", row.what);
                told.push(Problem::error(Rule::Unsupported, path, message, row.instead));
            }
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(provider: Option<&str>) -> Canary {
        Canary { provider: provider.map(str::to_owned), ..Canary::default() }
    }

    #[test]
    fn a_provider_is_the_object_s_or_else_the_operator_s() {
        assert_eq!(provider(&canary(None), "kubernetes"), Ok(Provider::Kubernetes));
        assert_eq!(provider(&canary(Some("gatewayapi:v1beta1")), "kubernetes"), Ok(Provider::GatewayApi));
        assert!(Provider::Serin.divides() && !Provider::Kubernetes.divides());
    }

    #[test]
    fn nobody_is_quietly_given_another_provider() {
        let told = |p: Option<&str>, default: &str| provider(&canary(p), default).expect_err("refused").to_string();
        assert_eq!(
            told(Some("gatewayapi:v2"), "serin"),
            "error spec.provider (value): there is no provider called `gatewayapi:v2`; did you mean `gatewayapi:v1`?"
        );
        assert!(
            told(Some("cloud"), "serin").ends_with("write one of gatewayapi:v1, gatewayapi:v1beta1, kubernetes, serin")
        );
        assert!(told(Some("istio"), "serin").contains("(unsupported): traffic by `istio` is not carried out"));
        assert!(told(None, "istio").contains("`istio`, the operator's default, is not"));
    }

    #[test]
    fn what_flagger_ignores_is_not_refused() {
        let service =
            Service { gateways: vec!["mesh".to_owned()], mirror: vec![serde_json::json!({})], ..Service::default() };
        let canary = Canary { service: Some(service), ..Canary::default() };
        let lines = |p| told(&canary, p).iter().map(|p| (p.severity, p.path.clone())).collect::<Vec<_>>();
        use crate::problem::Severity::{Error, Warning};
        let path = |field: &str| format!("spec.service.{field}");
        assert_eq!(lines(Provider::GatewayApi), [(Warning, path("gateways")), (Error, path("mirror"))]);
        assert_eq!(lines(Provider::Kubernetes), [(Warning, path("gateways")), (Warning, path("mirror"))]);
    }

    #[test]
    fn the_old_spelling_is_named_as_it_is_written() {
        let analysis = Analysis { path: "spec.canaryAnalysis".to_owned(), mirror: true, ..Analysis::default() };
        let canary = Canary { analysis: Some(analysis), ..Canary::default() };
        assert_eq!(told(&canary, Provider::Serin)[0].path, "spec.canaryAnalysis.mirror");
    }

    #[test]
    fn templates_that_nobody_answers_are_told() {
        assert_eq!(metric_provider("prometheus"), None);
        assert_eq!(metric_provider("datadog").map(|t| t.0), Some(Rule::Unsupported));
        assert_eq!(metric_provider("promethues").map(|t| t.2), Some("did you mean `prometheus`?".to_owned()));
    }
}
