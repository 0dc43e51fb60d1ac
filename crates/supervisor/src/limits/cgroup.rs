//! cgroup v2, where a part of its tree is ours to write (cgroup-v2.rst: delegation, no internal processes).
//!
//! A group that passes controllers on to its children holds no process itself. So the group that the controller is
//! started in gets one child for Serin's own processes, `serin-own`, and one for each instance, `instance-ID`. Nobody
//! else's process is ever moved: a group that has some is not ours.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::Group;

/// The child that our own processes are in.
const OWN: &str = "serin-own";
/// The controllers that limits are held by.
const USED: [&str; 3] = ["cpu", "memory", "pids"];
/// There while systemd manages the machine's groups: sd_booted(3).
const SYSTEMD: &str = "/run/systemd/system";
/// By these systemd says of a group that it leaves it to who runs there: systemd's CGROUP_DELEGATION.
const DELEGATED: [&str; 2] = ["user.delegate", "trusted.delegate"];

/// What this machine offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cgroups {
    /// Groups can be made below `dir`.
    Delegated {
        /// The group that is ours.
        dir: PathBuf,
        /// The controllers that its children have.
        controllers: Vec<String>,
    },
    /// There is nothing to be had; the sentence says why.
    Unavailable {
        /// Why, without a full stop.
        why: String,
    },
}

/// A group that may be ours, as it was found.
struct Candidate {
    dir: PathBuf,
    controllers: Vec<&'static str>,
}

impl Cgroups {
    /// Looks what there is, and takes the group that this process is in if it is ours alone: this process moves to a
    /// child of it, so that instances can have groups beside it. To be called by the controller before it starts any
    /// process. Where that cannot be, nothing is changed.
    pub fn claim() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup");
        let mounts = fs::read_to_string("/proc/self/mountinfo");
        let claimed = match (own, mounts) {
            (Ok(own), Ok(mounts)) => Candidate::find(&own, &mounts).and_then(|found| {
                found.is_left_to_us(Path::new(SYSTEMD).exists())?;
                found.take(std::process::id())
            }),
            (Err(error), _) | (_, Err(error)) => Err(format!("/proc cannot be read ({error})")),
        };
        claimed.unwrap_or_else(|why| Self::Unavailable { why })
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

impl Candidate {
    /// The group of a process, from what proc(5) says of it.
    fn find(own: &str, mounts: &str) -> Result<Self, String> {
        let (mount, root) = mounts.lines().find_map(cgroup2_mount).ok_or("no cgroup v2 is mounted")?;
        let path = own.lines().find_map(|line| line.strip_prefix("0::")).ok_or("this process is in no cgroup v2")?;
        let inside = Path::new(path).strip_prefix(&root).map_err(|_| "its cgroup is outside of what is mounted")?;
        let mut dir = mount.join(inside);
        // A controller that was started by one of ours, or a shim, has moved already.
        if dir.file_name().is_some_and(|name| name == OWN) {
            dir.pop();
        }
        let text = read(&dir.join("cgroup.controllers"))?;
        let has = |name: &&str| text.split_whitespace().any(|found| found == *name);
        let controllers: Vec<&str> = USED.into_iter().filter(has).collect();
        if controllers.is_empty() {
            let v1 = own.lines().any(|line| USED.iter().any(|name| v1_controllers(line).any(|found| found == *name)));
            return Err(if v1 {
                "this machine has its controllers in cgroup v1".into()
            } else {
                format!("none of the controllers {} is delegated to {}", USED.join(", "), dir.display())
            });
        }
        for name in ["cgroup.subtree_control", "cgroup.procs"] {
            let path = dir.join(name);
            if rustix::fs::access(&path, rustix::fs::Access::WRITE_OK).is_err() {
                return Err(format!("{} is not writable for this user", path.display()));
            }
        }
        Ok(Self { dir, controllers })
    }

    /// The root of the whole tree: the only group that has no type, and that may have processes and children at once.
    fn is_root(&self) -> bool {
        !self.dir.join("cgroup.type").exists()
    }

    /// Whether whoever manages the machine's groups keeps away from this one.
    fn is_left_to_us(&self, systemd: bool) -> Result<(), String> {
        let says = |name: &&str| rustix::fs::getxattr(&self.dir, *name, &mut [0_u8; 8][..]).is_ok();
        if systemd && !DELEGATED.iter().any(says) {
            return Err(format!("systemd has not delegated {}", self.dir.display()));
        }
        Ok(())
    }

    /// Passes the controllers on to children; `own` is this process.
    fn take(self, own: u32) -> Result<Cgroups, String> {
        let dir = self.dir.display().to_string();
        if !self.is_root() {
            let own = own.to_string();
            let procs = read(&self.dir.join("cgroup.procs"))?;
            if let Some(other) = procs.lines().find(|pid| *pid != own) {
                let name = fs::read_to_string(format!("/proc/{other}/comm")).unwrap_or_default();
                return Err(format!("{dir} has another process, {other} ({}), which is not ours to move", name.trim()));
            }
            let child = self.dir.join(OWN);
            make_dir(&child)?;
            if procs.lines().any(|pid| pid == own) {
                write(&child.join("cgroup.procs"), &own)?;
            }
        }
        let file = self.dir.join("cgroup.subtree_control");
        let (mut controllers, mut refusals) = (Vec::new(), Vec::new());
        for name in self.controllers {
            match write(&file, &format!("+{name}")) {
                Ok(()) => controllers.push(name.to_owned()),
                Err(why) => refusals.push(why),
            }
        }
        if controllers.is_empty() {
            Err(refusals.join("; "))
        } else {
            Ok(Cgroups::Delegated { dir: self.dir, controllers })
        }
    }
}

/// The controllers that a line of `/proc/PID/cgroup` names; none in that of cgroup v2.
fn v1_controllers(line: &str) -> impl Iterator<Item = &str> {
    line.split(':').nth(1).unwrap_or_default().split(',')
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

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{} cannot be read ({error})", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{text} cannot be written to {}: {error}", path.display()))
}

/// Makes a group, unless it is there.
fn make_dir(dir: &Path) -> Result<(), String> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(format!("the cgroup {} cannot be made: {error}", dir.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Makes an instance's group; gives its `cgroup.procs`, opened for writing.
pub(super) fn make(group: &Group) -> Result<OwnedFd, String> {
    make_dir(&group.dir)?;
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

    const US: u32 = 17;

    /// A tree as the kernel shows it, below a directory; and the lines of mountinfo that name it.
    fn tree(controllers: &str, procs: &str) -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("app.service");
        fs::create_dir(&own).unwrap();
        for (name, text) in [
            ("cgroup.controllers", controllers),
            ("cgroup.subtree_control", ""),
            ("cgroup.type", "domain\n"),
            ("cgroup.procs", procs),
        ] {
            fs::write(own.join(name), text).unwrap();
        }
        let mounts = format!(
            "20 1 0:5 / /proc rw - proc proc rw\n30 20 0:26 / {} rw,nosuid shared:9 - cgroup2 cgroup2 rw\n",
            dir.path().display()
        );
        (dir, mounts)
    }

    fn claim(own: &str, mounts: &str) -> Result<Cgroups, String> {
        Candidate::find(own, mounts)?.take(US)
    }

    #[test]
    fn a_group_that_is_ours_alone_is_taken() {
        let (dir, mounts) = tree("cpu io memory pids\n", "17\n");
        let own = dir.path().join("app.service");
        let found = claim("0::/app.service\n", &mounts).unwrap();
        let controllers = USED.map(str::to_owned).to_vec();
        assert_eq!(found, Cgroups::Delegated { dir: own.clone(), controllers });
        assert_eq!(fs::read_to_string(own.join("serin-own/cgroup.procs")).unwrap(), "17");
        assert_eq!(fs::read_to_string(own.join("cgroup.subtree_control")).unwrap(), "+pids");
        assert!(found.offers("hugetlb").unwrap_err().contains("hugetlb is not delegated"));
        // The kernel would have moved it; and the next controller, started by one of ours, finds the same.
        fs::write(own.join("cgroup.procs"), "").unwrap();
        assert_eq!(claim("0::/app.service/serin-own\n", &mounts).unwrap(), found);
    }

    #[test]
    fn nobody_elses_process_is_moved() {
        let (dir, mounts) = tree("cpu memory pids\n", "17\n4194305\n");
        let why = claim("0::/app.service\n", &mounts).unwrap_err();
        assert!(why.contains("another process, 4194305") && why.contains("not ours to move"), "{why}");
        assert!(!dir.path().join("app.service/serin-own").exists(), "nothing was changed");
    }

    #[test]
    fn in_the_root_of_the_tree_nothing_has_to_move() {
        let (dir, mounts) = tree("cpu memory pids\n", "1\n17\n");
        let root = dir.path().join("app.service");
        fs::remove_file(root.join("cgroup.type")).unwrap();
        assert!(matches!(claim("0::/app.service\n", &mounts), Ok(Cgroups::Delegated { .. })));
        assert!(!root.join("serin-own").exists());
    }

    #[test]
    fn under_systemd_a_group_has_to_be_delegated() {
        let (_dir, mounts) = tree("cpu\n", "17\n");
        let found = Candidate::find("0::/app.service\n", &mounts).unwrap();
        assert!(found.is_left_to_us(true).unwrap_err().contains("systemd has not delegated"));
        found.is_left_to_us(false).unwrap();
        let set = rustix::fs::setxattr(&found.dir, "user.delegate", b"1", rustix::fs::XattrFlags::empty());
        if set.is_ok() {
            found.is_left_to_us(true).unwrap();
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let why = |own: &str, mounts: &str| claim(own, mounts).unwrap_err();
        let (_dir, mounts) = tree("hugetlb\n", "17\n");
        assert!(why("4:cpu,cpuacct:/\n0::/app.service\n", &mounts).contains("cgroup v1"));
        assert!(why("1:name=systemd:/\n0::/app.service\n", &mounts).contains("none of the controllers"));
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
