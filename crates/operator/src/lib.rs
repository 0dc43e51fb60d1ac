//! The operator's hands: how Serin reaches the Kubernetes API, what it keeps of it, and how it writes to it.
//!
//! ```text
//! connect ─▶ Api ─┬─▶ shelf   shared watches: every object that a release needs, pruned, with how sure it is
//!                 ├─▶ lease   who of several operators may write, with a number that only grows
//!                 └─▶ write   the few kinds of writes, each with a precondition and an honest error
//! ```
//!
//! Nothing here decides anything about a release: that is the engine's. What Flagger's objects mean is in
//! `serin-kubernetes`. This is the only crate that names `kube`.
//!
//! Of `kube` the client is used (the kubeconfig, credentials, TLS), and not its runtime; [`shelf`] says why.
#![forbid(unsafe_code)]

mod call;
pub mod connect;
#[cfg(test)]
mod fake;
mod kind;
pub mod lease;
mod object;
mod random;
pub mod shelf;
mod version;
pub mod write;

pub use call::{CallError, Refusal};
pub use connect::{Api, ConnectError, Settings, connect};
pub use kind::{Key, Kind};
pub use object::Object;
pub use version::at_least;
