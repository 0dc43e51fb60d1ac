//! For tests: a server that answers HTTP/1.1 as it is told, on loopback.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is sent: pieces, with a pause in milliseconds before each. The connection is closed after the last one, unless the
/// pieces end with [`HANG`].
pub(crate) type Said = Vec<(u64, String)>;

/// A piece that never comes.
pub(crate) const HANG: &str = "hang";

pub(crate) struct Fake {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    /// Answers each request's head and body with what `answer` makes of it; `None` is no answer, and no end.
    pub async fn start(answer: impl Fn(&str) -> Option<Said> + Send + Sync + 'static) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let (asked, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let log = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                tokio::spawn(async move { serve(stream, &log, &*answer).await });
            }
        });
        Fake { address, asked, task }
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panicked").clone()
    }

    /// A whole answer.
    pub fn answer(code: u16, body: &str) -> Said {
        let length = body.len();
        let head = format!("HTTP/1.1 {code} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n");
        vec![(0, format!("{head}connection: close\r\n\r\n{body}"))]
    }

    /// An answer whose body comes in these pieces, and then ends.
    pub fn stream(pieces: &[(u64, &str)]) -> Said {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n".to_owned();
        let pieces = pieces.iter().map(|(pause, piece)| (*pause, (*piece).to_owned()));
        std::iter::once((0, head)).chain(pieces).collect()
    }
}

async fn serve(mut stream: TcpStream, log: &Mutex<Vec<String>>, answer: &(impl Fn(&str) -> Option<Said> + ?Sized)) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while !is_whole(&request) {
        match stream.read(&mut piece).await {
            Ok(count) if count > 0 => request.extend_from_slice(&piece[..count]),
            _ => return,
        }
        if request.first().is_some_and(|byte| !byte.is_ascii_uppercase()) {
            // This is no HTTP, and such as a server that speaks nothing else answers so.
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            return;
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let said = answer(&text);
    log.lock().expect("nobody panicked").push(text);
    let Some(said) = said else { return std::future::pending().await };
    for (pause, piece) in said {
        tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        if piece == HANG {
            return std::future::pending().await;
        }
        if stream.write_all(piece.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}
