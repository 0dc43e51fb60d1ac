//! `serin proxy DIR` (internal): the data plane, on sockets that its shim passes. What it does is [`super::Runtime::proxy`]'s.

use std::path::PathBuf;

use clap::Args;

/// What `serin proxy` takes.
#[derive(Debug, Args)]
pub struct Proxy {
    /// Directory with `route.json` and `control.sock`.
    dir: PathBuf,
}

/// What the proxy is started with.
#[derive(Clone, Debug)]
pub struct Job {
    /// Directory with `route.json` and `control.sock`.
    pub dir: PathBuf,
}

impl Proxy {
    pub(super) fn job(self) -> Job {
        Job { dir: self.dir }
    }
}
