//! The built-in metrics as Prometheus is asked for them, in a language of our own making.
//!
//! What is counted is what reached a track's pods. There are two sources. Pods that count themselves
//! ([`Telemetry::Pods`], what Flagger takes for the Gateway API and for plain Kubernetes) count it whatever way it came,
//! load tests on the canary's own service included. A Gateway ([`Telemetry::Contour`]) counts what it sent.
//!
//! Two things differ from Flagger's queries. A canary of which every request fails has no series of good ones: there the
//! rate is 0 here and "no values" there. And the names of pods are told apart by the letters that Kubernetes makes up
//! endings of, so that the pods of `podinfo-primary` are never those of `podinfo`, nor in a DaemonSet, whose pods have one
//! ending only. Durations come in milliseconds.
use serin_analysis::Latency;
use serin_rollout::{Pair, Slot};

/// Who counts requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Telemetry {
    /// The pods, as `http_request_duration_seconds` with the label `status`.
    Pods {
        /// The label that the scrape gives the namespace.
        namespace_label: String,
        /// The label that it gives the pod's name.
        pod_label: String,
    },
    /// Contour's Envoys, per cluster. A cluster is called `namespace/service/port/hash`, and its counters
    /// `namespace_service_port` where Contour gives them a name of their own; both are looked for.
    Contour,
}

impl Default for Telemetry {
    /// The labels that Flagger's own Prometheus gives.
    fn default() -> Self {
        let (namespace_label, pod_label) = ("kubernetes_namespace".to_owned(), "kubernetes_pod_name".to_owned());
        Telemetry::Pods { namespace_label, pod_label }
    }
}

/// One of the built-in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltIn {
    /// The share of requests that were not answered with 5xx, in per cent.
    SuccessRate,
    /// A figure of how long requests took, in milliseconds.
    Duration(Latency),
}

/// Whose requests are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The namespace.
    pub namespace: String,
    /// The workload of each slot.
    pub workload: Pair<String>,
    /// Whether these are DaemonSets.
    pub daemon_set: bool,
    /// The service of each slot.
    pub service: Pair<String>,
    /// The port of these.
    pub port: u16,
}

/// The letters of which Kubernetes makes the endings of pods' names: none of them is a vowel, so that no word is one.
const ENDING: &str = "[bcdfghjklmnpqrstvwxz2456789]+";

/// The query for a slot over the last `interval`.
#[must_use]
pub fn query(metric: BuiltIn, telemetry: &Telemetry, of: &Subject, slot: Slot, interval: &str) -> String {
    let (which, count, time, failed, milliseconds) = match telemetry {
        Telemetry::Pods { namespace_label, pod_label } => {
            let endings = if of.daemon_set { ENDING.to_owned() } else { format!("{ENDING}-{ENDING}") };
            let pod = format!("{}-{endings}", literal(&of.workload[slot]));
            let which = format!("{namespace_label}=\"{}\",{pod_label}=~\"{pod}\"", text(&of.namespace));
            let time = "http_request_duration_seconds";
            (which, format!("{time}_count"), time, "status=~\"5..\"", "1000 * ")
        }
        Telemetry::Contour => {
            let (namespace, service, port) = (literal(&of.namespace), literal(&of.service[slot]), of.port);
            let cluster = format!("{namespace}/{service}/{port}/.*|{namespace}_{service}_{port}");
            let which = format!("envoy_cluster_name=~\"{cluster}\"");
            let time = "envoy_cluster_upstream_rq_time";
            (which, "envoy_cluster_upstream_rq".to_owned(), time, "envoy_response_code=~\"5..\"", "")
        }
    };
    let rate = |series: &str, more: &str| format!("sum(rate({series}{{{which}{more}}}[{interval}]))");
    match metric {
        BuiltIn::SuccessRate => {
            let (bad, all) = (rate(&count, &format!(",{failed}")), rate(&count, ""));
            format!("100 * (1 - ({bad} or vector(0)) / {all})")
        }
        BuiltIn::Duration(Latency::Mean) => {
            format!("{milliseconds}{} / {}", rate(&format!("{time}_sum"), ""), rate(&format!("{time}_count"), ""))
        }
        BuiltIn::Duration(of @ (Latency::P50 | Latency::P90 | Latency::P99)) => {
            let quantile = match of {
                Latency::P50 => "0.5",
                Latency::P90 => "0.9",
                Latency::P99 | Latency::Mean => "0.99",
            };
            let buckets = format!("sum by (le) (rate({time}_bucket{{{which}}}[{interval}]))");
            format!("{milliseconds}histogram_quantile({quantile}, {buckets})")
        }
    }
}

/// A name inside of a double-quoted regular expression: what is special to either stands for itself.
fn literal(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_alphanumeric() || matches!(c, '-' | '_' | '/') {
            out.push(c);
        } else {
            out.push_str("\\\\");
            out.push_str(&text(&c.to_string()));
        }
    }
    out
}

/// A name inside of a double-quoted text.
fn text(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(daemon_set: bool) -> Subject {
        let pair = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        Subject {
            namespace: "prod".to_owned(),
            workload: pair("podinfo-primary", "podinfo"),
            daemon_set,
            service: pair("shop-primary", "shop-canary"),
            port: 9898,
        }
    }

    #[test]
    fn the_success_rate_of_pods_is_zero_when_all_requests_fail() {
        let which = "kubernetes_namespace=\"prod\",kubernetes_pod_name=~\"podinfo-[bcdfghjklmnpqrstvwxz2456789]+-[bcdfghjklmnpqrstvwxz2456789]+\"";
        let count = "http_request_duration_seconds_count";
        assert_eq!(
            query(BuiltIn::SuccessRate, &Telemetry::default(), &subject(false), 1, "30s"),
            format!(
                "100 * (1 - (sum(rate({count}{{{which},status=~\"5..\"}}[30s])) or vector(0)) / sum(rate({count}{{{which}}}[30s])))"
            )
        );
    }

    #[test]
    fn the_pods_of_a_primary_are_not_the_target_s() {
        // The endings as a matcher in words: what stands after the name consists of these letters alone.
        let ending = |text: &str| !text.is_empty() && text.chars().all(|c| ENDING.contains(c) && c.is_alphanumeric());
        assert!(ending("7d9c8b6f5") && ending("x2k4z"));
        assert!(!ending("primary") && !ending("canary") && !ending(""));
        let of = |slot| query(BuiltIn::SuccessRate, &Telemetry::default(), &subject(true), slot, "1m");
        assert!(of(1).contains("=~\"podinfo-[bcdfghjklmnpqrstvwxz2456789]+\""), "{}", of(1));
        assert!(of(0).contains("=~\"podinfo-primary-[bcdfghjklmnpqrstvwxz2456789]+\""), "{}", of(0));
    }

    #[test]
    fn durations_come_in_milliseconds() {
        let pods = |of| query(BuiltIn::Duration(of), &Telemetry::default(), &subject(false), 1, "1m");
        assert!(pods(Latency::P99).starts_with("1000 * histogram_quantile(0.99, sum by (le) (rate(http_request_"));
        assert!(pods(Latency::P50).contains("(0.5, ") && pods(Latency::P90).contains("(0.9, "));
        assert!(pods(Latency::Mean).starts_with("1000 * sum(rate(http_request_duration_seconds_sum{"));
        let of = query(BuiltIn::Duration(Latency::P99), &Telemetry::Contour, &subject(false), 1, "1m");
        assert_eq!(
            of,
            "histogram_quantile(0.99, sum by (le) (rate(envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name=~\"prod/shop-canary/9898/.*|prod_shop-canary_9898\"}[1m])))"
        );
    }

    #[test]
    fn a_gateway_is_asked_for_the_clusters_of_a_service() {
        let which = "envoy_cluster_name=~\"prod/shop-primary/9898/.*|prod_shop-primary_9898\"";
        assert_eq!(
            query(BuiltIn::SuccessRate, &Telemetry::Contour, &subject(false), 0, "1m"),
            format!(
                "100 * (1 - (sum(rate(envoy_cluster_upstream_rq{{{which},envoy_response_code=~\"5..\"}}[1m])) or vector(0)) / sum(rate(envoy_cluster_upstream_rq{{{which}}}[1m])))"
            )
        );
    }

    #[test]
    fn names_stand_for_themselves() {
        assert_eq!(literal("a.b"), "a\\\\.b");
        assert_eq!(literal("a\"b"), "a\\\\\\\"b");
        assert_eq!(text("a\"\\"), "a\\\"\\\\");
    }
}
