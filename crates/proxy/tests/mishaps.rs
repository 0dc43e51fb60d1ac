//! Instances that refuse, reset, restart and never answer: what the user gets, and whom it is charged to.
mod rig;

use rig::backend::Backend;
use rig::load::Load;
use rig::{Proxy, Raw, get, request, table, wait_for};
use serin_proxy::protocol::{Counts, Settings, Split, Timeouts};
use std::time::Duration;

const ALL: Split = Split::Weighted([10_000, 0]);

fn counts(proxy: &mut Proxy, slot: usize) -> Counts {
    proxy.quiet().total[slot].counts.clone()
}

#[test]
fn nothing_is_lost_while_the_only_instance_restarts() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 2);
    let mut only = Backend::start("only");
    let address = only.address;
    proxy.apply(&table(ALL, [&[address], &[]]));
    let load = Load::start(proxy.main, 8, "/name");
    for _ in 0..5 {
        load.wait(100);
        only.die();
        wait_for("requests that wait", || proxy.report().held >= 4);
        only.revive("only");
    }
    load.wait(200);
    let (done, failures) = load.stop();
    assert!(failures.is_empty(), "of {done}: {failures:?}");
    let counts = counts(&mut proxy, 0);
    assert!(counts.failed >= 5 && counts.status[2] == done, "{counts:?}");
    assert_eq!((proxy.report().held, counts.open()), (0, 0));
}

#[test]
fn a_request_waits_for_a_table_and_then_for_a_ready_instance() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 1);
    let a = Backend::start("a");
    let mut client = Raw::connect(proxy.main);
    client.send(&get("/name"));
    wait_for("the request to wait", || proxy.report().held == 1);
    let mut table = table(ALL, [&[a.address], &[]]);
    table.slots[0].endpoints[0].ready = false;
    proxy.apply(&table);
    assert_eq!(proxy.report().held, 1);
    table.version = 2;
    table.split = Split::Members([0, 0]);
    table.slots[0].endpoints[0].ready = true;
    proxy.apply(&table);
    assert_eq!((proxy.report().held, a.requests()), (1, 0));
    table.version = 3;
    table.split = Split::Members([1, 0]);
    proxy.apply(&table);
    assert_eq!(client.answer(false).expect("an answer").status, 200);
    assert_eq!(proxy.measure().front.held, 1);
}

#[test]
fn waiting_is_bounded_in_number_and_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 1);
    let mut table = table(Split::Members([0, 0]), [&[], &[]]);
    table.settings.hold.max = 1;
    table.settings.hold.ms = 3_000;
    proxy.apply(&table);
    let [mut first, mut second] = [Raw::connect(proxy.main), Raw::connect(proxy.main)];
    first.send(&get("/"));
    wait_for("the first to wait", || proxy.report().held == 1);
    let refused = second.ask(&get("/"));
    assert!(refused.status == 503 && refused.head.contains("Retry-After: 1"), "{refused:?}");
    let late = first.answer(false).expect("an answer");
    assert!(late.status == 503 && late.head.contains("Retry-After: 1"), "{late:?}");
    assert_eq!(proxy.measure().front.refused, vec![(503, 2)]);
}

#[test]
fn a_client_that_leaves_is_noticed_while_it_waits_and_while_it_is_served() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 1);
    let a = Backend::start("a");
    let mut client = Raw::connect(proxy.main);
    client.send(&get("/never"));
    wait_for("the request to wait", || proxy.report().held == 1);
    drop(client);
    wait_for("the wait to end", || proxy.report().held == 0);
    proxy.apply(&table(ALL, [&[a.address], &[]]));
    let mut client = Raw::connect(proxy.main);
    client.send(&get("/never"));
    wait_for("the request", || a.requests() == 1);
    drop(client);
    let counts = counts(&mut proxy, 0);
    assert_eq!((counts.abandoned, counts.failed, counts.status), (1, 0, [0; 6]));
}

#[test]
fn a_refused_request_of_any_method_goes_to_another_instance_and_is_charged_to_the_first() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 1);
    let (mut gone, a) = (Backend::start("gone"), Backend::start("a"));
    gone.die();
    proxy.apply(&table(ALL, [&[gone.address, a.address], &[]]));
    let mut client = Raw::connect(proxy.main);
    for _ in 0..20 {
        let mut ask = request("POST", "/echo", "Content-Length: 3\r\n");
        ask.extend_from_slice(b"abc");
        let answer = client.ask(&ask);
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"abc"[..]));
    }
    let slot = proxy.quiet().total[0].clone();
    let of = |id: &str| slot.instances.iter().find(|i| i.id == id).expect("counted").counts.clone();
    // ejected after three failures in a row: half of two may be
    assert!((3..=6).contains(&of("a0").failed), "{}", of("a0").failed);
    assert_eq!((of("a1").status[2], of("a0").status[2], slot.chosen), (20, 0, 20));
    gone.revive("back");
    wait_for("it to be tried again", || client.ask(&get("/name")).body == b"back");
}

#[test]
fn what_died_without_a_byte_is_sent_again_only_if_that_is_safe() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 1);
    let [a, b] = ["a", "b"].map(Backend::start);
    proxy.apply(&table(ALL, [&[a.address, b.address], &[]]));
    let mut client = Raw::connect(proxy.main);
    // on a reused connection: again, on a new one
    for _ in 0..6 {
        assert_eq!(client.ask(&get("/die-reused")).status, 200);
    }
    assert_eq!(counts(&mut proxy, 0).failed, 0);
    // on two new connections: the request itself is to blame
    let before = a.requests() + b.requests();
    assert_eq!(client.ask(&get("/die")).status, 502);
    let tries = a.requests() + b.requests() - before;
    assert!((2..=3).contains(&tries), "{tries}");
    // not idempotent: never
    let before = a.requests() + b.requests();
    assert_eq!(Raw::connect(proxy.main).ask(&request("POST", "/die", "Content-Length: 0\r\n")).status, 502);
    assert_eq!(a.requests() + b.requests() - before, 1);
    // idempotent, but its body is on its way
    let before = a.requests() + b.requests();
    let mut client = Raw::connect(proxy.main);
    client.send(&request("PUT", "/die", "Content-Length: 5\r\n"));
    assert_eq!(client.answer(false).expect("an answer").status, 502);
    assert_eq!(a.requests() + b.requests() - before, 1);
}

#[test]
fn a_canary_that_refuses_is_answered_by_the_fallback_and_charged_for_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 1);
    let (a, mut b) = (Backend::start("a"), Backend::start("b"));
    let mut table = table(Split::Weighted([5_000, 5_000]), [&[a.address], &[b.address]]);
    table.fallback = Some(ALL);
    proxy.apply(&table);
    let mut client = Raw::connect(proxy.main);
    let mut ask = |n: usize| {
        for _ in 0..n {
            let answer = client.ask(&get("/name"));
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    };
    ask(20);
    assert!(proxy.report().circuit.is_empty());
    b.die();
    ask(100);
    let report = proxy.report();
    assert_eq!(report.circuit.len(), 1, "{report:?}");
    assert_eq!((report.circuit[0].slot, report.circuit[0].requests), (1, 50));
    let canary = proxy.quiet().total[1].clone();
    assert_eq!((canary.chosen, canary.diverted, canary.counts.status[2]), (60, 50, 10));
    // broken after three: the others do not even try, but for a probe now and then
    assert!((3..=20).contains(&canary.counts.failed), "{}", canary.counts.failed);
    b.revive("b");
    wait_for("the canary to be asked again", || {
        ask(2);
        b.requests() > 0
    });
    wait_for("the report to say so", || proxy.report().circuit.is_empty());
    // where the fallback sends nothing, nothing goes: the canary does not answer for stable
    table.version = 2;
    table.slots[0].endpoints.clear();
    table.settings.hold.ms = 200;
    proxy.apply(&table);
    let answers: Vec<u16> = (0..4).map(|_| Raw::connect(proxy.main).ask(&get("/name")).status).collect();
    assert_eq!(answers.iter().filter(|s| **s == 503).count(), 2, "{answers:?}");
}

#[test]
fn a_lease_that_is_not_renewed_brings_the_fallback_and_a_renewal_ends_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 1);
    let [a, b] = ["a", "b"].map(Backend::start);
    let mut table = table(Split::Weighted([0, 10_000]), [&[a.address], &[b.address]]);
    table.fallback = Some(ALL);
    table.lease_ms = Some(60_000);
    proxy.apply(&table);
    assert_eq!(Raw::connect(proxy.main).ask(&get("/name")).body, b"b");
    assert!(proxy.report().falling_back.is_none());
    table.version = 2;
    table.lease_ms = Some(300);
    proxy.apply(&table);
    wait_for("the fallback", || Raw::connect(proxy.main).ask(&get("/name")).body == b"a");
    let report = proxy.report();
    assert_eq!((report.falling_back.is_some(), report.lease_left_ms), (true, Some(0)));
    wait_for("the split again", || {
        proxy.ask(async |c| c.renew(1, 2).await).expect("renewed");
        Raw::connect(proxy.main).ask(&get("/name")).body == b"b"
    });
    // after a restart the lease begins anew
    proxy.kill();
    table.lease_ms = None;
    let mut proxy = Proxy::start(dir.path(), 1);
    wait_for("the lease to be over again", || proxy.report().falling_back.is_some());
    table.version = 3;
    proxy.apply(&table);
    assert!(proxy.report().falling_back.is_none() && proxy.report().lease_left_ms.is_none());
}

#[test]
fn after_a_renewal_the_fallback_counts_until_the_last_worker_left_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 2);
    let [a, b] = ["a", "b"].map(Backend::start);
    let mut table = table(Split::Weighted([0, 10_000]), [&[a.address], &[b.address]]);
    table.fallback = Some(ALL);
    table.lease_ms = Some(800);
    proxy.apply(&table);
    let mut looked = 0;
    for _ in 0..3 {
        wait_for("the fallback", || (0..4).all(|_| Raw::connect(proxy.main).ask(&get("/name")).body == b"a"));
        proxy.ask(async |c| c.renew(1, 1).await).expect("renewed");
        wait_for("the split, by its own word", || proxy.report().falling_back.is_none());
        let answers: Vec<_> = (0..8).map(|_| Raw::connect(proxy.main).ask(&get("/name")).body).collect();
        if proxy.report().falling_back.is_none() {
            assert!(answers.iter().all(|body| body == b"b"), "it said that it had returned to the split");
            looked += 1;
        }
    }
    assert!(looked > 0, "this machine is too slow for a lease of 800 ms");
}

#[test]
fn every_phase_has_a_deadline() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 1);
    let a = Backend::start("a");
    let mut table = table(ALL, [&[a.address], &[]]);
    let timeouts = Timeouts { idle_ms: 2_000, head_ms: 700, response_ms: 700, body_ms: 700, ..Timeouts::default() };
    table.settings = Settings { timeouts, ..Settings::default() };
    proxy.apply(&table);
    let mut idle = Raw::connect(proxy.main);
    assert!(idle.is_closed());
    let mut slow = Raw::connect(proxy.main);
    slow.send(b"GET / HTTP/1.1\r\nHo");
    assert_eq!(slow.answer(false).expect("an answer").status, 408);
    assert!(slow.is_closed());
    assert_eq!(Raw::connect(proxy.main).ask(&get("/never")).status, 504);
    let mut stalled = Raw::connect(proxy.main);
    stalled.send(&request("POST", "/echo", "Content-Length: 10\r\n"));
    assert_eq!(stalled.answer(false).expect("an answer").status, 408);
    let mut cut = Raw::connect(proxy.main);
    cut.send(&get("/cut"));
    assert!(cut.answer(false).is_none());
    let counts = counts(&mut proxy, 0);
    assert_eq!((counts.failed, counts.abandoned, counts.status), (2, 1, [1, 0, 1, 0, 0, 0]));
}

#[test]
fn instances_not_ready_are_tried_when_no_controller_lives() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 1);
    let a = Backend::start("a");
    let mut table = table(ALL, [&[a.address], &[]]);
    table.slots[0].endpoints[0].ready = false;
    table.lease_ms = Some(2_000);
    proxy.apply(&table);
    let mut client = Raw::connect(proxy.main);
    client.send(&get("/name"));
    // while a controller asks, its word on readiness counts
    let until = std::time::Instant::now() + Duration::from_millis(2_500);
    while std::time::Instant::now() < until {
        assert_eq!(proxy.report().instances[0].open, 0);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(a.requests(), 0);
    assert_eq!(client.answer(false).expect("an answer").body, b"a");
}
