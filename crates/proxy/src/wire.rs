//! One side of an exchange: a connection with what could not be understood or written yet, and its deadline.
use crate::http::MAX_HEAD;
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Room before the bytes read, in which an edited head grows towards the front.
pub(crate) const HEADROOM: usize = 2 * MAX_HEAD;
/// How large a worker's read buffer is: the headroom, a head kept from before, and a read.
pub(crate) const BUFFER: usize = HEADROOM + MAX_HEAD + 64 * 1024;

/// The other end is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost;

/// What a read brought: bytes from HEADROOM to here, or the end of the stream.
pub(crate) enum Fill {
    Bytes(usize),
    End,
}

/// `input` and `output` are empty, and mostly unallocated, unless a message comes or goes in pieces.
pub(crate) struct Side<S> {
    pub(crate) io: S,
    pub(crate) input: Vec<u8>,
    pub(crate) output: Vec<u8>,
    /// How far `input` was looked through for the end of a head.
    pub(crate) scanned: usize,
    /// It has served a request before.
    pub(crate) reused: bool,
    /// When it was last put into a pool.
    pub(crate) idle_since: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Side<S> {
    pub(crate) fn new(io: S) -> Self {
        Side { io, input: Vec::new(), output: Vec::new(), scanned: 0, reused: false, idle_since: None }
    }

    /// Puts what is left over and, unless that is to be looked at first, newly read bytes at HEADROOM in `buf`.
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
        leftover_first: bool,
    ) -> Poll<Result<Fill, Lost>> {
        let at = HEADROOM + self.input.len();
        let mut n = 0;
        if !leftover_first || self.input.is_empty() {
            let mut room = ReadBuf::new(&mut buf[at..]);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut room)).map_err(|_| Lost)?;
            n = room.filled().len();
            if n == 0 {
                return Poll::Ready(Ok(Fill::End));
            }
        }
        buf[HEADROOM..at].copy_from_slice(&self.input);
        self.input.clear();
        Poll::Ready(Ok(Fill::Bytes(at + n)))
    }

    /// Looks whether the other end left while nothing is expected from it. What it says early is kept in `input`;
    /// nothing more is read then. Costs no system call while the connection is silent.
    pub(crate) fn poll_left(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Lost> {
        if !self.input.is_empty() {
            return Poll::Pending;
        }
        let mut room = ReadBuf::new(&mut buf[..MAX_HEAD]);
        match ready!(Pin::new(&mut self.io).poll_read(cx, &mut room)) {
            Ok(()) if !room.filled().is_empty() => {
                self.input.extend_from_slice(room.filled());
                self.scanned = 0;
                Poll::Pending
            }
            Ok(()) | Err(_) => Poll::Ready(Lost),
        }
    }

    /// Writes what goes now of `bytes`, which are not empty; says how much.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Lost>> {
        match ready!(Pin::new(&mut self.io).poll_write(cx, bytes)) {
            Ok(0) | Err(_) => Poll::Ready(Err(Lost)),
            Ok(n) => Poll::Ready(Ok(n)),
        }
    }

    /// Writes what goes now and keeps the rest for `poll_flush`.
    pub(crate) fn send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Result<(), Lost> {
        let mut rest = bytes;
        while self.output.is_empty() && !rest.is_empty() {
            match self.poll_write(cx, rest) {
                Poll::Ready(written) => rest = &rest[written?..],
                Poll::Pending => break,
            }
        }
        self.output.extend_from_slice(rest);
        Ok(())
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        let held = std::mem::take(&mut self.output);
        let mut written = 0;
        let done = loop {
            if written == held.len() {
                break Poll::Ready(Ok(()));
            }
            match self.poll_write(cx, &held[written..]) {
                Poll::Ready(Ok(n)) => written += n,
                Poll::Ready(Err(Lost)) => break Poll::Ready(Err(Lost)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.output = held;
        self.output.drain(..written);
        done
    }
}

impl Side<TcpStream> {
    /// An idle connection to an instance must be silent: bytes or an end make it useless. Costs no system call.
    pub(crate) fn is_silent(&self) -> bool {
        self.io.try_read(&mut [0]).is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock)
    }
}

/// A deadline that costs a store to move: a sweep, not a timer, finds the late ones.
#[derive(Debug)]
pub(crate) struct Watch {
    deadline: Cell<Instant>,
    late: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Watch {
    pub(crate) fn new(now: Instant, limit: Duration) -> Self {
        Watch { deadline: Cell::new(now + limit), late: Cell::new(false), waker: RefCell::new(None) }
    }

    pub(crate) fn set(&self, now: Instant, limit: Duration) {
        self.deadline.set(now + limit);
        self.late.set(false);
    }

    /// Says whether the deadline passed; if it does later, the task is woken.
    pub(crate) fn is_late(&self, cx: &mut Context<'_>) -> bool {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        self.late.get()
    }

    /// Wakes the task if its deadline passed since, or if `wake` says so.
    pub(crate) fn sweep(&self, now: Instant, wake: bool) {
        let late = self.deadline.get() < now && !self.late.replace(true);
        if (late || wake)
            && let Some(waker) = self.waker.borrow().as_ref()
        {
            waker.wake_by_ref();
        }
    }
}
