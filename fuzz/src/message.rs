//! What the proxy would send upstream for what a client sent, and what the upstream must then understand.

use serin_proxy::http::{Body, Chunk, Hop, Refusal, request};

/// The hop that the messages come over.
pub const HOP: Hop<'static> = Hop { peer: b"192.0.2.9", trusted: true };

/// A message as the proxy would send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The bytes, head and body.
    pub bytes: Vec<u8>,
    /// The method that the client named.
    pub method: String,
    /// The target as it is sent.
    pub target: String,
    /// The body without its framing, as far as it is there.
    pub body: Vec<u8>,
    /// The whole body is there.
    pub whole: bool,
}

/// What is sent for `data`; `None` when the head is not complete.
///
/// # Errors
/// The refusal of the head or of the body.
pub fn sent(data: &[u8]) -> Result<Option<Sent>, Refusal> {
    let mut bytes = Vec::new();
    let Some(parsed) = request(data, HOP, &mut bytes)? else { return Ok(None) };
    let line = String::from_utf8_lossy(bytes.split(|b| *b == b'\r').next().unwrap_or_default()).into_owned();
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (taken, body, whole) = decode(parsed.body, &data[parsed.head..])?;
    bytes.extend_from_slice(&data[parsed.head..parsed.head + taken]);
    Ok(Some(Sent { bytes, method, target, body, whole }))
}

/// The body's bytes in `data`, its content, and whether it ended; read byte by byte, so that the state says what is data.
///
/// # Errors
/// The refusal of the body.
pub fn decode(mut framing: Body, data: &[u8]) -> Result<(usize, Vec<u8>, bool), Refusal> {
    let mut content = Vec::new();
    let mut taken = 0;
    while taken < data.len() && !framing.is_done() {
        if matches!(framing, Body::Length(_) | Body::UntilClose | Body::Chunked(Chunk::Data(_))) {
            content.push(data[taken]);
        }
        taken += framing.advance(&data[taken..=taken])?;
    }
    Ok((taken, content, framing.is_done()))
}
