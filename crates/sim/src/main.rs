//! `serin-sim check|mutants|sim|sweep|permit|fuzz-decide [--quick|--long] [--seed N] [--only NAME]
//! [--table]`: the checks of the core, for `cargo xtask` and for a person. The seed is printed first; the last line is the result.
use serin_sim::check::{self, ConfigReport, Options};
use serin_sim::mutants;
use serin_sim::simulator::{self, Stats};
use serin_sim::subject::Subject;
use serin_sim::sweep;
use std::process::ExitCode;
use std::time::Instant;

struct Args {
    verb: String,
    long: bool,
    seed: u64,
    only: Option<String>,
    table: bool,
}

const USAGE: &str =
    "usage: serin-sim check|mutants|sim|sweep|permit|fuzz-decide [--quick|--long] [--seed N] [--only NAME] [--table]";

fn parse(mut args: impl Iterator<Item = String>) -> Option<Args> {
    let mut parsed = Args { verb: args.next()?, long: false, seed: 1, only: None, table: false };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => parsed.long = false,
            "--long" => parsed.long = true,
            "--seed" => parsed.seed = args.next()?.parse().ok()?,
            "--table" => parsed.table = true,
            "--only" => parsed.only = Some(args.next()?),
            _ => return None,
        }
    }
    Some(parsed)
}

fn main() -> ExitCode {
    let Some(args) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    eprintln!("seed={}", args.seed);
    let began = Instant::now();
    let (sound, keys) = match args.verb.as_str() {
        "check" => check(&args),
        "mutants" => mutants(&args),
        "sim" => simulate(&args),
        "sweep" => sweep(&args),
        "fuzz-decide" => serin_sim::fuzz::perform(args.long, args.seed),
        "permit" => serin_sim::enumerate::perform(args.long),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let result = if sound { "PASS" } else { "FAIL" };
    println!("{} {result} {keys} secs={:.1}", args.verb, began.elapsed().as_secs_f64());
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check(args: &Args) -> (bool, String) {
    let options = Options { long: args.long, only: args.only.clone() };
    let report = check::check(&options, tell);
    let missing = if args.only.is_none() { report.coverage.missing() } else { vec![] };
    for (name, count) in report.coverage.table().iter().filter(|_| args.table) {
        eprintln!("{count:>12} {name}");
    }
    for name in &missing {
        eprintln!("never reached: {name}");
    }
    let broken: usize = report.configs.iter().map(|config| config.violations).sum();
    let stuck = report.configs.iter().filter(|config| !config.live).count();
    let lost = report.configs.iter().filter(|config| !config.complete).count();
    let keys = format!(
        "configs={} states={} violations={broken} stuck={stuck} unpinned={lost} reached={} unreached={}",
        report.configs.len(),
        report.states(),
        report.coverage.reached(),
        missing.len(),
    );
    (report.is_sound() && missing.is_empty(), keys)
}

fn tell(config: &ConfigReport) {
    let verdict = if config.is_sound() { "sound" } else { "NOT SOUND" };
    eprintln!(
        "{:<28} states={:<9} edges={:<10} depth={:<4} {:>6.1}s {verdict}",
        config.name, config.states, config.edges, config.depth, config.secs
    );
    eprint!("{}", config.story);
}

fn mutants(args: &Args) -> (bool, String) {
    let list = mutants::all();
    let chosen =
        list.iter().filter(|mutant| args.only.as_ref().is_none_or(|name| mutant.subject.name.contains(name.as_str())));
    let (mut killed, mut total) = (0, 0);
    for mutant in chosen {
        let verdict = mutants::run(mutant);
        total += 1;
        killed += usize::from(verdict.is_killed());
        let how = verdict.caught.unwrap_or("NOT CAUGHT");
        let control = if verdict.control { "" } else { " (the sound core is not sound in this world)" };
        eprintln!(
            "{:<34} {:>3} steps {:>8} states {:>5.1}s  {how}{control}",
            verdict.name, verdict.steps, verdict.states, verdict.secs
        );
        if args.only.is_some() {
            eprint!("{}", verdict.story);
        }
    }
    (killed == total && total > 0, format!("mutants={total} killed={killed} survived={}", total - killed))
}

/// Steps of a seed's safety phase.
const STEPS: u32 = 3_000;

fn simulate(args: &Args) -> (bool, String) {
    let seeds = if args.long { 1_000_000 } else { 20_000 };
    let (mut stats, mut broken) = (Stats::default(), 0);
    for seed in (args.seed..).take(seeds) {
        let run = simulator::run(Subject::SOUND, seed, STEPS);
        stats.add(&run.stats);
        if let Some(rule) = run.broken {
            broken += 1;
            eprintln!("seed {seed}: {}: {rule}\n{}", run.setting, run.story);
            if broken == 3 {
                break;
            }
        }
    }
    let Stats { steps, rounds, writes, failures, crashes, zombies, succeeded, returned, halted } = stats;
    let keys = format!(
        "seeds={seeds} broken={broken} steps={steps} rounds={rounds} writes={writes} failures={failures} crashes={crashes} late_writes={zombies} succeeded={succeeded} returned={returned} halted={halted}"
    );
    let busy = succeeded > 0 && returned > 0 && halted > 0 && crashes > 0 && zombies > 0;
    (broken == 0 && busy, keys)
}

fn sweep(args: &Args) -> (bool, String) {
    let sizes: &[u16] = if args.long { &[1, 2, 3, 5, 10] } else { &[1, 3] };
    let swept = sweep::sweep(sizes, |flow, size, mode, swept| {
        let failed = swept.failures.len();
        eprintln!(
            "{:<12} R={size:<3} {mode:?} actions={} cases={} failures={failed}",
            flow.name(),
            swept.actions,
            swept.cases
        );
    });
    for story in swept.failures.iter().take(3) {
        eprintln!("{story}");
    }
    let failures = swept.failures.len();
    (failures == 0 && swept.cases > 0, format!("actions={} cases={} failures={failures}", swept.actions, swept.cases))
}
