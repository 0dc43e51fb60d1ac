//! `serin demo`: a good release and a bad one of a built-in program, watched.
use crate::cli::demo::Job;
use std::process::ExitCode;

pub(super) fn run(job: Job) -> ExitCode {
    super::fail(1, format!("{job:?}"), "")
}
