//! The facts of instances: started, found, ready, told to stop, gone. For whoever asks later; nothing here is read back.
use crate::member::Member;
use serin_engine::{Clock, SystemClock};
use serin_journal::fact::InstanceFact;
use serin_journal::{Journal, Stamp};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The file keeps at most twice this.
const BYTES: u64 = 4 * 1024 * 1024;

/// Writes the facts down.
#[derive(Debug)]
pub(crate) struct Told {
    journal: Journal,
    began: bool,
    /// Every living instance that was told of: whether it was ready, and whether it was told to stop.
    known: BTreeMap<String, (bool, bool)>,
}

impl Told {
    pub fn new(path: PathBuf, epoch: u64) -> Told {
        Told { journal: Journal::at(path, BYTES, epoch), began: false, known: BTreeMap::new() }
    }

    /// What runs was taken for what the slots were told to have.
    pub fn taken_up(&mut self) {
        self.tell(InstanceFact::TakenUp {});
    }

    /// An instance was started here.
    pub fn started(&mut self, member: &Member) {
        self.known.insert(member.id(), (false, false));
        self.tell(InstanceFact::Started { id: member.id(), slot: member.badge.slot, rev: member.badge.rev });
    }

    /// An instance was told to stop, once this version of the table was confirmed.
    pub fn stopped(&mut self, member: &Member, desired: u16, version: u64) {
        self.known.insert(member.id(), (false, true));
        let (id, slot, open) = (member.id(), member.badge.slot, member.open);
        self.tell(InstanceFact::Stopped { id, slot, desired, open, version });
    }

    /// Everything that lives, as it is now.
    pub fn look(&mut self, members: &BTreeMap<String, Member>) {
        let gone: Vec<String> = self.known.keys().filter(|id| !members.contains_key(*id)).cloned().collect();
        for id in gone {
            let (_, stopping) = self.known.remove(&id).unwrap_or_default();
            self.tell(InstanceFact::Exited { id, stopping });
        }
        for (id, member) in members {
            if !self.known.contains_key(id) {
                let (slot, rev, stopping) = (member.badge.slot, member.badge.rev, member.stopping);
                self.known.insert(id.clone(), (false, stopping));
                self.tell(InstanceFact::Found { id: id.clone(), slot, rev, stopping });
            }
            let ready = member.is_ready();
            let Some(before) = self.known.get_mut(id) else { continue };
            if std::mem::replace(&mut before.0, ready) != ready {
                let id = id.clone();
                self.tell(if ready { InstanceFact::Ready { id } } else { InstanceFact::Unready { id } });
            }
        }
    }

    fn tell(&mut self, fact: InstanceFact) {
        let stamp = Stamp { at: SystemClock.wall_ms(), boot: SystemClock.boot_ms() };
        if !std::mem::replace(&mut self.began, true) {
            self.journal.tell(stamp, InstanceFact::Began {});
        }
        self.journal.tell(stamp, fact);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serin_journal::Line;

    #[test]
    fn who_is_gone_is_told_of_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("facts");
        let mut told = Told::new(path.clone(), 4);
        told.known.insert("a".into(), (true, true));
        told.look(&BTreeMap::new());
        told.look(&BTreeMap::new());
        let text = std::fs::read_to_string(path).unwrap();
        let facts: Vec<Line<InstanceFact>> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let what: Vec<_> = facts.iter().map(|line| line.what.clone()).collect();
        assert_eq!(what, [InstanceFact::Began {}, InstanceFact::Exited { id: "a".into(), stopping: true }]);
        assert_eq!(facts[0].run, 4);
    }
}
