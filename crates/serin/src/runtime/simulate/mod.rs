//! `serin simulate`: a release of the file in the simulated world, on a virtual clock. Nothing is started.
mod beside;
mod timeline;

use self::beside::Beside;
use super::meter::{Meter, Progress};
use super::{convert, events, fail};
use crate::cli::{exit, exit_of, length, simulate::Job};
use crate::config::Spec;
use crate::config::spec::Probe;
use serin_api::Ending;
use serin_rollout::{Event, Plan, PlanError};
use serin_sim::play::{End, MOST_REPLICAS, Played, Script, What, play};
use serin_sim::subject::Subject;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Plays the release and tells it.
pub(super) fn run(job: Job) -> ExitCode {
    match rehearse(&job, Subject::SOUND, Meter::new(&job.terminal)) {
        Ok(played) => {
            let code = exit_code(&played);
            job.terminal.conclude(&timeline::told(&job, &played, code), code)
        }
        Err(error) => fail(exit::REFUSED, error, ""),
    }
}

/// Plays the release with these keys.
fn rehearse(job: &Job, subject: Subject, meter: Meter) -> Result<Played, PlanError> {
    let spec = Spec { replicas: job.loaded.spec.replicas.min(MOST_REPLICAS), ..job.loaded.spec.clone() };
    let plan: Plan = convert::plan(&Spec { max_unavailable: spec.max_unavailable.min(spec.replicas), ..spec.clone() })?;
    let script = Script {
        seed: job.seed,
        rate: job.rate,
        strikes: job.strikes.clone(),
        approve_after_ms: job.approve_after.as_millis(),
        checks_ms: checks_ms(&spec),
        hold_max: u64::from(spec.proxy.hold.max),
        hold_ms: spec.proxy.hold.timeout.as_millis(),
        response_ms: spec.proxy.timeouts.response.as_millis(),
    };
    let clock = AtomicU64::default();
    let progress = |took: Duration| {
        let text = format!("{} of the release played, {}s", length(clock.load(Relaxed)), took.as_secs());
        Progress { part: None, text }
    };
    Ok(meter.watch(|| play(subject, plan, &script, &mut Beside::new(&spec), &clock), progress))
}

/// So long must checks pass before an instance is ready. The first of them comes at once.
fn checks_ms(spec: &Spec) -> u64 {
    let health = &spec.health;
    let asks = match health.probe {
        Probe::Http { .. } | Probe::Tcp => 0,
        Probe::Command(_) => 50, // a program has to start
    };
    health.interval.as_millis() * u64::from(health.rise.saturating_sub(1)) + asks
}

/// How people call the end; `None` where it stands still, or a rule is broken.
fn ending(end: &End) -> Option<Ending> {
    match end {
        End::Over(outcome, why) => Some(events::ending(*outcome, *why)),
        End::Still { halted: true, .. } => Some(Ending::Halted),
        End::Still { halted: false, .. } | End::Unfinished { .. } | End::Broken(_) => None,
    }
}

fn exit_code(played: &Played) -> u8 {
    match (&played.end, ending(&played.end)) {
        (End::Broken(_), _) => exit::BROKEN,
        (_, Some(ending)) => exit_of(ending),
        (_, None) => exit::OTHERWISE,
    }
}

/// Why it went back, as the history has it.
fn reason(played: &Played) -> Option<&str> {
    played.lines.iter().rev().find_map(|line| match &line.what {
        What::Event(Event::GoingBack(_) | Event::Halted(_) | Event::CopyFailed(_), text) => Some(text.as_str()),
        What::Event(..)
        | What::Judged(_)
        | What::Waits(..)
        | What::Struck(_)
        | What::Lost(_)
        | What::Ready(_)
        | What::Back
        | What::Saves
        | What::FellBack
        | What::Renewed
        | What::Approved
        | What::Refused(_)
        | What::Dark
        | What::Lit(_) => None,
    })
}

#[cfg(test)]
mod tests;
