//! The power goes at every single operation of a commit, of an opening and of a recovery; every operation fails once.

use super::disk::{Disk, Fault};
use super::{dump, whole};
use crate::store::medium::builder;
use crate::store::{Store, StoreError};

const SEEDS: u64 = 12;

/// The image of a closed store with `n` rollouts in it.
fn image(n: u64) -> Vec<u8> {
    let disk = Disk::new(Vec::new());
    let store = disk.store().expect("a new store");
    for number in 1..=n {
        store.commit(&whole(number)).expect("commit");
    }
    drop(store);
    disk.after_power_off(0)
}

fn reopened(image: Vec<u8>) -> Store {
    Disk::new(image).store().expect("a store opens after every crash")
}

/// What a store of this image holds before and after its next commit, and how many operations of the disk that takes.
fn next_commit(image: &[u8]) -> (String, String, u64) {
    let disk = Disk::new(image.to_vec());
    let store = disk.store().expect("open");
    let before = dump(&store);
    disk.set(Fault::None);
    store.commit(&whole(4)).expect("commit");
    let operations = disk.operations();
    (before, dump(&store), operations)
}

#[test]
fn a_commit_is_there_whole_or_not_at_all_wherever_the_power_goes() {
    let image = image(3);
    let (before, after, operations) = next_commit(&image);
    assert_ne!(before, after);
    assert!(operations >= 3, "a commit writes and syncs: {operations}");

    let mut seen = [0, 0];
    for n in 0..=operations {
        let disk = Disk::new(image.clone());
        let store = disk.store().expect("open");
        let epoch = store.epoch();
        disk.set(Fault::PowerOffBefore(n));
        store.commit(&whole(4)).expect("a process does not notice that its power is gone");
        for seed in 0..SEEDS {
            let left = disk.after_power_off(seed);
            let store = reopened(left);
            let found = dump(&store);
            assert!(found == before || found == after, "operation {n}, seed {seed}:\n{found}");
            assert!(n < operations || found == after, "what was committed stays committed");
            assert!(store.epoch() > epoch);
            seen[usize::from(found == after)] += 1;
            let next = if found == after { 5 } else { 4 };
            store.commit(&whole(next)).expect("the store goes on");
            assert_eq!(store.rollouts(1).expect("rollouts")[0].number, next);
        }
    }
    assert!(seen[0] > 0 && seen[1] > 0, "both sides of the commit were seen: {seen:?}");
}

#[test]
fn an_opening_can_be_cut_anywhere_even_the_first_and_even_a_recovery() {
    // A new disk, a clean store, and a store whose last commit was cut.
    let cut = {
        let disk = Disk::new(image(2));
        let store = disk.store().expect("open");
        disk.set(Fault::PowerOffBefore(2));
        store.commit(&whole(3)).expect("unnoticed");
        disk.after_power_off(5)
    };
    let new = {
        let disk = Disk::new(Vec::new());
        drop(builder().create_with_backend(disk.clone()).expect("a new database"));
        disk.after_power_off(0)
    };
    for (name, image) in [("new", new), ("clean", image(2)), ("cut", cut)] {
        let expected = dump(&reopened(image.clone()));
        let counting = Disk::new(image.clone());
        let first = counting.store().expect("open");
        let operations = counting.operations();
        assert!(operations > 2, "{name}: {operations}");
        for n in 0..=operations {
            let disk = Disk::new(image.clone());
            disk.set(Fault::PowerOffBefore(n));
            let doomed = disk.store().expect("unnoticed");
            for seed in 0..SEEDS {
                let store = reopened(disk.after_power_off(seed));
                assert_eq!(dump(&store), expected, "{name}: operation {n}, seed {seed}");
                assert!(n < operations || store.epoch() > first.epoch(), "an epoch is never given twice");
            }
            drop(doomed);
        }
    }
}

#[test]
fn after_any_single_failure_the_store_tells_the_truth_and_goes_on() {
    let image = image(3);
    let (before, after, operations) = next_commit(&image);
    let mut failures = 0;
    for n in 0..operations {
        let disk = Disk::new(image.clone());
        let store = disk.store().expect("open");
        let events = store.subscribe();
        disk.set(Fault::FailOnce(n));
        let Err(error) = store.commit(&whole(4)) else {
            assert_eq!(dump(&store), after, "operation {n} was not needed for the commit");
            continue;
        };
        failures += 1;
        assert!(matches!(error, StoreError::Io { action: "write", .. }), "{error:?}");
        assert!(error.to_string().starts_with("cannot write the store disk: broken on purpose"), "{error}");
        let found = dump(&store);
        assert!(found == before || found == after, "operation {n}:\n{found}");
        let (next, last) = if found == after { (5, 8) } else { (4, 6) };
        assert_eq!(*events.borrow(), last, "who waits for events is told the truth too");
        store.commit(&whole(next)).expect("the store goes on");
        let disk_now = disk.after_power_off(0);
        assert_eq!(dump(&reopened(disk_now)), dump(&store));
    }
    assert!(failures > 2, "{failures} of {operations}");
}

#[test]
fn while_everything_fails_nothing_is_lost_and_then_it_heals() {
    let disk = Disk::new(image(2));
    let store = disk.store().expect("open");
    let before = dump(&store);
    disk.set(Fault::FailAll);
    for _ in 0..3 {
        assert!(store.commit(&whole(3)).is_err());
    }
    disk.set(Fault::None);
    assert_eq!(dump(&store), before);
    store.commit(&whole(3)).expect("healed");
    assert_eq!(store.rollouts(1).expect("rollouts")[0].number, 3);
}

/// Not every flipped bit can be noticed (it may be in free space), but none may bring the process down or be believed silently in the header.
#[test]
fn a_damaged_file_is_an_error_or_reads_as_before() {
    let image = image(2);
    let expected = dump(&reopened(image.clone()));
    let mut refused = 0;
    for position in (0..image.len()).step_by(image.len() / 200).chain(0..400) {
        let mut damaged = image.clone();
        damaged[position] ^= 0x41;
        match std::panic::catch_unwind(|| Disk::new(damaged).store().map(drop)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                assert!(error.to_string().contains("the store disk is damaged"), "{position}: {error}");
                refused += 1;
            }
            Err(_) => panic!("byte {position}: opening panicked"),
        }
    }
    assert!(refused > 0, "some damage is found");
    assert_eq!(dump(&reopened(image)), expected);
}
