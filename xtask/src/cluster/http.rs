//! Plain HTTP requests to parts of a cluster, a connection each.

use crate::run::{Stop, fail};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: String,
}

/// One GET.
///
/// # Errors
/// When nothing, or something that is no HTTP, comes back.
pub fn get(address: SocketAddr, path: &str) -> Result<Answer, Stop> {
    exchange(address, "GET", path, "")
}

/// One GET of a host that is served at this address.
///
/// # Errors
/// When nothing, or something that is no HTTP, comes back.
pub fn of_host(address: SocketAddr, host: &str, path: &str) -> Result<Answer, Stop> {
    // HTTP/1.1, since a Gateway serves no older one.
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
}

/// One request with this body. It is HTTP/1.0, so that the answer's body ends with the connection and is not chunked.
///
/// # Errors
/// When nothing, or something that is no HTTP, comes back.
pub fn exchange(address: SocketAddr, method: &str, path: &str, body: &str) -> Result<Answer, Stop> {
    let length = body.len();
    ask(address, &format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n{body}"))
}

fn ask(address: SocketAddr, request: &str) -> Result<Answer, Stop> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return fail(format!("{address} answered {text:?}"));
    };
    match head.split(' ').nth(1).and_then(|status| status.parse().ok()) {
        Some(status) => Ok(Answer { status, body: body.to_owned() }),
        None => fail(format!("{address} answered {head:?}")),
    }
}

/// Text as it may stand in a query.
pub fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_a_query_is_escaped() {
        assert_eq!(escaped("rate(a{b=\"c\"}[1m])"), "rate%28a%7Bb%3D%22c%22%7D%5B1m%5D%29");
        assert_eq!(escaped("a-b_c.d~9"), "a-b_c.d~9");
    }
}
