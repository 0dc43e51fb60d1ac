//! The cases that are kept as data: a name, what must come of it, and the bytes.

/// What must come of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Exactly one whole message is passed on.
    One,
    /// A message is passed on whose body is not all there.
    More,
    /// Nothing is passed on as a whole message: it is refused, in its head or within its body.
    Refused,
}

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it is about.
    pub name: String,
    /// What must come of it.
    pub expect: Expect,
    /// What a peer sends.
    pub bytes: Vec<u8>,
}

/// Requests, among them what is known of request smuggling.
pub fn requests() -> Vec<Case> {
    read(include_str!("../corpus/requests.txt"))
}

/// Responses to a GET.
pub fn responses() -> Vec<Case> {
    read(include_str!("../corpus/responses.txt"))
}

/// Reads a corpus file. A line that it cannot read is a defect of the file, and ends the program with its number.
fn read(text: &str) -> Vec<Case> {
    let cases = (1..).zip(text.lines()).filter(|(_, l)| !l.is_empty() && !l.starts_with('#'));
    cases.map(|(number, line)| case(line).unwrap_or_else(|| panic!("line {number} of the corpus is no case"))).collect()
}

fn case(line: &str) -> Option<Case> {
    let mut parts = line.splitn(3, " | ");
    let name = parts.next()?.to_owned();
    let expect = match parts.next()? {
        "one" => Expect::One,
        "more" => Expect::More,
        "refused" => Expect::Refused,
        _ => return None,
    };
    Some(Case { name, expect, bytes: unescape(parts.next()?)? })
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next()? {
                b'r' => b'\r',
                b'n' => b'\n',
                b't' => b'\t',
                b'\\' => b'\\',
                b'x' => {
                    let digits = [bytes.next()?, bytes.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                _ => return None,
            },
            plain => plain,
        });
    }
    Some(out)
}

/// Bytes as text that can be put into a corpus file.
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        match byte {
            b'\r' => out.push_str("\\r"),
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b'\\' => out.push_str("\\\\"),
            0x20..0x7f => out.push(*byte as char),
            other => out.push_str(&format!("\\x{other:02x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(unescape(&escape(&all)), Some(all));
    }

    #[test]
    fn names_are_unique() {
        for cases in [requests(), responses()] {
            for (at, case) in cases.iter().enumerate() {
                assert!(cases[..at].iter().all(|c| c.name != case.name), "{} is there twice", case.name);
            }
        }
    }
}
