//! The control socket: the one place that accepts tables, keeps them, and hands them to the workers.
use crate::clock::boot_ms;
use crate::counters::Front;
use crate::disk::{self, Kept};
use crate::facts::Facts;
use crate::protocol::{Circuit, Denial, FallingBack, Report, Request, Response, Table};
use crate::registry::Registry;
use crate::worker::{Order, Seen, Shared};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::UnboundedSender;

/// The longest line that is read.
const MAX_LINE: u64 = 16 * 1024 * 1024;

/// From one look for facts to the next.
const LOOK: Duration = Duration::from_millis(100);

/// A worker as the control thread has it.
pub(crate) struct Hand {
    pub(crate) orders: UnboundedSender<Order>,
    pub(crate) seen: Seen,
}

pub(crate) struct Control {
    dir: PathBuf,
    kept: Kept,
    table: Option<Arc<Table>>,
    registry: Registry,
    hands: Vec<Hand>,
    shared: Arc<Shared>,
    draining: bool,
    /// Up to here, what left the table is marked as withdrawn.
    settled: u64,
    facts: Facts,
}

impl Control {
    /// Starts with what was kept; the lease begins anew.
    pub(crate) fn new(dir: &Path, kept: Kept, hands: Vec<Hand>, shared: Arc<Shared>) -> Control {
        let registry = Registry::new(hands.len());
        let (dir, facts) = (dir.to_owned(), Facts::new(dir));
        let mut control =
            Control { dir, table: None, registry, hands, shared, draining: false, settled: 0, facts, kept };
        control.shared.heard.store(boot_ms(), Release);
        if let Some(table) = control.kept.table.clone() {
            control.enforce(table);
        }
        control
    }

    /// Gives the table to all workers.
    fn enforce(&mut self, table: Table) {
        self.extend_lease(table.lease_ms);
        let table = Arc::new(table);
        self.facts.table(&table);
        for (hand, plan) in self.hands.iter().zip(self.registry.plan(&table)) {
            // a worker that is gone has drained
            let _ = hand.orders.send(Order::Table(plan));
        }
        self.table = Some(table);
    }

    fn extend_lease(&self, lease_ms: Option<u64>) {
        let until = lease_ms.map_or(u64::MAX, |ms| boot_ms().saturating_add(ms));
        self.shared.lease_until.store(until, Release);
    }

    pub(crate) fn drain(&mut self) {
        self.draining = true;
        for hand in &self.hands {
            // a worker that is gone has drained
            let _ = hand.orders.send(Order::Drain);
        }
    }

    fn version(&self) -> u64 {
        self.table.as_ref().map_or(0, |t| t.version)
    }

    fn answer(&mut self, request: Request) -> Result<Response, Denial> {
        match request {
            Request::Measure => {
                let fronts: Vec<Arc<Front>> = self.hands.iter().map(|h| h.seen.front.clone()).collect();
                return Ok(Response::Measures(Box::new(self.registry.measure(&fronts))));
            }
            Request::Report => {
                self.shared.heard.store(boot_ms(), Release);
                return Ok(Response::Report(Box::new(self.report())));
            }
            Request::Claim { .. } | Request::Apply { .. } | Request::Renew { .. } if self.draining => {
                return Err(Denial::Draining);
            }
            Request::Claim { epoch } => {
                self.fence(epoch)?;
                if epoch > self.kept.epoch {
                    self.keep(Kept { epoch, table: self.kept.table.clone() })?;
                }
            }
            Request::Apply { table } => return self.apply(*table),
            Request::Renew { epoch, version } => {
                self.fence(epoch)?;
                let expected = self.version();
                if version != expected {
                    return Err(Denial::WrongVersion { expected, came: version });
                }
                let lease_ms = self.table.as_ref().and_then(|t| t.lease_ms);
                self.extend_lease(lease_ms);
                self.shared.heard.store(boot_ms(), Release);
                return Ok(Response::Renewed { lease_ms });
            }
        }
        self.shared.heard.store(boot_ms(), Release);
        Ok(Response::Claimed { version: self.version() })
    }

    fn fence(&self, came: u64) -> Result<(), Denial> {
        let held = self.kept.epoch;
        if came < held { Err(Denial::StaleEpoch { held, came }) } else { Ok(()) }
    }

    fn keep(&mut self, kept: Kept) -> Result<(), Denial> {
        disk::save(&self.dir, &self.kept, &kept).map_err(|e| Denial::Disk { why: e.to_string() })?;
        self.kept = kept;
        Ok(())
    }

    fn apply(&mut self, table: Table) -> Result<Response, Denial> {
        self.fence(table.epoch)?;
        let version = table.version;
        if self.table.as_deref() == Some(&table) {
            self.extend_lease(table.lease_ms);
            self.shared.heard.store(boot_ms(), Release);
            return Ok(Response::Applied { version });
        }
        let expected = self.version() + 1;
        if version != expected {
            return Err(Denial::WrongVersion { expected, came: version });
        }
        table.check().map_err(|e| Denial::Invalid { why: e.to_string() })?;
        self.keep(Kept { epoch: table.epoch, table: Some(table.clone()) })?;
        self.shared.heard.store(boot_ms(), Release);
        self.enforce(table);
        Ok(Response::Applied { version })
    }

    /// The highest version that all workers pick from. Before it is told, instances that left are marked, so that
    /// whatever starts on them from then on is counted as a defect.
    fn acknowledged(&mut self) -> u64 {
        let slowest = self.hands.iter().map(|h| h.seen.version.load(Acquire)).min().unwrap_or(0);
        if let Some(table) = &self.table
            && slowest == table.version
            && slowest != self.settled
        {
            self.registry.withdraw_others(table);
            self.settled = slowest;
            self.facts.acknowledged(slowest);
        }
        slowest
    }

    /// Writes down what has changed since the last look.
    fn look(&mut self) {
        self.acknowledged();
        let broken = [0, 1].map(|slot| self.hands.iter().any(|h| h.seen.front.broken_since[slot].load(Acquire) > 0));
        self.facts.now(self.falls_back(boot_ms()), broken);
        if self.facts.awaits_quiet() {
            self.facts.open(&self.registry.open(self.table.as_deref()));
        }
    }

    /// Whether the fallback is in force because the lease was not renewed. After a renewal it is so until the last worker
    /// has seen it.
    fn falls_back(&self, now: u64) -> bool {
        let can = self.table.as_ref().is_some_and(|table| table.fallback.is_some() && table.lease_ms.is_some());
        let lapsed = now >= self.shared.lease_until.load(Acquire);
        can && (lapsed || self.hands.iter().any(|hand| hand.seen.falling_back.load(Acquire)))
    }

    fn report(&mut self) -> Report {
        let acknowledged = self.acknowledged();
        let (now, until) = (boot_ms(), self.shared.lease_until.load(Acquire));
        let falls_back = self.falls_back(now);
        let table = self.table.as_deref();
        let fronts = || self.hands.iter().map(|h| &h.seen.front);
        let circuit = |slot: usize| {
            let broken = || fronts().map(|f| (f.broken_since[slot].load(Acquire), f)).filter(|b| b.0 > 0);
            let since = broken().map(|b| b.0).min()?;
            let requests = broken().map(|b| b.1.broken_requests[slot].load(Acquire)).sum();
            Some(Circuit { slot, since_ms: now.saturating_sub(since), requests })
        };
        let held = |f: &Arc<Front>| {
            let over = f.held[1].load(Acquire);
            f.held[0].load(Acquire).saturating_sub(over)
        };
        Report {
            epoch: self.kept.epoch,
            version: self.version(),
            acknowledged,
            generation: table.map_or(0, |t| t.generation),
            split: table.map(|t| t.split),
            fallback: table.and_then(|t| t.fallback),
            falling_back: falls_back.then_some(FallingBack::Lease),
            lease_left_ms: (until != u64::MAX).then(|| until.saturating_sub(now)),
            circuit: (0..2).filter_map(circuit).collect(),
            held: fronts().map(held).sum(),
            instances: self.registry.open(table),
            draining: self.draining,
            workers: self.hands.len(),
        }
    }
}

/// Looks for facts until the task is dropped.
pub(crate) async fn look(control: Rc<RefCell<Control>>) {
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        control.borrow_mut().look();
    }
}

/// Accepts controllers until the task is dropped.
pub(crate) async fn serve(control: Rc<RefCell<Control>>, listener: UnixListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::task::spawn_local(converse(control.clone(), stream));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// One request after the other, until the controller leaves.
async fn converse(control: Rc<RefCell<Control>>, stream: UnixStream) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut stream).take(MAX_LINE).read_until(b'\n', &mut line).await {
            Ok(1..) if line.ends_with(b"\n") => {}
            Ok(_) | Err(_) => return,
        }
        let answer = match serde_json::from_slice(&line) {
            Ok(request) => control.borrow_mut().answer(request),
            Err(error) => Err(Denial::Malformed { why: error.to_string() }),
        };
        let Ok(mut text) = serde_json::to_vec(&answer.unwrap_or_else(Response::Refused)) else { return };
        text.push(b'\n');
        if stream.write_all(&text).await.is_err() {
            return;
        }
    }
}
