//! One attempt to have a request answered by one connection: bytes move both ways through the worker's buffer.
use crate::connection::Client;
use crate::counters::{add, bump};
use crate::http::{self, Body, Scan};
use crate::route::Endpoint;
use crate::wire::{Fill, HEADROOM, Lost, Side};
use crate::worker::Worker;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

pub(crate) struct Exchange<'a, S> {
    pub(crate) worker: &'a Worker,
    pub(crate) client: &'a mut Client<S>,
    pub(crate) up: &'a mut Side<TcpStream>,
    endpoint: &'a Endpoint,
    /// The version that the endpoint was picked by.
    version: u64,
    pub(crate) request: http::Request,
    pub(crate) response: Option<http::Response>,
    /// Some of the request may have reached the instance.
    pub(crate) sent: bool,
    /// The instance has said something, an interim response perhaps.
    heard: bool,
    close: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A whole response. `clean`: the upstream connection may serve again. `close`: the client's may not.
    Done { clean: bool, close: bool },
    /// A 101 that was asked for was passed on.
    Tunnel,
    /// The table changed before anything was sent.
    Withdrawn,
    /// The connection was lost before the first byte of a response.
    Silent,
    /// The instance answered wrongly, or not in time, and the client has got nothing: this status is for it.
    Failed(u16, &'static str),
    /// The client did not go on sending in time, or sent what is no body: this status is for it.
    Stalled(u16, &'static str),
    /// The instance's connection was lost within a response.
    Cut,
    /// The client is gone, or does not read.
    ClientLost,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Exchange<'a, S> {
    pub(crate) fn new(
        worker: &'a Worker,
        client: &'a mut Client<S>,
        up: &'a mut Side<TcpStream>,
        endpoint: &'a Endpoint,
        version: u64,
        request: http::Request,
    ) -> Self {
        let (sent, heard, close) = (false, false, !request.keep_alive);
        Exchange { worker, client, up, endpoint, version, request, response: None, sent, heard, close }
    }

    /// Moves bytes both ways until the exchange ends or nothing moves.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let worker = self.worker;
        let mut buf = worker.buf.borrow_mut();
        loop {
            if self.client.watch.is_late(cx) {
                return Poll::Ready(self.late());
            }
            match (self.poll_up(cx, &mut buf), self.poll_down(cx, &mut buf)) {
                // an answer that is already there counts more than a request that could not be written
                (_, Err(end)) | (Err(end), Ok(Poll::Pending)) => return Poll::Ready(end),
                (Ok(Poll::Pending), Ok(Poll::Pending)) => {
                    let left = self.request.body.is_done() && self.client.side.poll_left(cx, &mut buf).is_ready();
                    return if left { Poll::Ready(Outcome::ClientLost) } else { Poll::Pending };
                }
                (Ok(_) | Err(_), Ok(_)) => {}
            }
        }
    }

    /// Who is to blame for the silence.
    fn late(&self) -> Outcome {
        let client_reads = self.client.side.output.is_empty();
        let client_sends = self.request.body.is_done() || !self.up.output.is_empty();
        match self.response {
            Some(_) if client_reads => Outcome::Cut,
            Some(_) => Outcome::ClientLost,
            None if !client_sends => Outcome::Stalled(408, "The request body took too long."),
            None => Outcome::Failed(504, "The instance did not answer in time."),
        }
    }

    /// Writes the first bytes of the request, unless the table has changed since the endpoint was picked. The look at
    /// the version and the write are in one poll, so that nothing is sent by a table that was replaced.
    fn begin(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Outcome> {
        if self.worker.version.get() != self.version {
            return Err(Outcome::Withdrawn);
        }
        let first = &self.client.first;
        let written = match self.up.poll_write(cx, first) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(written) => written.map_err(|Lost| Outcome::Silent)?,
        };
        self.sent = true;
        self.up.send(cx, &first[written..]).map_err(|Lost| Outcome::Silent)?;
        let block = &self.endpoint.block;
        add(&block.bytes_in, first.len() as u64);
        if self.endpoint.is_withdrawn() {
            bump(&block.started_after_ack);
        }
        Ok(Poll::Ready(()))
    }

    /// The request, client to upstream.
    fn poll_up(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Result<Poll<()>, Outcome> {
        if !self.sent && self.begin(cx)?.is_pending() {
            return Ok(Poll::Pending);
        }
        if !self.up.output.is_empty() {
            let flushed = self.up.poll_flush(cx).map_err(|Lost| self.upstream_lost())?;
            if flushed.is_pending() {
                return Ok(Poll::Pending);
            }
        }
        if self.request.body.is_done() {
            return Ok(Poll::Pending);
        }
        let end = match self.client.side.poll_fill(cx, buf, true) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(Ok(Fill::Bytes(end))) => end,
            Poll::Ready(Ok(Fill::End) | Err(Lost)) => return Err(Outcome::ClientLost),
        };
        self.client.limit(self.worker, self.worker.limits.get().body);
        let bad = Outcome::Stalled(400, "The request body is not framed as HTTP/1.1 says.");
        let n = self
            .request
            .body
            .advance(&buf[HEADROOM..end])
            .map_err(|_| if self.response.is_some() { Outcome::ClientLost } else { bad })?;
        if self.request.body.is_done() && self.response.is_none() {
            self.client.limit(self.worker, self.worker.limits.get().response);
        }
        self.client.side.input.extend_from_slice(&buf[HEADROOM + n..end]);
        self.up.send(cx, &buf[HEADROOM..HEADROOM + n]).map_err(|Lost| self.upstream_lost())?;
        add(&self.endpoint.block.bytes_in, n as u64);
        Ok(Poll::Ready(()))
    }

    /// The response, upstream to client.
    fn poll_down(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Result<Poll<()>, Outcome> {
        if !self.client.side.output.is_empty() {
            let flushed = self.client.side.poll_flush(cx).map_err(|Lost| Outcome::ClientLost)?;
            if flushed.is_ready() {
                self.client.limit(self.worker, self.worker.limits.get().body);
            }
            return Ok(flushed);
        }
        let before = self.up.input.len();
        let end = match self.up.poll_fill(cx, buf, false) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(Ok(Fill::Bytes(end))) => end,
            Poll::Ready(Ok(Fill::End)) if self.response.is_some_and(|r| r.body == Body::UntilClose) => {
                return Err(Outcome::Done { clean: false, close: true });
            }
            Poll::Ready(Ok(Fill::End) | Err(Lost)) => return Err(self.upstream_lost()),
        };
        self.heard = true;
        add(&self.endpoint.block.bytes_out, (end - HEADROOM - before) as u64);
        let (start, at) = match self.response {
            Some(_) => (HEADROOM, HEADROOM),
            None => match self.response_head(cx, buf, end)? {
                Some(found) => found,
                None => return Ok(Poll::Ready(())),
            },
        };
        self.client.limit(self.worker, self.worker.limits.get().body);
        let Some(response) = self.response.as_mut() else { return Ok(Poll::Ready(())) };
        if response.status == 101 {
            self.client.side.send(cx, &buf[start..end]).map_err(|Lost| Outcome::ClientLost)?;
            return Err(Outcome::Tunnel);
        }
        let n = response.body.advance(&buf[at..end]).map_err(|_| Outcome::Cut)?;
        let (done, only) = (response.body.is_done(), response.reusable && at + n == end);
        self.client.side.send(cx, &buf[start..at + n]).map_err(|Lost| Outcome::ClientLost)?;
        if !done {
            return Ok(Poll::Ready(()));
        }
        let asked = self.request.body.is_done() && self.up.output.is_empty();
        Err(Outcome::Done { clean: only && asked, close: self.close || !asked })
    }

    /// Parses up to the final response head, and says where its edited form and its body start. Interim heads go out.
    fn response_head(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
        end: usize,
    ) -> Result<Option<(usize, usize)>, Outcome> {
        let mut at = HEADROOM;
        let mut head = self.worker.head.borrow_mut();
        while at < end {
            if let Scan::Partial(scanned) = self.scan(&buf[at..end]) {
                self.up.input.extend_from_slice(&buf[at..end]);
                self.up.scanned = scanned;
                return Ok(None);
            }
            head.clear();
            let close = self.close || self.worker.is_stopping() || !self.request.body.is_done();
            let bad = Outcome::Failed(502, "The instance's response is not valid HTTP/1.1.");
            let Some(response) = http::response(&buf[at..end], &self.request, close, &mut head).map_err(|_| bad)?
            else {
                self.up.input.extend_from_slice(&buf[at..end]);
                self.up.scanned = 1; // looked at once: from now on only when it is complete
                return Ok(None);
            };
            self.up.scanned = 0;
            at += response.head;
            if response.status >= 200 || response.status == 101 {
                self.close |= close;
                self.response = Some(response);
                let start = at - head.len();
                buf[start..at].copy_from_slice(&head);
                return Ok(Some((start, at)));
            }
            if !self.request.http10 {
                self.client.side.send(cx, &head).map_err(|Lost| Outcome::ClientLost)?;
            }
        }
        Ok(None)
    }

    /// A head that came whole is parsed without looking for its end first; one that drips in is parsed when it is whole.
    fn scan(&self, data: &[u8]) -> Scan {
        if self.up.scanned == 0 { Scan::Ready } else { http::scan(data, self.up.scanned) }
    }

    fn upstream_lost(&self) -> Outcome {
        match self.response {
            Some(_) => Outcome::Cut,
            None if self.heard => Outcome::Failed(502, "The instance closed the connection within its answer."),
            None => Outcome::Silent,
        }
    }
}
