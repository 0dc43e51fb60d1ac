//! Where each key of a YAML text stands: from a key path to its place, and from a place to its key path.
//!
//! It reads the text with the parser that the deserializer uses too, so the two never disagree on structure.

use std::ops::Range;

use serde_saphyr::granit_parser::{Event, Parser, Span};

/// Deeper than this no key of ours can be, and no place is kept: the paths of hostile nesting would fill the memory.
const DEEPEST: usize = 64;

/// One key or list entry of the text.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Its path, such as `release.weights.steps[1].weight`.
    pub path: String,
    /// Bytes of the key (of the value, for an entry of a list).
    pub key: Range<usize>,
    /// Bytes of the value; for a map or a list its first byte.
    pub value: Range<usize>,
}

/// All marks of a text, in its order.
#[derive(Clone, Debug, Default)]
pub struct Marks(Vec<Mark>);

enum Frame {
    Map { path: String, key: Option<(String, Range<usize>)> },
    List { path: String, next: usize },
}

impl Marks {
    /// Reads the marks, as far as the text is YAML at all.
    pub fn read(text: &str) -> Self {
        let (mut marks, mut stack) = (Marks::default(), Vec::new());
        for event in Parser::new_from_str(text) {
            let Ok((event, span)) = event else { break };
            if stack.len() > DEEPEST {
                break;
            }
            marks.take(text, &event, &span, &mut stack);
        }
        marks
    }

    // The parser's events are another crate's; those that are not named here carry no key.
    #[allow(clippy::wildcard_enum_match_arm)]
    fn take(&mut self, text: &str, event: &Event<'_>, span: &Span, stack: &mut Vec<Frame>) {
        let at = bytes(text, span);
        match event {
            Event::Scalar(value, ..) => {
                if let Some(Frame::Map { path, key: key @ None }) = stack.last_mut() {
                    *key = Some((join(path, value), at));
                    return;
                }
                self.value(at, stack);
            }
            Event::Alias(..) => drop(self.value(at, stack)),
            Event::MappingStart(..) => {
                let path = self.value(first(at), stack);
                stack.push(Frame::Map { path, key: None });
            }
            Event::SequenceStart(..) => {
                let path = self.value(first(at), stack);
                stack.push(Frame::List { path, next: 0 });
            }
            Event::MappingEnd | Event::SequenceEnd => drop(stack.pop()),
            _ => {}
        }
    }

    /// A value begins: notes its mark and returns its path.
    fn value(&mut self, at: Range<usize>, stack: &mut [Frame]) -> String {
        let (path, key) = match stack.last_mut() {
            None => return String::new(),
            Some(Frame::List { path, next }) => {
                *next += 1;
                (format!("{path}[{}]", *next - 1), at.clone())
            }
            Some(Frame::Map { path, key }) => key.take().unwrap_or_else(|| (path.clone(), at.clone())),
        };
        self.0.push(Mark { path: path.clone(), key, value: at });
        path
    }

    /// The mark of `path`, or of the nearest thing above it that is written.
    pub fn nearest(&self, path: &str) -> Option<&Mark> {
        let mut path = path;
        loop {
            if let Some(mark) = self.0.iter().find(|m| m.path == path) {
                return Some(mark);
            }
            let cut = path.rfind(['.', '['])?;
            path = &path[..cut];
        }
    }

    /// The mark whose key or value begins at the byte `at`, keys first; else the last one that begins before it.
    pub fn at(&self, at: usize) -> Option<&Mark> {
        let exact =
            self.0.iter().find(|m| m.key.start == at).or_else(|| self.0.iter().rev().find(|m| m.value.start == at));
        exact.or_else(|| self.0.iter().rev().find(|m| m.key.start <= at))
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn first(at: Range<usize>) -> Range<usize> {
    at.start..at.start + usize::from(at.end > at.start)
}

fn bytes(text: &str, span: &Span) -> Range<usize> {
    let byte = |chars: usize| text.char_indices().nth(chars).map_or(text.len(), |(i, _)| i);
    span.byte_range().unwrap_or_else(|| byte(span.start.index())..byte(span.end.index()))
}

/// The byte at which a line and column (both from 1, columns in characters) begin.
pub fn byte_at(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let row = text[start..].split('\n').next().unwrap_or_default();
    start + row.char_indices().nth(column.saturating_sub(1)).map_or(row.len(), |(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_place() {
        let text = "service: a\nrun:\n  command: x\n  env: {A: \"1\"}\nlist:\n  - weight: 5\n  - ä: 7\n";
        let marks = Marks::read(text);
        let paths: Vec<_> = marks.0.iter().map(|m| m.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "service",
                "run",
                "run.command",
                "run.env",
                "run.env.A",
                "list",
                "list[0]",
                "list[0].weight",
                "list[1]",
                "list[1].ä"
            ]
        );
        let of = |p: &str| marks.nearest(p).map(|m| (&text[m.key.clone()], &text[m.value.clone()]));
        assert_eq!(of("run.env.A"), Some(("A", "\"1\"")));
        assert_eq!(of("list[0].weight"), Some(("weight", "5")));
        assert_eq!(of("list[1].ä"), Some(("ä", "7")));
        assert_eq!(of("run.env.B").map(|m| m.0), Some("env"));
        assert_eq!(of("nothing"), None);
        assert_eq!(marks.at(byte_at(text, 3, 3)).map(|m| m.path.as_str()), Some("run.command"));
    }
}
