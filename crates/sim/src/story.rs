//! A way through the world, told one event per line, with the state in words.
use crate::choice::{Choice, Judged};
use crate::invariants::Rule;
use crate::quiet::{Mode, Order};
use crate::state::{Seen, State};
use crate::world::{Act, Happening, World};
use serin_rollout::{Leg, Phase, Route, Split, Timers, Write};
use std::fmt::Write as _;

/// A way, line by line.
pub fn tell(world: &World, way: &[(Option<Happening>, State)]) -> String {
    let mut text = String::new();
    for (i, (by, state)) in way.iter().enumerate() {
        let before = if i == 0 { state } else { &way[i - 1].1 };
        let what = by.map_or_else(|| "in the beginning".to_owned(), |by| happening(world, before, by));
        let _ = writeln!(text, "{i:>4}  {what:<66} | {}", describe(world, state));
    }
    if let Some(rule) = way.last().and_then(|(_, state)| Rule::of(state.broken)) {
        let _ = writeln!(text, "      BROKEN {}", rule.sentence());
    }
    text
}

/// The quiet run from a state, line by line.
pub fn tell_quiet(world: &World, mode: Mode, order: Order, start: State) -> String {
    let mut text = format!("      then nothing more happens from outside ({order:?}); {}:\n", mode.promise());
    let mut state = start;
    for i in 1..=400 {
        let Some((by, next)) = world.quiet(&state, mode, order) else { break };
        let what = happening(world, &state, by);
        let _ = writeln!(text, "{:>4}  {what:<66} | {}", format!("+{i}"), describe(world, &next));
        state = next;
        if state == start {
            text.push_str("      and so on for ever\n");
            break;
        }
    }
    text
}

/// What happens, in words.
pub fn happening(world: &World, before: &State, happening: Happening) -> String {
    let slot = |k: u8| ["A", "B"][usize::from(k)];
    match happening {
        Happening::Delete(k, at) => {
            // the first line of a way that is told from its middle has no state before it
            let ready = before.set[usize::from(k)].list().get(usize::from(at)).is_some_and(|one| one.is_ready());
            format!("the platform stops a {} instance of {}", if ready { "ready" } else { "dead" }, slot(k))
        }
        Happening::Pick => "the router picks other instances".to_owned(),
        Happening::Create(k) => format!("an instance of {} is created", slot(k)),
        Happening::Ready(k, _) => format!("an instance of {} becomes ready", slot(k)),
        Happening::Down(k, _) => format!("an instance of {} FAILS", slot(k)),
        Happening::Idle(k, _) => format!("the open requests of an instance of {} end", slot(k)),
        Happening::Sync(k) => format!("the controller's view of {} catches up", slot(k)),
        Happening::Forget(id) => format!("no data plane applies [{}] any more", route(&world.route(id))),
        Happening::Doubt => "a data plane does not apply the route for a while".to_owned(),
        Happening::Ack => "every data plane confirms the route".to_owned(),
        Happening::Lower(k) => format!("the autoscaler LOWERS {}", slot(k)),
        Happening::Drift(k) => format!("somebody gives {} ANOTHER REVISION", slot(k)),
        Happening::Edit(id) => format!("somebody WRITES THE ROUTE: {}", route(&world.route(id))),
        Happening::Rescale(plan) => {
            format!("people want {} INSTANCES", world.sizes[usize::from(plan)].limits.replicas)
        }
        Happening::Want(rev) => format!("people want revision {rev}"),
        Happening::Round(choice) => round(world, before, &choice),
        Happening::RoundBlind(choice, blind) => {
            format!("{}, WITHOUT KNOWING {}", round(world, before, &choice), unknown(blind))
        }
        Happening::Land => format!("LANDS: {}", write(&world.write(before.flight.write))),
        Happening::Lose => format!("LOST: {}", write(&world.write(before.flight.write))),
        Happening::Crash(false) => "the controller CRASHES".to_owned(),
        Happening::Crash(true) => "the controller CRASHES; its write is still under way".to_owned(),
        Happening::DieSaving(choice) => format!("{}; and CRASHES while saving", round(world, before, &choice)),
        Happening::ZombieLands => {
            format!("the dead controller's write LANDS: {}", write(&world.write(before.zombie.write)))
        }
        Happening::ZombieSaves => "the dead controller's save LANDS".to_owned(),
        Happening::Somebody(id) => format!("somebody sends: {}", write(&world.write(id))),
        Happening::SomebodyBlind(id, blind) => {
            format!("somebody sends, WITHOUT KNOWING {}: {}", unknown(blind), write(&world.write(id)))
        }
    }
}

fn unknown(blind: u8) -> &'static str {
    ["nothing", "A", "B", "A and B"][usize::from(blind & 3)]
}

fn round(world: &World, before: &State, choice: &Choice) -> String {
    let status = world.status(before.status);
    let decided = world.decide(before, &status, *choice);
    let act = match decided.act {
        Act::Save(next) => format!("saves {}", phase(&world.status(next))),
        Act::Ask(id) => format!("sends: {}", write(&world.write(id))),
        Act::Wait => "waits".to_owned(),
    };
    let mut seen = vec![];
    match choice.judged {
        Judged::Nothing => {}
        Judged::Now(verdict) => seen.push(format!("verdict {verdict:?}")),
        Judged::Stale(verdict) => seen.push(format!("old verdict {verdict:?}")),
    }
    seen.extend(due(choice.due).map(|name| format!("{name} due")));
    if !choice.healthy {
        seen.push("none healthy for long enough".to_owned());
    }
    seen.extend(choice.person.map(|person| format!("a person: {person:?}")));
    let seen = if seen.is_empty() { String::new() } else { format!(" ({})", seen.join(", ")) };
    format!("the controller{seen} {act}")
}

fn due(timers: Timers) -> impl Iterator<Item = &'static str> {
    let Timers { bake, healthy, progress, drain, window } = timers;
    let list = [(bake, "bake"), (healthy, "healthy"), (progress, "progress"), (drain, "drain"), (window, "window")];
    list.into_iter().filter(|(on, _)| *on).map(|(_, name)| name)
}

fn split(split: &Split) -> String {
    match split {
        Split::Weighted([a, b]) => format!("{}%:{}%", f64::from(*a) / 100.0, f64::from(*b) / 100.0),
        Split::Members([0, 0]) => "hold".to_owned(),
        Split::Members([a, 0]) => format!("A({a})"),
        Split::Members([0, b]) => format!("B({b})"),
        Split::Members([a, b]) => format!("A({a})+B({b})"),
    }
}

/// A route in words: the split, and after `or` its fallback.
pub fn route(route: &Route) -> String {
    let fallback = route.fallback.map_or_else(String::new, |x| format!(" or {}", split(&x)));
    format!("{}{fallback}", split(&route.split))
}

/// A write in words.
pub fn write(write: &Write) -> String {
    match write {
        Write::Claim => "claim".to_owned(),
        Write::Resize { slot, to, rev, pin } => {
            let pin = if *pin { ", pinned" } else { "" };
            format!("{} to {to} of r{}{pin}", ["A", "B"][*slot], rev.0)
        }
        Write::Route(to) => format!("route {}", route(to)),
        Write::Rewrite { slot, rev } => format!("rewrite {} as r{}", ["A", "B"][*slot], rev.0),
    }
}

/// A phase in words.
pub fn phase(status: &serin_rollout::Status) -> String {
    match status.phase {
        Phase::Idle => "Idle".to_owned(),
        Phase::Step(at) => {
            let reached = if at.reached { " reached" } else { "" };
            let weight = at.weight.map_or_else(String::new, |w| format!(" weight {w}"));
            let lost = if at.lost > 0 { format!(" lost {}", at.lost) } else { String::new() };
            let forced = if at.forced { " forced" } else { "" };
            format!("Step {}{reached}{weight}{lost}{forced}", at.step)
        }
        Phase::Settling { leg: Leg::Window, .. } => "Window".to_owned(),
        Phase::Settling { leg: Leg::Retire, .. } => "Retire".to_owned(),
        Phase::Settling { leg: Leg::Home, .. } => {
            let copy = status.rev[0] == status.rev[1];
            if copy && status.proven[serin_rollout::other(status.good)] {
                "Home copied".to_owned()
            } else {
                (if copy { "Home copying" } else { "Home" }).to_owned()
            }
        }
        Phase::Back { why, keep } => format!("Back {why:?}{}", if keep { " keep" } else { "" }),
        Phase::Halted { from } => format!("Halted {from:?}"),
        Phase::Parked { split: kept, .. } => format!("Parked {}", split(&kept)),
    }
}

fn set(name: &str, set: &Seen) -> String {
    if set.total() == 0 && set.desired == 0 {
        return format!("{name} empty");
    }
    let surplus = set.total().saturating_sub(set.desired);
    let going = if surplus > 0 { format!(" -{surplus}") } else { String::new() };
    let busy = if set.busy > 0 { format!(" busy {}", set.busy) } else { String::new() };
    format!("{name} r{} {}/{}{}{going}{busy}", set.rev, set.ready, set.desired, if set.pinned { "*" } else { "" })
}

/// A state in words. `*` pinned, `-1` one is going.
pub fn describe(world: &World, s: &State) -> String {
    let status = world.status(s.status);
    let older: Vec<String> = s.older.iter().filter(|id| **id != 0).map(|id| route(&world.route(*id))).collect();
    let late = if s.late { format!(" (not confirmed; still {})", older.join(", ")) } else { String::new() };
    let view = |k: usize| {
        let view = &s.view[k];
        let known = view.fresh && view.set == s.set[k].seen();
        if known {
            String::new()
        } else {
            format!(" sees[{}{}]", set("", &view.set), if view.fresh { "" } else { " stale" })
        }
    };
    let good = ["A", "B"][status.good];
    let mut text = format!(
        "{}{}; {}{}; route {}{late}; {} good={good}",
        set("A", &s.set[0].seen()),
        view(0),
        set("B", &s.set[1].seen()),
        view(1),
        route(&world.route(s.accepted)),
        phase(&status),
    );
    if status.proven != [status.good == 0, status.good == 1] {
        let _ = write!(text, " proven={:?}", status.proven);
    }
    let _ = write!(text, " wanted=r{}", s.wanted);
    if world.sizes.len() > 1 {
        let replicas = |plan: u8| world.sizes[usize::from(plan)].limits.replicas;
        let _ = write!(text, " R={} counts, {} wanted", world.limits(s).replicas, replicas(s.scale));
    }
    if s.flight.write != 0 {
        text.push_str("; a write is under way");
    }
    if s.zombie.write != 0 || s.zombie_save != 0 {
        text.push_str("; a dead controller's write is under way");
    }
    if s.debt != [0; 2] {
        let _ = write!(text, "; owed {:?}", s.debt);
    }
    text
}
