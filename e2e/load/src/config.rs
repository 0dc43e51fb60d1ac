//! What a load is.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where a response says by whom it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In the response field of this name.
    Header(String),
    /// In the member of this name of the JSON object that is the body.
    Json(String),
}

/// A load: what to send where, how fast, for how long.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address to connect to.
    pub address: SocketAddr,
    /// The value of the Host field; the address where nothing else is said.
    pub host: String,
    /// Requests a second, all kinds together, WebSockets not counted.
    pub rate: f64,
    /// How long to send; `None` until told to stop.
    pub duration: Option<Duration>,
    /// The target of an ordinary GET.
    pub path: String,
    /// The target of a POST.
    pub post_path: String,
    /// The share (0..=1) of requests that are POSTs with a body.
    pub post_share: f64,
    /// The size of a POST's body in bytes.
    pub post_bytes: usize,
    /// Whether the answer to a POST must contain the body that was sent.
    pub post_echoes: bool,
    /// The target of a request that takes its time.
    pub slow_path: String,
    /// The share (0..=1) of requests that are slow ones.
    pub slow_share: f64,
    /// The number of WebSockets that are kept open all the time.
    pub websockets: usize,
    /// How long a WebSocket is kept before this side ends it and opens the next; `None`: as long as the load runs.
    /// The first ones end staggered, so that there is always one at each age.
    pub websocket_life: Option<Duration>,
    /// The target of a WebSocket that echoes what it is sent.
    pub websocket_path: String,
    /// The most connections open at a time, WebSockets not counted.
    pub connections: usize,
    /// The longest wait for a whole response, counted from the intended start. A request for which no connection
    /// comes free within half of it is not sent at all, and counted so: what is left would not be a fair try.
    pub timeout: Duration,
    /// Where a response names the revision that made it. With a JSON source an ordinary GET that is answered 2xx
    /// without it has a wrong body.
    pub revision: Option<Source>,
    /// Where a response names the instance that made it.
    pub instance: Option<Source>,
    /// A file to which one line of JSON is written for each 100 ms.
    pub timeline: Option<PathBuf>,
    /// Decides which request is of which kind; the same seed gives the same order.
    pub seed: u64,
}

impl Config {
    /// A load of `rate` requests a second on `address`, with what podinfo answers to: revision and instance in the
    /// JSON members `version` and `hostname`, echoes at `/echo` and `/ws/echo`, one second at `/delay/1`.
    pub fn new(address: SocketAddr, rate: f64) -> Self {
        Config {
            address,
            host: address.to_string(),
            rate,
            duration: None,
            path: "/".to_owned(),
            post_path: "/echo".to_owned(),
            post_share: 0.05,
            post_bytes: 512,
            post_echoes: true,
            slow_path: "/delay/1".to_owned(),
            slow_share: 0.02,
            websockets: 0,
            websocket_life: None,
            websocket_path: "/ws/echo".to_owned(),
            connections: 256,
            timeout: Duration::from_secs(10),
            revision: Some(Source::Json("version".to_owned())),
            instance: Some(Source::Json("hostname".to_owned())),
            timeline: None,
            seed: 1,
        }
    }
}
