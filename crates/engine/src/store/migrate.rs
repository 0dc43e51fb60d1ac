//! From older formats to the present one, in the transaction that takes a store over.
use redb::{ReadableTable as _, WriteTransaction};
use serde_json::{Map, Value, json};

use super::ledger::SAVED;
use super::tables;

/// The parts of the state that format 1 kept one by one, with what stands for one that is missing.
const PARTS: [(&str, Option<&str>); 7] = [
    ("status", None),
    ("intent", None),
    ("wish", None),
    ("frozen", Some("null")),
    ("timers", Some("[]")),
    ("judging", Some("null")),
    ("notes", Some(r#"{"park":null,"pause":null,"abort":null}"#)),
];

/// Brings a store of format `found` to the present one.
pub(super) fn from(found: u64, transaction: &WriteTransaction) -> Result<(), redb::Error> {
    if found < 2 { one_state(transaction) } else { Ok(()) }
}

/// Since format 2 the state is one value, with the last rollout in it. Where one of the parts is missing that there must
/// be, the service never ran.
fn one_state(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    let mut state = transaction.open_table(tables::STATE)?;
    let mut saved = Map::new();
    for (name, default) in PARTS {
        let stored = state.remove(name)?.map(|value| value.value().to_vec());
        if let Some(text) = stored.as_deref().or(default.map(str::as_bytes)) {
            saved.insert(name.to_owned(), json(name, text)?);
        }
    }
    if saved.len() < PARTS.len() {
        return Ok(());
    }
    let rollouts = transaction.open_table(tables::ROLLOUTS)?;
    let last = rollouts.last()?.map(|(_, record)| json("rollout", record.value())).transpose()?;
    saved.insert("rollout".to_owned(), last.unwrap_or(Value::Null));
    state.insert(SAVED, json!(saved).to_string().as_bytes())?;
    Ok(())
}

fn json(name: &str, text: &[u8]) -> Result<Value, redb::Error> {
    serde_json::from_slice(text).map_err(|error| redb::Error::Corrupted(format!("the state `{name}`: {error}")))
}

#[cfg(test)]
mod tests {
    use crate::ledger::{Change, Ledger as _};
    use crate::saved::{Saved, Wish};
    use crate::store::{RolloutRecord, Store, tables};
    use serin_rollout::{Plan, Preset, Rev};
    use std::sync::Arc;

    fn saved() -> Saved {
        let plan = Plan::compile(&Preset::Direct, 2, 0, false).expect("a plan");
        let spec = serde_json::json!({ "name": "shop" });
        Saved::first(Wish { rev: Rev(1), plan, checks: None, spec, file_hash: None, by: "me".into(), changes: vec![] })
    }

    /// Puts the store back to how format 1 wrote it.
    fn age(store: &Store, saved: &Saved, parts: &[&str]) {
        let serde_json::Value::Object(all) = serde_json::to_value(saved).expect("plain") else { panic!("no object") };
        store
            .writing(|transaction| {
                let mut state = transaction.open_table(tables::STATE)?;
                state.remove(super::SAVED)?;
                for part in parts {
                    state.insert(*part, all[*part].to_string().as_bytes())?;
                }
                transaction.open_table(tables::META)?.insert(tables::meta::SCHEMA, 1)?;
                Ok(())
            })
            .expect("write");
    }

    #[test]
    fn a_store_of_format_1_goes_on_where_it_was() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("store.redb");
        for (parts, rollouts) in
            [(vec!["status", "intent", "wish"], 0), (super::PARTS.map(|(name, _)| name).to_vec(), 1)]
        {
            let mut store = Arc::new(Store::open(&path).expect("open"));
            let content = crate::ports::Revision { rev: Rev(1), hash: format!("{:064x}", 1), content: spec() };
            let record = RolloutRecord { number: 1, from: None, to: 1, started: 5, ended: Some(9), outcome: None };
            let rollout = (rollouts > 0).then_some(record);
            let state = Saved { rollout: rollout.clone(), ..saved() };
            let change = Change { revision: Some(content), rollout, ..Change::to(state.clone(), 5) };
            block(store.commit(&change)).expect("commit");
            age(&store, &state, &parts);
            drop(store);
            let store = Store::open(&path).expect("open");
            assert_eq!(store.saved().expect("read"), Some(state));
            drop(store);
            assert!(Store::open(&path).expect("open").saved().expect("read").is_some(), "once is enough");
        }
    }

    #[test]
    fn a_store_of_format_1_in_which_nothing_ran_holds_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("store.redb");
        age(&Store::open(&path).expect("open"), &saved(), &["wish"]);
        assert_eq!(Store::open(&path).expect("open").saved().expect("read"), None);
    }

    fn spec() -> serde_json::Value {
        serde_json::json!({ "name": "shop" })
    }

    fn block<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
    }
}
