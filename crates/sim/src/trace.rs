//! What really happened, held against the simulated world: the monitors run over the journals that a service writes.
//!
//! * [`read`] finds and reads them;
//! * [`walk`] goes over the decisions: each is made again, each write and each save is judged by the invariants of the
//!   checker, and each change by the rules in [`change`] and by the world itself ([`reach`]);
//! * [`facts`] holds what the proxy and the keeper say against it.
//!
//! So a proof about the simulated world says something about the real one: where the real one does what the simulated
//! one does not offer, a monitor says so.
pub mod change;
pub mod facts;
pub mod monitor;
pub mod reach;
pub mod read;
pub mod walk;
pub mod writes;

use facts::Facts;
use monitor::{Finding, Monitor};
use serin_journal::{DECISIONS, INSTANCES, PROXY};
use std::path::Path;
use walk::{Counted, Walk};

/// What was found below one directory.
#[derive(Debug, Default)]
pub struct Report {
    /// Services whose journals there are.
    pub services: u64,
    /// Lines of decision logs.
    pub lines: u64,
    /// Lines of facts.
    pub facts: u64,
    /// Lines that nobody finished.
    pub torn: u64,
    /// What was counted in the decision logs.
    pub counted: Counted,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether there was anything to watch, every rollout that began is accounted for, and nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty() && self.nothing().is_none()
    }

    /// Why this says nothing although no rule is broken, in one sentence; `None` where it says something.
    pub fn nothing(&self) -> Option<String> {
        let Counted { started, promoted, returned, .. } = self.counted;
        if self.services == 0 {
            Some(format!("no {DECISIONS} is here or below; name the state directory of a service, or one above it"))
        } else if self.lines == 0 {
            Some(format!("there is nothing in {DECISIONS}: no controller has decided anything yet"))
        } else if started > 0 && promoted + returned == 0 {
            Some(format!("of the rollouts that began ({started}) none has ended yet; trace again when one has"))
        } else {
            None
        }
    }

    fn join(&mut self, other: Report) {
        self.services += other.services;
        self.lines += other.lines;
        self.facts += other.facts;
        self.torn += other.torn;
        self.findings.extend(other.findings);
        let (sum, more) = (&mut self.counted, other.counted);
        sum.decisions += more.decisions;
        sum.saves += more.saves;
        sum.writes += more.writes;
        sum.refused += more.refused;
        sum.changes += more.changes;
        sum.reached += more.reached;
        sum.started += more.started;
        sum.promoted += more.promoted;
        sum.returned += more.returned;
    }
}

/// Runs every monitor over every service whose journals are below `dir`.
///
/// # Errors
/// A directory or a file that cannot be read, or a line that makes no sense.
pub fn trace(dir: &Path) -> Result<Report, String> {
    let mut report = Report::default();
    for service in read::services(dir)? {
        report.join(trace_one(&service)?);
    }
    Ok(report)
}

/// The journals of one service, in its state directory.
fn trace_one(state: &Path) -> Result<Report, String> {
    let decisions = read::log(&state.join(DECISIONS))?;
    let instances = read::log(&state.join(INSTANCES))?;
    let proxy = read::log(&state.join("proxy").join(PROXY))?;
    let torn = decisions.torn + instances.torn + proxy.torn;
    let order = |(spot, what)| Finding { monitor: Monitor::Order, spots: vec![spot], what };
    let wrong = [&decisions.wrong, &instances.wrong, &proxy.wrong].into_iter().flatten().cloned();
    let mut findings: Vec<Finding> = wrong.map(order).collect();
    let facts = Facts::new(proxy, instances);
    let mut walk = Walk::new(&facts);
    decisions.entries.iter().for_each(|entry| walk.line(entry));
    let first = decisions.entries.first().filter(|entry| entry.gap);
    findings.extend(facts.check(&walk.routes, &walk.looks, first.map(|entry| entry.line.boot)));
    findings.extend(walk.findings);
    let (lines, counted) = (decisions.entries.len() as u64, walk.counted);
    Ok(Report { services: 1, lines, facts: facts.lines, torn, counted, findings })
}
