//! All of Kubernetes, a Gateway and what belongs to a cluster for tests: built from Go modules, fetched, or from Debian.

use super::golang::{self, Program};
use super::{debian, envoy, podinfo};
use crate::run::{Run, Stop};
use std::path::PathBuf;

/// The module of the programs that have a few lines of our own.
const OURS: &str = "e2e/kubernetes/parts";
/// The module of the Gateway's controller.
const CONTOUR: &str = "e2e/kubernetes/contour";
/// The module of what pods are checked and loaded with.
const TOOLS: &str = "e2e/kubernetes/tools";
const VERSION: &str = "k8s.io/component-base/version";

/// The versions of podinfo that there are images of: those of Flagger's documentation.
pub const PODINFO: [&str; 3] = ["2.1.0", "2.1.1", "2.1.2"];

/// What Debian's packages have: the program, and the package.
const DEBIAN: [(&str, &str); 13] = [
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("/usr/sbin/runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("/usr/lib/cni/loopback", "containernetworking-plugins"),
    ("ip", "iproute2"),
    ("iptables", "iptables"),
    ("conntrack", "conntrack"),
    ("prometheus", "prometheus"),
    ("openssl", "openssl"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    ("mount", "mount"),
];

/// Where every part is.
#[derive(Debug, Clone)]
pub struct Parts {
    /// etcd, API server, controllers, scheduler, kubelet, kube-proxy and kubectl in one; the name it is called by
    /// says which.
    pub hyperkube: PathBuf,
    /// CoreDNS.
    pub dns: PathBuf,
    /// What tells Prometheus which pods to ask.
    pub targets: PathBuf,
    /// The program that holds namespaces.
    pub pause: PathBuf,
    /// The Gateway's controller.
    pub contour: PathBuf,
    /// The Gateway's data plane.
    pub envoy: PathBuf,
    /// The load tester of Flagger's documentation.
    pub hey: PathBuf,
    /// podinfo, in the versions of [`PODINFO`].
    pub podinfo: Vec<PathBuf>,
    /// podinfo's other program, with which its pods check themselves.
    pub podcli: PathBuf,
    /// The project's own load generator, static.
    pub load: PathBuf,
    /// Directories and files of custom resources: the Gateway API's and Contour's.
    pub definitions: Vec<PathBuf>,
}

/// Makes sure that all of it is there. Not counted; minutes the first time.
///
/// # Errors
/// [`Stop::Skip`] with what is missing, where it may not be installed; a failure when a build fails.
pub fn build(run: &mut Run) -> Result<Parts, Stop> {
    debian::need(run, &DEBIAN)?;
    if debian::find("go").is_none() {
        return Err(Stop::Skip("this builds Kubernetes and needs Go, 1.26 or newer".to_owned()));
    }
    run.uncounted(|run| {
        let kubernetes = golang::required(run, OURS, "k8s.io/kubernetes")?.0;
        let minor = kubernetes.split('.').nth(1).unwrap_or_default();
        // A server that does not know its version is one that clients refuse to talk to.
        let set = format!(
            "-X {VERSION}.gitVersion={kubernetes} -X {VERSION}.gitMajor=1 -X {VERSION}.gitMinor={minor} \
             -X {VERSION}.gitTreeState=clean"
        );
        let ours = |name, package, set, sources| Program { module: OURS, package, name, set, sources };
        let hyperkube = golang::build(run, &ours("hyperkube", "./hyperkube", &set, &["hyperkube/main.go"]))?;
        let dns = golang::build(run, &ours("dns", "./dns", "", &["dns/main.go"]))?;
        let targets = golang::build(run, &ours("targets", "./targets", "", &["targets/main.go"]))?;
        let pause = golang::build(run, &ours("pause", "./pause", "", &["pause/main.go"]))?;
        let contour = Program {
            module: CONTOUR,
            package: "github.com/projectcontour/contour/cmd/contour",
            name: "contour",
            set: "",
            sources: &[],
        };
        let hey = Program { module: TOOLS, package: "github.com/rakyll/hey", name: "hey", set: "", sources: &[] };
        let podcli = Program {
            module: TOOLS,
            package: "github.com/stefanprodan/podinfo/cmd/podcli",
            name: "podcli",
            set: "",
            sources: &[],
        };
        let podinfo: Result<Vec<PathBuf>, Stop> = PODINFO.iter().map(|version| podinfo::build(run, version)).collect();
        Ok(Parts {
            hyperkube,
            dns,
            targets,
            pause,
            contour: golang::build(run, &contour)?,
            envoy: envoy::fetch(run)?,
            hey: golang::build(run, &hey)?,
            podinfo: podinfo?,
            podcli: golang::build(run, &podcli)?,
            load: load(run)?,
            definitions: definitions(run)?,
        })
    })
}

/// The load generator as a static program, for an image that has nothing else in it.
fn load(run: &mut Run) -> Result<PathBuf, Stop> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    run.say("cargo build -p serin-load, static");
    let mut cargo = run.cargo("build");
    cargo.args(["--quiet", "-p", "serin-load", "--target", &target]).env("RUSTFLAGS", "-C target-feature=+crt-static");
    run.must(&mut cargo)?;
    let built = run.built("serin-load", false);
    let directory = built.parent().and_then(|debug| debug.parent()).unwrap_or(run.root());
    Ok(directory.join(target).join("debug/serin-load"))
}

/// The custom resources of the Gateway API and of its controller, out of the pinned modules.
fn definitions(run: &Run) -> Result<Vec<PathBuf>, Stop> {
    let gateway = golang::required(run, CONTOUR, "sigs.k8s.io/gateway-api")?.1.join("config/crd/experimental");
    let contour = golang::required(run, CONTOUR, "github.com/projectcontour/contour")?.1;
    let mut found = vec![contour.join("examples/contour/01-crds.yaml")];
    for entry in std::fs::read_dir(gateway)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("gateway.") && name.ends_with(".yaml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
