//! What the store keeps, refuses, returns and forgets.

use serde_json::{Value, json};

use super::disk::Disk;
use super::{dump, hash, record, whole};
use crate::store::{Commit, KEEP_MEASUREMENTS, KEEP_ROLLOUTS, OpenError, RolloutRecord, Store, StoreError, tables};

fn new() -> Store {
    Disk::new(Vec::new()).store().expect("a new store")
}

fn build(build: impl FnOnce(&mut Commit)) -> Commit {
    let mut commit = Commit::new();
    build(&mut commit);
    commit
}

fn ended(n: u64) -> RolloutRecord {
    RolloutRecord { ended: Some(n + 1), outcome: Some("succeeded".to_string()), ..record(n) }
}

#[test]
fn what_was_committed_is_there_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store.redb");
    let store = Store::open(&path).expect("open");
    assert_eq!((store.epoch(), store.path()), (1, path.as_path()));
    assert_eq!(store.commit(&whole(1)).expect("commit").events, Some(1..=2));
    assert_eq!(store.commit(&whole(2)).expect("commit").events, Some(3..=4));
    store.advance("log", 3).expect("advance");
    let before = dump(&store);
    drop(store);
    let store = Store::open(&path).expect("open again");
    assert_eq!(store.epoch(), 2);
    assert_eq!(dump(&store), before);
    assert_eq!(store.state::<Value>("status").expect("state"), Some(json!({ "rollout": 2, "phase": "step" })));
    assert_eq!(store.state::<String>("only-1").expect("state"), None);
    assert_eq!(store.revision_id(&hash(2)).expect("id"), Some(2));
    let good = store.last_good().expect("last good").expect("named");
    assert_eq!((good.id, good.decode::<Value>().expect("shape")), (2, json!({ "command": ["shop", 2] })));
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&path).expect("file"));
    assert_eq!(mode & 0o777, 0o600, "environments may hold secrets");
}

#[test]
fn of_a_rollouts_measurements_the_last_are_kept() {
    let store = new();
    store.commit(&whole(1)).expect("commit");
    let many = |n: u64| build(|commit| (0..n).for_each(|at| commit.put_measurement(1, at, &at).expect("plain")));
    store.commit(&many(KEEP_MEASUREMENTS)).expect("commit");
    store.commit(&many(7)).expect("commit");
    let kept = store.measurements_of(1).expect("measurements");
    let ends = [kept.first(), kept.last()].map(|row| row.expect("some").seq);
    assert_eq!((kept.len() as u64, ends), (KEEP_MEASUREMENTS, [9, KEEP_MEASUREMENTS + 8]));
}

#[test]
fn one_process_at_a_time_even_within_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store.redb");
    let first = Store::open(&path).expect("open");
    let Err(OpenError::Locked { holder, .. }) = Store::open(&path) else { panic!("two stores on one file") };
    assert!(holder.starts_with(&format!("process {}", std::process::id())), "{holder}");
    drop(first);
    assert_eq!(Store::open(&path).expect("free again").epoch(), 2);
}

#[test]
fn files_that_are_no_store_or_a_newer_one_are_refused_untouched() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store.redb");
    let foreign = b"name: shop\nreplicas: 3\n".repeat(400);
    std::fs::write(&path, &foreign).expect("write");
    assert!(matches!(Store::open(&path), Err(OpenError::Corrupt { .. })));
    assert_eq!(std::fs::read(&path).expect("read"), foreign);

    std::fs::remove_file(&path).expect("remove");
    let store = Store::open(&path).expect("open");
    store
        .writing(|transaction| {
            transaction.open_table(tables::META)?.insert(tables::meta::SCHEMA, tables::SCHEMA + 6)?;
            Ok(())
        })
        .expect("write");
    drop(store);
    for _ in 0..2 {
        let Err(error @ OpenError::SchemaTooNew { found: 8, known: 2, .. }) = Store::open(&path) else {
            panic!("a newer format was opened")
        };
        assert!(error.to_string().contains("has format 8"), "{error}");
    }
    std::fs::remove_file(&path).expect("remove");
    std::fs::write(directory.path().join("store.redb.new"), &foreign).expect("write");
    assert_eq!(Store::open(&path).expect("a making that was cut is begun anew").epoch(), 1);
    std::fs::write(&path, "").expect("write");
    assert_eq!(Store::open(&path).expect("an empty file holds nothing").epoch(), 1);

    let missing = Store::open(directory.path().join("no/store.redb")).expect_err("no directory");
    assert!(matches!(missing, OpenError::Io { .. }), "{missing:?}");
}

#[test]
fn a_commit_that_contradicts_the_store_changes_nothing() {
    let store = new();
    for n in 1..=2 {
        store.commit(&whole(n)).expect("commit");
    }
    let before = dump(&store);
    type Spoil = fn(&mut Commit);
    let refused: [(&str, Spoil); 12] = [
        ("64 lower-case", |c| c.put_revision(3, "ABC", "").expect("plain")),
        ("64 lower-case", |c| c.put_revision(3, &"A".repeat(64), "").expect("plain")),
        ("has the id 1, not 3", |c| c.put_revision(3, &hash(1), "").expect("plain")),
        ("known with other content", |c| c.put_revision(1, &hash(1), "other").expect("plain")),
        ("gets the id 3, not 4", |c| c.put_revision(4, &hash(9), "").expect("plain")),
        ("cannot be the last good", |c| c.set_last_good(3)),
        ("cannot be installed", |c| c.set_installed([1, 3])),
        ("gets the number 3, not 4", |c| c.put_rollout(RolloutRecord { number: 4, ..record(1) })),
        ("which is not stored", |c| c.put_rollout(record(3))),
        ("is frozen", |c| c.put_plan(2, "another").expect("plain")),
        ("a plan needs its rollout", |c| c.put_plan(3, "plan").expect("plain")),
        ("a measurement needs its rollout", |c| c.put_measurement(3, 0, "x").expect("plain")),
    ];
    for (reason, spoil) in refused {
        let commit = build(|c| {
            c.put_state("status", "overwritten").expect("plain");
            c.put_event(None, 0, "lost").expect("plain");
            spoil(c);
        });
        let error = store.commit(&commit).expect_err(reason);
        assert!(matches!(error, StoreError::Refused { .. }) && error.to_string().contains(reason), "{error}");
        assert_eq!(dump(&store), before, "{reason}");
    }
    assert_eq!(store.commit(&Commit::new()).expect("nothing is fine").events, None);
    store
        .commit(&build(|c| c.put_revision(1, &hash(1), &json!({ "command": ["shop", 1] })).expect("plain")))
        .expect("a repetition");
    assert_eq!(dump(&store), before);
}

/// After an error the store opens its file anew: it must not take another one, nor make an empty one, for its own.
#[test]
fn a_file_that_was_exchanged_under_it_is_not_taken_for_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store.redb");
    let store = Store::open(&path).expect("open");
    store.commit(&whole(1)).expect("commit");
    let fail = || store.failed("read", redb::Error::Io(std::io::Error::other("pulled out")));
    assert!(fail().to_string().contains("pulled out"));
    assert_eq!(store.rollouts(9).expect("reopens").len(), 1);

    std::fs::rename(&path, directory.path().join("away")).expect("rename");
    fail();
    for _ in 0..2 {
        let error = store.rollouts(9).expect_err("gone");
        assert!(matches!(error, StoreError::Closed(OpenError::Io { .. })), "{error:?}");
    }
    assert!(!path.exists(), "no empty store was made in its place");
    let other = directory.path().join("other");
    drop(Store::open(&other).expect("another store"));
    drop(Store::open(&other).expect("another store"));
    std::fs::rename(&other, &path).expect("rename");
    let error = store.commit(&whole(2)).expect_err("exchanged");
    assert!(error.to_string().contains("this is not the file that was opened"), "{error}");
    std::fs::rename(directory.path().join("away"), &path).expect("rename");
    store.commit(&whole(2)).expect("it is back");
}

#[test]
fn a_state_of_another_shape_is_an_error_not_a_default() {
    let store = new();
    store.commit(&build(|c| c.put_state("status", "text").expect("plain"))).expect("commit");
    let error = store.state::<u64>("status").expect_err("a string is no number");
    assert!(error.to_string().contains("the state `status` does not read back"), "{error}");
    assert_eq!(store.state::<String>("status").expect("still there"), Some("text".to_string()));
}

#[test]
fn each_reader_sees_each_event_at_least_once() {
    let store = new();
    let mut wake = store.subscribe();
    assert_eq!(*wake.borrow_and_update(), 0);
    for n in 1..=5_u64 {
        store.commit(&build(|c| c.put_event(None, n, &n).expect("plain"))).expect("commit");
    }
    assert!(wake.has_changed().expect("the store lives"));
    assert_eq!(*wake.borrow_and_update(), 5);
    store.commit(&build(|c| c.put_state("s", &1).expect("plain"))).expect("commit");
    assert!(!wake.has_changed().expect("the store lives"), "no event, no wake");

    let numbers = |after, limit| -> Vec<u64> {
        store.events_after(after, limit).expect("events").iter().map(|event| event.decode().expect("number")).collect()
    };
    assert_eq!(numbers(0, 3), [1, 2, 3]);
    assert_eq!(numbers(3, 3), [4, 5]);
    assert!(numbers(5, 3).is_empty() && numbers(u64::MAX, 3).is_empty());
    assert_eq!(store.cursor("log").expect("cursor"), 0);
    store.advance("log", 3).expect("advance");
    store.advance("log", 2).expect("going back is ignored");
    assert_eq!((store.cursor("log").expect("cursor"), store.cursor("hook").expect("cursor")), (3, 0));
    let error = store.advance("log", 6).expect_err("there is no event 6");
    assert!(error.to_string().contains("the last one is 5"), "{error}");
    store.forget_cursor("log").expect("forget");
    assert_eq!(store.cursor("log").expect("cursor"), 0);
}

#[test]
fn pruning_keeps_the_last_the_running_the_good_the_installed_and_the_unseen() {
    let store = new();
    for n in 1..=130 {
        store.commit(&whole(n)).expect("commit");
        if n != 7 {
            store.commit(&build(|c| c.put_rollout(ended(n)))).expect("ended");
        }
    }
    store
        .commit(&build(|c| {
            c.set_last_good(3);
            c.set_installed([5, 130]);
        }))
        .expect("commit");
    // Rollout n has the events 2n - 1 and 2n; the slowest reader has seen those up to rollout 20's.
    store.advance("slow", 40).expect("advance");
    store.advance("fast", 260).expect("advance");
    let pruned = store.prune(KEEP_ROLLOUTS).expect("prune");
    let numbers = |store: &Store| -> Vec<u64> {
        store.rollouts(usize::MAX).expect("rollouts").iter().rev().map(|record| record.number).collect()
    };
    let kept: Vec<u64> = [3, 5, 7].into_iter().chain(21..=130).collect();
    assert_eq!(numbers(&store), kept);
    assert_eq!(pruned.rollouts, 17);
    // Kept rollouts name the revision that they started from too: 2, 4, 6 and 20.
    let revisions: Vec<u64> = (1..=130).filter(|n| store.revision(*n as u32).expect("read").is_some()).collect();
    let expected: Vec<u64> = (2..=7).chain(20..=130).collect();
    assert_eq!((revisions, pruned.revisions), (expected, 13));
    assert!(store.events_of(1).expect("events").is_empty() && store.measurements_of(1).expect("rows").is_empty());
    assert_eq!(store.plan::<Value>(1).expect("plan"), None);
    assert_eq!(store.events_of(21).expect("events").len(), 1);
    assert_eq!(store.events_after(0, 1).expect("events")[0].seq, 2, "events of no rollout stay");

    store.forget_cursor("slow").expect("forget");
    assert_eq!(store.prune(KEEP_ROLLOUTS).expect("prune").rollouts, 10);
    assert_eq!(numbers(&store), [3, 5, 7].into_iter().chain(31..=130).collect::<Vec<_>>());
    assert_eq!(store.prune(KEEP_ROLLOUTS).expect("prune"), crate::store::Pruned::default(), "nothing is left to do");
    assert_eq!(
        (store.next_rollout().expect("n"), store.next_revision().expect("n")),
        (131, 131),
        "numbers never return"
    );
    assert_eq!(store.revision_id(&hash(1)).expect("id"), None);
    store.commit(&build(|c| c.put_revision(131, &hash(1), "again").expect("plain"))).expect("an old hash, a new id");
}

#[test]
fn events_of_no_rollout_are_kept_to_a_thousand() {
    let store = new();
    let commit = build(|c| (1..=1_010_u64).for_each(|n| c.put_event(None, n, &n).expect("plain")));
    store.commit(&commit).expect("commit");
    store.advance("log", 4).expect("advance");
    assert_eq!(store.prune(KEEP_ROLLOUTS).expect("prune").other_events, 4);
    store.advance("log", 1_010).expect("advance");
    assert_eq!(store.prune(KEEP_ROLLOUTS).expect("prune").other_events, 6);
    assert_eq!(store.events_after(0, 1).expect("events")[0].seq, 11);
}

#[test]
fn readers_go_on_while_a_writer_commits() {
    let store = new();
    store.commit(&whole(1)).expect("commit");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 2..=60 {
                store.commit(&whole(n)).expect("commit");
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = 0;
                while last < 60 {
                    let rollouts = store.rollouts(1).expect("rollouts");
                    assert!(rollouts[0].number >= last, "time goes forward");
                    last = rollouts[0].number;
                    assert_eq!(store.events_of(last).expect("events").len(), 1, "with its events");
                }
            });
        }
    });
}
