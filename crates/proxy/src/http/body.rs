//! Where a message's body ends, fed in pieces of any size (RFC 9112 §6 and §7).
use super::{BAD, Refusal, head::is_token};

const MAX_EXTENSION: u16 = 256;
const MAX_TRAILER: u16 = 8 * 1024;

/// What is left of a message's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Nothing is left.
    Done,
    /// So many bytes are left; never 0.
    Length(u64),
    /// Chunks are left; trailers and the last line belong to the body.
    Chunked(Chunk),
    /// Everything until the connection ends.
    UntilClose,
}

/// Where in a chunked body the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunk {
    /// In a size line, after so many hexadecimal digits.
    Size {
        /// The digits' value so far.
        value: u64,
        /// How many digits there were.
        digits: u8,
    },
    /// In the extension of a size line. It is passed on unread.
    Extension {
        /// The chunk's size.
        value: u64,
        /// How long the extension is so far.
        len: u16,
        /// What may come next.
        at: Extension,
    },
    /// Before the LF of a size line.
    SizeLf {
        /// The chunk's size.
        value: u64,
    },
    /// In the data, with so many bytes left; never 0.
    Data(u64),
    /// Before the CR after the data.
    DataCr,
    /// Before the LF after the data.
    DataLf,
    /// In a trailer line, or before the last, empty line.
    Trailer {
        /// How long the line is so far.
        line: u16,
        /// How long all trailers are so far.
        total: u16,
        /// The line's colon was seen.
        named: bool,
        /// Which of `FORBIDDEN` the name may still become, a bit each.
        forbidden: u8,
    },
    /// Before the LF of a trailer line.
    TrailerLf {
        /// The line's length; 0 is the end of the body.
        line: u16,
        /// How long all trailers are so far.
        total: u16,
    },
}

/// Where in `;name`, `;name=token` or `;name="quoted"` the next byte stands (RFC 9112 §7.1.1, without blanks).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// Before the first byte of a name.
    NameFirst,
    /// In a name.
    Name,
    /// After the `=`.
    ValueFirst,
    /// In a token.
    Value,
    /// Within quotes.
    Quoted,
    /// After a backslash within quotes.
    Escaped,
    /// After the closing quote.
    Closed,
}

impl Extension {
    fn step(self, byte: u8) -> Option<Extension> {
        Some(match (self, byte) {
            (Extension::NameFirst | Extension::Name, b) if is_token(b) => Extension::Name,
            (Extension::Name, b'=') => Extension::ValueFirst,
            (Extension::ValueFirst, b'"') => Extension::Quoted,
            (Extension::ValueFirst | Extension::Value, b) if is_token(b) => Extension::Value,
            (Extension::Quoted, b'"') => Extension::Closed,
            (Extension::Quoted, b'\\') => Extension::Escaped,
            (Extension::Quoted | Extension::Escaped, b) if is_text(b) => Extension::Quoted,
            (Extension::Name | Extension::Value | Extension::Closed, b';') => Extension::NameFirst,
            _ => return None,
        })
    }

    fn may_end(self) -> bool {
        matches!(self, Extension::Name | Extension::Value | Extension::Closed)
    }
}

/// Fields that say where a message ends or goes: never in a trailer (RFC 9110 §6.5.1).
const FORBIDDEN: [&[u8]; 3] = [b"content-length", b"transfer-encoding", b"host"];

/// Which of the names in `left` go on with `byte` at `at`.
fn still_forbidden(left: u8, at: u16, byte: u8) -> u8 {
    let goes_on = |n: &usize| FORBIDDEN[*n].get(usize::from(at)) == Some(&byte.to_ascii_lowercase());
    (0..FORBIDDEN.len()).filter(goes_on).fold(0, |bits, n| bits | 1 << n) & left
}

/// One of the names in `left` is complete.
fn is_forbidden(left: u8, len: u16) -> bool {
    FORBIDDEN.iter().enumerate().any(|(n, name)| left & 1 << n != 0 && name.len() == usize::from(len))
}

impl Body {
    /// A chunked body of which nothing was read.
    pub const CHUNKED: Body = Body::Chunked(Chunk::START);

    /// Nothing is left.
    pub fn is_done(self) -> bool {
        self == Body::Done
    }

    /// Says how many bytes of `data` belong to this body, and moves on by so many.
    ///
    /// # Errors
    /// The chunks are framed wrongly: 400 for a request; a response is cut off.
    pub fn advance(&mut self, data: &[u8]) -> Result<usize, Refusal> {
        match self {
            Body::Done => Ok(0),
            Body::UntilClose => Ok(data.len()),
            Body::Length(left) => {
                let take = (*left).min(data.len() as u64);
                *left -= take;
                if *left == 0 {
                    *self = Body::Done;
                }
                Ok(take as usize)
            }
            Body::Chunked(_) => self.advance_chunked(data),
        }
    }

    fn advance_chunked(&mut self, data: &[u8]) -> Result<usize, Refusal> {
        let mut at = 0;
        while let Body::Chunked(state) = self
            && at < data.len()
        {
            if let Chunk::Data(left) = state {
                let take = (*left).min((data.len() - at) as u64);
                *left -= take;
                at += take as usize;
                if *left == 0 {
                    *state = Chunk::DataCr;
                }
                continue;
            }
            match state.step(data[at])? {
                Some(next) => *state = next,
                None => *self = Body::Done,
            }
            at += 1;
        }
        Ok(at)
    }
}

impl Chunk {
    const START: Chunk = Chunk::Size { value: 0, digits: 0 };
    const TRAILER: Chunk = Chunk::Trailer { line: 0, total: 0, named: false, forbidden: 0b111 };

    /// One framing byte; `None` after the last. Bare LF, spaces around the size, sizes of 2^60 and more and trailer lines
    /// that are no fields are refused.
    fn step(self, byte: u8) -> Result<Option<Chunk>, Refusal> {
        Ok(Some(match (self, byte) {
            (Chunk::Size { value, digits: digits @ 0..15 }, b) if b.is_ascii_hexdigit() => {
                let digit = (b as char).to_digit(16).ok_or(BAD)?;
                Chunk::Size { value: value << 4 | u64::from(digit), digits: digits + 1 }
            }
            (Chunk::Size { value, digits: 1.. }, b'\r') => Chunk::SizeLf { value },
            (Chunk::Size { value, digits: 1.. }, b';') => Chunk::Extension { value, len: 0, at: Extension::NameFirst },
            (Chunk::Extension { value, at, .. }, b'\r') if at.may_end() => Chunk::SizeLf { value },
            (Chunk::Extension { value, len: len @ 0..MAX_EXTENSION, at }, b) => {
                Chunk::Extension { value, len: len + 1, at: at.step(b).ok_or(BAD)? }
            }
            (Chunk::SizeLf { value: 0 }, b'\n') => Chunk::TRAILER,
            (Chunk::SizeLf { value }, b'\n') => Chunk::Data(value),
            (Chunk::DataCr, b'\r') => Chunk::DataLf,
            (Chunk::DataLf, b'\n') => Chunk::START,
            (Chunk::Trailer { line: 0, total, .. }, b'\r') => Chunk::TrailerLf { line: 0, total },
            (Chunk::Trailer { line, total, named: true, .. }, b'\r') => Chunk::TrailerLf { line, total },
            (Chunk::Trailer { line: line @ 1.., named: false, forbidden, .. }, b':')
                if is_forbidden(forbidden, line) =>
            {
                return Err(BAD);
            }
            (Chunk::Trailer { line, total: total @ 0..MAX_TRAILER, named, forbidden }, b)
                if named && is_text(b) || is_token(b) || b == b':' && line > 0 =>
            {
                let forbidden = if named { 0 } else { still_forbidden(forbidden, line, b) };
                Chunk::Trailer { line: line + 1, total: total + 1, named: named || b == b':', forbidden }
            }
            (Chunk::TrailerLf { line: 0, .. }, b'\n') => return Ok(None),
            (Chunk::TrailerLf { total, .. }, b'\n') => {
                Chunk::Trailer { line: 0, total, named: false, forbidden: 0b111 }
            }
            _ => return Err(BAD),
        }))
    }
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}
