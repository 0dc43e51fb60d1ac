//! `Canary`: which workload is released how.
use super::{Analysis, Decoded, Meta, Service, decoded};
use crate::decode::Fields;
use crate::problem::{Problem, Rule};
use serde_json::Value;
use std::collections::BTreeMap;

/// A workload and how it is released, as it is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Canary {
    /// What it says of itself.
    pub meta: Meta,
    /// Who divides the traffic; the operator's default where it is absent.
    pub provider: Option<String>,
    /// The Prometheus of the built-in metrics; the operator's default where it is absent.
    pub metrics_server: Option<String>,
    /// The workload.
    pub target: Option<Reference>,
    /// What scales it.
    pub autoscaler: Option<Autoscaler>,
    /// An Ingress that requests come by.
    pub ingress: Option<Reference>,
    /// A route of APISIX that requests come by.
    pub route: Option<Reference>,
    /// An upstream of Gloo whose settings are copied.
    pub upstream: Option<Reference>,
    /// How it is reached.
    pub service: Option<Service>,
    /// How the release goes on.
    pub analysis: Option<Analysis>,
    /// How long nothing may make progress, in seconds; 600 where it is absent.
    pub progress_deadline_seconds: Option<i64>,
    /// Whether a new revision is promoted unjudged.
    pub skip_analysis: bool,
    /// Whether the workload becomes what it was when the object is deleted.
    pub revert_on_deletion: bool,
    /// Whether nothing is to be done.
    pub suspend: bool,
}

/// Another object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    /// Its version, such as `apps/v1`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace, where it may be in another one.
    pub namespace: Option<String>,
}

/// What scales a workload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Autoscaler {
    /// The `HorizontalPodAutoscaler`, or KEDA's `ScaledObject`.
    pub reference: Reference,
    /// KEDA's queries for the primary, by the trigger's name.
    pub primary_queries: BTreeMap<String, String>,
    /// The primary's least number, where it differs from the target's.
    pub primary_min: Option<i64>,
    /// The primary's greatest number, where it differs from the target's.
    pub primary_max: Option<i64>,
}

impl Canary {
    /// The kind's name.
    pub const KIND: &'static str = "Canary";

    /// Reads one canary.
    ///
    /// # Errors
    /// Why the value is none at all; everything else stands beside the object.
    pub fn decode(value: &Value) -> Result<Decoded<Canary>, Vec<Problem>> {
        decoded(value, Self::KIND, Self::read)
    }

    pub(super) fn read(fields: &mut Fields<'_, '_>, meta: Meta) -> Canary {
        match fields.child("spec", Self::read_spec) {
            Some(spec) => Canary { meta, ..spec },
            None => Canary { meta, ..Canary::default() },
        }
    }

    fn read_spec(spec: &mut Fields<'_, '_>) -> Canary {
        let present = spec.child("analysis", Analysis::read);
        let old = spec.child("canaryAnalysis", Analysis::read);
        if present.is_some() && old.is_some() {
            let message = "both `analysis` and `canaryAnalysis` are written, and `analysis` alone counts";
            let help = "leave `canaryAnalysis` out: it is the old name";
            spec.add(Problem::warning(Rule::NoEffect, spec.at("canaryAnalysis"), message, help));
        }
        Canary {
            meta: Meta::default(),
            provider: spec.filled("provider"),
            metrics_server: spec.filled("metricsServer"),
            target: spec.child("targetRef", |f| Reference::read(f, "Deployment")),
            autoscaler: spec.child("autoscalerRef", Autoscaler::read),
            ingress: spec.child("ingressRef", |f| Reference::read(f, "Ingress")),
            route: spec.child("routeRef", |f| Reference::read(f, "ApisixRoute")),
            upstream: spec.child("upstreamRef", |f| {
                let namespace = f.filled("namespace");
                Reference { namespace, ..Reference::read(f, "Upstream") }
            }),
            service: spec.child("service", Service::read),
            analysis: present.or(old),
            progress_deadline_seconds: spec.whole("progressDeadlineSeconds"),
            skip_analysis: spec.truth("skipAnalysis").unwrap_or(false),
            revert_on_deletion: spec.truth("revertOnDeletion").unwrap_or(false),
            suspend: spec.truth("suspend").unwrap_or(false),
        }
    }
}

impl Reference {
    fn read(fields: &mut Fields<'_, '_>, kind: &str) -> Reference {
        Reference {
            api_version: fields.text("apiVersion").unwrap_or_default(),
            kind: fields.text("kind").filter(|text| !text.is_empty()).unwrap_or_else(|| kind.to_owned()),
            name: fields.needed_text("name", "write the name of the object that is meant").unwrap_or_default(),
            namespace: None,
        }
    }
}

impl Autoscaler {
    fn read(fields: &mut Fields<'_, '_>) -> Autoscaler {
        let replicas = fields.child("primaryScalerReplicas", |f| (f.whole("minReplicas"), f.whole("maxReplicas")));
        let (primary_min, primary_max) = replicas.unwrap_or_default();
        Autoscaler {
            reference: Reference::read(fields, "HorizontalPodAutoscaler"),
            primary_queries: fields.texts_by_name("primaryScalerQueries"),
            primary_min,
            primary_max,
        }
    }
}
