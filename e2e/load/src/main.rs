//! `serin-load URL` sends load and prints what came of it; `serin-load backend` is something to send it to.

use serin_load::arguments::{Command, USAGE, parse};
use serin_load::backend::{self, Backend};
use serin_load::{Config, Load};
use std::net::SocketAddr;
use std::process::ExitCode;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let command = match parse(&arguments) {
        Ok(command) => command,
        Err(why) => {
            eprintln!("serin-load: {why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("serin-load: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match command {
        Command::Help => println!("{USAGE}"),
        Command::Load(config) => runtime.block_on(load(*config))?,
        Command::Backend(address, config) => runtime.block_on(backend(address, config))?,
    }
    // A read of standard input may still block a thread; the process's end ends it.
    runtime.shutdown_background();
    Ok(())
}

async fn load(config: Config) -> Result<(), Box<dyn std::error::Error>> {
    let endless = config.duration.is_none();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let handle = Load::start(config)?;
    let brake = handle.brake();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = input_ends(), if endless => {}
        }
        brake();
    });
    println!("{}", handle.wait().await?.to_json());
    Ok(())
}

/// Waits until standard input ends, or cannot be read.
async fn input_ends() {
    let (mut input, mut read) = (tokio::io::stdin(), [0; 256]);
    while !matches!(input.read(&mut read).await, Ok(0) | Err(_)) {}
}

async fn backend(address: SocketAddr, config: backend::Config) -> Result<(), Box<dyn std::error::Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let backend = Backend::start(address, config).await.map_err(|e| format!("{address} cannot be bound: {e}"))?;
    println!("{}", backend.address());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    backend.stop().await;
    Ok(())
}
