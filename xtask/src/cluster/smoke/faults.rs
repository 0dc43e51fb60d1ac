//! Calls of one account, through the proxy before the API server and not: what the proxy counts, what the audit log
//! counts, and what becomes of a call that goes wrong.

use crate::cluster::spoiler::Spoiler;
use crate::cluster::{Cluster, audit, http};
use crate::json::Value;
use crate::process::Process;
use crate::run::{Run, Stop, fail};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The account's name.
const ACCOUNT: &str = "counted";

struct Proxied<'a> {
    cluster: &'a Cluster,
    namespace: &'a str,
    server: String,
    authority: PathBuf,
    token: String,
    control: SocketAddr,
    _process: Process,
}

/// Counted calls, a conflict, and an error although it was done.
pub fn show(run: &mut Run, cluster: &Cluster, namespace: &str) -> Result<(), Stop> {
    let (Some(log), Some(authority)) = (cluster.audit(), cluster.authority()) else {
        run.say("calls are counted on a cluster of our own only");
        return Ok(());
    };
    let proxied = start(run, cluster, namespace, authority)?;
    let before = audit::now(&log)?;
    for _ in 0..5 {
        proxied.kubectl(&["get", "configmaps"])?;
    }
    proxied.kubectl(&["create", "configmap", "one"])?;
    proxied.fault("{\"verb\":\"patch\",\"resource\":\"configmaps\",\"do\":\"conflict\"}")?;
    let label = ["label", "configmap", "one", "a=b"];
    let conflict = proxied.kubectl(&label).map_err(Stop::why);
    if !matches!(&conflict, Err(why) if why.contains("the object has been modified")) {
        return fail(format!("a conflict should have been answered: {conflict:?}"));
    }
    if proxied.label()?.is_some() {
        return fail("a call that was answered by a conflict was done all the same");
    }
    proxied.kubectl(&label)?;
    if proxied.label()?.as_deref() != Some("b") {
        return fail("a fault is there once, and the second call was not done");
    }
    proxied.fault("{\"verb\":\"create\",\"resource\":\"configmaps\",\"do\":\"error_after\"}")?;
    let error = proxied.kubectl(&["create", "configmap", "two"]).map_err(Stop::why);
    if !matches!(&error, Err(why) if why.contains("the API server had answered 201")) {
        return fail(format!("an error should have been answered: {error:?}"));
    }
    cluster.get(&["configmap", "two", "--namespace", namespace])?;
    let user = format!("system:serviceaccount:{namespace}:{ACCOUNT}");
    let calls = audit::calls(&log, before, audit::now(&log)?)?;
    let audited = |verb: &str| -> u64 {
        let fits = |call: &audit::Call| call.user == user && call.verb == verb && call.resource == "configmaps";
        calls.iter().filter(|(call, _)| fits(call)).map(|(_, count)| count).sum()
    };
    let report = proxied.calls()?;
    let counted = |verb: &str, what: &str| -> u64 {
        let fits = |entry: &&Value| {
            let is = |name: &str, wanted: &str| entry.get(name).and_then(Value::text) == Some(wanted);
            is("verb", verb) && is("resource", "configmaps")
        };
        let entries = report.get("calls").into_iter().flat_map(Value::items).filter(fits);
        entries.filter_map(|entry| entry.get(what).and_then(Value::number)).sum::<f64>() as u64
    };
    let verbs = ["get", "list", "create", "patch"];
    let (passed, seen) = (verbs.map(|verb| counted(verb, "forwarded")), verbs.map(audited));
    run.fact("calls", seen.iter().sum::<u64>());
    run.fact("proxied", verbs.map(|verb| counted(verb, "count")).iter().sum::<u64>());
    let fired = report
        .find("faults")
        .map_or(0.0, |all| all.items().filter_map(|fault| fault.get("fired").and_then(Value::number)).sum());
    run.fact("faults", fired);
    if passed != seen || seen[1] != 5 || seen[2] != 2 || counted("patch", "count") != passed[3] + 1 || fired != 2.0 {
        return fail(format!(
            "get, list, create, patch: the proxy passed {passed:?} on, the log has {seen:?}: {report}"
        ));
    }
    Ok(())
}

/// The proxy before the API server, and the account's token, which `kubectl` gives to nobody without TLS.
fn start<'a>(run: &mut Run, cluster: &'a Cluster, namespace: &'a str, authority: PathBuf) -> Result<Proxied<'a>, Stop> {
    let Spoiler { api, control, process } = Spoiler::start(run, cluster, &authority)?;
    let token = cluster.kubectl(&["create", "token", ACCOUNT, "--namespace", namespace])?.trim().to_owned();
    let server = format!("https://{api}");
    Ok(Proxied { cluster, namespace, server, authority, token, control, _process: process })
}

impl Proxied<'_> {
    /// `kubectl` with the account's token alone, through the proxy.
    fn kubectl(&self, words: &[&str]) -> Result<String, Stop> {
        let mut command = self.cluster.client();
        command.env("KUBECONFIG", "/dev/null").args(["--server", &self.server, "--token", &self.token]);
        command.arg("--certificate-authority").arg(&self.authority).args(["--namespace", self.namespace]);
        Ok(crate::process::ask(command.args(words))?)
    }

    /// The label that is to be set, as it is without the proxy.
    fn label(&self) -> Result<Option<String>, Stop> {
        let object = self.cluster.get(&["configmap", "one", "--namespace", self.namespace])?;
        Ok(object.find("metadata.labels.a").and_then(Value::text).map(str::to_owned))
    }

    fn fault(&self, fault: &str) -> Result<(), Stop> {
        let answer = http::exchange(self.control, "POST", "/faults", fault)?;
        if answer.status == 200 { Ok(()) } else { fail(format!("the proxy refuses {fault}: {}", answer.body)) }
    }

    fn calls(&self) -> Result<Value, Stop> {
        Value::parse(http::get(self.control, "/calls")?.body.trim()).map_err(Stop::Fail)
    }
}
