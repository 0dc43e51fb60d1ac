//! What the API needs of a controller.

use std::{fmt, future::Future};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use crate::{
    Answer, CommandRequest, DeployAnswer, DeployRequest, EventView, LogLine, RolloutDetail, RolloutView, StatusView,
};

/// Which lines of output are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Of this instance only; `None`: of all.
    pub instance: Option<String>,
    /// So many of the last lines of each instance first.
    pub tail: usize,
    /// Then those that follow.
    pub follow: bool,
}

/// Why a request was not answered, as the client gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// HTTP status, 400 to 599; not part of the body.
    #[serde(skip)]
    pub status: u16,
    /// What is wrong, in one sentence.
    pub error: String,
    /// What to do about it.
    #[serde(default)]
    pub hint: String,
}

impl ApiError {
    /// An error with its HTTP status.
    pub fn new(status: u16, error: impl Into<String>, hint: impl Into<String>) -> Self {
        ApiError { status, error: error.into(), hint: hint.into() }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "\n{}", self.hint) }
    }
}
impl std::error::Error for ApiError {}

/// A controller as the API sees it. Every method may be called at any time, and dropped at any await.
pub trait Controller: Send + Sync + 'static {
    /// What the service is doing now.
    fn status(&self) -> impl Future<Output = Result<StatusView, ApiError>> + Send;
    /// At most `limit` events with a sequence number over `after`, oldest first.
    fn events(&self, after: u64, limit: usize) -> impl Future<Output = Result<Vec<EventView>, ApiError>> + Send;
    /// A number that changes whenever the status or the events may have changed.
    fn changes(&self) -> watch::Receiver<u64>;
    /// Takes a command: saved when this returns.
    fn command(&self, request: CommandRequest) -> impl Future<Output = Result<Answer, ApiError>> + Send;
    /// Takes a spec: saved when this returns.
    fn deploy(&self, request: DeployRequest) -> impl Future<Output = Result<DeployAnswer, ApiError>> + Send;
    /// The last `limit` rollouts, newest first.
    fn history(&self, limit: usize) -> impl Future<Output = Result<Vec<RolloutView>, ApiError>> + Send;
    /// One rollout with all that is known of it; `None`: there is none with that number.
    fn rollout(&self, number: u64) -> impl Future<Output = Result<Option<RolloutDetail>, ApiError>> + Send;
    /// What the data plane counted, in its own shape: per track, instance and generation of the route.
    fn measures(&self) -> impl Future<Output = Result<serde_json::Value, ApiError>> + Send {
        std::future::ready(Err(ApiError::new(501, "this controller has no counters of its own", "ask its data plane")))
    }
    /// Lines of output. The receiver ends when there are no more, and is dropped when nobody wants more.
    fn logs(&self, query: LogQuery) -> impl Future<Output = Result<mpsc::Receiver<LogLine>, ApiError>> + Send;
}
