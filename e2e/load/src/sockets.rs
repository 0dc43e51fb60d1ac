//! WebSockets that are kept open while a load runs: each sends a message every 200 ms and wants it echoed.

use crate::config::Config;
use crate::exchange::connect;
use crate::record::{Record, Socket};
use crate::websocket::{self, Frame, Role};
use crate::wire::{Broken, Wire};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

const EVERY: Duration = Duration::from_millis(200);
/// How long the peer has to answer our close frame.
const FAREWELL: Duration = Duration::from_secs(1);

/// Keeps one WebSocket open until `stop` turns true. One that is lost is counted and opened anew; one whose life is
/// over is ended by this side and followed by the next at once.
pub async fn keep_open(config: Config, number: u64, record: Arc<Mutex<Record>>, mut stop: watch::Receiver<bool>) {
    let count = |what| record.lock().unwrap_or_else(PoisonError::into_inner).socket(what);
    for attempt in 0.. {
        if *stop.borrow() {
            return;
        }
        match timeout(config.timeout, open(&config, number << 32 | attempt)).await {
            Ok(Ok(mut wire)) => {
                count(Socket::Opened);
                let life = config.websocket_life.map(|life| match attempt {
                    0 => life.mul_f64((number + 1) as f64 / config.websockets.max(1) as f64),
                    _ => life,
                });
                let over = life.map(|life| Instant::now() + life);
                match talk(&config, &mut wire, (number, over), &count, &mut stop).await {
                    End::Stopped => return,
                    End::Over => continue,
                    End::Lost { clean } => count(Socket::Lost { clean }),
                }
            }
            Ok(Err(_)) | Err(_) => count(Socket::Refused),
        }
        let _ = timeout(EVERY, stop.wait_for(|stopped| *stopped)).await;
    }
}

/// How a conversation ended.
enum End {
    Stopped,
    Over,
    Lost { clean: bool },
}

/// The opening handshake.
async fn open(config: &Config, number: u64) -> Result<Wire, Broken> {
    let mut wire = connect(config).await.map_err(|_| Broken::Ended)?;
    let key = websocket::key(number);
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {key}\r\n\r\n",
        config.websocket_path, config.host
    );
    wire.send(request.as_bytes()).await.map_err(Broken::Failed)?;
    let head = wire.response().await?;
    if head.status == 101 && head.fields.get("sec-websocket-accept") == Some(&websocket::accept(&key)) {
        Ok(wire)
    } else {
        Err(Broken::Malformed("the answer to a WebSocket's opening is not the one that RFC 6455 wants"))
    }
}

async fn talk(
    config: &Config,
    wire: &mut Wire,
    (number, over): (u64, Option<Instant>),
    count: &impl Fn(Socket),
    stop: &mut watch::Receiver<bool>,
) -> End {
    for message in 0u64.. {
        if over.is_some_and(|over| over <= Instant::now()) {
            farewell(wire).await;
            return End::Over;
        }
        let text = format!("socket {number} message {message}.");
        if wire.send(&websocket::encode(&Frame::Message(text.clone().into_bytes()), Role::Client)).await.is_err() {
            return End::Lost { clean: false };
        }
        let (next, echo_by) = (Instant::now() + EVERY, Instant::now() + config.timeout);
        let mut echoed = false;
        loop {
            let until = if echoed { next } else { echo_by };
            let came = tokio::select! {
                _ = stop.wait_for(|stopped| *stopped) => {
                    farewell(wire).await;
                    return End::Stopped;
                }
                came = timeout_at(until, websocket::begin(wire)) => came,
            };
            match came {
                Err(_) if echoed => break,
                Err(_) | Ok(Err(_)) => return End::Lost { clean: false },
                Ok(Ok(())) => {}
            }
            match timeout(config.timeout, websocket::read(wire)).await {
                Ok(Ok(Frame::Message(data))) if data.windows(text.len()).any(|w| w == text.as_bytes()) => {
                    count(Socket::Echoed);
                    echoed = true;
                }
                Ok(Ok(Frame::Message(_) | Frame::Pong)) => {}
                Ok(Ok(Frame::Ping(data))) => {
                    if wire.send(&websocket::encode_pong(&data, Role::Client)).await.is_err() {
                        return End::Lost { clean: false };
                    }
                }
                Ok(Ok(Frame::Close(_))) => return End::Lost { clean: true },
                Ok(Err(_)) | Err(_) => return End::Lost { clean: false },
            }
        }
    }
    End::Stopped
}

/// Ends the conversation as RFC 6455 §7 wants it. We are leaving: how the peer takes it changes nothing.
async fn farewell(wire: &mut Wire) {
    let _ = wire.send(&websocket::encode(&Frame::Close(Some(1000)), Role::Client)).await;
    let _ = timeout(FAREWELL, async {
        while let Ok(frame) = websocket::read(wire).await {
            if matches!(frame, Frame::Close(_)) {
                return;
            }
        }
    })
    .await;
}
