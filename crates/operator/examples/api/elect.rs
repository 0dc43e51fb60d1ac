//! Candidates for one Lease, each a process of its own that writes down every moment in which it holds.

use super::control::fault;
use super::{PATIENCE, Stage, Wrong, fact, must, reach};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use serin_engine::{Clock, SystemClock};
use serin_operator::lease::{Candidate, Timing};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

/// Shorter than in production, in the same proportions, so that a change of holders does not take long.
const TIMING: Timing = Timing {
    duration: Duration::from_secs(5),
    renew_deadline: Duration::from_secs(3),
    retry: Duration::from_millis(600),
};

/// One moment in which somebody held it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    at_ms: u64,
    epoch: u64,
    who: String,
}

struct Runner {
    who: String,
    child: Child,
    log: PathBuf,
}

impl Drop for Runner {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Runner {
    fn start(stage: &Stage, who: &str) -> Result<Runner, Wrong> {
        let program = std::env::current_exe().map_err(|e| e.to_string())?;
        let log = stage.kubeconfig(&format!("{who}.log"));
        let mut command = Command::new(program);
        command.arg("candidate").arg(&stage.namespace).arg(stage.kubeconfig("proxied")).arg(&log).stdin(Stdio::null());
        let child = command.spawn().map_err(|e| e.to_string())?;
        Ok(Runner { who: who.to_owned(), child, log })
    }

    fn moments(&self) -> Vec<Moment> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let moment = |line: &str| {
            let (at, epoch) = line.split_once(' ')?;
            Some(Moment { at_ms: at.parse().ok()?, epoch: epoch.parse().ok()?, who: self.who.clone() })
        };
        text.lines().filter_map(moment).collect()
    }

    fn tell(&self, signal: Signal) -> Result<(), Wrong> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).map_err(|e| format!("{}: {e}", self.who))
    }

    /// Waits until it holds with a greater epoch than this.
    async fn holds(&self, more_than: u64) -> Result<Moment, Wrong> {
        let begin = Instant::now();
        loop {
            if let Some(moment) = self.moments().into_iter().rfind(|moment| moment.epoch > more_than) {
                return Ok(moment);
            }
            must(begin.elapsed() < PATIENCE, || format!("{} does not come to hold the Lease", self.who))?;
            sleep(Duration::from_millis(20)).await;
        }
    }
}

pub async fn show(stage: &Stage) -> Result<(), Wrong> {
    let mut one = Runner::start(stage, "one")?;
    let first = one.holds(0).await?;
    let two = Runner::start(stage, "two")?;
    // A renewal of which nobody knows whether it was done, and one that was not.
    for what in ["error_after", "drop_before"] {
        fault(stage, &json!({"verb": "patch", "resource": "leases", "do": what})).await?;
        sleep(TIMING.retry * 3).await;
    }
    one.tell(Signal::KILL)?;
    one.child.wait().map_err(|e| e.to_string())?;
    let killed = now();
    let second = two.holds(first.epoch).await?;
    let after_kill = two.moments().into_iter().find(|m| m.epoch == second.epoch).map_or(0, |m| m.at_ms - killed);
    fact("after_kill_ms", after_kill);
    // A holder that is stopped in the middle of everything, and goes on when another one holds.
    let three = Runner::start(stage, "three")?;
    sleep(TIMING.retry * 2).await;
    two.tell(Signal::STOP)?;
    let third = three.holds(second.epoch).await?;
    two.tell(Signal::CONT)?;
    sleep(TIMING.duration).await;
    // A holder that ends as it should.
    let mut three = three;
    let told = now();
    three.tell(Signal::TERM)?;
    let fourth = two.holds(third.epoch).await?;
    let taken = two.moments().into_iter().find(|m| m.epoch == fourth.epoch).map_or(0, |m| m.at_ms);
    fact("after_release_ms", taken.saturating_sub(told));
    let status = three.child.wait().map_err(|e| e.to_string())?;
    must(status.success(), || format!("the candidate that was told to end ended with {status}"))?;
    judge(&[&one, &two, &three])
}

/// In the order of time nobody holds between two moments of one epoch, and epochs only grow.
fn judge(runners: &[&Runner]) -> Result<(), Wrong> {
    let mut all: Vec<Moment> = runners.iter().flat_map(|runner| runner.moments()).collect();
    all.sort();
    let mut owners: BTreeMap<u64, String> = BTreeMap::new();
    for pair in all.windows(2) {
        let [a, b] = pair else { continue };
        must(b.epoch >= a.epoch, || format!("an older holder comes after a newer one: {a:?} {b:?}"))?;
        must(a.at_ms != b.at_ms || a.who == b.who, || format!("two hold at one moment: {a:?} {b:?}"))?;
    }
    for moment in &all {
        let owner = owners.entry(moment.epoch).or_insert_with(|| moment.who.clone());
        must(*owner == moment.who, || format!("two have one epoch: {owner} and {moment:?}"))?;
    }
    fact("holders", owners.len());
    fact("moments", all.len());
    must(owners.len() >= 3, || format!("the Lease should have had three holders at least: {owners:?}"))
}

/// One candidate, until it is told to end.
pub async fn candidate(namespace: &str, kubeconfig: &str, log: &str) -> Result<(), Wrong> {
    let mut end = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let (api, _) = reach(Path::new(kubeconfig)).await?;
    let mut log = std::fs::File::create(log).map_err(|e| format!("{log}: {e}"))?;
    let elected = Candidate::new(namespace, "elected", "candidate", TIMING)?.start(&api);
    let leadership = elected.leadership();
    loop {
        let epoch = {
            let at = now();
            leadership.borrow().epoch(at).map(|epoch| (at, epoch))
        };
        if let Some((at, epoch)) = epoch {
            log.write_all(format!("{at} {epoch}\n").as_bytes()).map_err(|e| e.to_string())?;
        }
        must(elected.is_alive(), || "the loop of the Lease ended".to_owned())?;
        tokio::select! {
            _ = end.recv() => break,
            () = sleep(Duration::from_millis(5)) => {}
        }
    }
    elected.release().await.map_err(|e| e.to_string())
}

fn now() -> u64 {
    SystemClock.boot_ms()
}
