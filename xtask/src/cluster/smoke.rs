//! `cluster smoke`.
use crate::run::{Run, Stop};
/// x
pub fn perform(_run: &mut Run) -> Result<(), Stop> { Ok(()) }
