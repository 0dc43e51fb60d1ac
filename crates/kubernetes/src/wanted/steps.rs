//! How a release goes: what is written as weights, iterations or not at all, as a plan.
use super::names::Sizes;
use super::{Gates, View};
use crate::duration;
use crate::flagger::{Analysis, Canary};
use crate::problem::{Found, Problem, Rule};
use crate::support::Provider;
use serin_rollout::{Accept, Bp, Plan, PlanError, Preset, Times, WeightStep, rising};

/// Where the interval is absent.
const INTERVAL_MS: u64 = 60_000;
/// The least interval that is taken.
const SHORTEST_MS: u64 = 1_000;
/// So many looks where weights are written and nobody can divide traffic; Flagger's own number for it.
const INSTEAD_OF_WEIGHTS: u32 = 10;
/// The most looks. At the shortest interval it is more than a day.
const MOST_ITERATIONS: i64 = 100_000;

/// How a release goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// The canary's weights, in basis points.
    Weights(Vec<Bp>),
    /// So many looks at a canary without traffic, then all of it at once.
    Iterations(u32),
    /// Unjudged.
    Skipped,
}

/// A plan that cannot be, with the field of the analysis that it comes from.
pub(super) struct Impossible {
    field: &'static str,
    why: PlanError,
}

impl Impossible {
    pub(super) fn in_analysis(&self, canary: &Canary) -> Problem {
        let path = canary.analysis.as_ref().map_or("spec.analysis", |analysis| &analysis.path);
        let path = format!("{path}.{}", self.field);
        Problem::error(Rule::Value, path, self.why.to_string(), "write other numbers")
    }
}

/// The plan of a release: each step held for an interval and until its checks passed, and at the end the way home.
pub(super) fn plan(
    way: &Way,
    sizes: Sizes,
    shares: Vec<Bp>,
    times: Times,
    judged: bool,
    gates: &Gates,
    interval_ms: u64,
) -> Result<Plan, Impossible> {
    let hold = |intervals: u64, manual: bool| Accept {
        bake_ms: Some(interval_ms.saturating_mul(intervals)),
        checks: judged,
        manual,
    };
    let (preset, field) = match way {
        Way::Weights(weights) => {
            let last = weights.len().saturating_sub(1);
            let step = |(i, weight): (usize, &Bp)| WeightStep {
                weight: *weight,
                accept: hold(1, gates.stands_after(i == last)),
            };
            (Preset::Weights(weights.iter().enumerate().map(step).collect()), "stepWeights")
        }
        Way::Iterations(n) => {
            let before = hold(u64::from(*n), !gates.promotion.is_empty());
            (Preset::BlueGreen { before, after: hold(1, false) }, "iterations")
        }
        Way::Skipped => (Preset::Direct, "interval"),
    };
    let impossible = |field: &'static str| move |why: PlanError| Impossible { field, why };
    let plan = Plan::compile(&preset, sizes.replicas, sizes.max_unavailable, false).map_err(impossible(field))?;
    let plan = plan.with_home(0, shares).map_err(impossible("stepWeightPromotion"))?;
    let plan = match preparation(way, gates) {
        Some(accept) => plan.with_preparation(accept),
        None => plan,
    };
    Ok(Plan { window: false, times, ..plan })
}

/// What stands between a canary that is ready and its first round: the hooks that must have been called by then, and the
/// gate of the first rise. `None` where nothing does.
pub(super) fn preparation(way: &Way, gates: &Gates) -> Option<Accept> {
    let checks = !gates.preparation.is_empty() && *way != Way::Skipped;
    let manual = !gates.traffic_increase.is_empty() && matches!(way, Way::Weights(_));
    (checks || manual).then_some(Accept { bake_ms: None, checks, manual })
}

impl View<'_> {
    pub(super) fn way(&self, provider: Option<Provider>, found: &mut Found) -> Option<Way> {
        if self.canary.skip_analysis {
            return Some(Way::Skipped);
        }
        let Some(analysis) = &self.canary.analysis else {
            let help = "write `analysis`, or `skipAnalysis: true` where every revision is to be promoted unjudged";
            found.add_unless_known(Problem::error(Rule::Missing, "spec.analysis", "nothing says how to judge", help));
            return None;
        };
        let looks = self.looks(analysis, found)?;
        let weighted = analysis.step_weights.is_some() || analysis.step_weight.is_some_and(|step| step != 0);
        let way = match (looks, &analysis.step_weights, analysis.step_weight) {
            (Some(_), Some(_), _) => return self.contradict("stepWeights", "iterations", found),
            (Some(_), None, Some(step)) if step != 0 => return self.contradict("stepWeight", "iterations", found),
            (None, Some(_), Some(step)) if step != 0 => return self.contradict("stepWeight", "stepWeights", found),
            (Some(looks), None, _) => Way::Iterations(looks),
            (None, Some(weights), _) => Way::Weights(self.listed(weights, found)?),
            (None, None, Some(step)) => Way::Weights(self.rising(step, analysis.max_weight, found)?),
            (None, None, None) => {
                let help = "write `stepWeight` (and `maxWeight`), `stepWeights`, or `iterations`";
                let path = self.analysis_path("stepWeight");
                found.add_unless_known(Problem::error(Rule::Missing, path, "nothing says how to go on", help));
                return None;
            }
        };
        if analysis.mirror && weighted {
            let message = "copying requests and giving the canary a share of them exclude each other";
            let help = "leave `mirror` out";
            let path = self.analysis_path("mirror");
            found.add_unless_known(Problem::error(Rule::Contradiction, path, message, help));
        }
        self.no_effect(analysis, &way, found);
        match (way, provider) {
            (Way::Weights(_), Some(provider)) if !provider.divides() => {
                let message = format!(
                    "this provider cannot divide traffic: the canary is looked at {INSTEAD_OF_WEIGHTS} times without any, then gets all, as with Flagger"
                );
                let path =
                    self.analysis_path(if analysis.step_weights.is_some() { "stepWeights" } else { "stepWeight" });
                let help = "write `iterations` instead";
                found.add_unless_known(Problem::warning(Rule::Surprise, path, message, help));
                Some(Way::Iterations(INSTEAD_OF_WEIGHTS))
            }
            (way, _) => Some(way),
        }
    }

    /// The number of looks, where some are written. `None` outside where it cannot be.
    fn looks(&self, analysis: &Analysis, found: &mut Found) -> Option<Option<u32>> {
        match analysis.iterations.unwrap_or(0) {
            0 => Some(None),
            looks @ 1..=MOST_ITERATIONS => Some(u32::try_from(looks).ok()),
            other => {
                let message = format!("{other} looks are impossible");
                let help = format!("write a number from 1 to {MOST_ITERATIONS}");
                found.add_unless_known(Problem::error(Rule::Value, self.analysis_path("iterations"), message, help));
                None
            }
        }
    }

    fn contradict<T>(&self, field: &str, other: &str, found: &mut Found) -> Option<T> {
        let message = format!("`{field}` and `{other}` exclude each other");
        let help = "leave one of them out: `iterations` test a canary without traffic, weights give it a share";
        let problem = Problem::error(Rule::Contradiction, self.analysis_path(field), message, help);
        found.add_unless_known(problem);
        None
    }

    fn listed(&self, weights: &[i64], found: &mut Found) -> Option<Vec<Bp>> {
        let path = self.analysis_path("stepWeights");
        if weights.is_empty() {
            let problem =
                Problem::error(Rule::Missing, &path, "the list is empty", "write rising weights, such as [5, 20, 50]");
            found.add_unless_known(problem);
            return None;
        }
        let (mut last, mut wrong) = (0, false);
        for (i, weight) in weights.iter().enumerate() {
            if *weight <= last || *weight > 100 {
                let message = match weight {
                    101.. => format!("{weight} is more than all traffic"),
                    ..=0 => format!("{weight} is no share of the traffic"),
                    _ => format!("{weight} is not above {last}, the weight before it"),
                };
                let help = "write weights from 1 to 100, each above the one before it";
                found.add_unless_known(Problem::error(Rule::Value, format!("{path}[{i}]"), message, help));
                wrong = true;
            }
            last = (*weight).max(last);
        }
        if wrong { None } else { weights.iter().map(|weight| points(*weight)).collect() }
    }

    fn rising(&self, step: i64, max: Option<i64>, found: &mut Found) -> Option<Vec<Bp>> {
        if !(1..=100).contains(&step) {
            let message = if step == 0 {
                "a step of 0 never advances".to_owned()
            } else {
                format!("{step} is not a step between 1 and 100 per cent")
            };
            let problem = Problem::error(
                Rule::Value,
                self.analysis_path("stepWeight"),
                message,
                "write a number from 1 to 100, such as 5",
            );
            found.add_unless_known(problem);
        }
        let max = max.filter(|max| *max != 0).unwrap_or(100);
        if !(1..=100).contains(&max) {
            let message = format!("{max} is not a share of the traffic");
            let problem = Problem::error(
                Rule::Value,
                self.analysis_path("maxWeight"),
                message,
                "write a number from 1 to 100, such as 50",
            );
            found.add_unless_known(problem);
        }
        let (step, max) = (points(step).filter(|step| *step > 0)?, points(max).filter(|max| *max > 0)?);
        Some(rising(step, step, max))
    }

    /// What is written beside and changes nothing.
    fn no_effect(&self, analysis: &Analysis, way: &Way, found: &mut Found) {
        let mut say = |field: &str, message: &str| {
            let problem = Problem::warning(Rule::NoEffect, self.analysis_path(field), message, "leave it out");
            found.add_unless_known(problem);
        };
        let by_steps = analysis.step_weights.is_none() && matches!(way, Way::Weights(_));
        if analysis.max_weight.is_some_and(|max| max != 0) && !by_steps {
            say("maxWeight", "it counts beside `stepWeight` only");
        }
        if analysis.mirror_weight.is_some() && !analysis.mirror {
            say("mirrorWeight", "nothing is mirrored");
        }
        if !analysis.matches.is_empty() && matches!(way, Way::Weights(_)) {
            say("match", "Flagger sends matched users to the canary only with `iterations`");
        }
    }

    /// The shares in which traffic returns to the primary; everything follows the last.
    pub(super) fn home_shares(&self, found: &mut Found) -> Vec<Bp> {
        let step = self.canary.analysis.as_ref().and_then(|analysis| analysis.step_weight_promotion).unwrap_or(0);
        match points(step) {
            None => {
                let message = format!("{step} is not a step between 1 and 100 per cent");
                let help = "write a number from 1 to 100, or leave it out: then everything returns at once";
                let path = self.analysis_path("stepWeightPromotion");
                found.add_unless_known(Problem::error(Rule::Value, path, message, help));
                Vec::new()
            }
            Some(0) => Vec::new(),
            Some(step) => {
                let mut shares = rising(step, step, serin_rollout::FULL);
                shares.pop(); // the last is everything, which follows by itself
                shares
            }
        }
    }

    /// From look to look, in milliseconds.
    pub(super) fn interval(&self, found: &mut Found) -> u64 {
        let written = self.canary.analysis.as_ref().and_then(|analysis| analysis.interval.as_deref());
        let Some(text) = written.filter(|text| !text.is_empty()) else { return INTERVAL_MS };
        let path = self.analysis_path("interval");
        match duration::parse(text) {
            Ok(ms) if ms < SHORTEST_MS => {
                let message = format!("`{text}` is too short to measure anything");
                found.add_unless_known(Problem::error(Rule::Value, path, message, "write at least 1s"));
                INTERVAL_MS
            }
            Ok(ms) => ms,
            Err((message, help)) => {
                found.add_unless_known(Problem::error(Rule::Value, path, message, help));
                INTERVAL_MS
            }
        }
    }

    /// Failed rounds that are too many.
    pub(super) fn threshold(&self, found: &mut Found) -> u32 {
        let written = self.canary.analysis.as_ref().and_then(|analysis| analysis.threshold);
        match written.map(u32::try_from) {
            Some(Ok(threshold @ 1..)) => threshold,
            None => 1,
            Some(Ok(0)) => {
                let path = self.analysis_path("threshold");
                let message = "0 is read as 1: the first failed check rolls back, as with Flagger";
                found.add_unless_known(Problem::warning(Rule::Surprise, path, message, "write 1"));
                1
            }
            Some(Err(_)) => {
                let message = "failed checks cannot be less than none";
                let help = "write how many failed checks roll back, such as 5";
                found.add_unless_known(Problem::error(Rule::Value, self.analysis_path("threshold"), message, help));
                1
            }
        }
    }
}

/// Per cent as basis points; `None` outside of 0 to 100.
fn points(percent: i64) -> Option<Bp> {
    Bp::try_from(percent).ok().filter(|percent| *percent <= 100).map(|percent| percent * 100)
}
