//! Starts a cluster: keys and files, the node, the API server, everything else, and waits until all of it is ready.

use super::control;
use super::down;
use super::files;
use super::image::Image;
use super::keys;
use super::net::Net;
use super::node::Node;
use super::place::Place;
use crate::json::Value;
use crate::parts::kubernetes::{PODINFO, Parts};
use crate::process::ask;
use crate::run::{Run, Stop, fail};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// The longest that one part may take to become ready on a busy machine.
const READY: Duration = Duration::from_secs(120);
/// How often it is asked.
const PAUSE: Duration = Duration::from_millis(100);
/// The names by which the one program of Kubernetes is called.
const LINKS: [&str; 7] =
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"];

/// Starts a cluster in a directory in which none runs; what an unclean end left is cleared away first.
///
/// # Errors
/// What did not become ready, and where its log is. What was started until then is ended again.
pub fn up(run: &Run, parts: &Parts, place: &Place) -> Result<(), Stop> {
    down::clear(place)?;
    let images = images(run, parts)?;
    let started = start(run, parts, place, &images);
    if let Err(stop) = started {
        // The logs are what the message speaks of.
        down::stop(place)?;
        return Err(stop);
    }
    Ok(())
}

fn start(run: &Run, parts: &Parts, place: &Place, images: &[PathBuf]) -> Result<(), Stop> {
    lay_out(parts, place)?;
    let source = run.root().join("e2e/kubernetes");
    let node = Node::make(place, &source.join("node.sh"))?;
    let net = Net::link_to(place, node.first())?;
    files::write(place, &source, net)?;
    keys::make(place, net)?;
    run.say(format!("starting: node {}, log files in {}", net.node(), place.directory().join("log").display()));
    let mut parts_up = vec![control::runtime(&node)?];
    parts_up.extend(control::api(&node, net)?);
    let importing = {
        let (node, images, place) = (node.clone(), images.to_vec(), place.clone());
        std::thread::spawn(move || import(&node, &place, &images))
    };
    until(place, &mut parts_up, "the API server", "kube-apiserver", || kubectl(place, &["get", "--raw", "/readyz"]))?;
    parts_up.extend(control::rest(&node, net)?);
    gateway(place, parts, &node, net, &mut parts_up)?;
    parts_up.extend(control::prometheus(&node, net)?);
    importing.join().unwrap_or_else(|_| fail("the thread that brings the images panicked"))?;
    all_ready(place, net, &mut parts_up)?;
    let state = [
        ("number", Value::from(u64::from(net.number))),
        ("node", Value::from(net.node().to_string())),
        ("gateway", Value::from(format!("{}:{}", net.node(), control::GATEWAY_PORT))),
        ("prometheus", Value::from(format!("{}:{}", net.node(), control::PROMETHEUS_PORT))),
    ];
    let state = Value::Object(state.map(|(name, value)| (name.to_owned(), value)).to_vec());
    let beside = place.state().with_extension("new");
    std::fs::write(&beside, format!("{state}\n"))?;
    std::fs::rename(beside, place.state())?;
    Ok(())
}

/// Directories and programs.
fn lay_out(parts: &Parts, place: &Place) -> Result<(), Stop> {
    for name in ["bin", "conf/cni", "keys", "log", "images", "kubelet/plugins"] {
        std::fs::create_dir_all(place.directory().join(name))?;
    }
    let prometheus = crate::parts::debian::find("prometheus").unwrap_or_default();
    let containerd = crate::parts::debian::find("containerd").unwrap_or_default();
    let programs = [
        (&parts.hyperkube, "hyperkube"),
        (&parts.dns, "dns"),
        (&parts.targets, "targets"),
        (&parts.pause, "pause"),
        (&parts.contour, "contour"),
        (&parts.envoy, "envoy"),
        (&prometheus, "prometheus"),
        (&containerd, "containerd"),
    ];
    for (from, name) in programs {
        let to = place.bin(name);
        // A second name where that is possible: the programs are large.
        if std::fs::hard_link(from, &to).is_err() {
            std::fs::copy(from, &to)?;
        }
    }
    LINKS.iter().try_for_each(|name| std::os::unix::fs::symlink("hyperkube", place.bin(name)))?;
    Ok(())
}

/// The archives of all images, made where a program is newer. They are kept beside the programs.
fn images(run: &Run, parts: &Parts) -> Result<Vec<PathBuf>, Stop> {
    let mut all = vec![Image::of("pause:1", &parts.pause), Image::of("load:1", &parts.load)];
    for (version, program) in PODINFO.iter().zip(&parts.podinfo) {
        all.push(Image {
            name: format!("podinfo:{version}"),
            programs: vec![
                (program.clone(), "home/app/podinfo".to_owned()),
                (parts.podcli.clone(), "usr/local/bin/podcli".to_owned()),
            ],
            entry: "/home/app/podinfo".to_owned(),
            directory: "/home/app".to_owned(),
        });
    }
    let tools = [(&parts.pause, "pause"), (&parts.hey, "hey"), (&parts.load, "serin-load"), (&parts.podcli, "podcli")];
    all.push(Image {
        name: "tools:1".to_owned(),
        programs: tools.map(|(program, name)| (program.clone(), format!("usr/local/bin/{name}"))).to_vec(),
        entry: "/usr/local/bin/pause".to_owned(),
        directory: "/".to_owned(),
    });
    let directory = run.root().join(".cache/images");
    std::fs::create_dir_all(&directory)?;
    all.iter().map(|image| archive(image, &directory)).collect()
}

/// The archive of one image.
fn archive(image: &Image, directory: &Path) -> Result<PathBuf, Stop> {
    let place = directory.join(format!("{}.tar", image.name.replace(':', "-")));
    let newest = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified());
    let made = newest(&place);
    let mut is_new = made.is_ok();
    for (program, _) in &image.programs {
        is_new = is_new && made.as_ref().is_ok_and(|made| newest(program).is_ok_and(|program| program < *made));
    }
    if !is_new {
        let unfinished = directory.join(format!(".{}.{}", image.name.replace(':', "-"), std::process::id()));
        image.write(&unfinished)?;
        std::fs::rename(unfinished, &place)?;
    }
    Ok(place)
}

/// Brings all images to the runtime as soon as it answers.
fn import(node: &Node, place: &Place, images: &[PathBuf]) -> Result<(), Stop> {
    until(place, &mut [], "the container runtime", "containerd", || {
        Ok(ask(node.command("ctr").arg("version")).map(|_| ())?)
    })?;
    for image in images {
        let name = image.file_name().unwrap_or_default();
        let to = place.directory().join("images").join(name);
        if std::fs::hard_link(image, &to).is_err() {
            std::fs::copy(image, &to)?;
        }
        node.import(&format!("images/{}", name.to_string_lossy()))?;
        std::fs::remove_file(to)?;
    }
    Ok(())
}

/// The Gateway: its resources, its controller, its data plane.
fn gateway(place: &Place, parts: &Parts, node: &Node, net: Net, up: &mut Vec<Child>) -> Result<(), Stop> {
    let mut apply = client(place);
    apply.args(["apply", "--server-side", "--force-conflicts"]);
    parts.definitions.iter().for_each(|path| {
        apply.arg("--filename").arg(path);
    });
    ask(&mut apply)?;
    kubectl(place, &["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"])?;
    ask(client(place).args(["apply", "--filename"]).arg(place.conf("gateway.yaml")))?;
    // A Contour that is given one Gateway leaves the class to its provisioner, which there is none of here.
    let accepted = "{\"status\":{\"conditions\":[{\"type\":\"Accepted\",\"status\":\"True\",\"reason\":\"Accepted\",\
                    \"message\":\"its one Gateway is served\",\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"}]}}";
    kubectl(place, &["patch", "gatewayclass/contour", "--subresource=status", "--type=merge", "--patch", accepted])?;
    up.push(control::contour(node, net)?);
    let mut bootstrap = node.command("bin/contour");
    bootstrap.args(["bootstrap", "conf/envoy.json", "--xds-address=127.0.0.1", "--xds-port=18001"]);
    bootstrap.args(["--admin-address=envoy-admin.sock", "--resources-dir=conf/envoy"]);
    ask(&mut bootstrap)?;
    up.push(control::envoy(node)?);
    Ok(())
}

/// Waits for everything that can say that it is ready.
fn all_ready(place: &Place, net: Net, up: &mut [Child]) -> Result<(), Stop> {
    let wait = |what: &str, words: &[&str]| {
        let words: Vec<&str> = ["wait", "--timeout=2s"].iter().chain(words).copied().collect();
        kubectl(place, &words).map_err(|stop| Stop::Fail(format!("{what}: {}", stop.why())))
    };
    until(place, up, "the node", "kubelet", || wait("the node", &["--for=condition=Ready", "node/node1"]))?;
    until(place, up, "the gateway", "contour", || {
        wait("the gateway", &["--for=condition=Accepted", "gatewayclass/contour"])?;
        wait("the gateway", &["--for=condition=Programmed", "-n", "gateway", "gateway/gateway"])
    })?;
    let served = |port: u16, path: &str| -> Result<(), Stop> {
        let answer = super::http::of_host((net.node(), port).into(), "cluster", path)?;
        if answer.status == 200 { Ok(()) } else { fail(format!("{path} answers {}", answer.status)) }
    };
    until(place, up, "DNS", "dns", || served(8181, "/ready"))?;
    until(place, up, "Envoy", "envoy", || served(18004, "/stats/prometheus"))?;
    until(place, up, "Prometheus", "prometheus", || served(control::PROMETHEUS_PORT, "/-/ready"))?;
    until(place, up, "the accounts", "kube-controller-manager", || {
        kubectl(place, &["get", "-n", "default", "serviceaccount/default", "configmap/kube-root-ca.crt"])
    })
}

/// Asks again and again until it is so.
fn until(
    place: &Place,
    up: &mut [Child],
    what: &str,
    part: &str,
    mut ask: impl FnMut() -> Result<(), Stop>,
) -> Result<(), Stop> {
    let begin = Instant::now();
    loop {
        let Err(stop) = ask() else { return Ok(()) };
        let mut ended = false;
        for child in up.iter_mut() {
            ended = ended || child.try_wait()?.is_some();
        }
        if ended || begin.elapsed() > READY {
            let why = if ended { "a part ended meanwhile" } else { "it takes too long" };
            return fail(format!(
                "{what} does not become ready ({why}): {}; its output is in {}",
                stop.why(),
                place.log(part).display()
            ));
        }
        std::thread::sleep(PAUSE);
    }
}

/// `kubectl` as the cluster's administrator.
pub fn client(place: &Place) -> Command {
    let mut command = Command::new(place.bin("kubectl"));
    command.env("KUBECONFIG", place.kubeconfig());
    command
}

fn kubectl(place: &Place, words: &[&str]) -> Result<(), Stop> {
    ask(client(place).args(words))?;
    Ok(())
}
