//! Moments and ages as a person reads them.

use jiff::{Timestamp, tz::TimeZone};
use serin_api::UnixMs;

/// A length of time in one or two units: `850ms`, `12s`, `3m20s`, `2h5m`, `4d`.
pub(crate) fn length(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0 => format!("{ms}ms"),
        1..60 => format!("{s}s"),
        60..600 if !s.is_multiple_of(60) => format!("{}m{}s", s / 60, s % 60),
        60..3600 => format!("{}m", s / 60),
        3600..86_400 if !(s / 60).is_multiple_of(60) => format!("{}h{}m", s / 3600, s / 60 % 60),
        3600..86_400 => format!("{}h", s / 3600),
        _ => format!("{}d", s / 86_400),
    }
}

/// How long ago `then` was at `now`. Clocks may disagree: the future is `0s`.
pub(super) fn age(now: UnixMs, then: UnixMs) -> String {
    match now.saturating_sub(then) {
        0..1000 => "0s".to_owned(),
        ms => length(ms),
    }
}

/// The time of day, such as `14:03:09`.
pub(super) fn clock(at: UnixMs, zone: &TimeZone) -> String {
    show(at, zone, "%H:%M:%S")
}

/// Date and time, such as `2026-11-21 14:03:09`.
pub(super) fn date(at: UnixMs, zone: &TimeZone) -> String {
    show(at, zone, "%Y-%m-%d %H:%M:%S")
}

fn show(at: UnixMs, zone: &TimeZone, format: &str) -> String {
    let moment = i64::try_from(at).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    moment.map_or_else(|| "?".to_owned(), |t| t.to_zoned(zone.clone()).strftime(format).to_string())
}

/// Basis points as per cents.
pub(crate) fn percent(bp: u16) -> String {
    crate::config::quantity::Percent::from_bp(bp).map_or_else(|| format!("{bp} bp"), |p| p.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_one_or_two_units() {
        for (ms, text) in [
            (850, "850ms"),
            (12_999, "12s"),
            (60_000, "1m"),
            (200_000, "3m20s"),
            (1_500_000, "25m"),
            (3_600_000, "1h"),
            (7_500_000, "2h5m"),
            (400_000_000, "4d"),
        ] {
            assert_eq!(length(ms), text);
        }
        assert_eq!(age(5, 9), "0s");
        assert_eq!(clock(0, &TimeZone::UTC), "00:00:00");
    }
}
