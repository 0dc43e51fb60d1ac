//! `GET` and a status: all the HTTP that a check needs. RFC 9112.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The status line must come within so many bytes; more of the answer is not read.
const LONGEST: usize = 8 << 10;

/// Passes when the answer's status is from 200 to 399.
pub(super) async fn get(address: SocketAddr, path: &str, host: Option<&str>) -> Result<(), String> {
    let host = host.map_or_else(|| address.to_string(), ToOwned::to_owned);
    if !path.starts_with('/') || [path, &host].iter().any(|text| text.chars().any(|c| c.is_control() || c == ' ')) {
        return Err(format!(
            "the check's path {path:?} or host {host:?} cannot be sent; a path begins with / and has no blanks"
        ));
    }
    let broken = |error: std::io::Error| format!("GET {path} at {address} failed: {error}");
    let mut stream = TcpStream::connect(address).await.map_err(broken)?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: serin\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    let mut answer = Vec::new();
    loop {
        match status(&answer) {
            Some(Ok(status)) if (200..400).contains(&status) => return Ok(()),
            // Told before the real answer (RFC 9110, 15.2): what follows counts.
            Some(Ok(100..=199)) => {
                skip_head(&mut answer);
                continue;
            }
            Some(Ok(status)) => {
                return Err(format!(
                    "GET {path} at {address} was answered with status {status}, and only 2xx and 3xx mean healthy"
                ));
            }
            Some(Err(line)) => return Err(format!("GET {path} at {address} was answered with no HTTP: {line:?}")),
            None if answer.len() >= LONGEST => {
                return Err(format!("GET {path} at {address}: no status line in the first {LONGEST} bytes"));
            }
            None => {}
        }
        if stream.read_buf(&mut answer).await.map_err(broken)? == 0 {
            return Err(format!("GET {path} at {address}: the connection was closed without an answer"));
        }
    }
}

/// The status, once its line, and for 1xx its whole head, is there.
fn status(answer: &[u8]) -> Option<Result<u16, String>> {
    let end = answer.iter().position(|byte| *byte == b'\n')?;
    let line = String::from_utf8_lossy(&answer[..end]);
    let line = line.trim_end();
    let parsed = line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1))
        .filter(|status| status.len() == 3)
        .and_then(|status| status.parse().ok());
    match parsed {
        None => Some(Err(line.chars().take(80).collect())),
        Some(status) if (100..200).contains(&status) && head_end(answer).is_none() => None,
        Some(status) => Some(Ok(status)),
    }
}

fn head_end(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

fn skip_head(answer: &mut Vec<u8>) {
    let end = head_end(answer).unwrap_or(answer.len());
    answer.drain(..end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_lines() {
        assert_eq!(status(b"HTTP/1.1 20"), None);
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n"), Some(Ok(204)));
        assert_eq!(status(b"HTTP/1.0 301\n"), Some(Ok(301)));
        assert_eq!(status(b"HTTP/1.1 100 Continue\r\n"), None);
        assert_eq!(status(b"HTTP/1.1 100 Continue\r\n\r\n"), Some(Ok(100)));
        assert_eq!(status(b"HTTP/1.1 2000 OK\r\n"), Some(Err("HTTP/1.1 2000 OK".into())));
        assert_eq!(status(b"SSH-2.0-OpenSSH\r\n"), Some(Err("SSH-2.0-OpenSSH".into())));
    }
}
