//! `serin shim DIR` (internal): the parent of one instance or of the proxy. What it does is [`super::Runtime::shim`]'s.

use std::path::PathBuf;

use clap::Args;

/// What `serin shim` takes.
#[derive(Debug, Args)]
pub struct Shim {
    /// Directory of the instance or of the proxy.
    dir: PathBuf,
}

/// What a shim is started with.
#[derive(Clone, Debug)]
pub struct Job {
    /// Directory of the instance or of the proxy.
    pub dir: PathBuf,
}

impl Shim {
    pub(super) fn job(self) -> Job {
        Job { dir: self.dir }
    }
}
