//! A reverse proxy before a Kubernetes API server, for tests: it counts calls as Kubernetes names them, and at a call
//! that was chosen before it does one thing that goes wrong in the world.
//!
//! It serves plain HTTP or TLS on loopback, passes bearer tokens on, and lets watches stream. A second address steers
//! it: `GET /calls`, `POST /faults`, `DELETE /faults`.
//!
//! ```text
//! curl -d '{"verb":"patch","resource":"httproutes","at":2,"do":"conflict"}' http://127.0.0.1:PORT/faults
//! ```

mod arguments;
mod call;
mod control;
mod fault;
mod ledger;
mod proxy;
mod serve;
mod tls;
mod upstream;

pub use arguments::{Arguments, USAGE, parse};
pub use serve::{Server, start};

/// What keeps the proxy from starting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A file or an address.
    #[error("{what}: {source}")]
    Io {
        /// Which one.
        what: String,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// A certificate or a key.
    #[error("{what}: {why}")]
    Tls {
        /// Which one.
        what: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
        let what = what.into();
        move |source| Error::Io { what, source }
    }

    pub(crate) fn tls(what: impl Into<String>, why: impl ToString) -> Error {
        Error::Tls { what: what.into(), why: why.to_string() }
    }
}
