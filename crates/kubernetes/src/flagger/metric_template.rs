//! `MetricTemplate`: a query with places for names, and whom to ask.
use super::{Decoded, Meta, decoded};
use crate::decode::Fields;
use crate::problem::Problem;
use serde_json::Value;
use std::collections::BTreeMap;

/// A query that canaries refer to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricTemplate {
    /// What it says of itself.
    pub meta: Meta,
    /// Whom to ask.
    pub provider: MetricProvider,
    /// The query, with Go's braces.
    pub query: String,
}

/// Where a template's query is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricProvider {
    /// Which kind of system: `prometheus`, `datadog`, …
    pub kind: String,
    /// Its address.
    pub address: Option<String>,
    /// Headers of every request.
    pub headers: BTreeMap<String, Vec<String>>,
    /// The Secret with the credentials, in the template's namespace.
    pub secret: Option<String>,
    /// A cloud's region.
    pub region: Option<String>,
    /// Whether the server's certificate is taken unseen.
    pub insecure_skip_verify: bool,
}

impl MetricTemplate {
    /// The kind's name.
    pub const KIND: &'static str = "MetricTemplate";

    /// Reads one template.
    ///
    /// # Errors
    /// Why the value is none at all; everything else stands beside the object.
    pub fn decode(value: &Value) -> Result<Decoded<MetricTemplate>, Vec<Problem>> {
        decoded(value, Self::KIND, Self::read)
    }

    pub(super) fn read(fields: &mut Fields<'_, '_>, meta: Meta) -> MetricTemplate {
        let spec = fields.child("spec", |spec| {
            let provider = spec.child("provider", |provider| MetricProvider {
                kind: provider.needed_text("type", "write prometheus").unwrap_or_default(),
                address: provider.text("address").filter(|text| !text.is_empty()),
                headers: provider.lists_by_name("headers"),
                secret: provider
                    .child("secretRef", |secret| secret.needed_text("name", "write the name of a Secret"))
                    .flatten(),
                region: provider.text("region").filter(|text| !text.is_empty()),
                insecure_skip_verify: provider.truth("insecureSkipVerify").unwrap_or(false),
            });
            let query = spec.needed_text("query", "write the query that is asked").unwrap_or_default();
            (provider.unwrap_or_default(), query)
        });
        let (provider, query) = spec.unwrap_or_default();
        MetricTemplate { meta, provider, query }
    }
}
