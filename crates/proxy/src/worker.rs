//! One worker: a thread with a runtime of its own, its connections and its view of the table. Nothing here is shared
//! but the counters.
use crate::clock::boot_ms;
use crate::counters::{Front, add, bump};
use crate::http::{self, MAX_HEAD};
use crate::protocol::{Settings, Trust};
use crate::registry::Plan;
use crate::route::{Moment, Route, Turns, Upstream};
use crate::wire::{BUFFER, Side, Watch};
use crate::{attempt, connection};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Release};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};

const SWEEP: Duration = Duration::from_millis(100);
/// How long no controller must have been heard before readiness is old news, where no lease says so.
const UNHEARD_MS: u64 = 10_000;

/// What all workers and the control thread share. Times are boot milliseconds.
#[derive(Debug)]
pub(crate) struct Shared {
    /// When the lease ends; `u64::MAX` without one.
    pub(crate) lease_until: AtomicU64,
    /// When a controller was last heard.
    pub(crate) heard: AtomicU64,
}

/// What the control thread tells a worker.
pub(crate) enum Order {
    Table(Plan),
    Drain,
}

/// What the control thread sees of a worker.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The version that this worker picks from; no picker holds an older one.
    pub(crate) version: Arc<AtomicU64>,
    /// It applies the fallback, if its table has one: it saw the lease over, and has not seen it renewed.
    pub(crate) falling_back: Arc<AtomicBool>,
    pub(crate) front: Arc<Front>,
}

/// Which requests a listener takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    /// The split says where they go.
    Split,
    /// One track only.
    Only(crate::protocol::Track),
}

/// How long each phase may last.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) idle: Duration,
    pub(crate) head: Duration,
    pub(crate) connect: Duration,
    pub(crate) response: Duration,
    pub(crate) body: Duration,
    pub(crate) linger: Duration,
    pub(crate) tunnel: Duration,
    pub(crate) hold: Duration,
    pub(crate) drain: Duration,
    /// Idle connections per instance.
    pub(crate) max_idle: usize,
}

pub(crate) struct Worker {
    /// Every read lands here; what a poll cannot pass on at once, it copies out before it returns.
    pub(crate) buf: RefCell<Box<[u8]>>,
    pub(crate) head: RefCell<Vec<u8>>,
    /// Nothing before the first table.
    pub(crate) route: RefCell<Option<Rc<Route>>>,
    /// The version of `route`.
    pub(crate) version: Cell<u64>,
    pub(crate) turns: Turns,
    upstreams: RefCell<HashMap<(String, SocketAddr), Rc<Upstream>>>,
    watches: RefCell<Vec<Weak<Watch>>>,
    /// As of the last sweep; good enough for deadlines.
    pub(crate) now: Cell<Instant>,
    pub(crate) limits: Cell<Limits>,
    /// When the drain began.
    pub(crate) stopping: Cell<Option<Instant>>,
    falling_back: Cell<bool>,
    unheard: Cell<bool>,
    /// Told whenever requests that wait for an instance may try again.
    pub(crate) opened: Notify,
    pub(crate) waiting: attempt::Waiting,
    shared: Arc<Shared>,
    seen: Seen,
    workers: usize,
}

impl Limits {
    fn of(settings: &Settings) -> Limits {
        let (t, ms) = (&settings.timeouts, Duration::from_millis);
        Limits {
            idle: ms(t.idle_ms),
            head: ms(t.head_ms),
            connect: ms(t.connect_ms),
            response: ms(t.response_ms),
            body: ms(t.body_ms),
            linger: ms(t.linger_ms),
            tunnel: ms(t.tunnel_ms),
            hold: ms(settings.hold.ms),
            drain: ms(settings.drain_ms),
            max_idle: settings.pool.max_idle,
        }
    }
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, seen: Seen, workers: usize) -> Worker {
        Worker {
            buf: RefCell::new(vec![0; BUFFER].into()),
            head: RefCell::new(Vec::with_capacity(2 * MAX_HEAD)),
            route: RefCell::default(),
            version: Cell::new(0),
            turns: Turns::default(),
            upstreams: RefCell::default(),
            watches: RefCell::default(),
            now: Cell::new(Instant::now()),
            limits: Cell::new(Limits::of(&Settings::default())),
            stopping: Cell::new(None),
            falling_back: Cell::new(false),
            unheard: Cell::new(false),
            opened: Notify::new(),
            waiting: attempt::Waiting::default(),
            shared,
            seen,
            workers,
        }
    }

    pub(crate) fn front(&self) -> &Front {
        &self.seen.front
    }

    pub(crate) fn settings(&self) -> Settings {
        self.route.borrow().as_ref().map_or_else(Settings::default, |r| r.table.settings)
    }

    /// The most requests that may wait at this worker.
    pub(crate) fn hold_max(&self) -> usize {
        self.settings().hold.max.div_ceil(self.workers)
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment { now: self.now.get(), falling_back: self.falling_back.get(), unheard: self.unheard.get() }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get().is_some()
    }

    /// Whether idle connections have had their time for a last request.
    pub(crate) fn idle_ends(&self) -> bool {
        self.stopping.get().is_some_and(|since| self.now.get() >= since + self.limits.get().drain / 2)
    }

    pub(crate) fn watch(&self, limit: Duration) -> Rc<Watch> {
        let watch = Rc::new(Watch::new(self.now.get(), limit));
        self.watches.borrow_mut().push(Rc::downgrade(&watch));
        watch
    }

    /// From the moment this returns, every pick goes by the new table. A request that picked before and has not sent
    /// yet finds the version changed when it wants to send: the look at the version and the write are in one poll,
    /// between which no table can come. So the worker may say at once that no older picker is left.
    fn swap(&self, plan: Plan) {
        let version = plan.table.version;
        self.limits.set(Limits::of(&plan.table.settings));
        let route = Route::new(plan, &mut self.upstreams.borrow_mut(), self.now.get());
        (0..2).filter(|slot| !route.reaches(*slot)).for_each(|slot| self.front().mend(slot));
        *self.route.borrow_mut() = Some(Rc::new(route));
        self.version.set(version);
        self.sweep_lease();
        self.seen.version.store(version, Release);
        self.opened.notify_waiters();
    }

    fn sweep_lease(&self) {
        let now = boot_ms();
        let lapsed = now >= self.shared.lease_until.load(Acquire);
        let lease = self.route.borrow().as_ref().and_then(|r| r.table.lease_ms);
        let unheard = now.saturating_sub(self.shared.heard.load(Acquire)) > lease.unwrap_or(UNHEARD_MS);
        self.seen.falling_back.store(lapsed, Release);
        let changed = [self.falling_back.replace(lapsed) != lapsed, self.unheard.replace(unheard) != unheard];
        if changed.contains(&true) {
            self.opened.notify_waiters();
        }
    }

    /// Ends what is late, forgets idle upstream connections that are old or not silent. False when the drain is over.
    fn sweep(&self) -> bool {
        let now = Instant::now();
        self.now.set(now);
        self.sweep_lease();
        let stopping = self.is_stopping();
        self.watches.borrow_mut().retain(|watch| match watch.upgrade() {
            Some(watch) => {
                watch.sweep(now, stopping);
                true
            }
            None => false,
        });
        let oldest = Duration::from_millis(self.settings().pool.idle_ms);
        for upstream in self.upstreams.borrow().values() {
            let fresh = |side: &Side<_>| side.idle_since.is_none_or(|since| now.duration_since(since) < oldest);
            upstream.pool.borrow_mut().retain(|side| fresh(side) && side.is_silent());
        }
        let over = |since: Instant| self.watches.borrow().is_empty() || now >= since + self.limits.get().drain;
        !self.stopping.get().is_some_and(over)
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        match self.settings().trust {
            Trust::None => false,
            Trust::All => true,
            Trust::Private => match peer.to_canonical() {
                IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
                IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
            },
        }
    }
}

/// Accepts until the task is aborted. A failure (no descriptors left) is waited out: connections stay in the backlog.
async fn accept(worker: Rc<Worker>, listener: TcpListener, aim: Aim) {
    loop {
        match listener.accept().await {
            Ok((io, peer)) => {
                let _ = io.set_nodelay(true);
                bump(&worker.front().connections[0]);
                let peer = peer.ip().to_canonical();
                let trusted = worker.trusts(peer);
                let ended = Ended(worker.clone());
                let client = connection::Client::new(&worker, Side::new(io), peer.to_string(), trusted, aim);
                tokio::task::spawn_local(async move {
                    connection::serve(&ended.0, client).await;
                });
            }
            Err(_) => tokio::time::sleep(SWEEP).await,
        }
    }
}

/// Counts a client connection as ended, whatever happens to its task.
struct Ended(Rc<Worker>);

impl Drop for Ended {
    fn drop(&mut self) {
        add(&self.0.front().connections[1], 1);
    }
}

/// Runs a worker until it has drained, or the control thread is gone.
pub(crate) async fn run(
    worker: Rc<Worker>,
    listeners: Vec<(Aim, TcpListener)>,
    mut orders: mpsc::UnboundedReceiver<Order>,
) {
    let mut tick = tokio::time::interval(SWEEP);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut waiting = Some(listeners);
    let mut accepting = Vec::new();
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(Order::Table(plan)) => worker.swap(plan),
                Some(Order::Drain) | None => {
                    worker.stopping.set(Some(Instant::now()));
                    accepting.drain(..).for_each(|task: tokio::task::JoinHandle<()>| task.abort());
                    waiting = None;
                }
            },
            _ = tick.tick() => if !worker.sweep() { return },
        }
        // the first table, if there is one on disk, comes before the first connection
        for (aim, listener) in waiting.take().into_iter().flatten() {
            accepting.push(tokio::task::spawn_local(accept(worker.clone(), listener, aim)));
        }
    }
}

/// What a request says of the hop it came over.
pub(crate) fn hop<'a>(peer: &'a str, trusted: bool) -> http::Hop<'a> {
    http::Hop { peer: peer.as_bytes(), trusted }
}
