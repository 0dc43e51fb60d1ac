//! One release under load, from rest to rest, with everything that was counted meanwhile.

use super::controller::{Released, every_instance, last_ending, slot_of};
use super::dataplane::Counters;
use super::spec::Spec;
use super::traffic::{Shape, Summary};
use super::{Stage, controller};
use crate::json::Value;
use crate::run::{Stop, fail};
use std::time::Duration;

/// The load runs this long before a release and after it.
const MARGIN: Duration = Duration::from_millis(700);

/// What was seen of a release.
#[derive(Debug)]
pub struct Observed {
    /// Which one, for sentences.
    pub name: String,
    /// How `serin deploy` ended.
    pub released: Released,
    /// The status before it.
    pub before: Value,
    /// The status after it, at rest again.
    pub after: Value,
    /// What the load saw.
    pub load: Summary,
    /// What the proxy counted meanwhile.
    pub counted: Counters,
}

impl Stage {
    /// Releases `spec` under load; `then` does what follows while the load goes on, before the service rests again.
    ///
    /// # Errors
    /// When the service does not rest before or after, or what `then` says.
    pub fn observe(
        &self,
        name: &str,
        spec: &Spec,
        (seed, shape): (u64, Shape),
        then: impl FnOnce(&Released) -> Result<(), Stop>,
    ) -> Result<Observed, Stop> {
        self.say(name);
        let before = self.rests("at rest before a release")?;
        let counters = self.counters()?;
        let load = self.traffic_of(seed, shape)?;
        std::thread::sleep(MARGIN);
        let released = self.release(spec)?;
        then(&released)?;
        let after = self.rests("at rest after a release")?;
        std::thread::sleep(MARGIN);
        let load = load.stop()?;
        let counted = self.counters()?.since(&counters);
        Ok(Observed { name: name.to_owned(), released, before, after, load, counted })
    }
}

impl Observed {
    /// The slot that the new revision was tried in.
    pub fn canary(&self) -> usize {
        slot_of(&self.before, "stable").map_or(1, |stable| 1 - stable)
    }

    /// Fails unless `serin deploy` said `outcome`, and the service says now that the release ended as `ending`.
    ///
    /// # Errors
    /// How it ended instead.
    pub fn must_end(&self, outcome: &str, ending: &str) -> Result<(), Stop> {
        let code = if outcome == "promoted" { 0 } else { 1 };
        if self.released.outcome != outcome || self.released.code != code {
            return fail(format!("{}: it ended as {:?}, and should have been {outcome}", self.name, self.released));
        }
        match last_ending(&self.after) == Some(ending) {
            true => Ok(()),
            false => fail(format!("{}: in the end it should have been {ending}: {}", self.name, self.after)),
        }
    }

    /// Fails unless the very same processes run as before (`same`), or others in their place; and as many.
    ///
    /// # Errors
    /// What ran before and what after.
    pub fn must_run(&self, same: bool) -> Result<(), Stop> {
        let (before, after) = (running(&self.before), running(&self.after));
        let kept = before.iter().filter(|one| after.contains(one)).count();
        let right = if same { kept == before.len() } else { kept == 0 };
        match right && before.len() == after.len() {
            true => Ok(()),
            false => fail(format!("{}: these ran before: {before:?}; these run after: {after:?}", self.name)),
        }
    }
}

/// What runs: the process of each instance, and how often it was restarted.
fn running(status: &Value) -> Vec<(String, u64, u64)> {
    let number = |i: &Value, name: &str| i.get(name).and_then(Value::number).unwrap_or_default() as u64;
    let mut all: Vec<_> =
        every_instance(status).map(|i| (controller::id(i), number(i, "pid"), number(i, "restarts"))).collect();
    all.sort();
    all
}
