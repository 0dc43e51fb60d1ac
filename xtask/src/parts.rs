//! Real parts: programs that nobody here wrote, built or installed so that what is shown is shown with them.

pub mod debian;
pub mod podinfo;
