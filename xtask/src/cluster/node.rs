//! The node: one tree of processes in namespaces of its own. Everything that a cluster starts runs in it, so that the
//! end of its first process is the end of all of it: the kernel kills the rest, pods included, and their mounts,
//! interfaces and rules go with their namespaces.

use super::place::{INSIDE, Place};
use super::processes::{self, NODE};
use crate::process::{ask, send};
use crate::run::{Stop, fail};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the first process may take until it has made its namespaces.
const MADE: Duration = Duration::from_secs(20);
/// How long the kernel may take to end everything in a namespace.
const GONE: Duration = Duration::from_secs(20);

/// A node that runs.
#[derive(Debug, Clone)]
pub struct Node {
    place: Place,
    first: u32,
}

impl Node {
    /// Makes the namespaces and their first process. It belongs to nobody: it outlives this one.
    ///
    /// # Errors
    /// When they cannot be made; what was said is in `log/node.log`.
    pub fn make(place: &Place, script: &Path) -> Result<Node, Stop> {
        let log = std::fs::File::create(place.log("node"))?;
        let mut command = Command::new("setsid");
        command.args(["unshare", "--fork", "--kill-child=KILL", "--mount", "--propagation", "private"]);
        command.args(["--pid", "--mount-proc", "--net", "--", "sh"]).arg(script).arg(NODE).arg(place.directory());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut child = command.spawn()?;
        let begin = Instant::now();
        loop {
            if let Some(first) = processes::first(place) {
                return Ok(Node { place: place.clone(), first });
            }
            if child.try_wait()?.is_some() || begin.elapsed() > MADE {
                let said = std::fs::read_to_string(place.log("node"))?;
                return fail(format!("the node's namespaces could not be made: {}", said.trim()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The node of a cluster that is up.
    pub fn of(place: &Place) -> Option<Node> {
        Some(Node { place: place.clone(), first: processes::first(place)? })
    }

    /// Its first process.
    pub fn first(&self) -> u32 {
        self.first
    }

    /// A command that runs in the node, in the cluster's directory.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first.to_string(), "--mount", "--net", "--pid"]);
        command.args(["--wd", "--", program]);
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").env_remove("KUBECONFIG");
        command
    }

    /// Starts a part in the node, its output in its log. It outlives this process; the node's end is its end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, part: &str, words: &[&str]) -> Result<Child, Stop> {
        let log = std::fs::File::create(self.place.log(part))?;
        let inner = self.command(&format!("{INSIDE}/bin/{part}"));
        let mut command = Command::new("setsid");
        command.arg(inner.get_program()).args(inner.get_args()).args(words);
        inner.get_envs().for_each(|(name, value)| {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        });
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(command.spawn()?)
    }

    /// The process of a part, by which it can be killed.
    pub fn part(&self, part: &str) -> Option<u32> {
        let space = processes::namespace(self.first)?;
        let program = format!("{INSIDE}/bin/{part}");
        let runs = |p: &processes::Seen| p.words.first() == Some(&program);
        let mut all = processes::all().into_iter().filter(runs);
        all.find(|p| processes::namespace(p.id).as_deref() == Some(&space)).map(|p| p.id)
    }

    /// Brings an image archive in the cluster's directory to the container runtime.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn import(&self, archive: &str) -> Result<(), Stop> {
        ask(self.command("ctr").args(["-n", "k8s.io", "images", "import", archive]))?;
        Ok(())
    }
}

/// Ends the node of this cluster, if there is one, and waits until nothing of it is left.
///
/// # Errors
/// When something of it does not die.
pub fn end(place: &Place) -> Result<(), Stop> {
    let begin = Instant::now();
    let node = processes::first(place).and_then(|first| Some((processes::namespace(first)?, first)));
    loop {
        let holders = processes::holders(place);
        let mut left = node.as_ref().map(|(space, first)| processes::inside(space, *first)).unwrap_or_default();
        left.extend(holders.clone());
        if left.is_empty() {
            return Ok(());
        }
        if begin.elapsed() > GONE {
            let left: Vec<String> = left.iter().map(|p| format!("{} {}", p.id, p.words.join(" "))).collect();
            return fail(format!("these do not die: {}", left.join("; ")));
        }
        for process in holders {
            // It may end at this very moment.
            let _ = send("KILL", &process.id.to_string());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
