//! What is watched over: each monitor is one sentence. Those about changes name what the simulated world offers.
use crate::invariants::Rule;
use crate::trace::read::Spot;
use std::fmt;

/// One thing that must hold of every journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Monitor {
    /// Of one observation or write, from the library of the checker.
    Invariant(Rule),
    /// See its sentence.
    Order,
    /// See its sentence.
    Decides,
    /// See its sentence.
    Permits,
    /// See its sentence.
    Permitted,
    /// See its sentence.
    Claims,
    /// See its sentence.
    Answered,
    /// See its sentence.
    Skips,
    /// See its sentence.
    Frozen,
    /// See its sentence.
    Counts,
    /// See its sentence.
    Orders,
    /// See its sentence.
    Created,
    /// See its sentence.
    Accepted,
    /// See its sentence.
    InForce,
    /// See its sentence.
    Acknowledged,
    /// See its sentence.
    Stale,
    /// See its sentence.
    Busy,
    /// See its sentence.
    Due,
    /// See its sentence.
    Verdict,
    /// See its sentence.
    Intent,
    /// See its sentence.
    Claimed,
    /// See its sentence.
    Failed,
    /// See its sentence.
    Reachable,
    /// See its sentence.
    Versions,
    /// See its sentence.
    Fenced,
    /// See its sentence.
    Sent,
    /// See its sentence.
    Applied,
    /// See its sentence.
    Fallback,
    /// See its sentence.
    Named,
    /// See its sentence.
    Drained,
    /// See its sentence.
    AfterAck,
}

impl Monitor {
    /// What must hold.
    pub const fn sentence(self) -> &'static str {
        match self {
            Monitor::Invariant(rule) => rule.sentence(),
            Monitor::Order => "the lines of an incarnation are whole and in order, and incarnations follow each other",
            Monitor::Decides => "the first key, asked again about what is logged, gives what is logged",
            Monitor::Permits => "the second key, asked again about what is logged, gives what is logged",
            Monitor::Permitted => {
                "nothing comes of a write that the second key refused, nor of one that nobody asked for"
            }
            Monitor::Claims => "an incarnation sends nothing before it has fenced the objects",
            Monitor::Answered => "what came of a save or a write is told before the same incarnation decides again",
            Monitor::Skips => {
                "a status is the one that was saved last; only a death may leave open whether the last save took place"
            }
            Monitor::Frozen => "whatever leaves rest keeps the plan that it left with until it rests again",
            Monitor::Counts => "no more instances are healthy than ready, nor ready than there are",
            Monitor::Orders => "what a set was told to have changes only as a write that was sent says",
            Monitor::Created => "instances are created only up to what their set was told to have",
            Monitor::Accepted => "the accepted route changes only by a route write that was sent",
            Monitor::InForce => {
                "a split comes into force only by a route write that was sent; without one it can only leave"
            }
            Monitor::Acknowledged => {
                "a confirmed route is unconfirmed only by a route write, or by a table with the same route for other instances"
            }
            Monitor::Stale => {
                "a view becomes older than the own writes only by a death, an own write, or a silent data plane"
            }
            Monitor::Busy => "open requests without traffic appear only where traffic was taken away",
            Monitor::Due => {
                "a timer is due only while it is armed, and stays due for as long as it is armed for the same"
            }
            Monitor::Verdict => "a verdict is about the present step or an earlier one of the same rollout",
            Monitor::Intent => "what people ask for names the present rollout or an earlier one",
            Monitor::Claimed => "the objects are fenced by a claim, and until a death or a conflict",
            Monitor::Failed => "what is said of the last write is what came of it",
            Monitor::Reachable => "what is seen next can be reached in the simulated world from what was seen before",
            Monitor::Versions => "tables are numbered one by one, and those of one generation carry the same route",
            Monitor::Fenced => "nothing of an incarnation takes effect after a later one has",
            Monitor::Sent => "a route reaches the proxy only after its write was decided and permitted",
            Monitor::Applied => {
                "what the proxy may apply is among the splits that the controller sees in force at the same time"
            }
            Monitor::Fallback => "a fallback is taken only where the table has one with a lease",
            Monitor::Named => "an instance is told to stop only when no table that a worker may go by names it",
            Monitor::Drained => "an instance with open requests is told to stop only when its drain deadline was due",
            Monitor::AfterAck => "nothing is sent to an instance after a table without it was confirmed",
        }
    }
}

/// A monitor that was broken, and by what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The monitor.
    pub monitor: Monitor,
    /// The lines that it is about, the older one first.
    pub spots: Vec<Spot>,
    /// What is so.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for spot in &self.spots {
            writeln!(f, "  {spot}")?;
        }
        writeln!(f, "    {}", self.what)?;
        write!(f, "    {:?}: {}", self.monitor, self.monitor.sentence())
    }
}
