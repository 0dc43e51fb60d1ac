//! One end of an HTTP/1.1 connection: heads, body framing (RFC 9112 §6 and §7) and nothing else.
//!
//! Both the generator and the backend read through this, and both want to know *how* a message broke, because a body
//! cut short and a connection reset before the first byte are different news for a release.

use std::io::{Error, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const MOST_HEAD: usize = 16 * 1024;
const MOST_FIELDS: usize = 64;
/// A body is kept up to this many bytes, which is what the checks look at; the rest is read and counted only.
pub const KEPT_BODY: usize = 64 * 1024;

/// Why a message could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The peer closed the connection before the first byte of a message.
    #[error("the connection ended before a message began")]
    Ended,
    /// The connection ended, or was reset, within a message.
    #[error("the connection ended within a message: {0}")]
    Cut(std::io::Error),
    /// The connection failed before the first byte of a message.
    #[error("the connection failed before a message began: {0}")]
    Failed(std::io::Error),
    /// The bytes are not HTTP/1.1 as RFC 9112 has it.
    #[error("the message is not HTTP/1.1: {0}")]
    Malformed(&'static str),
}

/// Where a message's body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes.
    Length(u64),
    /// After the last chunk and its trailers.
    Chunked,
    /// With the connection; for responses only.
    UntilClose,
}

/// The fields of a head, in the order in which they came.
#[derive(Debug, Default)]
pub struct Fields(Vec<(String, Vec<u8>)>);

impl Fields {
    /// The first value of the field called `name`, in whatever case, if it is text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).and_then(|(_, v)| std::str::from_utf8(v).ok())
    }

    /// Whether the comma-separated field called `name` has `token` among its values.
    pub fn has(&self, name: &str, token: &str) -> bool {
        let values = self.0.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        values
            .filter_map(|(_, v)| std::str::from_utf8(v).ok())
            .flat_map(|v| v.split(','))
            .any(|t| t.trim().eq_ignore_ascii_case(token))
    }

    fn framing(&self, otherwise: Framing) -> Result<Framing, Broken> {
        match (self.get("transfer-encoding"), self.get("content-length")) {
            (Some(_), Some(_)) => Err(Broken::Malformed("it has both Content-Length and Transfer-Encoding")),
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
            (Some(_), None) => Err(Broken::Malformed("its Transfer-Encoding is not chunked")),
            (None, Some(length)) if length.bytes().all(|b| b.is_ascii_digit()) => {
                length.parse().map(Framing::Length).map_err(|_| Broken::Malformed("its Content-Length is no number"))
            }
            (None, Some(_)) => Err(Broken::Malformed("its Content-Length is no number")),
            (None, None) => Ok(otherwise),
        }
    }
}

/// A request head.
#[derive(Debug)]
pub struct RequestHead {
    /// The method, as sent.
    pub method: String,
    /// The target, as sent.
    pub target: String,
    /// All fields.
    pub fields: Fields,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the client wants to use the connection again.
    pub keep_alive: bool,
}

/// A response head.
#[derive(Debug)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// All fields.
    pub fields: Fields,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the server leaves the connection open after this response.
    pub keep_alive: bool,
}

/// A connection with what was read from it and not yet used.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    /// A connection of which nothing was read yet.
    pub fn new(stream: TcpStream) -> Self {
        Wire { stream, read: Vec::new() }
    }

    /// Sends all of `data`.
    ///
    /// # Errors
    /// When the peer is gone.
    pub async fn send(&mut self, data: &[u8]) -> Result<(), Error> {
        self.stream.write_all(data).await
    }

    /// Ends our direction; the peer may still send.
    ///
    /// # Errors
    /// When the peer is gone.
    pub async fn finish(&mut self) -> Result<(), Error> {
        self.stream.shutdown().await
    }

    /// Makes the connection end with a reset when it is dropped.
    ///
    /// # Errors
    /// When the socket is already dead.
    pub fn reset_on_drop(&self) -> Result<(), Error> {
        self.stream.set_zero_linger()
    }

    /// Whether an idle connection can still carry a message: the peer neither closed it nor sent what nobody asked for.
    pub fn is_quiet(&self) -> bool {
        let mut byte = [0; 1];
        self.read.is_empty() && matches!(self.stream.try_read(&mut byte), Err(e) if e.kind() == ErrorKind::WouldBlock)
    }

    /// Reads more into the buffer; the number of bytes, 0 at the end. Safe to drop at any await.
    async fn fill(&mut self) -> Result<usize, Error> {
        self.read.reserve(16 * 1024);
        self.stream.read_buf(&mut self.read).await
    }

    /// Reads until `want` bytes are in the buffer.
    async fn need(&mut self, want: usize) -> Result<(), Broken> {
        while self.read.len() < want {
            match self.fill().await {
                Ok(0) => return Err(Broken::Cut(ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(e) => return Err(Broken::Cut(e)),
            }
        }
        Ok(())
    }

    /// Takes exactly `count` bytes.
    ///
    /// # Errors
    /// [`Broken::Cut`] when the connection ends before.
    pub async fn take(&mut self, count: usize) -> Result<Vec<u8>, Broken> {
        self.need(count).await?;
        Ok(self.read.drain(..count).collect())
    }

    /// Waits for a first byte, so that a caller can tell an idle connection from a slow message. Safe to drop.
    ///
    /// # Errors
    /// [`Broken::Ended`] or [`Broken::Failed`] when none comes.
    pub async fn begin(&mut self) -> Result<(), Broken> {
        while self.read.is_empty() {
            match self.fill().await {
                Ok(0) => return Err(Broken::Ended),
                Ok(_) => {}
                Err(e) => return Err(Broken::Failed(e)),
            }
        }
        Ok(())
    }

    /// The bytes of a whole head, CRLFCRLF included.
    async fn head(&mut self) -> Result<Vec<u8>, Broken> {
        self.begin().await?;
        let mut searched = 0;
        loop {
            if let Some(at) = find(&self.read[searched..], b"\r\n\r\n") {
                return Ok(self.read.drain(..searched + at + 4).collect());
            }
            if self.read.len() > MOST_HEAD {
                return Err(Broken::Malformed("its head is longer than 16 KiB"));
            }
            searched = self.read.len().saturating_sub(3);
            self.need(self.read.len() + 1).await?;
        }
    }

    /// Reads a request head.
    ///
    /// # Errors
    /// [`Broken`], by what happened.
    pub async fn request(&mut self) -> Result<RequestHead, Broken> {
        let head = self.head().await?;
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut parsed = httparse::Request::new(&mut fields);
        match parsed.parse(&head) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) | Err(_) => return Err(Broken::Malformed("its head does not parse")),
        }
        let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(Broken::Malformed("its first line is incomplete"));
        };
        let fields = owned(parsed.headers);
        let framing = fields.framing(Framing::Length(0))?;
        let keep_alive = version == 1 && !fields.has("connection", "close");
        Ok(RequestHead { method: method.to_owned(), target: target.to_owned(), fields, framing, keep_alive })
    }

    /// Reads the head of the final response to a request that was no HEAD; interim ones (1xx but 101) are skipped.
    ///
    /// # Errors
    /// [`Broken`], by what happened.
    pub async fn response(&mut self) -> Result<ResponseHead, Broken> {
        loop {
            let head = self.head().await?;
            let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
            let mut parsed = httparse::Response::new(&mut fields);
            match parsed.parse(&head) {
                Ok(httparse::Status::Complete(_)) => {}
                Ok(httparse::Status::Partial) | Err(_) => return Err(Broken::Malformed("its head does not parse")),
            }
            let (Some(status), Some(version)) = (parsed.code, parsed.version) else {
                return Err(Broken::Malformed("its first line is incomplete"));
            };
            if (100..200).contains(&status) && status != 101 {
                continue;
            }
            let fields = owned(parsed.headers);
            let framing = match status {
                101 | 204 | 304 => Framing::Length(0),
                _ => fields.framing(Framing::UntilClose)?,
            };
            let keep_alive = version == 1 && !fields.has("connection", "close") && framing != Framing::UntilClose;
            return Ok(ResponseHead { status, fields, framing, keep_alive });
        }
    }

    /// Reads a whole body; its first [`KEPT_BODY`] bytes are returned.
    ///
    /// # Errors
    /// [`Broken::Cut`] when it is short, [`Broken::Malformed`] when its chunks are.
    pub async fn body(&mut self, framing: Framing) -> Result<Vec<u8>, Broken> {
        let mut kept = Vec::new();
        match framing {
            Framing::Length(length) => self.counted(length, &mut kept).await?,
            Framing::Chunked => self.chunked(&mut kept).await?,
            Framing::UntilClose => self.rest(&mut kept).await?,
        }
        Ok(kept)
    }

    async fn counted(&mut self, length: u64, kept: &mut Vec<u8>) -> Result<(), Broken> {
        let mut left = length;
        while left > 0 {
            self.need(1).await?;
            let count = self.read.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            keep(kept, &self.read[..count]);
            self.read.drain(..count);
            left -= count as u64;
        }
        Ok(())
    }

    async fn chunked(&mut self, kept: &mut Vec<u8>) -> Result<(), Broken> {
        loop {
            let line = self.line().await?;
            let digits = line.split(|b| *b == b';').next().unwrap_or_default();
            let digits = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
            let size = digits.and_then(|d| u64::from_str_radix(d, 16).ok());
            match size.ok_or(Broken::Malformed("a chunk's size is no number"))? {
                0 => break,
                size => self.counted(size, kept).await?,
            }
            if !self.line().await?.is_empty() {
                return Err(Broken::Malformed("a chunk is longer than its size"));
            }
        }
        while !self.line().await?.is_empty() {}
        Ok(())
    }

    async fn rest(&mut self, kept: &mut Vec<u8>) -> Result<(), Broken> {
        loop {
            keep(kept, &self.read);
            self.read.clear();
            match self.fill().await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(e) => return Err(Broken::Cut(e)),
            }
        }
    }

    /// One line without its CRLF.
    async fn line(&mut self) -> Result<Vec<u8>, Broken> {
        loop {
            if let Some(at) = find(&self.read, b"\r\n") {
                let line = self.read[..at].to_vec();
                self.read.drain(..at + 2);
                return Ok(line);
            }
            if self.read.len() > MOST_HEAD {
                return Err(Broken::Malformed("a line of its body is longer than 16 KiB"));
            }
            self.need(self.read.len() + 1).await?;
        }
    }
}

fn keep(kept: &mut Vec<u8>, data: &[u8]) {
    let room = KEPT_BODY - kept.len();
    kept.extend_from_slice(&data[..data.len().min(room)]);
}

fn owned(fields: &[httparse::Header<'_>]) -> Fields {
    Fields(fields.iter().map(|f| (f.name.to_owned(), f.value.to_vec())).collect())
}

fn find(data: &[u8], part: &[u8]) -> Option<usize> {
    data.windows(part.len()).position(|w| w == part)
}
