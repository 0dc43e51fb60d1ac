//! An upgraded connection: bytes go both ways, unread, until both ends have ended or nothing moves for long.
use crate::connection::Client;
use crate::counters::{Block, add, bump};
use crate::wire::{Fill, HEADROOM, Lost, Side};
use crate::worker::Worker;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Counts a tunnel as open until it is dropped.
struct Open<'a>(&'a Block);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        bump(&self.0.tunnels[1]);
    }
}

/// One direction's state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Flows,
    /// The source ended; what is left is written, then the end is passed on.
    Ending,
    Over,
}

/// Runs a tunnel to its end.
pub(crate) async fn run<S>(worker: &Worker, client: &mut Client<S>, up: &mut Side<TcpStream>, block: &Block)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    bump(&block.tunnels[0]);
    let _open = Open(block);
    let mut ways = [Way::Flows; 2];
    client.limit(worker, worker.limits.get().tunnel);
    poll_fn(|cx| {
        let mut buf = worker.buf.borrow_mut();
        loop {
            if client.watch.is_late(cx) || ways == [Way::Over; 2] {
                return Poll::Ready(());
            }
            let there = step(&mut client.side, up, &mut ways[0], &block.bytes_in, cx, &mut buf);
            let back = step(up, &mut client.side, &mut ways[1], &block.bytes_out, cx, &mut buf);
            match (there, back) {
                (Poll::Ready(Err(Lost)), _) | (_, Poll::Ready(Err(Lost))) => return Poll::Ready(()),
                (Poll::Pending, Poll::Pending) => return Poll::Pending,
                (Poll::Ready(Ok(())), _) | (_, Poll::Ready(Ok(()))) => {
                    client.limit(worker, worker.limits.get().tunnel);
                }
            }
        }
    })
    .await;
}

/// Moves what can be moved in one direction; ready if something was.
fn step<A, B>(
    from: &mut Side<A>,
    to: &mut Side<B>,
    way: &mut Way,
    count: &AtomicU64,
    cx: &mut Context<'_>,
    buf: &mut [u8],
) -> Poll<Result<(), Lost>>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    if *way == Way::Over {
        return Poll::Pending;
    }
    if !to.output.is_empty() {
        ready!(to.poll_flush(cx))?;
    }
    if *way == Way::Ending {
        // an end that cannot be passed on has been noticed there already
        let _ = ready!(Pin::new(&mut to.io).poll_shutdown(cx));
        *way = Way::Over;
        return Poll::Ready(Ok(()));
    }
    match ready!(from.poll_fill(cx, buf, true))? {
        Fill::Bytes(end) => {
            add(count, (end - HEADROOM) as u64);
            to.send(cx, &buf[HEADROOM..end])?;
        }
        Fill::End => *way = Way::Ending,
    }
    Poll::Ready(Ok(()))
}
