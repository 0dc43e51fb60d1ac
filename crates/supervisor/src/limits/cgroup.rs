//! cgroup v2, where a part of its tree is ours to write (cgroup-v2.rst: delegation, no internal processes).
//!
//! A group that passes controllers on to its children holds no process itself. So the group that we are started in
//! gets one child for our own processes, `serin-own`, and one for each instance, `instance-ID`.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::Group;

/// The child that our own processes move to.
const OWN: &str = "serin-own";

/// What this machine offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cgroups {
    /// Groups can be made below `dir`.
    Delegated {
        /// The group that is ours.
        dir: PathBuf,
        /// The controllers that its children can have.
        controllers: Vec<String>,
    },
    /// There is nothing to be had; the sentence says why.
    Unavailable {
        /// Why, without a full stop.
        why: String,
    },
}

impl Cgroups {
    /// Looks what there is; changes nothing.
    pub fn detect() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup");
        let mounts = fs::read_to_string("/proc/self/mountinfo");
        match (own, mounts) {
            (Ok(own), Ok(mounts)) => Self::detect_in(&own, &mounts).unwrap_or_else(|why| Self::Unavailable { why }),
            (Err(error), _) | (_, Err(error)) => Self::Unavailable { why: format!("/proc cannot be read ({error})") },
        }
    }

    fn detect_in(own: &str, mounts: &str) -> Result<Self, String> {
        let (mount, root) = mounts.lines().find_map(cgroup2_mount).ok_or("no cgroup v2 is mounted")?;
        let path = own.lines().find_map(|line| line.strip_prefix("0::")).ok_or("this process is in no cgroup v2")?;
        let inside = Path::new(path).strip_prefix(&root).map_err(|_| "its cgroup is outside of what is mounted")?;
        let mut dir = mount.join(inside);
        // A controller that was started before, or a shim, has moved already.
        if dir.file_name().is_some_and(|name| name == OWN) {
            dir.pop();
        }
        let text = fs::read_to_string(dir.join("cgroup.controllers"))
            .map_err(|error| format!("{} cannot be read ({error})", dir.join("cgroup.controllers").display()))?;
        let controllers: Vec<String> = text.split_whitespace().map(ToOwned::to_owned).collect();
        if controllers.is_empty() {
            let v1 = own.lines().any(|line| !line.starts_with("0::"));
            return Err(if v1 {
                "this machine has its controllers in cgroup v1".into()
            } else {
                format!("no controller is delegated to {}", dir.display())
            });
        }
        for name in ["cgroup.subtree_control", "cgroup.procs"] {
            let path = dir.join(name);
            if rustix::fs::access(&path, rustix::fs::Access::WRITE_OK).is_err() {
                return Err(format!("{} is not writable for this user", path.display()));
            }
        }
        Ok(Self::Delegated { dir, controllers })
    }

    /// Moves the processes of our group to a child and passes its controllers on. To be called once, by the
    /// controller, before the first instance with limits is created.
    ///
    /// # Errors
    /// A sentence that says what could not be written.
    pub fn prepare(&self) -> Result<(), String> {
        let Self::Delegated { dir, controllers } = self else { return Ok(()) };
        let own = dir.join(OWN);
        match fs::create_dir(&own) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(format!("{} cannot be made: {error}", own.display())),
        }
        let processes = fs::read_to_string(dir.join("cgroup.procs"))
            .map_err(|error| format!("{} cannot be read: {error}", dir.join("cgroup.procs").display()))?;
        for pid in processes.lines() {
            // One that ended meanwhile need not move.
            drop(write(&own.join("cgroup.procs"), pid));
        }
        for name in ["cpu", "memory", "pids"] {
            if controllers.iter().any(|controller| controller == name) {
                write(&dir.join("cgroup.subtree_control"), &format!("+{name}"))?;
            }
        }
        Ok(())
    }

    /// Whether the instances' groups can have this controller; if not, why.
    pub(super) fn offers(&self, name: &str) -> Result<(), String> {
        match self {
            Self::Delegated { controllers, .. } if controllers.iter().any(|controller| controller == name) => Ok(()),
            Self::Delegated { dir, .. } => Err(format!("the controller {name} is not delegated to {}", dir.display())),
            Self::Unavailable { why } => Err(why.clone()),
        }
    }

    pub(super) fn group(&self, id: &str) -> Option<PathBuf> {
        match self {
            Self::Delegated { dir, .. } => Some(dir.join(format!("instance-{id}"))),
            Self::Unavailable { .. } => None,
        }
    }
}

/// The mount point and the part of the tree that is mounted there. proc(5), `/proc/PID/mountinfo`.
fn cgroup2_mount(line: &str) -> Option<(PathBuf, PathBuf)> {
    let (left, right) = line.split_once(" - ")?;
    if right.split(' ').next()? != "cgroup2" {
        return None;
    }
    let fields: Vec<&str> = left.split(' ').collect();
    Some((PathBuf::from(*fields.get(4)?), PathBuf::from(*fields.get(3)?)))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{text} cannot be written to {}: {error}", path.display()))
}

/// Makes an instance's group; gives its `cgroup.procs`, opened for writing.
pub(super) fn make(group: &Group) -> Result<OwnedFd, String> {
    match fs::create_dir(&group.dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(format!("its cgroup {} cannot be made: {error}", group.dir.display())),
    }
    for (name, value) in &group.files {
        write(&group.dir.join(name), value)?;
    }
    let path = group.dir.join("cgroup.procs");
    let file = OpenOptions::new().write(true).open(&path);
    file.map(OwnedFd::from).map_err(|error| format!("{} cannot be opened: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(controllers: &str) -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("app.service");
        fs::create_dir(&own).unwrap();
        fs::write(own.join("cgroup.controllers"), controllers).unwrap();
        fs::write(own.join("cgroup.subtree_control"), "").unwrap();
        fs::write(own.join("cgroup.procs"), "17\n18\n").unwrap();
        let mounts = format!(
            "20 1 0:5 / /proc rw - proc proc rw\n30 20 0:26 / {} rw,nosuid shared:9 - cgroup2 cgroup2 rw\n",
            dir.path().display()
        );
        (dir, mounts)
    }

    #[test]
    fn a_delegated_group_is_found_and_prepared() {
        let (dir, mounts) = tree("cpu memory pids io\n");
        let found = Cgroups::detect_in("0::/app.service\n", &mounts).unwrap();
        let own = dir.path().join("app.service");
        let controllers = ["cpu", "memory", "pids", "io"].map(str::to_owned).to_vec();
        assert_eq!(found, Cgroups::Delegated { dir: own.clone(), controllers });
        found.prepare().unwrap();
        assert_eq!(fs::read_to_string(own.join("serin-own/cgroup.procs")).unwrap(), "18");
        assert_eq!(fs::read_to_string(own.join("cgroup.subtree_control")).unwrap(), "+pids");
        let moved = Cgroups::detect_in("0::/app.service/serin-own\n", &mounts).unwrap();
        assert_eq!(moved, found, "the next controller finds the same");
        assert!(found.offers("hugetlb").unwrap_err().contains("hugetlb is not delegated"));
    }

    #[test]
    fn what_is_missing_is_said() {
        let why = |own: &str, mounts: &str| Cgroups::detect_in(own, mounts).unwrap_err();
        let (_dir, mounts) = tree("");
        assert!(why("4:memory:/\n0::/app.service\n", &mounts).contains("cgroup v1"));
        assert!(why("0::/app.service\n", &mounts).contains("no controller is delegated"));
        assert!(why("4:memory:/\n", &mounts).contains("in no cgroup v2"));
        assert!(why("0::/app.service\n", "").contains("no cgroup v2 is mounted"));
        assert!(why("0::/elsewhere\n", &mounts).contains("cannot be read"));
    }

    #[test]
    fn a_group_is_made_with_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let group = Group { dir: dir.path().join("instance-a"), files: vec![("pids.max".into(), "7".into())] };
        // In a plain directory nobody makes cgroup.procs, as the kernel would.
        assert!(make(&group).unwrap_err().contains("cgroup.procs"));
        fs::write(group.dir.join("cgroup.procs"), "").unwrap();
        make(&group).unwrap();
        assert_eq!(fs::read_to_string(group.dir.join("pids.max")).unwrap(), "7");
    }
}
