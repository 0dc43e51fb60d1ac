//! One machine as a platform: processes under shims, and Serin's own proxy before them.
//!
//! The [`Keeper`] does here what a kubelet, a deployment controller and an endpoints controller do in a cluster: it keeps
//! as many instances as each slot was told to have, finds out which are ready, and tells the proxy. It never decides how
//! many there should be, what they run or how traffic is split: that is asked of it through the engine's ports
//! ([`LocalFleet`], [`LocalRouter`], [`LocalMetrics`]).
//!
//! Everything that it keeps is found again by the next controller: instances and proxy run under shims that outlive it,
//! each slot's order is a file, and the route is the proxy's own.
mod config;
mod confirmed;
mod down;
mod keeper;
mod layout;
mod member;
mod order;
mod ports;
mod proxy;
mod surplus;
mod table;
mod told;

pub use config::{Health, Runnable, Settings};
pub use down::{Down, down};
pub use keeper::{Keeper, Read, StartError};
pub use layout::Layout;
pub use order::ordered;
pub use ports::{LocalFleet, LocalMetrics, LocalRouter, ports};
