//! An open-loop load generator over real sockets, and a small backend whose faults can be switched on and off.
//!
//! The generator starts each request at its intended time whatever the answers do, never sends one twice, and measures
//! latency from the intended start, so that a stall shows as the wait that a user would have had. What it could not
//! send in time is counted (`late`, `unsent`), never left out. It never decides whether a run was good: it counts, and
//! the test that asked for the load judges.

pub mod arguments;
pub mod backend;
pub mod config;
mod exchange;
mod histogram;
mod load;
mod outcome;
mod pacer;
mod pool;
mod record;
mod sockets;
mod summary;
pub mod websocket;
pub mod wire;

pub use config::Config;
pub use load::{Handle, Load, LoadError};
pub use outcome::Outcome;
pub use summary::{Latency, Summary};
