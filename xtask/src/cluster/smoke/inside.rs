//! What a pod sees: names that are found, the API server by its Service, an account that is let in.

use super::PATIENCE;
use crate::cluster::Cluster;
use crate::run::{Run, Stop, fail};

/// Requests to each name.
const REQUESTS: u64 = 10;

/// Runs `hey` in a pod, against podinfo by each of its names and against the API server.
pub fn show(run: &mut Run, cluster: &Cluster, namespace: &str) -> Result<(), Stop> {
    let mut names = 0u64;
    let long = format!("podinfo.{namespace}.svc.cluster.local");
    for name in ["podinfo", &format!("podinfo.{namespace}"), &format!("podinfo.{namespace}.svc"), &long] {
        hey(cluster, namespace, &format!("http://{name}:9898/"))?;
        names += 1;
    }
    hey(cluster, namespace, "https://kubernetes.default.svc/readyz")?;
    run.fact("names", names);
    let mounted = cluster.get(&["pod", "tools", "--namespace", namespace])?;
    let at = "/var/run/secrets/kubernetes.io/serviceaccount";
    let volumes = mounted.find("spec.containers.0.volumeMounts").map(ToString::to_string).unwrap_or_default();
    if volumes.contains(at) { Ok(()) } else { fail(format!("no account is mounted in a pod: {volumes}")) }
}

/// As many answers as were asked for, all of them 200.
fn hey(cluster: &Cluster, namespace: &str, url: &str) -> Result<(), Stop> {
    let count = REQUESTS.to_string();
    let words = ["exec", "--namespace", namespace, "tools", "--", "hey", "-n", &count, "-c", "1", url];
    cluster.until(&format!("that {url} answers in a pod"), PATIENCE, || {
        let said = cluster.kubectl(&words)?;
        let all = format!("[200]\t{REQUESTS} responses");
        if said.contains(&all) { Ok(()) } else { fail(said) }
    })
}
