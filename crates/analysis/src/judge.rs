//! From measurements to a verdict: the budget of failures, and what is remembered between rounds.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::metric::unusable;
use crate::{Check, Measurement, Method, Outcome};

/// How many failed rounds are too many. A round counts once, however many of its checks failed. Either number, once reached, fails the
/// release; 0 switches that number off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Failed rounds in a row. Only a passed round ends the row (as in Nomad and Argo Rollouts, where a success resets).
    pub consecutive: u32,
    /// Failed rounds altogether, over all steps and checks; a passed one resets nothing (Flagger's `threshold`). Unlike Flagger, which
    /// rolls back one interval after it recorded the last failure, the round that reaches the number is the verdict.
    pub total: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { consecutive: 2, total: 5 }
    }
}

/// What is concluded after `errors` rounds in a row without data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// Go on saying Error: a person decides, or the step's deadline.
    Wait,
    /// Fail: a canary that nobody can see does not stay.
    #[default]
    Fail,
    /// Count the checks without data as passed.
    Pass,
}

/// How a release is judged.
///
/// The defaults, and why: a canary that answers 500 to 20 % of its requests and gets 25 requests per second must be gone within 15 s, and a good
/// one must not be. A round of **5 s** is 125 requests, of which such a canary fails 25 where a success rate of at least 99 % allows 1.25: the proof
/// (see [`Method::Proof`], **alpha 0.1 %**) is there in the first round, the second in a row (**consecutive 2**) confirms it, so the verdict is there
/// after 10 s, and one round may be lost. **20** requests are the least on which a proof at 20 % is likely (4 of 20 at a limit of 1 % has p = 0.00004).
///
/// Simulated with a fixed seed (`tests/false_alarms.rs`, which holds these figures): 20 000 releases of 10 minutes each, ten steps of 60 s,
/// 125 requests per round, independent requests, at least 99 % success:
///
/// | true errors | rolled back falsely (or rightly) | mean time until then | rolled back by `Method::Point`, same budget |
/// |---|---|---|---|
/// | 0.1 % | 0 of 20 000 | | 0.76 % |
/// | 0.5 % | 0 of 20 000 | | 99.96 % |
/// | 0.75 % | 0.03 % | 301 s | 100 % |
/// | 1 % (the limit itself) | 1.6 % | 305 s | 100 % |
/// | 1.5 % | 69 % | 253 s | 100 % |
/// | 2 % | 99.97 % | 82 s | 100 % |
/// | 3 % | 100 % | 25 s | 100 % |
/// | 5 % | 100 % | 14 s | 100 % |
/// | 20 % | 100 %, after 10 s every time | 10 s | 100 % |
///
/// Read it honestly: 0 of 20 000 means less than 0.015 % (95 % confidence). Between one and two times the limit a step of a minute proves little
/// at 25 requests per second, and a round in which such a canary happens to look fine is a passed round: a longer step or more `passes` is the
/// remedy. Requests that fail in bursts (a shared backend, sticky users) alarm more often than this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checks {
    /// What is measured each round, in this order.
    pub checks: Vec<Check>,
    /// What is asked of others each round after that, by name: they say themselves what they found.
    #[serde(default)]
    pub asked: Vec<String>,
    /// Milliseconds from round to round.
    pub interval_ms: u64,
    /// How many rounds in a row must pass before a step passes.
    pub passes: u32,
    /// How many may fail.
    pub budget: Budget,
    /// After how many rounds in a row in which some check had no data `on_error` speaks; at least 1.
    pub errors: u32,
    /// What it then says.
    pub on_error: OnError,
}

impl Checks {
    /// Milliseconds from round to round, unless configured.
    pub const DEFAULT_INTERVAL_MS: u64 = 5_000;
    /// Rounds in a row without data that are endured, unless configured (20 s at the default interval).
    pub const DEFAULT_ERRORS: u32 = 4;

    /// These checks with the default interval, passes, budget and patience with errors.
    #[must_use]
    pub fn new(checks: Vec<Check>) -> Self {
        Self {
            checks,
            asked: Vec::new(),
            interval_ms: Self::DEFAULT_INTERVAL_MS,
            passes: 1,
            budget: Budget::default(),
            errors: Self::DEFAULT_ERRORS,
            on_error: OnError::default(),
        }
    }

    /// How many measurements a round has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.checks.len() + self.asked.len()
    }

    /// What is measured and asked, by name, in the order of a round's measurements.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.checks.iter().map(|check| check.metric.name()).chain(self.asked.iter().map(String::as_str))
    }

    /// Whether they can be used: to be asked once, before a release starts.
    ///
    /// # Errors
    /// The first thing that makes no sense, and what to write instead.
    pub fn validate(&self) -> Result<(), ChecksError> {
        let refuse = |text: &str| Err(ChecksError { text: text.to_string() });
        if self.count() == 0 {
            return refuse("there is no check: write at least one metric, or leave the analysis out");
        }
        if self.interval_ms == 0 {
            return refuse("the interval is 0: write how often to look, such as 5s");
        }
        if self.passes == 0 {
            return refuse("`passes` is 0: write how many rounds in a row must pass, at least 1");
        }
        if self.errors == 0 {
            return refuse("`errors` is 0: write how many rounds in a row may be without data, at least 1");
        }
        if self.budget.consecutive == 0 && self.budget.total == 0 {
            return refuse("no number of failures would roll back: set `consecutive` or `total` to at least 1");
        }
        for check in &self.checks {
            if let Some(text) = unusable(check.metric) {
                return Err(ChecksError { text });
            }
            if let Method::Proof { alpha_ppm: 0 | 250_001.. } = check.method {
                return refuse(
                    "`alpha` must be above 0% and at most 25%: write the chance of a false alarm per look, such as 0.1",
                );
            }
        }
        Ok(())
    }
}

/// Why [`Checks`] cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChecksError {
    text: String,
}

impl fmt::Display for ChecksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl core::error::Error for ChecksError {}

/// What is remembered from round to round of one attempt of a step. [`History::next_step`] carries on what outlives the step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Rounds judged.
    pub rounds: u32,
    /// Rounds passed in a row, up to now.
    pub passed: u32,
    /// Rounds failed since the last one that passed.
    pub failed: u32,
    /// Rounds failed altogether, in the steps before too.
    pub failed_total: u32,
    /// Rounds in a row in which some check had no data.
    pub errors: u32,
    /// The verdict was Fail once, and stays so.
    pub condemned: bool,
}

impl History {
    /// What the next step of the same release begins with: only the total of failures outlives a step.
    #[must_use]
    pub fn next_step(&self) -> Self {
        Self { failed_total: self.failed_total, ..Self::default() }
    }
}

/// What a round says about the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The step's checks are met.
    Pass,
    /// The canary is to go. Stays so for the rest of the attempt.
    Fail,
    /// Neither, yet.
    Inconclusive,
    /// There was no data.
    Error,
}

/// A verdict, what to remember, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The verdict of this round.
    pub verdict: Verdict,
    /// To be stored together with it and handed to the next round.
    pub history: History,
    /// The reason in one line for people: what was found, and what that makes of the budget.
    pub text: String,
    /// What was found, without the count of failed rounds.
    pub found: String,
}

/// Judges one round.
///
/// A broken limit outweighs everything; missing data outweighs what is merely open; only a round in which every check passed is passed. Measurements
/// that are not one per check are no data. No check at all is never a pass.
#[must_use]
pub fn judge(checks: &Checks, history: &History, measurements: &[Measurement]) -> Judgement {
    let mut next = *history;
    next.rounds = next.rounds.saturating_add(1);
    let blind = measurements.len() != checks.count() || has(measurements, Outcome::Error);
    next.errors = if blind { next.errors.saturating_add(1) } else { 0 };
    let patience_is_over = next.errors >= checks.errors.max(1);
    let outcome = if has(measurements, Outcome::Fail) {
        Outcome::Fail
    } else if blind && !(patience_is_over && checks.on_error == OnError::Pass) {
        Outcome::Error
    } else if has(measurements, Outcome::Inconclusive) || checks.count() == 0 {
        Outcome::Inconclusive
    } else {
        Outcome::Pass
    };
    match outcome {
        Outcome::Pass => {
            next.passed = next.passed.saturating_add(1);
            next.failed = 0;
        }
        Outcome::Fail => {
            next.passed = 0;
            next.failed = next.failed.saturating_add(1);
            next.failed_total = next.failed_total.saturating_add(1);
        }
        Outcome::Inconclusive | Outcome::Error => next.passed = 0,
    }
    let budget = checks.budget;
    let spent = (budget.consecutive > 0 && next.failed >= budget.consecutive)
        || (budget.total > 0 && next.failed_total >= budget.total);
    let lost = outcome == Outcome::Error && patience_is_over && checks.on_error == OnError::Fail;
    next.condemned |= spent || lost;
    let verdict = if next.condemned {
        Verdict::Fail
    } else {
        match outcome {
            Outcome::Pass if next.passed >= checks.passes.max(1) => Verdict::Pass,
            Outcome::Error => Verdict::Error,
            Outcome::Pass | Outcome::Fail | Outcome::Inconclusive => Verdict::Inconclusive,
        }
    };
    let found = explain(checks, outcome, measurements);
    let text = format!("{found}{}", counted(checks, &next, outcome, verdict));
    // A verdict that no failed round explains is not explained by what was found alone.
    let found = if verdict == Verdict::Fail && outcome != Outcome::Fail { text.clone() } else { found };
    Judgement { verdict, history: next, text, found }
}

fn has(measurements: &[Measurement], outcome: Outcome) -> bool {
    measurements.iter().any(|measurement| measurement.result == outcome)
}

/// What the round came to, and of which measurements.
fn explain(checks: &Checks, outcome: Outcome, measurements: &[Measurement]) -> String {
    let mut text = String::new();
    for measurement in measurements.iter().filter(|measurement| measurement.result == outcome) {
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(&measurement.text);
    }
    if measurements.len() != checks.count() {
        text = format!("{} of {} checks were measured", measurements.len(), checks.count());
    } else if checks.count() == 0 {
        text = "there is no check".to_string();
    }
    text
}

/// What the round makes of the budget, in brackets; nothing where that needs no word.
fn counted(checks: &Checks, history: &History, outcome: Outcome, verdict: Verdict) -> String {
    let Budget { consecutive, total } = checks.budget;
    match (verdict, outcome) {
        (Verdict::Fail, Outcome::Fail) if consecutive > 0 && history.failed >= consecutive => {
            format!(" (failed {} in a row; {consecutive} decide)", rounds(history.failed))
        }
        (Verdict::Fail, Outcome::Fail) => {
            format!(" (failed {} altogether; {total} decide)", rounds(history.failed_total))
        }
        (Verdict::Fail, Outcome::Error) => format!(" (no data for {} in a row)", rounds(history.errors)),
        (Verdict::Fail, Outcome::Pass | Outcome::Inconclusive) => " (but the budget was spent before)".to_string(),
        (Verdict::Inconclusive, Outcome::Fail) => {
            format!(" (failed {} in a row, {} altogether)", rounds(history.failed), history.failed_total)
        }
        (Verdict::Inconclusive, Outcome::Pass) => {
            format!(" (passed {} in a row of {})", rounds(history.passed), checks.passes)
        }
        (Verdict::Pass | Verdict::Error | Verdict::Inconclusive, _) => String::new(),
    }
}

fn rounds(count: u32) -> String {
    if count == 1 { "1 round".to_string() } else { format!("{count} rounds") }
}

#[cfg(test)]
mod tests;
