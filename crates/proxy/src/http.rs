//! HTTP/1.1 messages as a proxy sees them: strict heads, edited in one copy, and the framing of bodies (RFC 9112).
//!
//! Pure: bytes go in, framing and an edited head come out. Nothing here reads, writes, waits or allocates, except that
//! the caller's output buffer may grow. Only what was understood is passed on.
mod body;
mod head;
#[cfg(test)]
mod tests;

pub use body::{Body, Chunk};
pub use head::{Scan, scan};

use head::{Framing, Name, edit, offset, put_field};
use httparse::Status::{Complete, Partial};
use std::mem::MaybeUninit;

/// The most bytes that a message's head may have.
pub const MAX_HEAD: usize = 16 * 1024;
/// The most field lines that a message's head may have.
pub const MAX_FIELDS: usize = 64;

/// The status with which a bad request is refused. For a bad response the caller sends a 502, whatever the status here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal(pub u16);

const BAD: Refusal = Refusal(400);

/// What the proxy knows about the hop that a request came over.
#[derive(Debug, Clone, Copy)]
pub struct Hop<'a> {
    /// The client's address as text, without a port.
    pub peer: &'a [u8],
    /// The peer is another proxy of ours: what it says in X-Forwarded-* is kept. Otherwise it is replaced.
    pub trusted: bool,
}

/// What a request head says, beyond the bytes that are sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Bytes of input that the head took.
    pub head: usize,
    /// The body's framing; nothing of the body has been looked at.
    pub body: Body,
    /// The client's connection may serve another request after this one.
    pub keep_alive: bool,
    /// HEAD: the response has no body, whatever its fields say.
    pub is_head: bool,
    /// Sending it twice means the same as sending it once (RFC 9110 §9.2.2).
    pub idempotent: bool,
    /// It asks for an upgrade to WebSocket; a 101 is then allowed.
    pub upgrade: bool,
    /// The client speaks HTTP/1.0: no interim responses and no chunks for it.
    pub http10: bool,
}

/// What a response head says, beyond the bytes that are sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    /// Bytes of input that the head took.
    pub head: usize,
    /// The status code; 1xx other than 101 is an interim response, after which another head follows.
    pub status: u16,
    /// The body's framing; nothing of the body has been looked at.
    pub body: Body,
    /// The upstream connection may serve another request after this one.
    pub reusable: bool,
}

/// Parses a request head at the start of `data` and appends what is sent upstream to `out`.
///
/// `None`: not all of it is here yet; `out` is unchanged then, and undefined after a refusal.
///
/// # Errors
/// The status to refuse the request with: 400, 431 (too large, too many fields) or 501.
pub fn request(data: &[u8], hop: Hop<'_>, out: &mut Vec<u8>) -> Result<Option<Request>, Refusal> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    let head = match parsed.parse_with_uninit_headers(data, &mut fields) {
        Ok(Complete(head)) if head <= MAX_HEAD => head,
        Ok(Partial) if data.len() < MAX_HEAD => return incomplete(data),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(Refusal(431)),
        Err(_) => return Err(BAD),
    };
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(BAD);
    };
    if method == "CONNECT" {
        return Err(Refusal(501));
    }
    let begin = offset(data, method.as_bytes());
    if begin != 0 && &data[..begin] != b"\r\n" {
        return Err(BAD); // one empty line is ignored (RFC 9112 §2.2)
    }
    let target = Target::of(method, target)?;
    let authority = target.authority;
    let drops = |name| match name {
        Name::Host => authority.is_some(),
        Name::Other | Name::ContentLength | Name::TransferEncoding => false,
        Name::ForwardedProto | Name::ForwardedHost => !hop.trusted,
        Name::Upgrade | Name::Connection | Name::ForwardedFor | Name::HopByHop => true,
    };
    let line = if authority.is_some() { target.put_line(method, version, out) } else { begin };
    let framing = edit(&data[..head], line, parsed.headers, drops, out)?;
    let host_missing = version == 1 && framing.host.is_none();
    if host_missing || version == 0 && framing.chunked || framing.host.is_some_and(|h| !is_authority(h)) {
        return Err(BAD);
    }
    let body = match (framing.chunked, framing.length) {
        (true, Some(_)) => return Err(BAD),
        (true, None) => Body::CHUNKED,
        (false, None | Some(0)) => Body::Done,
        (false, Some(n)) => Body::Length(n),
    };
    let upgrade = framing.upgrade && framing.websocket && version == 1 && body.is_done();
    if upgrade {
        out.extend_from_slice(b"Upgrade: websocket\r\nConnection: upgrade\r\n");
    }
    put_hop(hop, version, authority.or(framing.host), &framing, parsed.headers, out);
    Ok(Some(Request {
        head,
        body,
        keep_alive: version == 1 && !framing.close,
        is_head: method == "HEAD",
        idempotent: matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE"),
        upgrade,
        http10: version == 0,
    }))
}

/// Parses a response head at the start of `data` and appends what is sent to the client to `out`.
///
/// `close` adds `Connection: close`; a client that does not keep its connection, and a body that ends with the
/// upstream's connection, add it too. `None`: not all of it is here yet.
///
/// # Errors
/// The response is not one that can be passed on safely. The client gets a 502, the connection is dropped.
pub fn response(data: &[u8], to: &Request, close: bool, out: &mut Vec<u8>) -> Result<Option<Response>, Refusal> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let head = match config.parse_response_with_uninit_headers(&mut parsed, data, &mut fields) {
        Ok(Complete(head)) if head <= MAX_HEAD => head,
        Ok(Partial) if data.len() < MAX_HEAD => return incomplete(data),
        Ok(_) | Err(_) => return Err(BAD),
    };
    let (Some(status), Some(version)) = (parsed.code, parsed.version) else {
        return Err(BAD);
    };
    if status < 100 || !data.starts_with(b"HTTP/") {
        return Err(BAD);
    }
    let bodiless = status < 200 || status == 204;
    let drops = |name| match name {
        Name::Connection | Name::HopByHop => true,
        Name::Upgrade => status != 101,
        Name::ContentLength | Name::TransferEncoding => bodiless,
        Name::Other | Name::Host | Name::ForwardedFor | Name::ForwardedProto | Name::ForwardedHost => false,
    };
    let line = out.len();
    let framing = edit(&data[..head], 0, parsed.headers, drops, out)?;
    let bad_chunks = framing.chunked && (framing.length.is_some() || version == 0 || to.http10);
    if bad_chunks || status == 101 && !(to.upgrade && framing.websocket) {
        return Err(BAD);
    }
    out[line + b"HTTP/1.".len()] = b'1'; // the version of a message is that of who sends it: RFC 9112 §2.3
    let body = match framing.length {
        _ if to.is_head || bodiless || status == 304 => Body::Done,
        _ if framing.chunked => Body::CHUNKED,
        Some(0) => Body::Done,
        Some(n) => Body::Length(n),
        None => Body::UntilClose,
    };
    if status == 101 {
        out.extend_from_slice(b"Connection: upgrade\r\n");
    } else if status >= 200 && (close || !to.keep_alive || body == Body::UntilClose) {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
    let reusable = version == 1 && !framing.close && body != Body::UntilClose && status != 101;
    Ok(Some(Response { head, status, body, reusable }))
}

/// A parser that wants more, although a line end is wrong or the head is over, would wait for ever.
fn incomplete<T>(data: &[u8]) -> Result<Option<T>, Refusal> {
    match scan(data, 0) {
        Scan::Partial(_) => Ok(None),
        Scan::Ready => Err(BAD),
    }
}

/// A request target, in origin-form, asterisk-form or absolute-form (RFC 9112 §3.2).
struct Target<'a> {
    /// Only the absolute-form has one; it replaces the Host field.
    authority: Option<&'a [u8]>,
    /// Path and query; empty stands for `/`, or for `*` with OPTIONS.
    path: &'a [u8],
}

impl<'a> Target<'a> {
    fn of(method: &str, target: &'a str) -> Result<Target<'a>, Refusal> {
        let bytes = target.as_bytes();
        if bytes.contains(&b'#') {
            return Err(BAD); // a fragment is the client's own affair (RFC 9112 §3.2); servers differ on it
        }
        if bytes.starts_with(b"/") || bytes == b"*" && method == "OPTIONS" {
            return Ok(Target { authority: None, path: bytes });
        }
        let scheme = [&b"http://"[..], b"https://"]
            .into_iter()
            .find(|s| bytes.len() > s.len() && bytes[..s.len()].eq_ignore_ascii_case(s))
            .ok_or(BAD)?;
        let rest = &bytes[scheme.len()..];
        let end = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if !is_authority(authority) {
            return Err(BAD);
        }
        Ok(Target { authority: Some(authority), path })
    }

    /// Appends a request line in origin-form and the Host field that belongs to it. Says where in the head the fields
    /// begin: the caller's `edit` finds that place by itself, so that it is none in the request line.
    fn put_line(&self, method: &str, version: u8, out: &mut Vec<u8>) -> usize {
        let fill: &[u8] = match self.path.first() {
            None if method == "OPTIONS" => b"*",
            None | Some(b'?') => b"/",
            Some(_) => b"",
        };
        let version: &[u8] = if version == 0 { b" HTTP/1.0\r\n" } else { b" HTTP/1.1\r\n" };
        for part in [method.as_bytes(), b" ", fill, self.path, version] {
            out.extend_from_slice(part);
        }
        put_field(out, b"Host", self.authority.unwrap_or_default());
        head::FROM_FIELDS
    }
}

/// Appends what this hop adds to a request, and the empty line.
fn put_hop(
    hop: Hop<'_>,
    version: u8,
    host: Option<&[u8]>,
    framing: &Framing<'_>,
    fields: &[httparse::Header<'_>],
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(if version == 0 { b"Via: 1.0 serin\r\n" } else { b"Via: 1.1 serin\r\n" });
    out.extend_from_slice(b"X-Forwarded-For: ");
    if framing.forwarded && hop.trusted {
        for field in fields.iter().filter(|f| Name::of(f.name) == Name::ForwardedFor && !f.value.is_empty()) {
            out.extend_from_slice(field.value);
            out.extend_from_slice(b", ");
        }
    }
    out.extend_from_slice(hop.peer);
    out.extend_from_slice(b"\r\n");
    if !(hop.trusted && framing.forwarded_proto) {
        out.extend_from_slice(b"X-Forwarded-Proto: http\r\n");
    }
    if let Some(host) = host
        && !(hop.trusted && framing.forwarded_host)
    {
        put_field(out, b"X-Forwarded-Host", host);
    }
    out.extend_from_slice(b"\r\n");
}

/// `uri-host [ ":" port ]` (RFC 3986 §3.2.2), never empty and without a user.
fn is_authority(value: &[u8]) -> bool {
    let (host, port) = match value.iter().rposition(|b| *b == b':') {
        Some(at) if !value[at..].contains(&b']') => (&value[..at], &value[at + 1..]),
        Some(_) | None => (value, &b""[..]),
    };
    let name = |b: &u8| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(b);
    let literal = |b: &u8| b.is_ascii_alphanumeric() || b".:%-_~".contains(b);
    let host_fits = match host {
        [] => false,
        [b'[', inner @ .., b']'] => !inner.is_empty() && inner.iter().all(literal),
        _ => host.iter().all(name),
    };
    host_fits && port.len() <= 5 && port.iter().all(u8::is_ascii_digit)
}
