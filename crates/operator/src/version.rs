//! Which of two resource versions is the later one.
//!
//! What is relied on: since Kubernetes 1.35 the API promises that the versions of one resource type are decimal numbers
//! without a leading zero that only grow, and that clients may compare them (KEP-5504, "Comparable Resource Version").
//! Earlier versions of Kubernetes behave so without having promised it. Servers behind the aggregation layer need not.
//! So what does not look like such a number is never compared: the answer is `None`, and whoever asks looks again.

use std::cmp::Ordering;

/// Whether `version` is as late as `floor` or later, both of one resource type. `None` where that cannot be said.
pub fn at_least(version: &str, floor: &str) -> Option<bool> {
    if version == floor {
        return Some(true);
    }
    if !is_number(version) || !is_number(floor) {
        return None;
    }
    // Without leading zeros the longer number is the greater one; they may be longer than any integer type.
    let order = version.len().cmp(&floor.len()).then_with(|| version.cmp(floor));
    Some(order != Ordering::Less)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers_of_any_length() {
        assert_eq!(at_least("10", "9"), Some(true));
        assert_eq!(at_least("9", "10"), Some(false));
        assert_eq!(
            at_least("340282366920938463463374607431768211457", "340282366920938463463374607431768211456"),
            Some(true)
        );
        assert_eq!(at_least("7", "7"), Some(true));
    }

    #[test]
    fn what_is_no_such_number_is_not_compared() {
        for (a, b) in [("07", "6"), ("a", "b"), ("", "1"), ("1", ""), ("0", "1"), ("1.5", "1"), ("-1", "1")] {
            assert_eq!(at_least(a, b), None, "{a:?} {b:?}");
        }
        assert_eq!(at_least("abc", "abc"), Some(true));
    }
}
