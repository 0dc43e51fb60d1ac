//! Whose is the listening socket? An instance is ready only while everything that listens on its port is its own: a
//! stranger that answers there must not make it ready.
//!
//! Source of the formats: proc(5), `/proc/net/tcp`; the kernel's `Documentation/networking/proc_net_tcp.rst`.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::process::{ProcessId, Table};

/// The state of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// Who would get a connection to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listener {
    /// Nobody.
    Nobody,
    /// The instance, and nobody else.
    Instance,
    /// Somebody else, alone or beside the instance.
    Stranger,
}

/// A listening TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its number in `/proc/PID/fd`.
    pub inode: u64,
}

/// Who listens where a connection to `address` would arrive, seen from the instance whose shim this is.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn listener(address: SocketAddr, shim: ProcessId) -> io::Result<Listener> {
    let sockets: Vec<Listening> = listening()?.into_iter().filter(|socket| reaches(address, socket.address)).collect();
    if sockets.is_empty() {
        return Ok(Listener::Nobody);
    }
    let own = inodes_of_instance(shim)?;
    Ok(if sockets.iter().all(|socket| own.contains(&socket.inode)) { Listener::Instance } else { Listener::Stranger })
}

/// Every listening TCP socket of this network namespace.
///
/// # Errors
/// When `/proc/net/tcp` cannot be read.
pub fn listening() -> io::Result<Vec<Listening>> {
    let mut sockets = parse(&std::fs::read_to_string("/proc/self/net/tcp")?);
    match std::fs::read_to_string("/proc/self/net/tcp6") {
        Ok(text) => sockets.extend(parse(&text)),
        // A kernel without IPv6.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(sockets)
}

fn parse(text: &str) -> Vec<Listening> {
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            if *state != LISTEN {
                return None;
            }
            Some(Listening { address: parse_address(local)?, inode: inode.parse().ok()? })
        })
        .collect()
}

/// Words of four bytes in the machine's order, the port in the network's.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for at in (0..host.len()).step_by(8) {
        bytes.extend(u32::from_str_radix(host.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    }
    let ip = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Whether a connection to `wanted` may arrive at a socket that listens at `bound`.
fn reaches(wanted: SocketAddr, bound: SocketAddr) -> bool {
    if wanted.port() != bound.port() {
        return false;
    }
    let (wanted, bound) = (wanted.ip().to_canonical(), bound.ip());
    match (wanted, bound) {
        // Bound to every IPv6 address it mostly serves IPv4 too.
        (_, IpAddr::V6(Ipv6Addr::UNSPECIFIED)) | (IpAddr::V4(_), IpAddr::V4(Ipv4Addr::UNSPECIFIED)) => true,
        _ => wanted == bound.to_canonical(),
    }
}

/// The sockets that an instance's processes hold. The shim's own count as well: it passes them on.
fn inodes_of_instance(shim: ProcessId) -> io::Result<BTreeSet<u64>> {
    let mut inodes = BTreeSet::new();
    if !shim.is_alive() {
        return Ok(inodes);
    }
    let table = Table::read()?;
    let members = table.members(shim.pid).into_iter().map(|member| member.pid).chain([shim.pid]);
    for pid in members {
        // A process that ended meanwhile, or that we may not look into, holds nothing that we know of.
        let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { continue };
        for descriptor in descriptors.flatten() {
            let Ok(target) = std::fs::read_link(descriptor.path()) else { continue };
            let inode: Option<u64> =
                target.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            inodes.extend(inode);
        }
    }
    Ok(inodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1
   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0
";

    #[test]
    #[cfg(target_endian = "little")]
    fn listening_sockets_only() {
        let seen: Vec<(String, u64)> = parse(TEXT).iter().map(|s| (s.address.to_string(), s.inode)).collect();
        assert_eq!(seen, [("127.0.0.1:8080".into(), 4711), ("0.0.0.0:22".into(), 4713)]);
        assert_eq!(parse_address("00000000000000000000000001000000:0050").unwrap().to_string(), "[::1]:80");
        assert!(parse_address("0100:0050").is_none());
    }

    #[test]
    fn where_a_connection_arrives() {
        let reaches = |a: &str, b: &str| reaches(a.parse().unwrap(), b.parse().unwrap());
        assert!(reaches("127.0.0.1:80", "127.0.0.1:80"));
        assert!(reaches("127.0.0.1:80", "0.0.0.0:80"));
        assert!(reaches("127.0.0.1:80", "[::]:80"));
        assert!(reaches("127.0.0.1:80", "[::ffff:127.0.0.1]:80"));
        assert!(reaches("[::1]:80", "[::]:80"));
        assert!(!reaches("[::1]:80", "0.0.0.0:80"));
        assert!(!reaches("127.0.0.1:80", "127.0.0.2:80"));
        assert!(!reaches("127.0.0.1:80", "127.0.0.1:81"));
    }

    #[test]
    fn a_real_socket_of_our_own_and_of_a_stranger() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let me = ProcessId::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert_eq!(listener(address, me).unwrap(), Listener::Instance);
        let mut stranger = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let other = ProcessId::of(i32::try_from(stranger.id()).unwrap()).unwrap();
        assert_eq!(listener(address, other).unwrap(), Listener::Stranger);
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        drop(socket);
        assert_eq!(listener(address, me).unwrap(), Listener::Nobody);
    }
}
