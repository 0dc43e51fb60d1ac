//! x
pub(super) fn run(_job: crate::cli::check::Job) -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
