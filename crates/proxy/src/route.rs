//! Which slot serves the next request, and on which instance: one worker's view of a table.
#[cfg(test)]
mod tests;

use crate::counters::{Block, Instance, SlotBlock};
use crate::protocol::{Settings, Split, Table, Track, WHOLE};
use crate::registry::Plan;
use crate::wire::Side;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Acquire;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

const MAX_BACK_OFF: Duration = Duration::from_secs(30);

/// A worker's connections to one instance and what it knows of its health. Outlives tables that keep the instance.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    pub(crate) instance: Arc<Instance>,
    /// Idle connections; the last one returned is the next one used.
    pub(crate) pool: RefCell<Vec<Side<TcpStream>>>,
    /// It is in no table any more: connections are not kept.
    pub(crate) left: Cell<bool>,
    fails: Cell<u32>,
    back_off: Cell<Duration>,
    retry_at: Cell<Instant>,
    ejected: Cell<bool>,
}

/// An instance in a slot, with the counters of the generation.
pub(crate) struct Endpoint {
    pub(crate) upstream: Rc<Upstream>,
    pub(crate) block: Arc<Block>,
    pub(crate) slot: usize,
    ready: bool,
}

pub(crate) struct Slot {
    pub(crate) track: Track,
    pub(crate) endpoints: Vec<Rc<Endpoint>>,
    pub(crate) counts: Arc<SlotBlock>,
    has_ready: bool,
}

/// A table, ready for picking. A request keeps the one that it picked from.
pub(crate) struct Route {
    pub(crate) table: Arc<Table>,
    pub(crate) slots: [Slot; 2],
}

/// What a pick goes by besides the route.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    /// The lease ran out.
    pub(crate) falling_back: bool,
    /// No controller was heard for long: readiness is old news.
    pub(crate) unheard: bool,
}

/// A worker's turns, kept across tables so that shares stay exact.
pub(crate) struct Turns {
    /// What slot 1 is owed, in parts of `whole`; less than it.
    due: Cell<u64>,
    whole: Cell<u64>,
    next: [Cell<usize>; 2],
}

impl Default for Turns {
    fn default() -> Self {
        Turns { due: Cell::new(1), whole: Cell::new(2), next: Default::default() }
    }
}

/// Instances that failed this request; they are not asked again in the same round.
#[derive(Default)]
pub(crate) struct Tried {
    list: [usize; 8],
    len: usize,
}

impl Tried {
    pub(crate) fn add(&mut self, upstream: &Rc<Upstream>) {
        if self.len < self.list.len() {
            self.list[self.len] = Rc::as_ptr(upstream).addr();
            self.len += 1;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    fn has(&self, upstream: &Rc<Upstream>) -> bool {
        self.len == self.list.len() || self.list[..self.len].contains(&Rc::as_ptr(upstream).addr())
    }
}

impl Upstream {
    fn new(address: SocketAddr, instance: Arc<Instance>, now: Instant) -> Upstream {
        Upstream {
            address,
            instance,
            pool: RefCell::default(),
            left: Cell::new(false),
            fails: Cell::new(0),
            back_off: Cell::new(Duration::ZERO),
            retry_at: Cell::new(now),
            ejected: Cell::new(false),
        }
    }

    /// It failed so often that it is left alone until a time that has not come.
    fn is_failing(&self, settings: &Settings, now: Instant) -> bool {
        self.fails.get() >= settings.eject.failures && now < self.retry_at.get()
    }

    fn is_ejected(&self, now: Instant) -> bool {
        self.ejected.get() && now < self.retry_at.get()
    }

    /// It answered.
    pub(crate) fn succeeded(&self) {
        if self.fails.get() != 0 {
            self.fails.set(0);
            self.back_off.set(Duration::ZERO);
            self.ejected.set(false);
        }
    }
}

impl Route {
    /// Builds a worker's view of a table. Upstreams that stay keep their connections; those that left close theirs.
    pub(crate) fn new(plan: Plan, upstreams: &mut HashMap<(String, SocketAddr), Rc<Upstream>>, now: Instant) -> Route {
        let mut stay = HashMap::new();
        let Plan { table, endpoints, slots: counts } = plan;
        let [first, second] = endpoints;
        let [first_counts, second_counts] = counts;
        let mut build = |number: usize, blocks: Vec<(Arc<Instance>, Arc<Block>)>, counts: Arc<SlotBlock>| {
            let described = &table.slots[number].endpoints;
            let endpoints: Vec<Rc<Endpoint>> = described
                .iter()
                .zip(blocks)
                .map(|(endpoint, (instance, block))| {
                    let key = (endpoint.id.clone(), endpoint.address);
                    let kept = upstreams.remove(&key);
                    let upstream = kept.unwrap_or_else(|| Rc::new(Upstream::new(endpoint.address, instance, now)));
                    stay.insert(key, upstream.clone());
                    Rc::new(Endpoint { upstream, block, slot: number, ready: endpoint.ready })
                })
                .collect();
            let has_ready = endpoints.iter().any(|e| e.ready);
            Slot { track: table.slots[number].track, endpoints, counts, has_ready }
        };
        let slots = [build(0, first, first_counts), build(1, second, second_counts)];
        for left in upstreams.values() {
            left.left.set(true);
            left.pool.borrow_mut().clear();
        }
        *upstreams = stay;
        Route { table, slots }
    }

    /// The split in force.
    fn split(&self, moment: Moment) -> Split {
        match self.table.fallback {
            Some(fallback) if moment.falling_back => fallback,
            Some(_) | None => self.table.split,
        }
    }

    /// Those endpoints of a slot that a split reaches and that may get traffic, with their places.
    fn eligible(&self, slot: usize, split: Split, moment: Moment) -> impl Iterator<Item = (usize, &Rc<Endpoint>)> {
        let limit = match split {
            Split::Weighted(_) => usize::MAX,
            Split::Members(members) => members[slot],
        };
        let slot = &self.slots[slot];
        let any = moment.unheard && !slot.has_ready;
        slot.endpoints.iter().enumerate().take(limit).filter(move |(_, e)| e.ready || any)
    }

    /// The slot of the next request: after n requests each slot got its share of n, give or take one.
    /// Nothing: the split holds all requests now.
    pub(crate) fn choose(&self, turns: &Turns, moment: Moment) -> Option<usize> {
        let split = self.split(moment);
        let (second, whole) = match split {
            Split::Weighted([_, second]) => (u64::from(second), u64::from(WHOLE)),
            Split::Members(_) => {
                let count = |slot| self.eligible(slot, split, moment).count() as u64;
                (count(1), count(0) + count(1))
            }
        };
        if whole == 0 {
            return None;
        }
        let mut due = turns.due.get();
        if turns.whole.get() != whole {
            due = due * whole / turns.whole.replace(whole); // less than the whole, as before
        }
        due += second;
        let slot = usize::from(due >= whole);
        turns.due.set(if slot == 1 { due - whole } else { due });
        Some(slot)
    }

    /// An endpoint of `slot` that was not tried yet, in turn. `desperate`: ejected ones too.
    pub(crate) fn candidate(
        &self,
        slot: usize,
        turns: &Turns,
        moment: Moment,
        tried: &Tried,
        desperate: bool,
    ) -> Option<Rc<Endpoint>> {
        self.find(slot, self.split(moment), turns, moment, tried, desperate)
    }

    fn find(
        &self,
        slot: usize,
        split: Split,
        turns: &Turns,
        moment: Moment,
        tried: &Tried,
        desperate: bool,
    ) -> Option<Rc<Endpoint>> {
        let turn = turns.next[slot].get();
        let fits = |(_, e): &(usize, &Rc<Endpoint>)| {
            !tried.has(&e.upstream) && (desperate || !e.upstream.is_ejected(moment.now))
        };
        // the first that fits from the turn on, else from the front
        let after = self.eligible(slot, split, moment).skip_while(|(at, _)| *at < turn).find(fits);
        let (at, found) = after.or_else(|| self.eligible(slot, split, moment).find(fits))?;
        turns.next[slot].set(at + 1);
        self.probe(found, moment.now);
        Some(found.clone())
    }

    /// One request tries an instance whose back-off is over; the next one waits for another.
    fn probe(&self, endpoint: &Endpoint, now: Instant) {
        let upstream = &endpoint.upstream;
        if upstream.fails.get() >= self.table.settings.eject.failures {
            upstream.retry_at.set(now + upstream.back_off.get());
        }
    }

    /// The slot that the fallback lets answer for `slot`, if it has somebody to do it.
    pub(crate) fn other(&self, slot: usize, turns: &Turns, moment: Moment, tried: &Tried) -> Option<Rc<Endpoint>> {
        let fallback = self.table.fallback?;
        let other = 1 - slot;
        if reaches(fallback, other) { self.find(other, fallback, turns, moment, tried, false) } else { None }
    }

    /// The table's split sends something to `slot`.
    pub(crate) fn reaches(&self, slot: usize) -> bool {
        reaches(self.table.split, slot)
    }

    /// Everybody in `slot` fails: its requests need not try first.
    pub(crate) fn is_broken(&self, slot: usize, moment: Moment) -> bool {
        let settings = &self.table.settings;
        let split = self.split(moment);
        let mut eligible = self.eligible(slot, split, moment).peekable();
        eligible.peek().is_some() && eligible.all(|(_, e)| e.upstream.is_failing(settings, moment.now))
    }

    /// Remembers that an instance refused or reset. At most half of a slot's ready endpoints are ejected.
    pub(crate) fn failed(&self, endpoint: &Endpoint, now: Instant) {
        let (upstream, eject) = (&endpoint.upstream, &self.table.settings.eject);
        upstream.fails.set(upstream.fails.get().saturating_add(1));
        if upstream.fails.get() < eject.failures {
            return;
        }
        let first = Duration::from_millis(eject.back_off_ms);
        upstream.back_off.set((upstream.back_off.get() * 2).clamp(first, MAX_BACK_OFF.max(first)));
        upstream.retry_at.set(now + upstream.back_off.get());
        let peers = || self.slots[endpoint.slot].endpoints.iter().filter(|e| e.ready);
        let out = peers().filter(|e| e.upstream.is_ejected(now) && !Rc::ptr_eq(&e.upstream, upstream)).count();
        upstream.ejected.set(2 * (out + 1) <= peers().count());
    }
}

fn reaches(split: Split, slot: usize) -> bool {
    match split {
        Split::Weighted(weights) => weights[slot] > 0,
        Split::Members(members) => members[slot] > 0,
    }
}

impl Endpoint {
    /// A table without it was acknowledged.
    pub(crate) fn is_withdrawn(&self) -> bool {
        self.upstream.instance.withdrawn.load(Acquire)
    }
}
