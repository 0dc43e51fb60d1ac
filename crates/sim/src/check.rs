//! Every configuration, searched whole, on all cores.
use crate::admission;
use crate::bfs;
use crate::configs::{self, Config, Search};
use crate::coverage::Coverage;
use crate::lite;
use crate::pins::{self, Pin};
use crate::progress::{Meter, Screen, Watched};
use crate::quiet::Mode;
use crate::story;
use crate::subject::Subject;
use crate::world::World;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Which keys are in a world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum System {
    /// The first key asks, the second allows.
    Both,
    /// Any writer sends any write at any time, and the second key alone holds it.
    AnyWriter,
    /// What the first key decides is carried out unasked.
    FirstKey,
}

impl System {
    /// The system of a configuration.
    pub const fn of(config: &Config) -> System {
        match (config.env.anybody, config.alone) {
            (true, _) => System::AnyWriter,
            (false, true) => System::FirstKey,
            (false, false) => System::Both,
        }
    }
}

/// What to check.
#[derive(Clone, Debug)]
pub struct Options {
    /// The big worlds too.
    pub long: bool,
    /// Only configurations whose name contains this.
    pub only: Option<String>,
    /// Only this system.
    pub system: Option<System>,
    /// Searches at once.
    pub threads: usize,
    /// What they may need together, in bytes.
    pub memory: u64,
    /// The pins are about to be written anew: none is missed and none is wrong.
    pub unpinned: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            long: false,
            only: None,
            system: None,
            threads: admission::cores(),
            memory: admission::budget(),
            unpinned: false,
        }
    }
}

/// One configuration's result.
#[derive(Clone, Debug)]
pub struct ConfigReport {
    /// Its name.
    pub name: String,
    /// Its keys.
    pub system: System,
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
    /// Whether the numbers of states and steps are the pinned ones.
    pub complete: bool,
    /// Of a compacted search: the states from which quiet runs were taken. An exact one takes them from all.
    pub sampled: Option<usize>,
    /// The chance that some state was taken for another one; 0 where states are kept whole.
    pub omission: f64,
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
    /// One for each configuration, in the order of the list.
    pub configs: Vec<ConfigReport>,
    /// What was reached in any of them.
    pub coverage: Coverage,
    /// Pins without a configuration.
    pub orphans: Vec<String>,
}

impl CheckReport {
    /// Whether all is well.
    pub fn is_sound(&self) -> bool {
        !self.configs.is_empty() && self.orphans.is_empty() && self.configs.iter().all(ConfigReport::is_sound)
    }

    /// States of all configurations.
    pub fn states(&self) -> usize {
        self.configs.iter().map(|config| config.states).sum()
    }

    /// States of the configurations with these keys.
    pub fn states_of(&self, system: System) -> usize {
        self.configs.iter().filter(|config| config.system == system).map(|config| config.states).sum()
    }

    /// The chance that any of the searches took a state for another one: at most the sum of theirs.
    pub fn omission(&self) -> f64 {
        self.configs.iter().fold(0.0, |all, config| all + config.omission) // the sum of nothing would be -0
    }

    /// The pins that these results give.
    pub fn pins(&self) -> Vec<Pin> {
        let sound = self.configs.iter().filter(|config| config.is_sound());
        sound.map(|config| Pin { name: config.name.clone(), states: config.states, edges: config.edges }).collect()
    }
}

/// More states than any exact configuration has.
pub const CAP: usize = 100_000_000;
/// Every how-manieth state of a compacted search is run to its quiet end.
const SAMPLE: usize = 64;
/// What a world remembers of its rounds needs at most this much beside the states.
const WORLD: u64 = 512 << 20;

/// What the search of a configuration needs at its peak, in bytes; where that is not known, half of what there is, which is
/// as much as it gets then.
fn needs(config: &Config, options: &Options) -> u64 {
    let (states, memory) = (known(config, options), options.memory);
    let world = |bytes: u64| bytes + WORLD.min(states.map_or(WORLD, |states| states as u64 * 400));
    match (config.search, states) {
        (Search::Exact, Some(states)) => world(bfs::bytes(states)),
        (Search::Exact, None) => memory / 2,
        (Search::Compact(log2), _) => world(lite::bytes(table(log2, states), states)),
    }
}

/// How many states there are. Where sizes are written anew, the old one says nothing.
fn known(config: &Config, options: &Options) -> Option<usize> {
    config.pinned().filter(|_| !options.unpinned)
}

/// The most states of an exact search: of one whose size is not known, what fits into half of the memory.
fn cap(config: &Config, options: &Options) -> usize {
    let half = usize::try_from(options.memory.saturating_sub(2 * WORLD) / 2).unwrap_or(usize::MAX);
    let fits = (1..=40u32).rev().map(|log2| 1usize << log2).find(|states| bfs::bytes(*states) <= half as u64);
    if known(config, options).is_some() { CAP } else { CAP.min(fits.unwrap_or(1)) }
}

/// The size of a compacted search's table: no larger than a known number of states needs.
fn table(log2: u32, states: Option<usize>) -> u32 {
    states.map_or(log2, lite::log2_for)
}

/// The configurations that were asked for.
pub fn chosen(options: &Options) -> Vec<Config> {
    let list = if options.long { configs::long() } else { configs::quick() };
    let named = |config: &Config| options.only.as_ref().is_none_or(|name| config.name.contains(name.as_str()));
    let of = |config: &Config| options.system.is_none_or(|system| system == System::of(config));
    list.into_iter().filter(|config| named(config) && of(config)).collect()
}

/// The names of all configurations, in the order of the list.
pub fn names() -> Vec<String> {
    configs::long().into_iter().map(|config| config.name).collect()
}

/// One search that runs now.
struct Running<'c> {
    config: &'c Config,
    began: Instant,
    meter: std::sync::Arc<Meter>,
}

type Done = (usize, ConfigReport, Coverage);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Searches every configuration, the biggest first, and tells each result on `screen`.
pub fn check(options: &Options, screen: &Screen) -> CheckReport {
    let list = chosen(options);
    let mut order: Vec<(usize, u64)> = list.iter().enumerate().map(|(i, config)| (i, needs(config, options))).collect();
    order.sort_by_key(|(i, _)| (std::cmp::Reverse(list[*i].pinned().unwrap_or(usize::MAX)), *i));
    let (running, done) = (Mutex::new(Vec::<Running>::new()), Mutex::new(Vec::<Done>::new()));
    std::thread::scope(|scope| {
        let watched = Watched(screen);
        scope.spawn(|| screen.watch(|_| progress(&lock(&running), lock(&done).len(), list.len())));
        admission::run(order, options.threads, options.memory, |i| {
            let config = &list[i];
            let meter = std::sync::Arc::new(Meter::default());
            lock(&running).push(Running { config, began: Instant::now(), meter: meter.clone() });
            let (report, coverage) = one(config, Subject::SOUND, cap(config, options), options, &meter);
            lock(&running).retain(|other| other.config.name != config.name);
            screen.say(&tell(&report));
            lock(&done).push((i, report, coverage));
        });
        drop(watched);
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(i, ..)| *i);
    let orphans = if options.unpinned { vec![] } else { pins::orphans(&names()) };
    let mut report = CheckReport { orphans, ..CheckReport::default() };
    for (_, result, coverage) in done {
        report.coverage.join(&coverage);
        report.configs.push(result);
    }
    report
}

fn progress(running: &[Running], done: usize, of: usize) -> String {
    let mut text = format!("{done} of {of} done");
    for Running { config, began, meter } in running {
        text += &format!(" | {}: {}", config.name, meter.words(config.pinned(), began.elapsed()));
    }
    text
}

/// One result in a line, and its story.
pub fn tell(config: &ConfigReport) -> String {
    let verdict = if config.is_sound() { "sound" } else { "NOT SOUND" };
    let sampled = config.sampled.map_or_else(String::new, |sampled| {
        format!(" (quiet runs from {sampled} states, omission={:.1e})", config.omission)
    });
    format!(
        "{:<28} states={:<9} edges={:<10} depth={:<4} {:>6.1}s {verdict}{sampled}\n{}",
        config.name, config.states, config.edges, config.depth, config.secs, config.story
    )
}

/// One configuration, and what it reached.
pub fn check_one(config: &Config, subject: Subject, cap: usize) -> (ConfigReport, Coverage) {
    one(config, subject, cap, &Options::default(), &Meter::default())
}

fn one(config: &Config, subject: Subject, cap: usize, options: &Options, meter: &Meter) -> (ConfigReport, Coverage) {
    let began = Instant::now();
    let mut report = ConfigReport {
        name: config.name.clone(),
        system: System::of(config),
        states: 0,
        edges: 0,
        depth: 0,
        violations: 0,
        live: true,
        complete: true,
        sampled: None,
        omission: 0.0,
        secs: 0.0,
        story: String::new(),
    };
    let needs = needs(config, options);
    if needs > options.memory {
        report.complete = false;
        report.story = format!(
            "      not searched: it needs about {:.1} GiB, and {:.1} may be used here; search it compacted, or where \
             there is more\n",
            gib(needs),
            gib(options.memory)
        );
        return (report, Coverage::default());
    }
    let world = config.world(subject);
    // what anybody may write at any time has no end of its own
    let modes: &[Mode] = if config.env.anybody { &[] } else { &Mode::ALL };
    match config.search {
        Search::Exact => exact(config, &world, cap, modes, meter, &mut report),
        Search::Compact(log2) => {
            compact(config, &world, table(log2, known(config, options)), modes, meter, &mut report)
        }
    }
    if !options.unpinned {
        compare(&mut report);
    }
    report.secs = began.elapsed().as_secs_f64();
    let coverage = world.reached.borrow().clone();
    (report, coverage)
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

/// Whether the size is the pinned one.
fn compare(report: &mut ConfigReport) {
    let pin = pins::find(&report.name);
    report.complete &= pin.is_some_and(|pin| (pin.states, pin.edges) == (report.states, report.edges));
    if report.complete || !report.story.is_empty() {
        return;
    }
    let how = "UPDATE=1 serin-sim check, with --long for the big ones, writes pinned.txt anew";
    report.story = match pin {
        None => format!("      its size is not pinned; {how}\n"),
        Some(Pin { states, edges, .. }) => format!("      {states} states and {edges} edges are pinned; {how}\n"),
    };
}

fn exact(config: &Config, world: &World, cap: usize, modes: &[Mode], meter: &Meter, report: &mut ConfigReport) {
    let found = bfs::search_told(world, config.start(world), cap, modes, meter);
    if let Some(id) = found.broken {
        report.story = story::tell(world, &found.graph.way(id));
    } else if let Some(stuck) = &found.stuck {
        report.story = story::tell(world, &found.graph.way(stuck.start));
        report.story += &story::tell_quiet(world, stuck.mode, stuck.order, found.graph.list[stuck.start as usize]);
    } else if found.cut {
        report.story = format!("      cut at {cap} states\n");
    }
    (report.states, report.edges, report.depth) = (found.graph.list.len(), found.edges, found.depth);
    report.violations = usize::from(found.broken.is_some());
    (report.live, report.complete) = (found.stuck.is_none(), !found.cut);
}

fn compact(config: &Config, world: &World, log2: u32, modes: &[Mode], meter: &Meter, report: &mut ConfigReport) {
    let search = lite::Search { world, first: config.start(world), log2 };
    let found = search.run(SAMPLE, modes, meter);
    if let Some(state) = found.broken {
        report.story = story::tell(world, &search.way(&state, meter));
    } else if let Some((state, mode, order)) = found.stuck {
        report.story = story::tell(world, &search.way(&state, meter)) + &story::tell_quiet(world, mode, order, state);
    } else if found.cut {
        report.story = format!("      the table of 2^{log2} places is full: give it more in configs.rs\n");
    }
    (report.states, report.edges, report.depth) = (found.states, found.edges, found.depth);
    report.violations = usize::from(found.broken.is_some());
    (report.live, report.complete) = (found.stuck.is_none(), !found.cut);
    (report.sampled, report.omission) = (Some(found.sampled), lite::omission(found.states));
}

/// How long all of it took, for a rate.
pub fn rate(states: usize, spent: Duration) -> u64 {
    (states as f64 / spent.as_secs_f64().max(0.001)) as u64
}
