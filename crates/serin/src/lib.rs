//! What the `serin` binary is made of: the config file and the command line.
//!
//! The pieces that run services (engine, supervisor, proxy) are given to the command line as functions
//! ([`cli::Runtime`]), so that nothing here starts a process or opens a listening socket by itself.

pub mod cli;
pub mod config;
pub mod runtime;
