//! What the driver asks of a ledger: what belongs together is one change, and one of which nobody knows whether it is
//! there is read again before anything follows from it.
use crate::world::{On, Port, order, plan, with};
use serin_analysis::Outcome as Passed;
use serin_engine::{Change, Ledger, PortError, Revision, Saved};
use serin_rollout::{Event, Outcome, Rev};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

/// Keeps everything in memory, and fails once.
#[derive(Clone, Debug, Default)]
struct Memory(Rc<RefCell<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    changes: Vec<Change>,
    asked: usize,
    /// Which commit fails, and whether it is there nevertheless.
    fails: Option<(usize, bool)>,
    loads: usize,
}

impl Ledger for Memory {
    fn epoch(&self) -> u64 {
        1
    }

    async fn load(&mut self) -> Result<Option<Saved>, PortError> {
        let mut kept = self.0.borrow_mut();
        kept.loads += 1;
        Ok(kept.changes.last().map(|change| change.saved.clone()))
    }

    async fn commit(&mut self, change: &Change) -> Result<(), PortError> {
        let mut kept = self.0.borrow_mut();
        let (at, fails) = (kept.asked, kept.fails);
        kept.asked += 1;
        let fails = fails.filter(|(n, _)| *n == at);
        if fails.is_none_or(|(_, lands)| lands) {
            kept.changes.push(change.clone());
        }
        fails.map_or(Ok(()), |_| Err(PortError::Failed("nobody knows".to_owned())))
    }

    async fn number(&mut self, hash: &str) -> Result<Rev, PortError> {
        Ok(Rev(u32::from_str_radix(&hash[32..], 16).unwrap()))
    }

    async fn revision(&mut self, rev: Rev) -> Result<Option<Revision>, PortError> {
        let kept = self.0.borrow();
        let named = kept.changes.iter().filter_map(|change| change.revision.clone());
        Ok(named.into_iter().find(|revision| revision.rev == rev))
    }

    async fn before(&mut self, _: Rev) -> Result<Option<Rev>, PortError> {
        Ok(None)
    }
}

/// Goes on through errors until the service rests with what is wanted handled.
async fn come_to_rest(driver: &mut On<Memory>, port: &Port) -> u32 {
    let mut errors = 0;
    for _ in 0..300 {
        errors += u32::from(driver.round().await.is_err());
        port.second();
        if driver.status().is_some_and(|s| s.is_idle() && s.proven[s.good] && s.last.is_some()) {
            return errors;
        }
    }
    panic!("it never rests: {:?}", driver.status());
}

/// The first revision serves, the second one is released; the commit that is named fails.
async fn release(dir: &Path, fails: Option<(usize, bool)>) -> (Memory, u32) {
    let (port, memory) = (Port::new(), Memory::default());
    let mut driver = with(&port, dir, memory.clone()).await;
    memory.0.borrow_mut().fails = fails;
    let mut errors = 0;
    for version in [1, 2] {
        let order = order(version, plan(false));
        while driver.deploy(&order).await.is_err() {
            errors += 1;
        }
        for _ in 0..5 {
            errors += u32::from(driver.round().await.is_err());
        }
    }
    errors += come_to_rest(&mut driver, &port).await;
    let status = *driver.status().unwrap();
    assert_eq!((status.rev[status.good], status.last.unwrap().outcome), (Some(Rev(2)), Outcome::Succeeded));
    (memory, errors)
}

#[tokio::test(flavor = "current_thread")]
async fn a_commit_of_which_nobody_knows_whether_it_is_there_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, errors) = release(dir.path(), None).await;
    assert_eq!((errors, whole.0.borrow().loads), (0, 1), "the state is read once, at the beginning");
    let told = |memory: &Memory| {
        let kept = memory.0.borrow();
        let events = kept.changes.iter().flat_map(|change| change.events.iter().map(|event| event.what.text.clone()));
        events.collect::<Vec<_>>()
    };
    let commits = whole.0.borrow().asked;
    assert!(commits > 12, "{commits}");
    for at in 0..commits {
        for lands in [false, true] {
            let (memory, errors) = release(dir.path(), Some((at, lands))).await;
            assert_eq!((errors, memory.0.borrow().loads), (1, 2), "commit {at}, lands {lands}");
            assert_eq!(told(&memory), told(&whole), "commit {at}, lands {lands}: nothing is told twice or never");
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_round_of_the_analysis_and_the_decision_that_follows_from_it_are_one_change() {
    let dir = tempfile::tempdir().unwrap();
    let (memory, _) = release(dir.path(), None).await;
    let kept = memory.0.borrow();
    let accepted = kept.changes.iter().filter(|change| {
        let fact = |event: &serin_engine::Happened| event.what.fact.clone();
        change.events.iter().any(|event| matches!(fact(event), serin_engine::Fact::Decided(Event::Accepted(_))))
    });
    let mut steps = 0;
    for change in accepted {
        let judged = change.judged.as_ref().expect("the round that passed it");
        assert_eq!((judged.key.step, judged.measurements[0].result), (steps, Passed::Pass));
        let begun = change.saved.judging.as_ref().expect("what is judged next");
        assert!(begun.reading.is_some(), "its counters begin with the change");
        steps += 1;
    }
    assert_eq!(steps, 3);
}
