//! .
use crate::run::{Run, Stop};
/// .
pub fn perform(_: &mut Run) -> Result<(), Stop> {
    Ok(())
}
