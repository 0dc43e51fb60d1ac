//! `serin check`: everything that can happen to a release of the file, in worlds small enough to be searched whole, and
//! random ways at the file's own size. Nothing is started.
mod report;

use super::meter::{Meter, Progress};
use super::{convert, fail};
use crate::cli::{check::Job, exit};
use crate::config::Spec;
use crate::config::spec::{StepSpec, Strategy};
use serin_rollout::{Plan, PlanError};
use serin_sim::explore::{CLASSES, Class, Explored, Flaw, LARGER, explore_told};
use serin_sim::play::MOST_REPLICAS;
use serin_sim::progress;
use serin_sim::simulator::run_plan;
use serin_sim::subject::Subject;
use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much is searched.
#[derive(Clone, Copy)]
struct Budget {
    /// No search begins after this.
    time: Duration,
    /// The most states of one search.
    states: usize,
    /// Random ways at the file's own size.
    walks: u64,
}

const QUICK: Budget = Budget { time: Duration::from_secs(20), states: 500_000, walks: 300 };
const DEEP: Budget = Budget { time: Duration::from_secs(900), states: 8_000_000, walks: 20_000 };
/// Steps of a random way.
const WALK: u32 = 3_000;
/// Searches at once: each takes a core, and memory for its states.
const AT_ONCE: usize = 2;
/// Steps of a weighted release that are searched before the last one; the others are like them.
const STEPS: usize = 2;
/// The same where a third revision makes every step many times as large.
const STEPS_OF_THREE: usize = 1;

/// One search.
#[derive(Clone)]
struct Search {
    class: &'static str,
    words: &'static str,
    replicas: u16,
    what: What,
}

#[derive(Clone)]
enum What {
    /// Every state.
    States(Class, Plan),
    /// Random ways with these seeds.
    Walks(Plan, u64),
}

/// What became of it.
#[derive(Clone, Debug)]
enum Found {
    States(Explored),
    Walks(u64, Option<Flaw>),
    /// There was no time left.
    LeftOut,
}

impl Found {
    fn flaw(&self) -> Option<&Flaw> {
        match self {
            Found::States(explored) => explored.flaw.as_ref(),
            Found::Walks(_, flaw) => flaw.as_ref(),
            Found::LeftOut => None,
        }
    }

    fn states(&self) -> usize {
        match self {
            Found::States(explored) => explored.states,
            Found::Walks(..) | Found::LeftOut => 0,
        }
    }
}

/// Searches, tells, and answers with the exit code.
pub(super) fn run(job: Job) -> ExitCode {
    let budget = if job.deep { DEEP } else { QUICK };
    match examine(&job.loaded.spec, Subject::SOUND, budget, job.deep, Meter::new(&job.terminal)) {
        Ok(results) => {
            let flawed = results.iter().any(|(_, found)| found.flaw().is_some());
            job.terminal.conclude(&report::told(&job, &results), if flawed { exit::BROKEN } else { exit::DONE })
        }
        Err(error) => fail(exit::REFUSED, error, ""),
    }
}

/// Runs every search, and returns them in their order. After a flaw nothing new begins.
fn examine(
    spec: &Spec,
    subject: Subject,
    budget: Budget,
    deep: bool,
    meter: Meter,
) -> Result<Vec<(Search, Found)>, PlanError> {
    let began = Instant::now();
    let list = searches(spec, budget, deep)?;
    let queue: Mutex<VecDeque<usize>> = Mutex::new((0..list.len()).collect());
    let found = Mutex::new(vec![Found::LeftOut; list.len()]);
    let running: Vec<progress::Meter> = list.iter().map(|_| progress::Meter::default()).collect();
    let worker = || {
        let next = || held(&queue).pop_front();
        while let Some(at) = next().filter(|_| began.elapsed() < budget.time) {
            let result = search(&list[at].what, subject, budget, &running[at]);
            if result.flaw().is_some() {
                held(&queue).clear();
            }
            held(&found)[at] = result;
        }
    };
    let work = || {
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(worker);
            }
        });
    };
    meter.watch(work, |took| progress_of(&held(&found), &running, took));
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(list.into_iter().zip(found).collect())
}

/// What a worker that panicked left is as good as what the others did.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn progress_of(found: &[Found], running: &[progress::Meter], took: Duration) -> Progress {
    let done = found.iter().filter(|found| !matches!(found, Found::LeftOut)).count();
    let states: usize = found.iter().zip(running).map(|(found, now)| found.states().max(now.states() as usize)).sum();
    let (of, states) = (found.len(), report::grouped(states));
    let text = format!("{done} of {of} searches done, {states} states, {}s", took.as_secs());
    Progress { part: Some((done, of)), text }
}

fn search(what: &What, subject: Subject, budget: Budget, meter: &progress::Meter) -> Found {
    match what {
        What::States(class, plan) => {
            Found::States(explore_told(subject, plan.clone(), class.env, budget.states, meter))
        }
        What::Walks(plan, count) => {
            let mut flaws = (1..=*count).filter_map(|seed| {
                let run = run_plan(subject, plan.clone(), seed, WALK);
                run.broken.map(|promise| (seed, Flaw { promise, story: run.story }))
            });
            flaws.next().map_or(Found::Walks(*count, None), |(seed, flaw)| Found::Walks(seed, Some(flaw)))
        }
    }
}

/// What is searched of a file, in this order.
fn searches(spec: &Spec, budget: Budget, deep: bool) -> Result<Vec<Search>, PlanError> {
    let states = |class: &Class, replicas| {
        let steps = if class.env.revisions > 2 { STEPS_OF_THREE } else { STEPS };
        let what = What::States(*class, convert::plan(&cut(spec, replicas, steps))?);
        Ok(Search { class: class.name, words: class.words, replicas, what })
    };
    let mut list = CLASSES.iter().map(|class| states(class, 1)).collect::<Result<Vec<_>, PlanError>>()?;
    let replicas = spec.replicas.min(MOST_REPLICAS);
    let whole = Spec { replicas, max_unavailable: spec.max_unavailable.min(replicas), ..spec.clone() };
    let what = What::Walks(convert::plan(&whole)?, budget.walks);
    let words = "all of that at once, in random order, and then a quiet world";
    list.insert(0, Search { class: "everything", words, replicas, what });
    if spec.replicas > 1 {
        list.push(states(&LARGER, 2)?);
    }
    if deep && spec.replicas > 1 {
        for class in &CLASSES[..3] {
            list.push(states(class, 2)?);
        }
    }
    if deep && spec.replicas > 2 {
        list.push(states(&LARGER, 3)?);
    }
    Ok(list)
}

/// The same service with fewer instances and steps: a world that can be searched whole.
fn cut(spec: &Spec, replicas: u16, most: usize) -> Spec {
    let mut small = spec.clone();
    small.replicas = replicas;
    if !spec.allow_downtime {
        small.max_unavailable = spec.max_unavailable.min(replicas - 1);
    }
    if let Strategy::Weights { steps } = &mut small.release.strategy {
        *steps = fewer(steps, most);
    }
    small
}

/// The first steps, and among them one that a person approves, if there is one.
fn fewer(steps: &[StepSpec], most: usize) -> Vec<StepSpec> {
    let mut kept: Vec<StepSpec> = steps.iter().take(most).cloned().collect();
    if !kept.iter().any(|step| step.approve)
        && let Some(gate) = steps.iter().find(|step| step.approve)
        && let Some(last) = kept.last_mut()
    {
        *last = gate.clone();
    }
    kept
}

#[cfg(test)]
mod tests;
