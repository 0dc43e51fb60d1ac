//! Processes that outlive the one who started them.
//!
//! Every instance of a service, and the proxy, runs under a **shim**: a tiny process of its own that starts the
//! program, reads its output, restarts it when it crashes and stops it when asked. Nothing of that needs the
//! controller, which may be killed at any moment; the next one finds the instances through their directories and
//! adopts them ([`Instance::adopt`], [`scan`]).
//!
//! This crate never decides *whether* something is to be started or stopped, and never talks to the proxy.
//!
//! One directory per instance holds all that there is to know about it:
//!
//! | file | written by | means |
//! |---|---|---|
//! | `port` | creator | the port that is this instance's as long as the directory exists |
//! | `config/NAME` | creator | rendered config files |
//! | `program.json` | creator, once | what to run ([`Program`]) |
//! | `lock` | shim | held with `flock` for the shim's whole life: the proof of life |
//! | `state.json` | shim | what is so now ([`State`]) |
//! | `stop.json` | controller | the order to stop ([`StopOrder`]) |
//! | `exit.json` | shim, last | how it ended ([`Ending`]) |
//! | `log/current`, `log/1` … | shim | the program's output, newest first |
//! | `shim.err` | shim | the shim's own last words, empty when all is well |
mod accounts;
pub mod durable;
pub mod health;
pub mod instance;
pub mod limits;
pub mod lock;
pub mod logs;
pub mod monitor;
pub mod ports;
pub mod probe;
pub mod process;
pub mod program;
pub mod reserve;
pub mod shim;
pub mod state;
pub mod template;

pub use instance::{Error, Found, Instance, scan};
pub use program::{Program, Restart};
pub use shim::launch::find_command;
pub use state::{Ending, Exit, Phase, State, StopOrder};
