//! Runs rollouts on one machine: what the pure crates decide is stored here, permitted here and carried out from here.

#![forbid(unsafe_code)]

pub mod store;
