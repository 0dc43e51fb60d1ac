//! Rules about how a new version takes over and how it is judged.

use super::super::{
    file::{File, Metric, Replace, Step, Weights},
    problem::Problem,
    quantity::{Percent, Time},
    spec::{bounds, steps},
};

pub(super) fn strategy(file: &File, out: &mut Vec<Problem>) {
    let r = &file.release;
    let chosen =
        [r.weights.is_some(), r.blue_green.is_some(), r.canary_kept.is_some()].into_iter().filter(|c| *c).count();
    if chosen > 1 {
        out.push(
            Problem::error(
                "two-strategies",
                "release",
                "there is more than one of `weights`, `blue_green` and `canary_kept`",
            )
            .help("keep one"),
        );
    }
    if r.window.is_zero() && file.run.port.is_none() {
        out.push(Problem::warning("no-window", "release.window", "with `window: 0` the old version is stopped as soon as the new one has all traffic: there is no way back at once").help("`serin rollback` then has to start the old version first. The default is 60s"));
    }
    if let Some(kept) = &r.canary_kept
        && kept.replace == Replace::InPlaceAfter
        && file.replicas > 1
        && file.max_unavailable == 0
    {
        out.push(Problem::warning(
            "kept-surplus",
            "release.canary_kept",
            format!(
                "while the rest is replaced, {} instances run: the canary stands in for the one that is down",
                file.replicas + 1
            ),
        ));
    }
}

pub(super) fn weights(file: &File, out: &mut Vec<Problem>) {
    let Some(w) = &file.release.weights else { return };
    if let Some(list) = &w.steps {
        return listed(w, list, out);
    }
    let (start, step, max) = bounds(w);
    if step.bp() == 0 {
        out.push(
            Problem::error("flat-steps", "release.weights.step", "with `step: 0%` the weight never rises")
                .help("write for example `step: 10%`"),
        );
    } else if start.bp() == 0 {
        out.push(
            Problem::error(
                "zero-weight",
                "release.weights.start",
                "with `start: 0%` the first step sends the new version no traffic, so there is nothing to judge",
            )
            .help("write for example `start: 5%`"),
        );
    } else if start > max {
        out.push(
            Problem::error("flat-steps", "release.weights.start", format!("`start: {start}` is over `max: {max}`"))
                .help("the weight rises from `start` by `step` up to `max`"),
        );
    } else if steps(w).len() > 100 {
        out.push(
            Problem::error(
                "many-steps",
                "release.weights.step",
                format!("`step: {step}` makes {} steps, and 100 are the most", steps(w).len()),
            )
            .help("write a larger step"),
        );
    } else if max.bp() == 10_000 {
        out.push(
            Problem::warning(
                "full-step",
                "release.weights.max",
                "the last step is 100% already: nothing of the old version is left to compare with",
            )
            .help("the new version gets all traffic after the last step anyway: write for example `max: 50%`"),
        );
    }
}

/// Steps that are written one by one.
fn listed(w: &Weights, list: &[Step], out: &mut Vec<Problem>) {
    if w.start.is_some() || w.step.is_some() || w.max.is_some() {
        out.push(
            Problem::error(
                "two-plans",
                "release.weights.steps",
                "`steps` and `start`, `step`, `max` are two plans for the same thing",
            )
            .help("keep one of them"),
        );
    }
    if list.is_empty() {
        out.push(
            Problem::error("no-steps", "release.weights.steps", "the list of steps is empty")
                .help("write for example\n  steps:\n    - weight: 10%\n    - weight: 50%"),
        );
    }
    let mut before = Percent::default();
    for (i, step) in list.iter().enumerate() {
        let path = format!("release.weights.steps[{i}].weight");
        if step.weight.bp() == 0 {
            out.push(Problem::error("zero-weight", path, "a step of 0% sends the new version no traffic, so there is nothing to judge").help("begin with for example 5%; to look at it without traffic use its own address (`serin status` shows it)"));
        } else if step.weight <= before {
            out.push(
                Problem::error(
                    "flat-steps",
                    path,
                    format!("the weights must rise: {} does not come after {before}", step.weight),
                )
                .help("sort the steps by weight; to hold one longer give it a longer `bake`"),
            );
        }
        before = step.weight;
    }
}

pub(super) fn deadlines(file: &File, out: &mut Vec<Problem>) {
    let r = &file.release;
    if r.min_healthy >= r.healthy_deadline {
        out.push(Problem::error("deadlines", "release.min_healthy", format!("`min_healthy: {}` is not shorter than `healthy_deadline: {}`, so no instance could ever count as healthy in time", r.min_healthy, r.healthy_deadline)).help("min_healthy < healthy_deadline < progress_deadline; the defaults are 10s, 5m, 10m"));
    }
    if r.healthy_deadline >= r.progress_deadline {
        out.push(Problem::error("deadlines", "release.healthy_deadline", format!("`healthy_deadline: {}` is not shorter than `progress_deadline: {}`, so the release would fail before an instance has had its time", r.healthy_deadline, r.progress_deadline)).help("min_healthy < healthy_deadline < progress_deadline; the defaults are 10s, 5m, 10m"));
    }
    let soonest =
        file.health.interval.as_millis() * u64::from(file.health.rise.saturating_sub(1)) + r.min_healthy.as_millis();
    if r.min_healthy < r.healthy_deadline && soonest >= r.healthy_deadline.as_millis() {
        out.push(Problem::error("deadlines", "health.interval", format!("{} checks with {} between them and `min_healthy: {}` take longer than `healthy_deadline: {}`, so no instance could ever count as healthy in time", file.health.rise, file.health.interval, r.min_healthy, r.healthy_deadline)).help("check more often (`health.interval`), or write a longer `healthy_deadline`"));
    }
    if r.lease < Time::seconds(1) {
        out.push(
            Problem::error(
                "lease",
                "release.lease",
                format!("`lease: {}` is so short that the proxy would fall back between two decisions", r.lease),
            )
            .help("write at least 1s; the default is 15s"),
        );
    }
    if r.drain.is_zero() {
        out.push(
            Problem::warning(
                "no-drain",
                "release.drain",
                "with `drain: 0` requests that are still open are cut when an instance is stopped",
            )
            .help("the default is 30s"),
        );
    }
    if file.run.stop.timeout.is_zero() {
        out.push(
            Problem::warning(
                "no-stop-time",
                "run.stop.timeout",
                "with `timeout: 0` the program is killed without time to end",
            )
            .help("the default is 30s"),
        );
    }
    if file.run.restart.backoff > file.run.restart.max_backoff {
        out.push(Problem::error(
            "backoff",
            "run.restart.backoff",
            format!(
                "`backoff: {}` is longer than `max_backoff: {}`",
                file.run.restart.backoff, file.run.restart.max_backoff
            ),
        ));
    }
}

pub(super) fn analysis(file: &File, out: &mut Vec<Problem>) {
    let a = &file.analysis;
    if a.metrics.is_empty() {
        out.push(Problem::error("no-metrics", "analysis.metrics", "there is no metric, so every release would pass").help("leave `metrics` out (then the success rate must be 99% or more), or write\n  metrics:\n    - success_rate: {min: 99%}"));
    }
    for (i, m) in a.metrics.iter().enumerate() {
        let path = format!("analysis.metrics[{i}]");
        metric(path, m, out);
    }
    if a.failures.consecutive > a.failures.total {
        out.push(
            Problem::error(
                "budget",
                "analysis.failures.consecutive",
                format!(
                    "{} failures in a row can never be reached: after {} in total the release has ended",
                    a.failures.consecutive, a.failures.total
                ),
            )
            .help("write a `consecutive` that is not over `total`"),
        );
    }
    if a.interval < Time::parse("100ms").unwrap_or_default() {
        out.push(
            Problem::error(
                "interval",
                "analysis.interval",
                format!("`interval: {}` is too short to measure anything", a.interval),
            )
            .help("write at least 100ms; the default is 2s"),
        );
    }
    let bakes = file.release.weights.as_ref().map(steps).unwrap_or_default();
    if let Some(short) = bakes.iter().find(|s| s.bake < a.interval) {
        out.push(
            Problem::warning(
                "short-bake",
                "release.weights",
                format!(
                    "the step of {} is held for {}, less than one measurement ({})",
                    short.weight, short.bake, a.interval
                ),
            )
            .help("write a `bake` of several intervals, so that each step is judged"),
        );
    }
}

/// One entry of the list of metrics, whose key path is `path`.
fn metric(path: String, m: &Metric, out: &mut Vec<Problem>) {
    match (&m.success_rate, &m.latency) {
        (Some(_), Some(_)) => out.push(
            Problem::error("two-metrics", path, "one entry has both `success_rate` and `latency`")
                .help("write each as an entry of its own, with its own `-`"),
        ),
        (None, None) => out.push(
            Problem::error("no-metric", path, "this entry says neither `success_rate` nor `latency`")
                .help("write for example `- success_rate: {min: 99%}`"),
        ),
        (Some(s), None) if s.min.bp() == 0 => out.push(
            Problem::error(
                "no-limit",
                format!("{path}.success_rate.min"),
                "a success rate of 0% or more is always met",
            )
            .help("write for example `min: 99%`"),
        ),
        (Some(s), None) if s.min.bp() == 10_000 => out.push(
            Problem::warning(
                "strict",
                format!("{path}.success_rate.min"),
                "with `min: 100%` a single failed request fails the measurement",
            )
            .help("write for example 99.9%"),
        ),
        (None, Some(l)) if l.max.is_zero() => out.push(
            Problem::error("no-limit", format!("{path}.latency.max"), "no answer takes 0s, so this would always fail")
                .help("write for example `max: 500ms`"),
        ),
        (Some(_), None) | (None, Some(_)) => {}
    }
}
