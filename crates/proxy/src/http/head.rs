//! The fields of a head: which lines are passed on, and what they say about framing and connection (RFC 9110 §7.6.1).
use super::{BAD, MAX_HEAD, Refusal};
use httparse::Header;

/// Tells `edit` to copy from the first field on, without the line before it.
pub(super) const FROM_FIELDS: usize = usize::MAX;

/// What a look for the end of a head found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scan {
    /// The head is not complete. Looking on from this offset is enough when more bytes are here.
    Partial(usize),
    /// It is worth parsing: it is complete, too large, or has a line end that is wrong anyway.
    Ready,
}

/// Looks for the end of a head in `data`, from `from` on (0 at first, then what the last `Partial` said).
///
/// A head that drips in is parsed once this way, instead of once per read.
pub fn scan(data: &[u8], from: usize) -> Scan {
    let lead = if data.starts_with(b"\r\n") { 2 } else { 0 }; // one empty line before the head is none of it
    let mut at = from.max(lead);
    while let Some(lf) = data[at..].iter().position(|b| *b == b'\n').map(|n| at + n) {
        let line = data[lead..lf].strip_suffix(b"\r");
        if line.is_none_or(|before| before.is_empty() || before.ends_with(b"\r\n")) {
            return Scan::Ready;
        }
        at = lf + 1;
    }
    if data.len() >= MAX_HEAD { Scan::Ready } else { Scan::Partial(data.len()) }
}

/// Copies the lines of `head` that are kept, from `from` on and in runs as long as possible, and learns from all fields.
pub(super) fn edit<'a>(
    head: &[u8],
    from: usize,
    fields: &[Header<'a>],
    drops: impl Fn(Name) -> bool,
    out: &mut Vec<u8>,
) -> Result<Framing<'a>, Refusal> {
    let begin = out.len();
    let mut framing = Framing::default();
    let mut any_rewritten = false;
    let mut kept = (from != FROM_FIELDS).then_some(from);
    for field in fields {
        let at = offset(head, field.name.as_bytes());
        if !head[..at].ends_with(b"\r\n") {
            return Err(BAD); // the line before ended with a bare LF
        }
        let name = Name::of(field.name);
        framing.field(name, field.value)?;
        let rewritten = has_blanks(name, field, head);
        any_rewritten |= rewritten;
        let drops = drops(name) || rewritten;
        match kept {
            Some(from) if drops => {
                out.extend_from_slice(&head[from..at]);
                kept = None;
            }
            None if !drops => kept = Some(at),
            Some(_) | None => {}
        }
    }
    if !head.ends_with(b"\r\n\r\n") {
        return Err(BAD);
    }
    if let Some(from) = kept {
        out.extend_from_slice(&head[from..head.len() - 2]);
    }
    if framing.names_others {
        let line = if from == FROM_FIELDS { Some(begin) } else { line_end(out, begin) };
        out.truncate(line.ok_or(BAD)?);
        put_unnamed(fields, drops, out);
    } else if any_rewritten {
        let kept = fields.iter().filter(|f| !drops(Name::of(f.name)) && has_blanks(Name::of(f.name), f, head));
        kept.for_each(|f| put_field(out, f.name.as_bytes(), f.value));
    }
    Ok(framing)
}

/// Fields that everybody must read alike are written anew if there is more around the value than a space.
fn has_blanks(name: Name, field: &Header<'_>, head: &[u8]) -> bool {
    if !matches!(name, Name::Host | Name::ContentLength | Name::TransferEncoding) {
        return false;
    }
    let (end, value) = (offset(head, field.name.as_bytes()) + field.name.len(), offset(head, field.value));
    !matches!(&head[end..value], b":" | b": ") || !head[value + field.value.len()..].starts_with(b"\r\n")
}

fn line_end(out: &[u8], begin: usize) -> Option<usize> {
    out[begin..].iter().position(|b| *b == b'\n').map(|n| begin + n + 1)
}

/// The rare case: Connection names end-to-end fields, which then end here. Framing and routing fields cannot be removed
/// this way.
fn put_unnamed(fields: &[Header<'_>], drops: impl Fn(Name) -> bool, out: &mut Vec<u8>) {
    let is_named = |name: &str| {
        let connections = fields.iter().filter(|f| Name::of(f.name) == Name::Connection);
        connections.flat_map(|f| tokens(f.value)).any(|token| token.eq_ignore_ascii_case(name.as_bytes()))
    };
    for field in fields {
        let name = Name::of(field.name);
        if !drops(name) && (name != Name::Other || !is_named(field.name)) {
            put_field(out, field.name.as_bytes(), field.value);
        }
    }
}

fn tokens(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|b| *b == b',').map(<[u8]>::trim_ascii)
}

/// What the fields say about where the message ends and what happens to the connection.
#[derive(Default)]
pub(super) struct Framing<'a> {
    pub(super) length: Option<u64>,
    pub(super) chunked: bool,
    pub(super) close: bool,
    /// Connection says that Upgrade counts.
    pub(super) upgrade: bool,
    /// Upgrade says websocket and nothing else; h2c never counts.
    pub(super) websocket: bool,
    pub(super) host: Option<&'a [u8]>,
    pub(super) forwarded: bool,
    pub(super) forwarded_proto: bool,
    pub(super) forwarded_host: bool,
    /// Connection names fields that are then hop-by-hop too.
    names_others: bool,
}

impl<'a> Framing<'a> {
    fn field(&mut self, name: Name, value: &'a [u8]) -> Result<(), Refusal> {
        let twice = match name {
            Name::Other | Name::HopByHop => false,
            Name::Host => self.host.replace(value).is_some(),
            Name::Upgrade => std::mem::replace(&mut self.websocket, value.eq_ignore_ascii_case(b"websocket")),
            Name::ForwardedFor => {
                self.forwarded = true;
                false
            }
            Name::ForwardedProto => {
                self.forwarded_proto = true;
                false
            }
            Name::ForwardedHost => {
                self.forwarded_host = true;
                false
            }
            Name::ContentLength => self.length.replace(decimal(value)?).is_some(),
            Name::TransferEncoding if !value.eq_ignore_ascii_case(b"chunked") => return Err(Refusal(501)),
            Name::TransferEncoding => std::mem::replace(&mut self.chunked, true),
            Name::Connection => {
                for token in tokens(value) {
                    self.connection(token);
                }
                false
            }
        };
        if twice { Err(BAD) } else { Ok(()) }
    }

    fn connection(&mut self, token: &[u8]) {
        if token.eq_ignore_ascii_case(b"close") {
            self.close = true;
        } else if token.eq_ignore_ascii_case(b"upgrade") {
            self.upgrade = true;
        } else if !token.is_empty() && !token.eq_ignore_ascii_case(b"keep-alive") {
            self.names_others = true;
        }
    }
}

/// The fields that a proxy has to do something about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Other,
    Host,
    Upgrade,
    Connection,
    ContentLength,
    TransferEncoding,
    ForwardedFor,
    ForwardedProto,
    ForwardedHost,
    HopByHop,
}

impl Name {
    pub(super) fn of(name: &str) -> Name {
        let Some(first) = name.as_bytes().first() else {
            return Name::Other;
        };
        let (full, kind) = match (name.len(), first | 0x20) {
            (4, b'h') => ("host", Name::Host),
            (2, b't') => ("te", Name::HopByHop),
            (7, b'u') => ("upgrade", Name::Upgrade),
            (10, b'c') => ("connection", Name::Connection),
            (10, b'k') => ("keep-alive", Name::HopByHop),
            (14, b'c') => ("content-length", Name::ContentLength),
            (15, b'x') => ("x-forwarded-for", Name::ForwardedFor),
            (16, b'x') => ("x-forwarded-host", Name::ForwardedHost),
            (17, b'x') => ("x-forwarded-proto", Name::ForwardedProto),
            (16, b'p') => ("proxy-connection", Name::HopByHop),
            (17, b't') => ("transfer-encoding", Name::TransferEncoding),
            _ => return Name::Other,
        };
        if name.eq_ignore_ascii_case(full) { kind } else { Name::Other }
    }
}

/// Digits only: no sign, no list, no space, and it must fit.
fn decimal(value: &[u8]) -> Result<u64, Refusal> {
    if value.is_empty() || value.len() > 18 {
        return Err(BAD);
    }
    let digit = |n: u64, b: &u8| {
        if b.is_ascii_digit() { Ok(n * 10 + u64::from(b - b'0')) } else { Err(BAD) }
    };
    value.iter().try_fold(0, digit)
}

pub(super) fn put_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// A byte of a field name or method (RFC 9110 §5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Where in `data` its part `part` begins.
pub(super) fn offset(data: &[u8], part: &[u8]) -> usize {
    part.as_ptr() as usize - data.as_ptr() as usize
}
