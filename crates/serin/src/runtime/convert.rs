//! From the resolved spec to what the engine and the platform understand.
use crate::config::file::{NoData, OnAbort, Quantile, Replace, RestartPolicy, Signal};
use crate::config::quantity::Time;
use crate::config::spec::{HealthSpec, Probe, RunSpec, Strategy};
use crate::config::{RevisionContent, Spec};
use serin_analysis::{Budget, Check, Checks, Latency, Metric, Ppm};
use serin_engine::Order;
use serin_local::{Health, Runnable, Settings};
use serin_proxy::protocol;
use serin_rollout::{Accept, Plan, PlanError, Preset, Times, WeightStep};
use serin_supervisor::health;
use serin_supervisor::probe::Check as Asked;
use serin_supervisor::program::{Backoff, Log, Restart, Stop};
use std::path::PathBuf;

/// The plan of a release of `spec`.
pub(crate) fn plan(spec: &Spec) -> Result<Plan, PlanError> {
    let release = &spec.release;
    let checks = !spec.analysis.metrics.is_empty();
    let hold = |bake: Time, checks: bool, manual: bool| {
        let bake_ms = (!bake.is_zero()).then(|| bake.as_millis());
        Accept { bake_ms, checks, manual }
    };
    let preset = match &release.strategy {
        Strategy::Weights { steps } => Preset::Weights(
            steps
                .iter()
                .map(|step| WeightStep { weight: step.weight.bp(), accept: hold(step.bake, checks, step.approve) })
                .collect(),
        ),
        // Before the switch nobody but a tester sends requests: what fails counts, but nothing has to have passed.
        Strategy::BlueGreen { before, after } => Preset::BlueGreen {
            before: hold(before.bake, false, before.approve),
            after: hold(after.bake, checks, after.approve),
        },
        Strategy::CanaryKept { replace, bake } => Preset::CanaryKept {
            one_by_one: *replace == Replace::OneByOne,
            first: hold(*bake, checks, false),
            each: Accept::default(),
        },
        Strategy::InPlace => Preset::InPlace { after: Accept { checks, ..Accept::default() } },
    };
    let plan = Plan::compile(&preset, spec.replicas, spec.max_unavailable, spec.allow_downtime)?;
    Ok(Plan {
        window: plan.window && !release.window.is_zero(),
        on_abort: match release.on_abort {
            OnAbort::Retire => serin_rollout::OnAbort::Retire,
            OnAbort::Park => serin_rollout::OnAbort::Park,
        },
        times: Times {
            min_healthy_ms: release.min_healthy.as_millis(),
            healthy_ms: release.healthy_deadline.as_millis(),
            progress_ms: release.progress_deadline.as_millis(),
            drain_ms: release.drain.as_millis(),
            window_ms: release.window.as_millis(),
            lease_ms: release.lease.as_millis(),
        },
        ..plan
    })
}

/// How a release of `spec` is judged; `None` without metrics.
pub(crate) fn checks(spec: &Spec) -> Option<Checks> {
    let analysis = &spec.analysis;
    let metrics = analysis.metrics.iter().filter_map(|metric| {
        let what = match (&metric.success_rate, &metric.latency) {
            (Some(rate), _) => Metric::SuccessRate { min: Ppm::new(u32::from(rate.min.bp()) * 100)? },
            (None, Some(latency)) => Metric::Latency {
                of: match latency.quantile {
                    Quantile::P50 => Latency::P50,
                    Quantile::P90 => Latency::P90,
                    Quantile::P99 => Latency::P99,
                    Quantile::Mean => Latency::Mean,
                },
                max_ns: latency.max.as_millis().saturating_mul(1_000_000),
            },
            (None, None) => return None,
        };
        let no_data = match metric.no_data {
            NoData::Wait => serin_analysis::NoData::Wait,
            NoData::Fail => serin_analysis::NoData::Fail,
            NoData::Pass => serin_analysis::NoData::Pass,
        };
        Some(Check { min_samples: metric.min_samples, no_data, ..Check::new(what) })
    });
    let checks: Vec<Check> = metrics.collect();
    let budget = Budget { consecutive: analysis.failures.consecutive, total: analysis.failures.total };
    let interval_ms = analysis.interval.as_millis();
    (!checks.is_empty()).then(|| Checks { interval_ms, budget, ..Checks::new(checks) })
}

/// What the platform runs of a stored revision.
pub(crate) fn runnable(content: &serde_json::Value) -> Result<Runnable, String> {
    let content: RevisionContent = serde_json::from_value(content.clone()).map_err(|error| error.to_string())?;
    let RunSpec { command, env, cwd, user, group, port, config, stop, limits, restart, logs } = content.run;
    Ok(Runnable {
        argv: command,
        env,
        cwd: PathBuf::from(cwd),
        user,
        group,
        port,
        config,
        stop: Stop { signal: signal(stop.signal), timeout_ms: stop.timeout.as_millis() },
        limits: serin_supervisor::limits::Limits {
            memory_bytes: limits.memory.map(|size| size.get()),
            cpu_millis: limits.cpu.map(|cpu| cpu.millis()),
            pids: limits.pids,
            open_files: limits.files,
        },
        restart: match restart.policy {
            RestartPolicy::Always => Restart::Always,
            RestartPolicy::OnFailure => Restart::OnFailure,
            RestartPolicy::Never => Restart::Never,
        },
        backoff: Backoff {
            first_ms: restart.backoff.as_millis(),
            max_ms: restart.max_backoff.as_millis(),
            ..Backoff::default()
        },
        log: Log { max_bytes: logs.max_size.get(), files: u32::from(logs.keep) + 1 },
        health: health(content.health),
    })
}

fn signal(signal: Signal) -> i32 {
    use rustix::process::Signal as Named;
    match signal {
        Signal::Term => Named::TERM,
        Signal::Int => Named::INT,
        Signal::Quit => Named::QUIT,
        Signal::Hup => Named::HUP,
        Signal::Usr1 => Named::USR1,
        Signal::Usr2 => Named::USR2,
    }
    .as_raw()
}

fn health(spec: HealthSpec) -> Health {
    Health {
        check: match spec.probe {
            Probe::Http { path, host } => Asked::Http { path, host },
            Probe::Tcp => Asked::Tcp,
            Probe::Command(argv) => Asked::Command { argv },
        },
        settings: health::Settings {
            interval: spec.interval.get(),
            timeout: spec.timeout.get(),
            rise: u32::from(spec.rise),
            fall: u32::from(spec.fall),
        },
    }
}

/// What belongs to the service and not to a revision.
pub(crate) fn settings(spec: &Spec) -> Settings {
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(8) as u16;
    let (timeouts, hold) = (&spec.proxy.timeouts, &spec.proxy.hold);
    Settings {
        service: spec.service.clone(),
        listen: spec.listen,
        stable: spec.tracks.stable,
        canary: spec.tracks.canary,
        min_healthy_ms: spec.release.min_healthy.as_millis(),
        proxy: protocol::Settings {
            timeouts: protocol::Timeouts {
                idle_ms: timeouts.idle.as_millis(),
                head_ms: timeouts.head.as_millis(),
                connect_ms: timeouts.connect.as_millis(),
                response_ms: timeouts.response.as_millis(),
                body_ms: timeouts.body.as_millis(),
                ..protocol::Timeouts::default()
            },
            hold: protocol::Hold { max: hold.max as usize, ms: hold.timeout.as_millis() },
            drain_ms: spec.release.drain.as_millis(),
            ..protocol::Settings::default()
        },
        workers: spec.proxy.workers.unwrap_or(cores),
    }
}

/// Everything that the engine needs to release `spec`.
pub(crate) fn order(spec: &Spec, file_hash: Option<String>, force: bool) -> Result<Order, String> {
    let content = spec.revision();
    let value = |error: serde_json::Error| format!("the spec cannot be written down: {error}");
    Ok(Order {
        hash: content.hash(),
        content: serde_json::to_value(&content).map_err(value)?,
        plan: plan(spec).map_err(|error| error.to_string())?,
        checks: checks(spec),
        spec: serde_json::to_value(spec).map_err(value)?,
        file_hash,
        by: String::new(),
        changes: Vec::new(),
        force,
    })
}
