//! The status as a tree of text: what the service does, what it waits for, how traffic goes, and every instance.

use std::fmt::Write as _;

use serin_api::{
    AnalysisView, Ending, InstanceView, PhaseWord, RouteView, SlotView, Split, StatusView, Strength, Track, Verdict,
    Waiting,
};

use super::{
    moment::{age, length, percent},
    terminal::Paint,
};

/// Draws `s`.
pub(super) fn tree(s: &StatusView, paint: Paint) -> String {
    let mut out = String::new();
    head(s, paint, &mut out);
    rollout(s, paint, &mut out);
    row(&mut out, "Addresses:", &addresses(s));
    row(&mut out, "Route:", &route(&s.route, s, paint));
    if let Some(a) = &s.analysis {
        analysis(a, paint, &mut out);
    }
    out.push('\n');
    instances(s, paint, &mut out);
    out
}

fn row(out: &mut String, name: &str, text: &str) {
    let _ = writeln!(out, "{name:<12} {text}"); // writing to a String cannot fail
}

/// The symbol and the word of the phase.
pub(super) fn phase(s: &StatusView, paint: Paint) -> String {
    let word = s.phase.word();
    match s.phase {
        PhaseWord::Idle => idle(s, paint),
        PhaseWord::Step if s.paused.is_some() => paint.yellow("॥ Paused"),
        PhaseWord::Step | PhaseWord::Settling => paint.yellow(&format!("◌ {word}")),
        PhaseWord::Back => paint.red(&format!("↩ {word}")),
        PhaseWord::Halted => paint.red(&format!("✖ {word}")),
        PhaseWord::Parked => paint.yellow(&format!("⚑ {word}")),
    }
}

/// Nothing is being released: then what counts is whether the stable set is whole.
fn idle(s: &StatusView, paint: Paint) -> String {
    let Some(stable) = s.slots.iter().find(|slot| slot.track == Some(Track::Stable)) else {
        return paint.dim("· Not started");
    };
    if s.waiting.as_ref().is_some_and(|waiting| waiting.reason == Waiting::LOOKING) {
        paint.dim("◌ Looking")
    } else if stable.ready >= stable.desired {
        paint.green("✔ Healthy")
    } else if stable.ready > 0 {
        paint.yellow("! Degraded")
    } else if stable.instances.iter().all(|i| i.state == "starting" && i.restarts == 0) {
        paint.yellow("◌ Starting")
    } else {
        paint.red("✖ Down")
    }
}

fn head(s: &StatusView, paint: Paint, out: &mut String) {
    row(out, "Name:", &paint.bold(&s.service));
    row(out, "Status:", &phase(s, paint));
    if !s.message.is_empty() {
        row(out, "Message:", &s.message);
    }
    if let Some(w) = &s.waiting {
        let limit = match w.deadline {
            Some(at) if at > s.now => format!(", at most {} more", length(at - s.now)),
            Some(_) => ", any moment now".to_owned(),
            None => ", no deadline".to_owned(),
        };
        row(out, "Waiting:", &format!("{} ({}, for {}{limit})", w.text, w.reason, age(s.now, w.since)));
    }
    if let Some(p) = &s.paused {
        row(
            out,
            "Paused:",
            &format!("by {}, {} ago; judging goes on; `serin resume` goes on", p.by, age(s.now, p.since)),
        );
    }
    if let Some(p) = &s.parked {
        row(
            out,
            "Parked:",
            &format!("by {}, {} ago: {}; `serin resume` or `serin abort` ends it", p.by, age(s.now, p.since), p.reason),
        );
    }
    for gate in &s.gates {
        let text = match &gate.opened_by {
            Some(who) => format!("{} was opened by {who}", gate.name),
            None => format!("{} waits for a person: `serin approve` opens it", gate.name),
        };
        row(out, "Gate:", &text);
    }
    for warning in &s.warnings {
        row(out, "Warning:", &paint.yellow(warning));
    }
    if let Some(last) = &s.last {
        let word = match last.ending {
            Ending::Promoted => paint.green(last.ending.words()),
            Ending::RolledBack | Ending::Failed | Ending::Halted => paint.red(last.ending.words()),
            Ending::Aborted | Ending::Superseded | Ending::Parked => paint.yellow(last.ending.words()),
        };
        let verb = match last.ending {
            Ending::Failed => "",
            Ending::Halted => "is ",
            Ending::Promoted | Ending::RolledBack | Ending::Aborted | Ending::Superseded | Ending::Parked => "was ",
        };
        let why = if last.reason.is_empty() { String::new() } else { format!(": {}", last.reason) };
        row(
            out,
            "Last:",
            &format!(
                "rollout {} of {} {verb}{word} {} ago{why}",
                last.rollout,
                last.revision.short,
                age(s.now, last.at)
            ),
        );
    }
}

fn rollout(s: &StatusView, paint: Paint, out: &mut String) {
    let Some(r) = &s.rollout else { return };
    let from = r.from.as_ref().map_or("nothing".to_owned(), |f| f.short.clone());
    let attempt = if r.attempt > 0 { format!(", attempt {}", r.attempt + 1) } else { String::new() };
    row(
        out,
        "Rollout:",
        &format!("{} {from} → {} by {}, for {}", r.number, paint.bold(&r.to.short), r.strategy, age(s.now, r.started)),
    );
    row(out, "Step:", &format!("{}/{}{attempt}", u32::from(r.step) + 1, r.steps));
    let achieved = |share| format!("achieved {} of {} requests", percent(share), r.requests);
    let achieved = r.share.map_or("no requests yet".to_owned(), achieved);
    row(out, "Weight:", &format!("asked {}, {achieved}", percent(r.weight)));
}

fn addresses(s: &StatusView) -> String {
    let mut text = s.addresses.main.clone();
    for (name, address) in [("stable", &s.addresses.stable), ("canary", &s.addresses.canary)] {
        if let Some(address) = address {
            let _ = write!(text, "  ({name} alone: {address})");
        }
    }
    text
}

/// What a slot is called: by its part in the release, and once the release is promoted, the old one as such.
fn side(s: &StatusView, slot: usize) -> &'static str {
    match s.slots[slot].track {
        Some(Track::Stable) => "stable",
        Some(Track::Canary) if s.slots[slot].warm => "previous",
        Some(Track::Canary) => "canary",
        None => "empty slot",
    }
}

fn split(split: Split, s: &StatusView) -> String {
    let instances = |n: u16| if n == 1 { "1 instance".to_owned() } else { format!("{n} instances") };
    let parts: Vec<_> = match split {
        Split::Weighted(w) => {
            (0..2).filter(|k| w[*k] > 0).map(|k| format!("{} to {}", percent(w[k]), side(s, k))).collect()
        }
        Split::Members([n, 0]) if n > 0 => vec![format!("100% to {} ({})", side(s, 0), instances(n))],
        Split::Members([0, n]) if n > 0 => vec![format!("100% to {} ({})", side(s, 1), instances(n))],
        Split::Members(m) => {
            (0..2).filter(|k| m[*k] > 0).map(|k| format!("{} of {}", instances(m[k]), side(s, k))).collect()
        }
    };
    if parts.is_empty() { "requests are held".to_owned() } else { parts.join(", ") }
}

fn route(r: &RouteView, s: &StatusView, paint: Paint) -> String {
    let mut text = split(r.split, s);
    if !r.in_force {
        text.push_str(&paint.yellow(", not in force everywhere yet"));
    }
    match r.strength {
        Strength::Dataplane => {}
        Strength::Measured => text.push_str(", known by measuring only"),
        Strength::Time => text.push_str(", known by waiting only"),
    }
    if r.falling_back {
        text.push_str(&paint.red(", the proxy has gone back to the fallback by itself"));
    } else if r.fallback == Some(r.split) {
        text.push_str("; keeps that without the controller");
    } else if let Some(fallback) = r.fallback {
        let lease = r.lease_ms.map_or(String::new(), |ms| format!(" after {} without the controller", length(ms)));
        let _ = write!(text, "; falls back to {}{lease}", split(fallback, s));
    }
    for (k, open) in r.circuit.iter().enumerate() {
        if *open {
            text.push_str(
                &paint.red(&format!("; {} refuses connections, its requests go to the other side", side(s, k))),
            );
        }
    }
    text
}

fn analysis(a: &AnalysisView, paint: Paint, out: &mut String) {
    row(
        out,
        "Analysis:",
        &format!("{} of {} failures in a row, {} of {} in all", a.consecutive, a.consecutive_max, a.total, a.total_max),
    );
    for m in &a.metrics {
        let sign = match m.result {
            Verdict::Pass => paint.green("✔"),
            Verdict::Fail => paint.red("✖"),
            Verdict::Inconclusive => paint.dim("?"),
            Verdict::Error => paint.yellow("!"),
        };
        let value = m.value.as_deref().unwrap_or("no data");
        let word = if m.result == Verdict::Pass { String::new() } else { format!(", {}", m.result.word()) };
        row(out, "", &format!("{sign} {:<16} {value} (limit {}), {} requests{word}", m.name, m.limit, m.samples));
    }
}

fn instances(s: &StatusView, paint: Paint, out: &mut String) {
    let shown: Vec<&SlotView> = s.slots.iter().filter(|slot| slot.track.is_some() || slot.total > 0).collect();
    let _ = writeln!(out, "{}", paint.bold(&s.service));
    if shown.is_empty() {
        let _ = writeln!(out, "└── no instances");
    }
    for (i, slot) in shown.iter().enumerate() {
        let (branch, below) = if i + 1 == shown.len() { ("└──", "   ") } else { ("├──", "│  ") };
        let _ = writeln!(out, "{branch} {}", set(slot, paint));
        let width = slot.instances.iter().map(|x| x.id.chars().count()).max().unwrap_or(0);
        for (j, instance) in slot.instances.iter().enumerate() {
            let twig = if j + 1 == slot.instances.len() { "└──" } else { "├──" };
            let _ = writeln!(out, "{below} {twig} {}", line(instance, s.now, width, paint));
        }
    }
}

fn set(slot: &SlotView, paint: Paint) -> String {
    let name = match slot.track {
        Some(Track::Canary) if slot.warm => paint.dim("previous"),
        Some(Track::Stable) => paint.green("stable"),
        Some(Track::Canary) => paint.yellow("canary"),
        None => paint.dim("leaving"),
    };
    let revision = slot.revision.as_ref().map_or(String::new(), |r| format!(" {}", r.short));
    let ready = format!("{}/{} ready", slot.ready, slot.desired);
    let ready = if slot.ready >= slot.desired { ready } else { paint.yellow(&ready) };
    let proven = if slot.healthy < slot.ready { format!(", {} proven", slot.healthy) } else { String::new() };
    let surplus =
        if slot.total > slot.desired { format!(", {} leaving", slot.total - slot.desired) } else { String::new() };
    let warm = if slot.warm { ", kept warm as the way back" } else { "" };
    format!("{name}{revision}  {ready}{proven}{surplus}{warm}")
}

fn line(i: &InstanceView, now: u64, width: usize, paint: Paint) -> String {
    let sign = match i.state.as_str() {
        "ready" => paint.green("✔"),
        "starting" | "draining" | "stopping" => paint.yellow("◌"),
        "stopped" => paint.dim("·"),
        _ => paint.red("✖"),
    };
    let mut text = format!("{sign} {:<width$}  {:<8}  {:<6}  {}", i.id, i.state, age(now, i.since), i.address);
    if let Some(pid) = i.pid {
        let _ = write!(text, "  pid {pid}");
    }
    if i.open > 0 {
        let _ = write!(text, "  {} open", i.open);
    }
    if i.restarts > 0 {
        let _ = write!(text, "  {} restart{}", i.restarts, if i.restarts == 1 { "" } else { "s" });
    }
    if let Some(exit) = &i.last_exit {
        let _ = write!(text, "  last: {exit}");
    }
    text
}
