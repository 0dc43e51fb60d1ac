//! Every configuration, searched whole.
use crate::bfs;
use crate::configs::{self, Config, Search};
use crate::coverage::Coverage;
use crate::lite;
use crate::quiet::Mode;
use crate::story;
use crate::subject::Subject;
use crate::world::World;
use std::time::Instant;

/// What to check.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The big worlds too.
    pub long: bool,
    /// Only configurations whose name contains this.
    pub only: Option<String>,
}

/// One configuration's result.
#[derive(Clone, Debug)]
pub struct ConfigReport {
    /// Its name.
    pub name: String,
    /// States reached.
    pub states: usize,
    /// Steps taken.
    pub edges: u64,
    /// The length of the longest shortest way.
    pub depth: u32,
    /// How often a rule was broken: 0 or 1, because a search ends there.
    pub violations: usize,
    /// Whether every quiet run kept its promise.
    pub live: bool,
    /// Whether the number of states is the pinned one, or none is pinned.
    pub complete: bool,
    /// Wall time in seconds.
    pub secs: f64,
    /// The story of what went wrong; empty where nothing did.
    pub story: String,
}

impl ConfigReport {
    /// Whether all is well.
    pub fn is_sound(&self) -> bool {
        self.violations == 0 && self.live && self.complete
    }
}

/// All results.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// One for each configuration.
    pub configs: Vec<ConfigReport>,
    /// What was reached in any of them.
    pub coverage: Coverage,
}

impl CheckReport {
    /// Whether all is well.
    pub fn is_sound(&self) -> bool {
        !self.configs.is_empty() && self.configs.iter().all(ConfigReport::is_sound)
    }

    /// States of all configurations.
    pub fn states(&self) -> usize {
        self.configs.iter().map(|config| config.states).sum()
    }
}

/// More than any exact configuration has.
const CAP: usize = 60_000_000;
/// Every how-manieth state of a compacted search is run to its quiet end.
const SAMPLE: usize = 64;

/// Searches every configuration; `progress` hears of each result.
pub fn check(options: &Options, mut progress: impl FnMut(&ConfigReport)) -> CheckReport {
    let list = if options.long { configs::long() } else { configs::quick() };
    let mut report = CheckReport::default();
    let chosen = |config: &&Config| options.only.as_ref().is_none_or(|name| config.name.contains(name.as_str()));
    for config in list.iter().filter(chosen) {
        let (result, coverage) = check_one(config, Subject::SOUND, CAP);
        progress(&result);
        report.coverage.join(&coverage);
        report.configs.push(result);
    }
    report
}

/// One configuration, and what it reached.
pub fn check_one(config: &Config, subject: Subject, cap: usize) -> (ConfigReport, Coverage) {
    let began = Instant::now();
    let world = config.world(subject);
    let modes: &[Mode] = if config.env.anybody || config.env.drift { &[] } else { &Mode::ALL };
    let mut report = match config.search {
        Search::Exact => exact(config, &world, cap, modes),
        Search::Compact(log2) => compact(config, &world, log2, modes),
    };
    report.complete &= config.pinned().is_none_or(|states| states == report.states);
    if !report.complete && report.story.is_empty() {
        let pinned = config.pinned().unwrap_or(0);
        report.story = format!("      {} states, and {pinned} are pinned in configs.rs\n", report.states);
    }
    report.secs = began.elapsed().as_secs_f64();
    let coverage = world.reached.borrow().clone();
    (report, coverage)
}

fn exact(config: &Config, world: &World, cap: usize, modes: &[Mode]) -> ConfigReport {
    let found = bfs::search(world, config.start(world), cap, modes);
    let mut story = String::new();
    if let Some(id) = found.broken {
        story = story::tell(world, &found.graph.way(id));
    }
    if let Some(stuck) = &found.stuck {
        story = story::tell(world, &found.graph.way(stuck.start));
        story += &story::tell_quiet(world, stuck.mode, stuck.order, found.graph.list[stuck.start as usize]);
    }
    ConfigReport {
        name: config.name.clone(),
        states: found.graph.list.len(),
        edges: found.edges,
        depth: found.depth,
        violations: usize::from(found.broken.is_some()),
        live: found.stuck.is_none(),
        complete: !found.cut,
        secs: 0.0,
        story,
    }
}

fn compact(config: &Config, world: &World, log2: u32, modes: &[Mode]) -> ConfigReport {
    let found = lite::search(world, config.start(world), log2, SAMPLE, modes);
    let mut story = String::new();
    if let Some(state) = found.broken {
        story = story::tell(world, &[(None, state)]);
    }
    if let Some((state, mode, order)) = found.stuck {
        story = story::tell(world, &[(None, state)]) + &story::tell_quiet(world, mode, order, state);
    }
    ConfigReport {
        name: config.name.clone(),
        states: found.states,
        edges: found.edges,
        depth: found.depth,
        violations: usize::from(found.broken.is_some()),
        live: found.stuck.is_none(),
        complete: !found.cut,
        secs: 0.0,
        story,
    }
}
