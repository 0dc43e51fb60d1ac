//! One request and its response on one connection; never sent twice.

use crate::config::{Config, Source};
use crate::outcome::Outcome;
use crate::pacer::Kind;
use crate::wire::{Broken, Wire};
use std::io::ErrorKind;
use tokio::net::TcpStream;

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How it ended.
    pub outcome: Outcome,
    /// The revision that answered, where the response names it.
    pub revision: Option<String>,
    /// The instance that answered, where the response names it.
    pub instance: Option<String>,
}

impl Ended {
    /// An end without a response.
    pub fn without(outcome: Outcome) -> Self {
        Ended { outcome, revision: None, instance: None }
    }
}

/// Connects.
///
/// # Errors
/// The outcome of the request that the connection was for.
pub async fn connect(config: &Config) -> Result<Wire, Outcome> {
    let stream = TcpStream::connect(config.address).await.map_err(|e| {
        if e.kind() == ErrorKind::ConnectionRefused {
            Outcome::Refused
        } else if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted) {
            Outcome::Reset
        } else {
            Outcome::Unable
        }
    })?;
    // Only a latency is at stake, and a socket that refuses the option is dead and says so at the next write.
    let _ = stream.set_nodelay(true);
    Ok(Wire::new(stream))
}

/// Sends request `number` on `wire` and reads its response. The second value: the connection may be used again.
pub async fn exchange(config: &Config, wire: &mut Wire, kind: Kind, number: u64, reused: bool) -> (Ended, bool) {
    let sent = body(config, kind, number);
    let reset = if reused { Outcome::ResetReused } else { Outcome::Reset };
    // A server may answer early and stop reading; what it said is read although the request did not go out whole.
    let whole = wire.send(&message(config, kind, number, sent.as_deref())).await.is_ok();
    let head = match wire.response().await {
        Ok(head) => head,
        Err(Broken::Ended | Broken::Failed(_)) => return (Ended::without(reset), false),
        Err(Broken::Cut(_)) => return (Ended::without(Outcome::Truncated), false),
        Err(Broken::Malformed(_)) => return (Ended::without(Outcome::Malformed), false),
    };
    let got = wire.body(head.framing).await;
    let json = got.as_ref().ok().and_then(|b| serde_json::from_slice::<serde_json::Value>(b).ok());
    let find = |source: &Option<Source>| match source {
        Some(Source::Header(name)) => head.fields.get(name).map(str::to_owned),
        Some(Source::Json(name)) => json.as_ref()?.get(name)?.as_str().map(str::to_owned),
        None => None,
    };
    let (revision, instance) = (find(&config.revision), find(&config.instance));
    let outcome = match got {
        Ok(got) if is_right(config, kind, head.status, &got, sent.as_deref(), revision.is_some()) => {
            Outcome::Answered(head.status)
        }
        Ok(_) => Outcome::WrongBody(head.status),
        Err(Broken::Malformed(_)) => Outcome::Malformed,
        Err(Broken::Ended | Broken::Failed(_) | Broken::Cut(_)) => Outcome::Truncated,
    };
    let usable = head.keep_alive && whole && matches!(outcome, Outcome::Answered(_) | Outcome::WrongBody(_));
    (Ended { outcome, revision, instance }, usable)
}

/// Only a success promises a body: an error page may say anything.
fn is_right(config: &Config, kind: Kind, status: u16, got: &[u8], sent: Option<&[u8]>, named: bool) -> bool {
    if !(200..300).contains(&status) {
        return true;
    }
    match (kind, sent) {
        (Kind::Get, _) => named || !matches!(config.revision, Some(Source::Json(_))),
        (Kind::Post, Some(sent)) => !config.post_echoes || got.windows(sent.len()).any(|w| w == sent),
        (Kind::Post | Kind::Slow, _) => true,
    }
}

/// The body of a POST: letters only, so that it survives being quoted, and another one for each request.
fn body(config: &Config, kind: Kind, number: u64) -> Option<Vec<u8>> {
    match kind {
        Kind::Post => {
            let mut body = format!("request {number} ").into_bytes();
            body.resize(config.post_bytes.max(body.len()), b'x');
            Some(body)
        }
        Kind::Get | Kind::Slow => None,
    }
}

fn message(config: &Config, kind: Kind, number: u64, body: Option<&[u8]>) -> Vec<u8> {
    let (method, target) = match kind {
        Kind::Get => ("GET", &config.path),
        Kind::Post => ("POST", &config.post_path),
        Kind::Slow => ("GET", &config.slow_path),
    };
    let mut out = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nX-Request-Id: load-{number}\r\n", config.host);
    if let Some(body) = body {
        out.push_str(&format!("Content-Type: text/plain\r\nContent-Length: {}\r\n", body.len()));
    }
    out.push_str("\r\n");
    let mut out = out.into_bytes();
    out.extend_from_slice(body.unwrap_or_default());
    out
}
