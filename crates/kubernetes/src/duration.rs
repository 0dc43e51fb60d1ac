//! Lengths of time as Flagger's objects write them: Go's notation (`10s`, `1m30s`, `1.5h`), kept in whole milliseconds.
//!
//! Source of the notation: the documentation of Go's `time.ParseDuration`. Flagger reads `interval` with it and takes 60 s
//! where it cannot; here that is an error.

/// The longest that is taken: a day. More is a slip of the pen.
pub const LONGEST_MS: u64 = 24 * 60 * 60 * 1_000;

/// Reads a length of time.
///
/// # Errors
/// What is wrong with it and what to write instead, each as one sentence.
pub fn parse(text: &str) -> Result<u64, (String, String)> {
    let shown = crate::decode::cut(text);
    let mut rest = text;
    let mut total_us: u128 = 0;
    if rest.is_empty() {
        return Err(("the duration is empty".to_owned(), "write a number and a unit, such as 10s or 1m".to_owned()));
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (number, after) = rest.split_at(digits);
        let letters = after.len() - after.trim_start_matches(char::is_alphabetic).len();
        let (unit, after) = after.split_at(letters);
        let Some(thousandths) = thousandths(number) else {
            return Err((
                format!("`{shown}` is not a duration"),
                "write a number and a unit, such as 10s or 1m".to_owned(),
            ));
        };
        let unit_us: u128 = match unit {
            "us" | "µs" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            other => return Err(wrong_unit(shown, number, other)),
        };
        total_us += thousandths * unit_us / 1_000;
        rest = after;
    }
    let ms = u64::try_from(total_us / 1_000).unwrap_or(u64::MAX);
    if ms > LONGEST_MS {
        return Err((format!("`{shown}` is longer than a day"), "write at most 24h".to_owned()));
    }
    Ok(ms)
}

fn wrong_unit(shown: &str, number: &str, unit: &str) -> (String, String) {
    let message = format!("`{shown}` is not a duration");
    let meant = match unit.to_lowercase().as_str() {
        "" => {
            return (format!("`{shown}` has no unit"), format!("write {number}s for seconds or {number}m for minutes"));
        }
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => return (message, "write it in hours, such as 24h".to_owned()),
        _ => return (message, "write a number and one of the units ms, s, m, h, such as 10s or 1m30s".to_owned()),
    };
    (message, format!("write {number}{meant}"))
}

/// A decimal number in thousandths; what is finer is cut off. `None` where it is none, or absurdly long.
fn thousandths(number: &str) -> Option<u128> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let plain = |part: &str| part.len() <= 15 && part.bytes().all(|b| b.is_ascii_digit());
    if number.is_empty() || number == "." || !plain(whole) || !plain(decimals) {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let decimals: u128 = format!("{decimals:0<3}")[..3].parse().ok()?;
    Some(whole * 1_000 + decimals)
}

/// A length of time as PromQL and people write it: `1h`, `1m30s`, `500ms`.
#[must_use]
pub fn text(ms: u64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    let mut rest = ms;
    for (unit_ms, unit) in [(3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")] {
        if rest >= unit_ms {
            out.push_str(&format!("{}{unit}", rest / unit_ms));
            rest %= unit_ms;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_reads_is_read() {
        for (text, ms) in [
            ("10s", 10_000),
            ("1m", 60_000),
            ("1h", 3_600_000),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            ("2s", 2_000),
            ("300ms", 300),
            ("90s", 90_000),
            (".5m", 30_000),
            ("1500us", 1),
            ("1500µs", 1),
        ] {
            assert_eq!(parse(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn what_it_does_not_read_says_what_to_write() {
        for (text, help) in [
            ("10seconds", "write 10s"),
            ("5min", "write 5m"),
            ("2 hours", "write 2s for seconds or 2m for minutes"),
            ("2parsecs", "write a number and one of the units ms, s, m, h, such as 10s or 1m30s"),
            ("10", "write 10s for seconds or 10m for minutes"),
            ("10S", "write 10s"),
            ("1d", "write it in hours, such as 24h"),
            ("", "write a number and a unit, such as 10s or 1m"),
            ("s", "write a number and a unit, such as 10s or 1m"),
            ("-5s", "write a number and a unit, such as 10s or 1m"),
            ("NaNs", "write a number and a unit, such as 10s or 1m"),
            ("1..5s", "write a number and a unit, such as 10s or 1m"),
            ("25h", "write at most 24h"),
            ("99999999999999999999999s", "write a number and a unit, such as 10s or 1m"),
            ("999999999999999h", "write at most 24h"),
            ("๑๐s", "write a number and a unit, such as 10s or 1m"),
        ] {
            assert_eq!(parse(text).expect_err(text).1, help, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for ms in [1, 999, 1_000, 10_000, 60_000, 90_000, 3_600_000, 3_661_001, LONGEST_MS] {
            assert_eq!(parse(&text(ms)), Ok(ms));
        }
        assert_eq!((text(90_000).as_str(), text(0).as_str()), ("1m30s", "0s"));
    }
}
