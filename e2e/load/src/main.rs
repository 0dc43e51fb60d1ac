//! An open-loop load generator: requests start at their intended times whatever the answers do.

fn main() -> std::process::ExitCode {
    eprintln!("usage: serin-load URL");
    std::process::ExitCode::from(2)
}
