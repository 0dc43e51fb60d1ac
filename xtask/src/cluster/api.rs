//! `cluster api`: the operator's hands on a real API server: pushes, own writes, cuts, candidates for a Lease, errors, and
//! an idle minute in which calls are counted. The program that does it is an example of `serin-operator`; xtask itself
//! depends on nothing.

use super::Cluster;
use super::spoiler::Spoiler;
use crate::json::Value;
use crate::run::{Run, Stop, fail};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The longest that all of it may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// The account that may nothing.
const WEAK: &str = "default";

/// All of it.
///
/// # Errors
/// What is not as it should be.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    run.build(&["-p", "serin-apiproxy"])?;
    run.build(&["-p", "serin-operator", "--example", "api"])?;
    super::prepare(run)?;
    let cluster = Cluster::for_run(run)?;
    let Some(authority) = cluster.authority() else {
        return Err(Stop::Skip("the proxy needs the keys of a cluster of `cargo xtask cluster up`".to_owned()));
    };
    let namespace = cluster.namespace()?;
    let spoiler = Spoiler::start(run, &cluster, &authority)?;
    let directory = run.scratch().join("api");
    std::fs::create_dir_all(&directory)?;
    let token = cluster.kubectl(&["config", "view", "--raw", "--output", "jsonpath={.users[0].user.token}"])?;
    let weak = cluster.kubectl(&["create", "token", WEAK, "--namespace", &namespace])?;
    let (direct, proxied) = (cluster.server()?, format!("https://{}", spoiler.api));
    for (name, server, token) in [("direct", &direct, &token), ("proxied", &proxied, &token), ("weak", &direct, &weak)]
    {
        write(&directory.join(name), server, &authority, token.trim(), &cluster)?;
    }
    absent(run, &cluster, &directory)?;
    all(run, &namespace, &directory, &spoiler.control.to_string())?;
    let ours = cluster.is_own();
    let left = cluster.end()?;
    run.fact("leftovers", left.len());
    if ours && !left.is_empty() { fail(format!("this is left: {}", left.join("; "))) } else { Ok(()) }
}

/// A kubeconfig of a server and a token.
fn write(path: &Path, server: &str, authority: &Path, token: &str, cluster: &Cluster) -> Result<(), Stop> {
    let data = "jsonpath={.clusters[0].cluster.certificate-authority-data}";
    let data = cluster.kubectl(&["config", "view", "--raw", "--output", data])?;
    if data.trim().is_empty() {
        return fail(format!("the kubeconfig does not have the authority {}", authority.display()));
    }
    let text = format!(
        "{{\"apiVersion\":\"v1\",\"kind\":\"Config\",\"current-context\":\"a\",\"clusters\":[{{\"name\":\"a\",\"cluster\":\
         {{\"server\":\"{server}\",\"certificate-authority-data\":\"{}\"}}}}],\"users\":[{{\"name\":\"a\",\"user\":\
         {{\"token\":\"{token}\"}}}}],\"contexts\":[{{\"name\":\"a\",\"context\":{{\"cluster\":\"a\",\"user\":\"a\"}}}}]}}\n",
        data.trim()
    );
    std::fs::write(path, text)?;
    Ok(())
}

/// Kinds that the cluster does not have are told as absent, and seen when they come.
fn absent(run: &mut Run, cluster: &Cluster, directory: &Path) -> Result<(), Stop> {
    let crds = run.root().join("deploy/crds").to_string_lossy().into_owned();
    if !cluster.kubectl(&["get", "crd", "canaries.flagger.app", "--ignore-not-found", "--output", "name"])?.is_empty() {
        run.say("Flagger's kinds are there already: that they are missed is shown on a new cluster only");
        run.fact("absent", "there");
        return Ok(());
    }
    let mut command = program(run);
    command.arg("absent").arg(directory.join("direct")).stdout(Stdio::piped());
    let mut process = run.start(&mut command)?;
    let mut line = String::new();
    if let Some(out) = process.child.stdout.take() {
        BufReader::new(out).read_line(&mut line)?;
    }
    if line.trim() != "absent" {
        return fail(format!("Flagger's kinds should have been missed: {line:?}"));
    }
    cluster.kubectl(&["apply", "--server-side", "--filename", &crds])?;
    match process.wait(PATIENCE)? {
        Some(status) if status.success() => {}
        other => return fail(format!("Flagger's kinds are there, and are not seen: {other:?}")),
    }
    run.fact("absent", "seen");
    Ok(())
}

/// Everything else. What the program prints are facts.
fn all(run: &mut Run, namespace: &str, directory: &Path, control: &str) -> Result<(), Stop> {
    let mut command = program(run);
    command.arg("all").arg(namespace).arg(directory).arg(control).stdout(Stdio::piped());
    let mut process = run.start(&mut command)?;
    let mut facts = 0;
    if let Some(out) = process.child.stdout.take() {
        for line in BufReader::new(out).lines() {
            let line = line?;
            let Some((key, value)) = line.split_once('=') else { return fail(format!("this is no fact: {line:?}")) };
            facts += 1;
            match value.parse::<f64>() {
                Ok(number) => run.fact(key, Value::Number(number)),
                Err(_) => run.fact(key, value.to_owned()),
            }
        }
    }
    match process.wait(PATIENCE)? {
        Some(status) if status.success() && facts > 0 => Ok(()),
        Some(_) => fail("the operator's hands did not do as they should: see above"),
        None => fail(format!("it did not end within {} s", PATIENCE.as_secs())),
    }
}

fn program(run: &Run) -> Command {
    let path: PathBuf = run.built("examples/api", false);
    let mut command = Command::new(path);
    command.stdin(Stdio::null());
    command
}
