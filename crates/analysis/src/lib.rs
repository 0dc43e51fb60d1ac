//! Is the canary worse? Limits on what a track did, measurements, and the budget that turns them into a verdict.
//!
//! This crate does no I/O, reads no clock, knows no phase, no step and no platform, and keeps no float in any state. It is handed counts
//! ([`Sample`]) and hands back a [`Measurement`] per check and one [`Verdict`] per round. Who calls it decides when a round is, stores the
//! [`History`] and the [`Reading`] under (rollout, step, attempt), and acts on the verdict.
//!
//! ```text
//! cumulative counters ─▶ Reading ─▶ Window ─▶ measure (per check) ─▶ judge (per round, with History) ─▶ Verdict
//! ```
//!
//! Nothing here is a bool. A result is one of four: the limit held, it was broken, the data does not say, or there was no data source.
//! The last two never count as the first.
//!
//! The seam for comparisons with the stable track and for sequential tests is [`Method`]: a new method is a new variant there, what it
//! must see is a new field of [`Window`], and what it must remember from round to round is a new field of [`History`].

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod binomial;
mod histogram;
mod judge;
mod metric;
mod rate;
mod sample;
mod wording;

pub use binomial::rarer_than;
pub use histogram::{BUCKETS, Histogram, OVERFLOW_NS, bucket, bucket_floor};
pub use judge::{Budget, Checks, ChecksError, History, Judgement, OnError, Verdict, judge};
pub use metric::{Check, Latency, Measurement, Method, Metric, NoData, Outcome, Value, measure, unreachable};
pub use rate::{PercentError, Ppm};
pub use sample::{Reading, Sample, Window};
