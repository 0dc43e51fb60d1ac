//! One check: what is measured, against which limit, by which method; and its measurement.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::binomial::rarer_than;
use crate::histogram::{Bound, OVERFLOW_NS};
use crate::wording::{exact_ms, measured_ms, percent, requests};
use crate::{Ppm, Sample, Window};

/// Which figure of the latencies is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Latency {
    /// Half of the requests are no slower.
    P50,
    /// 90 % of the requests are no slower.
    P90,
    /// 99 % of the requests are no slower.
    P99,
    /// The arithmetic mean.
    Mean,
}

impl Latency {
    /// The quantile in per cent; the mean is none.
    const fn per_hundred(self) -> Option<u32> {
        match self {
            Self::P50 => Some(50),
            Self::P90 => Some(90),
            Self::P99 => Some(99),
            Self::Mean => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::P50 => "latency p50",
            Self::P90 => "latency p90",
            Self::P99 => "latency p99",
            Self::Mean => "mean latency",
        }
    }
}

/// What is measured, and its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The share of attempts that did not fail is at least `min`.
    SuccessRate {
        /// The smallest share that is good.
        min: Ppm,
    },
    /// A figure of the latencies is at most `max_ns`.
    Latency {
        /// Which figure.
        of: Latency,
        /// The largest that is good, in nanoseconds, below [`OVERFLOW_NS`].
        max_ns: u64,
    },
}

/// What a check says while its step has fewer than `min_samples` requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoData {
    /// Inconclusive: wait for more.
    #[default]
    Wait,
    /// Fail: a canary without traffic is wrong.
    Fail,
    /// Pass: no traffic is normal for this service.
    Pass,
}

/// How counts become an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Compare the value of this round with the limit and believe it, however few requests it comes from. What Flagger and Argo Rollouts do;
    /// of a canary with half the allowed errors it fails every eighth round at 125 requests a round.
    Point,
    /// Fail only on proof: when a canary that is exactly at the limit would have shown so many bad requests with a probability of at most
    /// `alpha_ppm`, either in this round or in the whole step so far (the exact binomial tail; for a quantile the requests that are certainly slower
    /// are the bad ones, 1 in 100 for P99). Pass when the whole step so far is within the limit and nothing is proven. Else inconclusive.
    ///
    /// It looks at most twice per round, so over r rounds a canary at the limit is failed falsely in at most 2 r `alpha_ppm` of the cases before
    /// the budget is applied. Requests that fail in bursts break the assumption of independence and with it this figure. There is no such
    /// test for a mean: it is compared as by `Point`, over the whole step.
    Proof {
        /// The probability in parts per million.
        alpha_ppm: u32,
    },
}

impl Default for Method {
    fn default() -> Self {
        Self::Proof { alpha_ppm: 1_000 }
    }
}

/// One check of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What is measured, and its limit.
    pub metric: Metric,
    /// How it is decided.
    pub method: Method,
    /// Below this number of requests in the step the check does not look at their outcome. `Point` counts those of the round instead.
    pub min_samples: u64,
    /// What it says then.
    pub no_data: NoData,
}

impl Check {
    /// The number of requests below which a check says nothing, unless configured.
    pub const DEFAULT_MIN_SAMPLES: u64 = 20;

    /// A check with the default method, minimum and policy.
    #[must_use]
    pub fn new(metric: Metric) -> Self {
        Self { metric, method: Method::default(), min_samples: Self::DEFAULT_MIN_SAMPLES, no_data: NoData::default() }
    }
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The limit holds.
    Pass,
    /// The limit is broken.
    Fail,
    /// The data does not say.
    Inconclusive,
    /// There is no data: its source could not be asked or contradicts itself.
    Error,
}

/// A measured value or a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A share.
    Ppm(Ppm),
    /// A duration in nanoseconds, no less than the true one.
    Ns(u64),
    /// A duration in nanoseconds, no more than the true one: some requests took longer than can be told.
    AtLeastNs(u64),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ppm(rate) => f.write_str(&percent(*rate)),
            Self::Ns(nanos) => f.write_str(&measured_ms(*nanos, *nanos)),
            Self::AtLeastNs(nanos) => write!(f, "at least {}", measured_ms(*nanos, *nanos)),
        }
    }
}

/// The result of one check in one round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measurement {
    /// The value, where there is one. After a failure it is that of the window which failed.
    pub value: Option<Value>,
    /// The limit that it was compared with, where Serin did that itself.
    pub limit: Option<Value>,
    /// How many requests it comes from.
    pub samples: u64,
    /// What was found.
    pub result: Outcome,
    /// The same in one line for people, such as `success rate 69.17% < 99%`.
    pub text: String,
}

impl Measurement {
    /// What somebody found who was asked; `text` says it in one line for people.
    #[must_use]
    pub fn told(result: Outcome, text: String) -> Self {
        Self { value: None, limit: None, samples: 0, result, text }
    }
}

/// One metric over one sample.
struct Figure {
    value: Value,
    holds: bool,
    samples: u64,
    text: String,
}

impl Metric {
    fn limit(self) -> Value {
        match self {
            Self::SuccessRate { min } => Value::Ppm(min),
            Self::Latency { max_ns, .. } => Value::Ns(max_ns),
        }
    }

    /// What people call it: `success rate`, `latency p99`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SuccessRate { .. } => "success rate",
            Self::Latency { of, .. } => of.name(),
        }
    }

    fn samples(self, sample: &Sample) -> u64 {
        match self {
            Self::SuccessRate { .. } => sample.finished,
            Self::Latency { .. } => sample.latency.total(),
        }
    }

    /// The value over a sample; `None` when it is empty.
    fn read(self, sample: &Sample) -> Option<Figure> {
        let samples = self.samples(sample);
        if samples == 0 {
            return None;
        }
        match self {
            Self::SuccessRate { min } => {
                let good = sample.finished.saturating_sub(sample.failed);
                let rate = Ppm::of(good, samples);
                // Compared by cross multiplication: the rounding of `rate` decides nothing.
                let holds = u128::from(good) * 1_000_000 >= u128::from(samples) * u128::from(min.get());
                let text = format!("success rate {} {} {min}", percent(rate), if holds { ">=" } else { "<" });
                Some(Figure { value: Value::Ppm(rate), holds, samples, text })
            }
            Self::Latency { of, max_ns } => {
                let bound = match of.per_hundred() {
                    Some(per_hundred) => sample.latency.quantile(per_hundred.into())?,
                    None => sample.latency.mean()?,
                };
                let name = of.name();
                let limit = exact_ms(max_ns);
                let (value, holds, text) = match bound {
                    Bound::AtMost(ns) => {
                        let holds = ns <= max_ns;
                        let sign = if holds { "<=" } else { ">" };
                        (Value::Ns(ns), holds, format!("{name} {} {sign} {limit}", measured_ms(ns, max_ns)))
                    }
                    Bound::AtLeast(ns) => {
                        let at_least = measured_ms(ns, max_ns);
                        (Value::AtLeastNs(ns), false, format!("{name} at least {at_least}, not surely <= {limit}"))
                    }
                };
                Some(Figure { value, holds, samples, text })
            }
        }
    }

    /// Whether the bad requests of a sample are proof, at `alpha_ppm`, that the limit is broken.
    fn proven_broken(self, sample: &Sample, alpha_ppm: u32) -> bool {
        match self {
            Self::SuccessRate { min } => rarer_than(sample.finished, sample.failed, min.complement().get(), alpha_ppm),
            Self::Latency { of, max_ns } => match of.per_hundred() {
                Some(per_hundred) => {
                    let allowed = (100 - per_hundred) * 10_000;
                    rarer_than(sample.latency.total(), sample.latency.above(max_ns), allowed, alpha_ppm)
                }
                None => self.read(sample).is_some_and(|reading| !reading.holds),
            },
        }
    }
}

/// Measures one check over one window.
///
/// The outcome is `Error` when the counts contradict themselves (more failed than finished), never a panic.
#[must_use]
pub fn measure(check: &Check, window: &Window) -> Measurement {
    let Check { metric, method, min_samples, no_data } = *check;
    if window.round.failed > window.round.finished || window.step.failed > window.step.finished {
        return unreachable(check, "the data plane counted more failed than finished requests");
    }
    let base = match method {
        Method::Point => &window.round,
        Method::Proof { .. } => &window.step,
    };
    let samples = metric.samples(base);
    let Some(reading) = metric.read(base).filter(|_| samples >= min_samples) else {
        let outcome = match no_data {
            NoData::Wait => Outcome::Inconclusive,
            NoData::Fail => Outcome::Fail,
            NoData::Pass => Outcome::Pass,
        };
        let text = format!("{}: {} of the {} needed", metric.name(), requests(samples), min_samples.max(1));
        return Measurement { value: None, limit: Some(metric.limit()), samples, result: outcome, text };
    };
    match method {
        Method::Point => conclude(metric, if reading.holds { Outcome::Pass } else { Outcome::Fail }, reading),
        Method::Proof { alpha_ppm } => {
            if metric.proven_broken(&window.step, alpha_ppm) {
                return conclude(metric, Outcome::Fail, reading);
            }
            if let Some(round) = metric.read(&window.round).filter(|round| round.samples >= min_samples)
                && metric.proven_broken(&window.round, alpha_ppm)
            {
                return conclude(metric, Outcome::Fail, round);
            }
            if reading.holds {
                return conclude(metric, Outcome::Pass, reading);
            }
            let mut open = conclude(metric, Outcome::Inconclusive, reading);
            open.text.push_str(&format!(", but {} prove nothing yet", requests(open.samples)));
            open
        }
    }
}

fn conclude(metric: Metric, result: Outcome, reading: Figure) -> Measurement {
    Measurement {
        value: Some(reading.value),
        limit: Some(metric.limit()),
        samples: reading.samples,
        result,
        text: reading.text,
    }
}

/// The measurement of a check whose source could not be asked; `reason` completes "success rate unknown: …".
#[must_use]
pub fn unreachable(check: &Check, reason: &str) -> Measurement {
    Measurement {
        value: None,
        limit: Some(check.metric.limit()),
        samples: 0,
        result: Outcome::Error,
        text: format!("{} unknown: {}", check.metric.name(), reason),
    }
}

/// Why a limit cannot be used, in plain words; `None` when it can.
pub(crate) fn unusable(metric: Metric) -> Option<String> {
    match metric {
        Metric::SuccessRate { min } if min.get() == 0 => Some(
            "a success rate of at least 0% is always met: write the smallest share that is good, such as 99"
                .to_string(),
        ),
        Metric::Latency { max_ns, .. } if max_ns == 0 || max_ns >= OVERFLOW_NS => Some(format!(
            "a limit of {} on the {} cannot be checked: write a duration above 0 and below {}",
            exact_ms(max_ns),
            metric.name(),
            exact_ms(OVERFLOW_NS)
        )),
        Metric::SuccessRate { .. } | Metric::Latency { .. } => None,
    }
}

#[cfg(test)]
mod tests;
