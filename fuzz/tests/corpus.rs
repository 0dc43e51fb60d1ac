//! Every case of the corpus has the outcome that stands beside it, and the targets hold for each, and can fail.

use serin_fuzz::corpus::{Expect, escape, requests, responses};
use serin_fuzz::message::{decode, sent};
use serin_fuzz::mutate::{Random, mutate};
use serin_fuzz::targets::{Taken, chunks, request_head, response_head};
use serin_proxy::http::{Body, Request, response};

#[test]
fn every_request_comes_out_as_it_says() {
    let mut wrong = Vec::new();
    for case in requests() {
        let got = match sent(&case.bytes) {
            Ok(Some(sent)) if sent.whole => Some(Expect::One),
            Ok(Some(_)) => Some(Expect::More),
            Ok(None) => None,
            Err(_) => Some(Expect::Refused),
        };
        if got != Some(case.expect) {
            wrong.push(format!("{}: {got:?} instead of {:?}: {}", case.name, case.expect, escape(&case.bytes)));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_response_comes_out_as_it_says() {
    let get = Request {
        head: 0,
        body: Body::Done,
        keep_alive: true,
        is_head: false,
        idempotent: true,
        upgrade: false,
        http10: false,
    };
    let mut wrong = Vec::new();
    for case in responses() {
        let got = match response(&case.bytes, &get, false, &mut Vec::new()) {
            Ok(Some(parsed)) => match decode(parsed.body, &case.bytes[parsed.head..]) {
                Ok((_, _, true)) => Some(Expect::One),
                Ok((_, _, false)) => Some(Expect::More),
                Err(_) => Some(Expect::Refused),
            },
            Ok(None) => None,
            Err(_) => Some(Expect::Refused),
        };
        if got != Some(case.expect) {
            wrong.push(format!("{}: {got:?} instead of {:?}: {}", case.name, case.expect, escape(&case.bytes)));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

type Target = fn(&[u8], &mut Random) -> Result<Taken, String>;

/// A short run of each target, as the command does it; it must see both sides of the parser.
#[test]
fn the_targets_hold() {
    let bytes = |cases: Vec<serin_fuzz::corpus::Case>| cases.into_iter().map(|c| c.bytes).collect::<Vec<_>>();
    let targets: [(Target, Vec<Vec<u8>>); 3] = [
        (request_head, bytes(requests())),
        (response_head, bytes(responses())),
        (chunks, vec![b"3\r\nabc\r\n0a;x=\"y\"\r\n0123456789\r\n0\r\nT: v\r\n\r\nGET /".to_vec()]),
    ];
    for (target, seeds) in targets {
        let mut random = Random::new(7);
        let mut seen = [0u32; 2];
        for _ in 0..20_000 {
            let data = mutate(&seeds, &mut random);
            match target(&data, &mut random) {
                Ok(taken) => seen[usize::from(taken == Taken::Accepted)] += 1,
                Err(broken) => panic!("{broken}\n  input: {}", escape(&data)),
            }
        }
        assert!(seen[0] > 1000 && seen[1] > 1000, "refused and accepted: {seen:?}");
    }
}
