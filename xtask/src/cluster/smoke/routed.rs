//! Load through the Gateway: all to one version, then divided, and the pods' own counters as Prometheus has them.

use super::PATIENCE;
use crate::cluster::{Cluster, http};
use crate::json::Value;
use crate::run::{Run, Stop, fail};
use std::process::Command;

/// Requests a second.
const RATE: f64 = 100.0;
/// How long each load lasts.
const SECONDS: f64 = 8.0;
/// The share of the new version in percent, when traffic is divided.
const SHARE: f64 = 25.0;
/// Five standard deviations of the share of 800 requests: 5 · √(0.25 · 0.75 / 800).
const SPREAD: f64 = 0.077;

/// Both loads.
pub fn show(run: &mut Run, cluster: &Cluster, namespace: &str) -> Result<(), Stop> {
    let host = format!("{namespace}.test");
    weigh(cluster, namespace, &host, 100.0)?;
    answers(cluster, &host, "2.1.0")?;
    let whole = load(run, cluster, &host)?;
    let of = |summary: &Value, version: &str| {
        let statuses = summary.get("by_revision").and_then(|all| all.get(version)).and_then(|all| all.get("200"));
        statuses.and_then(Value::number).unwrap_or_default()
    };
    let count = |summary: &Value, name: &str| summary.get(name).and_then(Value::number).unwrap_or(f64::NAN);
    if of(&whole, "2.1.0") != count(&whole, "sent") {
        return fail(format!("all should have been answered by 2.1.0: {whole}"));
    }
    weigh(cluster, namespace, &host, 100.0 - SHARE)?;
    answers(cluster, &host, "2.1.1")?;
    let divided = load(run, cluster, &host)?;
    let share = of(&divided, "2.1.1") / count(&divided, "sent");
    let sent = count(&whole, "sent") + count(&divided, "sent");
    let failed = count(&whole, "failed") + count(&divided, "failed");
    run.fact("sent", sent);
    run.fact("failed", failed);
    run.fact("share", (share * 1000.0).round() / 1000.0);
    let full = 2.0 * 0.9 * RATE * SECONDS;
    if !(sent >= full && failed == 0.0) {
        return fail(format!("too few requests, or lost ones: {whole} {divided}"));
    }
    if !((share - SHARE / 100.0).abs() < SPREAD
        && of(&divided, "2.1.0") + of(&divided, "2.1.1") == count(&divided, "sent"))
    {
        return fail(format!("{share} of the requests went to the new version, asked was {SHARE} %: {divided}"));
    }
    metrics(run, cluster, namespace, sent)
}

/// The pods' own counters, and their rate, by the labels that tell namespace and pod.
fn metrics(run: &mut Run, cluster: &Cluster, namespace: &str, sent: f64) -> Result<(), Stop> {
    let pods = format!("http_requests_total{{namespace=\"{namespace}\",pod=~\"podinfo-.+\"}}");
    let whole = |what: &str, query: &str| {
        cluster.until(what, PATIENCE, || match cluster.query(query)? {
            Some(counted) if counted >= sent => Ok(counted),
            other => fail(format!("it counts {other:?} of {sent}")),
        })
    };
    let counted = whole("that Prometheus has the requests of the pods", &format!("sum({pods})"))?;
    let envoy = format!("sum(envoy_cluster_upstream_rq{{envoy_cluster_name=~\"{namespace}_.+\"}})");
    whole("that Prometheus has the requests of Envoy", &envoy)?;
    run.fact("counted", counted);
    match cluster.query(&format!("sum(rate({pods}[1m]))"))? {
        Some(rate) if rate > 0.0 => {
            run.fact("rate", (rate * 10.0).round() / 10.0);
            Ok(())
        }
        other => fail(format!("Prometheus has no rate of requests of the pods: {other:?}")),
    }
}

/// Writes the route: so much in a hundred to the old version, the rest to the new one.
fn weigh(cluster: &Cluster, namespace: &str, host: &str, old: f64) -> Result<(), Stop> {
    let backend = |name: &str, weight: f64| format!("{{name: {name}, port: 9898, weight: {weight}}}");
    let backends = [backend("podinfo-old", old), backend("podinfo-new", 100.0 - old)].join(", ");
    let route = format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: podinfo}}\nspec:\n  \
         parentRefs: [{{name: gateway, namespace: gateway}}]\n  hostnames: [{host}]\n  rules:\n    \
         - backendRefs: [{backends}]\n"
    );
    cluster.apply(namespace, &route)
}

/// Waits until a version answers, which shows that the data plane has the route.
fn answers(cluster: &Cluster, host: &str, version: &str) -> Result<(), Stop> {
    let gateway = cluster.gateway()?;
    let wanted = format!("\"version\": \"{version}\"");
    cluster.until(&format!("that {version} answers"), PATIENCE, || {
        for _ in 0..20 {
            let answer = http::of_host(gateway, host, "/")?;
            if answer.status == 200 && answer.body.contains(&wanted) {
                return Ok(());
            }
        }
        fail("others answer, or nobody does")
    })
}

/// One load; its summary.
fn load(run: &mut Run, cluster: &Cluster, host: &str) -> Result<Value, Stop> {
    let mut command = Command::new(run.built("serin-load", false));
    command.arg(format!("http://{}/", cluster.gateway()?)).args(["--host", host, "--slow-share", "0"]);
    command.args(["--rate", &RATE.to_string(), "--seconds", &SECONDS.to_string(), "--post-share", "0"]);
    command.args(["--connections", "32", "--seed", &run.seed().to_string()]);
    let out = run.scratch().join("load.json");
    command.stdin(std::process::Stdio::piped()).stdout(std::fs::File::create(&out)?);
    let mut process = run.start(&mut command)?;
    if process.wait(PATIENCE)?.is_none() {
        return fail("the load does not end");
    }
    let text = std::fs::read_to_string(&out)?;
    Value::parse(text.trim()).map_err(|why| Stop::Fail(format!("the load's summary: {why}: {text:?}")))
}
