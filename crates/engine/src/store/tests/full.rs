//! A full disk: the commit fails with a reason, what was stored is intact, and it goes on when there is room.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::disk::{Disk, Fault};
use super::{dump, whole};
use crate::store::{Commit, Store, StoreError};

/// Commits until the disk is full. Returns what was visible before the commit that failed, and the error.
fn fill(store: &Store) -> (String, StoreError) {
    let bulk = "x".repeat(100_000);
    for round in 0..1_000 {
        let before = dump(store);
        let mut commit = Commit::new();
        commit.put_state("status", &json!({ "round": round })).expect("plain");
        commit.put_event(None, round, &bulk).expect("plain");
        if let Err(error) = store.commit(&commit) {
            return (before, error);
        }
    }
    panic!("the disk never got full");
}

fn assert_full(error: &StoreError) {
    let text = error.to_string();
    assert!(text.starts_with("cannot write the store ") && text.contains("free some room on that disk"), "{text}");
}

#[test]
fn no_room_on_a_simulated_disk() {
    let disk = Disk::new(Vec::new());
    let store = disk.store().expect("open");
    store.commit(&whole(1)).expect("commit");
    disk.set(Fault::Full(disk.len()));
    let (before, error) = fill(&store);
    assert_full(&error);
    assert_eq!(dump(&store), before);
    // Reopening may have found some more room; then the disk is full a second time.
    let (before, error) = fill(&store);
    assert_full(&error);
    assert_eq!(dump(&store), before);
    disk.set(Fault::None);
    store.commit(&whole(2)).expect("there is room again");
    assert_eq!(dump(&store), dump(&Disk::new(disk.after_power_off(0)).store().expect("open")));
}

/// However many pages there is still room for: a commit that did not get them all is not there, and one that did is.
#[test]
fn a_commit_refused_for_lack_of_room_is_never_there() {
    let mut refused = 0;
    for room in 0.. {
        let disk = Disk::new(Vec::new());
        let store = disk.store().expect("open");
        store.commit(&whole(1)).expect("commit");
        let before = dump(&store);
        let mut commit = whole(2);
        commit.put_event(None, 0, &"x".repeat(60_000)).expect("plain");
        disk.set(Fault::NewPages(room));
        if store.commit(&commit).is_ok() {
            assert_ne!(dump(&store), before);
            break;
        }
        refused += 1;
        assert_eq!(dump(&store), before, "with room for {room} pages");
        disk.set(Fault::None);
        store.commit(&commit).expect("there is room again");
        assert_ne!(dump(&store), before);
    }
    assert!(refused > 3, "{refused} times there was too little room");
}

/// A tmpfs of 4 MiB, where this process may mount one.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(at: &Path) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(at).output().ok()?;
        mounted.status.success().then(|| Self(at.to_path_buf()))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{} stays mounted", self.0.display());
    }
}

#[test]
fn no_room_on_a_real_disk_or_else_in_a_file_that_may_not_grow() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(tmpfs) = Tmpfs::mount(directory.path()) else {
        // Without the right to mount, the simulated disk is the test; and here that a directory that refuses writes is an error with a name.
        let error = Store::open("/proc/serin/store.redb").expect_err("no such directory");
        assert!(error.to_string().contains("/proc/serin/store.redb"), "{error}");
        return;
    };
    let ballast = tmpfs.0.join("ballast");
    std::fs::write(&ballast, vec![1; 1 << 20]).expect("ballast");
    let path = tmpfs.0.join("store.redb");
    {
        let store = Store::open(&path).expect("open");
        store.commit(&whole(1)).expect("commit");
        let (before, error) = fill(&store);
        assert_full(&error);
        assert!(error.to_string().contains(path.to_str().expect("utf-8")), "{error}");
        assert_eq!(dump(&store), before);
        let (before, error) = fill(&store);
        assert_full(&error);
        assert_eq!(dump(&store), before);
        std::fs::remove_file(&ballast).expect("remove");
        store.commit(&whole(2)).expect("there is room again");
        assert_eq!(store.rollouts(1).expect("rollouts")[0].number, 2);
    }
    let store = Store::open(&path).expect("open again");
    assert_eq!(store.rollouts(1).expect("rollouts")[0].number, 2);
}
