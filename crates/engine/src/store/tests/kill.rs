//! A real process that commits in a loop and is killed with SIGKILL, again and again, on one file.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::json;

use super::{hash, record};
use crate::store::{Commit, OpenError, Store};

const CHILD: &str = "SERIN_STORE_TEST_CHILD";
const KILLS: u64 = 25;

/// Commits for ever, each commit touching several tables with the same number, and prints the number when the commit returned.
fn commit_for_ever(path: &Path) -> ! {
    let store = Store::open(path).expect("the child opens the store");
    let first = store.state::<u64>("n").expect("state").unwrap_or(0) + 1;
    let mut out = std::io::stdout();
    writeln!(out, "open").expect("the parent reads");
    for n in first.. {
        let mut commit = Commit::new();
        commit.put_state("n", &n).expect("plain");
        commit.put_event(Some(1), n, &json!({ "n": n, "filling": "x".repeat((n % 7) as usize * 900) })).expect("plain");
        commit.put_measurement(1, n, &n).expect("plain");
        store.commit(&commit).expect("commit");
        writeln!(out, "done {n}").expect("the parent reads");
    }
    unreachable!("u64 is large")
}

fn start(path: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "store::tests::kill::killed_in_the_middle_of_anything", "--nocapture", "--test-threads=1"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("spawn");
    let lines = BufReader::new(child.stdout.take().expect("piped"));
    (child, lines)
}

fn last_done(lines: impl Iterator<Item = String>) -> Option<u64> {
    lines.filter_map(|line| line.strip_prefix("done ").and_then(|n| n.parse().ok())).last()
}

#[test]
fn killed_in_the_middle_of_anything() {
    if let Some(path) = std::env::var_os(CHILD) {
        commit_for_ever(Path::new(&path));
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store.redb");
    {
        let store = Store::open(&path).expect("open");
        let mut commit = Commit::new();
        commit.put_revision(1, &hash(1), "content").expect("plain");
        commit.put_rollout(record(1));
        store.commit(&commit).expect("commit");
    }
    let (mut acknowledged, mut epoch) = (0, 1);
    for kill in 0..KILLS {
        let (mut child, lines) = start(&path);
        let mut lines = lines.lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("open")), "the child got the store");
        if kill == 0 {
            assert_names_its_holder(&path, child.id());
        }
        // The kill comes after a different number of commits each time, and then at any point of the next one.
        let waited = last_done(lines.by_ref().take(1 + (kill * 7 % 13) as usize));
        std::thread::sleep(std::time::Duration::from_micros(kill * 371 % 5_000));
        child.kill().expect("SIGKILL");
        child.wait().expect("reaped");
        acknowledged = last_done(lines).or(waited).unwrap_or(acknowledged);

        let store = Store::open(&path).expect("opens after a kill");
        let n = store.state::<u64>("n").expect("state").unwrap_or(0);
        assert!(n == acknowledged || n == acknowledged + 1, "kill {kill}: {n} after {acknowledged} was acknowledged");
        let events = store.events_of(1).expect("events");
        let measurements = store.measurements_of(1).expect("measurements");
        assert_eq!((events.len() as u64, measurements.len() as u64), (n, n), "kill {kill}");
        assert!(events.iter().enumerate().all(|(index, event)| event.seq == index as u64 + 1), "no gap in the outbox");
        assert_eq!(store.epoch(), epoch + 2, "one for the child, one for this process");
        epoch = store.epoch();
        acknowledged = n;
    }
    assert!(acknowledged > KILLS, "{acknowledged} commits");
}

fn assert_names_its_holder(path: &Path, pid: u32) {
    match Store::open(path) {
        Err(error @ OpenError::Locked { .. }) => {
            let text = error.to_string();
            assert!(
                text.contains(&format!("is in use by process {pid} (")) && text.contains("stop that process first"),
                "{text}"
            );
        }
        other => panic!("expected that it is locked, got {other:?}"),
    }
}
