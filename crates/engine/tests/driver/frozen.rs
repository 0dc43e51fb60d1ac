//! Whatever leaves rest goes by the plan that was wanted then, through edits and restarts, until the service rests again.
use crate::world::{self, Port, Tested, decided, order, plan, rest, serving, until};
use serin_engine::store::Store;
use serin_engine::{Frozen, Ordered};
use serin_journal::decision::Decided;
use serin_rollout::{Leg, Phase, Plan, Preset, Rev, Slot};
use std::path::Path;

/// Straight to the revision, with `replicas` instances, and with `home` as the slot where the service rests.
fn at_home(home: Slot, replicas: u16) -> Plan {
    Plan::compile(&Preset::Direct, replicas, 0, false).unwrap().with_home(home, vec![]).unwrap()
}

/// The plan that the last round went by.
fn goes_by(driver: &Tested) -> Plan {
    driver.snapshots().borrow().as_ref().unwrap().plan.clone()
}

fn is_under_way_home(driver: &Tested) -> bool {
    matches!(driver.status().unwrap().phase, Phase::Settling { leg: Leg::Home, .. })
}

/// Nothing goes by another plan than the decision before it did, unless the service rests.
fn nothing_changed_its_plan(dir: &Path) {
    let lines = decided(dir);
    let decisions = lines.iter().filter_map(|line| match line {
        Decided::Decision(decision) => Some(decision),
        Decided::Began { .. } | Decided::Plan { .. } | Decided::Came(_) | Decided::Blind { .. } => None,
    });
    let (mut before, mut compared) = (None, 0);
    for decision in decisions {
        if !decision.status.is_idle() {
            assert_eq!(Some(&decision.plan), before, "{:?}", decision.status);
            compared += 1;
        }
        before = Some(&decision.plan);
    }
    assert!(compared > 0, "nothing ever left rest");
}

/// Brings the service, which rests in the other slot, to `home`, while people edit its size and the controller dies.
async fn bring_home(mut driver: Tested, port: &Port, dir: &Path, home: Slot, version: u32) -> Tested {
    let (rev, rollout) = (Rev(version), driver.status().unwrap().rollout);
    let wanted = at_home(home, 2);
    port.0.borrow_mut().starting = Some(home);
    assert_eq!(driver.deploy(&order(version, wanted.clone())).await.unwrap(), Ordered::Unchanged { rev });
    until(&mut driver, port, "the way home", is_under_way_home).await;
    assert_eq!(goes_by(&driver), wanted, "what was wanted when it set off");
    let edited = at_home(home, 3);
    assert_eq!(driver.deploy(&order(version, edited.clone())).await.unwrap(), Ordered::Unchanged { rev });
    for _ in 0..3 {
        driver.round().await.unwrap();
        assert_eq!((is_under_way_home(&driver), goes_by(&driver)), (true, wanted.clone()));
        drop(driver);
        driver = world::driver(port, dir).await;
    }
    port.0.borrow_mut().starting = None;
    rest(&mut driver, port).await;
    let status = *driver.status().unwrap();
    assert_eq!((status.good, status.rev[home], status.rollout), (home, Some(rev), rollout));
    assert_eq!((goes_by(&driver), port.0.borrow().sets[home].desired), (edited, 3), "at rest the edit counts");
    nothing_changed_its_plan(dir);
    driver
}

#[tokio::test(flavor = "current_thread")]
async fn the_way_home_goes_by_the_plan_of_its_beginning_and_not_by_that_of_the_last_rollout() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    let mut driver = serving(&port, dir.path()).await;
    driver.deploy(&order(2, plan(false))).await.unwrap();
    rest(&mut driver, &port).await;
    assert_eq!(driver.status().unwrap().good, 1, "the slot in which it was released");
    drop(bring_home(driver, &port, dir.path(), 0, 2).await);
    let store = Store::open(dir.path().join("store.redb")).unwrap();
    let kept: Frozen = store.plan(1).unwrap().unwrap();
    assert_eq!(kept.plan, plan(false), "the history goes on telling what the rollout went by");
}

#[tokio::test(flavor = "current_thread")]
async fn the_way_home_of_a_service_without_any_rollout_has_a_plan_of_its_own() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    let driver = serving(&port, dir.path()).await;
    bring_home(driver, &port, dir.path(), 1, 1).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_rollout_keeps_the_plan_that_it_began_with() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    let mut driver = serving(&port, dir.path()).await;
    driver.deploy(&order(2, plan(false))).await.unwrap();
    until(&mut driver, &port, "the first share", |d| d.status().unwrap().armed.bake).await;
    let edited = Plan::compile(&Preset::Direct, 3, 0, false).unwrap();
    let answer = driver.deploy(&order(2, edited.clone())).await.unwrap();
    assert_eq!(answer, Ordered::Underway { rollout: 1, rev: Rev(2) });
    until(&mut driver, &port, "the window", |d| d.status().unwrap().armed.window).await;
    assert_eq!(goes_by(&driver), plan(false));
    rest(&mut driver, &port).await;
    assert_eq!((goes_by(&driver), port.0.borrow().sets[1].desired), (edited, 3), "at rest the edit counts");
    nothing_changed_its_plan(dir.path());
}
