//! The simulated world, the fault injector and the model checker.
//!
//! This crate runs the very `decide` and `permit` that production runs, in a world in which everything that can go
//! wrong does, and holds them to a small library of named invariants. It never talks to a real platform and knows no
//! clock: time is what the world says is due.
//!
//! * [`world`]: one state, and what may happen next;
//! * [`invariants`] and [`advance`]: what always holds;
//! * [`quiet`]: what comes about in the end;
//! * [`bfs`] and [`lite`]: every state of small worlds, in [`configs`], whose sizes are [`pins`];
//! * [`check`]: all of them, on all cores; with the feature `cross`, counted again by a checker of other people's;
//! * [`simulator`] and [`seeds`]: random ways through large ones;
//! * [`explore`]: every state of a plan that somebody has;
//! * [`play`]: one release on a virtual clock, under a scenario;
//! * [`sweep`]: a death at every single action of a release;
//! * [`mod@enumerate`]: the second key on every input of a size;
//! * [`fuzz`]: both keys on drawn views of states that were reached;
//! * [`trace`]: whether the real world does only what this one offers;
//! * [`mutants`]: the checker's own test.
#![forbid(unsafe_code)]

pub mod admission;
pub mod advance;
pub mod arguments;
pub mod bfs;
pub mod check;
pub mod choice;
pub mod configs;
pub mod coverage;
#[cfg(any(test, feature = "cross"))]
pub mod cross;
pub mod enumerate;
pub mod env;
pub mod excuses;
pub mod explore;
pub mod fingerprint;
pub mod foreign;
pub mod fuzz;
pub mod invariants;
pub mod lite;
pub mod mutants;
pub mod pins;
pub mod play;
pub mod progress;
pub mod quiet;
pub mod seeds;
pub mod simulator;
pub mod state;
pub mod story;
pub mod subject;
pub mod sweep;
pub mod table;
pub mod trace;
pub mod world;
