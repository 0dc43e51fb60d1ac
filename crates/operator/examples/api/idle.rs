//! With nothing to do there is nothing to ask: calls are counted by the proxy.

use super::{PATIENCE, Stage, Wrong, control, fact, must};
use serin_operator::lease::{Candidate, Timing};
use serin_operator::shelf::{Shelf, Watches};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::sleep;

const IDLE: Duration = Duration::from_secs(60);

pub async fn show(stage: &Stage) -> Result<(), Wrong> {
    let (shelf, _watching) = Shelf::open(&stage.proxied, &Watches::default());
    tokio::time::timeout(PATIENCE, shelf.listed()).await.map_err(|_| format!("not listed: {:?}", shelf.contacts()))?;
    let candidate = Candidate::new(&stage.namespace, "idle", "idle", Timing::default())?;
    let elected = candidate.start(&stage.proxied);
    let mut leadership = elected.leadership();
    let holds = leadership.wait_for(|l| matches!(l, serin_operator::lease::Leadership::Holds { .. }));
    let held = tokio::time::timeout(PATIENCE, holds).await.is_ok();
    must(held, || format!("the Lease is not held: {:?}", elected.trouble()))?;
    // What was begun before comes to its end.
    sleep(Duration::from_secs(3)).await;
    let before = counted(stage).await?;
    let mut silent = 0;
    let begin = std::time::Instant::now();
    while begin.elapsed() < IDLE {
        sleep(Duration::from_millis(500)).await;
        silent = silent.max(shelf.contacts().iter().filter_map(|contact| contact.silent_ms).max().unwrap_or(0));
    }
    let after = counted(stage).await?;
    let (mut calls, mut renewals, mut watches) = (0, 0, 0);
    for ((verb, resource), count) in &after {
        let more = count - before.get(&(verb.clone(), resource.clone())).unwrap_or(&0);
        match (verb.as_str(), resource.as_str()) {
            ("patch", "leases") => renewals += more,
            ("watch", _) => watches += more,
            _ if more > 0 => {
                eprintln!("  {more} times {verb} {resource}");
                calls += more;
            }
            _ => {}
        }
    }
    fact("idle_calls", calls);
    fact("idle_renewals", renewals);
    fact("idle_watches", watches);
    fact("idle_silent_ms_max", silent);
    elected.release().await.map_err(|e| e.to_string())?;
    must(calls == 0, || format!("{calls} calls in {} s with nothing to do", IDLE.as_secs()))?;
    must(renewals > 0, || "the Lease was never renewed".to_owned())
}

async fn counted(stage: &Stage) -> Result<BTreeMap<(String, String), u64>, Wrong> {
    let mut counted = BTreeMap::new();
    for (verb, resource, count) in control::calls(stage).await? {
        *counted.entry((verb, resource)).or_default() += count;
    }
    Ok(counted)
}
