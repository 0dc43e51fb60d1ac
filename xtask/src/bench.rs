//! x
use crate::run::*;
pub fn perform(_run: &mut Run) -> Result<(), Stop> {
    fail("x")
}
