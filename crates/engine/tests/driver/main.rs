//! The driver over a real store and a small world: releases end as they should, commands are compare-and-swap, and a
//! restart at any moment changes nothing.
use serin_engine::store::Store;
use serin_engine::{Answer, Command, Order, Ordered};
use serin_journal::DECISIONS;
use serin_journal::decision::{Choice, Decided, Permit};
use serin_rollout::{OnAbort, Outcome, Phase, Plan, Rev, Split, StepKey, WaitingOn, decide, permit};
use world::{Port, Tested, decided, key, order, plan, rest, serving, until};

mod frozen;
mod judging;
mod ledger;
mod world;

#[tokio::test(flavor = "current_thread")]
async fn a_good_release_is_promoted_and_its_history_kept() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    let mut driver = serving(&port, dir.path()).await;
    driver.deploy(&order(2, plan(false))).await.unwrap();
    rest(&mut driver, &port).await;
    let status = *driver.status().unwrap();
    assert_eq!(status.rev[status.good], Some(Rev(2)));
    assert_eq!(status.last.unwrap().outcome, Outcome::Succeeded);
    drop(driver);
    let store = Store::open(dir.path().join("store.redb")).unwrap();
    let record = store.rollout(1).unwrap().unwrap();
    assert_eq!((record.from, record.to, record.outcome.as_deref()), (Some(1), 2, Some("succeeded")));
    assert!(!store.measurements_of(1).unwrap().is_empty());
    assert_eq!(store.last_good().unwrap().unwrap().id, 2);
}

#[tokio::test(flavor = "current_thread")]
async fn what_the_platform_cannot_run_is_refused_and_nothing_changes() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    let mut driver = serving(&port, dir.path()).await;
    let before = *driver.status().unwrap();
    port.0.borrow_mut().refuses = Some("there are no cgroups here".to_owned());
    let refused = Ordered::Refused("there are no cgroups here".to_owned());
    assert_eq!(driver.deploy(&order(2, plan(false))).await.unwrap(), refused);
    rest(&mut driver, &port).await;
    assert_eq!(*driver.status().unwrap(), before);
}

#[tokio::test(flavor = "current_thread")]
async fn a_release_that_fails_a_fifth_of_its_requests_is_rolled_back() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    let mut driver = serving(&port, dir.path()).await;
    (port.0.borrow_mut().failing, port.0.borrow_mut().new) = (20, Some(Rev(2)));
    driver.deploy(&order(2, plan(false))).await.unwrap();
    rest(&mut driver, &port).await;
    let status = *driver.status().unwrap();
    assert_eq!((status.rev[status.good], status.last.unwrap().outcome), (Some(Rev(1)), Outcome::Failed));
    let renewed = port.0.borrow().renewed;
    for _ in 0..5 {
        driver.round().await.unwrap();
    }
    assert!(port.0.borrow().renewed > renewed, "completed rounds renew the lease");
    assert_eq!(driver.status().unwrap().rollout, 1, "a failed revision is not tried again by itself");
    let again = driver.deploy(&order(2, plan(false))).await.unwrap();
    assert_eq!(again, Ordered::Accepted { rollout: 2, rev: Rev(2) }, "but again when somebody asks for it again");
}

#[tokio::test(flavor = "current_thread")]
async fn a_restart_after_every_round_changes_nothing() {
    for failing in [0, 20] {
        let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
        let mut driver = serving(&port, dir.path()).await;
        (port.0.borrow_mut().failing, port.0.borrow_mut().new) = (failing, Some(Rev(2)));
        driver.deploy(&order(2, plan(false))).await.unwrap();
        for _ in 0..60 {
            driver.round().await.unwrap();
            port.second();
            drop(driver);
            driver = world::driver(&port, dir.path()).await;
        }
        let status = *driver.status().unwrap();
        let wanted = if failing == 0 { Rev(2) } else { Rev(1) };
        assert_eq!((status.phase, status.rev[status.good]), (Phase::Idle, Some(wanted)), "failing {failing}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn what_cannot_be_observed_is_not_acted_on_and_the_lease_is_not_renewed() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    let mut driver = serving(&port, dir.path()).await;
    driver.deploy(&order(2, plan(false))).await.unwrap();
    until(&mut driver, &port, "the first share", |d| d.status().unwrap().armed.bake).await;
    port.0.borrow_mut().unreachable = true;
    let before = (port.0.borrow().writes, port.0.borrow().renewed);
    for _ in 0..5 {
        assert!(driver.round().await.is_err());
        port.second();
    }
    assert_eq!((port.0.borrow().writes, port.0.borrow().renewed), before);
    port.0.borrow_mut().unreachable = false;
    rest(&mut driver, &port).await;
    assert_eq!(driver.status().unwrap().last.unwrap().outcome, Outcome::Succeeded);
}

#[tokio::test(flavor = "current_thread")]
async fn a_restarted_controller_that_only_waits_renews_the_lease() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    let mut driver = serving(&port, dir.path()).await;
    driver.deploy(&order(2, plan(true))).await.unwrap();
    until(&mut driver, &port, "the gate", |d| {
        d.snapshots().borrow().as_ref().is_some_and(|s| matches!(s.waiting, WaitingOn::Approval(_)))
    })
    .await;
    assert!(port.0.borrow().route.lease);
    let waits = *driver.status().unwrap();
    drop(driver);
    driver = world::driver(&port, dir.path()).await;
    let (writes, renewed, epoch) = (port.0.borrow().writes, port.0.borrow().renewed, port.0.borrow().epoch);
    for round in 1..=3 {
        assert!(matches!(driver.round().await.unwrap(), WaitingOn::Approval(_)));
        assert_eq!(port.0.borrow().renewed, renewed + round, "the share is its own now, and it stays");
    }
    assert_eq!((*driver.status().unwrap(), port.0.borrow().writes), (waits, writes), "there was nothing else to do");
    assert!(port.0.borrow().epoch > epoch, "it claimed the service before it renewed");
}

#[tokio::test(flavor = "current_thread")]
async fn while_the_proxy_is_on_its_fallback_a_step_is_not_accepted_and_the_lease_is_renewed() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    let mut driver = serving(&port, dir.path()).await;
    driver.deploy(&order(2, plan(false))).await.unwrap();
    until(&mut driver, &port, "the first share", |d| d.status().unwrap().armed.bake).await;
    let key = key(&driver);
    (0..5).for_each(|_| port.second()); // it slept through the lease and the bake
    port.0.borrow_mut().falling_back = true;
    let renewed = port.0.borrow().renewed;
    assert_eq!(driver.round().await.unwrap(), WaitingOn::Acknowledged);
    assert_eq!((driver.status().unwrap().now(), port.0.borrow().renewed), (key, renewed + 1));
    assert!(!port.0.borrow().falling_back, "a renewal ends the fallback");
    rest(&mut driver, &port).await;
    assert_eq!(driver.status().unwrap().last.unwrap().outcome, Outcome::Succeeded);
}

#[tokio::test(flavor = "current_thread")]
async fn a_fenced_controller_writes_nothing_more() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    let mut driver = serving(&port, dir.path()).await;
    drop(driver);
    driver = world::driver(&port, dir.path()).await;
    port.0.borrow_mut().epoch = 99;
    driver.deploy(&order(2, plan(false))).await.unwrap();
    let before = port.0.borrow().writes;
    for _ in 0..5 {
        driver.round().await.unwrap();
        port.second();
    }
    assert_eq!(port.0.borrow().writes, before);
}

/// Gives a command, and names the answer.
async fn tell(driver: &mut Tested, command: Command, key: StepKey) -> &'static str {
    match driver.command(&command, key, "me").await.unwrap() {
        Answer::Done(_) => "done",
        Answer::Late(_) => "late",
        Answer::Already(_) => "already",
        Answer::Refused(_) => "refused",
    }
}

#[tokio::test(flavor = "current_thread")]
async fn commands_are_for_the_step_that_they_name() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    let mut driver = serving(&port, dir.path()).await;
    driver.deploy(&order(2, plan(true))).await.unwrap();
    let on = until(&mut driver, &port, "the gate", |d| {
        d.snapshots().borrow().as_ref().is_some_and(|s| matches!(s.waiting, WaitingOn::Approval(_)))
    })
    .await;
    assert!(matches!(on, WaitingOn::Approval(_)));
    let first = key(&driver);
    assert_eq!(tell(&mut driver, Command::Approve, StepKey { step: 1, ..first }).await, "late");
    assert_eq!(tell(&mut driver, Command::Weight { share: 10_001 }, first).await, "refused");
    assert_eq!(tell(&mut driver, Command::Approve, first).await, "done");
    assert_eq!(tell(&mut driver, Command::Approve, first).await, "already");
    assert_eq!(tell(&mut driver, Command::Rollback, first).await, "refused");
    until(&mut driver, &port, "the second step", |d| key(d).step == 1).await;
    assert_eq!(tell(&mut driver, Command::Approve, first).await, "late");
    assert_eq!(tell(&mut driver, Command::Pause, StepKey { step: 1, ..first }).await, "done");
    until(&mut driver, &port, "the pause", |d| {
        d.snapshots().borrow().as_ref().is_some_and(|s| s.waiting == WaitingOn::Paused)
    })
    .await;
    let now = key(&driver);
    assert_eq!(tell(&mut driver, Command::Resume, now).await, "done");
    assert_eq!(tell(&mut driver, Command::Abort { reason: "no".into() }, now).await, "done");
    rest(&mut driver, &port).await;
    assert_eq!(driver.status().unwrap().last.unwrap().outcome, Outcome::Aborted);
}

#[tokio::test(flavor = "current_thread")]
async fn a_weight_of_a_persons_choice_holds_for_its_step() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    let mut driver = serving(&port, dir.path()).await;
    driver.deploy(&order(2, plan(true))).await.unwrap();
    until(&mut driver, &port, "the first share", |d| d.status().unwrap().armed.bake).await;
    let now = key(&driver);
    assert!(matches!(driver.command(&Command::Weight { share: 3_300 }, now, "me").await.unwrap(), Answer::Done(_)));
    until(&mut driver, &port, "the new share", |_| port.0.borrow().route.split.share(1) == 3_300).await;
    assert_eq!(key(&driver).attempt, now.attempt + 1, "what was judged before does not count for it");
}

#[tokio::test(flavor = "current_thread")]
async fn a_warm_revision_is_returned_to_at_once_and_a_cold_one_is_started_first() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    let mut driver = serving(&port, dir.path()).await;
    driver.deploy(&order(2, plan(false))).await.unwrap();
    until(&mut driver, &port, "the window", |d| d.status().unwrap().armed.window).await;
    let now = key(&driver);
    assert!(matches!(driver.command(&Command::Rollback, now, "me").await.unwrap(), Answer::Done(_)));
    driver.round().await.unwrap();
    assert_eq!(port.0.borrow().route.split, Split::all(0, 2), "no time passed");
    rest(&mut driver, &port).await;
    driver.deploy(&order(3, plan(false))).await.unwrap();
    rest(&mut driver, &port).await;
    let status = *driver.status().unwrap();
    assert_eq!(status.rev[status.good], Some(Rev(3)));
    let now = key(&driver);
    assert!(matches!(driver.command(&Command::Rollback, now, "me").await.unwrap(), Answer::Done(_)));
    rest(&mut driver, &port).await;
    let status = *driver.status().unwrap();
    assert_eq!(status.rev[status.good], Some(Rev(1)), "the revision before the present one");
}

#[tokio::test(flavor = "current_thread")]
async fn a_parked_canary_keeps_its_share_without_a_lease_and_refuses_another_revision() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    let mut driver = serving(&port, dir.path()).await;
    driver.deploy(&order(2, plan(false))).await.unwrap();
    until(&mut driver, &port, "the first share", |d| d.status().unwrap().armed.bake).await;
    assert!(port.0.borrow().route.lease, "an unproven share has a lease");
    let park = Command::Park { reason: "to look at it".into() };
    assert!(matches!(driver.command(&park, key(&driver), "me").await.unwrap(), Answer::Done(_)));
    for _ in 0..20 {
        driver.round().await.unwrap();
        port.second();
    }
    let route = port.0.borrow().route;
    assert_eq!((route.split.share(1), route.lease), (1_000, false));
    assert!(matches!(driver.deploy(&order(3, plan(false))).await.unwrap(), Ordered::Refused(_)));
    let forced = Order { force: true, ..order(3, plan(false)) };
    assert!(matches!(driver.deploy(&forced).await.unwrap(), Ordered::Accepted { .. }));
    until(&mut driver, &port, "the third revision", |d| {
        let status = d.status().unwrap();
        status.is_idle() && status.rev[status.good] == Some(Rev(3))
    })
    .await;
}

#[tokio::test(flavor = "current_thread")]
async fn an_aborted_canary_that_is_to_be_kept_stays_without_traffic() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    let mut driver = serving(&port, dir.path()).await;
    driver.deploy(&order(2, Plan { on_abort: OnAbort::Park, ..plan(false) })).await.unwrap();
    until(&mut driver, &port, "the first share", |d| d.status().unwrap().armed.bake).await;
    assert!(matches!(
        driver.command(&Command::Abort { reason: String::new() }, key(&driver), "me").await.unwrap(),
        Answer::Done(_)
    ));
    until(&mut driver, &port, "parked", |d| matches!(d.status().unwrap().phase, Phase::Parked { .. })).await;
    let (route, set) = (port.0.borrow().route, port.0.borrow().sets[1]);
    assert_eq!((route.split, set.desired), (Split::all(0, 2), 2));
    let abort = Command::Abort { reason: String::new() };
    assert!(matches!(driver.command(&abort, key(&driver), "me").await.unwrap(), Answer::Done(_)));
    rest(&mut driver, &port).await;
    assert_eq!(port.0.borrow().sets[1].desired, 0);
}

#[tokio::test(flavor = "current_thread")]
async fn every_decision_is_written_down_so_that_it_can_be_made_again() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    let mut driver = serving(&port, dir.path()).await;
    driver.deploy(&order(2, plan(false))).await.unwrap();
    rest(&mut driver, &port).await;
    let lines = decided(dir.path());
    let mut plans = std::collections::BTreeMap::new();
    let (mut saves, mut writes) = (0, 0);
    for (at, line) in lines.iter().enumerate() {
        match line {
            Decided::Plan { hash, plan } => drop(plans.insert(hash.clone(), plan.clone())),
            Decided::Decision(told) => {
                let plan = &plans[&told.plan];
                assert_eq!(Choice::from(&decide(plan, &told.status, &told.seen)), told.choice);
                if let (Choice::Ask(write), Some(fresh)) = (&told.choice, &told.fresh) {
                    assert_eq!(Some(Permit::from(permit(&plan.limits, fresh, write))), told.permit);
                }
                let waits = matches!(told.choice, Choice::Wait(_)) || matches!(told.permit, Some(Permit::Refused(_)));
                assert_eq!(waits, !matches!(lines.get(at + 1), Some(Decided::Came(_))), "line {}", at + 1);
                saves += u32::from(matches!(told.choice, Choice::Save { .. }));
                writes += u32::from(told.permit == Some(Permit::Allowed));
            }
            Decided::Began { .. } | Decided::Came(_) | Decided::Blind { .. } => {}
        }
    }
    assert!(saves > 8 && writes > 8, "{saves} saves, {writes} writes");
    assert!(port.0.borrow().writes <= writes, "nothing is written that is not in the log");
}

#[tokio::test(flavor = "current_thread")]
async fn a_service_at_rest_writes_nothing_down_and_one_that_sees_nothing_says_so_once() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    let mut driver = serving(&port, dir.path()).await;
    let before = decided(dir.path()).len();
    for _ in 0..5 {
        driver.round().await.unwrap();
        port.second();
    }
    assert_eq!(decided(dir.path()).len(), before);
    port.0.borrow_mut().unreachable = true;
    for _ in 0..5 {
        assert!(driver.round().await.is_err());
    }
    let lines = decided(dir.path());
    assert_eq!(lines[before..], [Decided::Blind { why: "nobody answers".into() }]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_log_that_cannot_be_written_stands_in_nobodys_way() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    std::fs::create_dir(dir.path().join(DECISIONS)).unwrap();
    let mut driver = serving(&port, dir.path()).await;
    driver.deploy(&order(2, plan(false))).await.unwrap();
    rest(&mut driver, &port).await;
    let status = *driver.status().unwrap();
    assert_eq!(status.rev[status.good], Some(Rev(2)));
}
