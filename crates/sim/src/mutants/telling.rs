//! The story of a mutant, for somebody who is on call: what the report says, what the service is, what went wrong in
//! which order, which promise that breaks, and what the sound core does at the same place.
use super::fork::{self, Fork};
use super::{Caught, Mutant};
use crate::configs::Flow;
use crate::env::{Env, Person};
use crate::quiet::Mode;
use crate::state::{Set, State};
use crate::story;
use crate::world::{Happening, World};
use serin_rollout::{Accept, Plan};
use std::fmt::Write as _;

/// A way: what happened, and the state after it.
pub(super) type Way = [(Option<Happening>, State)];

/// The most quiet steps that are told; a longer run is a circle.
const QUIET: usize = 400;

/// The whole story. `stuck` is the promise that is not kept from the end of the way on.
pub(super) fn tell(mutant: &Mutant, world: &World, way: &Way, stuck: Option<Mode>) -> String {
    let mut text = heading(mutant);
    section(&mut text, "What is reported");
    wrapped(&mut text, mutant.told);
    section(&mut text, "The service and its world");
    for line in setting(mutant, &world.plan) {
        wrapped(&mut text, &line);
    }
    let quiet = stuck.map(|mode| run_quietly(world, mode, way)).unwrap_or_default();
    section(&mut text, "What happens, on the shortest way there");
    rows(&mut text, world, way, 0);
    if let Some(mode) = stuck {
        let _ = writeln!(text, "      From here on nothing fails any more{}.", given(mode));
        rows(&mut text, world, &quiet, way.len() - 1);
        let circle = quiet.last().is_some_and(|(_, last)| quiet[..quiet.len() - 1].iter().any(|(_, s)| s == last));
        text += if circle { "      And so on for ever.\n" } else { "      Nothing more happens.\n" };
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
        lines.push(format!("The plan: {}.", steps(plan)));
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
        format!("step {i}: A {a}, B {b}, traffic {}{}", story::route(&step.target.route), accepted(step.accept))
    };
    let mut text = plan.steps.iter().enumerate().map(one).collect::<Vec<_>>().join("; ");
    if plan.home.is_some() {
        text += "; then the promoted revision is copied to A, and the traffic returns there";
    }
    text
}

fn accepted(accept: Accept) -> String {
    let all = [(accept.bake_ms.is_some(), "time"), (accept.checks, "checks"), (accept.manual, "an approval")];
    let list: Vec<&str> = all.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect();
    if list.is_empty() { String::new() } else { format!(" until {}", list.join(" and ")) }
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
    list.extend(env.people.iter().map(|person| asks(*person)));
    list
}

fn asks(person: Person) -> String {
    let what = match person {
        Person::Abort => "abort",
        Person::Rollback => "return to the revision before",
        Person::Park => "leave the canary as it is",
        Person::Retire => "remove what was released",
        Person::Resume => "go on",
        Person::Pause => "pause",
        Person::Retry => "try or start again",
        Person::Approve => "approve a step",
        Person::ApproveLate => "approve a step too late",
        Person::Promote => "skip a step's acceptance",
        Person::PromoteAll => "promote at once",
        Person::Weight(share) => return format!("a person may give the canary {}%", share / 100),
    };
    format!("a person may {what}")
}

fn given(mode: Mode) -> &'static str {
    match mode {
        Mode::Pass => ", and every analysis passes",
        Mode::Fail => ", and every analysis fails",
        Mode::Abort => ", and a person aborts",
        Mode::NeverReady => ", but what is new never becomes ready",
        Mode::Frozen => ", but nothing becomes ready either",
        Mode::CopyFails => ", but the copy never becomes ready",
        Mode::CopyCorrected => ", but the copy never becomes ready, and people want another revision",
    }
}

fn broken(expected: Caught, stuck: Option<Mode>) -> String {
    match stuck {
        None => expected.sentence().to_owned(),
        Some(mode) => format!("The promise is: {}. That does not come about.", mode.promise()),
    }
}

/// The way on from the last state, as long as it is new, with that state first.
fn run_quietly(world: &World, mode: Mode, way: &Way) -> Vec<(Option<Happening>, State)> {
    let Some((_, start)) = way.last() else { return vec![] };
    let mut list = vec![(None, *start)];
    let mut state = *start;
    while let Some((by, next)) = world.quiet(&state, mode)
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

/// One line for each event: what happens, then both sets and the traffic as they are after it.
fn rows(text: &mut String, world: &World, way: &Way, first: usize) {
    for (i, (by, state)) in way.iter().enumerate() {
        let what = match (by, i) {
            (Some(by), 1..) => story::happening(world, &way[i - 1].1, *by),
            (Some(_), 0) | (None, _) if first > 0 => continue,
            (Some(_) | None, _) => "in the beginning".to_owned(),
        };
        let [a, b] = [0, 1].map(|k: usize| set(&state.set[k]));
        let _ = writeln!(text, "{:>4}  {what:<58} | A {a:<14} | B {b:<14} | {}", first + i, traffic(world, state));
    }
}

fn set(set: &Set) -> String {
    if set.total() == 0 && set.desired == 0 {
        return "-".to_owned();
    }
    let going = set.total().saturating_sub(set.desired);
    let mut text = format!("r{} {}/{} ready", set.rev, set.ready, set.desired);
    if going > 0 {
        let _ = write!(text, ", -{going}");
    }
    if set.busy {
        text += ", busy";
    }
    text
}

fn traffic(world: &World, state: &State) -> String {
    let mut text = format!("traffic {}", story::route(&world.route(state.accepted)));
    let older: Vec<String> = state.older.iter().filter(|id| **id != 0).map(|id| story::route(&world.route(*id))).collect();
    if state.late && !older.is_empty() {
        let _ = write!(text, " (somewhere still {})", older.join(", "));
    } else if state.late {
        text += " (not confirmed)";
    }
    text
}

fn tell_fork(text: &mut String, mutant: &Mutant, fork: &Fork) {
    wrapped(text, &format!("In the state {} line {}, on what is seen there:", if fork.waits { "after" } else { "before" }, fork.line));
    let _ = writeln!(text, "    {:<26} {}", mutant.name(), fork.theirs);
    let _ = writeln!(text, "    {:<26} {}", "Serin", fork.ours);
    if let Some(refusal) = &fork.refused {
        wrapped(text, &format!("Asked for that write, Serin's second key refuses: {refusal}."));
    }
}
