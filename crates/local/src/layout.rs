//! Where everything of a service lies on disk.
use std::path::{Path, PathBuf};

/// The state directory of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// Of `service` below the directory of all services' state.
    pub fn of(state: &Path, service: &str) -> Layout {
        Layout { dir: state.join(service) }
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the controller must not forget.
    pub fn store(&self) -> PathBuf {
        self.dir.join("store.redb")
    }

    /// The controller's API.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("control.sock")
    }

    /// The proxy's directory, which is that of its shim too.
    pub fn proxy(&self) -> PathBuf {
        self.dir.join("proxy")
    }

    /// The proxy's control socket.
    pub fn proxy_socket(&self) -> PathBuf {
        self.proxy().join("control.sock")
    }

    /// One directory per instance.
    pub fn instances(&self) -> PathBuf {
        self.dir.join("instances")
    }

    /// What each slot was told to have.
    pub fn orders(&self) -> PathBuf {
        self.dir.join("slots.json")
    }
}
