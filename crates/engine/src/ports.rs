//! What the driver needs of the world. A platform implements these; they combine freely.
use serde::{Deserialize, Serialize};
use serin_analysis::{Measurement, Sample};
use serin_rollout::{Pair, Rev, Route, RouteSeen, SetSeen, Slot, StepKey};
use std::future::Future;

/// Why a platform did not do what was asked. Nothing may be concluded from it about what is so now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// Somebody else changed the object, or fenced this controller.
    #[error("{0}")]
    Conflict(String),
    /// Anything else, in the platform's own words.
    #[error("{0}")]
    Failed(String),
}

/// A revision with everything that it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its number in the ledger.
    pub rev: Rev,
    /// The full hash of the content.
    pub hash: String,
    /// The content as the platform's own type reads it.
    pub content: serde_json::Value,
}

/// How a port looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// At what it knows without asking, which is never older than this controller's own last write; what could be is told
    /// as not fresh.
    Known,
    /// At how it is now: it asks, and the answer is linearizable. Directly before a write.
    Fresh,
}

/// The instances.
pub trait Fleet {
    /// Fences every set for `epoch`: no write of a lower one lands any more.
    fn claim(&mut self, epoch: u64) -> impl Future<Output = Result<(), PortError>>;
    /// Both sets.
    fn observe(&mut self, look: Look) -> impl Future<Output = Result<Pair<SetSeen>, PortError>>;
    /// Asks for `to` instances of `revision` in `slot`. Idempotent.
    fn resize(
        &mut self,
        slot: Slot,
        to: u16,
        revision: &Revision,
        pin: bool,
    ) -> impl Future<Output = Result<(), PortError>>;
    /// Gives the existing set in `slot` another revision, in the platform's own way. Idempotent.
    fn rewrite(&mut self, slot: Slot, revision: &Revision) -> impl Future<Output = Result<(), PortError>>;
    /// Why this platform cannot run a revision of this content, ever, as far as can be said without starting it.
    fn refuses(&self, content: &serde_json::Value) -> impl Future<Output = Option<String>>;
    /// Every instance, for people.
    fn instances(&self) -> Vec<InstanceSeen>;
    /// What keeps instances from being started, in sentences.
    fn troubles(&self) -> Vec<String>;
}

/// The split.
pub trait Router {
    /// Fences the route for `epoch`.
    fn claim(&mut self, epoch: u64) -> impl Future<Output = Result<(), PortError>>;
    /// The accepted route and every split that some data plane may still apply.
    fn observe(&mut self, look: Look) -> impl Future<Output = Result<RouteSeen, PortError>>;
    /// Says which slot is the stable one, for the addresses of the tracks; it takes effect with the next look.
    fn orient(&mut self, good: Slot) -> impl Future<Output = ()>;
    /// Writes a new generation. `lease_ms` is how long the split holds without [`Router::renew`].
    fn write(&mut self, route: Route, lease_ms: u64) -> impl Future<Output = Result<(), PortError>>;
    /// Lets the lease begin anew.
    fn renew(&mut self) -> impl Future<Output = Result<(), PortError>>;
    /// What the data plane says about itself, for people.
    fn describe(&self) -> RouterSeen;
}

/// Where measurements come from.
pub trait MetricSource {
    /// The counters of `slot`, cumulative since the data plane began to count.
    fn read(&mut self, slot: Slot) -> impl Future<Output = Result<Sample, String>>;
    /// What others say of `slot` at the step that is named: one measurement for each of [`serin_analysis::Checks::asked`],
    /// in their order.
    fn ask(&mut self, slot: Slot, key: StepKey) -> impl Future<Output = Vec<Measurement>>;
}

/// Two clocks: one for deadlines, which nobody can move, and one for people.
pub trait Clock {
    /// Milliseconds since the machine was started, sleep included.
    fn boot_ms(&self) -> u64;
    /// Names this start of the machine: deadlines on the other clock mean nothing after the next one.
    fn boot_id(&self) -> String;
    /// Milliseconds since the Unix epoch.
    fn wall_ms(&self) -> u64;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn boot_ms(&self) -> u64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        now.tv_sec as u64 * 1_000 + now.tv_nsec as u64 / 1_000_000
    }

    fn boot_id(&self) -> String {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
    }

    fn wall_ms(&self) -> u64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        now.tv_sec.max(0) as u64 * 1_000 + now.tv_nsec as u64 / 1_000_000
    }
}

/// An instance as people want to see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceSeen {
    /// Its name.
    pub id: String,
    /// The slot that it belongs to.
    pub slot: Slot,
    /// One word: starting, ready, unready, restarting, stopping, failed.
    pub state: String,
    /// Whether it has been ready for the minimum time.
    pub healthy: bool,
    /// Its process, while there is one.
    pub pid: Option<u32>,
    /// Where it listens.
    pub address: Option<String>,
    /// When it entered the state, in milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// How often it was started again.
    pub restarts: u32,
    /// How it ended the last time.
    pub last_exit: Option<String>,
    /// What is wrong, in a sentence.
    pub error: Option<String>,
    /// Requests that are open on it.
    pub open: u64,
}

/// A router as people want to see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterSeen {
    /// The addresses by name: `main`, `stable`, `canary`.
    pub addresses: Vec<(String, String)>,
    /// What a confirmation of this router is worth: `dataplane`, `measured` or `time`.
    pub strength: String,
    /// Why the fallback is in force, if it is.
    pub falling_back: Option<String>,
    /// The slot whose requests another one answers, if there is one, and a sentence on it.
    pub circuit: Option<(Slot, String)>,
    /// Requests that wait for an instance.
    pub held: u64,
    /// Why the data plane cannot be reached, if it cannot.
    pub unreachable: Option<String>,
}
