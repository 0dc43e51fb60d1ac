//! Kubernetes: Flagger's objects as they are, and what Serin makes of them.
//!
//! This is the pure half. It does no I/O, reads no clock and knows no client: values come in, values go out.
//!
//! ```text
//! JSON of an object ─▶ flagger (field by field) ─▶ wanted (Plan, Checks, questions, hooks, names) ─▶ the engine
//! the engine's status ─▶ status (.status: phase, conditions)     facts ─▶ wording (lines)  payload (webhooks)
//! ```
//!
//! Beside it stand the workloads themselves, in [`workload`]: what a revision of one is, what is seen of it, and the writes
//! that resize and rewrite it.
//!
//! A mistake in an object is a [`Problem`] with the field, a sentence, and what to write instead. All of them are told,
//! and one bad object never harms another one. What Serin does not carry out yet is one table, [`support`].
//!
//! The schemas that the API server holds objects to are in `deploy/crds`; a test holds them against what is read here.
#![forbid(unsafe_code)]

mod decode;
pub mod duration;
pub mod flagger;
mod patch;
pub mod payload;
mod problem;
pub mod promql;
pub mod query;
pub mod route;
pub mod status;
pub mod support;
pub mod wanted;
pub mod wording;
pub mod workload;

pub use patch::Patch;
pub use problem::{MOST, Problem, Rule, Severity};
pub use wanted::{Defaults, Target, Wanted, collisions, wanted};
