//! Little-endian numbers and LEB128 out of a buffer, with an error instead of a panic where it ends too soon.

/// A place in a buffer.
#[derive(Debug, Clone, Copy)]
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    /// The beginning of `buffer`.
    pub fn new(buffer: &'a [u8]) -> Self {
        Bytes(buffer)
    }

    /// The beginning of the part of `buffer` that begins at `from`.
    ///
    /// # Errors
    /// `from` lies behind the end.
    pub fn at(buffer: &'a [u8], from: usize) -> Result<Self, String> {
        buffer.get(from..).map(Bytes).ok_or_else(|| format!("it ends before byte {from}"))
    }

    /// How much is left.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes `count` bytes.
    ///
    /// # Errors
    /// There are fewer.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("it ends in the middle of an entry")?;
        self.0 = rest;
        Ok(taken)
    }

    /// Skips what fills an entry of `size` bytes up to a multiple of eight; behind the last one there may be nothing.
    pub fn fill(&mut self, size: usize) {
        self.0 = &self.0[self.0.len().min((8 - size % 8) % 8)..];
    }

    fn number<const N: usize>(&mut self) -> Result<u64, String> {
        Ok(self.take(N)?.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    /// A number of 16 bits.
    ///
    /// # Errors
    /// See [`Bytes::take`].
    pub fn u16(&mut self) -> Result<u64, String> {
        self.number::<2>()
    }

    /// A number of 32 bits.
    ///
    /// # Errors
    /// See [`Bytes::take`].
    pub fn u32(&mut self) -> Result<u64, String> {
        self.number::<4>()
    }

    /// A number of 64 bits.
    ///
    /// # Errors
    /// See [`Bytes::take`].
    pub fn u64(&mut self) -> Result<u64, String> {
        self.number::<8>()
    }

    /// A number in LEB128 without sign.
    ///
    /// # Errors
    /// It does not end, or has more than 64 bits.
    pub fn leb(&mut self) -> Result<u64, String> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = u64::from(self.take(1)?[0]);
            number |= (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err("a number has more than 64 bits".to_owned())
    }

    /// The same as a length or an index.
    ///
    /// # Errors
    /// See [`Bytes::leb`].
    pub fn length(&mut self) -> Result<usize, String> {
        usize::try_from(self.leb()?).map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_a_short_buffer_is_an_error() {
        let mut bytes = Bytes::new(&[1, 2, 0xe5, 0x8e, 0x26, 7]);
        assert_eq!(bytes.u16(), Ok(0x0201));
        assert_eq!(bytes.leb(), Ok(624_485));
        assert_eq!((bytes.len(), bytes.leb()), (1, Ok(7)));
        bytes.fill(3);
        assert!(bytes.u32().is_err() && bytes.leb().is_err());
        assert!(Bytes::new(&[0xff; 11]).leb().is_err());
    }
}
