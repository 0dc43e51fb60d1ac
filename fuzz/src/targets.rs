//! What must hold for every input. Each target says what broke, or how the input was taken.

use crate::mutate::Random;
use serin_proxy::http::{Body, Hop, MAX_FIELDS, MAX_HEAD, Refusal, Request, Response, Scan, request, response, scan};

/// How an input was taken; so that a run can show that it saw both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It was accepted.
    Accepted,
    /// It was refused, or is not complete.
    Refused,
}

/// What did not hold, in a sentence.
pub type Broken = String;

macro_rules! hold {
    ($condition:expr, $($why:tt)*) => {
        if !$condition {
            return Err(format!($($why)*));
        }
    };
}

const HOPS: [Hop<'static>; 2] =
    [Hop { peer: b"192.0.2.9", trusted: true }, Hop { peer: b"2001:db8::1", trusted: false }];

/// A request head: the same in pieces as whole; what is sent on is accepted again, with equal framing, to its last byte.
pub fn request_head(data: &[u8], random: &mut Random) -> Result<Taken, Broken> {
    let hop = HOPS[random.below(2)];
    let parse = |data: &[u8]| -> Result<Option<(Request, Vec<u8>)>, Refusal> {
        let mut out = Vec::new();
        Ok(request(data, hop, &mut out)?.map(|parsed| (parsed, out)))
    };
    let whole = parse(data);
    let pieces = in_pieces(data, random, &parse)?;
    hold!(whole.is_err() == pieces.is_err(), "whole: {whole:?}, in pieces: {pieces:?}");
    let Ok(Some((first, sent))) = whole else {
        hold!(!matches!(&pieces, Ok(Some(_))), "not accepted whole, but in pieces: {pieces:?}");
        return Ok(Taken::Refused);
    };
    hold!(pieces == Ok(Some((first, sent.clone()))), "in pieces it is another: {pieces:?}");
    hold!(first.head <= data.len().min(MAX_HEAD), "the head is longer than what came");
    clean_lines(&sent)?;
    match parse(&sent) {
        Ok(Some((again, _))) => {
            hold!(again.head == sent.len(), "of {} bytes sent, {} are the head", sent.len(), again.head);
            let same = |r: &Request| (r.body, r.is_head, r.idempotent, r.upgrade, r.http10);
            hold!(same(&again) == same(&first), "sent on it is another: {first:?}, {again:?}");
        }
        Err(Refusal(431)) if sent.len() > MAX_HEAD || lines(&sent) > MAX_FIELDS => {}
        other => return Err(format!("what is sent on is not accepted again: {other:?}")),
    }
    Ok(Taken::Accepted)
}

/// A response head, to each kind of request.
pub fn response_head(data: &[u8], random: &mut Random) -> Result<Taken, Broken> {
    let to = Request {
        head: 0,
        body: Body::Done,
        keep_alive: random.below(4) > 0,
        is_head: random.below(4) == 0,
        idempotent: true,
        upgrade: random.below(4) == 0,
        http10: random.below(4) == 0,
    };
    let close = random.below(2) == 0;
    let parse = |data: &[u8]| -> Result<Option<(Response, Vec<u8>)>, Refusal> {
        let mut out = Vec::new();
        Ok(response(data, &to, close, &mut out)?.map(|parsed| (parsed, out)))
    };
    let whole = parse(data);
    let pieces = in_pieces(data, random, &parse)?;
    hold!(whole.is_err() == pieces.is_err(), "whole: {whole:?}, in pieces: {pieces:?}");
    let Ok(Some((first, sent))) = whole else {
        hold!(!matches!(&pieces, Ok(Some(_))), "not accepted whole, but in pieces: {pieces:?}");
        return Ok(Taken::Refused);
    };
    hold!(pieces == Ok(Some((first, sent.clone()))), "in pieces it is another: {pieces:?}");
    clean_lines(&sent)?;
    match parse(&sent) {
        Ok(Some((again, _))) => {
            hold!(again.head == sent.len(), "of {} bytes sent, {} are the head", sent.len(), again.head);
            hold!((again.body, again.status) == (first.body, first.status), "another: {first:?}, {again:?}");
        }
        Err(_) if sent.len() > MAX_HEAD || lines(&sent) > MAX_FIELDS => {}
        other => return Err(format!("what is sent on is not accepted again: {other:?}")),
    }
    Ok(Taken::Accepted)
}

/// A chunked body: the same in pieces as whole, and no byte of what follows it is claimed.
pub fn chunks(data: &[u8], random: &mut Random) -> Result<Taken, Broken> {
    let feed = |most: usize, random: &mut Random| -> Result<Result<(usize, Body), Refusal>, Broken> {
        let (mut body, mut at) = (Body::CHUNKED, 0);
        while at < data.len() && !body.is_done() {
            let end = data.len().min(at + 1 + random.below(most));
            let taken = match body.advance(&data[at..end]) {
                Ok(taken) => taken,
                Err(refusal) => return Ok(Err(refusal)),
            };
            hold!(taken <= end - at, "it claims {taken} of {} bytes", end - at);
            hold!(taken == end - at || body.is_done(), "it stops before its end, at {}", at + taken);
            at += taken;
        }
        Ok(Ok((at, body)))
    };
    let whole = feed(usize::MAX >> 1, random)?;
    let pieces = feed(4, random)?;
    hold!(whole == pieces, "whole: {whole:?}, in pieces: {pieces:?}");
    if let Ok((end, Body::Done)) = whole {
        hold!(data[..end].ends_with(b"\r\n\r\n"), "it ends where no empty line is");
        return Ok(Taken::Accepted);
    }
    Ok(Taken::Refused)
}

/// Parses growing prefixes, as a slow peer sends them, guided by `scan` as the caller is; the first answer counts.
fn in_pieces<T>(
    data: &[u8],
    random: &mut Random,
    parse: &impl Fn(&[u8]) -> Result<Option<T>, Refusal>,
) -> Result<Result<Option<T>, Refusal>, Broken> {
    let (mut end, mut from) = (0, 0);
    while end < data.len() {
        let most = [1, 3, 40][random.below(3)];
        end = data.len().min(end + 1 + random.below(most));
        match scan(&data[..end], from) {
            Scan::Partial(next) => {
                let fresh = scan(&data[..end], 0);
                hold!(fresh == Scan::Partial(next), "after {end} bytes: looking on: {next}, looking anew: {fresh:?}");
                from = next;
            }
            Scan::Ready => match parse(&data[..end]) {
                Ok(None) => return Err(format!("it should be parsed after {end} bytes, but wants more")),
                answer => return Ok(answer),
            },
        }
    }
    // The caller would wait. So must the parser, or else it refuses what the caller never shows it.
    match parse(data) {
        Ok(Some(_)) => Err("it is complete, but its end was not found".to_owned()),
        answer => Ok(answer),
    }
}

fn clean_lines(sent: &[u8]) -> Result<(), Broken> {
    let bare = |(at, b): (usize, &u8)| match b {
        b'\n' => at == 0 || sent[at - 1] != b'\r',
        b'\r' => sent.get(at + 1) != Some(&b'\n'),
        0 => true,
        _ => false,
    };
    hold!(!sent.iter().enumerate().any(bare), "a bare CR, LF or NUL is sent on");
    hold!(sent.ends_with(b"\r\n\r\n"), "the head that is sent on has no end");
    Ok(())
}

/// The number of field lines of a head.
fn lines(head: &[u8]) -> usize {
    head.windows(2).filter(|w| w == b"\r\n").count().saturating_sub(2)
}
