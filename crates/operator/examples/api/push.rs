//! What others write is seen, and what was written here is never read older.

use super::writes::{deployment, done, label, there, written};
use super::{PATIENCE, Stage, Wrong, fact, must, reach, until};
use serin_operator::shelf::{Change as Seen, Shelf, Standing, Watches};
use serin_operator::write::{Change, Only, WriteError};
use serin_operator::{Kind, at_least};
use std::path::Path;
use std::time::{Duration, Instant};

/// How often each.
const PUSHES: u32 = 20;
const OWN: u32 = 60;

pub async fn show(stage: &Stage) -> Result<(), Wrong> {
    let watches = Watches { namespaces: vec![stage.namespace.clone()], ..Watches::default() };
    let (shelf, mut watching) = Shelf::open(&stage.proxied, &watches);
    tokio::time::timeout(PATIENCE, shelf.listed()).await.map_err(|_| format!("not listed: {:?}", shelf.contacts()))?;
    pushes(stage, &shelf).await?;
    own(stage, &shelf).await?;
    let (objects, bytes) = shelf.size(Kind::Deployment);
    fact("deployment_bytes", bytes / objects.max(1));
    must(watching.is_alive(), || "a watch ended by itself".to_owned())
}

/// Somebody else writes; how long it takes until it is told.
async fn pushes(stage: &Stage, shelf: &Shelf) -> Result<(), Wrong> {
    let key = stage.key(Kind::Service, "pushed");
    done(stage.direct.create(&key, stage.service()).await)?;
    let mut changes = shelf.subscribe(&[Kind::Service]);
    let mut took = Vec::new();
    for number in 0..PUSHES {
        let now = there(&stage.direct, &key).await?;
        let begin = Instant::now();
        let labels = Change::Set("/metadata/labels".into(), serde_json::json!({"written": number.to_string()}));
        let written = done(stage.direct.patch(&key, &now.0, &[labels]).await)?;
        let seen = async {
            loop {
                let told = changes.next().await.contains(&Seen::Object(key.clone()));
                let version = shelf.get(&key).object.map(|object| object.version.to_string());
                if told && version.and_then(|v| at_least(&v, &written.version)) == Some(true) {
                    break;
                }
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.map_err(|_| format!("push {number} is not seen"))?;
        took.push(begin.elapsed().as_millis());
    }
    took.sort_unstable();
    fact("seen_ms", took[took.len() / 2]);
    fact("seen_ms_max", took[took.len() - 1]);
    Ok(())
}

/// Own writes of an object that others write too, and that is deleted now and then without a word.
async fn own(stage: &Stage, shelf: &Shelf) -> Result<(), Wrong> {
    let key = stage.key(Kind::Deployment, "own");
    let (mut stale, mut deleted) = (0, 0);
    for number in 0..OWN {
        if stage.direct.read(&key).await.map_err(|e| e.to_string())?.is_none() {
            let made = done(stage.proxied.create(&key, deployment()).await)?;
            shelf.wrote(&key, &made.version);
        }
        if number % 3 == 1 {
            written(&stage.direct, &key, &format!("else-{number}")).await?;
        }
        let mine = loop {
            let now = there(&stage.proxied, &key).await?;
            match stage.proxied.patch(&key, &now.0, &[label(&number.to_string())]).await {
                Ok(written) => break written,
                Err(WriteError::Conflict(..)) => {}
                Err(error) => return Err(error.to_string()),
            }
        };
        shelf.wrote(&key, &mine.version);
        if number % 5 == 4 {
            // Until nothing of it changes any more in between.
            let only = Only { uid: mine.uid.clone(), version: None };
            stage.direct.delete(&key, &only).await.map_err(|e| e.to_string())?;
            deleted += 1;
        }
        let begin = Instant::now();
        loop {
            let reading = shelf.get(&key);
            if !reading.look.fresh {
                stale += 1;
                must(begin.elapsed() < PATIENCE, || format!("{key} is stale for ever: {:?}", reading.look))?;
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
            let Some(object) = reading.object else {
                // Gone is newer than any version of it.
                must(number % 5 == 4, || format!("write {number} is read as if it were not there"))?;
                break;
            };
            let new = at_least(&object.version, &mine.version) == Some(true);
            must(new, || format!("{} was written, and {} is read as fresh", mine.version, object.version))?;
            break;
        }
    }
    must(stale > 0, || "no read was ever stale, so nothing was shown".to_owned())?;
    fact("own_writes", OWN);
    fact("deleted_between", deleted);
    fact("stale_reads", stale);
    Ok(())
}

/// A kind that is not there, until it is.
pub async fn absent(kubeconfig: &str) -> Result<(), Wrong> {
    let (api, _) = reach(Path::new(kubeconfig)).await?;
    let kinds = vec![Kind::Canary, Kind::Service];
    let watches = Watches { kinds, again: Duration::from_secs(1), ..Watches::default() };
    let (shelf, _watching) = Shelf::open(&api, &watches);
    tokio::time::timeout(PATIENCE, shelf.listed()).await.map_err(|_| format!("not listed: {:?}", shelf.contacts()))?;
    let stands = |standing: Standing| {
        let contacts = shelf.contacts();
        contacts.iter().any(|c| c.kind == Kind::Canary && c.standing == standing)
    };
    must(stands(Standing::Absent), || format!("it should be absent: {:?}", shelf.contacts()))?;
    println!("absent");
    until("that Flagger's kinds are seen", || stands(Standing::Listed)).await
}
