//! The `serin` binary: the only place that knows every other crate.

fn main() -> std::process::ExitCode {
    eprintln!("serin {}", env!("CARGO_PKG_VERSION"));
    std::process::ExitCode::from(2)
}
