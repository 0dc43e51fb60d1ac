//! What the proxy writes down of itself: rare things only, and never on the way of a request.
use crate::clock::{boot_ms, wall_ms};
use crate::protocol::{self, InstanceReport, Table};
use serin_journal::fact::{Named, ProxyFact, Split};
use serin_journal::{Journal, PROXY, Stamp};
use std::collections::BTreeSet;
use std::path::Path;

/// The file keeps at most twice this.
const BYTES: u64 = 4 * 1024 * 1024;

/// Writes the facts down. Only the control thread has it.
pub(crate) struct Facts {
    journal: Journal,
    began: bool,
    named: BTreeSet<String>,
    /// Instances that left the table and may still have something open.
    leaving: BTreeSet<String>,
    fallback: bool,
    broken: [bool; 2],
}

impl Facts {
    pub(crate) fn new(dir: &Path) -> Facts {
        Facts {
            journal: Journal::at(dir.join(PROXY), BYTES, boot_ms()),
            began: false,
            named: BTreeSet::new(),
            leaving: BTreeSet::new(),
            fallback: false,
            broken: [false; 2],
        }
    }

    /// A table is about to be given to the workers.
    pub(crate) fn table(&mut self, table: &Table) {
        let endpoints = table.slots.each_ref().map(|slot| {
            let named = slot.endpoints.iter().map(|e| Named { id: e.id.clone(), ready: e.ready });
            named.collect::<Vec<_>>()
        });
        let named: BTreeSet<String> = endpoints.iter().flatten().map(|endpoint| endpoint.id.clone()).collect();
        self.leaving.extend(self.named.difference(&named).cloned());
        self.leaving.retain(|id| !named.contains(id));
        self.named = named;
        self.tell(ProxyFact::Table {
            epoch: table.epoch,
            version: table.version,
            generation: table.generation,
            split: split(table.split),
            fallback: table.fallback.map(split),
            lease_ms: table.lease_ms,
            endpoints,
        });
    }

    /// No worker goes by an older table any more.
    pub(crate) fn acknowledged(&mut self, version: u64) {
        self.tell(ProxyFact::Acknowledged { version });
    }

    /// Whether the fallback is in force, and which slots' instances refuse.
    pub(crate) fn now(&mut self, fallback: bool, broken: [bool; 2]) {
        if std::mem::replace(&mut self.fallback, fallback) != fallback {
            self.tell(ProxyFact::Fallback { taken: fallback });
        }
        let before = std::mem::replace(&mut self.broken, broken);
        for (slot, (_, broken)) in before.into_iter().zip(broken).enumerate().filter(|(_, (old, new))| old != new) {
            self.tell(ProxyFact::Circuit { slot, broken });
        }
    }

    /// Whether [`Facts::open`] has anything to find.
    pub(crate) fn awaits_quiet(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// What is open now on every instance on which anything is.
    pub(crate) fn open(&mut self, reports: &[InstanceReport]) {
        let of = |id: &String| reports.iter().find(|report| report.id == *id);
        let is_quiet = |id: &&String| of(id).is_none_or(|report| report.open + report.tunnels == 0);
        let quiet: Vec<_> = self.leaving.iter().filter(is_quiet).cloned().collect();
        for id in quiet {
            let after_ack = of(&id).map_or(0, |report| report.started_after_ack);
            self.leaving.remove(&id);
            self.tell(ProxyFact::Quiet { id, after_ack });
        }
    }

    fn tell(&mut self, fact: ProxyFact) {
        let stamp = Stamp { at: wall_ms(), boot: boot_ms() };
        if !std::mem::replace(&mut self.began, true) {
            self.journal.tell(stamp, ProxyFact::Began {});
        }
        self.journal.tell(stamp, fact);
    }
}

/// A table that was accepted was checked: its numbers fit.
fn split(split: protocol::Split) -> Split {
    match split {
        protocol::Split::Weighted(shares) => Split::Weighted(shares.map(|share| share as u16)),
        protocol::Split::Members(members) => Split::Members(members.map(|count| count as u16)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Endpoint, Settings, SlotTable, Track};
    use serin_journal::Line;

    fn table(version: u64, ids: &[&str]) -> Table {
        let endpoints =
            ids.iter().map(|id| Endpoint { id: (*id).to_owned(), address: ([127, 0, 0, 1], 9).into(), ready: true });
        let slots = [
            SlotTable { track: Track::Stable, endpoints: endpoints.collect() },
            SlotTable { track: Track::Canary, endpoints: vec![] },
        ];
        let split = protocol::Split::Members([ids.len(), 0]);
        Table {
            epoch: 1,
            version,
            generation: 1,
            split,
            fallback: None,
            lease_ms: None,
            slots,
            settings: Settings::default(),
        }
    }

    fn report(id: &str, open: u64) -> InstanceReport {
        InstanceReport { id: id.to_owned(), slot: None, open, tunnels: 0, started_after_ack: 0 }
    }

    #[test]
    fn each_change_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut facts = Facts::new(dir.path());
        facts.table(&table(1, &["a", "b"]));
        facts.now(false, [false; 2]);
        assert!(!facts.awaits_quiet());
        facts.table(&table(2, &["a"]));
        facts.acknowledged(2);
        facts.now(true, [false, true]);
        facts.now(true, [false, true]);
        facts.open(&[report("b", 1)]);
        assert!(facts.awaits_quiet());
        facts.open(&[]);
        assert!(!facts.awaits_quiet());
        let text = std::fs::read_to_string(dir.path().join(PROXY)).unwrap();
        let lines: Vec<Line<ProxyFact>> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let what: Vec<_> = lines.into_iter().map(|line| line.what).collect();
        assert!(matches!(what[..2], [ProxyFact::Began {}, ProxyFact::Table { version: 1, .. }]));
        assert_eq!(
            what[3..],
            [
                ProxyFact::Acknowledged { version: 2 },
                ProxyFact::Fallback { taken: true },
                ProxyFact::Circuit { slot: 1, broken: true },
                ProxyFact::Quiet { id: "b".into(), after_ack: 0 },
            ]
        );
    }
}
