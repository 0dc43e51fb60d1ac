//! Connections that are cut, a server that hangs, a server that is gone: no change is lost.

use super::relay::{Mode, before};
use super::writes::{done, there, written};
use super::{PATIENCE, Stage, Wrong, fact, must, reach, until};
use serin_operator::Kind;
use serin_operator::shelf::{Change, Changes, Shelf, Watches};
use serin_operator::write::Only;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How often connections are cut.
const CUTS: u32 = 20;
/// How long the API server cannot be reached, and how long it hangs.
const OUTAGE: Duration = Duration::from_secs(10);
/// How long a watch may be silent here. On a quiet cluster every watch is begun anew after it.
const SILENCE: Duration = Duration::from_secs(4);
const NAMES: [&str; 5] = ["cut-0", "cut-1", "cut-2", "cut-3", "cut-4"];

pub async fn show(stage: &Stage) -> Result<(), Wrong> {
    let (relay, kubeconfig) = before(&stage.kubeconfig("direct"), "relayed").await?;
    let (api, _) = reach(&kubeconfig).await?;
    for name in NAMES {
        let mut service = stage.service();
        service["metadata"] = serde_json::json!({"labels": {"written": "0"}});
        done(stage.direct.create(&stage.key(Kind::Service, name), service).await)?;
    }
    let watches = Watches {
        kinds: vec![Kind::Service, Kind::ConfigMap, Kind::Deployment],
        namespaces: vec![stage.namespace.clone()],
        silence: SILENCE,
        ..Watches::default()
    };
    let (shelf, _watching) = Shelf::open(&api, &watches);
    tokio::time::timeout(PATIENCE, shelf.listed()).await.map_err(|_| format!("not listed: {:?}", shelf.contacts()))?;
    let mut changes = shelf.subscribe(&[Kind::Service]);
    let (mut told, mut number) = (BTreeSet::new(), 0);
    for _ in 0..CUTS {
        relay.cut();
        write_some(stage, &mut number).await?;
        sleep(Duration::from_millis(200)).await;
    }
    let back = same(stage, &shelf, &mut changes, &mut told).await?;
    fact("cuts", CUTS);
    fact("back_after_cuts_ms", back);
    for (mode, key) in [(Mode::Closed, "back_after_gone_ms"), (Mode::Frozen, "back_after_hang_ms")] {
        relay.set(mode);
        if mode == Mode::Closed {
            relay.cut();
        }
        let begin = Instant::now();
        while begin.elapsed() < OUTAGE {
            write_some(stage, &mut number).await?;
            replace(stage, NAMES[0]).await?;
            sleep(Duration::from_millis(500)).await;
        }
        let silent = shelf.contacts().iter().filter_map(|contact| contact.silent_ms).min().unwrap_or(0);
        must(silent > 5_000, || {
            format!("{mode:?}: nobody could answer for 10 s, and a watch is silent for {silent} ms")
        })?;
        until("that trouble is told", || shelf.contacts().iter().all(|c| c.trouble.is_some())).await?;
        eprintln!("  {}", shelf.contacts()[0].trouble.as_deref().unwrap_or_default());
        relay.set(Mode::Open);
        let back = same(stage, &shelf, &mut changes, &mut told).await?;
        fact(key, back);
    }
    must(told.len() == NAMES.len(), || format!("only these were ever told as changed: {told:?}"))?;
    fact("changes_behind_cuts", number);
    Ok(())
}

async fn write_some(stage: &Stage, number: &mut u32) -> Result<(), Wrong> {
    for name in NAMES {
        *number += 1;
        written(&stage.direct, &stage.key(Kind::Service, name), &number.to_string()).await?;
    }
    Ok(())
}

/// Deletes it, and makes another one of the same name.
async fn replace(stage: &Stage, name: &str) -> Result<(), Wrong> {
    let key = stage.key(Kind::Service, name);
    let old = there(&stage.direct, &key).await?;
    let uid = old.1["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    stage.direct.delete(&key, &Only { uid, version: None }).await.map_err(|e| e.to_string())?;
    let mut service = stage.service();
    service["metadata"] = serde_json::json!({"labels": {"written": "new"}});
    done(stage.direct.create(&key, service).await).map(|_| ())
}

/// Waits until the shelf has exactly what the API server has, led by what subscribers are told alone, and returns how long it
/// took in milliseconds.
async fn same(stage: &Stage, shelf: &Shelf, changes: &mut Changes, told: &mut BTreeSet<String>) -> Result<u128, Wrong> {
    let begin = Instant::now();
    let mut wanted = BTreeMap::new();
    for name in NAMES {
        wanted.insert(name.to_owned(), there(&stage.direct, &stage.key(Kind::Service, name)).await?.0);
    }
    let is_same = || {
        let all = shelf.all(Kind::Service, Some(&stage.namespace));
        let found: BTreeMap<String, String> =
            all.objects.iter().map(|o| (o.name.to_string(), o.version.to_string())).collect();
        wanted.iter().all(|(name, version)| found.get(name) == Some(version))
    };
    let wait = async {
        loop {
            for change in changes.now() {
                if let Change::Object(key) = change {
                    told.insert(key.name);
                }
            }
            if is_same() {
                return;
            }
            for change in changes.next().await {
                if let Change::Object(key) = change {
                    told.insert(key.name);
                }
            }
        }
    };
    let done = tokio::time::timeout(PATIENCE, wait).await;
    done.map_err(|_| format!("the shelf is not what the API server has: {wanted:?} {:?}", shelf.contacts()))?;
    told.retain(|name| NAMES.contains(&name.as_str()));
    Ok(begin.elapsed().as_millis())
}
