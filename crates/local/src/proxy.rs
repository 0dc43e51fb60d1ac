//! The proxy's process: under a shim that keeps its sockets, so that it can be killed and comes back by itself.
use crate::config::Settings;
use crate::layout::Layout;
use serin_supervisor::instance::{Error, ShimCommand};
use serin_supervisor::program::{Backoff, Program, Socket};
use serin_supervisor::{Instance, Restart};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The program under the proxy's shim: this very binary, even when its file has been replaced meanwhile.
fn program(layout: &Layout, settings: &Settings, stable: SocketAddr, canary: SocketAddr) -> Program {
    let socket = |name: &str, address| Socket { name: name.to_owned(), address, count: settings.workers };
    let dir = layout.proxy().to_string_lossy().into_owned();
    Program {
        sockets: vec![socket("main", settings.listen), socket("stable", stable), socket("canary", canary)],
        restart: Restart::Always,
        backoff: Backoff { first_ms: 50, max_ms: 400, reset_after_ms: 10_000 },
        ..Program::new(["/proc/self/exe".to_owned(), "proxy".to_owned(), dir])
    }
}

/// Finds the proxy, or starts it. The tracks keep the ports that they had.
pub(crate) fn ensure(layout: &Layout, settings: &Settings) -> Result<Instance, Error> {
    let dir = layout.proxy();
    match Instance::adopt(&dir) {
        Ok(instance) => return Ok(instance),
        Err(Error::Dead(_) | Error::NotAnInstance(_) | Error::File { .. }) => {}
        Err(
            error @ (Error::Exists(_)
            | Error::Alive(_)
            | Error::Refused { .. }
            | Error::Shim { .. }
            | Error::NoSuchSignal(_)),
        ) => return Err(error),
    }
    let had = addresses(&dir);
    let of = |name: &str, wanted: Option<SocketAddr>| {
        let before = had.iter().find(|(known, _)| known == name).map(|(_, address)| *address);
        wanted.or(before).unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0))
    };
    let program = program(layout, settings, of("stable", settings.stable), of("canary", settings.canary));
    let shim = ShimCommand::default();
    if dir.join("program.json").exists() {
        Instance::start_again(&dir, &program, &shim)
    } else {
        Instance::create_with(&dir, &program, &shim)
    }
}

/// The addresses that the proxy's shim bound, by name.
pub(crate) fn addresses(dir: &std::path::Path) -> Vec<(String, SocketAddr)> {
    let state = Instance::at(dir).and_then(|instance| instance.state());
    let sockets = state.ok().flatten().map(|state| state.sockets).unwrap_or_default();
    sockets.into_iter().map(|socket| (socket.name, socket.address)).collect()
}
