//! The part of WebSocket (RFC 6455) that an echo needs: the opening handshake, whole messages in one frame, ping, close.

use crate::wire::{Broken, Wire};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// RFC 6455 §1.3.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const MOST_PAYLOAD: usize = 64 * 1024;

/// A frame as far as an echo is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A text or binary message, whole in one frame.
    Message(Vec<u8>),
    /// A ping, to be answered with its own payload.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
    /// The peer ends the conversation, and says why (RFC 6455 §7.4), if it does.
    Close(Option<u16>),
}

/// Which side sends: a client masks its frames, a server does not (RFC 6455 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Opened the connection; masks.
    Client,
    /// Accepted it; does not mask.
    Server,
}

/// The value of Sec-WebSocket-Key for a connection with this number; unique per connection is all that it must be.
pub fn key(number: u64) -> String {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[8..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    STANDARD.encode(bytes)
}

/// The value of Sec-WebSocket-Accept that answers `key` (RFC 6455 §4.2.2).
pub fn accept(key: &str) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// A frame as bytes. The mask is fixed: it guards old intermediaries against hostile scripts, and there are none here.
pub fn encode(frame: &Frame, role: Role) -> Vec<u8> {
    let (code, payload) = match frame {
        Frame::Message(data) => (1, data.clone()),
        Frame::Ping(data) => (9, data.clone()),
        Frame::Pong => (10, Vec::new()),
        Frame::Close(reason) => (8, reason.map(|r| r.to_be_bytes().to_vec()).unwrap_or_default()),
    };
    encode_raw(code, &payload, role)
}

/// The answer to a ping: a pong with the ping's payload.
pub fn encode_pong(payload: &[u8], role: Role) -> Vec<u8> {
    encode_raw(10, payload, role)
}

fn encode_raw(code: u8, payload: &[u8], role: Role) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let masked = if role == Role::Client { 0x80 } else { 0 };
    let mut out = vec![0x80 | code];
    match payload.len() {
        length @ 0..126 => out.push(masked | length as u8),
        length @ 126..65536 => {
            out.push(masked | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(masked | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    match role {
        Role::Client => {
            out.extend_from_slice(&MASK);
            out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(b, m)| b ^ m));
        }
        Role::Server => out.extend_from_slice(payload),
    }
    out
}

/// Waits for a frame to begin, without taking any of it. Safe to drop, unlike [`read`].
///
/// # Errors
/// When the connection ends first.
pub async fn begin(wire: &mut Wire) -> Result<(), Broken> {
    wire.begin().await
}

/// Reads one frame. Not safe to drop within a frame: wait with [`begin`] where something else may come first.
///
/// # Errors
/// [`Broken`] when the connection ends, or when the peer sends what this does not speak: fragments, other opcodes.
pub async fn read(wire: &mut Wire) -> Result<Frame, Broken> {
    wire.begin().await?;
    let start = wire.take(2).await?;
    let masked = start[1] & 0x80 != 0;
    let length = match start[1] & 0x7f {
        126 => u64::from(u16::from_be_bytes(array(wire.take(2).await?))),
        127 => u64::from_be_bytes(array(wire.take(8).await?)),
        short => u64::from(short),
    };
    let length = usize::try_from(length).ok().filter(|l| *l <= MOST_PAYLOAD);
    let length = length.ok_or(Broken::Malformed("a WebSocket frame is longer than 64 KiB"))?;
    let mask: [u8; 4] = if masked { array(wire.take(4).await?) } else { [0; 4] };
    let mut payload = wire.take(length).await?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(b, m)| *b ^= m);
    match start[0] {
        0x81 | 0x82 => Ok(Frame::Message(payload)),
        0x88 => Ok(Frame::Close(payload.first_chunk().map(|c| u16::from_be_bytes(*c)))),
        0x89 => Ok(Frame::Ping(payload)),
        0x8a => Ok(Frame::Pong),
        _ => Err(Broken::Malformed("a WebSocket frame is a fragment or has an unknown opcode")),
    }
}

/// `take` returned exactly as many bytes as were asked for, which is the array's length at every call.
fn array<const N: usize>(bytes: Vec<u8>) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_value_is_the_one_of_the_rfc() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_masked_frame_is_the_one_of_the_rfc() {
        let hello = encode(&Frame::Message(b"Hello".to_vec()), Role::Client);
        assert_eq!(hello, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }

    #[test]
    fn keys_differ() {
        assert_ne!(key(1), key(2));
        assert_eq!(STANDARD.decode(key(7)).map(|k| k.len()), Ok(16));
    }
}
