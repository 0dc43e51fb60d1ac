//! Judging, rule by rule.

use super::*;
use crate::{Metric, Ppm, Value};
use alloc::vec;

const ALL: [Outcome; 4] = [Outcome::Pass, Outcome::Fail, Outcome::Inconclusive, Outcome::Error];

fn checks(count: usize) -> Checks {
    let check = Check::new(Metric::SuccessRate { min: Ppm::new(990_000).expect("in range") });
    Checks::new(vec![check; count])
}

fn found(result: Outcome) -> Measurement {
    Measurement { value: None, limit: Some(Value::Ppm(Ppm::ONE)), samples: 20, result, text: format!("{result:?}") }
}

fn run(checks: &Checks, rounds: &[Outcome]) -> (Vec<Verdict>, History) {
    let mut history = History::default();
    let mut verdicts = Vec::new();
    for outcome in rounds {
        let judgement = judge(checks, &history, &vec![found(*outcome); checks.checks.len()]);
        history = judgement.history;
        verdicts.push(judgement.verdict);
    }
    (verdicts, history)
}

use Outcome::{Error as E, Fail as F, Inconclusive as I, Pass as P};

#[test]
fn two_failures_in_a_row_decide_and_a_pass_between_does_not_count_towards_the_row() {
    assert_eq!(run(&checks(1), &[F, F]).0, [Verdict::Inconclusive, Verdict::Fail]);
    assert_eq!(run(&checks(1), &[F, P, F]).0, [Verdict::Inconclusive, Verdict::Pass, Verdict::Inconclusive]);
    assert_eq!(run(&checks(1), &[F, I, E, F]).0[3], Verdict::Fail, "only a pass ends a row of failures");
}

#[test]
fn the_total_is_never_reset_not_even_by_the_next_step() {
    let (verdicts, history) = run(&checks(1), &[F, P, F, P, F, P, F, P]);
    assert!(!verdicts.contains(&Verdict::Fail));
    let next = history.next_step();
    assert_eq!((next.failed_total, next.rounds, next.passed, next.failed, next.errors), (4, 0, 0, 0, 0));
    let last = judge(&checks(1), &next, &[found(F)]);
    assert_eq!(last.verdict, Verdict::Fail);
    assert_eq!(last.text, "Fail (failed 5 rounds altogether; 5 decide)");
    assert_eq!(last.found, "Fail");
}

#[test]
fn a_round_counts_once_however_many_checks_fail() {
    let mut checks = checks(3);
    checks.budget = Budget { consecutive: 0, total: 2 };
    let first = judge(&checks, &History::default(), &[found(F), found(F), found(P)]);
    assert_eq!((first.verdict, first.history.failed_total), (Verdict::Inconclusive, 1));
    assert_eq!(first.text, "Fail; Fail (failed 1 round in a row, 1 altogether)");
    assert_eq!(first.found, "Fail; Fail");
    assert_eq!(judge(&checks, &first.history, &[found(P), found(P), found(F)]).verdict, Verdict::Fail);
}

#[test]
fn passes_must_be_consecutive() {
    let mut checks = checks(1);
    checks.passes = 3;
    let pass = |rounds: &[Outcome]| run(&checks, rounds).0.last() == Some(&Verdict::Pass);
    assert!(pass(&[P, P, P]));
    assert!(!pass(&[P, P]));
    for other in [F, I, E] {
        assert!(!pass(&[P, P, other, P]), "{other:?} begins the row anew");
        assert!(pass(&[P, P, other, P, P, P]));
    }
}

#[test]
fn errors_have_their_own_patience_and_then_the_policy_speaks() {
    let mut checks = checks(1);
    for (on_error, last) in
        [(OnError::Wait, Verdict::Error), (OnError::Fail, Verdict::Fail), (OnError::Pass, Verdict::Pass)]
    {
        checks.on_error = on_error;
        let (verdicts, _) = run(&checks, &[E, E, E, E]);
        assert_eq!(verdicts[..3], [Verdict::Error; 3]);
        assert_eq!(verdicts[3], last);
        let (verdicts, history) = run(&checks, &[E, E, E, I, E, E, E]);
        assert!(!verdicts.contains(&Verdict::Fail) && !verdicts.contains(&Verdict::Pass), "any answer begins anew");
        assert_eq!(history.failed_total, 0, "an error is no failure");
    }
}

#[test]
fn a_missing_measurement_and_a_missing_check_are_never_a_pass() {
    let checks_two = checks(2);
    for measurements in [vec![], vec![found(P)], vec![found(P); 3]] {
        assert_eq!(judge(&checks_two, &History::default(), &measurements).verdict, Verdict::Error);
    }
    let none = judge(&checks(0), &History::default(), &[]);
    assert_eq!((none.verdict, none.text.as_str()), (Verdict::Inconclusive, "there is no check"));
}

#[test]
fn a_failed_check_outweighs_a_blind_one() {
    let judgement = judge(&checks(2), &History::default(), &[found(E), found(F)]);
    assert_eq!((judgement.history.failed_total, judgement.history.errors), (1, 1));
    let judgement = judge(&checks(2), &judgement.history, &[found(F), found(E)]);
    assert_eq!(judgement.verdict, Verdict::Fail);
}

#[test]
fn on_error_pass_does_not_hide_what_the_other_checks_say() {
    let mut checks = checks(2);
    checks.on_error = OnError::Pass;
    checks.errors = 1;
    assert_eq!(judge(&checks, &History::default(), &[found(E), found(P)]).verdict, Verdict::Pass);
    assert_eq!(judge(&checks, &History::default(), &[found(E), found(I)]).verdict, Verdict::Inconclusive);
}

/// Every sequence of up to 8 rounds under several budgets, against a plain restatement of the rules over the whole sequence.
#[test]
fn all_short_histories_agree_with_the_rules() {
    let mut seen = [0_u64; 4];
    for (consecutive, total, passes, errors) in [(2, 5, 1, 4), (0, 1, 2, 2), (3, 0, 2, 1), (1, 3, 3, 3)] {
        for on_error in [OnError::Wait, OnError::Fail, OnError::Pass] {
            let mut checks = checks(1);
            checks.budget = Budget { consecutive, total };
            (checks.passes, checks.errors, checks.on_error) = (passes, errors, on_error);
            for length in 1..=8_u32 {
                for code in 0..4_usize.pow(length) {
                    let rounds: Vec<Outcome> = (0..length).map(|i| ALL[code / 4_usize.pow(i) % 4]).collect();
                    let (verdicts, _) = run(&checks, &rounds);
                    let expected = restated(&checks, &rounds);
                    assert_eq!(verdicts.last(), Some(&expected), "{rounds:?} {checks:?}");
                    seen[expected as usize] += 1;
                    if code % 7 == 0 {
                        let condemned = verdicts.iter().position(|verdict| *verdict == Verdict::Fail);
                        assert!(
                            condemned.is_none_or(|at| verdicts[at..].iter().all(|v| *v == Verdict::Fail)),
                            "Fail stays"
                        );
                    }
                }
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 1_000), "{seen:?}");
}

/// The verdict after the last round, by looking back over all of them.
fn restated(checks: &Checks, rounds: &[Outcome]) -> Verdict {
    let Budget { consecutive, total } = checks.budget;
    let trailing_errors = |upto: usize| rounds[..upto].iter().rev().take_while(|o| **o == E).count() as u32;
    let forgiven =
        |at: usize| rounds[at] == E && checks.on_error == OnError::Pass && trailing_errors(at + 1) >= checks.errors;
    let passed = |at: usize| rounds[at] == P || forgiven(at);
    for upto in 1..=rounds.len() {
        let failures = rounds[..upto].iter().filter(|o| **o == F).count() as u32;
        let since = (0..upto).rev().take_while(|at| !passed(*at)).filter(|at| rounds[*at] == F).count() as u32;
        let blind = checks.on_error == OnError::Fail && trailing_errors(upto) >= checks.errors;
        if (total > 0 && failures >= total) || (consecutive > 0 && since >= consecutive) || blind {
            return Verdict::Fail;
        }
    }
    let last = rounds.len() - 1;
    let row = (0..rounds.len()).rev().take_while(|at| passed(*at)).count() as u32;
    if row >= checks.passes {
        Verdict::Pass
    } else if rounds[last] == E && !forgiven(last) {
        Verdict::Error
    } else {
        Verdict::Inconclusive
    }
}

#[test]
fn useless_checks_are_refused_with_what_to_write_instead() {
    assert_eq!(checks(1).validate(), Ok(()));
    let spoil: [fn(&mut Checks); 8] = [
        |c| c.checks.clear(),
        |c| c.interval_ms = 0,
        |c| c.passes = 0,
        |c| c.errors = 0,
        |c| c.budget = Budget { consecutive: 0, total: 0 },
        |c| c.checks[0].method = Method::Proof { alpha_ppm: 0 },
        |c| c.checks[0].metric = Metric::Latency { of: crate::Latency::P99, max_ns: u64::MAX },
        |c| c.checks[0].metric = Metric::SuccessRate { min: Ppm::ONE.complement() },
    ];
    for (index, spoil) in spoil.iter().enumerate() {
        let mut checks = checks(1);
        spoil(&mut checks);
        let error = checks.validate().expect_err("spoilt").to_string();
        assert!(error.contains(": ") && error.len() > 40, "{index}: {error}");
    }
}

#[test]
fn state_round_trips_as_json() {
    let (_, history) = run(&checks(1), &[F, P, E, I]);
    let text = serde_json::to_string(&history).expect("plain data");
    assert_eq!(serde_json::from_str::<History>(&text).expect("own output"), history);
    let checks = checks(2);
    let text = serde_json::to_string(&checks).expect("plain data");
    assert_eq!(serde_json::from_str::<Checks>(&text).expect("own output"), checks);
}
