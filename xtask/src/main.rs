//! `cargo xtask VERB`: every figure of the project has a command here. No dependencies but std.

fn main() -> std::process::ExitCode {
    eprintln!("usage: cargo xtask VERB");
    std::process::ExitCode::from(2)
}
