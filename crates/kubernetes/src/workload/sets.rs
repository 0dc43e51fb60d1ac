//! What there is of a Deployment, counted by its ReplicaSets: each of them has one template, so what they say is of one
//! revision, which the Deployment's own sums are not.
use super::Kind;
use super::content::template_digest;
use super::reading::{at, count, observed, template, text, title, truth};
use crate::problem::{Problem, Rule};
use serde_json::Value;

/// What there is of a slot.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// What kind of workload it is.
    pub kind: Kind,
    /// The workload.
    pub workload: Option<&'a Value>,
    /// ReplicaSets of the namespace; those that the Deployment does not own are passed over. They are read after the
    /// Deployment.
    pub replica_sets: &'a [&'a Value],
    /// The HorizontalPodAutoscaler that scales it.
    pub autoscaler: Option<&'a Value>,
}

impl<'a> Now<'a> {
    /// Its Deployment.
    ///
    /// # Errors
    /// A DaemonSet: its status counts the pods of all templates together, and a paused one (`OnDelete`) starts the newest
    /// template wherever a pod dies. So nobody can say which of its pods are of the revision that was analysed.
    pub(super) fn deployment(&self) -> Result<Option<&'a Value>, Problem> {
        match self.kind {
            Kind::Deployment => Ok(self.workload),
            Kind::DaemonSet => {
                let message = "the status of a DaemonSet does not tell which of its pods are of which template";
                let help = "release a Deployment, or leave this canary to Flagger until Serin can do it";
                Err(Problem::error(Rule::Unsupported, "spec.targetRef.kind", message, help))
            }
        }
    }
}

/// The ReplicaSets of a Deployment, counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sets {
    /// How many of them have the template that is asked for; more than one is odd, and possible.
    pub exist: usize,
    /// How many pods these are to have.
    pub wanted: u16,
    /// How many of these are ready.
    pub ready: u16,
    /// How many of these have been ready for `minReadySeconds`.
    pub available: u16,
    /// How many pods all the others are to have.
    pub others: u16,
    /// All pods of all of them, those that are being stopped included.
    pub total: u16,
    /// Whether the controller has seen what each is to have.
    pub observed: bool,
}

impl Sets {
    /// Counts those that `workload` owns. `digest` is that of the template that is asked for.
    ///
    /// # Errors
    /// What is no number, or too large.
    pub(super) fn count(workload: &Value, now: &Now<'_>, digest: &str) -> Result<Sets, Problem> {
        let mut sets = Sets { exist: 0, wanted: 0, ready: 0, available: 0, others: 0, total: 0, observed: true };
        let add = |sum: &mut u16, more: u16| match sum.checked_add(more) {
            Some(all) => {
                *sum = all;
                Ok(())
            }
            None => {
                let message = format!("{} has more pods than can be counted", title(workload));
                Err(Problem::error(Rule::Value, "status.replicas", message, "up to 65535 are counted"))
            }
        };
        for set in now.replica_sets.iter().filter(|set| owns(workload, set)) {
            let wanted = count(set, "/spec/replicas")?;
            add(&mut sets.total, count(set, "/status/replicas")?)?;
            add(&mut sets.total, count(set, "/status/terminatingReplicas")?)?;
            sets.observed = sets.observed && observed(set)?;
            if template_digest(template(set)?) == digest {
                sets.exist += 1;
                add(&mut sets.wanted, wanted)?;
                add(&mut sets.ready, count(set, "/status/readyReplicas")?)?;
                add(&mut sets.available, count(set, "/status/availableReplicas")?)?;
            } else {
                add(&mut sets.others, wanted)?;
            }
        }
        // A ReplicaSet that is not seen yet may have pods: the Deployment tells of them, and unknown is not empty.
        let mut told = count(workload, "/status/replicas")?;
        add(&mut told, count(workload, "/status/terminatingReplicas")?)?;
        sets.total = sets.total.max(told);
        sets.ready = sets.ready.min(sets.total);
        sets.available = sets.available.min(sets.ready);
        Ok(sets)
    }

    /// Whether the controller has nothing left to roll: the ReplicaSet is there with its full number, and no other has any.
    pub(super) const fn complete(&self, desired: u16) -> bool {
        self.exist > 0 && self.wanted >= desired && self.others == 0
    }
}

/// What a Deployment is told to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// `spec.replicas`.
    pub desired: u16,
    /// `spec.paused`.
    pub paused: bool,
    /// It is being deleted.
    pub leaving: bool,
    /// The controller has seen this.
    pub observed: bool,
}

impl Told {
    /// Reads a Deployment.
    ///
    /// # Errors
    /// What is of the wrong kind, or too large.
    pub(super) fn of(workload: &Value) -> Result<Told, Problem> {
        // The API server fills in 1 where nothing is written; an object that has not been there says so too.
        let desired = if at(workload, "/spec/replicas").is_some() { count(workload, "/spec/replicas")? } else { 1 };
        Ok(Told {
            desired,
            paused: truth(workload, "/spec/paused")?,
            leaving: text(workload, "/metadata/deletionTimestamp")?.is_some(),
            observed: observed(workload)?,
        })
    }
}

/// Whether `set` is controlled by `workload`, by its uid: a name may have been somebody else's before.
fn owns(workload: &Value, set: &Value) -> bool {
    let uid = workload.pointer("/metadata/uid").and_then(Value::as_str);
    let owners = set.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let is = |owner: &Value| {
        owner.get("uid").and_then(Value::as_str) == uid
            && owner.get("controller").and_then(Value::as_bool) == Some(true)
    };
    uid.is_some() && owners.is_some_and(|owners| owners.iter().any(is))
}
