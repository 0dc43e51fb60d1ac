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
    let scaler = target.object("horizontalpodautoscaler/podinfo")?;
    target.take_revision()?;
    target.primary(OLD, "primary 2 pinned")?;
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
    target.primary(NEW, "rewrite")?;
    target.primary(NEW, "primary 2 free")?;
    target.refuses_an_older_look()?;
    target.ask(0, "free", NEW)?;
    let spec = |object: &Value| object.get("spec").map(ToString::to_string);
    if spec(&target.object("horizontalpodautoscaler/podinfo")?) != spec(&scaler) {
        return fail(format!(
            "the autoscaler is not what it was: {}",
            target.object("horizontalpodautoscaler/podinfo")?
        ));
    }
    run.fact("writes", target.writes);
    run.fact("conflicts", target.conflicts);
    let left = cluster.end()?;
    run.fact("leftovers", left.len());
    if left.is_empty() { Ok(()) } else { fail(format!("this is left of the cluster: {}", left.join("; "))) }
}

impl Target<'_> {
    fn object(&self, which: &str) -> Result<Value, Stop> {
        self.cluster.get(&[which, "--namespace", &self.namespace])
    }

    /// What the target holds now is the revision.
    fn take_revision(&self) -> Result<(), Stop> {
        Ok(std::fs::write(&self.analysed, self.object("deployment/podinfo")?.to_string())?)
    }

    /// Name and image of every pod of the target, those that are being stopped included.
    fn pods(&self) -> Result<BTreeSet<(String, String)>, Stop> {
        let pods = self.cluster.get(&["pods", "--namespace", &self.namespace, "--selector", "app=podinfo"])?;
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
    fn look(&self, wish: &str) -> Result<Value, Stop> {
        let kinds = "deployments,replicasets,horizontalpodautoscalers";
        let objects = self.cluster.kubectl(&["get", kinds, "--namespace", &self.namespace, "--output", "json"])?;
        let mut command = std::process::Command::new(&self.hands);
        command.arg(&self.analysed).args(wish.split_whitespace());
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
            let answer = self.look(&format!("target {to} {pin}"))?;
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
        if let Some(object) = change.get("create").and_then(Value::text) {
            self.cluster.apply(&self.namespace, object)?;
            self.writes += 1;
            return Ok(());
        }
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

    /// The primary is created, rewritten or let go; what the API server made of its template is found again as what was
    /// written, and in the end it runs this image.
    fn primary(&mut self, image: &str, wish: &str) -> Result<(), Stop> {
        let cluster = self.cluster;
        cluster.until(wish, PATIENCE, || {
            let answer = self.look(wish)?;
            let Some(changes) = answer.get("changes") else { return fail(format!("{wish}: {answer}")) };
            let asked_for = changes.items().len();
            for change in changes.items() {
                self.write(change)?;
            }
            let number = |name: &str| answer.find(&format!("seen.{name}")).and_then(Value::number);
            let whole = ["desired", "total", "ready"].iter().all(|name| number(name) == Some(2.0));
            if asked_for == 0 && whole && number("rev") == Some(1.0) { Ok(()) } else { fail(answer.to_string()) }
        })?;
        let runs = self.object("deployment/podinfo-primary")?;
        let found = runs.find("spec.template.spec.containers.0.image").and_then(Value::text) == Some(image);
        if found { Ok(()) } else { fail(format!("the primary does not run {image}: {runs}")) }
    }

    /// A write that follows from an older look does nothing.
    fn refuses_an_older_look(&mut self) -> Result<(), Stop> {
        let before = self.conflicts;
        let answer = self.look("target 3 pinned")?;
        let Some(change) = answer.get("changes").and_then(|changes| changes.items().next_back()) else {
            return fail(format!("there should have been something to write: {answer}"));
        };
        self.write(change)?;
        self.write(change)?;
        if self.conflicts == before + 1 { Ok(()) } else { fail("a write was done twice that was looked at once") }
    }

    /// A newer template is pushed: the very same pods stay.
    fn push_under_pause(&self) -> Result<usize, Stop> {
        let before = self.only(OLD)?;
        let image = format!("podinfo={NEW}");
        self.cluster.kubectl(&["set", "image", "deployment/podinfo", &image, "--namespace", &self.namespace])?;
        self.cluster.until("the controller has seen the push", PATIENCE, || {
            let object = self.object("deployment/podinfo")?;
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
        let answer = self.look(&format!("target {to} {pin}"))?;
        match answer.get("problem").and_then(Value::text) {
            Some(problem) if problem.contains(words) => Ok(()),
            _ => fail(format!("{to} {pin} should have been refused: {answer}")),
        }
    }
}
