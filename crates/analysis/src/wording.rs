//! How values are written for people: `69.17%`, `812ms`.

use alloc::format;
use alloc::string::{String, ToString};

use crate::Ppm;

/// A success rate with two decimals, rounded down: what misses a limit never reads as if it met it.
pub(crate) fn percent(rate: Ppm) -> String {
    let hundredths = rate.get() / 100;
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

/// A configured duration, exact to the nanosecond, in milliseconds: `500ms`, `2.5ms`.
pub(crate) fn exact_ms(nanos: u64) -> String {
    let (whole, rest) = (nanos / 1_000_000, nanos % 1_000_000);
    if rest == 0 {
        return format!("{whole}ms");
    }
    let decimals = format!("{rest:06}");
    format!("{whole}.{}ms", decimals.trim_end_matches('0'))
}

/// A measured duration, rounded away from `limit` so that the comparison reads as it was decided: to milliseconds, or below 10 ms to microseconds.
pub(crate) fn measured_ms(nanos: u64, limit: u64) -> String {
    let unit = if nanos.min(limit) < 10_000_000 { 1_000 } else { 1_000_000 };
    let rounded = if nanos > limit { nanos.div_ceil(unit).saturating_mul(unit) } else { nanos / unit * unit };
    // Rounding down may reach 0 for what took some hundred nanoseconds.
    if rounded == 0 && nanos > 0 { exact_ms(nanos) } else { exact_ms(rounded) }
}

/// `1 request`, `20 requests`.
pub(crate) fn requests(count: u64) -> String {
    if count == 1 { "1 request".to_string() } else { format!("{count} requests") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_they_were_judged() {
        assert_eq!(percent(Ppm::new(989_999).expect("in range")), "98.99%");
        assert_eq!(percent(Ppm::ONE), "100.00%");
        assert_eq!(exact_ms(500_000_000), "500ms");
        assert_eq!(exact_ms(2_500_000), "2.5ms");
        assert_eq!(measured_ms(500_000_001, 500_000_000), "501ms");
        assert_eq!(measured_ms(499_999_999, 500_000_000), "499ms");
        assert_eq!(measured_ms(2_100_001, 2_000_000), "2.101ms");
        assert_eq!(measured_ms(700, 2_000_000), "0.0007ms");
        assert_eq!((requests(1), requests(2)), ("1 request".into(), "2 requests".into()));
    }
}
