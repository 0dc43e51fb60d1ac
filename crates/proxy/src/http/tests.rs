//! Heads and bodies byte by byte: what is refused, what is sent on, and that neither depends on how the bytes arrive.
use super::*;

const HOP: Hop<'static> = Hop { peer: b"::1", trusted: true };

fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    *seed >> 33
}

fn sent(data: &[u8], hop: Hop<'_>) -> (Request, String) {
    let mut out = Vec::new();
    let parsed = request(data, hop, &mut out).expect("accepted").expect("complete");
    (parsed, String::from_utf8(out).expect("text"))
}

fn refused(data: &[u8]) -> u16 {
    request(data, HOP, &mut Vec::new()).expect_err("refused").0
}

const GET: Request = Request {
    head: 0,
    body: Body::Done,
    keep_alive: true,
    is_head: false,
    idempotent: true,
    upgrade: false,
    http10: false,
};

fn answer(data: &[u8], to: &Request) -> Result<(Response, String), Refusal> {
    let mut out = Vec::new();
    let parsed = response(data, to, false, &mut out)?.expect("complete");
    Ok((parsed, String::from_utf8(out).expect("text")))
}

#[test]
fn the_absolute_form_becomes_origin_form_and_overrides_host() {
    let (_, text) = sent(b"GET http://b.example:81/p?q HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n", HOP);
    assert_eq!(
        text,
        "GET /p?q HTTP/1.1\r\nHost: b.example:81\r\nX: y\r\nVia: 1.1 serin\r\nX-Forwarded-For: ::1\r\n\
         X-Forwarded-Proto: http\r\nX-Forwarded-Host: b.example:81\r\n\r\n"
    );
    assert!(sent(b"GET HTTP://b HTTP/1.1\r\nHost: a\r\n\r\n", HOP).1.starts_with("GET / HTTP/1.1\r\nHost: b\r\nVia"));
    assert!(sent(b"GET http://b?x HTTP/1.1\r\nHost: a\r\n\r\n", HOP).1.starts_with("GET /?x HTTP/1.1\r\nHost: b\r\n"));
    assert!(
        sent(b"OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n", HOP).1.starts_with("OPTIONS * HTTP/1.1\r\nHost: b\r\n")
    );
    let named = sent(b"GET http://b/ HTTP/1.1\r\nHost: a\r\nX: y\r\nConnection: x, z\r\nW: v\r\n\r\n", HOP).1;
    assert!(named.starts_with("GET / HTTP/1.1\r\nHost: b\r\nW: v\r\nVia"), "{named}");
    assert_eq!(refused(b"GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_eq!(refused(b"GET http:///p HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_eq!(refused(b"GET ftp://b/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_eq!(refused(b"GET http://b/ HTTP/1.1\r\n\r\n"), 400);
    for fragment in ["/#", "http://b#x", "http://b/p#?q", "/a?b#c"] {
        assert_eq!(refused(format!("GET {fragment} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()), 400, "{fragment}");
    }
}

#[test]
fn the_host_value_is_checked() {
    for good in ["a", "a.b:80", "[::1]:8080", "[::1]", "127.0.0.1:", "a_b", "%41"] {
        sent(format!("GET / HTTP/1.1\r\nHost: {good}\r\n\r\n").as_bytes(), HOP);
    }
    for bad in ["", "a b", "a/b", "u@a", "a:b", "a:123456", "[::1", "::1", "a,b", "[]", "a#", "a?b", "a\\b", "[a]b:1"] {
        assert_eq!(refused(format!("GET / HTTP/1.1\r\nHost: {bad}\r\n\r\n").as_bytes()), 400, "{bad}");
    }
    assert_eq!(refused(b"GET / HTTP/1.0\r\nHost: a b\r\n\r\n"), 400);
    sent(b"GET / HTTP/1.0\r\n\r\n", HOP);
}

#[test]
fn repeated_forwarding_is_joined_and_a_stranger_is_not_believed() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\n\
        X-Forwarded-Host: h\r\nx-forwarded-for: 2.2.2.2, 3.3.3.3\r\n\r\n";
    let (_, trusted) = sent(head, HOP);
    assert!(trusted.contains("\r\nX-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, ::1\r\n"), "{trusted}");
    assert!(trusted.contains("\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: h\r\n"), "{trusted}");
    assert_eq!(trusted.matches("Proto").count() + trusted.matches("Forwarded-Host").count(), 2);
    let (_, stranger) = sent(head, Hop { peer: b"9.9.9.9", trusted: false });
    let own = "Via: 1.1 serin\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n\r\n";
    assert_eq!(stranger, format!("GET / HTTP/1.1\r\nHost: a\r\n{own}"));
}

#[test]
fn connection_names_fields_on_several_lines_but_never_framing() {
    let (parsed, text) = sent(
        b"POST / HTTP/1.1\r\nHost: a\r\nConnection: x, host\r\nX: 1\r\nContent-Length: 3\r\n\
        Connection: content-length, Y\r\nY: 2\r\nZ: 3\r\n\r\nabc",
        HOP,
    );
    assert_eq!(parsed.body, Body::Length(3));
    assert!(text.starts_with("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nZ: 3\r\nVia"), "{text}");
}

#[test]
fn only_websocket_upgrades_and_h2c_never() {
    let upgrade = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n";
    let (asked, text) = sent(upgrade, HOP);
    assert!(asked.upgrade && text.contains("\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"), "{text}");
    let h2c = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n\r\n";
    let (plain, text) = sent(h2c, HOP);
    assert!(!plain.upgrade && !text.contains("pgrade") && !text.contains("HTTP2"), "{text}");
    let yes = b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";
    assert!(answer(yes, &asked).expect("asked for").1.contains("Upgrade: websocket\r\nConnection: upgrade\r\n\r\n"));
    assert!(answer(yes, &plain).is_err());
    assert!(answer(b"HTTP/1.1 101 S\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", &asked).is_err());
}

#[test]
fn responses_are_framed_and_speak_our_version() {
    let (old, text) = answer(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", &GET).expect("fits");
    assert!(!old.reusable && text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    let (none, text) = answer(b"HTTP/1.1 204 N\r\nContent-Length: 5\r\n\r\n", &GET).expect("fits");
    assert_eq!((none.body, text.as_str()), (Body::Done, "HTTP/1.1 204 N\r\n\r\n"));
    let (until, text) = answer(b"HTTP/1.1 200 OK\r\n\r\n", &GET).expect("fits");
    assert_eq!(
        (until.body, until.reusable, text.as_str()),
        (Body::UntilClose, false, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    );
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(answer(chunked, &GET).expect("fits").0.body, Body::CHUNKED);
    assert!(answer(chunked, &Request { http10: true, ..GET }).is_err());
    for bad in [
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 3\n\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        assert!(answer(bad.as_bytes(), &GET).is_err(), "{bad}");
    }
}

#[test]
fn a_dripping_head_is_scanned_once_and_bad_line_ends_are_seen_at_once() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
    let mut from = 0;
    for end in 1..head.len() {
        assert_eq!(request(&head[..end], HOP, &mut Vec::new()), Ok(None), "{end}");
        let Scan::Partial(at) = scan(&head[..end], from) else { panic!("ready at {end}") };
        assert!(at >= from && at <= end);
        from = at;
    }
    assert_eq!(scan(head, from), Scan::Ready);
    for bad in
        [&b"\n"[..], b"GET / HTTP/1.1\nHo", b"\r\n\r\n", b"\r\n\nGET", b"GET / HTTP/1.1\r\nHost: a\n", b"\r\nG\n"]
    {
        assert_eq!(scan(bad, 0), Scan::Ready, "{bad:?}");
        assert_eq!(refused(bad), 400, "{bad:?}");
    }
    let (lead, text) = sent(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", HOP);
    assert!(lead.head == 29 && text.starts_with("GET / "), "{text}");
    assert_eq!(refused(&[b'a'; MAX_HEAD]), 431);
}

/// Feeds `data` in pieces of random length; says how many bytes belonged to the body and whether it ended, or nothing
/// if it was refused.
fn feed(data: &[u8], most: u64, seed: &mut u64) -> Option<(usize, bool)> {
    let (mut body, mut at) = (Body::CHUNKED, 0);
    while at < data.len() && !body.is_done() {
        let end = data.len().min(at + 1 + (next(seed) % most) as usize);
        let taken = body.advance(&data[at..end]).ok()?;
        assert!(taken == end - at || body.is_done());
        at += taken;
    }
    Some((at, body.is_done()))
}

fn mutate(data: &mut Vec<u8>, alphabet: &[u8], seed: &mut u64) {
    for _ in 0..next(seed) % 4 {
        let at = next(seed) as usize % data.len();
        let byte = alphabet[next(seed) as usize % alphabet.len()];
        match next(seed) % 3 {
            0 => data[at] = byte,
            1 => drop(data.remove(at)),
            _ => data.insert(at, byte),
        }
    }
}

#[test]
fn chunked_framing_does_not_depend_on_pieces() {
    let good = b"3\r\nabc\r\n0a;x=\"y\"\r\n0123456789\r\n0\r\nT: v\r\n\r\nGET / HTTP/1.1\r\n";
    let mut seed = 7;
    assert_eq!(feed(good, 1000, &mut seed), Some((good.len() - 16, true)));
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..50_000 {
        let mut data = good.to_vec();
        mutate(&mut data, b"\r\n;:0aAfF \tx\0", &mut seed);
        let whole = feed(&data, 1000, &mut seed);
        assert_eq!(whole, feed(&data, 5, &mut seed));
        if whole.is_some() { accepted += 1 } else { refused += 1 }
    }
    assert!(accepted > 1000 && refused > 1000, "{accepted} {refused}");
}

#[test]
fn trailers_must_be_fields() {
    for (trailer, fits) in [
        ("T: v", true),
        ("T:", true),
        (": v", false),
        (" T: v", false),
        ("T", false),
        ("T v: x", false),
        ("Content-Length: 0", false),
        ("tRANSFER-eNCODING:x", false),
        ("Host: b", false),
        ("Hosts: b", true),
        ("Hos: b", true),
        ("X: y\r\nHost: b", false),
        ("T: Host: b", true),
    ] {
        let data = format!("0\r\n{trailer}\r\n\r\n");
        let mut body = Body::CHUNKED;
        assert_eq!(body.advance(data.as_bytes()).is_ok() && body.is_done(), fits, "{trailer}");
    }
}

#[test]
fn chunk_extensions_are_tokens_and_quoted_strings() {
    for (extension, fits) in [
        (";a", true),
        (";a=b;c", true),
        (";a=\"b;\\\"c\"", true),
        (";", false),
        (";a=", false),
        (";a=\"b", false),
        (";a=b\"c\"", false),
        (";T: v", false),
        (" ;a", false),
        (";a=b[", false),
    ] {
        let data = format!("1{extension}\r\nx\r\n0\r\n\r\n");
        let mut body = Body::CHUNKED;
        assert_eq!(body.advance(data.as_bytes()).is_ok() && body.is_done(), fits, "{extension}");
    }
}

#[test]
fn blanks_around_what_frames_are_not_passed_on() {
    let (parsed, text) = sent(b"POST / HTTP/1.1\r\nHost:\ta \r\nContent-Length:  \t 3 \t\r\nX:  y\r\n\r\n", HOP);
    assert_eq!(parsed.body, Body::Length(3));
    assert!(text.starts_with("POST / HTTP/1.1\r\nX:  y\r\nHost: a\r\nContent-Length: 3\r\nVia"), "{text}");
    let (_, text) = answer(b"HTTP/1.1 200 OK\r\nContent-Length:3\t\r\n\r\nabc", &GET).expect("fits");
    assert_eq!(text, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
}

/// What is sent upstream must itself be accepted, with the same framing, and take exactly its own length.
#[test]
fn an_edited_head_parses_again() {
    let good = b"POST /p?q HTTP/1.1\r\nHost: a\r\nConnection: x-a, close\r\nX-A: 1\r\nContent-Length: 12\r\n\
        Upgrade: h2c\r\nTE: trailers\r\n\r\n";
    let alphabet: Vec<u8> = (0..=255).chain(*b"\r\n:, \tc\r\n:, \tc\r\n:, \tc\r\n:, \tc").collect();
    let (mut seed, mut accepted) = (11, 0);
    for _ in 0..50_000 {
        let mut data = good.to_vec();
        mutate(&mut data, &alphabet, &mut seed);
        let mut sent = Vec::new();
        let Ok(Some(first)) = request(&data, HOP, &mut sent) else {
            continue;
        };
        accepted += 1;
        let again = request(&sent, HOP, &mut Vec::new()).expect("accepted again").expect("complete");
        assert_eq!((again.body, again.head), (first.body, sent.len()), "{:?}", String::from_utf8_lossy(&data));
        assert!(!sent.windows(2).any(|w| w[1] == b'\n' && w[0] != b'\r'));
    }
    assert!(accepted > 3_000, "{accepted}");
}
