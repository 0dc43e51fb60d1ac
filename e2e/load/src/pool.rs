//! Keep-alive connections, bounded in number. A request without one waits for its turn, and that wait is measured.

use crate::config::Config;
use crate::exchange::{Ended, connect, exchange};
use crate::outcome::Outcome;
use crate::pacer::Due;
use crate::wire::Wire;
use std::cell::RefCell;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::time::timeout_at;

/// A request that starts this long after its intended start counts as late: the generator did not keep up.
pub const LATE: Duration = Duration::from_millis(10);

/// What became of a request that was due.
#[derive(Debug)]
pub enum Fate {
    /// It was sent, or at least a connection for it was tried.
    Sent {
        /// What came of it.
        ended: Ended,
        /// Whether it started more than [`LATE`] after it should have.
        late: bool,
    },
    /// No connection came free within half of the timeout.
    Unsent,
}

/// The connections of one load.
#[derive(Debug)]
pub struct Pool {
    config: Config,
    turns: Semaphore,
    idle: RefCell<Vec<Wire>>,
}

impl Pool {
    /// A pool without connections yet.
    pub fn new(config: &Config) -> Self {
        Pool { config: config.clone(), turns: Semaphore::new(config.connections), idle: RefCell::default() }
    }

    /// Sends one request, once.
    pub async fn send(&self, due: Due) -> Fate {
        let deadline = (due.intended + self.config.timeout).into();
        let patience = (due.intended + self.config.timeout / 2).into();
        let Ok(Ok(_turn)) = timeout_at(patience, self.turns.acquire()).await else {
            return Fate::Unsent;
        };
        let late = Instant::now() > due.intended + LATE;
        let ended = timeout_at(deadline, self.once(due)).await.unwrap_or(Ended::without(Outcome::Timeout));
        Fate::Sent { ended, late }
    }

    async fn once(&self, due: Due) -> Ended {
        let idle = self.usable();
        let reused = idle.is_some();
        let mut wire = match idle {
            Some(wire) => wire,
            None => match connect(&self.config).await {
                Ok(wire) => wire,
                Err(outcome) => return Ended::without(outcome),
            },
        };
        let (ended, again) = exchange(&self.config, &mut wire, due.kind, due.number, reused).await;
        if again {
            self.idle.borrow_mut().push(wire);
        }
        ended
    }

    /// The connection used last that its peer has not closed; closed ones are forgotten.
    fn usable(&self) -> Option<Wire> {
        let mut idle = self.idle.borrow_mut();
        std::iter::from_fn(|| idle.pop()).find(Wire::is_quiet)
    }
}
