//! Shares are exact.
mod rig;

use rig::backend::Backend;
use rig::{Proxy, Raw, get, table};
use serin_proxy::protocol::Split;

fn answers(client: &mut Raw, n: usize) -> [usize; 2] {
    let mut found = [0; 2];
    for _ in 0..n {
        let answer = client.ask(&get("/name"));
        assert_eq!(answer.status, 200, "{answer:?}");
        found[usize::from(answer.body.starts_with(b"b"))] += 1;
    }
    found
}

#[test]
fn weights_are_exact_give_or_take_one_and_even_within_a_slot() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 1);
    let [a0, a1, b0] = ["a0", "a1", "b0"].map(Backend::start);
    let slots: [&[_]; 2] = [&[a0.address, a1.address], &[b0.address]];
    let mut table = table(Split::Weighted([9_000, 1_000]), slots);
    proxy.apply(&table);
    let mut client = Raw::connect(proxy.main);
    let [a, b] = answers(&mut client, 505);
    assert!(b.abs_diff(50) <= 1, "{a} {b}");
    assert!(a0.requests().abs_diff(a1.requests()) <= 1, "{} {}", a0.requests(), a1.requests());
    for (version, weight) in [(2, 0), (3, 10_000), (4, 3_333), (5, 1)] {
        table.version = version;
        table.split = Split::Weighted([10_000 - weight, weight]);
        proxy.apply(&table);
        let [_, b] = answers(&mut client, 300);
        let due = 300 * weight as usize / 10_000;
        assert!(b.abs_diff(due) <= if weight % 10_000 == 0 { 0 } else { 1 }, "{weight}: {b} of {due}");
    }
    let total = proxy.quiet().total;
    assert_eq!(total[0].chosen + total[1].chosen, 505 + 1200);
    assert_eq!((total[0].counts.status[2], total[1].counts.status[2]), (total[0].chosen, total[1].chosen));
}

#[test]
fn members_share_everything_evenly() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 1);
    let [a0, a1, b0, b1] = ["a0", "a1", "b0", "b1"].map(Backend::start);
    let slots: [&[_]; 2] = [&[a0.address, a1.address], &[b0.address, b1.address]];
    let mut table = table(Split::Members([2, 1]), slots);
    proxy.apply(&table);
    answers(&mut Raw::connect(proxy.main), 300);
    let counts = [&a0, &a1, &b0, &b1].map(Backend::requests);
    assert!(counts[..3].iter().all(|n| n.abs_diff(100) <= 1) && counts[3] == 0, "{counts:?}");
    table.slots[0].endpoints[0].ready = false;
    table.version = 2;
    proxy.apply(&table);
    answers(&mut Raw::connect(proxy.main), 100);
    let then = [&a0, &a1, &b0, &b1].map(Backend::requests);
    assert_eq!((then[0] - counts[0], then[3]), (0, 0));
    assert!((then[1] - counts[1]).abs_diff(50) <= 1, "{counts:?} {then:?}");
}

#[test]
fn the_tracks_have_addresses_of_their_own() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 2);
    let [a, b] = ["a", "b"].map(Backend::start);
    let mut table = table(Split::Weighted([10_000, 0]), [&[a.address], &[b.address]]);
    proxy.apply(&table);
    let mut canary = Raw::connect(proxy.canary.expect("an address"));
    assert_eq!(answers(&mut canary, 20), [0, 20]);
    assert_eq!(answers(&mut Raw::connect(proxy.stable.expect("an address")), 20), [20, 0]);
    let measures = proxy.quiet();
    assert_eq!((measures.total[1].chosen, measures.total[1].counts.direct), (0, 20));
    table.version = 2;
    table.slots[1].endpoints.clear();
    proxy.apply(&table);
    let refused = canary.ask(&get("/name"));
    assert_eq!(refused.status, 503);
    assert!(String::from_utf8_lossy(&refused.body).contains("canary only"), "{refused:?}");
}
