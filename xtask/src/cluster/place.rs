//! A cluster's directory: what lies where in it, outside of the node and inside of it.

use std::path::{Path, PathBuf};

/// Where the node sees the cluster's directory, whatever its name outside is.
pub const INSIDE: &str = "/run/serin";

/// The directory of one cluster. Everything that is needed to use it and to end it is in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(PathBuf);

impl Place {
    /// The directory, by its full name.
    pub fn new(directory: &Path) -> std::io::Result<Place> {
        std::path::absolute(directory).map(Place)
    }

    /// Its full name.
    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// For people and for clients: the cluster's administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.0.join("kubeconfig")
    }

    /// What others have to know of the running cluster; it is written when all of it is up.
    pub fn state(&self) -> PathBuf {
        self.0.join("cluster.json")
    }

    /// The API server's audit log.
    pub fn audit(&self) -> PathBuf {
        self.0.join("log/audit.log")
    }

    /// The output of a part.
    pub fn log(&self, part: &str) -> PathBuf {
        self.0.join("log").join(format!("{part}.log"))
    }

    /// A configuration file.
    pub fn conf(&self, name: &str) -> PathBuf {
        self.0.join("conf").join(name)
    }

    /// A key, a certificate or a token.
    pub fn keys(&self, name: &str) -> PathBuf {
        self.0.join("keys").join(name)
    }

    /// A program.
    pub fn bin(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }
}
