//! The simulated world, the fault injector and the model checker.
//!
//! This crate runs the very `decide` and `permit` that production runs, in a world in which everything that can go
//! wrong does, and holds them to a small library of named invariants. It never talks to a real platform and knows no
//! clock: time is what the world says is due.
//!
//! * [`world`]: one state, and what may happen next;
//! * [`invariants`] and [`advance`]: what always holds;
//! * [`quiet`]: what comes about in the end;
//! * [`bfs`] and [`lite`]: every state of small worlds, in [`configs`];
//! * [`simulator`]: random ways through large ones;
//! * [`sweep`]: a death at every single action of a release;
//! * [`mutants`]: the checker's own test.
#![forbid(unsafe_code)]

pub mod advance;
pub mod bfs;
pub mod check;
pub mod choice;
pub mod configs;
pub mod coverage;
pub mod env;
pub mod excuses;
pub mod foreign;
pub mod invariants;
pub mod lite;
pub mod mutants;
pub mod quiet;
pub mod simulator;
pub mod state;
pub mod story;
pub mod subject;
pub mod sweep;
pub mod table;
pub mod world;
