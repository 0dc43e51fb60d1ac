//! What is wrong with a backend, and how often: by exact shares, so that counts can be compared to the last one.

use serde_json::Value;
use std::time::Duration;

/// What is wrong with a backend.
#[derive(Debug, Clone, PartialEq)]
pub struct Faults {
    /// The share (0..=1) of requests that are answered 500.
    pub fail_share: f64,
    /// The share of requests whose connection is reset without an answer.
    pub reset_share: f64,
    /// The share of requests whose answer ends half-way.
    pub truncate_share: f64,
    /// How long every answer waits.
    pub delay: Duration,
    /// Whether it says that it is ready.
    pub ready: bool,
}

impl Default for Faults {
    fn default() -> Self {
        Faults { fail_share: 0.0, reset_share: 0.0, truncate_share: 0.0, delay: Duration::ZERO, ready: true }
    }
}

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It is answered 500.
    Fail,
    /// Its connection is reset.
    Reset,
    /// Its answer ends half-way.
    Truncate,
}

/// What each kind of fault has run up so far; at one, it hits.
#[derive(Debug, Default)]
pub struct Due([f64; 3]);

impl Due {
    /// What happens to the next request. Of `n` requests, `share × n` are hit, give or take one.
    pub fn hit(&mut self, faults: &Faults) -> Fault {
        let shares = [faults.fail_share, faults.reset_share, faults.truncate_share];
        let kinds = [Fault::Fail, Fault::Reset, Fault::Truncate];
        let mut hit = Fault::None;
        for ((due, share), kind) in self.0.iter_mut().zip(shares).zip(kinds) {
            *due += share;
            // A little under one: twenty times 0.05 is not one in floating point.
            if *due >= 1.0 - 1e-9 && hit == Fault::None {
                *due -= 1.0;
                hit = kind;
            }
        }
        hit
    }
}

impl Faults {
    /// Changes what `wanted` names and leaves the rest.
    ///
    /// # Errors
    /// A sentence that says what is wrong with `wanted`; then nothing was changed.
    pub fn change(&mut self, wanted: &[u8]) -> Result<(), String> {
        let wanted: Value = serde_json::from_slice(wanted).map_err(|e| format!("the faults are no JSON: {e}"))?;
        let members = wanted.as_object().ok_or("the faults must be a JSON object")?;
        let mut changed = self.clone();
        for (name, value) in members {
            let number = || value.as_f64().filter(|v| *v >= 0.0).ok_or(format!("{name} must be a number, 0 or more"));
            let share = || number().and_then(|v| if v <= 1.0 { Ok(v) } else { Err(format!("{name} must be in 0..1")) });
            match name.as_str() {
                "fail_share" => changed.fail_share = share()?,
                "reset_share" => changed.reset_share = share()?,
                "truncate_share" => changed.truncate_share = share()?,
                "delay_ms" => changed.delay = Duration::from_millis(number()? as u64),
                "ready" => changed.ready = value.as_bool().ok_or("ready must be true or false")?,
                other => return Err(format!("there is no fault called {other}")),
            }
        }
        *self = changed;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact() {
        let faults = Faults { fail_share: 0.05, reset_share: 0.1, ..Faults::default() };
        let mut due = Due::default();
        let all: Vec<Fault> = (0..1000).map(|_| due.hit(&faults)).collect();
        let count = |kind| all.iter().filter(|f| **f == kind).count();
        assert!(count(Fault::Fail).abs_diff(50) <= 1 && count(Fault::Reset).abs_diff(100) <= 1, "{due:?}");
    }

    #[test]
    fn a_bad_wish_changes_nothing() {
        let mut faults = Faults::default();
        for bad in ["[]", "{", r#"{"fail_share": 2}"#, r#"{"fail_share": 0.5, "speed": 1}"#, r#"{"ready": 1}"#] {
            assert!(faults.change(bad.as_bytes()).is_err(), "{bad}");
            assert_eq!(faults, Faults::default());
        }
        assert_eq!(faults.change(br#"{"fail_share": 0.5, "delay_ms": 20, "ready": false}"#), Ok(()));
        assert_eq!((faults.fail_share, faults.delay.as_millis(), faults.ready), (0.5, 20, false));
    }
}
