//! Quantities as people write them: durations (`10s`), sizes (`512MiB`), shares (`5%`), processors (`1.5`).
//!
//! Every one is kept as an integer (milliseconds, bytes, basis points, thousandths of a processor), so that two
//! spellings of one value are one value, and hash alike.

use std::{fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time, in whole milliseconds. Written as `500ms`, `10s`, `5m`, `1h`, `2d` or a sum such as `1m30s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

/// A number of bytes. Written as `512MiB`, `64KiB`, `1GiB` (powers of 1024), `10MB` (powers of 1000) or `4096`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// A share in basis points, 0 to 10 000. Written as `5%`, `12.5%`, or plainly `5` (per cent too).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u16);

/// A number of processors in thousandths. Written as `0.5`, `2` or `1500m`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpu(u32);

/// The longest time that may be written: 365 days. More is a slip of the pen, and would overflow timers.
const LONGEST_MS: u64 = 365 * 86_400_000;

impl Time {
    /// From whole seconds.
    pub const fn seconds(s: u64) -> Self {
        Time(s * 1000)
    }
    /// From whole milliseconds.
    pub const fn millis(ms: u64) -> Self {
        Time(ms)
    }
    /// The value in milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }
    /// The value as the standard library's duration.
    pub const fn get(self) -> Duration {
        Duration::from_millis(self.0)
    }
    /// Whether it is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Reads a duration. The error is one sentence that says what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "0" {
            return Ok(Time(0));
        }
        let (mut rest, mut total) = (text, 0u64);
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
            let (number, after) = rest.split_at(digits);
            let letters = after.len() - after.trim_start_matches(|c: char| c.is_alphabetic()).len();
            let (unit, after) = after.split_at(letters);
            if number.is_empty() {
                return Err(format!(
                    "`{text}` is not a duration: write a number and a unit, such as 500ms, 10s, 5m or 1m30s"
                ));
            }
            let scale = match unit {
                "ms" => 1,
                "s" => 1000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "" => {
                    return Err(format!(
                        "`{text}` has no unit: write {text}s for seconds, {text}m for minutes or {text}ms for milliseconds"
                    ));
                }
                other => {
                    return Err(format!(
                        "`{other}` is not a unit of time: use ms, s, m, h or d, as in 500ms, 10s or 5m"
                    ));
                }
            };
            let part = decimal(number, scale).ok_or_else(|| {
                format!(
                    "`{text}` is not a duration: `{number}` is not a number, much too large, or finer than a millisecond"
                )
            })?;
            total = total.saturating_add(part);
            rest = after;
        }
        if text.is_empty() {
            return Err("a duration is missing here: write one such as 10s".to_owned());
        }
        if total > LONGEST_MS {
            return Err(format!("`{text}` is longer than 365 days, which is certainly not meant"));
        }
        Ok(Time(total))
    }
}

impl Size {
    /// From a number of bytes.
    pub const fn bytes(n: u64) -> Self {
        Size(n)
    }
    /// From MiB.
    pub const fn mib(n: u64) -> Self {
        Size(n << 20)
    }
    /// The value in bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Reads a size. The error is one sentence that says what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (number, unit) = text.split_at(digits);
        let wrong = || format!("`{text}` is not a size: write a number and a unit, such as 512MiB, 64KiB or 1GiB");
        if number.is_empty() {
            return Err(wrong());
        }
        let scale = match unit.trim() {
            "" | "B" => 1,
            "KiB" | "Ki" => 1 << 10,
            "MiB" | "Mi" => 1 << 20,
            "GiB" | "Gi" => 1 << 30,
            "TiB" | "Ti" => 1 << 40,
            "kB" | "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            other => {
                return Err(format!(
                    "`{other}` is not a unit of size: use KiB, MiB or GiB (or kB, MB, GB), as in 512MiB"
                ));
            }
        };
        decimal(number, scale).map(Size).ok_or_else(wrong)
    }
}

impl Percent {
    /// From basis points. `None` over 10 000.
    pub const fn from_bp(bp: u16) -> Option<Self> {
        if bp <= 10_000 { Some(Percent(bp)) } else { None }
    }
    /// From whole per cents.
    ///
    /// # Panics
    /// Over 100; meant for constants.
    pub const fn whole(p: u16) -> Self {
        assert!(p <= 100);
        Percent(p * 100)
    }
    /// The value in basis points, 0 to 10 000.
    pub const fn bp(self) -> u16 {
        self.0
    }

    /// Reads a share. The error is one sentence that says what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let plain = text.trim();
        let number = plain.strip_suffix('%').unwrap_or(plain).trim();
        if number.starts_with('-') {
            return Err(format!("`{plain}` is under zero: a share goes from 0% to 100%"));
        }
        let bp = decimal(number, 100).ok_or_else(|| {
            format!(
                "`{plain}` is not a share: write per cents such as 5% or 12.5% (at most two digits after the point)"
            )
        })?;
        if bp > 10_000 {
            return Err(format!("`{plain}` is over 100%: a share goes from 0% to 100%"));
        }
        Ok(Percent(u16::try_from(bp).unwrap_or(10_000)))
    }
}

impl Cpu {
    /// The value in thousandths of a processor.
    pub const fn millis(self) -> u32 {
        self.0
    }

    /// Reads a number of processors. The error is one sentence that says what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let plain = text.trim();
        let wrong = || format!("`{plain}` is not a number of processors: write 0.5, 2 or 1500m");
        let value = match plain.strip_suffix('m') {
            Some(number) => decimal(number, 1),
            None => decimal(plain, 1000),
        };
        value.and_then(|v| u32::try_from(v).ok()).filter(|v| *v > 0).map(Cpu).ok_or_else(wrong)
    }
}

/// `number` × `scale`, exactly; `None` where that is no whole number, or does not fit.
fn decimal(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 9 || (number.contains('.') && fraction.is_empty()) {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    if fraction.is_empty() {
        return Some(whole);
    }
    let unit = 10u64.pow(u32::try_from(fraction.len()).ok()?);
    let part = fraction.parse::<u64>().ok()?.checked_mul(scale)?;
    if part % unit != 0 { None } else { whole.checked_add(part / unit) }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, scale) in [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
            if rest >= scale {
                write!(f, "{}{unit}", rest / scale)?;
                rest %= scale;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
            if self.0 != 0 && self.0.trailing_zeros() >= shift {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        match rest {
            0 => write!(f, "{whole}%"),
            r if r % 10 == 0 => write!(f, "{whole}.{}%", r / 10),
            r => write!(f, "{whole}.{r:02}%"),
        }
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) { write!(f, "{}", self.0 / 1000) } else { write!(f, "{}m", self.0) }
    }
}

/// Accepts a string or a plain number and hands its text to `parse`.
struct Text<T>(&'static str, fn(&str) -> Result<T, String>);

impl<T> de::Visitor<'_> for Text<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
    fn visit_str<E: de::Error>(self, v: &str) -> Result<T, E> {
        (self.1)(v).map_err(E::custom)
    }
    fn visit_u64<E: de::Error>(self, v: u64) -> Result<T, E> {
        self.visit_str(&v.to_string())
    }
    fn visit_i64<E: de::Error>(self, v: i64) -> Result<T, E> {
        self.visit_str(&v.to_string())
    }
    fn visit_f64<E: de::Error>(self, v: f64) -> Result<T, E> {
        self.visit_str(&v.to_string())
    }
}

macro_rules! as_text {
    ($type:ident, $expecting:literal, $pattern:literal, $examples:expr) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_any(Text($expecting, $type::parse))
            }
        }
        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": ["string", "number"], "pattern": $pattern, "examples": $examples })
            }
        }
    };
}

as_text!(Time, "a duration such as 500ms, 10s or 5m", r"^(0|([0-9.]+(ms|s|m|h|d))+)$", ["500ms", "10s", "5m"]);
as_text!(Size, "a size such as 512MiB or 64KiB", r"^[0-9.]+ ?(B|[KMGT]i?B|kB|[KMGT]i)?$", ["512MiB", "64KiB"]);
as_text!(Percent, "a share such as 5% or 12.5%", r"^[0-9.]+ ?%?$", ["5%", "12.5%"]);
as_text!(Cpu, "a number of processors such as 0.5, 2 or 1500m", r"^[0-9.]+m?$", ["0.5", "1500m"]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_value_is_that_value() {
        assert_eq!(Time::parse("1m30s"), Time::parse("90s"));
        assert_eq!(Time::parse("1.5m"), Time::parse("90s"));
        assert_eq!(Time::parse("0"), Ok(Time(0)));
        assert_eq!(Size::parse("1GiB"), Size::parse("1024MiB"));
        assert_eq!(Size::parse("1.5KiB"), Ok(Size(1536)));
        assert_eq!(Percent::parse("12.5"), Percent::parse("12.50%"));
        assert_eq!(Cpu::parse("1500m"), Cpu::parse("1.5"));
    }

    #[test]
    fn what_is_printed_is_read_as_the_same_value() {
        for ms in [0, 1, 999, 1000, 61_001, 3_600_000, 5_400_000] {
            assert_eq!(Time::parse(&Time(ms).to_string()), Ok(Time(ms)));
        }
        for n in [0, 1, 1024, 1500, 10 << 20, 3 << 30] {
            assert_eq!(Size::parse(&Size(n).to_string()), Ok(Size(n)));
        }
        for bp in 0..=10_000 {
            assert_eq!(Percent::parse(&Percent(bp).to_string()), Ok(Percent(bp)));
        }
        for m in [1, 500, 1000, 1500] {
            assert_eq!(Cpu::parse(&Cpu(m).to_string()), Ok(Cpu(m)));
        }
    }

    #[test]
    fn nonsense_is_refused_with_what_to_write() {
        for bad in
            ["", "10", "s", "ten seconds", "10 s", "10sec", "-5s", "1..5s", "5.s", "99999999999d", "400d", "0.1ms"]
        {
            assert!(Time::parse(bad).is_err(), "{bad}");
        }
        for bad in ["", "MiB", "10mb", "10XB", "1e3", "99999999999999999999"] {
            assert!(Size::parse(bad).is_err(), "{bad}");
        }
        for bad in ["", "%", "101", "-1", "1.234", "five"] {
            assert!(Percent::parse(bad).is_err(), "{bad}");
        }
        for bad in ["", "0", "m", "-1", "two", "1.0005"] {
            assert!(Cpu::parse(bad).is_err(), "{bad}");
        }
    }
}
