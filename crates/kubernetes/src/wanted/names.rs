//! What the workloads and services of a canary are called, where they listen, and how many instances there are.
use super::View;
use crate::decode::cut;
use crate::flagger::Reference;
use crate::problem::{Found, Problem, Rule};
use crate::support::Provider;
use serin_rollout::Pair;

/// The most characters of a name that becomes a label or a service.
const LONGEST: usize = 63;
/// What a target's own copy is called after.
const PRIMARY: &str = "-primary";

/// What things are called, as with Flagger. Slot 0 is the primary, at which the service rests; slot 1 the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The workload of each slot: `podinfo-primary` and `podinfo`.
    pub workload: Pair<String>,
    /// The service that users call: `podinfo`.
    pub apex: String,
    /// The service of each slot: `podinfo-primary` and `podinfo-canary`.
    pub service: Pair<String>,
}

/// Where services listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The services' port.
    pub port: u16,
    /// Its name.
    pub name: String,
    /// The container's port, a number or a name.
    pub target: String,
}

/// How many instances there are, and how many of them may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub replicas: u16,
    pub max_unavailable: u16,
}

impl View<'_> {
    pub(super) fn target_ref(&self, found: &mut Found) -> Option<&Reference> {
        let Some(target) = &self.canary.target else {
            let help = "write `targetRef` with apiVersion apps/v1, kind Deployment and the name";
            found.add_unless_known(Problem::error(
                Rule::Missing,
                "spec.targetRef",
                "nothing says what is released",
                help,
            ));
            return None;
        };
        let knative = target.kind == "Service" && target.api_version.starts_with("serving.knative.dev/");
        if !["Deployment", "DaemonSet", "Service"].contains(&target.kind.as_str()) {
            let message = format!("a {} cannot be released", cut(&target.kind));
            let problem = Problem::error(Rule::Value, "spec.targetRef.kind", message, "write Deployment or DaemonSet");
            found.add_unless_known(problem);
        } else if knative {
            let message = "Knative is not carried out by Serin yet";
            let help = "leave this canary to Flagger until Serin can do it";
            found.add_unless_known(Problem::error(Rule::Unsupported, "spec.targetRef.apiVersion", message, help));
        } else if target.kind != "Service" && target.api_version != "apps/v1" {
            let message = format!("`{}` is read as apps/v1", cut(&target.api_version));
            let problem = Problem::warning(Rule::Surprise, "spec.targetRef.apiVersion", message, "write apps/v1");
            found.add_unless_known(problem);
        }
        Some(target)
    }

    pub(super) fn names(&self, found: &mut Found) -> Option<Names> {
        let target = self.canary.target.as_ref().filter(|target| !target.name.is_empty())?;
        let written = self.canary.service.as_ref().and_then(|service| service.name.clone());
        let path = if written.is_some() { "spec.service.name" } else { "spec.targetRef.name" };
        let apex = written.unwrap_or_else(|| target.name.clone());
        let names = Names {
            workload: [format!("{}{PRIMARY}", target.name), target.name.clone()],
            service: [format!("{apex}{PRIMARY}"), format!("{apex}-canary")],
            apex,
        };
        if names.workload[0].len() > LONGEST {
            let message = format!("`{}` would have {} characters", cut(&names.workload[0]), names.workload[0].len());
            let help = format!("take a name of at most {} characters", LONGEST - PRIMARY.len());
            found.add_unless_known(Problem::error(Rule::Value, "spec.targetRef.name", message, help));
        }
        let longest = names.service.iter().max_by_key(|name| name.len()).map_or(0, String::len);
        if longest > LONGEST {
            let message = format!("the services of `{}` would have {longest} characters", cut(&names.apex));
            let help = format!("write `service.name` with at most {} characters", LONGEST - PRIMARY.len());
            found.add_unless_known(Problem::error(Rule::Value, path, message, help));
        } else if !is_service_name(&names.apex) {
            let message = format!("`{}` cannot be the name of a service", cut(&names.apex));
            let help = "write `service.name` in small letters, digits and `-`, beginning with a letter";
            found.add_unless_known(Problem::error(Rule::Value, path, message, help));
        }
        if let Some(own) = target.name.strip_suffix(PRIMARY)
            && (own == self.canary.meta.name || own == names.apex)
        {
            let message = format!("`{}` is the primary that is kept for `{own}`", cut(&target.name));
            let problem = Problem::error(Rule::Contradiction, "spec.targetRef.name", message, format!("write {own}"));
            found.add_unless_known(problem);
        }
        Some(names)
    }

    pub(super) fn ports(&self, provider: Option<Provider>, found: &mut Found) -> Option<Ports> {
        let Some(service) = &self.canary.service else {
            let help = "write `service` with the `port`";
            found.add_unless_known(Problem::error(Rule::Missing, "spec.service", "nothing says how users come", help));
            return None;
        };
        if provider == Some(Provider::GatewayApi) && service.gateway_refs.is_empty() {
            let help = "write `gatewayRefs` with the name and namespace of the Gateway";
            let message = "the route belongs to no Gateway, so nobody would carry it out";
            found.add_unless_known(Problem::error(Rule::Missing, "spec.service.gatewayRefs", message, help));
        }
        let number = |value: i64| u16::try_from(value).ok().filter(|port| *port > 0);
        let help = "write a number from 1 to 65535";
        if let Some(target) = service.target_port.as_deref().and_then(|text| text.parse::<i64>().ok())
            && number(target).is_none()
        {
            let problem =
                Problem::error(Rule::Value, "spec.service.targetPort", format!("{target} is not a port"), help);
            found.add_unless_known(problem);
        }
        let Some(written) = service.port else {
            let problem = Problem::error(Rule::Missing, "spec.service.port", "nothing says on which port", help);
            found.add_unless_known(problem);
            return None;
        };
        let Some(port) = number(written) else {
            let problem = Problem::error(Rule::Value, "spec.service.port", format!("{written} is not a port"), help);
            found.add_unless_known(problem);
            return None;
        };
        Some(Ports {
            port,
            name: service.port_name.clone().unwrap_or_else(|| "http".to_owned()),
            target: service.target_port.clone().unwrap_or_else(|| port.to_string()),
        })
    }

    /// How many instances a set has while a release runs: the most of what the primary has (it carries the present load,
    /// whatever an autoscaler made of it), what the autoscaler never goes below, and what the target is written with. A
    /// target that was scaled to 0 beside its primary says nothing. A DaemonSet has one on each node.
    pub(super) fn sizes(&self, found: &mut Found) -> Option<Sizes> {
        let at = self.target;
        let daemon_set = self.canary.target.as_ref().is_some_and(|target| target.kind == "DaemonSet");
        let most = [at.primary, at.autoscaler_min, at.replicas].into_iter().flatten().max();
        let (wanted, why) = if daemon_set {
            (at.nodes.unwrap_or(0), "runs on no node")
        } else {
            (most.unwrap_or(1), "has no replicas")
        };
        if wanted == 0 {
            let help = "scale it to at least 1: there is nothing that could be released";
            let problem = Problem::error(Rule::Reference, "spec.targetRef", format!("the workload {why}"), help);
            found.add_unless_known(problem);
            return None;
        }
        let Ok(replicas) = u16::try_from(wanted) else {
            let help = format!("at most {} can be released", u16::MAX);
            let message = format!("the workload has {wanted} replicas");
            found.add_unless_known(Problem::error(Rule::Reference, "spec.targetRef", message, help));
            return None;
        };
        let percent = self.ready_percent(found)?;
        let floor = (u32::from(replicas) * percent).div_ceil(100).max(1);
        let floor = u16::try_from(floor).unwrap_or(replicas).min(replicas);
        Some(Sizes { replicas, max_unavailable: replicas - floor })
    }

    /// The higher of the two percentages.
    fn ready_percent(&self, found: &mut Found) -> Option<u32> {
        let analysis = self.canary.analysis.as_ref();
        let mut read = |field: &str, written: Option<i64>| match written.unwrap_or(100) {
            percent @ 0..=100 => u32::try_from(percent).ok(),
            other => {
                let help = "write how many per cent of the instances must be available, from 1 to 100";
                let message = format!("{other} is not a percentage");
                found.add_unless_known(Problem::error(Rule::Value, self.analysis_path(field), message, help));
                None
            }
        };
        let primary = read("primaryReadyThreshold", analysis.and_then(|a| a.primary_ready_threshold));
        let canary = read("canaryReadyThreshold", analysis.and_then(|a| a.canary_ready_threshold));
        let (primary, canary) = (primary?, canary?);
        if primary != canary {
            let field = if primary < canary { "primaryReadyThreshold" } else { "canaryReadyThreshold" };
            let message =
                format!("{primary} % for the primary and {canary} % for the canary: the higher one counts for both");
            let help = "write both with the same value to have the lower one";
            found.add_unless_known(Problem::warning(Rule::Surprise, self.analysis_path(field), message, help));
        }
        Some(primary.max(canary))
    }
}

/// RFC 1035's label: what Kubernetes takes as the name of a service.
fn is_service_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.ends_with(plain)
        && name.chars().all(|c| plain(c) || c == '-')
}
