//! Each kind of write, done and refused, in the API server's own words.

use super::control::fault;
use super::{Stage, Wrong, fact, must, reach};
use serde_json::{Value, json};
use serin_operator::write::{Change, Only, WriteError, Written};
use serin_operator::{Api, Key, Kind};

pub async fn show(stage: &Stage) -> Result<(), Wrong> {
    let key = stage.key(Kind::Deployment, "written");
    let made = done(stage.proxied.create(&key, deployment()).await)?;
    again(stage, &key, &made).await?;
    let unknown = unknown(stage, &key).await?;
    allowed(stage, &key).await?;
    let now = there(&stage.direct, &key).await?;
    let only = |uid: &str, version: Option<&str>| Only { uid: uid.to_owned(), version: version.map(str::to_owned) };
    let other = stage.proxied.delete(&key, &only("another", None)).await;
    must(matches!(other, Err(WriteError::Conflict(..))), || format!("a deletion of another one: {other:?}"))?;
    let older = stage.proxied.delete(&key, &only(&made.uid, Some(&made.version))).await;
    must(matches!(older, Err(WriteError::Conflict(..))), || format!("a deletion of an older one: {older:?}"))?;
    stage.proxied.delete(&key, &only(&made.uid, Some(&now.0))).await.map_err(|e| e.to_string())?;
    let gone = stage.proxied.patch(&key, &now.0, &[label("a")]).await;
    must(matches!(gone, Err(WriteError::Gone(..))), || format!("a patch of what is gone: {gone:?}"))?;
    must(stage.proxied.read(&key).await == Ok(None), || "what was deleted is read".to_owned())?;
    fact("unknown_writes", unknown);
    Ok(())
}

/// Created, patched, its status patched; and what is refused.
async fn again(stage: &Stage, key: &Key, made: &Written) -> Result<(), Wrong> {
    let api = &stage.proxied;
    let exists = api.create(key, deployment()).await;
    must(matches!(exists, Err(WriteError::Conflict(..))), || format!("a second one of that name: {exists:?}"))?;
    let patched = written(api, key, "one").await?;
    let older = api.patch(key, &made.version, &[label("two")]).await;
    must(matches!(older, Err(WriteError::Conflict(..))), || format!("a patch of an older version: {older:?}"))?;
    let now = there(api, key).await?;
    must(now.1["metadata"]["labels"]["written"] == "one", || format!("a refused patch was done: {}", now.1))?;
    let tested = api.patch(key, &now.0, &[Change::Test("/spec/replicas".into(), json!(77)), label("two")]).await;
    must(matches!(tested, Err(WriteError::Conflict(..))), || format!("a test that fails: {tested:?}"))?;
    let invalid = api.patch(key, &now.0, &[Change::Set("/spec/replicas".into(), json!(-1))]).await;
    must(matches!(&invalid, Err(WriteError::Invalid(_, why)) if why.contains("spec.replicas")), || {
        format!("a number of replicas below 0: {invalid:?}")
    })?;
    let status = json!({"observedGeneration": 1});
    let older = api.patch_status(key, &patched.version.replace(|_: char| true, "1"), status).await;
    must(matches!(older, Err(WriteError::Conflict(..))), || format!("a status of an older version: {older:?}"))
}

/// Writes of which the answer is lost, one by one: each must be told as unknown, whether it was done or not.
async fn unknown(stage: &Stage, key: &Key) -> Result<u32, Wrong> {
    let mut count = 0;
    for (what, is_done) in [("error_after", true), ("drop_after", true), ("drop_before", false)] {
        fault(stage, &json!({"verb": "patch", "resource": "deployments", "name": "written", "do": what})).await?;
        let before = there(&stage.direct, key).await?;
        let result = stage.proxied.patch(key, &before.0, &[label(what)]).await;
        must(matches!(result, Err(WriteError::Unknown(..))), || format!("{what}: {result:?}"))?;
        let after = there(&stage.direct, key).await?;
        let found = after.1["metadata"]["labels"]["written"] == what;
        must(found == is_done, || format!("{what}: done is {found}: {}", after.1))?;
        count += 1;
    }
    fault(stage, &json!({"verb": "patch", "resource": "deployments", "name": "written", "do": "conflict"})).await?;
    let before = there(&stage.direct, key).await?;
    let result = stage.proxied.patch(key, &before.0, &[label("conflict")]).await;
    must(matches!(result, Err(WriteError::Conflict(..))), || format!("a conflict: {result:?}"))?;
    Ok(count)
}

/// An account that may nothing, and no account.
async fn allowed(stage: &Stage, key: &Key) -> Result<(), Wrong> {
    let (weak, _) = reach(&stage.kubeconfig("weak")).await?;
    let refused = weak.patch(key, "1", &[label("weak")]).await;
    must(matches!(refused, Err(WriteError::NotAllowed(..))), || format!("an account that may nothing: {refused:?}"))?;
    let text = std::fs::read_to_string(stage.kubeconfig("weak")).map_err(|e| e.to_string())?;
    let path = stage.kubeconfig("nobody");
    let token = text.split("\"token\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    std::fs::write(&path, text.replace(token, "nobody")).map_err(|e| e.to_string())?;
    let nobody = reach(&path).await.err().unwrap_or_default();
    must(nobody.contains("does not accept the credentials"), || format!("a token that is none: {nobody:?}"))?;
    eprintln!("  {nobody}");
    let path = stage.kubeconfig("untrusted");
    let text = std::fs::read_to_string(stage.kubeconfig("direct")).map_err(|e| e.to_string())?;
    let authority = text.split("\"certificate-authority-data\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let text =
        text.replace(&format!("\"certificate-authority-data\":\"{}\"", authority.unwrap_or_default()), "\"x\":\"\"");
    std::fs::write(&path, text).map_err(|e| e.to_string())?;
    let untrusted = reach(&path).await.err().unwrap_or_default();
    must(untrusted.contains("not to be trusted"), || format!("an authority that nobody knows: {untrusted:?}"))?;
    eprintln!("  {untrusted}");
    Ok(())
}

/// Patches a label on what is there now, and again after a conflict: others write the object too.
pub async fn written(api: &Api, key: &Key, value: &str) -> Result<Written, Wrong> {
    loop {
        let now = there(api, key).await?;
        match api.patch(key, &now.0, &[label(value)]).await {
            Ok(written) => return Ok(written),
            Err(WriteError::Conflict(..)) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// A label that says which write it was.
pub fn label(value: &str) -> Change {
    Change::Set("/metadata/labels/written".into(), json!(value))
}

/// A Deployment without pods.
pub fn deployment() -> Value {
    let labels = json!({"app": "written"});
    json!({
        "metadata": {"labels": labels},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "a", "image": "serin/none:1"}]},
            },
        },
    })
}

/// The version of what is there, and all of it.
pub async fn there(api: &Api, key: &Key) -> Result<(String, Value), Wrong> {
    let object = api.read(key).await.map_err(|e| e.to_string())?.ok_or(format!("{key} is not there"))?;
    let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    Ok((version, object))
}

pub fn done(result: Result<Written, WriteError>) -> Result<Written, Wrong> {
    result.map_err(|e| e.to_string())
}
