//! `serin-sim check|mutants|sim|sweep`: the checks of the core, for `cargo xtask` and for a person. The seed is printed
//! first; the last line is the result.
use serin_sim::admission;
use serin_sim::arguments::{self, Arguments, USAGE, Verb, Writer};
use serin_sim::check::{self, CheckReport, ConfigReport, Options, System};
use serin_sim::configs::FLOWS;
use serin_sim::mutants::{self, Mutant};
use serin_sim::pins;
use serin_sim::progress::Screen;
use serin_sim::seeds::{self, Seeds};
use serin_sim::simulator::Stats;
use serin_sim::subject::Subject;
use serin_sim::{excuses, sweep, trace};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

/// A line of the result. That nobody reads it any more is no reason to end what is counted.
macro_rules! say {
    ($($text:tt)*) => { drop(writeln!(std::io::stdout(), $($text)*)) };
}

/// A line for who watches. That nobody does is no reason to end.
macro_rules! note {
    ($($text:tt)*) => { drop(writeln!(std::io::stderr(), $($text)*)) };
}

fn main() -> ExitCode {
    let args = match arguments::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(why) => {
            note!("serin-sim: {why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if args.verb == Verb::Help {
        say!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    note!("seed={}", args.seed);
    let began = Instant::now();
    let list = mutants::all();
    let told = match args.story.as_ref().map(|name| mutants::find(&list, name)).transpose() {
        Ok(told) => told,
        Err(nearest) => {
            note!("{}", unknown(args.story.as_deref().unwrap_or_default(), &nearest));
            return ExitCode::from(2);
        }
    };
    let (sound, keys) = match args.verb {
        Verb::Check(writer) => check(&args, writer),
        Verb::Cross => cross(&args),
        Verb::Mutants => mutants(&args, &list),
        Verb::Story => told.map_or_else(|| (false, String::new()), tell_mutant),
        Verb::Sim => simulate(&args),
        Verb::Sweep => sweep(&args),
        Verb::Permit => serin_sim::enumerate::perform(args.long),
        Verb::FuzzDecide => serin_sim::fuzz::perform(args.long, args.seed),
        Verb::Trace => trace(&args),
        Verb::Help => (true, String::new()),
    };
    let result = if sound { "PASS" } else { "FAIL" };
    say!("{} {result} {keys} secs={:.1}", args.verb.label(), began.elapsed().as_secs_f64());
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// That no mutant is meant by `name`, or several are.
fn unknown(name: &str, names: &[&str]) -> String {
    let why = if names.iter().all(|known| known.contains(name)) {
        format!("{name:?} is a part of several names")
    } else {
        format!("no mutant has {name:?} in its name")
    };
    format!("{why}; write one of: {}", names.join(", "))
}

fn threads(args: &Arguments) -> usize {
    args.threads.unwrap_or_else(admission::cores)
}

fn check(args: &Arguments, writer: Option<Writer>) -> (bool, String) {
    let system = writer.map(|writer| match writer {
        Writer::Any => System::AnyWriter,
        Writer::Decide => System::FirstKey,
    });
    let unpinned = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    let only = args.only.clone();
    let options = Options { long: args.long, only, system, threads: threads(args), unpinned, ..Options::default() };
    let began = Instant::now();
    let report = check::check(&options, &Screen::default());
    let rate = check::rate(report.states(), began.elapsed());
    let missing = if args.only.is_none() && writer.is_none() { report.coverage.missing() } else { vec![] };
    for (name, count) in report.coverage.table().iter().filter(|_| args.table) {
        note!("{count:>12} {name}");
    }
    for name in &missing {
        note!("never reached: {name}");
    }
    for name in &report.orphans {
        note!("{name} is pinned, and no configuration has this name; UPDATE=1 serin-sim check drops it");
    }
    if report.configs.is_empty() {
        nothing_is_called("configuration", args.only.as_deref(), &check::names());
    }
    let written = !unpinned || update(&report);
    let count = |of: fn(&ConfigReport) -> bool| report.configs.iter().filter(|config| of(config)).count();
    let edges: u64 = report.configs.iter().map(|config| config.edges).sum();
    let sampled: usize = report.configs.iter().filter_map(|config| config.sampled).sum();
    let keys = format!(
        "configs={} states={} states_both={} states_any_writer={} states_first_key={} edges={edges} violations={} \
         stuck={} unpinned={} reached={} unreached={} compacted={} sampled={sampled} omission={:.1e} states_per_s={rate}",
        report.configs.len(),
        report.states(),
        report.states_of(System::Both),
        report.states_of(System::AnyWriter),
        report.states_of(System::FirstKey),
        count(|config| config.violations > 0),
        count(|config| !config.live),
        count(|config| !config.complete) + report.orphans.len(),
        report.coverage.reached(),
        missing.len(),
        count(|config| config.sampled.is_some()),
        report.omission(),
    );
    (report.is_sound() && missing.is_empty() && written, keys)
}

/// Why nothing was looked at.
fn nothing_is_called(what: &str, part: Option<&str>, names: &[String]) {
    if let Some(part) = part {
        note!("no {what} has {part:?} in its name; write a part of one of: {}", names.join(", "));
    }
}

/// Writes pinned.txt anew; what was not searched now stays as it is in the file.
fn update(report: &CheckReport) -> bool {
    let path = pins::path();
    let read = std::fs::read_to_string(&path).map_err(|e| format!("{} could not be read: {e}", path.display()));
    let written = read.and_then(|text| pins::parse(&text)).and_then(|old| {
        let pins = pins::updated(&old, &report.pins(), &check::names());
        let text = pins::print(&pins);
        std::fs::write(&path, text).map_err(|e| format!("{} could not be written: {e}", path.display()))?;
        Ok(pins.len())
    });
    match written {
        Ok(pins) => note!("{} has {pins} pins now; review the diff", path.display()),
        Err(why) => {
            note!("{why}");
            return false;
        }
    }
    true
}

#[cfg(feature = "cross")]
fn cross(args: &Arguments) -> (bool, String) {
    use serin_sim::cross;
    let list = cross::chosen(args.only.as_deref());
    let compared = cross::all(&list, threads(args), &Screen::default());
    let states: usize = compared.iter().map(|one| one.ours).sum();
    let differ = compared.iter().filter(|one| !one.agrees()).count();
    if compared.is_empty() {
        nothing_is_called("small configuration", args.only.as_deref(), &check::names());
    }
    let sound = differ == 0 && !compared.is_empty() && states > 0;
    (sound, format!("configs={} states={states} differ={differ}", compared.len()))
}

#[cfg(not(feature = "cross"))]
fn cross(_: &Arguments) -> (bool, String) {
    note!("this program was built without the independent checker: build it with --features cross");
    (false, "configs=0 states=0 differ=0".to_owned())
}

fn mutants(args: &Arguments, list: &[Mutant]) -> (bool, String) {
    let chosen: Vec<&Mutant> = list
        .iter()
        .filter(|mutant| args.only.as_ref().is_none_or(|part| mutant.names().any(|name| name.contains(part.as_str()))))
        .collect();
    if chosen.is_empty() {
        let names: Vec<String> = list.iter().flat_map(Mutant::names).map(str::to_owned).collect();
        nothing_is_called("mutant", args.only.as_deref(), &names);
    }
    let verdicts = mutants::run_all(&chosen, |verdict| {
        let how = verdict.caught.map_or("NOT CAUGHT", mutants::Caught::sentence);
        let control = if verdict.control { "" } else { " (the sound core is not sound in this world)" };
        let closed = if verdict.closed { "" } else { " (nor is the same tool without this hole)" };
        let other = if verdict.caught == Some(verdict.expected) { "" } else { " (NOT WHAT ITS STORY SAYS)" };
        note!(
            "{:<34} {:>3} steps {:>8} states {:>5.1}s  {how}{control}{closed}{other}",
            verdict.name,
            verdict.steps,
            verdict.states,
            verdict.secs
        );
    });
    if args.only.is_some() {
        verdicts.iter().for_each(|verdict| note!("\n{}", verdict.story.trim_end()));
    }
    let killed = verdicts.iter().filter(|verdict| verdict.is_killed()).count();
    let (total, outages) = (verdicts.len(), mutants::outages(chosen));
    let (exact, excuses) = if args.only.is_none() { excuses() } else { (true, String::new()) };
    let keys = format!("mutants={total} killed={killed} survived={} outages={outages}{excuses}", total - killed);
    (killed == total && total > 0 && exact, keys)
}

/// What the rules excuse: as much as the world takes, and no more.
fn excuses() -> (bool, String) {
    let verdicts: Vec<_> = excuses::all().iter().map(excuses::run).collect();
    for verdict in &verdicts {
        let how = if verdict.is_exact() { "as wide as it must be" } else { "NOT EXACT" };
        note!("allowance {:<24} {:>8} states  {how}", verdict.name, verdict.states);
    }
    let needless: Vec<_> = FLOWS.iter().filter_map(|flow| excuses::nothing_is_owed_for_nothing(*flow).err()).collect();
    for state in &needless {
        note!("something is excused although nothing happened: {state}");
    }
    let exact = verdicts.iter().filter(|verdict| verdict.is_exact()).count();
    let keys = format!(" excuses={} exact={exact} needless={}", verdicts.len(), needless.len());
    (exact == verdicts.len() && needless.is_empty(), keys)
}

/// The story of one mutant on stdout.
fn tell_mutant(mutant: &Mutant) -> (bool, String) {
    let verdict = mutants::run(mutant);
    say!("{}", verdict.story);
    let killed = usize::from(verdict.is_killed());
    let outages = mutants::outages([mutant]);
    (killed == 1, format!("mutants=1 killed={killed} survived={} outages={outages}", 1 - killed))
}

/// Seeds of a quick run and of a long one.
const SEEDS: [u64; 2] = [200_000, 5_000_000];

fn simulate(args: &Arguments) -> (bool, String) {
    let count = args.seeds.unwrap_or(SEEDS[usize::from(args.long)]);
    let outcome =
        seeds::run(Subject::SOUND, Seeds { first: args.seed, count, threads: threads(args) }, &Screen::default());
    for (seed, run) in &outcome.stories {
        let rule = run.broken.unwrap_or_default();
        note!("seed {seed}: {}: {rule}\n{}", run.setting, run.story);
        note!("again: serin-sim sim --seed {seed} --seeds 1");
    }
    if args.long {
        note!("{}", outcome.table().trim_end());
    }
    let Stats { steps, rounds, writes, failures, crashes, zombies, succeeded, returned, halted } = outcome.stats;
    let keys = format!(
        "seeds={} broken={} steps={steps} rounds={rounds} writes={writes} failures={failures} crashes={crashes} late_writes={zombies} succeeded={succeeded} returned={returned} halted={halted}",
        outcome.seeds, outcome.broken
    );
    let busy = succeeded > 0 && returned > 0 && halted > 0 && crashes > 0 && zombies > 0;
    let few = count < 1_000; // a seed that is run again need not show everything
    (outcome.broken == 0 && outcome.seeds > 0 && (busy || few && steps > 0), keys)
}

fn sweep(args: &Arguments) -> (bool, String) {
    let sizes: &[u16] = if args.long { &[1, 2, 3, 5, 10] } else { &[1, 3] };
    let swept = sweep::sweep(sizes, |flow, size, mode, swept| {
        let failed = swept.failures.len();
        note!(
            "{:<12} R={size:<3} {mode:?} actions={} cases={} failures={failed}",
            flow.name(),
            swept.actions,
            swept.cases
        );
    });
    for story in swept.failures.iter().take(3) {
        note!("{story}");
    }
    let failures = swept.failures.len();
    (failures == 0 && swept.cases > 0, format!("actions={} cases={} failures={failures}", swept.actions, swept.cases))
}

/// So many findings are told in full.
const TOLD: usize = 20;

fn trace(args: &Arguments) -> (bool, String) {
    let dir = args.dir.as_deref().unwrap_or_default();
    let report = match trace::trace(Path::new(dir)) {
        Ok(report) => report,
        Err(why) => {
            note!("{why}");
            return (false, "dirs=1 services=0 lines=0 malformed=1".to_owned());
        }
    };
    for finding in report.findings.iter().take(TOLD) {
        note!("{finding}");
    }
    if report.findings.len() > TOLD {
        note!("and {} more", report.findings.len() - TOLD);
    }
    if let Some(why) = report.nothing() {
        note!("{dir}: {why}");
    }
    let counted = &report.counted;
    let keys = format!(
        "dirs=1 services={} lines={} torn={} decisions={} saves={} writes={} refused={} facts={} changes={} reached={} rollouts={} promoted={} returned={} violations={}",
        report.services,
        report.lines,
        report.torn,
        counted.decisions,
        counted.saves,
        counted.writes,
        counted.refused,
        report.facts,
        counted.changes,
        counted.reached,
        counted.started,
        counted.promoted,
        counted.returned,
        report.findings.len(),
    );
    (report.is_sound(), keys)
}
