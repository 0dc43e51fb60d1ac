//! Stories in text: what is done to a service, and what the core makes of it. `UPDATE=1 cargo test -p serin-rollout`
//! writes the answers anew; they are reviewed as diffs.
//!
//! A line that begins with `$` is done, the lines below it are the answer. After each one the core decides until it
//! waits; every write passes `permit` and is carried out, but the world only moves when the story says so.
use serin_rollout::*;
use std::fmt::Write as _;
use std::path::Path;

struct Story {
    plan: Plan,
    status: Status,
    seen: Observation,
}

impl Story {
    /// `service weights 10 50 replicas 2`: at rest on revision 1.
    fn begin(words: &[&str]) -> Story {
        let accept = Accept { bake_ms: Some(1), checks: true, manual: words.contains(&"manual") };
        let number = |name: &str| {
            let at = words.iter().position(|word| *word == name);
            at.and_then(|at| words[at + 1].parse::<u16>().ok())
        };
        let preset = match words[0] {
            "weights" => Preset::Weights(
                words[1..]
                    .iter()
                    .map_while(|word| word.parse::<u16>().ok())
                    .map(|percent| WeightStep { weight: percent * 100, accept })
                    .collect(),
            ),
            "blue-green" => Preset::BlueGreen { before: Accept::default(), after: accept },
            "canary-kept" => Preset::CanaryKept { one_by_one: false, first: accept, each: Accept::default() },
            "one-by-one" => Preset::CanaryKept { one_by_one: true, first: accept, each: Accept::default() },
            "in-place" => Preset::InPlace { after: accept },
            other => panic!("there is no strategy {other}"),
        };
        let n = number("replicas").unwrap_or(1);
        let mut plan = Plan::compile(&preset, n, 0, words[0] == "in-place").unwrap();
        if words.contains(&"park") {
            plan.on_abort = OnAbort::Park;
        }
        if let Some(at) = words.iter().position(|word| *word == "home") {
            let shares = words[at + 1..].iter().map_while(|word| word.parse::<u16>().ok()).map(|percent| percent * 100);
            plan = Plan { window: false, ..plan.with_home(0, shares.collect()).unwrap() };
        }
        let set = SetSeen { rev: Some(Rev(1)), desired: n, total: n, ready: n, healthy: n, ..SetSeen::EMPTY };
        let mut status = Status::first(Rev(1));
        status.proven[0] = true;
        let slot = usize::from(words.contains(&"away"));
        let mut sets = [SetSeen::EMPTY; 2];
        sets[slot] = set;
        if slot == 1 {
            (status.good, status.rev, status.proven) = (1, [None, Some(Rev(1))], [false, true]);
        }
        let seen = Observation {
            claimed: true,
            set: sets,
            route: RouteSeen { accepted: Route::plain(Split::all(slot, n)), acked: true, in_force: vec![] },
            intent: Intent::of(Rev(1)),
            verdict: None,
            due: Timers::default(),
            failed: None,
        };
        Story { plan, status, seen }
    }

    fn act(&mut self, words: &[&str]) {
        let number = |at: usize| words[at].parse::<u16>().unwrap();
        let (rollout, key) = (Some(self.status.rollout), Some(self.status.now()));
        let set = |story: &mut Story| -> usize { usize::from(number(1)).min(story.seen.set.len() - 1) };
        match words[0] {
            "want" => self.seen.intent.wanted = Rev(u32::from(number(1))),
            "ready" => {
                let slot = set(self);
                let set = &mut self.seen.set[slot];
                set.total = set.total.max(set.desired);
                (set.ready, set.healthy) = (number(2), number(2));
            }
            "young" => {
                let slot = set(self);
                self.seen.set[slot].total = self.seen.set[slot].desired;
                (self.seen.set[slot].ready, self.seen.set[slot].healthy) = (number(2), 0);
            }
            "gone" => {
                let slot = set(self);
                let set = &mut self.seen.set[slot];
                set.total = set.desired;
                (set.ready, set.healthy) = (set.ready.min(set.total), set.healthy.min(set.total));
            }
            "busy" => {
                let slot = set(self);
                self.seen.set[slot].busy = number(2);
            }
            "stale" => {
                let slot = set(self);
                self.seen.set[slot].fresh = false;
            }
            "ack" => (self.seen.route.acked, self.seen.route.in_force) = (true, vec![]),
            "crash" => self.seen.claimed = false,
            "verdict" => {
                let verdict = if words[1] == "pass" { Verdict::Pass } else { Verdict::Fail };
                self.seen.verdict = Some((self.status.now(), verdict));
            }
            "due" => match words[1] {
                "bake" => self.seen.due.bake = true,
                "healthy" => self.seen.due.healthy = true,
                "progress" => self.seen.due.progress = true,
                "drain" => self.seen.due.drain = true,
                "window" => self.seen.due.window = true,
                other => panic!("there is no timer {other}"),
            },
            "abort" => self.seen.intent.abort = rollout,
            "pause" => self.seen.intent.pause = rollout,
            "unpause" => self.seen.intent.pause = None,
            "park" => self.seen.intent.park = rollout,
            "resume" => (self.seen.intent.park, self.seen.intent.abort, self.seen.intent.resume) = (None, None, key),
            "retire" => self.seen.intent.retire = rollout,
            "rollback" => self.seen.intent.rollback = rollout,
            "approve" => self.seen.intent.approved = key,
            "promote" => self.seen.intent.promote = key.map(|key| (key, words.get(1) == Some(&"full"))),
            "weight" => self.seen.intent.weight = key.map(|key| (key, number(1) * 100)),
            "look" => {}
            other => panic!("nobody can {other}"),
        }
    }

    /// Decides until there is something to wait for.
    fn decide(&mut self) -> String {
        let mut out = String::new();
        for _ in 0..50 {
            match decide(&self.plan, &self.status, &self.seen) {
                Decision::Wait(on) => {
                    let _ = writeln!(out, "  waits for {on:?}");
                    return out;
                }
                Decision::Save(status, events) => {
                    let _ = writeln!(out, "  saves {:?}{}", status.phase, list(&events));
                    self.status = status;
                    self.seen.due = Timers::default();
                }
                Decision::Ask(write) => {
                    let permitted = permit(&self.plan.limits, &self.seen, &write);
                    let _ = writeln!(out, "  asks  {}", spoken(&write));
                    if let Err(refusal) = permitted {
                        let _ = writeln!(out, "  which is refused: {refusal:?}");
                        return out;
                    }
                    self.apply(write);
                }
            }
        }
        panic!("it never waits:\n{out}")
    }

    fn apply(&mut self, write: Write) {
        match write {
            Write::Claim => self.seen.claimed = true,
            Write::Resize { slot, to, rev, pin } => {
                let set = &mut self.seen.set[slot];
                (set.desired, set.rev, set.pinned) = (to, Some(rev), pin);
            }
            Write::Route(route) => {
                self.seen.route.in_force.extend(self.seen.route.accepted.splits());
                (self.seen.route.accepted, self.seen.route.acked) = (route, false);
            }
            Write::Rewrite { slot, rev } => {
                let set = &mut self.seen.set[slot];
                (set.rev, set.ready, set.healthy) = (Some(rev), 0, 0);
            }
        }
    }
}

fn list(events: &[Event]) -> String {
    if events.is_empty() {
        return String::new();
    }
    let words: Vec<String> = events.iter().map(|event| format!("{event:?}")).collect();
    format!("\n        and says {}", words.join(", "))
}

fn spoken(write: &Write) -> String {
    match write {
        Write::Claim => "to claim".to_owned(),
        Write::Resize { slot, to, rev, pin } => {
            format!("slot {slot} to {to} of revision {}{}", rev.0, if *pin { "" } else { ", not pinned" })
        }
        Write::Route(route) => {
            let fallback = route.fallback.map(|split| format!(", fallback {split:?}")).unwrap_or_default();
            format!("route {:?}{fallback}{}", route.split, if route.lease { ", leased" } else { "" })
        }
        Write::Rewrite { slot, rev } => format!("slot {slot} rewritten to revision {}", rev.0),
    }
}

/// The story with the answers of today.
fn told(text: &str) -> String {
    let (mut out, mut story) = (String::new(), None);
    for line in text.lines() {
        if line.starts_with("  ") {
            continue;
        }
        let _ = writeln!(out, "{line}");
        let Some(done) = line.strip_prefix("$ ") else { continue };
        let words: Vec<&str> = done.split_whitespace().collect();
        if words[0] == "service" {
            story = Some(Story::begin(&words[1..]));
        }
        let story = story.as_mut().expect("a story begins with a service");
        if words[0] != "service" {
            story.act(&words);
        }
        out.push_str(&story.decide());
    }
    out
}

#[test]
fn every_story_is_told_as_before() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut stories: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    stories.sort();
    assert!(stories.len() >= 10, "the stories are there");
    for path in stories {
        let text = std::fs::read_to_string(&path).unwrap();
        let now = told(&text);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &now).unwrap();
        } else {
            assert_eq!(text, now, "{}: UPDATE=1 writes it anew", path.display());
        }
    }
}
