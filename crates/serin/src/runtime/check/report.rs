//! What was found, for people and for programs.
use super::{Found, STEPS, STEPS_OF_THREE, Search, WALK, What};
use crate::cli::check::Job;
use crate::cli::{Output, Paint};
use crate::config::Spec;
use crate::config::spec::Strategy;
use serin_sim::play::MOST_REPLICAS;
use std::fmt::Write as _;

/// All of it, as it was asked for.
pub(super) fn told(job: &Job, results: &[(Search, Found)]) -> String {
    match job.terminal.output {
        Output::Text => text(&job.loaded.spec, results, job.deep, job.terminal.paint),
        Output::Json => {
            let end = serde_json::json!({
                "safe": results.iter().all(|(_, found)| found.flaw().is_none()), "complete": is_complete(results),
                "states": states(results), "how": how(&job.loaded.spec, job.deep),
                "not_covered": not_covered(&job.loaded.spec),
            });
            let lines = results.iter().map(|(search, found)| json(search, found));
            lines.chain([end]).map(|line| format!("{line}\n")).collect()
        }
    }
}

/// Thousands apart.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let begins = digits.len() % 3;
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && i % 3 == begins {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

fn states(results: &[(Search, Found)]) -> usize {
    results.iter().map(|(_, found)| found.states()).sum()
}

/// Whether every search was done to its end.
fn is_complete(results: &[(Search, Found)]) -> bool {
    results.iter().all(|(_, found)| match found {
        Found::States(explored) => explored.complete,
        Found::Walks(..) => true,
        Found::LeftOut => false,
    })
}

fn plural(count: u16, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// Everything as text.
pub(super) fn text(spec: &Spec, results: &[(Search, Found)], deep: bool, paint: Paint) -> String {
    let mut out = paint.bold(&format!("Everything that can happen to a release of {}", spec.service)) + "\n\n";
    for (search, found) in results {
        let _ = writeln!(out, "  {}", row(search, found, paint)); // writing to a String cannot fail
    }
    out.push('\n');
    match results.iter().find_map(|(search, found)| Some((search, found.flaw()?))) {
        Some((search, flaw)) => unsafe_story(search, flaw, paint, &mut out),
        None => safe(results, deep, paint, &mut out),
    }
    let _ = writeln!(out, "\nHow it was searched:");
    for line in how(spec, deep) {
        let _ = writeln!(out, "  - {line}");
    }
    let _ = writeln!(out, "\nWhat that does not say:");
    for line in not_covered(spec) {
        let _ = writeln!(out, "  - {line}");
    }
    out
}

fn row(search: &Search, found: &Found, paint: Paint) -> String {
    let (word, count) = match found {
        Found::States(explored) => {
            let word = match (&explored.flaw, explored.complete) {
                (Some(_), _) => paint.red("NOT SAFE"),
                (None, true) => paint.green("safe    "),
                (None, false) => paint.yellow("so far  "),
            };
            (word, format!("{} states", grouped(explored.states)))
        }
        Found::Walks(count, flaw) => {
            let word = if flaw.is_some() { paint.red("NOT SAFE") } else { paint.green("safe    ") };
            (word, format!("{} random runs", grouped(*count as usize)))
        }
        Found::LeftOut => (paint.yellow("left out"), String::new()),
    };
    format!("{word}  {:<12}{:<14}{count:>18}   {}", search.class, plural(search.replicas, "instance"), search.words)
}

fn safe(results: &[(Search, Found)], deep: bool, paint: Paint, out: &mut String) {
    let count = grouped(states(results));
    let text = if is_complete(results) {
        format!(
            "Safe: {count} states explored, all that these worlds have. In every one of them the rules hold, and from every one \
             of them, once the world is quiet, the release ends as it should: on the new version if it is good, on the old \
             one if not."
        )
    } else {
        let deeper = if deep { "" } else { " `serin check --deep` searches on." };
        format!(
            "No flaw in {count} states. `so far`: there are more states than the budget allows, and the ends of that search \
             were not looked at; `left out`: there was no time for it.{deeper}"
        )
    };
    out.push_str(&paint.bold(&text));
    out.push('\n');
}

fn unsafe_story(search: &Search, flaw: &serin_sim::explore::Flaw, paint: Paint, out: &mut String) {
    let _ = writeln!(
        out,
        "{}\nThis is a mistake in Serin, not in your file: please report it, with what follows.\n",
        paint.red(&format!("NOT SAFE ({}): {}", search.words, flaw.promise))
    );
    let _ =
        writeln!(out, "A is the set of instances that serves in the beginning, B the other one. `r2` is the second");
    let _ = writeln!(out, "version, `1/2` one ready of two asked for, `*` pinned. What happens, step by step:\n");
    out.push_str(&flaw.story);
}

/// What was cut, so that a search comes to its end.
fn how(spec: &Spec, deep: bool) -> Vec<String> {
    let most = spec.replicas.min(if deep { 3 } else { 2 });
    let mut list = vec![];
    if spec.replicas > most {
        list.push(format!(
            "your service has {} instances; the worlds that are searched have 1 to {most}, the random runs have more",
            spec.replicas
        ));
    }
    if spec.replicas > MOST_REPLICAS {
        list.push(format!("the random runs have {MOST_REPLICAS} instances, the most that are played"));
    }
    if let Strategy::Weights { steps } = &spec.release.strategy
        && steps.len() > STEPS_OF_THREE
    {
        let most = if steps.len() > STEPS {
            format!("at most {STEPS} of them ({STEPS_OF_THREE} where a newer version is wanted)")
        } else {
            format!("all of them ({STEPS_OF_THREE} where a newer version is wanted)")
        };
        list.push(format!(
            "your release has {} steps and the last one, to everything; the worlds that are searched have {most} and the last one, the random runs have all",
            steps.len()
        ));
    }
    list.push(
        "time is not a number here: whatever may be due, may be due at any moment, and any verdict may come".to_owned(),
    );
    list.push(format!("a random run is {WALK} things that happen, then a quiet world until nothing happens any more"));
    list
}

/// What the promise leaves open, of every file and of this one.
pub(super) fn not_covered(spec: &Spec) -> Vec<String> {
    let mut list = vec![
        "that the new version is good: the requests with which a bad one is found out are answered by it. `serin simulate` shows how many those are".to_owned(),
        "what the world kills (a machine without power, a program that crashes): what is lost so is not given back, only not made worse".to_owned(),
    ];
    if spec.allow_downtime {
        list.push("`allow_downtime: true`: over an update nothing serves for a moment, and requests are held. That no capacity is lost is not promised".to_owned());
    } else if spec.max_unavailable > 0 {
        list.push(format!(
            "`max_unavailable: {}`: capacity is kept at {} of {} instances, not at all of them",
            spec.max_unavailable,
            spec.replicas.saturating_sub(spec.max_unavailable),
            spec.replicas
        ));
    }
    if spec.analysis.metrics.is_empty() {
        list.push("without `analysis.metrics` nothing judges the new version: only its readiness counts".to_owned());
    }
    let in_place = matches!(spec.release.strategy, Strategy::InPlace);
    if !in_place && spec.release.window.is_zero() {
        list.push("`release.window: 0`: there is no way back at once after the promotion".to_owned());
    }
    list
}

fn json(search: &Search, found: &Found) -> serde_json::Value {
    let (states, runs, complete) = match found {
        Found::States(explored) => (Some(explored.states), None, explored.complete),
        Found::Walks(count, _) => (None, Some(*count), true),
        Found::LeftOut => (None, None, false),
    };
    let exhaustive = matches!(search.what, What::States(..));
    serde_json::json!({
        "class": search.class, "words": search.words, "replicas": search.replicas, "exhaustive": exhaustive,
        "states": states, "runs": runs, "complete": complete,
        "flaw": found.flaw().map(|flaw| serde_json::json!({ "promise": flaw.promise, "story": flaw.story })),
    })
}
