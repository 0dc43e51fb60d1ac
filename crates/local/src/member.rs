//! One instance of a slot, as the keeper looks after it.
use crate::config::Runnable;
use crate::layout::Layout;
use serde::{Deserialize, Serialize};
use serin_engine::InstanceSeen;
use serin_rollout::{Rev, Slot};
use serin_supervisor::health::{Health, Readiness};
use serin_supervisor::limits::{Cgroups, Limits};
use serin_supervisor::monitor::{self, Watched};
use serin_supervisor::program::Program;
use serin_supervisor::reserve::{self, Choice};
use serin_supervisor::template;
use serin_supervisor::{Found, Instance, Phase, State, limits};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What is written into an instance's directory before anything is started there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Badge {
    /// Its slot.
    pub slot: Slot,
    /// Its revision.
    pub rev: Rev,
    /// Its turn: a later one is younger.
    pub turn: u64,
    /// Its revision's full hash.
    pub hash: String,
    /// Its revision whole, as it was stored: from the badges alone it is known again what a slot was told to have.
    pub content: serde_json::Value,
    /// What it runs.
    pub runnable: Runnable,
}

const BADGE: &str = "badge.json";

/// A living instance.
#[derive(Debug)]
pub(crate) struct Member {
    pub instance: Instance,
    pub badge: Badge,
    pub address: SocketAddr,
    health: watch::Receiver<Health>,
    state: Option<State>,
    /// Requests and tunnels that are open on it, as the proxy counts them.
    pub open: u64,
    /// Since when no split that some worker of the proxy may go by has reached it, as far as this controller knows.
    pub unrouted: Option<Instant>,
    /// It was told to stop.
    pub stopping: bool,
    /// It ran before this controller did, and until then at most nothing is known of its readiness.
    learning: Option<Instant>,
}

impl Member {
    /// Finds the badge of a living instance that somebody else started, and begins to look after it. Until it has been
    /// checked often enough, it is neither ready nor unready.
    pub fn adopt(instance: Instance) -> Result<Member, String> {
        let mut member = Member::begin(instance)?;
        let settings = member.badge.runnable.health.settings;
        let checks = settings.rise.max(settings.fall).max(1);
        member.learning = Some(Instant::now() + (settings.interval + settings.timeout) * checks);
        Ok(member)
    }

    /// Begins to look after an instance that has just been started.
    pub fn begin(instance: Instance) -> Result<Member, String> {
        let badge = read_badge(instance.dir())?;
        let port = match badge.runnable.port {
            Some(port) => port,
            None => reserve::reserved(instance.dir())
                .map_err(|error| error.to_string())?
                .ok_or_else(|| format!("{} has no port", instance.dir().display()))?,
        };
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let health = &badge.runnable.health;
        let (check, settings) = (health.check.clone(), health.settings);
        let health = monitor::spawn(Watched { instance: instance.clone(), address: Some(address), check, settings });
        let stopping = is_stopping(instance.dir());
        Ok(Member { instance, badge, address, health, state: None, open: 0, unrouted: None, stopping, learning: None })
    }

    /// Looks at what its shim says.
    pub fn look(&mut self) {
        self.state = self.instance.state().ok().flatten();
        if self.stopping || self.health.borrow().is_settled() {
            self.learning = None;
        }
    }

    /// Whether it is known if it is ready.
    pub fn is_known(&self) -> bool {
        self.learning.is_none_or(|until| until <= Instant::now())
    }

    pub fn id(&self) -> String {
        self.instance.id()
    }

    /// Its checks pass, and its program runs at this moment.
    pub fn is_ready(&self) -> bool {
        let health = self.health.borrow();
        let runs = self.state.as_ref().is_some_and(|state| state.program().is_some());
        runs && !self.stopping && health.readiness().is_ready()
    }

    /// It has been ready without a break for at least `least`.
    pub fn is_healthy(&self, least: Duration) -> bool {
        let whole = self.health.borrow().healthy_for(Instant::now());
        self.is_ready() && whole.is_some_and(|whole| whole >= least)
    }

    /// Tells it to stop, in its revision's way.
    pub fn stop(&mut self) -> Result<(), String> {
        let stop = self.badge.runnable.stop;
        let timeout = Duration::from_millis(stop.timeout_ms);
        self.instance.stop(stop.signal, timeout).map_err(|error| error.to_string())?;
        self.stopping = true;
        Ok(())
    }

    /// For people.
    pub fn seen(&self, least: Duration) -> InstanceSeen {
        let health = self.health.borrow().readiness().clone();
        let state = self.state.as_ref();
        let (word, error) = match (state.map(|state| &state.phase), &health) {
            (Some(Phase::Stopping { .. } | Phase::Ended), _) => ("stopping", None),
            (Some(Phase::BackingOff { .. }), _) => ("crashed", state.and_then(|state| state.error.clone())),
            (_, Readiness::Ready { .. }) => ("ready", None),
            (_, Readiness::Starting { why, .. }) => ("starting", why.clone()),
            (_, Readiness::Unready { why, .. }) => ("unready", Some(why.clone())),
        };
        InstanceSeen {
            id: self.id(),
            slot: self.badge.slot,
            state: if self.stopping { "stopping".to_owned() } else { word.to_owned() },
            healthy: self.is_healthy(least),
            pid: state.and_then(State::program).and_then(|program| u32::try_from(program.pid).ok()),
            address: Some(self.address.to_string()),
            since_ms: state.map_or(0, |state| state.since_ms),
            restarts: state.map_or(0, |state| state.restarts),
            last_exit: state.and_then(|state| state.last_exit.as_ref()).map(ToString::to_string),
            error,
            open: self.open,
        }
    }
}

/// Whether the instance in `dir` was told to stop.
pub(crate) fn is_stopping(dir: &Path) -> bool {
    dir.join("stop.json").exists()
}

/// Reads the badge in an instance's directory.
pub(crate) fn read_badge(dir: &Path) -> Result<Badge, String> {
    let path = dir.join(BADGE);
    let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{} cannot be understood: {error}", path.display()))
}

/// Only its owner may read it: a revision's variables may be secrets.
fn write_badge(path: &Path, text: &[u8]) -> Result<(), String> {
    let mut options = std::fs::OpenOptions::new();
    let file = options.create(true).write(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text)).map_err(|error| format!("{}: {error}", path.display()))
}

/// Starts an instance. Its directory, port, config files and badge are there before its shim is.
pub(crate) fn create(layout: &Layout, badge: &Badge, service: &str, cgroups: &Cgroups) -> Result<Instance, String> {
    let instances = layout.instances();
    let id = format!("{service}-{}-{}", badge.rev.0, badge.turn);
    let dir = instances.join(&id);
    let what = &badge.runnable;
    let choice = what.port.map_or(Choice::Kernel, Choice::Fixed);
    std::fs::create_dir_all(&instances).map_err(|error| format!("{}: {error}", instances.display()))?;
    let port = reserve::port(&instances, &dir, &choice).map_err(|error| error.to_string())?;
    let text = serde_json::to_vec_pretty(badge).map_err(|error| error.to_string())?;
    write_badge(&dir.join(BADGE), &text)?;
    let program = template::render(program(what, &id, cgroups)?, &what.config, &dir, Some(port))
        .map_err(|error| error.to_string())?;
    Instance::create(&dir, &program).map_err(|error| error.to_string())
}

/// Whether this machine can hold these limits.
pub(crate) fn holds(wanted: &Limits, cgroups: &Cgroups) -> Result<(), String> {
    limits::resolve(wanted, "any", cgroups).map(drop).map_err(|error| error.to_string())
}

fn program(what: &Runnable, id: &str, cgroups: &Cgroups) -> Result<Program, String> {
    Ok(Program {
        env: what.env.clone(),
        cwd: Some(what.cwd.clone()),
        user: what.user.clone(),
        group: what.group.clone(),
        restart: what.restart,
        backoff: what.backoff,
        stop: what.stop,
        log: what.log,
        limits: limits::resolve(&what.limits, id, cgroups).map_err(|error| error.to_string())?,
        ..Program::new(what.argv.clone())
    })
}

/// What is left of an instance that is gone: its output is kept, for whoever asks why.
pub(crate) fn bury(layout: &Layout, found: &Found) -> Result<(), String> {
    const KEPT: usize = 10;
    let dir = found.dir();
    let ended = layout.ended();
    if let Some(name) = dir.file_name()
        && dir.join("log").exists()
    {
        let grave = ended.join(name);
        // The logs of the dead are a comfort, not a promise: whatever fails here must not keep the rest from going on.
        let kept = std::fs::create_dir_all(&grave).and_then(|()| std::fs::rename(dir.join("log"), grave.join("log")));
        drop(kept.and_then(|()| forget_oldest(&ended, KEPT)));
    }
    serin_supervisor::instance::remove_dir(dir).map_err(|error| error.to_string())
}

fn forget_oldest(ended: &Path, kept: usize) -> std::io::Result<()> {
    let mut graves: Vec<_> = std::fs::read_dir(ended)?
        .filter_map(|entry| entry.ok())
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    graves.sort();
    let surplus = graves.len().saturating_sub(kept);
    graves.iter().take(surplus).try_for_each(|(_, path)| std::fs::remove_dir_all(path))
}
