//! `spec.service`: the services that stand for the application, and what the route to them says.
use crate::decode::Fields;
use serde_json::Value;
use std::collections::BTreeMap;

/// How the application is reached.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// The name of the apex service; the target's where it is absent.
    pub name: Option<String>,
    /// The port that all services listen on.
    pub port: Option<i64>,
    /// Its name; `http` where it is absent.
    pub port_name: Option<String>,
    /// The container's port, a number or a name; the service's where it is absent.
    pub target_port: Option<String>,
    /// The protocol as Kubernetes notes it at the port.
    pub app_protocol: Option<String>,
    /// Which endpoints are preferred.
    pub traffic_distribution: Option<String>,
    /// Whether all ports of the containers get into the services.
    pub port_discovery: bool,
    /// Whether the services have no address of their own.
    pub headless: bool,
    /// How long a request may take.
    pub timeout: Option<String>,
    /// How long one try at a backend may take.
    pub backend_timeout: Option<String>,
    /// Istio's gateways.
    pub gateways: Vec<String>,
    /// The Gateways (or other parents) that the route belongs to, as `ParentReference` of the Gateway API.
    pub gateway_refs: Vec<Value>,
    /// The host names that the route is for.
    pub hosts: Vec<String>,
    /// Istio's delegation.
    pub delegation: bool,
    /// Istio's `TrafficPolicy`.
    pub traffic_policy: Option<Value>,
    /// Which requests the route takes, as Istio's `HTTPMatchRequest`.
    pub matches: Vec<Value>,
    /// How a request is rewritten.
    pub rewrite: Option<Rewrite>,
    /// Istio's `HTTPRetry`.
    pub retries: Option<Value>,
    /// Istio's `Headers`.
    pub headers: Option<Value>,
    /// Where requests are copied to, as `HTTPRequestMirrorFilter` of the Gateway API.
    pub mirror: Vec<Value>,
    /// Istio's `CorsPolicy`.
    pub cors_policy: Option<Value>,
    /// App Mesh's mesh.
    pub mesh_name: Option<String>,
    /// App Mesh's backends.
    pub backends: Vec<String>,
    /// What the apex service gets besides.
    pub apex: Labels,
    /// What the primary service gets besides.
    pub primary: Labels,
    /// What the canary service gets besides.
    pub canary: Labels,
    /// What others put on the services and is left alone.
    pub unmanaged: Unmanaged,
}

/// Labels and annotations of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Keys on services that are somebody else's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unmanaged {
    /// Keys of labels.
    pub labels: Vec<String>,
    /// Keys of annotations.
    pub annotations: Vec<String>,
}

/// How a request is rewritten on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// The path.
    pub uri: Option<String>,
    /// The host.
    pub authority: Option<String>,
    /// `ReplaceFullPath` or `ReplacePrefixMatch`.
    pub kind: Option<String>,
}

impl Service {
    pub(super) fn read(fields: &mut Fields<'_, '_>) -> Service {
        Service {
            name: fields.filled("name"),
            port: fields.whole("port"),
            port_name: fields.filled("portName"),
            target_port: fields.number_or_name("targetPort"),
            app_protocol: fields.filled("appProtocol"),
            traffic_distribution: fields.filled("trafficDistribution"),
            port_discovery: fields.truth("portDiscovery").unwrap_or(false),
            headless: fields.truth("headless").unwrap_or(false),
            timeout: fields.filled("timeout"),
            backend_timeout: fields.filled("backendTimeout"),
            gateways: fields.texts("gateways"),
            gateway_refs: fields.foreigners("gatewayRefs"),
            hosts: fields.texts("hosts"),
            delegation: fields.truth("delegation").unwrap_or(false),
            traffic_policy: fields.foreign("trafficPolicy"),
            matches: fields.foreigners("match"),
            rewrite: fields.child("rewrite", |rewrite| Rewrite {
                uri: rewrite.filled("uri"),
                authority: rewrite.filled("authority"),
                kind: rewrite.filled("type"),
            }),
            retries: fields.foreign("retries"),
            headers: fields.foreign("headers"),
            mirror: fields.foreigners("mirror"),
            cors_policy: fields.foreign("corsPolicy"),
            mesh_name: fields.filled("meshName"),
            backends: fields.texts("backends"),
            apex: fields.child("apex", Labels::read).unwrap_or_default(),
            primary: fields.child("primary", Labels::read).unwrap_or_default(),
            canary: fields.child("canary", Labels::read).unwrap_or_default(),
            unmanaged: fields
                .child("unmanagedMetadata", |fields| Unmanaged {
                    labels: fields.texts("labels"),
                    annotations: fields.texts("annotations"),
                })
                .unwrap_or_default(),
        }
    }
}

impl Labels {
    fn read(fields: &mut Fields<'_, '_>) -> Labels {
        Labels { labels: fields.texts_by_name("labels"), annotations: fields.texts_by_name("annotations") }
    }
}
