//! Raw bytes through the proxy: framing, hop-by-hop fields, streaming, smuggling.
mod rig;

use rig::backend::Backend;
use rig::{Proxy, Raw, get, request, table};
use serin_proxy::protocol::Split;
use std::io::{Read, Write};
use std::time::Duration;

struct Stand {
    proxy: Proxy,
    _dir: tempfile::TempDir,
    instance: Backend,
}

impl Stand {
    fn new() -> Stand {
        let dir = tempfile::tempdir().expect("a directory");
        let mut proxy = Proxy::start(dir.path(), 1);
        let instance = Backend::start("a");
        proxy.apply(&table(Split::Weighted([10_000, 0]), [&[instance.address], &[]]));
        Stand { proxy, _dir: dir, instance }
    }

    fn client(&self) -> Raw {
        Raw::connect(self.proxy.main)
    }
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

#[test]
fn what_is_hop_by_hop_ends_here_and_where_it_came_from_is_said() {
    let stand = Stand::new();
    let mut client = stand.client();
    let fields = "Connection: keep-alive, X-Drop\r\nX-Drop: 1\r\nKeep-Alive: 5\r\nX-Keep: 2\r\nTE: trailers\r\n\
        Proxy-Connection: x\r\nX-Forwarded-For: 1.2.3.4\r\nx-forwarded-for: 5.6.7.8\r\n";
    let seen = text(&client.ask(&request("GET", "/head", fields)).body);
    let whole = "GET /head HTTP/1.1\r\nHost: a\r\nX-Keep: 2\r\nVia: 1.1 serin\r\n\
        X-Forwarded-For: 1.2.3.4, 5.6.7.8, 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n\r\n";
    assert_eq!(seen, whole);
    let seen = text(&client.ask(b"GET http://b.c/head HTTP/1.1\r\nHost: a\r\n\r\n").body);
    assert!(seen.starts_with("GET /head HTTP/1.1\r\nHost: b.c\r\nVia") && !seen.contains("Host: a"), "{seen}");
    let h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n";
    let seen = text(&client.ask(&request("GET", "/head", h2c)).body);
    assert!(!seen.contains("pgrade") && !seen.contains("HTTP2"), "{seen}");
}

#[test]
fn every_kind_of_response_comes_through_and_the_connection_goes_on() {
    let stand = Stand::new();
    let mut client = stand.client();
    assert_eq!(client.ask(b"HEAD /name HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
    assert_eq!(client.ask(&get("/204")).status, 204);
    assert_eq!(client.ask(&get("/304")).status, 304);
    let pieces = client.ask(&get("/pieces"));
    assert_eq!((text(&pieces.body), pieces.trailers.as_str()), ("hello".into(), "T: 1\r\n"));
    let interim = client.ask(&get("/interim"));
    assert!(interim.status == 103 && interim.head.contains("Link: x"), "{interim:?}");
    assert_eq!(client.answer(false).expect("the final one").body, b"ok");
    assert_eq!(client.ask(&get("/500")).status, 500);
    let extra = client.ask(&get("/extra"));
    assert_eq!(extra.body, b"abc");
    assert!(client.ask(&get("/head")).body.starts_with(b"GET /head"), "bytes after a response were taken for the next");
    for path in ["/both", "/twice"] {
        assert_eq!(stand.client().ask(&get(path)).status, 502, "{path}");
    }
    let mut client = stand.client();
    let close = client.ask(&get("/close"));
    assert!(close.body == b"until-close" && close.head.contains("Connection: close"), "{close:?}");
    let mut client = stand.client();
    assert!(client.ask(&request("GET", "/name", "Connection: close\r\n")).head.contains("Connection: close"));
    assert!(client.is_closed());
    let mut client = stand.client();
    assert_eq!(client.ask(b"GET /interim HTTP/1.0\r\n\r\n").status, 200, "no interim response for HTTP/1.0");
    assert!(client.is_closed());
}

#[test]
fn bodies_of_requests_come_through() {
    let stand = Stand::new();
    let mut client = stand.client();
    let with = |fields: &str, body: &str| [request("POST", "/echo", fields), body.into()].concat();
    assert_eq!(client.ask(&with("Content-Length: 5\r\n", "abcde")).body, b"abcde");
    let chunks = "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
    assert_eq!(client.ask(&with("Transfer-Encoding: chunked\r\n", chunks)).body, b"abcde");
    let trailers =
        [request("POST", "/trailers", "Transfer-Encoding: chunked\r\n"), b"1\r\nx\r\n0\r\nA: b\r\n\r\n".to_vec()];
    assert_eq!(client.ask(&trailers.concat()).body, b"A: b\r\n");
    let expect = client.ask(&request("POST", "/continue", "Expect: 100-continue\r\nContent-Length: 4\r\n"));
    assert_eq!(expect.status, 100);
    client.send(b"wxyz");
    assert_eq!(client.answer(false).expect("the final one").body, b"wxyz");
    let three = [with("Content-Length: 1\r\n", "1"), with("Content-Length: 1\r\n", "2"), get("/name")].concat();
    client.send(&three);
    let bodies: Vec<String> = (0..3).map(|_| text(&client.answer(false).expect("an answer").body)).collect();
    assert_eq!(bodies, ["1", "2", "a"]);
    let mut drip = stand.client();
    for byte in with("Content-Length: 2\r\n", "hi") {
        drip.send(&[byte]);
    }
    assert_eq!(drip.answer(false).expect("an answer").body, b"hi");
    let mut early = stand.client();
    let large = [request("POST", "/early", "Content-Length: 100000000\r\n"), vec![b'x'; 1000]].concat();
    assert_eq!(early.ask(&large).status, 413);
    assert!(early.is_closed());
}

#[test]
fn eight_mebibytes_stream_both_ways_past_a_slow_reader() {
    let stand = Stand::new();
    const SIZE: usize = 8 << 20;
    let mut slow = stand.client();
    slow.send(&get("/big"));
    std::thread::sleep(Duration::from_millis(300)); // all buffers on the way are full by now
    let down = slow.answer(false).expect("all of it");
    assert!(down.body.len() == SIZE && down.body.iter().all(|b| *b == b'z'));
    for fields in [format!("Content-Length: {SIZE}\r\n"), "Transfer-Encoding: chunked\r\n".into()] {
        let mut client = stand.client();
        let body: Vec<u8> = (0..SIZE).map(|n| (n / 7 % 251) as u8).collect();
        client.send(&request("POST", "/echo", &fields));
        for part in body.chunks(100_000) {
            if fields.starts_with('T') {
                client.send(format!("{:x}\r\n", part.len()).as_bytes());
            }
            client.send(part);
            if fields.starts_with('T') {
                client.send(b"\r\n");
            }
        }
        if fields.starts_with('T') {
            client.send(b"0\r\n\r\n");
        }
        assert!(client.answer(false).expect("all of it").body == body, "{fields}");
        assert_eq!(client.ask(&get("/name")).status, 200);
    }
}

#[test]
fn a_large_last_response_is_not_cut_off_for_a_slow_reader() {
    let stand = Stand::new();
    let mut slow = stand.client();
    slow.send(&request("GET", "/big", "Connection: close\r\n"));
    std::thread::sleep(Duration::from_millis(1500)); // longer than the wait for the client's end
    assert_eq!(slow.answer(false).expect("all of it").body.len(), 8 << 20);
}

#[test]
fn what_is_wrong_is_refused_and_the_connection_closed() {
    let stand = Stand::new();
    let post = |fields: &str, body: &str| [request("POST", "/", fields), body.into()].concat();
    let te = "Transfer-Encoding: chunked\r\n";
    let many: String = (0..100).map(|n| format!("A{n}: b\r\n")).collect();
    let cases: Vec<(Vec<u8>, u16)> = vec![
        (post(&format!("Content-Length: 3\r\n{te}"), "0\r\n\r\n"), 400),
        (post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400),
        (post("Content-Length: 3, 3\r\n", ""), 400),
        (post("Content-Length: +3\r\n", ""), 400),
        (post("Content-Length: -3\r\n", ""), 400),
        (post("Content-Length: 99999999999999999999\r\n", ""), 400),
        (post("Content-Length: \r\n", ""), 400),
        (post("Transfer-Encoding: xchunked\r\n", ""), 501),
        (post("Transfer-Encoding: gzip, chunked\r\n", ""), 501),
        (post(&te.repeat(2), ""), 400),
        (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(), 400),
        (post("Transfer-Encoding : chunked\r\n", ""), 400),
        (post("Transfer-Encoding:\u{b}chunked\r\n", ""), 400),
        (post("A: b\r\n c\r\n", ""), 400),
        (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n".to_vec(), 400),
        (b"GET / HTTP/1.1\nHost: a\n\n".to_vec(), 400),
        (b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n".to_vec(), 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\n".to_vec(), 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n".to_vec(), 400),
        (post("A: b\0c\r\n", ""), 400),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), 400),
        (post("Host: b\r\n", ""), 400),
        (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n".to_vec(), 400),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), 501),
        (post(&many, ""), 431),
        (post(&format!("A: {}\r\n", "x".repeat(17_000)), ""), 431),
        (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_vec(), 400),
        (post(": x\r\n", ""), 400),
        (post(te, "zz\r\n"), 400),
        (post(te, "1\nx\r\n0\r\n\r\n"), 400),
        (post(te, "0x1\r\nx\r\n0\r\n\r\n"), 400),
        (post(te, " 1\r\nx\r\n0\r\n\r\n"), 400),
        (post(te, "fffffffffffffffff\r\nx"), 400),
        (post(te, "1\r\nxy\r\n0\r\n\r\n"), 400),
        (post(te, "1;a\nb\r\nx\r\n0\r\n\r\n"), 400),
        (post(te, "0\r\nbad trailer: x\r\n\r\n"), 400),
    ];
    for (bytes, status) in cases {
        let mut client = stand.client();
        let answer = client.ask(&bytes);
        assert_eq!(answer.status, status, "{:?}", text(&bytes));
        assert!(client.is_closed(), "{:?}", text(&bytes));
    }
    assert_eq!(stand.instance.requests(), 0, "nothing of it may reach the instance");
    // framing that turns out to be wrong when the instance has got the head already
    let mut client = stand.client();
    client.send(&post(te, ""));
    rig::wait_for("the head to arrive", || stand.instance.requests() == 1);
    client.send(b"zz\r\n");
    assert_eq!(client.answer(false).expect("an answer").status, 400);
}

#[test]
fn an_empty_line_before_a_request_is_ignored_and_a_head_may_drip_for_long() {
    let stand = Stand::new();
    let mut client = stand.client();
    assert_eq!(client.ask(b"\r\nGET /name HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
    let fields: String = (0..50).map(|n| format!("X-{n}: {}\r\n", "v".repeat(250))).collect();
    let head = request("GET", "/name", &fields);
    for part in head.chunks(100) {
        client.stream.write_all(part).expect("the proxy reads");
    }
    assert_eq!(client.answer(false).expect("an answer").status, 200);
}

#[test]
fn a_tunnel_carries_much_and_ends_on_both_sides() {
    let mut stand = Stand::new();
    let mut client = stand.client();
    let up = request("GET", "/tunnel", "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    assert_eq!(client.ask(&up).status, 101);
    let mut writer = client.stream.try_clone().expect("a socket");
    let sending = std::thread::spawn(move || {
        writer.write_all(&vec![7; 3 << 20]).expect("the proxy reads");
        writer.shutdown(std::net::Shutdown::Write).expect("a socket");
    });
    let mut back = Vec::new();
    client.reader.read_to_end(&mut back).expect("an end");
    sending.join().expect("no panic");
    assert_eq!((back.len(), back.iter().all(|b| *b == 7)), (3 << 20, true));
    rig::wait_for("the tunnel's end", || stand.proxy.report().instances[0].tunnels == 0);
    let counts = stand.proxy.quiet().total[0].counts.clone();
    assert_eq!((counts.tunnels, counts.status[1], counts.open()), ([1, 1], 1, 0));
    assert!(counts.bytes_out > 3 << 20 && counts.bytes_in > 3 << 20, "{counts:?}");
    // without a 101 that was asked for there is no tunnel
    assert_eq!(stand.client().ask(&get("/tunnel")).status, 200);
}
