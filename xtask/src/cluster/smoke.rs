//! `cluster smoke`: podinfo in a real cluster behind a real Gateway, under load; weights that change; metrics, DNS and
//! accounts; calls to the API server that are counted and made to go wrong. At the end nothing is left.

mod faults;
mod inside;
mod routed;

use super::Cluster;
use crate::process::send;
use crate::run::{Run, Stop, fail};
use std::time::{Duration, Instant};

/// The longest that something small may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// All of it.
///
/// # Errors
/// What is not as it should be.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    run.build(&["-p", "serin-load", "-p", "serin-apiproxy"])?;
    super::prepare(run)?;
    let begin = Instant::now();
    let cluster = Cluster::for_run(run)?;
    run.fact("up_secs", (begin.elapsed().as_secs_f64() * 10.0).round() / 10.0);
    let namespace = cluster.namespace()?;
    let yaml = std::fs::read_to_string(run.root().join("e2e/kubernetes/smoke.yaml"))?;
    cluster.apply(&namespace, &yaml)?;
    for deployment in ["deployment/podinfo-old", "deployment/podinfo-new"] {
        cluster.wait(&namespace, deployment, "condition=Available", PATIENCE)?;
    }
    cluster.wait(&namespace, "pod/tools", "condition=Ready", PATIENCE)?;
    let pods = cluster.get(&["pods", "--namespace", &namespace])?;
    run.fact("pods", pods.get("items").map_or(0, |items| items.items().count()));
    routed::show(run, &cluster, &namespace)?;
    inside::show(run, &cluster, &namespace)?;
    faults::show(run, &cluster, &namespace)?;
    if cluster.is_own() {
        // Whatever state it is in, it can be ended.
        let Some(runtime) = cluster.part("containerd") else { return fail("containerd does not run") };
        send("KILL", &runtime.to_string())?;
    }
    let left = cluster.end()?;
    run.fact("leftovers", left.len());
    if left.is_empty() { Ok(()) } else { fail(format!("this is left of the cluster: {}", left.join("; "))) }
}
