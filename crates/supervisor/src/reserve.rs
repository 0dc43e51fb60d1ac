//! A port for an instance: chosen and written down in the instance's directory before the program starts, and given to
//! nobody else as long as that directory exists.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::ops::RangeInclusive;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::durable;

/// The file in an instance's directory.
const NAME: &str = "port";
/// In the instances' directory: the lock of those who choose, and the port given last.
const BOOK: &str = ".ports";

/// Where ports come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Any that the kernel has free. It may lend the same number to an outgoing connection until the program listens;
    /// a range outside `net.ipv4.ip_local_port_range` has no such gap.
    Kernel,
    /// One of these; each in turn, so that a port is not used again at once.
    Range(RangeInclusive<u16>),
    /// This one.
    Fixed(u16),
}

/// Why there is no port.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The whole range is taken.
    #[error(
        "no port from {first} to {last} is free: {reserved} belong to instances, others are in use by other programs; choose a larger range"
    )]
    NoneFree {
        /// The range's first port.
        first: u16,
        /// Its last.
        last: u16,
        /// How many of them instances have.
        reserved: usize,
    },
    /// The fixed port belongs to another instance.
    #[error("port {port} belongs to the instance in {}; remove that one first, or use {{{{port}}}} instead of a fixed port", dir.display())]
    Reserved {
        /// The port.
        port: u16,
        /// Whose it is.
        dir: PathBuf,
    },
    /// Another program listens on the fixed port.
    #[error("port {0} is in use by another program; stop it, or choose another port")]
    InUse(u16),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// How it failed.
        source: io::Error,
    },
    /// The instance's directory cannot be made.
    #[error(transparent)]
    Directory(#[from] crate::instance::Error),
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { path, source }
}

/// Reserves a port for the instance that will be in `dir`, a directory below `instances`; makes `dir`. Asked again, it
/// gives the port that was reserved before.
///
/// # Errors
/// No port is free, or a file cannot be read or written.
pub fn port(instances: &Path, dir: &Path, choice: &Choice) -> Result<u16, Error> {
    crate::instance::make_dir(dir)?;
    let (mut book, last) = open_book(&instances.join(BOOK))?;
    if let Some(port) = reserved(dir)? {
        return Ok(port);
    }
    let taken = taken(instances)?;
    let port = choose(choice, last, &taken)?;
    let path = dir.join(NAME);
    durable::write_new(&path, format!("{port}\n").as_bytes()).map_err(file(&path))?;
    // Only a hint where to go on: a lost one costs nothing.
    drop(book.rewind().and_then(|()| book.set_len(0)).and_then(|()| write!(book, "{port}")));
    Ok(port)
}

/// The port that is reserved in `dir`, if one is.
///
/// # Errors
/// When the file is there and cannot be read or understood: then the port is unknown, which is not none.
pub fn reserved(dir: &Path) -> Result<Option<u16>, Error> {
    let path = dir.join(NAME);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let port = text.trim().parse();
            port.map(Some).map_err(|_| file(&path)(io::Error::new(io::ErrorKind::InvalidData, "not a port number")))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file(&path)(error)),
    }
}

/// Waits for its turn: one chooses at a time.
fn open_book(path: &Path) -> Result<(File, u16), Error> {
    let options = OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path);
    let mut book = options.map_err(file(path))?;
    loop {
        match flock(&book, FlockOperation::LockExclusive) {
            Ok(()) => break,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(file(path)(error.into())),
        }
    }
    let mut text = String::new();
    drop(book.read_to_string(&mut text));
    Ok((book, text.trim().parse().unwrap_or(0)))
}

fn taken(instances: &Path) -> Result<BTreeMap<u16, PathBuf>, Error> {
    let mut taken = BTreeMap::new();
    for entry in std::fs::read_dir(instances).map_err(file(instances))? {
        let dir = entry.map_err(file(instances))?.path();
        if dir.is_dir()
            && let Some(port) = reserved(&dir)?
        {
            taken.insert(port, dir);
        }
    }
    Ok(taken)
}

fn choose(choice: &Choice, last: u16, taken: &BTreeMap<u16, PathBuf>) -> Result<u16, Error> {
    match choice {
        Choice::Fixed(port) => match taken.get(port) {
            Some(dir) => Err(Error::Reserved { port: *port, dir: dir.clone() }),
            None if is_free(*port) => Ok(*port),
            None => Err(Error::InUse(*port)),
        },
        Choice::Range(range) => {
            let (first, end) = (*range.start(), *range.end());
            let after = (first..=end).filter(|port| *port > last).chain((first..=end).filter(|port| *port <= last));
            let mut free = after.filter(|port| *port > 0 && !taken.contains_key(port) && is_free(*port));
            let reserved = taken.keys().filter(|port| range.contains(port)).count();
            free.next().ok_or(Error::NoneFree { first, last: end, reserved })
        }
        Choice::Kernel => {
            // The kernel does not know our book, so it may offer a port that is in it: then the next.
            let mut offered = Vec::new();
            for _ in 0..=taken.len() {
                let socket = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(file(Path::new("a free port")))?;
                let port = socket.local_addr().map_err(file(Path::new("a free port")))?.port();
                offered.push(socket);
                if !taken.contains_key(&port) && is_free_beside(port) {
                    return Ok(port);
                }
            }
            Err(Error::NoneFree { first: 1, last: u16::MAX, reserved: taken.len() })
        }
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() && is_free_beside(port)
}

/// For IPv6's loopback address; a machine without it has it free.
fn is_free_beside(port: u16) -> bool {
    let bound = TcpListener::bind((Ipv6Addr::LOCALHOST, port));
    bound.err().is_none_or(|error| error.kind() != io::ErrorKind::AddrInUse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_belongs_to_a_directory_as_long_as_it_exists() {
        let instances = tempfile::tempdir().unwrap();
        let dir = |name: &str| instances.path().join(name);
        let first = port(instances.path(), &dir("a"), &Choice::Kernel).unwrap();
        assert_eq!(port(instances.path(), &dir("a"), &Choice::Kernel).unwrap(), first);
        let fixed = Choice::Fixed(first);
        let error = port(instances.path(), &dir("b"), &fixed).unwrap_err();
        assert!(matches!(&error, Error::Reserved { port, .. } if *port == first), "{error}");
        std::fs::remove_dir_all(dir("a")).unwrap();
        assert_eq!(port(instances.path(), &dir("b"), &fixed).unwrap(), first);
    }

    #[test]
    fn a_range_is_used_in_turn_and_ports_in_use_are_passed_over() {
        // A stretch that nobody uses: found by asking the kernel, and checked.
        let start = (0..200)
            .map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port())
            .find(|start| *start < 65_000 && (*start..=*start + 3).all(is_free))
            .unwrap();
        let stranger = TcpListener::bind(("127.0.0.1", start + 1)).unwrap();
        let instances = tempfile::tempdir().unwrap();
        let dir = |name: &str| instances.path().join(name);
        let range = Choice::Range(start..=start + 3);
        let give = |name: &str| port(instances.path(), &dir(name), &range);
        assert_eq!([give("a").unwrap(), give("b").unwrap()], [start, start + 2]);
        std::fs::remove_dir_all(dir("a")).unwrap();
        assert_eq!(give("c").unwrap(), start + 3, "the port given back is not used again at once");
        assert_eq!(give("d").unwrap(), start);
        let error = give("e").unwrap_err().to_string();
        assert!(error.contains("no port") && error.contains("3 belong to instances"), "{error}");
        let error = port(instances.path(), &dir("f"), &Choice::Fixed(start + 1)).unwrap_err();
        assert!(matches!(error, Error::InUse(_)), "{error}");
        drop(stranger);
    }

    #[test]
    fn many_at_once_get_different_ports() {
        let instances = tempfile::tempdir().unwrap();
        let ports: Vec<u16> = std::thread::scope(|scope| {
            let each = |number| {
                let path = instances.path();
                scope.spawn(move || port(path, &path.join(format!("i{number}")), &Choice::Kernel).unwrap())
            };
            let threads: Vec<_> = (0..16).map(each).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let different: std::collections::BTreeSet<u16> = ports.iter().copied().collect();
        assert_eq!(different.len(), 16, "{ports:?}");
    }
}
