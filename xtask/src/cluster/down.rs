//! Ends a cluster, by what is in its directory and what the kernel says, whatever state it is in.

use super::files;
use super::net::Net;
use super::node;
use super::place::Place;
use super::processes;
use crate::run::{Stop, fail};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long an interface or a cgroup may be there after the last process.
const GONE: Duration = Duration::from_secs(10);
/// Where cgroups are; in a hierarchy of each controller or in one.
const CGROUPS: &str = "/sys/fs/cgroup";

/// Ends everything and removes the directory. Where there is nothing it does nothing.
///
/// # Errors
/// What does not go away.
pub fn down(place: &Place) -> Result<(), Stop> {
    clear(place)?;
    match std::fs::remove_dir(place.directory()) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Stop::from(e)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Ends everything and empties the directory. It stays, since whoever starts a cluster in it holds it by a lock.
///
/// # Errors
/// What does not go away; what is in the directory and is no cluster's.
pub fn clear(place: &Place) -> Result<(), Stop> {
    stop(place)?;
    clear_directory(place)
}

/// Ends everything; the directory stays, for its logs.
///
/// # Errors
/// What does not go away.
pub fn stop(place: &Place) -> Result<(), Stop> {
    node::end(place)?;
    let begin = Instant::now();
    loop {
        let links = Net::links_of(place);
        let groups = cgroups(&files::cgroup(place));
        groups.iter().for_each(|group| remove_cgroup(group));
        if links.is_empty() && groups.is_empty() {
            // What says that it is up goes last, so that it can be done again.
            let _ = std::fs::remove_file(place.state());
            return Ok(());
        }
        if begin.elapsed() > GONE {
            return fail(format!("these do not go away: {links:?} {groups:?}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a cluster's directory has in it, at most.
const OURS: [&str; 15] = [
    "bin",
    "cluster.json",
    "cluster.new",
    "conf",
    "containerd",
    "envoy-admin.sock",
    "etcd",
    "images",
    "keys",
    "kubeconfig",
    "kubelet",
    "kubelet-keys",
    "log",
    "pod-logs",
    "prometheus",
];

fn clear_directory(place: &Place) -> Result<(), Stop> {
    let directory = place.directory();
    if !directory.exists() {
        return Ok(());
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if !OURS.iter().any(|ours| entry.file_name() == *ours) {
            return fail(format!(
                "{} is no directory of a cluster: {} is in it; name another one",
                directory.display(),
                entry.file_name().display()
            ));
        }
        paths.push(entry.path());
    }
    for path in paths {
        if path.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
    }
    Ok(())
}

/// The cgroups of this name, in every hierarchy.
fn cgroups(name: &str) -> Vec<PathBuf> {
    let top = Path::new(CGROUPS);
    let hierarchies = std::fs::read_dir(top).into_iter().flatten().flatten().map(|entry| entry.path());
    let all = hierarchies.filter(|path| path.is_dir()).chain([top.to_owned()]);
    all.map(|hierarchy| hierarchy.join(name)).filter(|group| group.is_dir()).collect()
}

/// Removes a cgroup and those below it; one that is still in use stays.
fn remove_cgroup(group: &Path) {
    for entry in std::fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove_cgroup(&entry.path());
        }
    }
    // The caller looks whether it is gone.
    let _ = std::fs::remove_dir(group);
}

/// What is left of a cluster: processes, mounts, interfaces, rules of kube-proxy, cgroups. All of it is counted on the
/// machine itself, outside of every node.
pub fn leftovers(place: &Place) -> Vec<String> {
    let mut left: Vec<String> = Vec::new();
    left.extend(processes::of(place).iter().map(|p| format!("process {} {}", p.id, p.words.join(" "))));
    let directory = place.directory().to_string_lossy().replace(' ', "\\040");
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    left.extend(mounts.lines().filter(|m| m.contains(&directory)).map(|m| format!("mount {m}")));
    left.extend(Net::links_of(place).into_iter().map(|link| format!("interface {link}")));
    left.extend(cgroups(&files::cgroup(place)).into_iter().map(|group| format!("cgroup {}", group.display())));
    left.extend(chains().into_iter().map(|chain| format!("rules {chain}")));
    left
}

/// The chains of kube-proxy and kubelet outside of every node.
fn chains() -> Vec<String> {
    let mut found = Vec::new();
    for program in ["iptables-save", "ip6tables-save"] {
        // Without the program there are no rules of it.
        let said = crate::parts::debian::find(program)
            .and_then(|path| crate::process::ask(&mut std::process::Command::new(path)).ok())
            .unwrap_or_default();
        found.extend(said.lines().filter(|line| line.starts_with(":KUBE-")).map(str::to_owned));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_somebody_else_is_not_touched() {
        let directory = std::env::temp_dir().join(format!("serin-down-{}", std::process::id()));
        std::fs::create_dir_all(directory.join("log")).expect("made");
        std::fs::write(directory.join("thesis.txt"), "years").expect("written");
        let place = Place::new(&directory).expect("a name");
        let why = down(&place).expect_err("it is somebody's").why();
        assert!(why.contains("thesis.txt") && directory.join("log").exists(), "{why}");
        std::fs::remove_file(directory.join("thesis.txt")).expect("it is there");
        assert_eq!(down(&place), Ok(()));
        assert!(!directory.exists());
        assert_eq!(down(&place), Ok(()), "twice is fine");
        assert_eq!(leftovers(&place).iter().filter(|l| !l.starts_with("rules")).count(), 0);
    }
}
