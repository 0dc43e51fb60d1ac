//! Real parts: programs that nobody here wrote, built or installed so that what is shown is shown with them.

pub mod debian;
pub mod envoy;
pub mod golang;
pub mod kubernetes;
pub mod podinfo;
