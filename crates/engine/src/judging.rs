//! The analysis of a rollout while it runs. It never stops: not while a gate waits, not while anything is unready, not
//! in the rollback window.
use serde::{Deserialize, Serialize};
use serin_analysis::{Checks, History, Measurement, Outcome, Reading, Sample, judge, measure, unreachable};
use serin_rollout::{Interrupted, Leg, Phase, Slot, Status, StepKey, Verdict, other};

/// What is remembered from round to round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judging {
    /// The step that is judged.
    pub key: StepKey,
    /// Whether its target was reached: only what happens from then on can pass it.
    pub reached: bool,
    /// When the next round is, on the boot clock.
    pub next_ms: u64,
    /// Failures so far.
    pub history: History,
    /// The counters at the last round; `None` while the source could not be read.
    pub reading: Option<Reading>,
    /// The verdict of the last round.
    pub verdict: Option<Verdict>,
    /// Its measurements.
    pub measurements: Vec<Measurement>,
    /// Its reason in one line.
    pub text: String,
    /// The same without the count of failed rounds.
    #[serde(default)]
    pub found: String,
}

/// One round as the history keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The step.
    pub key: StepKey,
    /// What was measured, by name.
    pub metrics: Vec<String>,
    /// What was found, in the same order.
    pub measurements: Vec<Measurement>,
}

/// Which slot is judged for which step, or `None` where no canary is.
pub fn subject(status: &Status) -> Option<(StepKey, bool, Slot)> {
    let key = status.key()?;
    match status.phase {
        Phase::Step(at) => Some((key, at.reached, other(status.good))),
        Phase::Parked { .. } => Some((key, true, other(status.good))),
        Phase::Halted { from: Interrupted::Step { .. } | Interrupted::Back { .. } } => {
            Some((key, false, other(status.good)))
        }
        Phase::Settling { leg: Leg::Window, .. } => Some((key, true, status.good)),
        Phase::Settling { leg: Leg::Retire | Leg::Home, .. }
        | Phase::Halted { from: Interrupted::Home { .. } }
        | Phase::Idle
        | Phase::Back { .. } => None,
    }
}

impl Judging {
    /// Begins with a step, or with the moment that its target is reached, at these counters; the first round comes an
    /// interval later. Failures of the same rollout go on counting.
    pub fn begin(
        old: Option<&Judging>,
        (key, reached): (StepKey, bool),
        counters: Result<Sample, String>,
        now_ms: u64,
        interval_ms: u64,
    ) -> Judging {
        let history = match old {
            Some(old) if old.key == key => History { passed: 0, ..old.history },
            Some(old) if old.key.rollout == key.rollout => old.history.next_step(),
            Some(_) | None => History::default(),
        };
        let next_ms = now_ms.saturating_add(interval_ms);
        let verdict = None;
        Judging {
            key,
            reached,
            next_ms,
            history,
            reading: counters.ok().map(Reading::begin),
            verdict,
            measurements: Vec::new(),
            text: String::new(),
            found: String::new(),
        }
    }

    /// Whether it is time for the next round. A deadline further away than a round is of another start of the machine.
    pub fn is_due(&self, now_ms: u64, interval_ms: u64) -> bool {
        self.next_ms <= now_ms || self.next_ms > now_ms.saturating_add(interval_ms)
    }

    /// One round: `counters` for [`Checks::checks`], `asked` for [`Checks::asked`]. The first reading of counters that could
    /// not be read in the beginning is their beginning, and no round.
    pub fn round(
        &mut self,
        checks: &Checks,
        counters: Result<Sample, String>,
        asked: Vec<Measurement>,
        now_ms: u64,
    ) -> Option<Outcome> {
        self.next_ms = now_ms.saturating_add(checks.interval_ms);
        let mut measurements: Vec<Measurement> = match (counters, &mut self.reading) {
            (Ok(counters), reading @ None) => {
                *reading = Some(Reading::begin(counters));
                return None;
            }
            (Ok(counters), Some(reading)) => {
                let window = reading.next(counters);
                checks.checks.iter().map(|check| measure(check, &window)).collect()
            }
            (Err(why), _) => checks.checks.iter().map(|check| unreachable(check, &why)).collect(),
        };
        measurements.extend(asked);
        let judgement = judge(checks, &self.history, &measurements);
        let failed = judgement.history.failed_total > self.history.failed_total;
        self.history = judgement.history;
        self.verdict = Some(match judgement.verdict {
            serin_analysis::Verdict::Pass => Verdict::Pass,
            serin_analysis::Verdict::Fail => Verdict::Fail,
            serin_analysis::Verdict::Inconclusive => Verdict::Inconclusive,
            serin_analysis::Verdict::Error => Verdict::Error,
        });
        (self.text, self.found) = (judgement.text, judgement.found);
        self.measurements = measurements;
        Some(if failed { Outcome::Fail } else { Outcome::Pass })
    }
}
