//! Values that may be written in two ways: a short text, or a map or list.

use std::{fmt, net::SocketAddr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, value::MapAccessDeserializer},
    ser::SerializeMap,
};

/// Where the service is reached: the main address, and one for each track (to look at a version by itself).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Listen {
    /// Split traffic.
    pub address: SocketAddr,
    /// Each track's own address. Default: loopback, with ports that the kernel chooses (`serin status` shows them).
    pub tracks: Tracks,
}

/// An address of its own for each track. `None`: loopback, on a port that the kernel chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tracks {
    /// Address of the stable track alone.
    #[serde(deserialize_with = "some_address", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub stable: Option<SocketAddr>,
    /// Address of the canary alone.
    #[serde(deserialize_with = "some_address", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub canary: Option<SocketAddr>,
}

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Words(pub Vec<String>);

/// The text of a config file, or the file that it is read from (relative to `serin.yaml`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileText {
    /// The text itself.
    Inline(String),
    /// A path.
    From(String),
}

/// Reads an address; the error says what to write.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    if let Ok(address) = text.parse::<SocketAddr>() {
        return if address.port() == 0 {
            Err(format!(
                "port 0 lets the kernel choose, so that nobody knows the address: write one such as {}:8080",
                address.ip()
            ))
        } else {
            Ok(address)
        };
    }
    if let Ok(port) = text.parse::<u16>() {
        return Err(format!(
            "`{text}` is a port without an address: write 127.0.0.1:{port} (this machine alone) or 0.0.0.0:{port} (every interface)"
        ));
    }
    if let Some(port) = text.strip_prefix(':') {
        return Err(format!(
            "`{text}` has no address: write 127.0.0.1:{port} (this machine alone) or 0.0.0.0:{port} (every interface)"
        ));
    }
    if let Some(port) = text.strip_prefix("localhost:") {
        return Err(format!("write the number 127.0.0.1:{port} instead of `{text}`: names are not looked up here"));
    }
    if let Some((host, port)) = text.rsplit_once(':')
        && port.parse::<u64>().is_ok_and(|p| p > 65_535)
    {
        return Err(format!("port {port} does not exist: write {host}:PORT with a port from 1 to 65535"));
    }
    Err(format!("`{text}` is not an address: write an IP address and a port, such as 127.0.0.1:8080"))
}

/// Splits a text into words like a shell: blanks separate, quotes and backslashes protect. Nothing is expanded.
pub fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut all, mut word, mut chars) = (Vec::new(), None::<String>, text.chars());
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' => all.extend(word.take()),
            quote @ ('\'' | '"') => quoted(quote, &mut chars, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(chars.next().ok_or("the command ends in a backslash")?),
            '|' | ';' | '&' | '<' | '>' | '`' => {
                return Err(format!(
                    "`{c}` means something only to a shell, and none runs here: write [sh, -c, \"…\"] if you want one, or put the text in quotes"
                ));
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    all.extend(word);
    if all.is_empty() { Err("the command is empty: write the program and its arguments".to_owned()) } else { Ok(all) }
}

fn quoted(quote: char, chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    loop {
        match chars.next() {
            None => return Err(format!("the command has a {quote} without a second one that closes it")),
            Some(c) if c == quote => return Ok(()),
            Some('\\') if quote == '"' => match chars.next() {
                Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                Some(c) => word.extend(['\\', c]),
                None => return Err("the command ends in a backslash".to_owned()),
            },
            Some(c) => word.push(c),
        }
    }
}

fn some_address<'de, D: Deserializer<'de>>(d: D) -> Result<Option<SocketAddr>, D::Error> {
    let Some(text) = Option::<String>::deserialize(d)? else { return Ok(None) };
    if let Ok(a) = text.trim().parse::<SocketAddr>() {
        return Ok(Some(a));
    }
    address(&text).map(Some).map_err(de::Error::custom)
}

/// The map form of [`Listen`].
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListenMap {
    /// Address of the split traffic, such as `127.0.0.1:8080`. Required.
    address: String,
    /// An address of its own for each track. Default: 127.0.0.1, with ports that the kernel chooses.
    #[serde(default)]
    tracks: Tracks,
}

/// The map form of [`FileText`].
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FileFrom {
    /// File that the text is read from, relative to `serin.yaml`.
    from: String,
}

struct ListenVisitor;
impl<'de> de::Visitor<'de> for ListenVisitor {
    type Value = Listen;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address such as 127.0.0.1:8080, or a map with `address` and `tracks`")
    }
    fn visit_str<E: de::Error>(self, v: &str) -> Result<Listen, E> {
        address(v).map(|address| Listen { address, tracks: Tracks::default() }).map_err(E::custom)
    }
    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Listen, E> {
        self.visit_str(&v.to_string())
    }
    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Listen, A::Error> {
        let map = ListenMap::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Listen { address: address(&map.address).map_err(de::Error::custom)?, tracks: map.tracks })
    }
}

struct WordsVisitor;
impl<'de> de::Visitor<'de> for WordsVisitor {
    type Value = Words;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a command: one text such as `./shop --port {{port}}`, or a list of words")
    }
    fn visit_str<E: de::Error>(self, v: &str) -> Result<Words, E> {
        words(v).map(Words).map_err(E::custom)
    }
    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Words, A::Error> {
        let mut all = Vec::new();
        while let Some(Word(word)) = seq.next_element()? {
            all.push(word);
        }
        if all.first().is_none_or(String::is_empty) {
            return Err(de::Error::custom("the command is empty: write the program and its arguments"));
        }
        Ok(Words(all))
    }
}

/// One word of a command: numbers count as the text that they are.
struct Word(String);
impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl de::Visitor<'_> for V {
            type Value = Word;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word of the command; put it in quotes")
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Word, E> {
                if v.contains('\0') {
                    Err(E::custom("a word of a command cannot contain a zero byte"))
                } else {
                    Ok(Word(v.to_owned()))
                }
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Word, E> {
                Ok(Word(v.to_string()))
            }
        }
        d.deserialize_str(V)
    }
}

struct FileTextVisitor;
impl<'de> de::Visitor<'de> for FileTextVisitor {
    type Value = FileText;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text of the file, or a map such as {from: app.toml}")
    }
    fn visit_str<E: de::Error>(self, v: &str) -> Result<FileText, E> {
        Ok(FileText::Inline(v.to_owned()))
    }
    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<FileText, A::Error> {
        FileFrom::deserialize(MapAccessDeserializer::new(map)).map(|f| FileText::From(f.from))
    }
}

macro_rules! read_with {
    ($($type:ident by $visitor:ident),*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_any($visitor)
            }
        }
    )*};
}
read_with!(Listen by ListenVisitor, Words by WordsVisitor, FileText by FileTextVisitor);

impl Serialize for FileText {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            FileText::Inline(text) => s.serialize_str(text),
            FileText::From(path) => {
                let mut map = s.serialize_map(Some(1))?;
                map.serialize_entry("from", path)?;
                map.end()
            }
        }
    }
}

macro_rules! schema {
    ($type:ident, |$g:ident| $body:expr) => {
        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema($g: &mut SchemaGenerator) -> Schema {
                $body
            }
        }
    };
}
schema!(
    Listen,
    |g| json_schema!({ "anyOf": [{ "type": "string", "examples": ["127.0.0.1:8080"] }, g.subschema_for::<ListenMap>()] })
);
schema!(
    Words,
    |_g| json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }] })
);
schema!(FileText, |g| json_schema!({ "anyOf": [{ "type": "string" }, g.subschema_for::<FileFrom>()] }));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_like_a_shell_does() {
        let split = |t: &str| words(t).unwrap_or_else(|e| vec![e]);
        assert_eq!(split("a  b\tc"), ["a", "b", "c"]);
        assert_eq!(split(r#"a 'b c' "d \"e\"" f\ g"#), ["a", "b c", "d \"e\"", "f g"]);
        assert_eq!(split("a '' b"), ["a", "", "b"]);
        assert_eq!(split("--x='1 2'"), ["--x=1 2"]);
        assert_eq!(split("a '|'"), ["a", "|"]);
        for bad in ["", "  ", "a 'b", "a \"b", "a\\", "a | b", "a > b", "a; b"] {
            assert!(words(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_without_a_host_are_explained() {
        assert!(address("127.0.0.1:80").is_ok() && address("[::1]:80").is_ok());
        for (bad, hint) in [
            ("8080", "127.0.0.1:8080"),
            (":80", "0.0.0.0:80"),
            ("localhost:80", "127.0.0.1:80"),
            ("1.2.3.4:99999", "1 to 65535"),
            ("1.2.3.4:0", "port 0"),
            ("x", "127.0.0.1:8080"),
        ] {
            assert!(address(bad).is_err_and(|e| e.contains(hint)), "{bad}");
        }
    }
}
