//! The story of a mutant, for somebody who is on call: what the report says, what the service is, what went wrong in
//! which order, which promise that breaks, and what the sound core does at the same place.
use super::fork::{self, Fork};
use super::wording;
use super::{Caught, Mutant};
use crate::configs::Flow;
use crate::env::Env;
use crate::quiet::{Mode, Order};
use crate::state::State;
use crate::world::{Happening, World};
use serin_rollout::{Accept, Plan};
use std::fmt::Write as _;

/// A way: what happened, and the state after it.
pub(super) type Way = [(Option<Happening>, State)];

/// The most quiet steps that are told; a longer run is a circle.
const QUIET: usize = 400;

/// The whole story. `stuck` is the promise that is not kept from the end of the way on.
pub(super) fn tell(mutant: &Mutant, world: &World, way: &Way, stuck: Option<(Mode, Order)>) -> String {
    let mut text = heading(mutant);
    section(&mut text, "What is reported");
    wrapped(&mut text, mutant.told);
    section(&mut text, "The service and its world");
    for line in setting(mutant, &world.plan) {
        wrapped(&mut text, &line);
    }
    let quiet = stuck.map(|mode| run_quietly(world, mode, way)).unwrap_or_default();
    section(&mut text, "What happens, on the shortest way there");
    let circle = quiet.split_last().is_some_and(|((_, last), others)| others.iter().any(|(_, state)| state == last));
    let note = stuck.map(|mode| format!("From here on nothing fails any more{}.", given(mode.0)));
    let then = rows(world, &quiet, way.len() - 1);
    table(&mut text, &rows(world, way, 0), note.as_deref(), &then);
    if stuck.is_some() {
        wrapped(&mut text, if circle { "And so on for ever." } else { "Nothing more happens." });
    }
    section(&mut text, "What that breaks");
    wrapped(&mut text, &broken(mutant.expected, stuck));
    section(&mut text, "What Serin does there");
    match fork::find(mutant, world, way, &quiet, stuck) {
        Some(fork) => tell_fork(&mut text, mutant, &fork),
        None => wrapped(&mut text, "It never comes to this state: none of its own decisions leads there."),
    }
    text
}

fn heading(mutant: &Mutant) -> String {
    let mut text = mutant.name().to_owned();
    if let Some(row) = mutant.row {
        let _ = write!(text, "   (outage {row} of the catalogue)");
    }
    let others: Vec<&str> = mutant.names().skip(1).collect();
    if !others.is_empty() {
        let _ = write!(text, "\nThe same story: {}", others.join(", "));
    }
    text + "\n"
}

fn section(text: &mut String, title: &str) {
    let _ = writeln!(text, "\n{title}");
}

/// Lines of at most a hundred letters, set in by two.
fn wrapped(text: &mut String, words: &str) {
    let mut line = String::from(" ");
    for word in words.split_whitespace() {
        if line.len() + 1 + word.len() > 100 {
            let _ = writeln!(text, "{line}");
            line = String::from(" ");
        }
        line.push(' ');
        line += word;
    }
    let _ = writeln!(text, "{line}");
}

fn setting(mutant: &Mutant, plan: &Plan) -> Vec<String> {
    let n = mutant.replicas;
    let instances = if n == 1 { "one instance".to_owned() } else { format!("{n} instances") };
    let mut lines = vec![format!("Revision 1 serves with {instances} in set A; set B is empty.")];
    if mutant.flow == Flow::Direct && mutant.subject.permit.is_none() && !mutant.subject.ours {
        lines.push("The release goes straight to everything.".to_owned());
    } else {
        let whose = if mutant.subject.ours { "The plan" } else { "Serin's plan for the same service" };
        lines.push(format!("{whose}: {}.", steps(plan)));
    }
    lines.push(match faults(&mutant.env).as_slice() {
        [] => "Nothing fails, and nobody interferes.".to_owned(),
        list => format!("In this world {}.", list.join("; ")),
    });
    if mutant.subject.permit.is_none() {
        lines.push("Whatever is decided is carried out: nobody reads again and asks before a write.".to_owned());
    }
    lines
}

fn steps(plan: &Plan) -> String {
    let one = |(i, step): (usize, &serin_rollout::Step)| {
        let [a, b] = step.target.size;
        format!("step {i}: A {a}, B {b}, traffic {}{}", wording::route(&step.target.route), accepted(step.accept))
    };
    let mut text = plan.steps.iter().enumerate().map(one).collect::<Vec<_>>().join("; ");
    if plan.home.is_some() {
        text += "; then the promoted revision is copied to A, and the traffic returns there";
    }
    text
}

fn accepted(accept: Accept) -> String {
    let all = [(accept.bake_ms.is_some(), "time"), (accept.checks, "passed checks"), (accept.manual, "an approval")];
    let list: Vec<&str> = all.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect();
    if list.is_empty() { String::new() } else { format!(", then {}", list.join(" and ")) }
}

/// What may go wrong and who may ask for what, in words.
fn faults(env: &Env) -> Vec<String> {
    let named = [
        (env.down, "instances fail"),
        (env.late, "data planes apply routes late"),
        (env.stale, "the controller's views are old"),
        (env.crash, "the controller dies and starts anew"),
        (env.zombie, "a write of the dead controller may land later"),
        (env.lower, "an autoscaler shrinks sets that nobody holds and that have no traffic"),
        (env.busy, "instances without traffic may still have open requests"),
        (env.revisions > 2, "a third revision may be wanted"),
        (env.undo, "people may want the first revision again"),
        (env.stale_verdicts, "answers about something else arrive"),
        (env.anybody, "anybody writes what the second key allows"),
        (env.drift, "somebody changes the revision of a set"),
    ];
    let mut list: Vec<String> = named.into_iter().filter(|(on, _)| *on).map(|(_, what)| what.to_owned()).collect();
    list.extend(env.people.iter().map(|person| format!("now and then a person {}", wording::asked(*person))));
    list
}

fn given(mode: Mode) -> &'static str {
    match mode {
        Mode::Pass => ", and every analysis passes",
        Mode::Fail => ", and every analysis fails",
        Mode::Abort => ", and a person aborts",
        Mode::NeverReady => ", but what is new never becomes ready",
        Mode::Frozen => ", but nothing becomes ready either",
        Mode::Refused => ", but the platform lets the canary not grow",
        Mode::CopyFails => ", but the copy never becomes ready",
        Mode::CopyCorrected => ", but the copy never becomes ready, and people want another revision",
    }
}

fn broken(expected: Caught, stuck: Option<(Mode, Order)>) -> String {
    match stuck {
        None => expected.sentence().to_owned(),
        Some((mode, _)) => format!("The promise is {}. That does not come about.", mode.promise()),
    }
}

/// The way on from the last state, as long as it is new, with that state first.
fn run_quietly(world: &World, (mode, order): (Mode, Order), way: &Way) -> Vec<(Option<Happening>, State)> {
    let Some((_, start)) = way.last() else { return vec![] };
    let mut list = vec![(None, *start)];
    let mut state = *start;
    while let Some((by, next)) = world.quiet(&state, mode, order)
        && list.len() <= QUIET
    {
        let seen = list.iter().any(|(_, state)| *state == next);
        list.push((Some(by), next));
        if seen {
            break;
        }
        state = next;
    }
    list
}

/// One line for each event: its number, what happens, then both sets and the traffic as they are after it. A write that
/// takes effect at once is one line with its decision.
fn rows(world: &World, way: &Way, first: usize) -> Vec<[String; 5]> {
    let mut list = vec![];
    let mut i = usize::from(first > 0);
    while let Some((by, state)) = way.get(i) {
        let what = match by {
            Some(by) => wording::happening(world, &way[i - 1].1, *by),
            None => "in the beginning".to_owned(),
        };
        let sent = matches!(by, Some(Happening::Round(_) | Happening::Somebody(_)));
        let landed = way.get(i + 1).filter(|(next, _)| sent && matches!(next, Some(Happening::Land)));
        let state = landed.map_or(state, |(_, landed)| landed);
        let [a, b] = [0, 1].map(|k: usize| wording::set(&state.set[k]));
        list.push([(first + i).to_string(), what, a, b, wording::traffic(world, state)]);
        i += if landed.is_some() { 2 } else { 1 };
    }
    list
}

/// Rows under each other, with columns as wide as they must be.
fn table(text: &mut String, before: &[[String; 5]], between: Option<&str>, after: &[[String; 5]]) {
    let head = ["", "", "A", "B", "traffic"].map(str::to_owned);
    let all = || std::iter::once(&head).chain(before).chain(after);
    let width = |column: usize| all().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [n, what, a, b] = [0, 1, 2, 3].map(width);
    let mut line = |row: &[String; 5]| {
        let _ = writeln!(text, "  {:>n$}  {:<what$}  {:<a$}  {:<b$}  {}", row[0], row[1], row[2], row[3], row[4]);
    };
    line(&head);
    before.iter().for_each(&mut line);
    let note = between.map(|note| ["", note, "", "", ""].map(str::to_owned));
    note.iter().chain(after).for_each(line);
}

fn tell_fork(text: &mut String, mutant: &Mutant, fork: &Fork) {
    let when = if fork.waits { "After" } else { "At" };
    wrapped(text, &format!("{when} line {}, in the same state:", fork.line));
    let _ = writeln!(text, "    {:<28} {}", mutant.name(), fork.theirs);
    let _ = writeln!(text, "    {:<28} {}", "Serin", fork.ours);
    if let Some(refusal) = &fork.refused {
        wrapped(text, &format!("And whoever asks for that write, Serin's second key refuses it: {refusal}."));
    }
}
