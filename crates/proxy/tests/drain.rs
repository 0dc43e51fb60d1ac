//! Nobody notices a change of the table, nor the end of the proxy.
mod rig;

use rig::backend::Backend;
use rig::load::Load;
use rig::{PATIENCE, Proxy, Raw, get, request, table, wait_for};
use serin_proxy::protocol::Split;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

#[test]
fn fifty_changes_under_load_lose_nothing_and_nothing_starts_on_what_left() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 2);
    let stay = Backend::start("stay");
    let mut going = Backend::start("0");
    let mut table = table(Split::Weighted([5_000, 5_000]), [&[stay.address], &[going.address]]);
    proxy.apply(&table);
    let load = Load::start(proxy.main, 8, "/name");
    for change in 1..=50 {
        load.wait(40);
        let coming = Backend::start(&change.to_string());
        table.version += 1;
        table.generation = table.version / 3;
        table.slots[1].endpoints = vec![rig::endpoint(&format!("b{change}"), coming.address)];
        table.split = Split::Weighted([8_000 - change * 120, 2_000 + change * 120]);
        proxy.apply(&table);
        let left = format!("b{}", change - 1);
        wait_for("the drain", || proxy.report().instances.iter().all(|i| i.id != left || i.open == 0));
        let served = going.requests();
        going.die(); // it has drained: nobody may notice
        assert!(served > 0, "change {change}: {left} was asked for nothing");
        going = coming;
    }
    load.wait(100);
    let (done, failures) = load.stop();
    assert!(failures.is_empty(), "{} of {done} failed: {:?}", failures.len(), &failures[..failures.len().min(5)]);
    let measures = proxy.quiet();
    let sums = measures.total.each_ref().map(|s| &s.counts);
    assert_eq!(sums[0].status[2] + sums[1].status[2], done);
    assert_eq!(sums[0].started_after_ack + sums[1].started_after_ack, 0);
    assert_eq!((sums[0].failed + sums[1].failed, sums[0].open() + sums[1].open()), (0, 0));
    assert!((20..=24).contains(&measures.total[1].instances.len()) && measures.generations.len() == 8, "{measures:?}");
    assert!(proxy.report().instances.iter().all(|i| i.started_after_ack == 0));
}

#[test]
fn the_proxy_ends_when_what_is_open_is_done_and_says_so_on_a_head() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 1);
    let a = Backend::start("a");
    proxy.apply(&table(Split::Weighted([10_000, 0]), [&[a.address], &[]]));
    let mut idle = Raw::connect(proxy.main);
    assert_eq!(idle.ask(&get("/name")).status, 200);
    let mut busy = Raw::connect(proxy.main);
    busy.send(&get("/slow"));
    wait_for("the slow request", || proxy.report().instances[0].open == 1);
    proxy.terminate();
    wait_for("the drain", || proxy.report().draining);
    let answer = busy.answer(false).expect("an answer");
    assert!(answer.status == 200 && answer.head.contains("Connection: close"), "{answer:?}");
    assert!(busy.is_closed());
    let last = idle.ask(&get("/name"));
    assert!(last.status == 200 && last.head.contains("Connection: close"), "{last:?}");
    assert!(idle.is_closed());
    assert!(proxy.wait().success());
}

#[test]
fn load_moves_to_the_next_process_over_the_same_socket_without_a_loss() {
    let dir = tempfile::tempdir().expect("a directory");
    let a = Backend::start("a");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut proxy = Proxy::start_under(dir.path(), &listener);
    proxy.apply(&table(Split::Weighted([10_000, 0]), [&[a.address], &[]]));
    let load = Load::start(address, 4, "/name");
    for _ in 0..3 {
        load.wait(200);
        proxy.terminate();
        assert!(proxy.wait().success());
        proxy = Proxy::start_under(dir.path(), &listener);
        assert_eq!(proxy.report().version, 1);
    }
    load.wait(200);
    let (done, failures) = load.stop();
    assert!(failures.is_empty(), "of {done}: {failures:?}");
}

/// An instance whose backlog is full: connecting to it takes until somebody is accepted.
fn crowded() -> (TcpListener, Vec<TcpStream>) {
    use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    listen(&socket, 0).expect("it listens");
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().expect("an address");
    let mut crowd = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        crowd.push(stream);
        assert!(crowd.len() < 100, "the backlog has no end");
    }
    (listener, crowd)
}

#[test]
fn a_request_that_still_connects_when_its_instance_leaves_is_sent_elsewhere() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 1);
    let (listener, crowd) = crowded();
    let b = Backend::start("b");
    let mut table = table(Split::Weighted([10_000, 0]), [&[listener.local_addr().expect("an address")], &[b.address]]);
    table.settings.timeouts.connect_ms = 60_000;
    proxy.apply(&table);
    let mut client = Raw::connect(proxy.main);
    client.send(&request("POST", "/echo", "Content-Length: 0\r\n"));
    wait_for("the attempt", || proxy.report().instances.iter().any(|i| i.id == "a0" && i.open == 1));
    table.version = 2;
    table.split = Split::Weighted([0, 10_000]);
    table.slots[0].endpoints.clear();
    proxy.apply(&table);
    assert!(proxy.report().instances.iter().any(|i| i.id == "a0" && i.open == 1), "it connects no more");
    for _ in &crowd {
        listener.accept().expect("the crowd");
    }
    let (mut instance, _) = listener.accept().expect("the proxy");
    let heard = instance.read(&mut [0]).expect("an end");
    assert!(proxy.report().instances.iter().all(|i| i.started_after_ack == 0), "sent after the acknowledgement");
    assert_eq!(client.answer(false).expect("an answer").status, 200);
    assert_eq!((heard, b.requests()), (0, 1));
    let left = proxy.quiet().total[0].counts.clone();
    assert_eq!((left.started, left.withdrawn, left.started_after_ack, left.bytes_in), (1, 1, 0, 0));
}

#[test]
fn connections_wait_in_the_backlog_while_a_killed_proxy_is_replaced() {
    let dir = tempfile::tempdir().expect("a directory");
    let a = Backend::start("a");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut proxy = Proxy::start_under(dir.path(), &listener);
    proxy.apply(&table(Split::Weighted([10_000, 0]), [&[a.address], &[]]));
    proxy.kill();
    let mut clients: Vec<Raw> = (0..20).map(|_| Raw::connect(address)).collect();
    clients.iter_mut().for_each(|c| c.send(&get("/name")));
    let _next = Proxy::start_under(dir.path(), &listener);
    assert!(clients.iter_mut().all(|c| c.answer(false).is_some_and(|a| a.status == 200)));
}

#[test]
fn a_tunnel_outlives_the_table_that_it_began_under() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 1);
    let [a, b] = ["a", "b"].map(Backend::start);
    let mut table = table(Split::Weighted([10_000, 0]), [&[a.address], &[b.address]]);
    proxy.apply(&table);
    let mut client = Raw::connect(proxy.main);
    let mut ask = request("GET", "/tunnel", "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    ask.extend_from_slice(b"early");
    let answer = client.ask(&ask);
    assert!(answer.status == 101 && answer.head.contains("Upgrade: websocket\r\n"), "{answer:?}");
    let mut echo = [0; 5];
    client.reader.read_exact(&mut echo).expect("an echo");
    assert_eq!(&echo, b"early");
    table.version = 2;
    table.slots[0].endpoints.clear();
    table.split = Split::Weighted([0, 10_000]);
    proxy.apply(&table);
    let report = proxy.report();
    let of_a = report.instances.iter().find(|i| i.id == "a0").expect("it has a tunnel");
    assert_eq!((of_a.open, of_a.tunnels, of_a.slot), (0, 1, None));
    client.send(b"later");
    client.reader.read_exact(&mut echo).expect("an echo");
    assert_eq!(&echo, b"later");
    client.stream.shutdown(std::net::Shutdown::Write).expect("a socket");
    assert!(client.is_closed());
    wait_for("the tunnel's end", || proxy.report().instances.iter().all(|i| i.tunnels == 0));
    assert!(a.requests() == 1 && b.requests() == 0);
}

#[test]
fn idle_connections_to_an_instance_that_left_are_closed() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 1);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut table = table(Split::Weighted([10_000, 0]), [&[listener.local_addr().expect("an address")], &[]]);
    proxy.apply(&table);
    let mut client = Raw::connect(proxy.main);
    client.send(&get("/"));
    let (mut instance, _) = listener.accept().expect("the proxy");
    let mut buf = [0; 1000];
    assert!(instance.read(&mut buf).expect("a request") > 0);
    instance.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("the proxy reads");
    assert_eq!(client.answer(false).expect("an answer").status, 200);
    table.version = 2;
    table.slots[0].endpoints.clear();
    table.split = Split::Members([0, 0]);
    proxy.apply(&table);
    instance.set_read_timeout(Some(PATIENCE)).expect("a socket");
    assert_eq!(instance.read(&mut buf).expect("an end, not a timeout"), 0);
}
