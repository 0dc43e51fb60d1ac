//! `cluster up`, `cluster down`, `cluster status`: a cluster for people, that outlives the command.

use super::down::down as end;
use super::node::Node;
use super::place::Place;
use super::processes;
use super::up::{client, up as start};
use crate::json::Value;
use crate::parts::{debian, kubernetes};
use crate::process::ask;
use crate::run::{Run, Stop, fail};
use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Where the cluster lies when no directory is named.
pub const DEFAULT: &str = "target/cluster";

/// `cluster up [DIR]`.
pub fn up(run: &mut Run) -> Result<(), Stop> {
    let place = named(run)?;
    if is_up(&place) {
        run.say("it is up already");
        return tell(run, &place);
    }
    must_be_able()?;
    let parts = kubernetes::build(run)?;
    std::fs::create_dir_all(place.directory())?;
    let _held = hold(&place)?;
    if !is_up(&place) {
        // A cluster that is not whole is of no use: Ctrl-C ends it, and one that is whole outlives this command.
        run.processes()?.watch_cluster(place.directory())?;
        start(run, &parts, &place)?;
        run.processes()?.forget_cluster(place.directory())?;
    }
    tell(run, &place)
}

/// `cluster down [DIR]`.
pub fn down(run: &mut Run) -> Result<(), Stop> {
    let place = named(run)?;
    let was = !processes::holders(&place).is_empty();
    if place.directory().exists() {
        let _held = hold(&place)?;
        end(&place)?;
    } else {
        end(&place)?;
    }
    let left = super::down::leftovers(&place);
    run.fact("was_up", was);
    run.fact("leftovers", left.len());
    if left.is_empty() { Ok(()) } else { fail(format!("this is left: {}", left.join("; "))) }
}

/// `cluster status [DIR]`.
pub fn status(run: &mut Run) -> Result<(), Stop> {
    let place = named(run)?;
    if is_up(&place) {
        return tell(run, &place);
    }
    let half = !processes::holders(&place).is_empty();
    let why = if half { "a part of one runs" } else { "none runs" };
    fail(format!("{why} in {}: cargo xtask cluster up", place.directory().display()))
}

/// The directory that was named, or the default one.
fn named(run: &Run) -> Result<Place, Stop> {
    match run.words() {
        [] => Ok(Place::new(&run.root().join(DEFAULT))?),
        [one] => Ok(Place::new(Path::new(one))?),
        [..] => Err(Stop::Usage("a cluster has one directory".to_owned())),
    }
}

/// Whether a cluster was started whole in this directory, and its node and API server run.
pub fn is_up(place: &Place) -> bool {
    let whole = state(place).is_ok();
    whole && Node::of(place).is_some_and(|node| node.part("kube-apiserver").is_some())
}

/// What the running cluster wrote of itself.
///
/// # Errors
/// When it did not.
pub fn state(place: &Place) -> Result<Value, Stop> {
    let text = std::fs::read_to_string(place.state())?;
    Value::parse(text.trim()).map_err(|why| Stop::Fail(format!("{}: {why}", place.state().display())))
}

/// Whether this machine can have a cluster at all.
///
/// # Errors
/// [`Stop::Skip`] with what is missing.
pub fn must_be_able() -> Result<(), Stop> {
    if !debian::is_root()? {
        let why = "a cluster needs root: it makes namespaces for mounts, networks and processes, and runs containerd";
        return Err(Stop::Skip(why.to_owned()));
    }
    let mut missing = Vec::new();
    for (path, what) in [
        ("/proc/self/ns/pid", "process namespaces (CONFIG_PID_NS)"),
        ("/proc/self/ns/net", "network namespaces (CONFIG_NET_NS)"),
        ("/sys/fs/cgroup", "cgroups, mounted at /sys/fs/cgroup"),
    ] {
        if !Path::new(path).exists() {
            missing.push(what);
        }
    }
    let systems = std::fs::read_to_string("/proc/filesystems")?;
    if !systems.contains("overlay") && ask(std::process::Command::new("modprobe").arg("overlay")).is_err() {
        missing.push("the overlay file system (CONFIG_OVERLAY_FS)");
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Stop::Skip(format!("a cluster needs a kernel with {}", missing.join(", "))))
}

/// Holds the directory: nobody else starts or ends a cluster in it meanwhile.
fn hold(place: &Place) -> Result<File, Stop> {
    let directory = File::open(place.directory())?;
    match directory.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return fail(format!("somebody else starts or ends the cluster in {}", place.directory().display()));
        }
        Err(TryLockError::Error(e)) => return Err(Stop::from(e)),
    }
    // Who held it before may have removed it.
    let same = std::fs::metadata(place.directory())
        .is_ok_and(|now| directory.metadata().is_ok_and(|held| (held.dev(), held.ino()) == (now.dev(), now.ino())));
    if same { Ok(directory) } else { hold_anew(place) }
}

fn hold_anew(place: &Place) -> Result<File, Stop> {
    std::fs::create_dir_all(place.directory())?;
    hold(place)
}

/// Says how the cluster is used.
fn tell(run: &mut Run, place: &Place) -> Result<(), Stop> {
    let state = state(place)?;
    let nodes = ask(client(place).args(["get", "nodes", "--no-headers"]))?;
    let pods = ask(client(place).args(["get", "pods", "--all-namespaces", "--no-headers", "--ignore-not-found"]))?;
    let address = |name: &str| state.get(name).and_then(Value::text).unwrap_or_default().to_owned();
    run.fact("kubeconfig", place.kubeconfig().to_string_lossy().into_owned());
    run.fact("gateway", address("gateway"));
    run.fact("prometheus", address("prometheus"));
    run.fact("nodes", nodes.lines().filter(|line| line.contains(" Ready ")).count());
    run.fact("pods", pods.lines().count());
    eprintln!();
    eprintln!("  export KUBECONFIG={}", quoted(&place.kubeconfig()));
    eprintln!("  {} get nodes", quoted(&place.bin("kubectl")));
    eprintln!("  the Gateway gateway/gateway answers at http://{}", address("gateway"));
    eprintln!("  Prometheus answers at http://{}", address("prometheus"));
    eprintln!();
    Ok(())
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+:@".contains(c));
    if plain { text.into_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_space_can_be_pasted() {
        assert_eq!(quoted(Path::new("/a/b-c.d")), "/a/b-c.d");
        assert_eq!(quoted(Path::new("/a b/it's")), "'/a b/it'\\''s'");
    }

    #[test]
    fn a_directory_is_held_by_one() {
        let directory = std::env::temp_dir().join(format!("serin-hold-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("made");
        let place = Place::new(&directory).expect("a name");
        let held = hold(&place).expect("nobody else");
        assert!(hold(&place).is_err());
        drop(held);
        assert!(hold(&place).is_ok());
        assert!(!is_up(&place));
        std::fs::remove_dir_all(&directory).expect("removed");
    }
}
