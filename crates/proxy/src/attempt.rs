//! From a request to its answer: choose an instance, try, try again where that is safe, wait where nobody is there.
//!
//! What may be tried again: a request of which nothing was sent, whatever its method; and one that an instance took and
//! did not answer with a single byte, if it is idempotent and all of it is still here (RFC 9110 §9.2.2).
use crate::clock::boot_ms;
use crate::connection::{Client, End};
use crate::counters::bump;
use crate::exchange::{Exchange, Outcome};
use crate::http;
use crate::protocol::Track;
use crate::route::{Endpoint, Route, Tried};
use crate::tunnel;
use crate::wire::Side;
use crate::worker::{Aim, Worker};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A request is sent on at most so many new connections: one that kills its instance must not kill them all.
const FRESH_SENDS: u32 = 2;
/// How often one of the waiting requests tries to connect.
const PROBE: Duration = Duration::from_millis(50);
/// A request that may not be sent twice takes an idle connection only if it was used so recently.
const RECENT: Duration = Duration::from_secs(1);

/// Requests of a worker that wait for an instance.
#[derive(Default)]
pub(crate) struct Waiting {
    count: Cell<usize>,
    /// When the next of them may try to connect.
    next_probe: Cell<Option<Instant>>,
}

/// A request on its way.
struct Journey<'a> {
    request: http::Request,
    /// Idempotent, and all of it is in `first`.
    repeatable: bool,
    /// The version that `slot` was chosen by.
    version: u64,
    slot: usize,
    tried: Tried,
    /// An idle connection of this instance was dead: it is asked again over a new one.
    again: Option<Rc<Endpoint>>,
    fresh_only: bool,
    fresh_sends: u32,
    attempts: u32,
    /// It waits already: ejected instances are asked too.
    desperate: bool,
    diverted: bool,
    /// Its place among those that wait.
    held: Option<Held<'a>>,
    arrived: Instant,
}

/// What a look at the route found.
enum Pick {
    On(Rc<Route>, Rc<Endpoint>),
    /// Nobody can take it now.
    Nobody,
    /// No slot has the track.
    NoTrack(End),
}

/// What an attempt leads to.
enum Next {
    Ended(End),
    Again,
}

/// An attempt that is counted as started. It is counted as finished exactly once, whatever happens to its task.
struct Started<'a> {
    endpoint: &'a Endpoint,
    at: Instant,
    verdict: Verdict,
}

#[derive(Clone, Copy)]
enum Verdict {
    Answered(u16),
    /// With the status of the head that was passed on, if any.
    Failed(Option<u16>),
    Abandoned,
    Stale,
    Withdrawn,
}

impl<'a> Started<'a> {
    fn new(endpoint: &'a Endpoint, aim: Aim) -> Started<'a> {
        bump(&endpoint.block.started);
        if aim != Aim::Split {
            bump(&endpoint.block.direct);
        }
        Started { endpoint, at: Instant::now(), verdict: Verdict::Abandoned }
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        let block = &self.endpoint.block;
        match self.verdict {
            Verdict::Answered(status) => block.answered(status, self.at.elapsed()),
            Verdict::Failed(status) => {
                bump(&block.failed);
                block.answered(status.unwrap_or(0), self.at.elapsed());
            }
            Verdict::Abandoned => bump(&block.abandoned),
            Verdict::Stale => bump(&block.stale),
            Verdict::Withdrawn => bump(&block.withdrawn),
        }
        bump(&block.finished);
    }
}

/// Has a request answered, by whomever that takes.
pub(crate) async fn exchange<S>(worker: &Worker, client: &mut Client<S>, request: http::Request) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut journey = Journey {
        request,
        repeatable: request.idempotent && request.body.is_done(),
        version: 0,
        slot: 0,
        tried: Tried::default(),
        again: None,
        fresh_only: false,
        fresh_sends: 0,
        attempts: 0,
        desperate: false,
        diverted: false,
        held: None,
        arrived: worker.now.get(),
    };
    loop {
        let next = match journey.pick(worker, client.aim) {
            Pick::On(route, endpoint) => attempt(worker, client, &mut journey, &route, &endpoint).await,
            Pick::NoTrack(end) => return end,
            Pick::Nobody => match hold(worker, client, &mut journey).await {
                Ok(()) => Next::Again,
                Err(end) => return end,
            },
        };
        if let Next::Ended(end) = next {
            return end;
        }
    }
}

impl Journey<'_> {
    fn pick(&mut self, worker: &Worker, aim: Aim) -> Pick {
        let borrowed = worker.route.borrow();
        let Some(route) = borrowed.as_ref() else { return Pick::Nobody };
        let (turns, moment) = (&worker.turns, worker.moment());
        if self.version != route.table.version {
            let chosen = match aim {
                Aim::Split => route.choose(turns, moment),
                Aim::Only(track) => {
                    match route.slots.iter().position(|s| s.track == track && !s.endpoints.is_empty()) {
                        Some(slot) => Some(slot),
                        None => return Pick::NoTrack(End::Refused(503, no_track(track))),
                    }
                }
            };
            let Some(slot) = chosen else { return Pick::Nobody };
            (self.version, self.slot, self.diverted) = (route.table.version, slot, false);
            self.again = None;
            self.tried.clear();
            if aim == Aim::Split {
                bump(&route.slots[slot].counts.chosen);
            }
        }
        if let Some(endpoint) = self.again.take() {
            return Pick::On(route.clone(), endpoint);
        }
        let other = || if aim == Aim::Split { route.other(self.slot, turns, moment, &self.tried) } else { None };
        let first = if route.is_broken(self.slot, moment) { other() } else { None };
        let own = || route.candidate(self.slot, turns, moment, &self.tried, self.desperate);
        let Some(endpoint) = first.or_else(own).or_else(other) else { return Pick::Nobody };
        if endpoint.slot != self.slot && !self.diverted {
            self.diverted = true;
            bump(&route.slots[self.slot].counts.diverted);
            worker.front().divert(self.slot, boot_ms());
        }
        Pick::On(route.clone(), endpoint)
    }
}

fn no_track(track: Track) -> &'static str {
    match track {
        Track::Stable => "This address serves the stable track only, which has no instances now.",
        Track::Canary => "This address serves the canary only, and there is none now.",
    }
}

async fn attempt<S>(
    worker: &Worker,
    client: &mut Client<S>,
    journey: &mut Journey<'_>,
    route: &Route,
    endpoint: &Rc<Endpoint>,
) -> Next
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    journey.attempts += 1;
    if journey.attempts > 1 {
        bump(&worker.front().retried);
    }
    let mut started = Started::new(endpoint, client.aim);
    let mut up = match pooled(worker, journey, endpoint) {
        Some(up) => up,
        None => match connect(worker, client, endpoint).await {
            Some(Ok(io)) => Side::new(io),
            Some(Err(())) => {
                started.verdict = Verdict::Failed(None);
                route.failed(endpoint, worker.now.get());
                journey.tried.add(&endpoint.upstream);
                return Next::Again;
            }
            None => return Next::Ended(End::Gone),
        },
    };
    if journey.held.take().is_some() {
        worker.opened.notify_waiters();
    }
    client.limit(worker, worker.limits.get().response);
    let mut exchange = Exchange::new(worker, client, &mut up, endpoint, journey.version, journey.request);
    let outcome = poll_fn(|cx| exchange.poll(cx)).await;
    let (status, sent) = (exchange.response.map(|r| r.status), exchange.sent);
    if sent && !up.reused {
        journey.fresh_sends += 1;
    }
    match outcome {
        Outcome::Done { .. } | Outcome::Tunnel => answered(worker, journey, endpoint, status, &mut started),
        Outcome::Withdrawn => started.verdict = Verdict::Withdrawn,
        Outcome::Silent => return silent(worker, journey, route, endpoint, &mut started, (up.reused, sent)),
        Outcome::Failed(..) => started.verdict = Verdict::Failed(None),
        Outcome::Cut => started.verdict = Verdict::Failed(status),
        Outcome::Stalled(..) | Outcome::ClientLost => {}
    }
    drop(started);
    conclude(worker, client, endpoint, up, outcome).await
}

/// What becomes of both connections.
async fn conclude<S>(
    worker: &Worker,
    client: &mut Client<S>,
    endpoint: &Endpoint,
    mut up: Side<TcpStream>,
    outcome: Outcome,
) -> Next
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let end = match outcome {
        Outcome::Withdrawn => {
            keep(worker, endpoint, up);
            return Next::Again;
        }
        Outcome::Done { clean, close } => {
            if clean {
                keep(worker, endpoint, up);
            }
            End::Done { close }
        }
        Outcome::Tunnel => {
            tunnel::run(worker, client, &mut up, &endpoint.block).await;
            End::Gone
        }
        Outcome::Failed(status, why) | Outcome::Stalled(status, why) => End::Refused(status, why),
        Outcome::Silent | Outcome::Cut | Outcome::ClientLost => End::Gone,
    };
    Next::Ended(end)
}

/// The instance went away before it said anything.
fn silent(
    worker: &Worker,
    journey: &mut Journey<'_>,
    route: &Route,
    endpoint: &Rc<Endpoint>,
    started: &mut Started<'_>,
    (reused, sent): (bool, bool),
) -> Next {
    let may = !sent || journey.repeatable && journey.fresh_sends < FRESH_SENDS;
    if reused && may {
        // an idle connection that the instance had closed says nothing about the instance: a new one will
        started.verdict = Verdict::Stale;
        journey.fresh_only = true;
        journey.again = Some(endpoint.clone());
        return Next::Again;
    }
    started.verdict = Verdict::Failed(None);
    route.failed(endpoint, worker.now.get());
    journey.tried.add(&endpoint.upstream);
    if may {
        Next::Again
    } else {
        Next::Ended(End::Refused(502, "The instance closed the connection without an answer."))
    }
}

fn answered(
    worker: &Worker,
    journey: &Journey<'_>,
    endpoint: &Endpoint,
    status: Option<u16>,
    started: &mut Started<'_>,
) {
    started.verdict = Verdict::Answered(status.unwrap_or(0));
    endpoint.upstream.succeeded();
    if endpoint.slot == journey.slot {
        worker.front().mend(endpoint.slot);
    }
}

/// An idle connection that is still good, if this request may use one.
fn pooled(worker: &Worker, journey: &Journey<'_>, endpoint: &Endpoint) -> Option<Side<TcpStream>> {
    if journey.fresh_only {
        return None;
    }
    let mut pool = endpoint.upstream.pool.borrow_mut();
    while let Some(side) = pool.pop() {
        let recent = side.idle_since.is_some_and(|since| worker.now.get().duration_since(since) <= RECENT);
        if !(recent || journey.repeatable) {
            pool.push(side);
            return None;
        }
        if side.is_silent() {
            return Some(side);
        }
    }
    None
}

/// Puts a connection back, unless the instance has left or enough are there.
fn keep(worker: &Worker, endpoint: &Endpoint, mut up: Side<TcpStream>) {
    let mut pool = endpoint.upstream.pool.borrow_mut();
    if !endpoint.upstream.left.get() && pool.len() < worker.limits.get().max_idle {
        up.reused = true;
        up.scanned = 0;
        up.idle_since = Some(worker.now.get());
        pool.push(up);
    }
}

/// A new connection; `None`: the client left meanwhile.
async fn connect<S>(worker: &Worker, client: &mut Client<S>, endpoint: &Endpoint) -> Option<Result<TcpStream, ()>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limit = worker.limits.get().connect;
    let mut connecting = pin!(tokio::time::timeout(limit, TcpStream::connect(endpoint.upstream.address)));
    poll_fn(|cx| match connecting.as_mut().poll(cx) {
        Poll::Ready(Ok(Ok(io))) => {
            let _ = io.set_nodelay(true);
            Poll::Ready(Some(Ok(io)))
        }
        Poll::Ready(Ok(Err(_)) | Err(_)) => Poll::Ready(Some(Err(()))),
        Poll::Pending => client.side.poll_left(cx, &mut worker.buf.borrow_mut()).map(|_| None),
    })
    .await
}

/// Counts a request as waiting until it is dropped.
struct Held<'a>(&'a Worker);

impl<'a> Held<'a> {
    fn new(worker: &'a Worker) -> Option<Held<'a>> {
        if worker.waiting.count.get() >= worker.hold_max() {
            return None;
        }
        worker.waiting.count.set(worker.waiting.count.get() + 1);
        bump(&worker.front().held[0]);
        Some(Held(worker))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.waiting.count.set(self.0.waiting.count.get() - 1);
        bump(&self.0.front().held[1]);
    }
}

/// Waits until trying again may help. Of the requests that wait, one at a time tries to connect every now and then;
/// all others are told when it succeeded, or when the table changed.
async fn hold<'a, S>(worker: &'a Worker, client: &mut Client<S>, journey: &mut Journey<'a>) -> Result<(), End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const NOBODY: End = End::Refused(503, "No instance can take the request now; try again soon.");
    if journey.held.is_none() {
        journey.held = Held::new(worker);
    }
    if journey.held.is_none() {
        return Err(NOBODY);
    }
    journey.tried.clear();
    journey.desperate = true;
    let deadline = journey.arrived + worker.limits.get().hold;
    loop {
        let now = Instant::now();
        if now >= deadline {
            return Err(NOBODY);
        }
        let mut told = pin!(worker.opened.notified());
        let mut slept = pin!(tokio::time::sleep(PROBE.min(deadline - now)));
        let is_told = poll_fn(|cx| {
            if client.side.poll_left(cx, &mut worker.buf.borrow_mut()).is_ready() {
                return Poll::Ready(Err(End::Gone));
            }
            match told.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(Ok(true)),
                Poll::Pending => slept.as_mut().poll(cx).map(|()| Ok(false)),
            }
        });
        if is_told.await? || worker.waiting.may_probe() {
            return Ok(());
        }
    }
}

impl Waiting {
    /// One request in so much time may try.
    fn may_probe(&self) -> bool {
        let now = Instant::now();
        let may = self.next_probe.get().is_none_or(|at| now >= at);
        if may {
            self.next_probe.set(Some(now + PROBE));
        }
        may
    }
}
