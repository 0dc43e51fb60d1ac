//! The end of what a command said, in bounded memory: load generators print what counts last.

use std::collections::VecDeque;

/// So many bytes of a command's output are kept.
pub(crate) const KEPT: usize = 32 << 10;

/// The last [`KEPT`] bytes of an output, and how many came before them.
#[derive(Debug, Default)]
pub(crate) struct Output {
    end: VecDeque<u8>,
    before: u64,
}

impl Output {
    /// Takes more of it.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(KEPT)..];
        let over = (self.end.len() + kept.len()).saturating_sub(KEPT);
        self.end.drain(..over);
        self.end.extend(kept);
        self.before += u64::try_from(over + bytes.len() - kept.len()).unwrap_or(u64::MAX);
    }

    /// As text; what was left out is said first.
    pub(crate) fn text(&mut self) -> String {
        let text = String::from_utf8_lossy(self.end.make_contiguous());
        match self.before {
            0 => text.into_owned(),
            before => format!("({before} bytes before this are left out)\n{text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_stays_and_what_is_left_out_is_counted() {
        let mut output = Output::default();
        output.push(b"short\n");
        assert_eq!(output.text(), "short\n");
        for _ in 0..KEPT {
            output.push(b"abc");
        }
        output.push(b"the end");
        assert_eq!(output.end.len(), KEPT);
        let text = output.text();
        assert!(text.starts_with(&format!("({} bytes", 6 + 3 * KEPT + 7 - KEPT)), "{text:.60}");
        assert!(text.ends_with("the end"));
    }

    #[test]
    fn one_huge_piece_is_no_more_than_many_small_ones() {
        let mut output = Output::default();
        output.push(b"first");
        output.push(&vec![b'x'; 10 * KEPT]);
        assert_eq!((output.end.len(), output.before), (KEPT, u64::try_from(9 * KEPT + 5).unwrap()));
        let mut broken = Output::default();
        broken.push(&[0xff, b'a', 0]);
        assert_eq!(broken.text(), "\u{fffd}a\0");
    }
}
