//! `serin-apiproxy`: the proxy as a program. It ends on SIGTERM or when its standard input does.

use serin_apiproxy::{Error, USAGE, parse, start};
use std::process::ExitCode;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "-h" || word == "--help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::Io { what: "the runtime".to_owned(), source });
    match runtime.and_then(|runtime| runtime.block_on(run(&words))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why @ Error::Usage(_)) => {
            eprintln!("serin-apiproxy: {why}\n\n{USAGE}");
            ExitCode::from(2)
        }
        Err(why @ (Error::Io { .. } | Error::Tls { .. })) => {
            eprintln!("serin-apiproxy: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(words: &[String]) -> Result<(), Error> {
    let server = start(&parse(words)?).await?;
    println!("{{\"api\":\"{}\",\"control\":\"{}\"}}", server.api, server.control);
    let mut told = signal(SignalKind::terminate())
        .map_err(|source| Error::Io { what: "SIGTERM cannot be waited for".to_owned(), source })?;
    let mut input = tokio::io::stdin();
    let mut buffer = [0u8; 256];
    loop {
        tokio::select! {
            _ = told.recv() => return Ok(()),
            read = input.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return Ok(()),
                Ok(_) => {}
            },
        }
    }
}
