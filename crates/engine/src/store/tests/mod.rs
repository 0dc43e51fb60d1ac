//! The store against its own promises: behaviour here, crashes, full disks and kills beside it.

mod behaviour;
mod crash;
mod disk;
mod full;
mod kill;

use super::{Commit, RolloutRecord, Store};
use serde_json::json;

/// A hash that is different for every `n`.
fn hash(n: u64) -> String {
    format!("{n:064x}")
}

/// A commit as the driver makes them, touching every table: rollout `n` of revision `n` begins and everything is said about it.
fn whole(n: u64) -> Commit {
    let id = u32::try_from(n).expect("small");
    let mut commit = Commit::new();
    commit.put_state("status", &json!({ "rollout": n, "phase": "step" })).expect("plain");
    commit.put_state(&format!("only-{n}"), "x").expect("plain");
    if n > 1 {
        commit.remove_state(&format!("only-{}", n - 1));
    }
    commit.put_revision(id, &hash(n), &json!({ "command": ["shop", n] })).expect("plain");
    commit.set_last_good(id);
    commit.set_installed([id]);
    commit.put_rollout(record(n));
    commit.put_plan(n, &json!({ "targets": [n] })).expect("plain");
    commit.put_event(Some(n), n, &json!({ "started": n })).expect("plain");
    commit.put_event(None, n, &json!({ "other": n })).expect("plain");
    commit.put_measurement(n, n, &json!({ "text": "success rate 69.17% < 99%" })).expect("plain");
    commit
}

fn record(n: u64) -> RolloutRecord {
    let id = u32::try_from(n).expect("small");
    RolloutRecord { number: n, from: (n > 1).then(|| id - 1), to: id, started: n, ended: None, outcome: None }
}

/// Everything that a reader can see but the epoch.
fn dump(store: &Store) -> String {
    let mut lines = Vec::new();
    let rollouts = store.rollouts(usize::MAX).expect("rollouts");
    let mut line = |text: String| lines.push(text);
    line(format!("{:?}", store.state::<serde_json::Value>("status").expect("state")));
    for n in 0..rollouts.len() as u64 + 2 {
        line(format!("{:?}", store.state::<String>(&format!("only-{n}")).expect("state")));
    }
    line(format!("{:?} {:?}", store.last_good().expect("last good"), store.installed().expect("installed")));
    line(format!("{:?} {:?}", store.next_revision().expect("revision"), store.next_rollout().expect("rollout")));
    for event in store.events_after(0, usize::MAX).expect("events") {
        let body = String::from_utf8(event.body).expect("JSON");
        line(format!("{} {:?} {} {} {body:.60}", event.seq, event.rollout, event.time, body.len()));
    }
    for rollout in &rollouts {
        line(format!("{rollout:?} {:?}", store.plan::<serde_json::Value>(rollout.number).expect("plan")));
        line(format!("{:?}", store.revision(rollout.to).expect("revision")));
        line(format!("{:?}", store.events_of(rollout.number).expect("events")));
        line(format!("{:?}", store.measurements_of(rollout.number).expect("measurements")));
    }
    line(format!("{:?}", store.cursor("log").expect("cursor")));
    lines.join("\n")
}
