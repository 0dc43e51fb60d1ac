//! Runs releases: observe, decide, save or (observe again, permit, write).
//!
//! The [`Driver`] has no opinion about releases; that is `serin-rollout`'s. It carries decisions out through ports
//! ([`Fleet`], [`Router`], [`MetricSource`], [`Clock`]) and keeps what must not be forgotten in a [`Ledger`]: on one machine
//! that is a [`store::Store`].
//! It never talks to a platform itself and never decides what is safe.
//!
//! The order, which nothing here may change: a status is saved before anything that follows from it is asked for; every
//! write is permitted on a fresh read directly before it; a lease is renewed only after a completed round. So a
//! controller that cannot save does not write, and does not renew: the data plane then returns to its fallback.
mod commands;
mod crash;
mod diary;
mod driver;
pub mod judging;
mod ledger;
mod ports;
mod saved;
mod saving;
mod snapshot;
pub mod store;
pub mod timers;
pub mod wording;

pub use commands::{Answer, Command, Order, Ordered};
pub use driver::{Driver, Parts, RoundError};
pub use judging::{Judged, Judging};
pub use ledger::{Change, Happened, Ledger};
pub use ports::{Clock, Fleet, InstanceSeen, Look, MetricSource, PortError, Revision, Router, RouterSeen, SystemClock};
pub use saved::{Frozen, Note, Notes, Saved, Wish};
pub use snapshot::Snapshot;
pub use timers::Armed;
pub use wording::{Fact, Outgoing};
