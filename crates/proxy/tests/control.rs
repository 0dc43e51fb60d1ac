//! The control socket: who may write what, and what survives.
mod rig;

use rig::backend::Backend;
use rig::{PATIENCE, Proxy, Raw, get, table};
use serin_proxy::ClientError;
use serin_proxy::protocol::{Denial, Response, Split, Table};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;

fn refusal(proxy: &mut Proxy, table: &Table) -> Denial {
    match proxy.ask(async |c| c.apply(table).await) {
        Err(ClientError::Refused(denial)) => denial,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn only_the_next_version_of_the_highest_epoch_is_accepted() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 1);
    let mut table = table(Split::Weighted([10_000, 0]), [&[], &[]]);
    assert_eq!(proxy.ask(async |c| c.claim(7).await).expect("claimed"), 0);
    assert_eq!(refusal(&mut proxy, &table), Denial::StaleEpoch { held: 7, came: 1 });
    table.epoch = 7;
    table.version = 2;
    assert_eq!(refusal(&mut proxy, &table), Denial::WrongVersion { expected: 1, came: 2 });
    table.version = 1;
    proxy.apply(&table);
    assert_eq!(proxy.ask(async |c| c.apply(&table).await).expect("again"), 1);
    table.generation = 9;
    let twice = refusal(&mut proxy, &table);
    assert_eq!(twice, Denial::WrongVersion { expected: 2, came: 1 });
    assert!(twice.to_string().contains("version 2 is expected"), "{twice}");
    table.version = 2;
    table.split = Split::Weighted([1, 1]);
    assert!(matches!(refusal(&mut proxy, &table), Denial::Invalid { why } if why.contains("sum to 2, not to 10000")));
    assert!(matches!(
        proxy.ask(async |c| c.renew(6, 1).await),
        Err(ClientError::Refused(Denial::StaleEpoch { held: 7, came: 6 }))
    ));
    assert!(matches!(
        proxy.ask(async |c| c.renew(7, 2).await),
        Err(ClientError::Refused(Denial::WrongVersion { expected: 1, came: 2 }))
    ));
    proxy.ask(async |c| c.renew(7, 1).await).expect("renewed");
    // the fence survives the proxy, also without a table of that epoch
    proxy.ask(async |c| c.claim(8).await).expect("claimed");
    proxy.kill();
    let mut proxy = Proxy::start(dir.path(), 1);
    table.split = Split::Weighted([0, 10_000]);
    assert_eq!(refusal(&mut proxy, &table), Denial::StaleEpoch { held: 8, came: 7 });
    assert_eq!((proxy.report().epoch, proxy.report().version), (8, 1));
}

#[test]
fn the_last_route_is_back_after_kill_9() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 2);
    let [a, b] = ["a", "b"].map(Backend::start);
    let mut table = table(Split::Weighted([10_000, 0]), [&[a.address], &[b.address]]);
    for version in 1..=5 {
        table.version = version;
        table.split = if version % 2 == 0 { Split::Weighted([10_000, 0]) } else { Split::Weighted([0, 10_000]) };
        // not waited for: the answer alone promises it
        proxy.ask(async |c| c.apply(&table).await).expect("accepted");
        proxy.kill();
        proxy = Proxy::start(dir.path(), 2);
        assert_eq!(proxy.report().version, version);
        let name: &[u8] = if version % 2 == 0 { b"a" } else { b"b" };
        assert_eq!(Raw::connect(proxy.main).ask(&get("/name")).body, name);
    }
    assert!(!dir.path().join("route.json.new").exists());
}

/// A file system with so much room that the first table fits and a large one does not.
struct Tiny(std::path::PathBuf);

impl Tiny {
    fn mount(at: &std::path::Path) -> Option<Tiny> {
        std::fs::create_dir(at).expect("a directory");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(at).output().ok()?;
        done.status.success().then(|| Tiny(at.to_owned()))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_the_table_and_the_old_one_stays() {
    let dir = tempfile::tempdir().expect("a directory");
    let place = dir.path().join("proxy");
    let tiny = Tiny::mount(&place);
    let a = Backend::start("a");
    let mut proxy = Proxy::start(&place, 1);
    let mut table = table(Split::Weighted([10_000, 0]), [&[a.address], &[]]);
    proxy.apply(&table);
    let before = std::fs::read(place.join("route.json")).expect("a file");
    let mut large = table.clone();
    large.version = 2;
    if tiny.is_some() {
        let more = (1..=2000).map(|n| rig::endpoint(&format!("x{n}"), ([127, 0, 0, 1], 10_000 + n).into()));
        large.slots[1].endpoints.extend(more);
    } else {
        // without the right to mount: a place where the new file cannot be made
        std::fs::create_dir(place.join("route.json.new")).expect("a directory");
    }
    let denial = refusal(&mut proxy, &large);
    assert!(matches!(denial, Denial::Disk { .. }) && denial.to_string().contains("the old one stays"), "{denial}");
    assert_eq!(std::fs::read(place.join("route.json")).expect("a file"), before);
    assert_eq!((proxy.report().version, proxy.report().instances.len()), (1, 1));
    assert_eq!(Raw::connect(proxy.main).ask(&get("/name")).status, 200);
    if tiny.is_some() {
        table.version = 2;
        proxy.apply(&table);
    }
    proxy.kill();
    let mut proxy = Proxy::start(&place, 1);
    assert_eq!(proxy.report().version, if tiny.is_some() { 2 } else { 1 });
    assert_eq!(Raw::connect(proxy.main).ask(&get("/name")).status, 200);
    proxy.kill();
}

#[test]
fn lines_that_are_no_request_are_answered_and_change_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 1);
    let stream = UnixStream::connect(dir.path().join("control.sock")).expect("the socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    let mut say = |line: &str| {
        (&stream).write_all(format!("{line}\n").as_bytes()).expect("it reads");
        let mut answer = String::new();
        reader.read_line(&mut answer).expect("it answers");
        serde_json::from_str::<Response>(&answer).expect("a response")
    };
    for bad in ["", "{", "[]", "\"repot\"", r#"{"claim":{"epoch":-1}}"#, r#"{"claim":{"epoch":1,"x":2}}"#, "\u{0}"] {
        assert!(matches!(say(bad), Response::Refused(Denial::Malformed { .. })), "{bad}");
    }
    assert!(matches!(say("\"report\""), Response::Report(report) if report.version == 0));
    assert!(matches!(say("\"measure\""), Response::Measures(_)));
    assert_eq!(say(r#"{"claim":{"epoch":3}}"#), Response::Claimed { version: 0 });
    assert_eq!(proxy.report().epoch, 3);
}

#[test]
fn a_proxy_that_is_gone_is_said_to_be_and_a_new_one_is_found() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut proxy = Proxy::start(dir.path(), 1);
    proxy.kill();
    let error = proxy.ask(async |c| c.report().await).expect_err("nobody is there");
    assert!(error.to_string().contains("cannot be reached"), "{error}");
    let _again = Proxy::start(dir.path(), 1);
    assert_eq!(proxy.ask(async |c| c.report().await).expect("the new one").version, 0);
}

#[test]
fn a_proxy_that_cannot_start_says_why() {
    let dir = tempfile::tempdir().expect("a directory");
    let alone = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_proxy-alone"));
        let output = command.arg(dir.path()).args(arguments).envs(variables.iter().copied()).output().expect("it runs");
        assert!(!output.status.success());
        String::from_utf8(output.stderr).expect("text")
    };
    let unset = alone(&[], &[]);
    assert!(unset.contains("LISTEN_PID is not set") && unset.contains("start it under its shim"), "{unset}");
    let other = alone(&[], &[("LISTEN_PID", "1"), ("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "main")]);
    assert!(other.contains("LISTEN_PID is \"1\""), "{other}");
    std::fs::write(dir.path().join("route.json"), "{\"epoch\":1,\"tabel\":null}").expect("a file");
    let bad = alone(&["127.0.0.1:0"], &[]);
    assert!(bad.contains("route.json cannot be used") && bad.contains("tabel"), "{bad}");
}
