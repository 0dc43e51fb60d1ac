//! `cluster paused`: what the release of a Deployment stands on. The writes are those of `serin-kubernetes`, carried out on a
//! real cluster: a target that is paused scales and heals and never rolls, whatever is pushed; and what was pushed
//! rolls when nothing of the old one is left.

use super::Cluster;
use crate::json::Value;
use crate::process::ask;
use crate::run::{Run, Stop, fail};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

/// The longest that something small may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// What is analysed first.
const OLD: &str = "serin/podinfo:2.1.0";
/// What is pushed under it.
const NEW: &str = "serin/podinfo:2.1.1";
/// What `kubectl` says of a patch whose test of the version fails.
const CONFLICT: &str = "the server rejected our request due to an error in our request";

struct Target<'a> {
    cluster: &'a Cluster,
    namespace: String,
    hands: PathBuf,
    /// The Deployment as it was when the revision was taken.
    analysed: PathBuf,
    /// Writes that were carried out, and those that met a newer version.
    writes: usize,
    conflicts: usize,
}

/// All of it.
///
/// # Errors
/// What is not as it should be.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    run.build(&["-p", "serin-kubernetes", "--example", "workload"])?;
    super::prepare(run)?;
    let cluster = Cluster::for_run(run)?;
    let namespace = cluster.namespace()?;
    cluster.apply(&namespace, &std::fs::read_to_string(run.root().join("e2e/kubernetes/paused.yaml"))?)?;
    let built = run.built("workload", false);
    let hands = built.parent().map(|parent| parent.join("examples/workload")).unwrap_or_default();
    let analysed = run.scratch().join("analysed.json");
    let mut target = Target { cluster: &cluster, namespace, hands, analysed, writes: 0, conflicts: 0 };
    let scaler = target.object("horizontalpodautoscaler")?;
    target.take_revision()?;
    target.ask(2, "pinned", OLD)?;
    run.fact("grown", target.pods()?.len());
    let kept = target.push_under_pause()?;
    run.fact("kept", kept);
    run.fact("healed", target.heal()?);
    target.ask(5, "pinned", OLD)?;
    target.ask(1, "pinned", OLD)?;
    target.refuses_to_let_go()?;
    target.ask(0, "free", OLD)?;
    target.refuses_what_is_gone()?;
    target.take_revision()?;
    target.ask(2, "pinned", NEW)?;
    run.fact("rolled", target.pods()?.len());
    target.ask(0, "free", NEW)?;
    let spec = |object: &Value| object.get("spec").map(ToString::to_string);
    if spec(&target.object("horizontalpodautoscaler")?) != spec(&scaler) {
        return fail(format!("the autoscaler is not what it was: {}", target.object("horizontalpodautoscaler")?));
    }
    run.fact("writes", target.writes);
    run.fact("conflicts", target.conflicts);
    let left = cluster.end()?;
    run.fact("leftovers", left.len());
    if left.is_empty() { Ok(()) } else { fail(format!("this is left of the cluster: {}", left.join("; "))) }
}

impl Target<'_> {
    fn object(&self, kind: &str) -> Result<Value, Stop> {
        self.cluster.get(&[kind, "podinfo", "--namespace", &self.namespace])
    }

    /// What the target holds now is the revision.
    fn take_revision(&self) -> Result<(), Stop> {
        Ok(std::fs::write(&self.analysed, self.object("deployment")?.to_string())?)
    }

    /// Name and image of every pod, those that are being stopped included.
    fn pods(&self) -> Result<BTreeSet<(String, String)>, Stop> {
        let pods = self.cluster.get(&["pods", "--namespace", &self.namespace])?;
        let text = |pod: &Value, path: &str| pod.find(path).and_then(Value::text).unwrap_or_default().to_owned();
        let both = |pod: &Value| (text(pod, "metadata.name"), text(pod, "spec.containers.0.image"));
        Ok(pods.get("items").into_iter().flat_map(Value::items).map(both).collect())
    }

    /// No pod has another image.
    fn only(&self, image: &str) -> Result<BTreeSet<(String, String)>, Stop> {
        let pods = self.pods()?;
        match pods.iter().find(|(_, other)| other != image) {
            Some((pod, other)) => Err(Stop::Fail(format!("the pod {pod} runs {other}, and only {image} was analysed"))),
            None => Ok(pods),
        }
    }

    /// What is seen, and what an ask comes to.
    fn look(&self, to: u16, pin: &str) -> Result<Value, Stop> {
        let kinds = "deployments,replicasets,horizontalpodautoscalers";
        let objects = self.cluster.kubectl(&["get", kinds, "--namespace", &self.namespace, "--output", "json"])?;
        let mut command = std::process::Command::new(&self.hands);
        command.arg(&self.analysed).arg(to.to_string()).arg(pin);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(objects.as_bytes())?;
        }
        let said = String::from_utf8_lossy(&child.wait_with_output()?.stdout).trim().to_owned();
        Value::parse(&said).map_err(|why| Stop::Fail(format!("the hands said {said:?}: {why}")))
    }

    /// Asks until there is nothing left to write and the set is as asked. Meanwhile no pod is of another image.
    fn ask(&mut self, to: u16, pin: &str, image: &str) -> Result<(), Stop> {
        let begin = std::time::Instant::now();
        loop {
            let answer = self.look(to, pin)?;
            let Some(changes) = answer.get("changes") else { return fail(format!("{to} {pin}: {answer}")) };
            let asked_for = changes.items().len();
            for change in changes.items() {
                self.write(change)?;
            }
            self.only(image)?;
            let number = |name: &str| answer.find(&format!("seen.{name}")).and_then(Value::number);
            let is =
                |name: &str| answer.find(&format!("seen.{name}")).map(ToString::to_string) == Some("true".to_owned());
            let whole = ["desired", "total", "ready"].iter().all(|name| number(name) == Some(f64::from(to)));
            if asked_for == 0 && whole && is("fresh") && (to == 0 || is("pinned") == (pin == "pinned")) {
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                return fail(format!("{to} {pin} is not so after {} s: {answer}", PATIENCE.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn write(&mut self, change: &Value) -> Result<(), Stop> {
        let text = |name: &str| change.get(name).and_then(Value::text).unwrap_or_default();
        let mut command = self.cluster.client();
        command.args(["patch", text("kind"), text("name"), "--namespace", &self.namespace]);
        match ask(command.args(["--type", "json", "--patch", text("patch")])) {
            Ok(_) => self.writes += 1,
            // A newer version than the one that was looked at: it is looked at again.
            Err(why) if why.to_string().contains(CONFLICT) => self.conflicts += 1,
            Err(why) => return Err(Stop::from(why)),
        }
        Ok(())
    }

    /// A newer template is pushed: the very same pods stay.
    fn push_under_pause(&self) -> Result<usize, Stop> {
        let before = self.only(OLD)?;
        let image = format!("podinfo={NEW}");
        self.cluster.kubectl(&["set", "image", "deployment/podinfo", &image, "--namespace", &self.namespace])?;
        self.cluster.until("the controller has seen the push", PATIENCE, || {
            let object = self.object("deployment")?;
            let number = |path: &str| object.find(path).and_then(Value::number);
            let seen = number("metadata.generation") == number("status.observedGeneration");
            if seen { Ok(()) } else { fail("not yet") }
        })?;
        // Long enough for a controller that would roll it to have made a pod: that takes a tenth of it.
        std::thread::sleep(Duration::from_secs(3));
        let after = self.only(OLD)?;
        if after == before { Ok(after.len()) } else { fail(format!("{before:?} became {after:?}")) }
    }

    /// A pod that is lost comes back as it was analysed, not as it was pushed.
    fn heal(&mut self) -> Result<usize, Stop> {
        let before = self.only(OLD)?;
        let Some((pod, _)) = before.first() else { return fail("there is no pod to lose") };
        self.cluster.kubectl(&["delete", "pod", pod, "--namespace", &self.namespace])?;
        self.ask(2, "pinned", OLD)?;
        Ok(self.only(OLD)?.difference(&before).count())
    }

    /// Unpaused, what serves would roll to what was pushed.
    fn refuses_to_let_go(&self) -> Result<(), Stop> {
        self.refused(1, "free", "nobody has analysed")
    }

    /// Nothing of the old revision is left, and the spec is the user's.
    fn refuses_what_is_gone(&self) -> Result<(), Stop> {
        self.refused(2, "pinned", "nothing of revision 1 runs")
    }

    fn refused(&self, to: u16, pin: &str, words: &str) -> Result<(), Stop> {
        let answer = self.look(to, pin)?;
        match answer.get("problem").and_then(Value::text) {
            Some(problem) if problem.contains(words) => Ok(()),
            _ => fail(format!("{to} {pin} should have been refused: {answer}")),
        }
    }
}
