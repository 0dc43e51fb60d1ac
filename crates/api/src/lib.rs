//! The controller's API: what it shows and what it can be told, as JSON over HTTP on a unix socket.
//!
//! This crate holds the shapes ([`StatusView`], [`EventView`], [`Command`], …), the server ([`router`], [`serve`]) over
//! whatever implements [`Controller`], and the [`Client`]. It decides nothing and keeps no state: every answer is the
//! controller's, and a command is compare-and-swap on the [`StepKey`] that the caller saw.

mod client;
mod command;
mod controller;
mod event;
mod server;
mod status;
mod stream;
#[cfg(test)]
mod tests;

pub use self::{
    client::{Client, ClientError, Follow},
    command::{Answer, Command, CommandRequest, DeployAnswer, DeployRequest},
    controller::{ApiError, Controller, LogQuery},
    event::{Ending, EventView, Level, LogLine, MeasurementView, RolloutDetail, RolloutView},
    server::{router, serve},
    status::{
        Addresses, AnalysisView, GateView, InstanceView, LastOutcome, MetricView, ParkedView, PausedView, PhaseWord,
        Progress, Revision, RouteView, SlotView, Split, StatusView, StepKey, Strength, Track, UnixMs, Verdict, Waiting,
    },
};
