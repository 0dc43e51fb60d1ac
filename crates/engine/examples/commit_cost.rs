//! What a commit costs on this disk, against a bare write and fsync of as many bytes.
//!
//! `cargo run --release -p serin-engine --example commit_cost [DIRECTORY]` (default: the current one; not a tmpfs, where an fsync is free).

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serin_engine::store::{Commit, RolloutRecord, Store};

const ROUNDS: u32 = 300;

/// A commit like the driver's while it releases: state, an event and a measurement; some 1.5 KB.
fn commit(n: u64) -> Result<Commit, serde_json::Error> {
    let mut commit = Commit::new();
    commit.put_state("status", &"s".repeat(1_000))?;
    commit.put_event(Some(1), n, &"e".repeat(300))?;
    commit.put_measurement(1, n, &"m".repeat(200))?;
    Ok(commit)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    let directory = tempfile::tempdir_in(directory)?;
    let store = Store::open(directory.path().join("store.redb"))?;
    let mut first = Commit::new();
    first.put_revision(1, &"0".repeat(64), "content")?;
    first.put_rollout(RolloutRecord { number: 1, from: None, to: 1, started: 0, ended: None, outcome: None });
    store.commit(&first)?;

    // Overwrites in place, as a database does: an fsync that only has data to write.
    let mut file = File::create(directory.path().join("bare"))?;
    file.write_all(&[1; 4_096])?;
    file.sync_all()?;

    let (mut commits, mut syncs) = (Vec::new(), Vec::new());
    for n in 0..ROUNDS {
        let next = commit(u64::from(n))?;
        let start = Instant::now();
        store.commit(&next)?;
        commits.push(start.elapsed());
        let start = Instant::now();
        file.write_all_at(&[n.to_le_bytes()[0]; 4_096], 0)?;
        file.sync_data()?;
        syncs.push(start.elapsed());
    }
    let (commit, sync) = (median(commits), median(syncs));
    let start = Instant::now();
    let events = store.events_of(1)?.len();
    println!(
        "commit {:.2} ms, bare fsync {:.2} ms, ratio {:.2} (medians of {ROUNDS}); reading {events} events {:.2} ms",
        commit.as_secs_f64() * 1e3,
        sync.as_secs_f64() * 1e3,
        commit.as_secs_f64() / sync.as_secs_f64(),
        start.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}
