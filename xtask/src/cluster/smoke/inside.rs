//! What a pod sees: names that are found, the API server by its Service, an account that is let in.

use super::PATIENCE;
use crate::cluster::Cluster;
use crate::cluster::image::Image;
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
    account(run, cluster, namespace)
}

/// A pod asks the API server with nothing but what every pod is given: an account's token, the authority's certificate
/// and the address of a Service. It may do what its account may, and nothing else.
fn account(run: &mut Run, cluster: &Cluster, namespace: &str) -> Result<(), Stop> {
    let Some(kubectl) = cluster.own_kubectl() else {
        run.say("an image is brought to a cluster of our own only");
        return Ok(());
    };
    let mut image = Image::of("kubectl:1", &kubectl);
    image.programs = vec![(kubectl, "usr/local/bin/kubectl".to_owned())];
    image.entry = "/usr/local/bin/kubectl".to_owned();
    cluster.bring(&image)?;
    let pod = |name: &str, what: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  serviceAccountName: counted\n  \
             restartPolicy: Never\n  containers: [{{name: kubectl, image: \"serin/kubectl:1\", args: [get, {what}, \
             --output, name]}}]\n"
        )
    };
    for (name, what, phase) in [("may", "configmaps", "Succeeded"), ("may-not", "secrets", "Failed")] {
        cluster.apply(namespace, &pod(name, what))?;
        let condition = format!("jsonpath={{.status.phase}}={phase}");
        let ended = cluster.wait(namespace, &format!("pod/{name}"), &condition, PATIENCE);
        let said = cluster.kubectl(&["logs", "--namespace", namespace, name])?;
        ended.map_err(|stop| Stop::Fail(format!("a pod that asks for {what}: {}: {said}", stop.why())))?;
        let right = if phase == "Succeeded" { "configmap/kube-root-ca.crt" } else { "forbidden" };
        if !said.contains(right) {
            return fail(format!("a pod that asks for {what} was told {said:?}, and not {right:?}"));
        }
    }
    run.fact("accounts", "ok");
    Ok(())
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
