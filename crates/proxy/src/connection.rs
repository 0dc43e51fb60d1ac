//! A client's connection: one request after another, and an end that the client can read.
use crate::attempt;
use crate::counters::bump;
use crate::http::{self, Scan};
use crate::wire::{Fill, HEADROOM, Lost, Side, Watch};
use crate::worker::{Aim, Worker, hop};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A client and what its current request needs. Nothing of it is allocated per request.
pub(crate) struct Client<S> {
    pub(crate) side: Side<S>,
    peer: String,
    trusted: bool,
    pub(crate) aim: Aim,
    pub(crate) watch: Rc<Watch>,
    /// The request as sent upstream: the edited head and the body bytes that came with it.
    pub(crate) first: Vec<u8>,
    /// A request head has begun.
    begun: bool,
}

/// How an exchange, or the wait for a request, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The client got a whole response; `close`: its connection is not used again.
    Done { close: bool },
    /// The client gets an answer of the proxy's own, and the connection closes.
    Refused(u16, &'static str),
    /// Nothing more can be said to the client: it left, or its response was cut off, or a tunnel ended.
    Gone,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn new(worker: &Worker, side: Side<S>, peer: String, trusted: bool, aim: Aim) -> Client<S> {
        let watch = worker.watch(worker.limits.get().idle);
        Client { side, peer, trusted, aim, watch, first: Vec::new(), begun: false }
    }

    pub(crate) fn limit(&self, worker: &Worker, limit: Duration) {
        self.watch.set(worker.now.get(), limit);
    }

    /// Reads the next request head; what goes upstream first is then in `first`.
    fn poll_request(&mut self, cx: &mut Context<'_>, worker: &Worker) -> Poll<Result<http::Request, End>> {
        let late = self.watch.is_late(cx);
        if !self.side.output.is_empty() && !late {
            ready!(self.side.poll_flush(cx)).map_err(|Lost| End::Gone)?;
        }
        let mut buf = worker.buf.borrow_mut();
        let mut leftover_first = !self.begun;
        loop {
            if late {
                let slow = End::Refused(408, "The request head took too long.");
                return Poll::Ready(Err(if self.side.input.is_empty() { End::Done { close: true } } else { slow }));
            }
            let end = match self.side.poll_fill(cx, &mut buf, leftover_first) {
                Poll::Ready(Ok(Fill::Bytes(end))) => end,
                Poll::Pending if !(worker.idle_ends() && self.side.input.is_empty()) => return Poll::Pending,
                // the client ended, or we do and it is idle
                Poll::Pending | Poll::Ready(Ok(Fill::End) | Err(Lost)) => {
                    return Poll::Ready(Err(End::Done { close: true }));
                }
            };
            leftover_first = false;
            let data = &buf[HEADROOM..end];
            if self.begun
                && let Scan::Partial(at) = http::scan(data, self.side.scanned)
            {
                self.keep(data, at);
                continue;
            }
            if let Some(request) = self.parse(data)? {
                return Poll::Ready(Ok(request));
            }
            if !self.begun {
                self.begun = true;
                self.limit(worker, worker.limits.get().head);
            }
            self.keep(data, 0);
        }
    }

    fn keep(&mut self, data: &[u8], scanned: usize) {
        self.side.input.extend_from_slice(data);
        self.side.scanned = scanned;
    }

    fn parse(&mut self, data: &[u8]) -> Result<Option<http::Request>, End> {
        let refuse = |refusal: http::Refusal| End::Refused(refusal.0, why(refusal.0));
        self.first.clear();
        let Some(mut request) = http::request(data, hop(&self.peer, self.trusted), &mut self.first).map_err(refuse)?
        else {
            return Ok(None);
        };
        let rest = &data[request.head..];
        let n = request.body.advance(rest).map_err(refuse)?;
        self.first.extend_from_slice(&rest[..n]);
        self.side.input.extend_from_slice(&rest[n..]);
        self.begun = false;
        self.side.scanned = 0;
        Ok(Some(request))
    }

    fn refuse(&mut self, status: u16, why: &str) {
        let reason = match status {
            400 => "Bad Request",
            408 => "Request Timeout",
            431 => "Request Header Fields Too Large",
            501 => "Not Implemented",
            502 => "Bad Gateway",
            503 => "Service Unavailable",
            504 => "Gateway Timeout",
            _ => "Refused",
        };
        let again = if status == 503 { "Retry-After: 1\r\n" } else { "" };
        let text = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{again}Connection: close\r\n\r\n{why}\n",
            why.len() + 1
        );
        self.side.output.extend_from_slice(text.as_bytes());
    }

    /// Sends what is left, as long as the client takes it, and closes so that the client can read it: our end first,
    /// then a short wait for its.
    async fn close(mut self, worker: &Worker) {
        let limits = worker.limits.get();
        let mut left = usize::MAX;
        let flushed = poll_fn(|cx| {
            if self.side.output.len() < left {
                left = self.side.output.len();
                self.limit(worker, limits.body);
            }
            if self.watch.is_late(cx) { Poll::Ready(Err(Lost)) } else { self.side.poll_flush(cx) }
        });
        if flushed.await.is_err() {
            return;
        }
        let finish = async {
            self.side.io.shutdown().await?;
            while self.side.io.read(&mut [0; 4096]).await? > 0 {}
            Ok::<_, std::io::Error>(())
        };
        // whether the client read it all is not known either way
        let _ = tokio::time::timeout(limits.linger, finish).await;
    }
}

fn why(status: u16) -> &'static str {
    match status {
        431 => "The request head is larger than 16 KB, or has more than 64 fields.",
        501 => "This method or transfer coding is not supported.",
        _ => "The request is not valid HTTP/1.1.",
    }
}

/// Serves a client until it leaves or is told to.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(worker: &Worker, mut client: Client<S>) {
    loop {
        client.limit(worker, worker.limits.get().idle);
        let end = match poll_fn(|cx| client.poll_request(cx, worker)).await {
            Ok(request) => {
                bump(&worker.front().requests);
                attempt::exchange(worker, &mut client, request).await
            }
            Err(end) => end,
        };
        match end {
            End::Done { close: false } => {}
            End::Done { close: true } => return client.close(worker).await,
            End::Refused(status, why) => {
                worker.front().refuse(status);
                client.refuse(status, why);
                return client.close(worker).await;
            }
            End::Gone => return,
        }
    }
}
