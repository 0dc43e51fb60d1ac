//! What the service must show of itself on one machine; each a verb.

pub mod bad_input;
pub mod dead_man;
pub mod drain;
pub mod first_request;
pub mod flow;
pub mod kill;
pub mod loadtest;
pub mod rollback;
pub mod zero_loss;
