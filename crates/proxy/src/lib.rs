//! The embedded data plane: an HTTP/1.1 proxy that splits traffic between two slots of instances.
//!
//! It never decides what the split is, never starts or stops an instance and never binds a socket of its own: it is told
//! a table, keeps it on disk, goes by it, and says what is in force and what it counted.
mod attempt;
mod client;
mod clock;
mod connection;
mod control;
pub mod counters;
mod disk;
mod exchange;
mod facts;
pub mod http;
mod process;
pub mod protocol;
mod registry;
mod route;
mod sockets;
mod tunnel;
mod wire;
mod worker;

pub use client::{Client, ClientError};
pub use disk::DiskError;
pub use process::{Options, ProxyError, main, run};
pub use sockets::{SocketError, Sockets};
