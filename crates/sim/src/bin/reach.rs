//! `reach PART PARTS SEEDS FIRST`: one part of the small worlds that CI checks of the sound core, and of the
//! simulator's seeds, for `cargo xtask coverage`. It is a process for each part and not a thread, because the counters that the compiler adds
//! are not atomic. Nothing but the sound core runs in it, with and without its second key.
use serin_sim::check::check_one;
use serin_sim::configs::{self, Config};
use serin_sim::simulator;
use serin_sim::subject::Subject;
use std::process::ExitCode;

/// Steps of a seed's safety phase.
const STEPS: u32 = 3_000;
/// Larger worlds than this, in states, are left to `check`, but for those of any writer: they take most of the time and
/// execute nothing more.
const SMALL: usize = 120_000;
/// More states than any of the others has.
const CAP: usize = 60_000_000;

fn main() -> ExitCode {
    let numbers: Option<Vec<usize>> = std::env::args().skip(1).map(|word| word.parse().ok()).collect();
    let Some([part, parts, seeds, first]) = numbers.as_deref().and_then(|list| <[usize; 4]>::try_from(list).ok())
    else {
        eprintln!("usage: reach PART PARTS SEEDS FIRST");
        return ExitCode::from(2);
    };
    let small = |config: &Config| config.env.anybody || config.pinned().is_some_and(|states| states <= SMALL);
    let small = configs::quick().into_iter().filter(small);
    for config in shared(small.collect(), parts).swap_remove(part) {
        let (report, _) = check_one(&config, Subject::SOUND, CAP);
        eprintln!("{:<28} states={:<9} {:>6.1}s", report.name, report.states, report.secs);
        if report.violations > 0 || !report.live {
            eprintln!("{} is not sound:\n{}", report.name, report.story);
            return ExitCode::FAILURE;
        }
    }
    for seed in (first..first + seeds).filter(|seed| seed % parts == part) {
        let run = simulator::run(Subject::SOUND, seed as u64, STEPS);
        if let Some(rule) = run.broken {
            eprintln!("seed {seed}: {}: {rule}\n{}", run.setting, run.story);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The configurations in `parts` parts of about the same size: each goes to the part that has least, the largest first.
fn shared(mut list: Vec<Config>, parts: usize) -> Vec<Vec<Config>> {
    let size = |config: &Config| config.pinned().unwrap_or(0);
    list.sort_by_key(|config| std::cmp::Reverse(size(config)));
    let mut shares: Vec<(usize, Vec<Config>)> = vec![(0, vec![]); parts];
    for config in list {
        if let Some((sum, share)) = shares.iter_mut().min_by_key(|(sum, _)| *sum) {
            *sum += size(&config);
            share.push(config);
        }
    }
    shares.into_iter().map(|(_, share)| share).collect()
}
