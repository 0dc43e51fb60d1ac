//! The rounds of the analysis as the driver makes them.
use crate::world::{On, Port, Tested, order, plan, rest, serving, until};
use serin_analysis::{Checks, Measurement, Outcome};
use serin_engine::{Judging, Ledger, Order};
use serin_rollout::{Outcome as Ended, Why};

fn judging<L: Ledger>(driver: &On<L>) -> Judging {
    driver.snapshots().borrow().as_ref().unwrap().judging.clone().expect("something is judged")
}

/// Many rounds of the driver within the same moment, as when it is woken for other reasons.
async fn looks(driver: &mut Tested) {
    for _ in 0..8 {
        driver.round().await.unwrap();
    }
}

#[tokio::test(flavor = "current_thread")]
async fn counters_that_are_away_when_a_step_begins_have_the_patience_of_whole_rounds() {
    let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
    let mut driver = serving(&port, dir.path()).await;
    port.0.borrow_mut().uncounted = true;
    driver.deploy(&order(2, plan(false))).await.unwrap();
    let begun = |d: &Tested| d.status().unwrap().rollout == 1;
    until(&mut driver, &port, "the release", begun).await;
    looks(&mut driver).await;
    let first = judging(&driver);
    assert!(first.history.errors <= 1, "{:?}", first.history);
    port.second();
    looks(&mut driver).await;
    assert_eq!(judging(&driver).history.errors, first.history.errors + 1, "one for a second");
    port.0.borrow_mut().uncounted = false;
    rest(&mut driver, &port).await;
    assert_eq!(driver.status().unwrap().last.unwrap().outcome, Ended::Succeeded);
}

#[tokio::test(flavor = "current_thread")]
async fn what_others_say_when_they_are_asked_is_a_part_of_the_round() {
    for (said, outcome, why) in [
        (vec![Measurement::told(Outcome::Pass, "load test: 200 OK".into())], Ended::Succeeded, None),
        (vec![Measurement::told(Outcome::Fail, "load test: 500".into())], Ended::Failed, Some(Why::Verdict)),
        (vec![], Ended::Failed, Some(Why::Verdict)),
    ] {
        let (port, dir) = (Port::new(), tempfile::tempdir().unwrap());
        let mut driver = serving(&port, dir.path()).await;
        port.0.borrow_mut().said = said.clone();
        let order = order(2, plan(false));
        let checks = order.checks.clone().unwrap();
        let checks = Checks { asked: vec!["load test".to_owned()], ..checks };
        driver.deploy(&Order { checks: Some(checks), ..order }).await.unwrap();
        rest(&mut driver, &port).await;
        let last = driver.status().unwrap().last.unwrap();
        assert_eq!((last.outcome, last.why), (outcome, why), "{said:?}");
    }
}
