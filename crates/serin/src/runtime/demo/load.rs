//! The people who use the service: requests at a constant rate, each sent once, whatever the answers do (an open loop:
//! a service that slows down is not asked less). What came of each is counted by who answered it.
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// A person gives up after this.
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection that was idle for longer is not used again: the other side may be closing it.
const FRESH: Duration = Duration::from_secs(10);
/// The most requests at a time.
const MOST: u64 = 1000;
const MAX_ANSWER: usize = 64 * 1024;

/// What came of the requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Whose time came.
    pub due: u64,
    /// Sent, or tried to.
    pub sent: u64,
    /// Still without an answer.
    pub open: u64,
    /// By version: right answers, and failures that the version itself answered.
    pub versions: BTreeMap<String, Answers>,
    /// Requests that no version answered, by what happened to them.
    pub lost: BTreeMap<String, u64>,
}

/// What one version answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Answers {
    pub good: u64,
    pub bad: u64,
}

impl Counts {
    /// Whole answers of any version.
    pub(super) fn answered(&self) -> u64 {
        self.versions.values().map(|answers| answers.good + answers.bad).sum()
    }

    /// Failures that a version itself answered.
    pub(super) fn bad(&self) -> u64 {
        self.versions.values().map(|answers| answers.bad).sum()
    }

    /// Requests that no version answered.
    pub(super) fn lost(&self) -> u64 {
        self.lost.values().sum()
    }

    /// What `version` answered.
    pub(super) fn of(&self, version: &str) -> Answers {
        self.versions.get(version).copied().unwrap_or_default()
    }
}

#[derive(Default)]
struct Shared {
    counts: Mutex<Counts>,
    idle: Mutex<Vec<(TcpStream, Instant)>>,
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half done by a panic here: counters and a list.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A load that goes on until it is stopped or dropped.
pub(super) struct Load {
    shared: Arc<Shared>,
    pacer: JoinHandle<()>,
}

impl Drop for Load {
    fn drop(&mut self) {
        self.pacer.abort();
    }
}

impl Load {
    /// `rate` requests per second to `address` from now on.
    pub(super) fn start(address: SocketAddr, rate: u32) -> Load {
        let shared = Arc::new(Shared::default());
        Load { pacer: tokio::spawn(pace(shared.clone(), address, rate)), shared }
    }

    pub(super) fn counts(&self) -> Counts {
        hold(&self.shared.counts).clone()
    }

    /// No further request; waits for the open ones.
    pub(super) async fn stop(&self) -> Counts {
        self.pacer.abort();
        let begin = Instant::now();
        while self.counts().open > 0 && begin.elapsed() < 2 * PATIENCE {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.counts()
    }
}

async fn pace(shared: Arc<Shared>, address: SocketAddr, rate: u32) {
    let begin = Instant::now();
    for number in 1_u64.. {
        let due = begin + Duration::from_secs(number) / rate;
        tokio::time::sleep_until(due.into()).await;
        let mut counts = hold(&shared.counts);
        counts.due += 1;
        if counts.open >= MOST {
            continue;
        }
        counts.sent += 1;
        counts.open += 1;
        drop(counts);
        let shared = shared.clone();
        tokio::spawn(async move {
            let outcome = tokio::time::timeout(PATIENCE, request(&shared, address)).await;
            hold(&shared.counts).count(outcome.unwrap_or_else(|_| Err("no answer in 10 s".to_owned())));
        });
    }
}

impl Counts {
    fn count(&mut self, outcome: Result<Answer, String>) {
        self.open -= 1;
        match outcome {
            Ok(Answer { version: Some(version), status, .. }) => {
                let answers = self.versions.entry(version).or_default();
                if status == 200 { answers.good += 1 } else { answers.bad += 1 }
            }
            Ok(Answer { version: None, status, .. }) => *self.lost.entry(format!("status {status}")).or_default() += 1,
            Err(what) => *self.lost.entry(what).or_default() += 1,
        }
    }
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    /// Which version says that it answered; `None` where none of them did.
    version: Option<String>,
    size: usize,
    close: bool,
}

/// One request, sent once.
async fn request(shared: &Shared, address: SocketAddr) -> Result<Answer, String> {
    let idle = {
        let mut idle = hold(&shared.idle);
        idle.retain(|(_, since)| since.elapsed() < FRESH);
        idle.pop()
    };
    let said = |error: io::Error| error.kind().to_string();
    let mut stream = match idle {
        Some((stream, _)) => stream,
        None => TcpStream::connect(address).await.map_err(said)?,
    };
    let head = format!("GET / HTTP/1.1\r\nhost: {address}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.map_err(said)?;
    let mut buffer = Vec::with_capacity(512);
    let answer = loop {
        if stream.read_buf(&mut buffer).await.map_err(said)? == 0 {
            return Err("closed without a whole answer".to_owned());
        }
        if let Some(answer) = parse(&buffer)? {
            break answer;
        }
        if buffer.len() > MAX_ANSWER {
            return Err("no end of an answer".to_owned());
        }
    };
    if !answer.close && buffer.len() == answer.size {
        hold(&shared.idle).push((stream, Instant::now()));
    }
    Ok(answer)
}

/// The answer in `buffer`; `None` while it is not whole.
///
/// # Errors
/// It is no answer of the program, nor of a proxy before it.
fn parse(buffer: &[u8]) -> Result<Option<Answer>, String> {
    let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&buffer[..end]);
    let field = |name: &str| {
        let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let wrong = || "an answer that is none".to_owned();
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
    let length: usize = field("content-length").and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
    let size = end + 4 + length;
    let Some(body) = buffer.get(end + 4..size) else { return Ok(None) };
    let version = field("x-version").map(str::to_owned);
    // A right answer says in its body what it says in its head.
    let right =
        version.as_ref().is_none_or(|v| status != 200 || body == format!("hello from version {v}\n").as_bytes());
    if !right {
        return Err("a wrong answer".to_owned());
    }
    let close = field("connection").is_some_and(|text| text.eq_ignore_ascii_case("close"));
    Ok(Some(Answer { status, version, size, close }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_for_the_version_that_gave_it() {
        let mut counts = Counts { open: 4, ..Counts::default() };
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\nX-Version: 2\r\n\r\nhello from version 2\n";
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), Ok(None), "{end}");
        }
        counts.count(parse(whole).map(Option::unwrap));
        counts.count(parse(b"HTTP/1.1 500 X\r\nx-version: 2\r\ncontent-length: 0\r\n\r\n").map(Option::unwrap));
        counts.count(parse(b"HTTP/1.1 503 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").map(Option::unwrap));
        counts.count(Err(parse(b"HTTP/1.1 200 OK\r\nx-version: 2\r\ncontent-length: 0\r\n\r\n").unwrap_err()));
        assert_eq!(counts.of("2"), Answers { good: 1, bad: 1 });
        assert_eq!((counts.answered(), counts.bad(), counts.lost(), counts.open), (2, 1, 2, 0));
    }
}
