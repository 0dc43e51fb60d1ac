//! What a `Canary` wants, in Serin's words: the plan of a release, how it is judged, who is asked, and what things are
//! called. Every problem of the object is told, not only the first one; what could not be read is told once, and nothing
//! is concluded from it.
//!
//! How Flagger's numbers are understood:
//!
//! * **Steps.** `stepWeight` and `maxWeight` give rising weights that end exactly at `maxWeight` (absent: 100). Flagger adds
//!   until the maximum is reached or passed; Serin never gives the canary more than it. Each weight is held for one
//!   `interval` and until a round of checks passed. After the last one the canary gets everything for an interval more,
//!   and only then is its revision copied home to the primary; Flagger overwrites the primary while that still serves.
//!   `iterations` are so many intervals at full size without traffic, then the switch. `skipAnalysis` is a move without
//!   checks, which still waits until everything is ready.
//! * **The way home.** The service rests in slot 0, the primary. The traffic returns to it by `stepWeightPromotion`, at
//!   once where that is absent or 0.
//! * **The budget.** `threshold` counts failed rounds over all steps and all checks; a passed round resets nothing, and a
//!   round counts once however many of its checks failed. That is Flagger's rule as well: the first failed check ends its
//!   tick. Unlike Flagger, the round that reaches the number is the verdict, not the one after it. Rounds without an
//!   answer from a source are a row of their own: `threshold` of them in a row give the release up too.
//! * **The floor.** `primaryReadyThreshold` and `canaryReadyThreshold` are per cent of the instances that must be
//!   available. The plan has one floor for both sets: the higher of the two percentages of the replicas, rounded up, at
//!   least 1. It is rounded up so that never fewer than these per cent serve; Flagger rounds down, where 50 % of 3 is 1.
//!   The rest is `max_unavailable`.
//! * **Deadlines.** `progressDeadlineSeconds` is both how long nothing may make progress and how long a set may be unready.
mod metrics;
mod names;
mod steps;
mod webhooks;

pub use metrics::{Asked, Finding, Limits, Question, Source, Templates};
pub use names::{Names, Ports};
pub use steps::Way;
pub use webhooks::{Gates, Hook, Moment};

use crate::flagger::{Alert, Autoscaler, Canary, Decoded, Reference, Service};
use crate::problem::{Found, Problem, Rule};
use crate::promql::{Subject, Telemetry};
use crate::support::{self, Provider};
use serin_analysis::Checks;
use serin_rollout::{Plan, Times};
use std::collections::BTreeMap;

/// What the operator was told for all canaries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// The provider of canaries that name none, as Flagger's `-mesh-provider`.
    pub provider: String,
    /// The Prometheus of canaries that name none, as Flagger's `-metrics-server`.
    pub metrics_server: Option<String>,
    /// Who counts requests for the built-in metrics.
    pub telemetry: Telemetry,
    /// Whether a canary may refer to objects of other namespaces.
    pub cross_namespace: bool,
    /// Open requests get this long to end before their instance is stopped, in milliseconds.
    pub drain_ms: u64,
    /// How long a split holds without the controller where the router can do that, in milliseconds.
    pub lease_ms: u64,
}

impl Default for Defaults {
    fn default() -> Self {
        let times = Times::default();
        Defaults {
            provider: "gatewayapi:v1".to_owned(),
            metrics_server: None,
            telemetry: Telemetry::default(),
            cross_namespace: true,
            drain_ms: times.drain_ms,
            lease_ms: times.lease_ms,
        }
    }
}

/// What is there now of the workload that a canary names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// `spec.replicas` of the target. 0 where Flagger or Serin has scaled it down.
    pub replicas: Option<u32>,
    /// `spec.replicas` of its primary, where there is one.
    pub primary: Option<u32>,
    /// `spec.minReplicas` of the autoscaler, where there is one.
    pub autoscaler_min: Option<u32>,
    /// The nodes that a DaemonSet is to run on.
    pub nodes: Option<u32>,
    /// `spec.minReadySeconds` of the target.
    pub min_ready_seconds: u32,
}

/// What a canary wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The canary's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The number of the spec that this was made from.
    pub generation: Option<i64>,
    /// Who divides the traffic.
    pub provider: Provider,
    /// The workload.
    pub target: Reference,
    /// What scales it.
    pub autoscaler: Option<Autoscaler>,
    /// What things are called.
    pub names: Names,
    /// Where they listen.
    pub ports: Ports,
    /// How they are reached, as written.
    pub service: Service,
    /// How the release goes.
    pub way: Way,
    /// The same as targets and acceptances.
    pub plan: Plan,
    /// From look to look, in milliseconds.
    pub interval_ms: u64,
    /// Failed rounds that are too many.
    pub threshold: u32,
    /// How it is judged; `None` where nothing is asked for.
    pub checks: Option<Checks>,
    /// What is asked for in each round, one for each of [`Checks::asked`].
    pub asked: Vec<Asked>,
    /// Everything that is measured, in the order in which it is written.
    pub questions: Vec<Question>,
    /// Everybody who is asked and told, in the order in which it is written.
    pub hooks: Vec<Hook>,
    /// Which of the hooks stand before what.
    pub gates: Gates,
    /// Which rooms are told.
    pub alerts: Vec<Alert>,
    /// Nothing is to be done.
    pub suspended: bool,
    /// The object is being deleted.
    pub deleting: bool,
    /// The workload becomes what it was when the object is deleted.
    pub revert_on_deletion: bool,
    /// What may surprise.
    pub warnings: Vec<Problem>,
}

impl Wanted {
    /// The hooks that must agree before a step of the plan is left, in the order in which they are written. Its
    /// acceptance asks for an approval exactly where there are some.
    #[must_use]
    pub fn gates_after(&self, step: u16) -> Vec<&Hook> {
        let prepared = usize::from(steps::preparation(&self.way, &self.gates).is_some());
        let step = usize::from(step).checked_sub(prepared);
        let (rises, last) = match (&self.way, step) {
            (Way::Weights(_), None) => (true, false),
            (Way::Iterations(_) | Way::Skipped, None) => (false, false),
            (Way::Weights(weights), Some(step)) => (step < weights.len(), step + 1 == weights.len()),
            (Way::Iterations(_), Some(step)) => (false, step == 0),
            (Way::Skipped, Some(_)) => (false, false),
        };
        let stands = |i: &usize| {
            (rises && self.gates.traffic_increase.contains(i)) || (last && self.gates.promotion.contains(i))
        };
        (0..self.hooks.len()).filter(stands).map(|i| &self.hooks[i]).collect()
    }
}

/// What everything below looks at.
pub(crate) struct View<'a> {
    canary: &'a Canary,
    templates: &'a Templates,
    target: &'a Target,
    defaults: &'a Defaults,
}

/// What `canary` wants of `target`.
///
/// # Errors
/// All that is wrong with it, warnings included, errors first.
pub fn wanted(
    canary: &Decoded<Canary>,
    templates: &Templates,
    target: &Target,
    defaults: &Defaults,
) -> Result<Wanted, Vec<Problem>> {
    let mut found = canary.found.clone();
    let view = View { canary: &canary.object, templates, target, defaults };
    let wanted = view.assemble(&mut found);
    match wanted.filter(|_| !found.has_errors()) {
        Some(wanted) => Ok(Wanted { warnings: found.finish(), ..wanted }),
        None => Err(found.finish()),
    }
}

impl View<'_> {
    /// Looks at every part, also where an earlier one was wrong; `None` where something could not be made.
    fn assemble(&self, found: &mut Found) -> Option<Wanted> {
        let canary = self.canary;
        let provider = match support::provider(canary, &self.defaults.provider) {
            Ok(provider) => Some(provider),
            Err(problem) => {
                found.add_unless_known(problem);
                None
            }
        };
        let reference = self.target_ref(found);
        let names = self.names(found);
        let ports = self.ports(provider, found);
        let way = self.way(provider, found);
        let interval_ms = self.interval(found);
        let threshold = self.threshold(found);
        let sizes = self.sizes(found);
        let hooks = self.hooks(way.as_ref(), found);
        let subject = self.subject(names.as_ref(), ports.as_ref());
        let questions = self.questions(subject.as_ref(), found);
        let shares = self.home_shares(found);
        let times = self.times(found);
        for problem in provider.map(|provider| support::told(canary, provider)).into_iter().flatten() {
            found.add_unless_known(problem);
        }
        let alerts = self.alerts(found);
        let gates = Gates::of(&hooks);
        let (asked, checks) = self.checks(&questions, &hooks, interval_ms, threshold);
        let judged = !questions.is_empty() || hooks.iter().any(|hook| hook.moment == Moment::Rollout);
        let way = way?;
        let plan = steps::plan(&way, sizes?, shares, times?, judged, &gates, interval_ms);
        let plan = plan.map_err(|problem| found.add_unless_known(problem.in_analysis(canary))).ok()?;
        Some(Wanted {
            name: canary.meta.name.clone(),
            namespace: canary.meta.namespace.clone(),
            generation: canary.meta.generation,
            provider: provider?,
            target: reference?.clone(),
            autoscaler: canary.autoscaler.clone(),
            names: names?,
            ports: ports?,
            service: canary.service.clone()?,
            way,
            plan,
            interval_ms,
            threshold,
            checks,
            asked,
            questions,
            hooks,
            gates,
            alerts,
            suspended: canary.suspend,
            deleting: canary.meta.deleting,
            revert_on_deletion: canary.revert_on_deletion,
            warnings: Vec::new(),
        })
    }

    fn alerts(&self, found: &mut Found) -> Vec<Alert> {
        let alerts = self.canary.analysis.as_ref().map(|analysis| analysis.alerts.clone()).unwrap_or_default();
        let away = |alert: &&Alert| alert.provider.1.as_ref().is_some_and(|ns| *ns != self.canary.meta.namespace);
        for alert in alerts.iter().filter(away).filter(|_| !self.defaults.cross_namespace) {
            let message = "the AlertProvider is in another namespace, and canaries may not look there";
            let path = format!("{}.providerRef.namespace", alert.path);
            let help = "copy it to the canary's namespace";
            found.add_unless_known(Problem::error(Rule::Reference, path, message, help));
        }
        alerts
    }

    /// The path of a field of the analysis, in the spelling that is used.
    fn analysis_path(&self, field: &str) -> String {
        let path = self.canary.analysis.as_ref().map_or("spec.analysis", |analysis| &analysis.path);
        format!("{path}.{field}")
    }

    fn subject(&self, names: Option<&Names>, ports: Option<&Ports>) -> Option<Subject> {
        let (names, ports) = (names?, ports?);
        Some(Subject {
            namespace: self.canary.meta.namespace.clone(),
            workload: names.workload.clone(),
            daemon_set: self.canary.target.as_ref()?.kind == "DaemonSet",
            service: names.service.clone(),
            port: ports.port,
        })
    }

    fn times(&self, found: &mut Found) -> Option<Times> {
        let seconds = self.canary.progress_deadline_seconds.unwrap_or(600);
        let Some(seconds) = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0) else {
            let message = format!("a deadline of {seconds} s would give every release up at once");
            let help = "write how many seconds nothing may make progress, such as 600";
            found.add_unless_known(Problem::error(Rule::Value, "spec.progressDeadlineSeconds", message, help));
            return None;
        };
        Some(Times {
            min_healthy_ms: u64::from(self.target.min_ready_seconds) * 1_000,
            healthy_ms: seconds * 1_000,
            progress_ms: seconds * 1_000,
            drain_ms: self.defaults.drain_ms,
            lease_ms: self.defaults.lease_ms,
            ..Times::default()
        })
    }
}

/// What is wrong between canaries: two that name one workload, and one that names the primary of another. Each is told
/// of both, by namespace and name. Flagger only logs that bad things will happen.
#[must_use]
pub fn collisions<'a>(canaries: impl IntoIterator<Item = &'a Canary>) -> Vec<(String, String, Problem)> {
    type Owners<'a> = Vec<(&'a Canary, bool)>;
    let mut by_workload: BTreeMap<(&str, String, &str), Owners<'a>> = BTreeMap::new();
    for canary in canaries {
        if let Some(target) = canary.target.as_ref().filter(|target| !target.name.is_empty()) {
            for (name, is_target) in [(target.name.clone(), true), (format!("{}-primary", target.name), false)] {
                let key = (canary.meta.namespace.as_str(), name, target.kind.as_str());
                by_workload.entry(key).or_default().push((canary, is_target));
            }
        }
    }
    let mut told = Vec::new();
    // Two canaries that share a target share its primary too: that is told once, of the target.
    let shared = |those: &&Owners<'a>| those.len() > 1 && those.iter().any(|(_, is_target)| *is_target);
    for ((namespace, workload, kind), those) in by_workload.iter().filter(|(_, those)| shared(those)) {
        for (canary, _) in those {
            let name = &canary.meta.name;
            let others: Vec<&str> =
                those.iter().map(|(other, _)| other.meta.name.as_str()).filter(|other| other != name).collect();
            let message = format!("{kind} {workload} belongs to the canary {} as well", others.join(" and "));
            let help = "let one canary release a workload, and delete the other one";
            let problem = Problem::error(Rule::Contradiction, "spec.targetRef.name", message, help);
            told.push(((*namespace).to_owned(), name.clone(), problem));
        }
    }
    told.sort_by(|a, b| (&a.0, &a.1, &a.2.message).cmp(&(&b.0, &b.1, &b.2.message)));
    told
}

#[cfg(test)]
mod tests;
