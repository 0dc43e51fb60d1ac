//! The program that is released: a small honest HTTP/1.1 server, which says its version with every answer and fails on
//! request. It knows nothing of Serin.
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// What it calls itself.
pub(super) const VERSION: &str = "DEMO_VERSION";
/// How many of a hundred requests it fails, with 500.
pub(super) const FAILS: &str = "DEMO_FAILS";

/// The largest head that it takes.
const MAX_HEAD: usize = 16 * 1024;
/// How long open requests may take once it is asked to end.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct App {
    version: String,
    fails: u64,
    ending: watch::Receiver<bool>,
}

/// Serves until SIGTERM, then lets open requests end.
pub(super) async fn run(port: u16) -> io::Result<()> {
    let number = std::env::var(FAILS).ok().and_then(|text| text.parse().ok());
    let (end, ending) = watch::channel(false);
    let version = std::env::var(VERSION).unwrap_or_else(|_| "1".to_owned());
    let app = App { version, fails: number.unwrap_or(0), ending };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    println!("version {} listens on port {port}", app.version);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A connection that is gone before it is accepted is nobody's loss.
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(app.clone().connection(stream));
                }
            }
            _ = terminate.recv() => break,
        }
    }
    drop((listener, app));
    end.send_replace(true);
    // Every connection holds a receiver: when the last one is gone, all answers are out.
    let _ = tokio::time::timeout(LAST_ANSWERS, end.closed()).await;
    Ok(())
}

impl App {
    async fn connection(mut self, mut stream: TcpStream) {
        let mut buffer = Vec::new();
        let mut number = u64::from(std::process::id()) ^ stream.peer_addr().map_or(0, |peer| u64::from(peer.port()));
        loop {
            let head = tokio::select! {
                head = head(&mut stream, &mut buffer) => head,
                // Idle, and asked to end: nobody waits for an answer on it.
                _ = self.ending.wait_for(|ending| *ending), if buffer.is_empty() => return,
            };
            let Ok(Some(size)) = head else { return };
            number = number.wrapping_add(1);
            let (answer, close) = self.answer(&buffer[..size], number);
            if stream.write_all(&answer).await.is_err() || close {
                return;
            }
            buffer.drain(..size);
        }
    }

    /// The whole answer to one request, and whether the connection ends with it.
    fn answer(&self, head: &[u8], number: u64) -> (Vec<u8>, bool) {
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        let path = head.split(' ').nth(1).unwrap_or("");
        let has = |name: &str| head.lines().skip(1).any(|line| line.starts_with(name));
        // It has no use for bodies, and does not guess where one would end.
        let body_follows = has("transfer-encoding:") || (has("content-length:") && !has("content-length: 0"));
        let close = body_follows || *self.ending.borrow() || head.contains("\r\nconnection: close");
        let (status, body) = match path {
            _ if body_follows => ("413 Content Too Large", "no bodies here\n".to_owned()),
            "/healthz" => ("200 OK", "ok\n".to_owned()),
            "/" if mixed(number) % 100 < self.fails => ("500 Internal Server Error", "something broke\n".to_owned()),
            "/" => ("200 OK", format!("hello from version {}\n", self.version)),
            _ => ("404 Not Found", "there is / and /healthz\n".to_owned()),
        };
        let connection = if close { "connection: close\r\n" } else { "" };
        let text = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nx-version: {}\r\n{connection}\r\n{body}",
            body.len(),
            self.version
        );
        (text.into_bytes(), close)
    }
}

/// Spreads numbers that follow each other (the finalizer of SplitMix64), so that failures come as they do in life.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Reads up to the end of a head; its size, or `None` when the peer has closed.
async fn head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<usize>> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            return Ok(Some(end + 4));
        }
        if buffer.len() > MAX_HEAD || stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(fails: u64) -> App {
        App { version: "7".to_owned(), fails, ending: watch::channel(false).1 }
    }

    fn status(app: &App, head: &str, number: u64) -> String {
        String::from_utf8_lossy(&app.answer(head.as_bytes(), number).0).chars().skip(9).take(3).collect()
    }

    #[test]
    fn it_fails_as_many_requests_as_it_is_told_to() {
        let failed = |fails| (0..10_000).filter(|n| status(&app(fails), "GET / HTTP/1.1\r\n\r\n", *n) == "500").count();
        assert_eq!((failed(0), failed(100)), (0, 10_000));
        assert!((2200..2800).contains(&failed(25)), "{}", failed(25));
    }

    #[test]
    fn it_is_healthy_even_when_it_fails_and_refuses_what_it_does_not_understand() {
        let app = app(100);
        assert_eq!(status(&app, "GET /healthz HTTP/1.1\r\n\r\n", 1), "200");
        assert_eq!(status(&app, "GET /else HTTP/1.1\r\n\r\n", 1), "404");
        let (answer, close) = app.answer(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", 1);
        assert!(answer.starts_with(b"HTTP/1.1 413") && close);
    }
}
