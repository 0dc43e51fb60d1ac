//! One connection of the backend.

use super::State;
use super::faults::Fault;
use crate::websocket::{self, Frame, Role};
use crate::wire::{Broken, RequestHead, Wire};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// What a target is answered.
struct Answer {
    status: u16,
    kind: &'static str,
    body: Vec<u8>,
}

impl Answer {
    fn json(status: u16, body: &serde_json::Value) -> Self {
        Answer { status, kind: "application/json", body: format!("{body}\n").into_bytes() }
    }

    fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Answer { status, kind: "text/plain; charset=utf-8", body: body.into() }
    }

    fn bytes(&self, close: bool) -> Vec<u8> {
        let connection = if close { "Connection: close\r\n" } else { "" };
        let head = format!(
            "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{connection}\r\n",
            self.status,
            reason(self.status),
            self.kind,
            self.body.len()
        );
        let mut out = head.into_bytes();
        out.extend_from_slice(&self.body);
        out
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        400 => "Bad Request",
        404 => "Not Found",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "As Asked",
    }
}

/// Counts one request or WebSocket as under way until it is dropped, so that it is counted out whatever happens.
struct UnderWay<'a>(&'a State, fn(&mut super::Counts) -> &mut u64);

impl<'a> UnderWay<'a> {
    fn new(state: &'a State, which: fn(&mut super::Counts) -> &mut u64) -> Self {
        *which(&mut state.counts()) += 1;
        UnderWay(state, which)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        *(self.1)(&mut self.0.counts()) -= 1;
    }
}

/// Serves one connection to its end.
pub(super) async fn connection(stream: TcpStream, state: Arc<State>) {
    // Only a latency is at stake, and a socket that refuses the option is dead and says so at the next read.
    let _ = stream.set_nodelay(true);
    let mut wire = Wire::new(stream);
    loop {
        tokio::select! {
            () = state.stopped() => return,
            begun = wire.begin() => if begun.is_err() {
                return;
            },
        }
        match one(&mut wire, &state).await {
            Ok(true) => {}
            Ok(false) => {
                // The client reads to the end; if it is gone already, there is nobody to tell.
                let _ = wire.finish().await;
                return;
            }
            Err(Broken::Malformed(why)) => {
                // The client may be gone; it is told if it is not.
                let _ = wire.send(&Answer::text(400, why).bytes(true)).await;
                return;
            }
            Err(Broken::Ended | Broken::Cut(_) | Broken::Failed(_)) => return,
        }
    }
}

/// One request; whether the connection goes on.
async fn one(wire: &mut Wire, state: &State) -> Result<bool, Broken> {
    let head = wire.request().await?;
    if head.fields.has("expect", "100-continue") {
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(Broken::Failed)?;
    }
    if matches!(path(&head), "/ws" | "/ws/echo") {
        return echo(wire, state, &head).await;
    }
    let body = wire.body(head.framing).await?;
    if let Some(answer) = about_itself(state, &head, &body) {
        wire.send(&answer.bytes(!head.keep_alive)).await.map_err(Broken::Failed)?;
        return Ok(head.keep_alive);
    }
    let number = {
        let mut counts = state.counts();
        counts.requests += 1;
        counts.posts += u64::from(head.method == "POST");
        counts.requests
    };
    let _under_way = UnderWay::new(state, |c| &mut c.in_flight);
    let (fault, delay) = {
        let faults = state.faults();
        (state.due().hit(&faults), faults.delay)
    };
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    if fault == Fault::Reset {
        state.counts().resets += 1;
        wire.reset_on_drop().map_err(Broken::Failed)?;
        return Err(Broken::Ended);
    }
    let answer = match fault {
        Fault::Fail => Answer::text(500, "a fault that was asked for\n"),
        Fault::None | Fault::Truncate | Fault::Reset => answer(state, &head, body, number).await,
    };
    let close = !head.keep_alive || *state.stopping.borrow();
    let bytes = answer.bytes(close);
    if fault == Fault::Truncate {
        state.counts().truncated += 1;
        wire.send(&bytes[..bytes.len() - answer.body.len().div_ceil(2)]).await.map_err(Broken::Failed)?;
        return Ok(false);
    }
    wire.send(&bytes).await.map_err(Broken::Failed)?;
    *state.counts().by_status.entry(answer.status).or_default() += 1;
    Ok(!close)
}

fn path(head: &RequestHead) -> &str {
    head.target.split('?').next().unwrap_or_default()
}

/// Questions about the backend itself, which faults do not touch.
fn about_itself(state: &State, head: &RequestHead, body: &[u8]) -> Option<Answer> {
    match (head.method.as_str(), path(head)) {
        (_, "/healthz" | "/readyz") if state.is_ready() => Some(Answer::text(200, "ready\n")),
        (_, "/healthz" | "/readyz") => Some(Answer::text(503, "not ready\n")),
        (_, "/counts") => Some(Answer::json(200, &state.counts().to_json())),
        ("POST", "/fault") => Some(match state.faults().change(body) {
            Ok(()) => Answer::text(200, "changed\n"),
            Err(why) => Answer::text(400, why),
        }),
        _ => None,
    }
}

async fn answer(state: &State, head: &RequestHead, body: Vec<u8>, number: u64) -> Answer {
    let me = || json!({"version": state.config.version, "hostname": state.config.hostname, "number": number});
    let path = path(head);
    if let Some(seconds) = if path == "/slow" { Some("1") } else { path.strip_prefix("/delay/") } {
        return match seconds.parse().ok().filter(|s| (0.0..=60.0).contains(s)) {
            Some(seconds) => {
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
                Answer::json(200, &me())
            }
            None => Answer::text(400, "the delay must be a number of seconds from 0 to 60\n"),
        };
    }
    if let Some(status) = path.strip_prefix("/status/") {
        return match status.parse().ok().filter(|s| (200..600).contains(s)) {
            Some(status) => Answer::text(status, if matches!(status, 204 | 304) { "" } else { "as asked\n" }),
            None => Answer::text(400, "the status must be a number from 200 to 599\n"),
        };
    }
    match (head.method.as_str(), path) {
        ("POST", _) => Answer::text(202, body),
        (_, "/") => Answer::json(200, &me()),
        _ => Answer::text(404, "there is no such page\n"),
    }
}

/// A WebSocket that echoes until either side ends it.
async fn echo(wire: &mut Wire, state: &State, head: &RequestHead) -> Result<bool, Broken> {
    let Some(key) = head.fields.get("sec-websocket-key").filter(|_| head.fields.has("upgrade", "websocket")) else {
        wire.send(&Answer::text(400, "this page speaks WebSocket only\n").bytes(true)).await.map_err(Broken::Failed)?;
        return Ok(false);
    };
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        websocket::accept(key)
    );
    wire.send(answer.as_bytes()).await.map_err(Broken::Failed)?;
    state.counts().ws_opened += 1;
    let _open = UnderWay::new(state, |c| &mut c.ws_open);
    loop {
        tokio::select! {
            () = state.stopped() => {
                let going = websocket::encode(&Frame::Close(Some(1001)), Role::Server);
                wire.send(&going).await.map_err(Broken::Failed)?;
                return Ok(false);
            }
            begun = websocket::begin(wire) => begun?,
        }
        let reply = match websocket::read(wire).await? {
            Frame::Message(data) => {
                state.counts().ws_messages += 1;
                websocket::encode(&Frame::Message(data), Role::Server)
            }
            Frame::Ping(data) => websocket::encode_pong(&data, Role::Server),
            Frame::Pong => continue,
            Frame::Close(code) => {
                let farewell = websocket::encode(&Frame::Close(code), Role::Server);
                wire.send(&farewell).await.map_err(Broken::Failed)?;
                return Ok(false);
            }
        };
        wire.send(&reply).await.map_err(Broken::Failed)?;
    }
}
