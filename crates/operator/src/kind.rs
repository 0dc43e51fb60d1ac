//! The kinds of objects that a release is made of, and where the API has them.

use std::fmt;

/// A kind of object that the operator watches or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// What is released: Flagger's `Canary`.
    Canary,
    /// A metric with its query: Flagger's `MetricTemplate`.
    MetricTemplate,
    /// Where alerts go: Flagger's `AlertProvider`.
    AlertProvider,
    /// A workload.
    Deployment,
    /// A workload with one pod for each node.
    DaemonSet,
    /// The pods of one template of a Deployment.
    ReplicaSet,
    /// What changes the number of pods.
    HorizontalPodAutoscaler,
    /// An address of pods.
    Service,
    /// How traffic is divided (Gateway API).
    HttpRoute,
    /// A Secret's metadata; its content is never read.
    Secret,
    /// A ConfigMap's metadata; its content is never read.
    ConfigMap,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 11] = [
        Kind::Canary,
        Kind::MetricTemplate,
        Kind::AlertProvider,
        Kind::Deployment,
        Kind::DaemonSet,
        Kind::ReplicaSet,
        Kind::HorizontalPodAutoscaler,
        Kind::Service,
        Kind::HttpRoute,
        Kind::Secret,
        Kind::ConfigMap,
    ];

    /// `apiVersion`, the kind as objects say it, and the plural of paths.
    const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Kind::Canary => ("flagger.app/v1beta1", "Canary", "canaries"),
            Kind::MetricTemplate => ("flagger.app/v1beta1", "MetricTemplate", "metrictemplates"),
            Kind::AlertProvider => ("flagger.app/v1beta1", "AlertProvider", "alertproviders"),
            Kind::Deployment => ("apps/v1", "Deployment", "deployments"),
            Kind::DaemonSet => ("apps/v1", "DaemonSet", "daemonsets"),
            Kind::ReplicaSet => ("apps/v1", "ReplicaSet", "replicasets"),
            Kind::HorizontalPodAutoscaler => ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
            Kind::Service => ("v1", "Service", "services"),
            Kind::HttpRoute => ("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes"),
            Kind::Secret => ("v1", "Secret", "secrets"),
            Kind::ConfigMap => ("v1", "ConfigMap", "configmaps"),
        }
    }

    /// The `apiVersion` of its objects.
    pub const fn api_version(self) -> &'static str {
        self.names().0
    }

    /// The `kind` of its objects.
    pub const fn name(self) -> &'static str {
        self.names().1
    }

    /// Whether only the metadata is asked for.
    pub const fn metadata_only(self) -> bool {
        matches!(self, Kind::Secret | Kind::ConfigMap)
    }

    /// The path of the collection in `namespace`, or in all of them.
    pub fn collection(self, namespace: Option<&str>) -> String {
        collection(self.api_version(), self.names().2, namespace)
    }

    /// The path of one object.
    pub fn path(self, namespace: &str, name: &str) -> String {
        format!("{}/{name}", self.collection(Some(namespace)))
    }
}

/// The path of a collection of the resource `plural`.
pub(crate) fn collection(api_version: &str, plural: &str, namespace: Option<&str>) -> String {
    let root = if api_version.contains('/') { "apis" } else { "api" };
    match namespace {
        Some(namespace) => format!("/{root}/{api_version}/namespaces/{namespace}/{plural}"),
        None => format!("/{root}/{api_version}/{plural}"),
    }
}

/// Whether this may stand in a path as the name of an object or of a namespace. What people write into a spec can be
/// anything, and `..` or a slash would ask for another object.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':');
    !text.is_empty() && text.len() <= 253 && text != "." && text != ".." && text.chars().all(plain)
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// A key of these.
    pub fn new(kind: Kind, namespace: impl Into<String>, name: impl Into<String>) -> Key {
        Key { kind, namespace: namespace.into(), name: name.into() }
    }

    /// The object's path, or the sentence that says why there can be none.
    pub(crate) fn path(&self) -> Result<String, String> {
        for (what, text) in [("a namespace", &self.namespace), ("an object", &self.name)] {
            if !is_name(text) {
                return Err(format!("{text:?} cannot be the name of {what}: use letters, digits, '-' and '.'"));
            }
        }
        Ok(self.kind.path(&self.namespace, &self.name))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        assert_eq!(Kind::Service.collection(None), "/api/v1/services");
        assert_eq!(Kind::Canary.collection(Some("a")), "/apis/flagger.app/v1beta1/namespaces/a/canaries");
        assert_eq!(
            Key::new(Kind::HttpRoute, "a", "b").path().expect("a path"),
            "/apis/gateway.networking.k8s.io/v1/namespaces/a/httproutes/b"
        );
    }

    #[test]
    fn a_name_cannot_ask_for_another_object() {
        for name in ["", ".", "..", "a/b", "../secrets/x", "a?b", "a%2fb", "a b"] {
            assert!(Key::new(Kind::Deployment, "a", name).path().is_err(), "{name:?}");
            assert!(Key::new(Kind::Deployment, name, "a").path().is_err(), "{name:?}");
        }
    }
}
