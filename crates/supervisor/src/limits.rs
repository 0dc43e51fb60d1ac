//! Limits for an instance.
use rustix::process::{Resource, Rlimit};
use serde::{Deserialize, Serialize};
/// Resolved.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resolved {
    /// nofile
    pub open_files: Option<u64>,
}
impl Resolved {
    pub(crate) fn as_rlimits(&self) -> Vec<(Resource, Rlimit)> {
        Vec::new()
    }
    pub(crate) fn enter_cgroup(&self) -> Result<Option<std::os::fd::OwnedFd>, String> {
        Ok(None)
    }
}
