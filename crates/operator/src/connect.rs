//! How the API server is found and reached.
//!
//! Looked for in this order, as `kubectl` and controllers do: the files that `KUBECONFIG` names; `~/.kube/config`; the
//! account of the pod that this runs in. The first that is there is taken: one that is there and wrong is an error, and
//! never a reason to talk to another cluster.
//!
//! Connections are HTTP/1.1, one for each open watch. A server that is gone without a word is noticed by TCP keep-alive,
//! without a call; a server that hangs, by the timeout of each call and by the deadline of each watch.
//!
//! The client repeats nothing by itself. `kube` would send a call again that was answered by 429, 503 or 504, also a write
//! of which nobody knows whether it was done; only the caller knows whether that is harmless.

use crate::call::{Ask, CallError};
use http::HeaderValue;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tower::BoxError;
use tower::util::MapErrLayer;

/// How the API server is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a call may take until its answer is whole. Watches are held otherwise.
    pub timeout: Duration,
    /// This kubeconfig and no other, wherever else one may be.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; its current one where none is named.
    pub context: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { timeout: Duration::from_secs(10), kubeconfig: None, context: None }
    }
}

/// Why there is no connection: what, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Nothing says where a cluster is.
    #[error("no cluster is named: {0}")]
    Nowhere(String),
    /// What says it cannot be read, or makes no sense.
    #[error("{place} does not say how a cluster is reached: {why}")]
    Unreadable {
        /// Where it was looked for.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// The server is there, and does not know who asks, or does not let them ask anything.
    #[error("{server} does not accept the credentials of {place}: {why}")]
    NotAllowed {
        /// The server's address.
        server: String,
        /// Where the credentials are from.
        place: String,
        /// The server's words, and what to do.
        why: String,
    },
    /// The server cannot be reached, or does not answer as one.
    #[error("{why} (the address is from {place})")]
    Unreachable {
        /// Where the address is from.
        place: String,
        /// What happened.
        why: String,
    },
}

/// An API server that can be asked. A clone shares its connections.
#[derive(Clone)]
pub struct Api {
    client: Client,
    timeout: Duration,
    server: String,
}

impl Api {
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// For tests: a server by its address alone.
    #[cfg(test)]
    pub(crate) fn at(url: &str, timeout: Duration) -> Api {
        api(Config::new(url.parse().expect("a URL")), timeout).expect("a client")
    }

    /// How long a call may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The server's address.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The version that the server says it has, such as `v1.35.0`.
    ///
    /// # Errors
    /// As every call.
    pub async fn version(&self) -> Result<String, CallError> {
        let said = self.call(Ask::get("/version".to_owned()), self.timeout).await?;
        let version = said.get("gitVersion").and_then(Value::as_str).unwrap_or_default();
        if version.is_empty() {
            return Err(CallError::Unknown(format!(
                "{} answers, but not as a Kubernetes API server does",
                self.server
            )));
        }
        Ok(version.to_owned())
    }
}

/// Finds the cluster, reaches it once, and returns it with its version.
///
/// # Errors
/// A sentence that says what is missing, where it was looked for, and what to do.
pub async fn connect(settings: &Settings) -> Result<(Api, String), ConnectError> {
    let source = match &settings.kubeconfig {
        Some(path) => Source::Files(vec![path.clone()]),
        None => Surroundings::of_process().source()?,
    };
    let place = source.to_string();
    let config = config(&source, settings.context.as_deref()).await?;
    let api = api(config, settings.timeout)
        .map_err(|e| ConnectError::Unreadable { place: place.clone(), why: e.to_string() })?;
    match api.version().await {
        Ok(version) => Ok((api, version)),
        Err(CallError::Refused(refusal)) => {
            let todo = match refusal.code {
                401 => "the token or certificate is wrong, or its time is over; get new credentials",
                _ => "let this account read /version (every cluster lets system:public-info-viewer do so)",
            };
            let why = format!("{} ({}): {todo}", refusal.message, refusal.code);
            Err(ConnectError::NotAllowed { server: api.server, place, why })
        }
        Err(error @ (CallError::NotSent(_) | CallError::Unknown(_))) => {
            Err(ConnectError::Unreachable { place, why: error.to_string() })
        }
    }
}

/// A client for this configuration. Nothing is sent yet.
fn api(mut config: Config, timeout: Duration) -> Result<Api, kube::Error> {
    // Which cryptography is used is this program's choice; where it was made already, it is kept.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let agent = HeaderValue::from_static(concat!("serin/", env!("CARGO_PKG_VERSION")));
    config.headers.push((http::header::USER_AGENT, agent));
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(timeout));
    connector.set_keepalive(Some(Duration::from_secs(15)));
    connector.set_keepalive_interval(Some(Duration::from_secs(5)));
    connector.set_keepalive_retries(Some(3));
    connector.set_tcp_user_timeout(Some(Duration::from_secs(30)));
    let https = config.rustls_https_connector_with_connector(connector)?;
    let http: Http<_, Body> = Http::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(30))
        .build(https);
    // Each layer wraps those before it: the address is filled in first, then credentials, then the other headers.
    let builder = ClientBuilder::new(http, config.default_namespace.clone());
    let builder = builder.with_layer(&MapErrLayer::new(BoxError::from)).with_layer(&config.extra_headers_layer()?);
    let base = config.base_uri_layer();
    let client = match config.auth_layer()? {
        Some(auth) => builder.with_layer(&auth).with_layer(&base).build(),
        None => builder.with_layer(&base).build(),
    };
    Ok(Api { client, timeout, server: config.cluster_url.to_string().trim_end_matches('/').to_owned() })
}

/// Where a cluster is named.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    /// These files, merged; what comes first wins.
    Files(Vec<PathBuf>),
    /// The pod's own account.
    Pod,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Files(paths) => {
                let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
                f.write_str(&names.join(" and "))
            }
            Source::Pod => f.write_str("this pod's account"),
        }
    }
}

/// What of the process's surroundings says where a cluster is.
#[derive(Clone, Debug, Default)]
struct Surroundings {
    kubeconfig: Option<String>,
    home: Option<PathBuf>,
    service_host: Option<String>,
}

impl Surroundings {
    fn of_process() -> Surroundings {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Surroundings {
            kubeconfig: text("KUBECONFIG"),
            home: text("HOME").map(PathBuf::from),
            service_host: text("KUBERNETES_SERVICE_HOST"),
        }
    }

    fn source(&self) -> Result<Source, ConnectError> {
        if let Some(list) = &self.kubeconfig {
            let named: Vec<PathBuf> = std::env::split_paths(list).filter(|p| !p.as_os_str().is_empty()).collect();
            let there: Vec<PathBuf> = named.iter().filter(|path| path.is_file()).cloned().collect();
            if there.is_empty() {
                let why = "there is no such file; set KUBECONFIG to one, or unset it";
                return Err(ConnectError::Unreadable { place: format!("KUBECONFIG={list}"), why: why.to_owned() });
            }
            return Ok(Source::Files(there));
        }
        let usual = self.home.as_ref().map(|home| home.join(".kube/config"));
        if let Some(path) = usual.as_ref().filter(|path| path.is_file()) {
            return Ok(Source::Files(vec![path.clone()]));
        }
        if self.service_host.is_some() {
            return Ok(Source::Pod);
        }
        let usual = usual.map_or("~/.kube/config (and HOME is not set)".to_owned(), |path| path.display().to_string());
        Err(ConnectError::Nowhere(format!(
            "KUBECONFIG is not set, there is no file {usual}, and this is no pod (KUBERNETES_SERVICE_HOST is not set); set \
             KUBECONFIG to the path of a kubeconfig"
        )))
    }
}

async fn config(source: &Source, context: Option<&str>) -> Result<Config, ConnectError> {
    let unreadable = |why: String| ConnectError::Unreadable { place: source.to_string(), why };
    let paths = match source {
        Source::Files(paths) => paths,
        Source::Pod => {
            return Config::incluster().map_err(|e| {
                unreadable(format!("{e}; is the token of a service account mounted (automountServiceAccountToken)?"))
            });
        }
    };
    let mut whole = Kubeconfig::default();
    for path in paths {
        whole = whole.merge(read(path)?).map_err(|e| unreadable(e.to_string()))?;
    }
    let by_file = proxied(&whole, context);
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let mut config =
        Config::from_custom_kubeconfig(whole, &options).await.map_err(|e| unreadable(sentence(&e, context)))?;
    if by_file {
        return Err(unreadable("it names a proxy (proxy-url), and Serin talks to the API server itself".to_owned()));
    }
    // HTTPS_PROXY is for the world outside; the API server is asked directly.
    config.proxy_url = None;
    Ok(config)
}

fn read(path: &Path) -> Result<Kubeconfig, ConnectError> {
    Kubeconfig::read_from(path)
        .map_err(|e| ConnectError::Unreadable { place: path.display().to_string(), why: chain(&e) })
}

fn sentence(error: &kube::config::KubeconfigError, context: Option<&str>) -> String {
    match context {
        Some(context) => format!("{} (the context {context:?} was asked for)", chain(error)),
        None => chain(error),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(at) = next {
        let word = at.to_string();
        if !said.contains(&word) {
            said = format!("{said}: {word}");
        }
        next = at.source();
    }
    said
}

/// Whether the cluster of the context names a proxy in the file itself.
fn proxied(whole: &Kubeconfig, context: Option<&str>) -> bool {
    let wanted = context.or(whole.current_context.as_deref());
    let context = whole.contexts.iter().find(|c| Some(c.name.as_str()) == wanted).and_then(|c| c.context.as_ref());
    let cluster = context.and_then(|context| whole.clusters.iter().find(|c| c.name == context.cluster));
    let url = cluster.and_then(|c| c.cluster.as_ref()).and_then(|c| c.proxy_url.as_deref());
    url.is_some_and(|url| !url.is_empty())
}

#[cfg(test)]
mod tests;
