//! What a request is to Kubernetes: its verb and what it is about, as the API server itself reads them out of method,
//! path and query (its request info; see "Request verbs" in the Kubernetes documentation on authorization).

use http::Request;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Call {
    /// get, list, watch, create, update, patch, delete, deletecollection; the method in small letters where the path
    /// is about no resource.
    pub verb: String,
    /// The API group; empty for the first one.
    pub group: String,
    /// The resource with its subresource, such as `pods` or `deployments/scale`; the path where there is none.
    pub resource: String,
    /// The namespace; empty where there is none.
    pub namespace: String,
    /// The object's name; empty where there is none.
    pub name: String,
    /// The client's program, as it names itself.
    pub agent: String,
}

impl Call {
    /// Reads a request's head.
    pub fn of<B>(request: &Request<B>) -> Call {
        let agent = request.headers().get(http::header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let query = request.uri().query().unwrap_or_default();
        Call { agent: agent.to_owned(), ..Call::read(request.method().as_str(), request.uri().path(), query) }
    }

    fn read(method: &str, path: &str, query: &str) -> Call {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let plain = || Call { verb: method.to_lowercase(), resource: path.to_owned(), ..Call::default() };
        let (group, rest) = match parts.as_slice() {
            ["api", _, rest @ ..] => ("", rest),
            ["apis", group, _, rest @ ..] => (*group, rest),
            _ => return plain(),
        };
        let (old_watch, rest) = match rest {
            ["watch", rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        // `namespaces/NAME/RESOURCE…` is about what is in it; `namespaces/NAME` and its subresources about itself.
        let (namespace, rest) = match rest {
            ["namespaces", _, "status" | "finalize"] => ("", rest),
            ["namespaces", namespace, inside @ ..] if !inside.is_empty() => (*namespace, inside),
            rest => ("", rest),
        };
        let (resource, name, part) = match rest {
            [] => return plain(),
            [resource] => (*resource, "", None),
            [resource, name] => (*resource, *name, None),
            [resource, name, part, ..] => (*resource, *name, Some(*part)),
        };
        let has = |wanted: &str| query.split('&').any(|pair| pair == wanted);
        let watches = old_watch || has("watch=true") || has("watch=1") || has("watch");
        let verb = match (method, name.is_empty()) {
            ("GET" | "HEAD", _) if watches => "watch",
            ("GET" | "HEAD", true) => "list",
            ("GET" | "HEAD", false) => "get",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", true) => "deletecollection",
            ("DELETE", false) => "delete",
            (other, _) => &other.to_lowercase(),
        };
        Call {
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: part.map_or(resource.to_owned(), |part| format!("{resource}/{part}")),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            agent: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_named_as_kubernetes_names_them() {
        let table = [
            ("GET", "/api/v1/namespaces/a/pods", "", "list pods a -"),
            ("GET", "/api/v1/namespaces/a/pods?watch=true", "", "watch pods a -"),
            ("GET", "/api/v1/pods?limit=5&watch=1", "", "watch pods - -"),
            ("GET", "/api/v1/watch/namespaces/a/pods", "", "watch pods a -"),
            ("GET", "/api/v1/namespaces/a/pods/b", "", "get pods a b"),
            ("GET", "/api/v1/namespaces/a/pods/b/log", "", "get pods/log a b"),
            ("GET", "/api/v1/namespaces", "", "list namespaces - -"),
            ("GET", "/api/v1/namespaces/a", "", "get namespaces - a"),
            ("PUT", "/api/v1/namespaces/a/finalize", "", "update namespaces/finalize - a"),
            ("POST", "/api/v1/namespaces/a/serviceaccounts/b/token", "", "create serviceaccounts/token a b"),
            ("PATCH", "/apis/apps/v1/namespaces/a/deployments/b/scale", "apps", "patch deployments/scale a b"),
            ("DELETE", "/apis/apps/v1/namespaces/a/deployments/b", "apps", "delete deployments a b"),
            ("DELETE", "/apis/apps/v1/namespaces/a/deployments", "apps", "deletecollection deployments a -"),
            ("GET", "/apis/apps/v1", "", "get /apis/apps/v1 - -"),
            ("GET", "/readyz", "", "get /readyz - -"),
            ("POST", "/", "", "post / - -"),
        ];
        for (method, uri, group, wanted) in table {
            let request = Request::builder().method(method).uri(uri).header("user-agent", "x/1").body(()).expect("one");
            let call = Call::of(&request);
            let dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
            let seen = format!("{} {} {} {}", call.verb, call.resource, dash(&call.namespace), dash(&call.name));
            assert_eq!((seen.as_str(), call.group.as_str()), (wanted, group), "{method} {uri}");
            assert_eq!(call.agent, "x/1");
        }
    }
}
