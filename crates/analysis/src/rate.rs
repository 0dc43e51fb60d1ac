//! A share in parts per million: exact, ordered, without floats.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

/// A share in parts per million, 0..=1 000 000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Ppm(u32);

/// Why a text is not a percentage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PercentError {
    text: String,
}

impl fmt::Display for PercentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a percentage: write a number from 0 to 100 with at most 4 decimals, such as 99.95",
            self.text
        )
    }
}

impl core::error::Error for PercentError {}

impl Ppm {
    /// All of it.
    pub const ONE: Self = Self(1_000_000);

    /// From a whole number of parts per million; `None` above 1 000 000.
    #[must_use]
    pub const fn new(ppm: u32) -> Option<Self> {
        if ppm <= 1_000_000 { Some(Self(ppm)) } else { None }
    }

    /// `part` of `whole`, rounded down; all of it when `whole` is 0 or less than `part`.
    #[must_use]
    pub fn of(part: u64, whole: u64) -> Self {
        if part >= whole {
            return Self::ONE;
        }
        let ppm = u128::from(part) * 1_000_000 / u128::from(whole);
        Self(u32::try_from(ppm).unwrap_or(1_000_000))
    }

    /// The number of parts per million.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// What is missing to all of it.
    #[must_use]
    pub const fn complement(self) -> Self {
        Self(1_000_000 - self.0)
    }

    /// Reads a percentage with up to 4 decimals, with or without the sign: `99`, `99.95`, `0.5%`.
    ///
    /// # Errors
    /// When the text is anything else, or above 100.
    pub fn parse_percent(text: &str) -> Result<Self, PercentError> {
        let error = || PercentError { text: text.into() };
        let number = text.trim();
        let number = number.strip_suffix('%').unwrap_or(number).trim_end();
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let digits =
            |part: &str, most: usize| (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole, 3) || !digits(decimals, 4) {
            return Err(error());
        }
        let parse = |part: &str| part.parse::<u32>().map_err(|_| error());
        let scale = 10_u32.pow(4 - u32::try_from(decimals.len()).map_err(|_| error())?);
        Self::new(parse(whole)? * 10_000 + parse(decimals)? * scale).ok_or_else(error)
    }
}

impl TryFrom<u32> for Ppm {
    type Error = &'static str;

    fn try_from(ppm: u32) -> Result<Self, Self::Error> {
        Self::new(ppm).ok_or("parts per million are at most 1000000")
    }
}

impl From<Ppm> for u32 {
    fn from(ppm: Ppm) -> Self {
        ppm.0
    }
}

/// As a percentage without needless zeros: `99%`, `99.95%`.
impl fmt::Display for Ppm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, mut rest) = (self.0 / 10_000, self.0 % 10_000);
        if rest == 0 {
            return write!(f, "{whole}%");
        }
        let mut width = 4;
        while rest.is_multiple_of(10) {
            rest /= 10;
            width -= 1;
        }
        write!(f, "{whole}.{rest:0width$}%")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn every_value_reads_back_what_it_prints() {
        for ppm in 0..=1_000_000 {
            let value = Ppm::new(ppm).expect("in range");
            assert_eq!(Ppm::parse_percent(&value.to_string()), Ok(value));
        }
    }

    #[test]
    fn percentages_are_exact_or_refused() {
        for (text, ppm) in [
            ("99", 990_000),
            ("99.95", 999_500),
            (" 0.0001 %", 1),
            ("100.0000", 1_000_000),
            ("0", 0),
            ("007.5", 75_000),
        ] {
            assert_eq!(Ppm::parse_percent(text).map(Ppm::get), Ok(ppm), "{text}");
        }
        for text in ["", "%", "-1", "100.0001", "101", "99.12345", "9e1", "99.", ".5", "NaN", "99,5", "+5", "1 2"] {
            let error = Ppm::parse_percent(text).expect_err(text);
            assert!(error.to_string().contains("such as 99.95"), "{text}");
        }
    }

    #[test]
    fn a_share_is_rounded_down() {
        assert_eq!(Ppm::of(2, 3).get(), 666_666);
        assert_eq!(Ppm::of(u64::MAX - 1, u64::MAX).get(), 999_999);
        assert_eq!(Ppm::of(0, 0), Ppm::ONE);
        assert_eq!(Ppm::of(5, 4), Ppm::ONE);
    }
}
