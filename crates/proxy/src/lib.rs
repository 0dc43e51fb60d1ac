//! The embedded data plane: an HTTP/1.1 proxy that splits traffic between two slots of instances.
//!
//! It never decides what the split is, never starts or stops an instance and never binds a socket of its own: it is told
//! a table, keeps it on disk, and says what is in force.
pub mod http;
