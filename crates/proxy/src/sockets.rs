//! The listening sockets. They come from whoever started the process (systemd's protocol, sd_listen_fds(3)), so that
//! connections wait in their backlog while the proxy restarts.
#![allow(unsafe_code)]
use rustix::net::sockopt;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{FromRawFd, OwnedFd};

/// The first descriptor that is passed.
const FIRST: i32 = 3;

/// Listening sockets by what they serve. There is one worker per `main` socket.
#[derive(Debug, Default)]
pub struct Sockets {
    /// Traffic that is split.
    pub main: Vec<TcpListener>,
    /// The stable track's own address.
    pub stable: Vec<TcpListener>,
    /// The canary's own address.
    pub canary: Vec<TcpListener>,
}

/// Why the sockets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The environment does not say what was passed.
    #[error(
        "{variable} is {found}: the proxy gets its sockets as LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES say (see sd_listen_fds(3)); start it under its shim"
    )]
    Environment {
        /// The variable.
        variable: &'static str,
        /// What it says.
        found: String,
    },
    /// A name that means nothing to the proxy.
    #[error("LISTEN_FDNAMES has the name {0}: use main, stable and canary")]
    Name(String),
    /// What was passed is no listening socket.
    #[error("descriptor {fd} ({name}) is no listening TCP socket: {why}")]
    NoListener {
        /// The descriptor.
        fd: i32,
        /// Its name.
        name: String,
        /// What the system said.
        why: String,
    },
    /// Nothing for the split traffic.
    #[error("no socket is named main in LISTEN_FDNAMES: pass one per worker")]
    NoMain,
    /// Binding failed.
    #[error("cannot listen at {address}: {error}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
}

impl Sockets {
    /// Takes the sockets that the environment names. Call it once: it makes the descriptors the process's own.
    ///
    /// # Errors
    /// Says which variable, or which descriptor, is not as it must be.
    pub fn from_environment() -> Result<Sockets, SocketError> {
        let variable = |name: &'static str| {
            std::env::var(name).map_err(|_| SocketError::Environment { variable: name, found: "not set".into() })
        };
        let wrong = |variable, found: &str| SocketError::Environment { variable, found: format!("{found:?}") };
        let pid = variable("LISTEN_PID")?;
        if pid != std::process::id().to_string() {
            return Err(wrong("LISTEN_PID", &pid));
        }
        let count = variable("LISTEN_FDS")?;
        let count: usize = count.parse().map_err(|_| wrong("LISTEN_FDS", &count))?;
        let names = variable("LISTEN_FDNAMES")?;
        if names.split(':').count() != count {
            return Err(wrong("LISTEN_FDNAMES", &names));
        }
        let mut sockets = Sockets::default();
        for (fd, name) in (FIRST..).zip(names.split(':')) {
            let list = match name {
                "main" => &mut sockets.main,
                "stable" => &mut sockets.stable,
                "canary" => &mut sockets.canary,
                _ => return Err(SocketError::Name(name.to_owned())),
            };
            let no_listener = |why: String| SocketError::NoListener { fd, name: name.to_owned(), why };
            let listener = take(fd).map_err(|e| no_listener(e.to_string()))?;
            if !sockopt::socket_acceptconn(&listener).map_err(|e| no_listener(e.to_string()))? {
                return Err(no_listener("it does not listen".into()));
            }
            list.push(listener);
        }
        if sockets.main.is_empty() { Err(SocketError::NoMain) } else { Ok(sockets) }
    }

    /// Binds `workers` sockets to each address (SO_REUSEPORT): for a proxy without a shim, as in tests.
    ///
    /// # Errors
    /// Says which address cannot be had.
    pub fn bind(
        main: SocketAddr,
        stable: Option<SocketAddr>,
        canary: Option<SocketAddr>,
        workers: usize,
    ) -> Result<Sockets, SocketError> {
        let all = |address: Option<SocketAddr>| -> Result<Vec<TcpListener>, SocketError> {
            let Some(mut address) = address else { return Ok(Vec::new()) };
            let mut list = Vec::new();
            for _ in 0..workers.max(1) {
                let listener = listen(address).map_err(|error| SocketError::Bind { address, error })?;
                address = listener.local_addr().map_err(|error| SocketError::Bind { address, error })?;
                list.push(listener);
            }
            Ok(list)
        };
        Ok(Sockets { main: all(Some(main))?, stable: all(stable)?, canary: all(canary)? })
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, 4096)?;
    Ok(socket.into())
}

fn take(fd: i32) -> std::io::Result<TcpListener> {
    // SAFETY: descriptors from FIRST on were passed for this process to own (LISTEN_PID says so), nothing here has opened
    // or taken them before, and `from_environment` takes each once. One that is not open fails in the calls below.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    rustix::io::fcntl_setfd(&owned, rustix::io::FdFlags::CLOEXEC).map_err(std::io::Error::from)?;
    let listener = TcpListener::from(owned);
    listener.set_nonblocking(true)?;
    listener.local_addr()?; // a TCP socket has an address of the internet
    Ok(listener)
}
