//! What is measured: whom to ask, what, and which answers are good.
use super::{Hook, Moment, View};
use crate::decode::cut;
use crate::duration;
use crate::flagger::{Metric, MetricProvider, MetricTemplate};
use crate::problem::{Found, Problem, Rule};
use crate::promql::{self, BuiltIn, Subject};
use crate::query::{self, Names};
use crate::support;
use serin_analysis::{Budget, Check, Checks, Latency, Method, NoData, OnError, Ppm};
use serin_near::nearest;
use serin_rollout::Pair;
use std::collections::BTreeMap;

/// How far a metric looks back where nothing is written. Flagger leaves it open for templates, whose query then reads
/// `[]`; here it is the same for all.
const INTERVAL_MS: u64 = 60_000;
/// Where a canary says with `templateVariables` which figure of `request-duration` is meant: `mean`, `p50`, `p90`, or
/// `p99`, which is what Flagger takes. It stands there because Flagger's schema lets nothing else through.
const AGGREGATE: &str = "aggregate";

/// Templates by namespace and name.
pub type Templates = BTreeMap<(String, String), MetricTemplate>;

/// One thing that is measured in each round.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The field that it comes from.
    pub path: String,
    /// What it is called.
    pub name: String,
    /// Whom to ask.
    pub source: Source,
    /// What to ask, for the canary in each slot. A query of people's own names the canary's things itself, so that it
    /// fits slot 1 alone, which is the canary whenever the service is at home.
    pub query: Pair<Option<String>>,
    /// How far it looks back, in milliseconds.
    pub interval_ms: u64,
    /// Which answers are good: per cent for a success rate, milliseconds for a duration, else what the query gives.
    pub limits: Limits,
    /// The same for whoever counts the requests himself and need not ask. `None` where counts do not answer it.
    pub counted: Option<Check>,
}

/// What is asked for in a round, in this order: hooks that fail it first, as with Flagger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The hook with this index: once without traffic (`pre-rollout`), in every round (`rollout`).
    Hook(usize),
    /// The question with this index.
    Question(usize),
}

/// Whom to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A built-in metric, at this Prometheus or else the operator's.
    BuiltIn(BuiltIn, Option<String>),
    /// An inline query, at this Prometheus or else the operator's.
    Inline(Option<String>),
    /// What a template says, and the namespace in which its Secret is.
    Template(MetricProvider, String),
}

/// The good answers, both ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// The least.
    pub min: Option<f64>,
    /// The most.
    pub max: Option<f64>,
}

/// What an answer is held to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Finding {
    /// It is within the limits.
    Held(f64),
    /// It is below this limit.
    Below(f64, f64),
    /// It is above this limit.
    Above(f64, f64),
    /// There was no answer, or none that is a number.
    NoValue,
}

impl Limits {
    /// What an answer is. No answer is never a good one; Flagger's InfluxDB takes none for 0.
    #[must_use]
    pub fn judge(self, answer: Option<f64>) -> Finding {
        let Some(value) = answer.filter(|value| !value.is_nan()) else { return Finding::NoValue };
        match self {
            Limits { min: Some(min), .. } if value < min => Finding::Below(value, min),
            Limits { max: Some(max), .. } if value > max => Finding::Above(value, max),
            Limits { .. } => Finding::Held(value),
        }
    }
}

impl View<'_> {
    pub(super) fn questions(&self, subject: Option<&Subject>, found: &mut Found) -> Vec<Question> {
        let metrics = self.canary.analysis.iter().flat_map(|analysis| &analysis.metrics);
        metrics.filter_map(|metric| self.question(metric, subject, found)).collect()
    }

    fn question(&self, metric: &Metric, subject: Option<&Subject>, found: &mut Found) -> Option<Question> {
        let interval_ms = match metric.interval.as_deref().map(duration::parse) {
            None => INTERVAL_MS,
            Some(Ok(ms @ 1..)) => ms,
            Some(Ok(0)) => {
                let path = format!("{}.interval", metric.path);
                found.add_unless_known(Problem::error(Rule::Value, path, "nothing happens in no time", "write 1m"));
                return None;
            }
            Some(Err((message, help))) => {
                found.add_unless_known(Problem::error(Rule::Value, format!("{}.interval", metric.path), message, help));
                return None;
            }
        };
        let named = match metric.name.as_str() {
            "request-success-rate" => Some(BuiltIn::SuccessRate),
            "request-duration" => Some(BuiltIn::Duration(aggregate(metric, found)?)),
            _ => None,
        };
        let interval = duration::text(interval_ms);
        let server = self.canary.metrics_server.clone();
        let (source, query) = match (&metric.template, &metric.query, named) {
            (Some(reference), _, _) => {
                let (template, namespace) = self.template(metric, reference, found)?;
                let query = self.filled(metric, &template.query, &interval, "templateRef", found)?;
                (Source::Template(template.provider.clone(), namespace), [None, Some(query)])
            }
            (None, Some(inline), _) => {
                let query = self.filled(metric, inline, &interval, "query", found)?;
                (Source::Inline(server), [None, Some(query)])
            }
            (None, None, Some(named)) => {
                let ask = |slot| Some(promql::query(named, &self.defaults.telemetry, subject?, slot, &interval));
                (Source::BuiltIn(named, server), [ask(0), ask(1)])
            }
            (None, None, None) => {
                self.nothing_asks(metric, found);
                return None;
            }
        };
        if named.is_some() && metric.template.is_some() {
            let message =
                format!("the template alone is asked for `{}`; Flagger asks for the built-in metric too", metric.name);
            let problem =
                Problem::warning(Rule::Surprise, format!("{}.name", metric.path), message, "give it another name");
            found.add_unless_known(problem);
        }
        let limits = limits(metric, named, found)?;
        let (path, name) = (metric.path.clone(), metric.name.clone());
        let counted = counted(&source, limits);
        if let Some(Err(error)) = counted.map(|check| Checks::new(vec![check]).validate()) {
            found.add_unless_known(Problem::error(Rule::Value, &path, error.to_string(), "write another limit"));
        }
        Some(Question { path, name, source, query, interval_ms, limits, counted })
    }

    fn nothing_asks(&self, metric: &Metric, found: &mut Found) {
        let help = match nearest(&metric.name, ["request-success-rate", "request-duration"]) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "write `templateRef` with the name of a MetricTemplate".to_owned(),
        };
        let message = format!("`{}` is not built in, and nothing says how to ask for it", cut(&metric.name));
        found.add_unless_known(Problem::error(Rule::Missing, &metric.path, message, help));
    }

    fn template(
        &self,
        metric: &Metric,
        (name, written): &(String, Option<String>),
        found: &mut Found,
    ) -> Option<(&MetricTemplate, String)> {
        let own = &self.canary.meta.namespace;
        let namespace = written.clone().unwrap_or_else(|| own.clone());
        let path = format!("{}.templateRef", metric.path);
        if namespace != *own && !self.defaults.cross_namespace {
            let message =
                format!("the template is in the namespace `{}`, and canaries may not look there", cut(&namespace));
            let help = "copy it to the canary's namespace";
            found.add_unless_known(Problem::error(Rule::Reference, format!("{path}.namespace"), message, help));
            return None;
        }
        let Some(template) = self.templates.get(&(namespace.clone(), name.clone())) else {
            let there = self.templates.keys().filter(|(ns, _)| *ns == namespace).map(|(_, name)| name.as_str());
            let help = match nearest(name, there) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "create it, or correct the name".to_owned(),
            };
            let message = format!("there is no MetricTemplate `{}` in the namespace `{}`", cut(name), cut(&namespace));
            found.add_unless_known(Problem::error(Rule::Reference, format!("{path}.name"), message, help));
            return None;
        };
        if let Some((rule, message, help)) = support::metric_provider(&template.provider.kind) {
            let message = format!("the template `{}` cannot be used: {message}", cut(name));
            found.add_unless_known(Problem::error(rule, path, message, help));
            return None;
        }
        if template.query.is_empty() {
            let message = format!("the template `{}` has no query", cut(name));
            found.add_unless_known(Problem::error(Rule::Reference, path, message, "write its `spec.query`"));
            return None;
        }
        Some((template, namespace))
    }

    /// The query with its places filled in.
    fn filled(&self, metric: &Metric, text: &str, interval: &str, field: &str, found: &mut Found) -> Option<String> {
        let target = self.canary.target.as_ref().map(|target| target.name.clone()).unwrap_or_default();
        let or_target = |reference: Option<&crate::flagger::Reference>| {
            reference.map_or_else(|| target.clone(), |reference| reference.name.clone())
        };
        let names = Names {
            name: self.canary.meta.name.clone(),
            namespace: self.canary.meta.namespace.clone(),
            service: self.canary.service.as_ref().and_then(|s| s.name.clone()).unwrap_or_else(|| target.clone()),
            ingress: or_target(self.canary.ingress.as_ref()),
            route: or_target(self.canary.route.as_ref()),
            target,
            interval: interval.to_owned(),
            variables: metric.variables.clone(),
        };
        match query::render(text, &names) {
            Ok(query) => Some(query),
            Err(error) => {
                let path = format!("{}.{field}", metric.path);
                found.add_unless_known(Problem::error(Rule::Value, path, error.to_string(), error.help()));
                None
            }
        }
    }

    /// How the rounds are judged: everything in them is asked for. A round that has no answer at all from a source is a
    /// row of its own.
    pub(super) fn checks(
        &self,
        questions: &[Question],
        hooks: &[Hook],
        interval_ms: u64,
        threshold: u32,
    ) -> (Vec<Asked>, Option<Checks>) {
        let of =
            |moment| hooks.iter().enumerate().filter(move |(_, h)| h.moment == moment).map(|(i, _)| Asked::Hook(i));
        let answered = of(Moment::PreRollout).chain(of(Moment::Rollout));
        let asked: Vec<Asked> = answered.chain((0..questions.len()).map(Asked::Question)).collect();
        let name = |asked: &Asked| match asked {
            Asked::Hook(i) => hooks[*i].name.clone(),
            Asked::Question(i) => questions[*i].name.clone(),
        };
        let checks = Checks {
            asked: asked.iter().map(name).collect(),
            interval_ms,
            budget: Budget { consecutive: 0, total: threshold },
            errors: threshold,
            on_error: OnError::Fail,
            ..Checks::new(Vec::new())
        };
        let judged = !asked.is_empty();
        (asked, judged.then_some(checks))
    }
}

/// The check of a built-in metric for whoever has the counts themselves, with Flagger's numbers: the value of a round is
/// believed as it is ([`Method::Point`]), and a canary without requests fails the round, as with Flagger, where "no
/// values" does. `None` where the limits are none of this metric's.
fn counted(source: &Source, limits: Limits) -> Option<Check> {
    let metric = match (source, limits) {
        (Source::BuiltIn(BuiltIn::SuccessRate, _), Limits { min: Some(min), .. }) => {
            serin_analysis::Metric::SuccessRate { min: parts(min)? }
        }
        (Source::BuiltIn(BuiltIn::Duration(of), _), Limits { max: Some(max), .. }) => {
            serin_analysis::Metric::Latency { of: *of, max_ns: (max * 1e6).round() as u64 }
        }
        (Source::BuiltIn(..) | Source::Inline(_) | Source::Template(..), _) => return None,
    };
    Some(Check { method: Method::Point, min_samples: 1, no_data: NoData::Fail, metric })
}

/// Which figure of the durations is meant.
fn aggregate(metric: &Metric, found: &mut Found) -> Option<Latency> {
    match metric.variables.get(AGGREGATE).map(String::as_str) {
        None | Some("p99") => Some(Latency::P99),
        Some("p90") => Some(Latency::P90),
        Some("p50") => Some(Latency::P50),
        Some("mean") => Some(Latency::Mean),
        Some(other) => {
            let path = format!("{}.templateVariables.{AGGREGATE}", metric.path);
            let message = format!("there is no figure called `{}`", cut(other));
            found.add_unless_known(Problem::error(Rule::Value, path, message, "write mean, p50, p90 or p99"));
            None
        }
    }
}

/// A percentage as parts of a million, rounded up: a limit is never made laxer. `None` outside of 0 to 100.
fn parts(percent: f64) -> Option<Ppm> {
    let exact = percent * 1e4;
    // 99.95 is not exact in binary: what is this near to a whole number was meant as one.
    let parts = if (exact - exact.round()).abs() < 1e-6 { exact.round() } else { exact.ceil() };
    (0.0..=100.0).contains(&percent).then(|| Ppm::new(parts as u32)).flatten()
}

/// The limits of a metric. `thresholdRange` counts before the old `threshold`, which is the least of a success rate and
/// the most of everything else.
fn limits(metric: &Metric, named: Option<BuiltIn>, found: &mut Found) -> Option<Limits> {
    let rate = named == Some(BuiltIn::SuccessRate) && metric.template.is_none() && metric.query.is_none();
    let mut say = |problem: Problem| found.add_unless_known(problem);
    let path = |field: &str| format!("{}.{field}", metric.path);
    if metric.range.is_some() && metric.threshold.is_some() {
        let message = "`thresholdRange` counts, and `threshold` does not";
        say(Problem::warning(Rule::NoEffect, path("threshold"), message, "leave it out: it is the old form"));
    }
    let limits = match (metric.range, metric.threshold) {
        (Some(range), _) => Limits { min: range.min, max: range.max },
        (None, Some(threshold)) if rate => Limits { min: Some(threshold), max: None },
        (None, Some(threshold)) => Limits { min: None, max: Some(threshold) },
        (None, None) if named.is_some() => {
            let help = if rate { "write `thresholdRange: {min: 99}`" } else { "write `thresholdRange: {max: 500}`" };
            say(Problem::error(Rule::Missing, &metric.path, "nothing says which values are good", help));
            return None;
        }
        (None, None) => {
            let message = "no limit is written: only values up to 0 are good, as with Flagger";
            say(Problem::warning(Rule::Surprise, path("thresholdRange"), message, "write `thresholdRange`"));
            Limits { min: None, max: Some(0.0) }
        }
    };
    match limits {
        Limits { min: None, max: None } => {
            let help = "write `min`, `max` or both";
            say(Problem::warning(Rule::Surprise, path("thresholdRange"), "every value is good", help));
        }
        Limits { min: Some(min), max: Some(max) } if min > max => {
            let message = format!("no value is at least {min} and at most {max}");
            say(Problem::error(Rule::Contradiction, path("thresholdRange"), message, "exchange them"));
            return None;
        }
        Limits { min: Some(min), .. } if rate && !(0.0..=100.0).contains(&min) => {
            let message = format!("a success rate of {min} % is impossible");
            say(Problem::error(Rule::Value, path("thresholdRange.min"), message, "write a percentage, such as 99"));
            return None;
        }
        Limits { .. } => {}
    }
    Some(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_exact_or_stricter() {
        for hundredths in 0..=10_000_u32 {
            let percent: f64 = format!("{}.{:02}", hundredths / 100, hundredths % 100).parse().expect("a number");
            assert_eq!(parts(percent).map(Ppm::get), Some(hundredths * 100), "{percent}");
        }
        assert_eq!(parts(99.999_99).map(Ppm::get), Some(1_000_000), "what is finer is rounded up");
        assert_eq!((parts(100.1), parts(-0.1), parts(f64::NAN)), (None, None, None));
    }
}
