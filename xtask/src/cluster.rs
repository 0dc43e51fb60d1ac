//! A real cluster for tests: Kubernetes with real pods, a Gateway, DNS and Prometheus, on this machine alone.
//!
//! `cluster up` starts one that outlives the command. Verbs that want one call [`Cluster::for_run`], which takes the
//! one of `KUBECONFIG`, or the one that was left running, or starts one that ends with the run.

mod api;
pub mod audit;
mod control;
mod down;
mod files;
pub mod http;
pub mod image;
mod keys;
mod net;
mod node;
mod paused;
mod place;
mod processes;
mod smoke;
mod spoiler;
mod tar;
mod up;
mod verb;

use crate::json::Value;
use crate::parts::{debian, kubernetes};
use crate::process::ask;
use crate::run::{Run, Stop, fail};
use node::Node;
use place::Place;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

pub use api::perform as api;
pub use paused::perform as paused;
pub use smoke::perform as smoke;
pub use verb::{down, status, up};

/// A cluster that is up.
#[derive(Debug)]
pub struct Cluster {
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    /// Its directory, if it is one of ours.
    place: Option<Place>,
    /// Whether it was started for this run, and ends with it.
    ours: bool,
    gateway: Option<SocketAddr>,
    prometheus: Option<SocketAddr>,
    prefix: String,
    namespaces: Mutex<Vec<String>>,
}

impl Cluster {
    /// The cluster for this run: that of `KUBECONFIG` where it is set; that which `cluster up` left running in
    /// `target/cluster`; or a new one in the run's scratch directory, which ends when this is dropped, and when xtask
    /// is killed.
    ///
    /// # Errors
    /// [`Stop::Skip`] where this machine cannot have one; a failure when it does not come up.
    pub fn for_run(run: &mut Run) -> Result<Cluster, Stop> {
        if let Some(kubeconfig) = std::env::var_os("KUBECONFIG").filter(|path| !path.is_empty()) {
            return Cluster::of_kubeconfig(run, Path::new(&kubeconfig));
        }
        let left = Place::new(&run.root().join(verb::DEFAULT))?;
        if verb::is_up(&left) {
            run.say(format!("the cluster in {} is used", left.directory().display()));
            return Cluster::in_place(run, left, false);
        }
        Cluster::start(run)
    }

    /// A new cluster that ends with this run.
    fn start(run: &mut Run) -> Result<Cluster, Stop> {
        verb::must_be_able()?;
        let parts = kubernetes::build(run)?;
        let place = Place::new(&run.scratch().join("cluster"))?;
        run.processes()?.watch_cluster(place.directory())?;
        up::up(run, &parts, &place)?;
        Cluster::in_place(run, place, true)
    }

    fn in_place(run: &Run, place: Place, ours: bool) -> Result<Cluster, Stop> {
        let state = verb::state(&place)?;
        let address = |name: &str| state.get(name).and_then(Value::text).and_then(|text| text.parse().ok());
        Ok(Cluster {
            kubectl: place.bin("kubectl"),
            kubeconfig: place.kubeconfig(),
            gateway: address("gateway"),
            prometheus: address("prometheus"),
            place: Some(place),
            ours,
            prefix: format!("{}-{}", run.label(), std::process::id()),
            namespaces: Mutex::new(Vec::new()),
        })
    }

    /// Somebody's cluster: one of ours, or any other, whose Gateway and Prometheus are named by `SERIN_GATEWAY` and
    /// `SERIN_PROMETHEUS` (an address with a port each).
    fn of_kubeconfig(run: &mut Run, kubeconfig: &Path) -> Result<Cluster, Stop> {
        if let Some(directory) = kubeconfig.parent() {
            let place = Place::new(directory)?;
            if place.kubeconfig() == std::path::absolute(kubeconfig)? && verb::is_up(&place) {
                return Cluster::in_place(run, place, false);
            }
        }
        if !kubeconfig.is_file() {
            return fail(format!("KUBECONFIG is {}, and that is no file", kubeconfig.display()));
        }
        let kubectl = match debian::find("kubectl") {
            Some(kubectl) => kubectl,
            None => return Err(Stop::Skip("KUBECONFIG is set, and there is no kubectl on the path".to_owned())),
        };
        let address = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
        Ok(Cluster {
            kubectl,
            kubeconfig: kubeconfig.to_owned(),
            place: None,
            ours: false,
            gateway: address("SERIN_GATEWAY"),
            prometheus: address("SERIN_PROMETHEUS"),
            prefix: format!("{}-{}", run.label(), std::process::id()),
            namespaces: Mutex::new(Vec::new()),
        })
    }

    /// `kubectl` as the cluster's administrator, to be given words.
    pub fn client(&self) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.env("KUBECONFIG", &self.kubeconfig);
        command
    }

    /// What `kubectl` prints.
    ///
    /// # Errors
    /// What it says on standard error.
    pub fn kubectl(&self, words: &[&str]) -> Result<String, Stop> {
        Ok(ask(self.client().args(words))?)
    }

    /// An object, or a list of them, as JSON.
    ///
    /// # Errors
    /// When there is none.
    pub fn get(&self, words: &[&str]) -> Result<Value, Stop> {
        let said = ask(self.client().arg("get").args(words).args(["--output", "json"]))?;
        Value::parse(said.trim()).map_err(|why| Stop::Fail(format!("kubectl get {}: {why}", words.join(" "))))
    }

    /// Applies this YAML in this namespace.
    ///
    /// # Errors
    /// What the API server says of it.
    pub fn apply(&self, namespace: &str, yaml: &str) -> Result<(), Stop> {
        let mut command = self.client();
        command.args(["apply", "--server-side", "--namespace", namespace, "--filename", "-"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(yaml.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if output.status.success() {
            return Ok(());
        }
        fail(format!("kubectl apply: {}\n{yaml}", String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// Waits for a condition of an object, as `kubectl wait --for` takes it.
    ///
    /// # Errors
    /// When it does not come true in time.
    pub fn wait(&self, namespace: &str, object: &str, condition: &str, most: Duration) -> Result<(), Stop> {
        let (condition, most) = (format!("--for={condition}"), format!("--timeout={}s", most.as_secs()));
        self.kubectl(&["wait", "--namespace", namespace, object, &condition, &most]).map(|_| ())
    }

    /// Asks until it is so; what is not so is said when the time is over.
    ///
    /// # Errors
    /// The last answer, when the time is over.
    pub fn until<T>(&self, what: &str, most: Duration, mut ask: impl FnMut() -> Result<T, Stop>) -> Result<T, Stop> {
        let begin = Instant::now();
        loop {
            match ask() {
                Ok(found) => return Ok(found),
                Err(stop) if begin.elapsed() > most => {
                    return fail(format!("{what} is not so after {} s: {}", most.as_secs(), stop.why()));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    }

    /// A fresh namespace, in which pods can be started. It is deleted at the end.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn namespace(&self) -> Result<String, Stop> {
        let name = {
            let mut names = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
            let name = format!("{}-{}", self.prefix, names.len());
            names.push(name.clone());
            name
        };
        self.kubectl(&["create", "namespace", &name])?;
        // Pods are refused until their account is there.
        self.until("the account of a new namespace", Duration::from_secs(60), || {
            self.kubectl(&["get", "-n", &name, "serviceaccount/default", "configmap/kube-root-ca.crt"])
        })?;
        Ok(name)
    }

    /// `kubectl` as a static program; `None` on somebody else's cluster.
    pub fn own_kubectl(&self) -> Option<PathBuf> {
        self.place.as_ref().map(|_| self.kubectl.clone())
    }

    /// Whether it was started for this run, and nobody else uses it.
    pub fn is_own(&self) -> bool {
        self.ours
    }

    /// Where the Gateway `gateway/gateway` answers.
    ///
    /// # Errors
    /// When nobody said so of somebody else's cluster.
    pub fn gateway(&self) -> Result<SocketAddr, Stop> {
        self.gateway.ok_or(Stop::Fail("set SERIN_GATEWAY to the address and port of the cluster's Gateway".to_owned()))
    }

    /// Where Prometheus answers.
    ///
    /// # Errors
    /// When nobody said so of somebody else's cluster.
    pub fn prometheus(&self) -> Result<SocketAddr, Stop> {
        let why = "set SERIN_PROMETHEUS to the address and port of the cluster's Prometheus";
        self.prometheus.ok_or(Stop::Fail(why.to_owned()))
    }

    /// The value of the first series that a query gives; `None` where it gives none.
    ///
    /// # Errors
    /// When Prometheus does not answer, or refuses the query.
    pub fn query(&self, query: &str) -> Result<Option<f64>, Stop> {
        let path = format!("/api/v1/query?query={}", http::escaped(query));
        let answer = http::get(self.prometheus()?, &path)?;
        let value = Value::parse(answer.body.trim()).map_err(Stop::Fail)?;
        if value.get("status").and_then(Value::text) != Some("success") {
            return fail(format!("Prometheus refuses {query}: {value}"));
        }
        let first = value.find("data.result.0.value.1").and_then(Value::text);
        Ok(first.and_then(|number| number.parse().ok()))
    }

    /// The API server's audit log, for [`audit::calls`]; `None` on somebody else's cluster.
    pub fn audit(&self) -> Option<PathBuf> {
        self.place.as_ref().map(Place::audit)
    }

    /// The address of the API server, without a slash at its end.
    ///
    /// # Errors
    /// When the kubeconfig does not say.
    pub fn server(&self) -> Result<String, Stop> {
        let said =
            self.kubectl(&["config", "view", "--minify", "--output", "jsonpath={.clusters[0].cluster.server}"])?;
        Ok(said.trim().trim_end_matches('/').to_owned())
    }

    /// The certificate of the cluster's own authority; `None` on somebody else's cluster.
    pub fn authority(&self) -> Option<PathBuf> {
        self.place.as_ref().map(|place| place.keys("ca.crt"))
    }

    /// The process of a part (`kube-apiserver`, `etcd`, `containerd`, `kubelet`, `envoy` …), so that it can be killed;
    /// `None` where it does not run, or on somebody else's cluster.
    pub fn part(&self, name: &str) -> Option<u32> {
        self.place.as_ref().and_then(Node::of)?.part(name)
    }

    /// Brings an image to the cluster's only node; pods name it `serin/NAME:TAG`.
    ///
    /// # Errors
    /// When it cannot be made, or on somebody else's cluster.
    pub fn bring(&self, image: &image::Image) -> Result<(), Stop> {
        let Some((place, node)) = self.place.as_ref().and_then(|place| Some((place, Node::of(place)?))) else {
            return fail("images can be brought to a cluster of `cargo xtask cluster up` only");
        };
        let name = format!("{}.tar", image.name.replace(':', "-"));
        let archive = place.directory().join("images").join(&name);
        image.write(&archive)?;
        let done = node.import(&format!("images/{name}"));
        std::fs::remove_file(archive)?;
        done
    }

    /// Ends it, if it was started for this run, and returns what is left of it: nothing. On any other cluster it
    /// deletes the namespaces that were made.
    ///
    /// # Errors
    /// What does not go away.
    pub fn end(mut self) -> Result<Vec<String>, Stop> {
        self.close()
    }

    fn close(&mut self) -> Result<Vec<String>, Stop> {
        let names = std::mem::take(&mut *self.namespaces.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(place) = self.place.as_ref().filter(|_| self.ours) {
            self.ours = false;
            down::down(place)?;
            return Ok(down::leftovers(place));
        }
        for name in names {
            self.kubectl(&["delete", "namespace", &name, "--wait=false"])?;
        }
        Ok(Vec::new())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(stop) = self.close() {
            eprintln!("xtask: the cluster could not be ended: {}", stop.why());
        }
    }
}

/// Builds what [`Cluster::for_run`] would, so that what follows is not the time of a build.
///
/// # Errors
/// [`Stop::Skip`] where this machine cannot have a cluster; a failure when a build fails.
pub fn prepare(run: &mut Run) -> Result<(), Stop> {
    let set = std::env::var_os("KUBECONFIG").is_some_and(|path| !path.is_empty());
    if set || verb::is_up(&Place::new(&run.root().join(verb::DEFAULT))?) {
        return Ok(());
    }
    verb::must_be_able()?;
    kubernetes::build(run).map(|_| ())
}

/// Ends the cluster of a run whose process is gone; for the guard.
pub fn end_of(directory: &Path) {
    let ended = Place::new(directory).map_err(Stop::from).and_then(|place| down::down(&place));
    if let Err(stop) = ended {
        eprintln!("xtask: the cluster in {} could not be ended: {}", directory.display(), stop.why());
    }
}
