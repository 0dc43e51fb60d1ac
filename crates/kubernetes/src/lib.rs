//! x
mod decode;
pub mod duration;
pub mod flagger;
mod problem;
pub mod promql;
pub mod query;
pub mod support;
pub mod wanted;
pub use problem::{MOST, Problem, Rule, Severity};
