//! What was called, and which faults wait for their call.

use crate::call::Call;
use crate::fault::{Action, Fault};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts of one kind of call.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// It came.
    calls: u64,
    /// It was passed on.
    forwarded: u64,
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    fault: Fault,
    seen: u64,
    fired: u64,
}

#[derive(Debug, Default)]
struct Book {
    counts: BTreeMap<(String, String), Counts>,
    faults: Vec<Waiting>,
    last: u64,
}

/// Shared by all connections.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Book>);

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        // Every change is whole before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call, and says what is to go wrong with it. Every fault that it fits counts it; of those that are due
    /// the oldest is taken.
    pub fn enter(&self, call: &Call) -> Option<Action> {
        let mut book = self.book();
        book.counts.entry(kind(call)).or_default().calls += 1;
        let mut taken = None;
        for waiting in book.faults.iter_mut().filter(|waiting| waiting.fault.fits(call)) {
            waiting.seen += 1;
            let due = (waiting.fault.at..waiting.fault.at.saturating_add(waiting.fault.times)).contains(&waiting.seen);
            if due && taken.is_none() {
                waiting.fired += 1;
                taken = Some(waiting.fault.action);
            }
        }
        taken
    }

    /// The call is passed on.
    pub fn forwarded(&self, call: &Call) {
        self.book().counts.entry(kind(call)).or_default().forwarded += 1;
    }

    /// Sets a fault, and returns its number.
    pub fn add(&self, fault: Fault) -> u64 {
        let mut book = self.book();
        book.last += 1;
        let id = book.last;
        book.faults.push(Waiting { id, fault, seen: 0, fired: 0 });
        id
    }

    /// Takes all faults away.
    pub fn clear(&self) {
        self.book().faults.clear();
    }

    /// All of it as JSON.
    pub fn report(&self) -> Value {
        let book = self.book();
        let calls: Vec<Value> = book
            .counts
            .iter()
            .map(|((verb, resource), counts)| {
                json!({"verb": verb, "resource": resource, "count": counts.calls, "forwarded": counts.forwarded})
            })
            .collect();
        let faults: Vec<Value> = book
            .faults
            .iter()
            .map(|w| json!({"id": w.id, "fault": w.fault, "seen": w.seen, "fired": w.fired}))
            .collect();
        let total: u64 = book.counts.values().map(|counts| counts.calls).sum();
        json!({"total": total, "calls": calls, "faults": faults})
    }
}

fn kind(call: &Call) -> (String, String) {
    (call.verb.clone(), call.resource.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_waits_for_its_call_and_is_taken_as_often_as_it_should() {
        let ledger = Ledger::default();
        let text = r#"{"verb":"patch","at":2,"times":2,"do":"conflict"}"#;
        assert_eq!(ledger.add(serde_json::from_str(text).expect("a fault")), 1);
        let call = |verb: &str| Call { verb: verb.to_owned(), resource: "pods".to_owned(), ..Call::default() };
        let taken: Vec<bool> = ["patch", "get", "patch", "patch", "patch"]
            .map(|verb| ledger.enter(&call(verb)) == Some(Action::Conflict))
            .to_vec();
        assert_eq!(taken, [false, false, true, true, false]);
        ledger.forwarded(&call("get"));
        let report = ledger.report();
        assert_eq!(report["total"], 5);
        assert_eq!(report["calls"][0], json!({"verb": "get", "resource": "pods", "count": 1, "forwarded": 1}));
        assert_eq!((&report["faults"][0]["seen"], &report["faults"][0]["fired"]), (&json!(4), &json!(2)));
        ledger.clear();
        assert_eq!(ledger.report()["faults"], json!([]));
    }
}
