//! Checks against real sockets and commands.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Instant;

use super::*;

const GENEROUS: Duration = Duration::from_secs(60);

/// Answers one connection with these bytes, after the request has come.
fn answer_once(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let read = stream.read(&mut request).unwrap();
        assert!(request[..read].starts_with(b"GET /up HTTP/1.1\r\nHost: "));
        drop(stream.write_all(bytes));
    });
    address
}

async fn get(bytes: &'static [u8]) -> Result<(), String> {
    http::get(answer_once(bytes), "/up", Some("example.test")).await
}

#[tokio::test]
async fn http_by_status() {
    assert_eq!(get(b"HTTP/1.1 200 OK\r\n\r\n").await, Ok(()));
    assert_eq!(get(b"HTTP/1.1 399 X\r\n\r\n").await, Ok(()));
    assert_eq!(get(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n").await, Ok(()));
    assert!(get(b"HTTP/1.1 400 Bad\r\n\r\n").await.unwrap_err().contains("status 400"));
    assert!(get(b"HTTP/1.1 503 Down\r\n\r\n").await.unwrap_err().contains("status 503"));
    assert!(get(b"hello\n").await.unwrap_err().contains("no HTTP"));
    assert!(get(b"HTTP/1.1 20").await.unwrap_err().contains("without an answer"));
    assert!(get(&[b'x'; 20_000]).await.unwrap_err().contains("no status line"));
    let error = http::get(([127, 0, 0, 1], 1).into(), "/up\r\nX: y", None).await.unwrap_err();
    assert!(error.contains("cannot be sent"), "{error}");
}

#[tokio::test]
async fn a_command_that_hangs_is_killed_with_its_group() {
    let argv = |script: &str| vec!["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()];
    assert_eq!(command(&argv("exit 0"), GENEROUS).await, Ok(()));
    assert!(command(&argv("exit 3"), GENEROUS).await.unwrap_err().contains("exit status: 3"));
    assert!(command(&["no-such-check".into()], GENEROUS).await.unwrap_err().contains("cannot be run"));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let script = format!("sleep 600 & echo $! > {}; wait", file.display());
    let error = command(&argv(&script), Duration::from_secs(1)).await.unwrap_err();
    assert!(error.contains("was killed"), "{error}");
    let grandchild: i32 = std::fs::read_to_string(file).unwrap().trim().parse().unwrap();
    let give_up = Instant::now() + GENEROUS;
    while crate::process::Stat::read(grandchild).is_some_and(|stat| !stat.is_zombie()) {
        assert!(Instant::now() < give_up, "the command's child still lives");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
