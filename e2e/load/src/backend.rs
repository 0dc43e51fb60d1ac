//! A small honest HTTP/1.1 service for tests, with faults that a test switches on and off, and counts of its own.
//!
//! | target | answer |
//! |---|---|
//! | `/` | 200, `{"version": …, "hostname": …, "number": …}` |
//! | `POST /echo` | 202 and the body that was sent |
//! | `/slow`, `/delay/SECONDS` | 200 after one second, after so many |
//! | `/status/CODE` | that status |
//! | `/ws`, `/ws/echo` | a WebSocket that echoes |
//! | `/healthz`, `/readyz` | 200 when ready, else 503; never counted |
//! | `/counts` | what it counted, as JSON; never counted |
//! | `POST /fault` | takes any of `fail_share`, `reset_share`, `truncate_share`, `delay_ms`, `ready`; never counted |

mod faults;
mod serve;

pub use faults::Faults;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How long a backend that was told to stop waits for what is under way.
const DRAIN: Duration = Duration::from_secs(10);

/// What a backend is.
#[derive(Debug, Clone)]
pub struct Config {
    /// The revision that it says it is.
    pub version: String,
    /// The instance that it says it is.
    pub hostname: String,
    /// What is wrong with it from the start.
    pub faults: Faults,
    /// How long after its start it says that it is ready.
    pub ready_after: Duration,
}

impl Config {
    /// A sound backend of this version, ready at once.
    pub fn new(version: &str) -> Self {
        let hostname = format!("{version}-{}", std::process::id());
        Config { version: version.to_owned(), hostname, faults: Faults::default(), ready_after: Duration::ZERO }
    }
}

/// What a backend counted. Requests to `/healthz`, `/readyz`, `/counts` and `/fault` are not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were accepted.
    pub connections: u64,
    /// Requests whose head was read, WebSockets not counted.
    pub requests: u64,
    /// Of these, POSTs.
    pub posts: u64,
    /// Responses that were written whole, by status.
    pub by_status: BTreeMap<u16, u64>,
    /// Responses that were cut short on purpose.
    pub truncated: u64,
    /// Requests whose connection was reset on purpose.
    pub resets: u64,
    /// Requests that are being worked on now.
    pub in_flight: u64,
    /// WebSockets that were opened.
    pub ws_opened: u64,
    /// WebSockets that are open now.
    pub ws_open: u64,
    /// Messages that were echoed.
    pub ws_messages: u64,
}

impl Counts {
    fn to_json(&self) -> Value {
        let by_status: BTreeMap<String, u64> = self.by_status.iter().map(|(s, n)| (s.to_string(), *n)).collect();
        json!({
            "connections": self.connections, "requests": self.requests, "posts": self.posts, "by_status": by_status,
            "truncated": self.truncated, "resets": self.resets, "in_flight": self.in_flight,
            "ws_opened": self.ws_opened, "ws_open": self.ws_open, "ws_messages": self.ws_messages,
        })
    }
}

/// What all connections of a backend share.
#[derive(Debug)]
struct State {
    config: Config,
    started: Instant,
    faults: Mutex<Faults>,
    due: Mutex<faults::Due>,
    counts: Mutex<Counts>,
    stopping: watch::Receiver<bool>,
}

impl State {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn due(&self) -> MutexGuard<'_, faults::Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the backend is told to stop, or its handle is dropped.
    async fn stopped(&self) {
        let _ = self.stopping.clone().wait_for(|stop| *stop).await;
    }

    fn is_ready(&self) -> bool {
        self.faults().ready && self.started.elapsed() >= self.config.ready_after && !*self.stopping.borrow()
    }
}

/// A backend that runs on the current runtime. When it is dropped, it stops.
#[derive(Debug)]
pub struct Backend {
    address: SocketAddr,
    state: Arc<State>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Backend {
    /// Binds `address` and serves. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(address: SocketAddr, config: Config) -> Result<Backend, std::io::Error> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (stop, stopping) = watch::channel(false);
        let faults = Mutex::new(config.faults.clone());
        let state = Arc::new(State {
            config,
            started: Instant::now(),
            faults,
            due: Mutex::default(),
            counts: Mutex::default(),
            stopping,
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&state)));
        Ok(Backend { address, state, stop, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it counted so far.
    pub fn counts(&self) -> Counts {
        self.state.counts().clone()
    }

    /// Changes what is wrong with it.
    pub fn set_faults(&self, faults: Faults) {
        *self.state.faults() = faults;
    }

    /// Accepts no more, finishes what is under way (for ten seconds at most) and says what it counted.
    pub async fn stop(self) -> Counts {
        // The task holds a receiver as long as it runs; without one there is nothing to stop.
        let _ = self.stop.send(true);
        // A connection that panicked is not this task's end.
        let _ = self.task.await;
        self.state.counts().clone()
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            () = state.stopped() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    state.counts().connections += 1;
                    open.spawn(serve::connection(stream, Arc::clone(&state)));
                }
                // Out of descriptors: those that are open will end.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = open.join_next() => {}
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN, async { while open.join_next().await.is_some() {} }).await;
}
