//! Readiness and continuous health over sequences of outcomes.

use super::*;

const SETTINGS: Settings =
    Settings { interval: Duration::from_secs(1), timeout: Duration::from_secs(1), rise: 2, fall: 3 };

fn fail() -> Outcome {
    Outcome::Fail("status 503".into())
}

/// One check a second: `+` passes, `-` fails, `R` is a restart. After each: S, R or U, and the healthy seconds or `.`.
fn run(script: &str) -> String {
    let begin = Instant::now();
    let mut health = Health::new(SETTINGS, begin);
    let mut told = String::new();
    for (second, what) in (1..).zip(script.chars()) {
        let now = begin + Duration::from_secs(second);
        match what {
            '+' => health.observe(now, Outcome::Pass),
            '-' => health.observe(now, fail()),
            _ => health.restarted(now),
        }
        told.push(match health.readiness() {
            Readiness::Starting { .. } => 'S',
            Readiness::Ready { .. } => 'R',
            Readiness::Unready { .. } => 'U',
        });
        told.push_str(&health.healthy_for(now).map_or(".".into(), |well| well.as_secs().to_string()));
    }
    told
}

#[test]
fn rise_and_fall() {
    assert_eq!(run("+++"), "S.R1R2");
    assert_eq!(run("+-+-++"), "S.S.S.S.S.R1");
    assert_eq!(run("++---++"), "S.R1R.R.U.U.R1");
}

#[test]
fn one_failing_check_resets_the_clock_but_not_readiness() {
    assert_eq!(run("++++-+++"), "S.R1R2R3R.R0R1R2");
}

#[test]
fn a_restart_resets_both() {
    assert_eq!(run("+++R+++"), "S.R1R2U.U.R1R2");
    assert_eq!(run("+R+++"), "S.S.S.R1R2");
}

#[test]
fn a_gap_proves_nothing() {
    let begin = Instant::now();
    let at = |seconds| begin + Duration::from_secs(seconds);
    let mut health = Health::new(SETTINGS, begin);
    assert!(!health.is_stale(at(1000)), "nothing was ever checked, so nothing is out of date");
    health.observe(at(1), Outcome::Pass);
    health.observe(at(2), Outcome::Pass);
    assert_eq!(health.healthy_for(at(4)), Some(Duration::from_secs(1)), "up to the last check only");
    assert!(!health.is_stale(at(5)));
    assert!(health.is_stale(at(6)));
    assert_eq!(health.healthy_for(at(6)), None);
    health.observe(at(60), Outcome::Pass);
    assert_eq!(health.healthy_for(at(60)), Some(Duration::ZERO));
    assert_eq!(health.readiness(), &Readiness::Ready { since: at(2) });
}

#[test]
fn why_is_the_last_reason() {
    let now = Instant::now();
    let mut health = Health::new(SETTINGS, now);
    health.observe(now, Outcome::Fail("refused".into()));
    health.observe(now, fail());
    assert_eq!(health.readiness(), &Readiness::Starting { since: now, why: Some("status 503".into()) });
}

#[test]
fn a_rise_or_fall_of_nothing_is_one() {
    let now = Instant::now();
    let mut health = Health::new(Settings { rise: 0, fall: 0, ..SETTINGS }, now);
    assert!(!health.readiness().is_ready());
    health.observe(now, Outcome::Pass);
    assert!(health.readiness().is_ready());
    health.observe(now, fail());
    assert!(!health.readiness().is_ready());
}
