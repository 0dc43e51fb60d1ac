//! What to do next in a release: the decision core.
//!
//! Two pure functions. [`decide`] looks at a frozen [`Plan`], the saved [`Status`] and a fresh [`Observation`], and
//! answers with exactly one of *save this status*, *ask for this write* or *wait for this*. [`permit`] is the second
//! key: evaluated on a fresh read directly before every write, whoever asks for it, it refuses what could take capacity
//! away from traffic.
//!
//! This crate never reads a clock, never does I/O, never draws a random number, never uses a floating-point number and
//! never blocks; the compiler holds that (`no_std`). It is level-triggered: it looks at what *is*, not at what was done,
//! so a crash at any point, a lost write or a repeated one changes nothing.
//!
//! The order of calls, which the driver keeps: observe → [`decide`] → save, or (observe again → [`permit`] → write).
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod capacity;
mod decide;
mod event;
mod guards;
mod observation;
mod permit;
mod plan;
mod split;
mod status;
mod waiting;

pub use capacity::usable_of;
pub use decide::{Decision, decide, decide_with};
pub use event::Event;
pub use guards::{Guards, Sound};
pub use observation::{Intent, Observation, RouteSeen, SetSeen, Verdict, Write, WriteError};
pub use permit::{Limits, Refusal, permit, permit_with};
pub use plan::{Accept, Home, Kind, OnAbort, Plan, PlanError, Preset, Step, Target, Times, WeightStep, rising};
pub use split::{Bp, FULL, Pair, Route, Slot, Split, other};
pub use status::{
    Armed, InStep, Interrupted, Last, Leg, Outcome, Phase, Rev, RolloutId, Status, StepKey, Timer, TimerKey, Timers,
    Why,
};
pub use waiting::WaitingOn;
