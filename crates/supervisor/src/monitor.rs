//! Watches one instance: checks it again and again and tells its health.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::health::{Health, Outcome, Readiness, Settings};
use crate::instance::Instance;
use crate::probe::{Check, probe};
use crate::process::ProcessId;

/// While an instance is starting it is looked at so often, if its interval is longer: a deployment waits for it.
const STARTING: Duration = Duration::from_millis(200);

/// What is watched.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The instance.
    pub instance: Instance,
    /// Where it serves; absent for one without a port.
    pub address: Option<SocketAddr>,
    /// What is asked of it.
    pub check: Check,
    /// How often, and how it is counted.
    pub settings: Settings,
}

/// Checks until nobody listens any more. Every check is told, so that a receiver can tell news from silence.
///
/// A restart is noticed by the program's process being another one, even if no check fell into the gap.
pub async fn watch(watched: Watched, tell: watch::Sender<Health>) {
    let Watched { instance, address, check, settings } = watched;
    let mut health = Health::new(settings, Instant::now());
    let mut before: Option<ProcessId> = None;
    loop {
        let outcome = probe(&instance, address, &check, settings.timeout).await;
        // Read after the check: a program that was started again meanwhile did not pass it.
        let program = instance.state().ok().flatten().and_then(|state| state.program());
        let now = Instant::now();
        if let (Some(before), Some(program)) = (before, program)
            && before != program
        {
            health.restarted(now);
        } else {
            health.observe(now, outcome.clone());
        }
        before = program.or(before);
        if tell.send(health.clone()).is_err() {
            return;
        }
        let waiting = matches!((health.readiness(), &outcome), (Readiness::Starting { .. }, Outcome::Fail(_)));
        let pause = if waiting { settings.interval.min(STARTING) } else { settings.interval };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = tell.closed() => return,
        }
    }
}

/// Starts [`watch`] as a task of the current runtime; it ends when the receiver, and all its clones, are dropped.
pub fn spawn(watched: Watched) -> watch::Receiver<Health> {
    let (tell, told) = watch::channel(Health::new(watched.settings, Instant::now()));
    tokio::spawn(watch(watched, tell));
    told
}
