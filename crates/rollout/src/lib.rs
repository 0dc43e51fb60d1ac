//! What to do next in a release.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
