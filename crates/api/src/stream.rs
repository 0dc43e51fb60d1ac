//! Newline-delimited JSON as a response body: one value a line, and an empty line as a sign of life.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use serde::Serialize;
use tokio::sync::mpsc;

/// An empty line is sent when nothing else was for so long.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(5);
/// A follower takes the controller for gone when not even an empty line came for so long.
pub(crate) const SILENCE: Duration = Duration::from_secs(20);

/// The sending half: ends when the other side has gone.
pub(crate) struct Lines(mpsc::Sender<Bytes>);

/// The body that carries the lines.
pub(crate) struct LinesBody(mpsc::Receiver<Bytes>);

/// A pair of a sender and the body that it feeds. It holds few lines: a slow reader slows the sender.
pub(crate) fn lines() -> (Lines, LinesBody) {
    let (send, receive) = mpsc::channel(16);
    (Lines(send), LinesBody(receive))
}

impl Lines {
    /// Sends one value; false when nobody reads any more.
    pub(crate) async fn send<T: Serialize>(&self, value: &T) -> bool {
        match serde_json::to_vec(value) {
            Ok(mut line) => {
                line.push(b'\n');
                self.0.send(line.into()).await.is_ok()
            }
            Err(_) => false,
        }
    }
    /// Sends a sign of life; false when nobody reads any more.
    pub(crate) async fn beat(&self) -> bool {
        self.0.send(Bytes::from_static(b"\n")).await.is_ok()
    }
    /// Resolves when nobody reads any more.
    pub(crate) async fn closed(&self) {
        self.0.closed().await;
    }
}

impl Body for LinesBody {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|line| line.map(|l| Ok(Frame::data(l))))
    }
}
