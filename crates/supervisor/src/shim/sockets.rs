//! Binds the listening sockets once, for as long as the shim lives.
//!
//! The shim never accepts: while the program is down, connections wait in the backlog. The descriptors sit at 3, 4, …
//! in the shim itself, so that the program finds them where systemd's protocol (sd_listen_fds(3)) wants them.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, listen, socket_with, sockopt};

use crate::program::Socket;
use crate::state::BoundSocket;

/// The first passed descriptor.
pub(super) const FIRST: i32 = 3;

/// The kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 65_535;

/// The bound sockets, in the order in which they are passed.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    descriptors: Vec<OwnedFd>,
    /// `LISTEN_FDNAMES`.
    pub(super) names: String,
    pub(super) bound: Vec<BoundSocket>,
}

impl Sockets {
    /// Binds all of them, or none.
    ///
    /// # Errors
    /// A sentence that names the address.
    pub(super) fn bind(wanted: &[Socket]) -> Result<Self, String> {
        let mut sockets = Self::default();
        let mut names = Vec::new();
        for socket in wanted {
            if socket.name.is_empty() || socket.name.contains(':') {
                return Err(format!("the socket name {:?} must not be empty and must not hold ':'", socket.name));
            }
            let mut address = socket.address;
            for worker in 0..socket.count.max(1) {
                let descriptor = listener(address, worker == 0).map_err(|error| sentence(socket, address, error))?;
                address = local(&descriptor).map_err(|error| sentence(socket, address, error))?;
                let place = FIRST + i32::try_from(sockets.descriptors.len()).unwrap_or(i32::MAX);
                sockets.descriptors.push(put(descriptor, place)?);
                names.push(socket.name.clone());
            }
            let bound = BoundSocket { name: socket.name.clone(), address, count: socket.count.max(1) };
            sockets.bound.push(bound);
        }
        sockets.names = names.join(":");
        Ok(sockets)
    }

    pub(super) fn count(&self) -> usize {
        self.descriptors.len()
    }
}

fn sentence(socket: &Socket, address: SocketAddr, error: Errno) -> String {
    let name = &socket.name;
    match error {
        Errno::ADDRINUSE => format!(
            "the address {address} (socket {name}) is in use by another process; stop it or choose another port"
        ),
        Errno::ACCESS => {
            format!("no permission to listen on {address} (socket {name}); choose a port from 1024 on, or run as root")
        }
        Errno::ADDRNOTAVAIL => {
            format!("{address} (socket {name}) is no address of this machine; use one of its own, or 0.0.0.0")
        }
        other => format!("could not listen on {address} (socket {name}): {other}"),
    }
}

/// The first socket of a name is bound without `SO_REUSEPORT`, which it gets afterwards: so a port that somebody
/// else shares is refused like any port in use, instead of being shared with him in silence.
fn listener(address: SocketAddr, first: bool) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if first {
        bind(&socket, &address)?;
        sockopt::set_socket_reuseport(&socket, true)?;
    } else {
        sockopt::set_socket_reuseport(&socket, true)?;
        bind(&socket, &address)?;
    }
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

fn local(socket: &OwnedFd) -> Result<SocketAddr, Errno> {
    getsockname(socket)?.try_into()
}

fn put(descriptor: OwnedFd, place: i32) -> Result<OwnedFd, String> {
    if descriptor.as_raw_fd() == place {
        return Ok(descriptor);
    }
    let moved = fcntl_dupfd_cloexec(&descriptor, place)
        .map_err(|error| format!("could not keep a listening socket as descriptor {place}: {error}"))?;
    if moved.as_raw_fd() == place {
        Ok(moved)
    } else {
        Err(format!("descriptor {place} is taken, so the sockets cannot be passed in order"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_somebody_shares_is_refused_too() {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let stranger = listener(any, false).unwrap();
        let address = local(&stranger).unwrap();
        assert_eq!(listener(address, true).unwrap_err(), Errno::ADDRINUSE);
        let socket = Socket { name: "main".into(), address, count: 1 };
        assert!(Sockets::bind(&[socket]).unwrap_err().contains("in use by another process"));
        drop(stranger);
        let first = listener(address, true).unwrap();
        let _second = listener(address, false).unwrap();
        assert_eq!(listener(address, true).unwrap_err(), Errno::ADDRINUSE);
        drop(first);
    }

    #[test]
    fn errors_name_the_address_and_the_socket() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = Socket { name: "main".into(), address: taken.local_addr().unwrap(), count: 2 };
        let error = Sockets::bind(&[socket]).unwrap_err();
        assert!(error.contains(&taken.local_addr().unwrap().to_string()) && error.contains("in use"), "{error}");
        let socket = Socket { name: "main".into(), address: "192.0.2.1:80".parse().unwrap(), count: 1 };
        let error = Sockets::bind(&[socket]).unwrap_err();
        assert!(error.contains("no address of this machine"), "{error}");
        let socket = Socket { name: "a:b".into(), address: "127.0.0.1:0".parse().unwrap(), count: 1 };
        assert!(Sockets::bind(&[socket]).unwrap_err().contains("must not hold"));
    }
}
