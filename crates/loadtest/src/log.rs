//! What happens, as lines of JSON on standard output.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

/// The longest text of others in a line, in bytes, but for outputs.
const LONGEST: usize = 1024;

/// Writes one line: when (milliseconds since the Unix epoch), what, and what belongs to it. A line that nobody takes is
/// dropped: load and gates go on without it.
pub(crate) fn line<const N: usize>(what: &str, members: [(&str, Value); N]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let mut all = Map::new();
    all.insert("at".to_owned(), at.into());
    all.insert("what".to_owned(), what.into());
    all.extend(members.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{}", Value::Object(all)).and_then(|()| out.flush()));
}

/// Somebody else's text, cut to what a line may hold.
pub(crate) fn cut(text: &str) -> Value {
    if text.len() <= LONGEST {
        return text.into();
    }
    let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_where_a_character_ends() {
        assert_eq!(cut("short"), "short");
        let cut = cut(&"ä".repeat(LONGEST));
        assert_eq!(cut.as_str().unwrap().len(), LONGEST + '…'.len_utf8());
    }
}
