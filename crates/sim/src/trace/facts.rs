//! What the proxy and the keeper say, held against each other and against the decisions.
use crate::story;
use crate::trace::change::{Look, Sent, is_part};
use crate::trace::monitor::{Finding, Monitor};
use crate::trace::read::{Entry, Log, Spot};
use serin_journal::fact::{InstanceFact, Named, ProxyFact};
use serin_rollout::{Route, Split, Write};

/// A table that the proxy accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    spot: Spot,
    boot: u64,
    epoch: u64,
    version: u64,
    generation: u64,
    route: Route,
    endpoints: [Vec<Named>; 2],
    /// When no worker went by an older one any more.
    acknowledged: Option<u64>,
    /// Taken from disk by a proxy that had just begun.
    again: bool,
}

/// The facts of one service.
#[derive(Debug, Default)]
pub struct Facts {
    tables: Vec<Accepted>,
    /// When a proxy began with nothing although there had been tables: somebody ended the service on purpose.
    ended: Vec<u64>,
    began: Vec<u64>,
    proxy: Vec<Entry<ProxyFact>>,
    instances: Vec<Entry<InstanceFact>>,
    /// How many lines there are.
    pub lines: u64,
}

impl Facts {
    /// From what was read.
    pub fn new(proxy: Log<ProxyFact>, instances: Log<InstanceFact>) -> Facts {
        let lines = (proxy.entries.len() + instances.entries.len()) as u64;
        let mut facts = Facts { proxy: proxy.entries, instances: instances.entries, lines, ..Facts::default() };
        let mut begun = false;
        for entry in &facts.proxy {
            let boot = entry.line.boot;
            begun |= entry.begins;
            match &entry.line.what {
                ProxyFact::Began {} => facts.began.push(boot),
                ProxyFact::Table { epoch, version, generation, split, fallback, lease_ms, endpoints } => {
                    let known = facts.tables.last().is_some_and(|table| table.version == *version);
                    if begun && !known && *version == 1 && !facts.tables.is_empty() {
                        facts.ended.push(boot);
                    }
                    facts.tables.push(Accepted {
                        spot: entry.spot.clone(),
                        boot,
                        epoch: *epoch,
                        version: *version,
                        generation: *generation,
                        route: Route { split: *split, fallback: *fallback, lease: lease_ms.is_some() },
                        endpoints: endpoints.clone(),
                        acknowledged: None,
                        again: begun && known,
                    });
                    begun = false;
                }
                ProxyFact::Acknowledged { version } => {
                    let same = facts.tables.iter_mut().rev().find(|table| table.version == *version);
                    if let Some(table) = same {
                        table.acknowledged.get_or_insert(boot);
                    }
                }
                ProxyFact::Fallback { .. } | ProxyFact::Circuit { .. } | ProxyFact::Quiet { .. } => {}
            }
        }
        facts
    }

    /// Whether a table was accepted, or a proxy began, between these moments, both included.
    pub fn table_between(&self, from: u64, to: u64) -> bool {
        let between = |boot: &u64| (from..=to).contains(boot);
        self.tables.iter().any(|table| between(&table.boot)) || self.began.iter().any(between)
    }

    /// Whether the service was ended on purpose between these moments.
    pub fn ended_between(&self, from: u64, to: u64) -> bool {
        self.ended.iter().any(|boot| (from..=to).contains(boot))
    }

    /// Whether a controller took up what ran between these moments, because nothing said what the slots were told.
    pub fn taken_up_between(&self, from: u64, to: u64) -> bool {
        let taken = self.instances.iter().filter(|entry| entry.line.what == InstanceFact::TakenUp {});
        taken.map(|entry| entry.line.boot).any(|boot| (from..=to).contains(&boot))
    }

    /// Every monitor of facts. `routes` are the route writes that were permitted, `looks` all that was seen; where older
    /// decisions have gone with an older file, `since` is when the first one was made that is left.
    pub fn check(&self, routes: &[(u64, Sent)], looks: &[Look], since: Option<u64>) -> Vec<Finding> {
        let mut found = vec![];
        self.versions(&mut found);
        self.sent(routes, since.unwrap_or(0), &mut found);
        self.applied(looks, &mut found);
        self.fallback(&mut found);
        self.named(looks, &mut found);
        self.after_ack(&mut found);
        found
    }

    fn follows(&self) -> impl Iterator<Item = (&Accepted, &Accepted)> {
        self.tables.iter().zip(self.tables.iter().skip(1)).filter(|(_, b)| !self.ended.contains(&b.boot))
    }

    /// See [`Monitor::Versions`] and [`Monitor::Fenced`].
    fn versions(&self, found: &mut Vec<Finding>) {
        for (a, b) in self.follows().filter(|(_, b)| !self.is_after_gap(b)) {
            let mut find = |monitor, what: String| {
                found.push(Finding { monitor, spots: vec![a.spot.clone(), b.spot.clone()], what });
            };
            if b.version != a.version + 1 && !b.again {
                find(Monitor::Versions, format!("version {} follows version {}", b.version, a.version));
            }
            let same = |x: &Route, y: &Route| {
                let fallback = x.fallback.zip(y.fallback).is_none_or(|(x, y)| alike(x, y));
                alike(x.split, y.split) && fallback && x.fallback.is_some() == y.fallback.is_some()
            };
            if a.generation == b.generation && !same(&a.route, &b.route) {
                let what = format!("{:?} and {:?} are both generation {}", a.route, b.route, a.generation);
                find(Monitor::Versions, what);
            }
            if b.epoch < a.epoch {
                find(Monitor::Fenced, format!("epoch {} writes after epoch {}", b.epoch, a.epoch));
            }
        }
    }

    fn is_after_gap(&self, table: &Accepted) -> bool {
        self.proxy.iter().any(|entry| entry.gap && entry.spot == table.spot)
    }

    /// See [`Monitor::Sent`]. The first table carries the route that nobody wrote: nothing. Facts are fewer than decisions
    /// and are kept for longer: of what came before `since` nobody can say who asked for it.
    fn sent(&self, routes: &[(u64, Sent)], since: u64, found: &mut Vec<Finding>) {
        let first = self.tables.first().map(|table| (table.generation, table.boot));
        for (a, b) in self.tables.iter().zip(self.tables.iter().skip(1)) {
            let begins = first == Some((b.generation, b.boot)) || self.ended.contains(&b.boot);
            if begins || a.generation == b.generation || self.is_after_gap(b) || b.boot < since {
                continue;
            }
            let decided = routes.iter().any(|(boot, sent)| match sent.write {
                Write::Route(route) => *boot <= b.boot && is_shown(&b.route, &route),
                Write::Claim | Write::Resize { .. } | Write::Rewrite { .. } => false,
            });
            if !decided {
                let lease = if b.route.lease { ", with a lease" } else { "" };
                let what = format!(
                    "the route {}{lease} came to the proxy, and nobody had asked for it",
                    story::route(&b.route)
                );
                found.push(Finding { monitor: Monitor::Sent, spots: vec![b.spot.clone()], what });
            }
        }
    }

    /// The tables that a worker may go by at a moment.
    fn in_use(&self, boot: u64) -> impl Iterator<Item = &Accepted> {
        let known = self.tables.iter().take_while(|table| table.boot <= boot).count();
        let known = &self.tables[..known];
        let from = known.iter().rposition(|table| table.acknowledged.is_some_and(|at| at <= boot)).unwrap_or(0);
        let ended = known.iter().rposition(|table| self.ended.contains(&table.boot)).unwrap_or(0);
        known[from.max(ended)..].iter()
    }

    /// See [`Monitor::Applied`]. A table that came within the moment of the look is left to the next one.
    fn applied(&self, looks: &[Look], found: &mut Vec<Finding>) {
        for look in looks {
            let shown: Vec<Split> = look.seen.route.splits().collect();
            let settled = |table: &&Accepted| table.epoch <= look.run && table.boot < look.boot;
            for table in self.in_use(look.boot).filter(settled) {
                let counts = [0, 1].map(|slot: usize| table.endpoints[slot].len() as u16);
                let Some(split) =
                    table.route.splits().find(|split| !shown.iter().any(|of| clipped(*of, counts) == *split))
                else {
                    continue;
                };
                let spots = vec![table.spot.clone(), look.spot.clone()];
                let what = format!("the proxy may apply {split:?}, and only {shown:?} are seen");
                found.push(Finding { monitor: Monitor::Applied, spots, what });
            }
        }
    }

    /// See [`Monitor::Fallback`].
    fn fallback(&self, found: &mut Vec<Finding>) {
        for entry in &self.proxy {
            if entry.line.what != (ProxyFact::Fallback { taken: true }) {
                continue;
            }
            let may = self.in_use(entry.line.boot).any(|table| table.route.lease && table.route.fallback.is_some());
            if !may {
                let what = "no table in force has a fallback with a lease".to_owned();
                found.push(Finding { monitor: Monitor::Fallback, spots: vec![entry.spot.clone()], what });
            }
        }
    }

    /// See [`Monitor::Named`] and [`Monitor::Drained`].
    fn named(&self, looks: &[Look], found: &mut Vec<Finding>) {
        for entry in &self.instances {
            let InstanceFact::Stopped { id, slot, open, .. } = &entry.line.what else { continue };
            let boot = entry.line.boot;
            if let Some(table) =
                self.in_use(boot).find(|table| table.endpoints[*slot].iter().any(|named| named.id == *id))
            {
                let what = format!("{id} is told to stop, and version {} names it", table.version);
                let spots = vec![table.spot.clone(), entry.spot.clone()];
                found.push(Finding { monitor: Monitor::Named, spots, what });
            }
            let due = || looks.iter().rev().filter(|look| look.boot <= boot).take(2).any(|look| look.seen.due.drain);
            if *open > 0 && !due() {
                let what = format!("{id} is told to stop with {open} open requests");
                found.push(Finding { monitor: Monitor::Drained, spots: vec![entry.spot.clone()], what });
            }
        }
    }

    /// See [`Monitor::AfterAck`].
    fn after_ack(&self, found: &mut Vec<Finding>) {
        for entry in &self.proxy {
            if let ProxyFact::Quiet { id, after_ack: 1.. } = &entry.line.what {
                let what = format!("{id} got requests");
                found.push(Finding { monitor: Monitor::AfterAck, spots: vec![entry.spot.clone()], what });
            }
        }
    }
}

/// Whether these are the same split, but for members that are there or not.
fn alike(a: Split, b: Split) -> bool {
    match (a, b) {
        (Split::Weighted(a), Split::Weighted(b)) => a == b,
        (Split::Members(_), Split::Members(_)) => true,
        (Split::Weighted(_), Split::Members(_)) | (Split::Members(_), Split::Weighted(_)) => false,
    }
}

/// What a table with so many endpoints says of a split.
fn clipped(split: Split, counts: [u16; 2]) -> Split {
    match split {
        Split::Weighted(_) => split,
        Split::Members(members) => Split::Members([members[0].min(counts[0]), members[1].min(counts[1])]),
    }
}

/// Whether a table's route is what it shows of the route that was written.
fn is_shown(shown: &Route, written: &Route) -> bool {
    let fallback = match (shown.fallback, written.fallback) {
        (Some(shown), Some(written)) => is_part(shown, written),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    fallback && shown.lease == written.lease && is_part(shown.split, written.split)
}
