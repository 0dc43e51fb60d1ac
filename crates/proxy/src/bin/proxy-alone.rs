//! A proxy without a shim, for tests and measurements.
//!
//! `proxy-alone DIR` takes its sockets from the environment, as under a shim; it binds them itself with
//! `proxy-alone DIR MAIN [stable=ADDRESS] [canary=ADDRESS] [workers=N]`; prints the addresses, one a line.
use serin_proxy::{Options, Sockets, run};
use std::error::Error;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;

fn start() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: proxy-alone DIR MAIN [stable=ADDRESS] [canary=ADDRESS] [workers=N]";
    let dir = arguments.next().ok_or(usage)?;
    let main: SocketAddr = arguments.next().ok_or(usage)?.parse()?;
    let (mut stable, mut canary, mut workers) = (None, None, 1);
    for argument in arguments {
        match argument.split_once('=').ok_or(usage)? {
            ("stable", address) => stable = Some(address.parse()?),
            ("canary", address) => canary = Some(address.parse()?),
            ("workers", n) => workers = n.parse()?,
            _ => return Err(usage.into()),
        }
    }
    let sockets = Sockets::bind(main, stable, canary, workers)?;
    let names: [(&str, &[TcpListener]); 3] =
        [("main", &sockets.main), ("stable", &sockets.stable), ("canary", &sockets.canary)];
    let mut out = std::io::stdout();
    for (name, list) in names {
        if let Some(listener) = list.first() {
            writeln!(out, "{name} {}", listener.local_addr()?)?;
        }
    }
    out.flush()?;
    Ok(run(Options { dir: dir.into(), sockets })?)
}

fn main() -> ExitCode {
    if let [_, dir] = &std::env::args().collect::<Vec<_>>()[..] {
        return serin_proxy::main(Path::new(dir));
    }
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("proxy-alone: {error}");
            ExitCode::FAILURE
        }
    }
}
