//! The monitors over journals: a good one is sound, and one that is broken in any named way is found out by the monitor
//! that is meant to.
mod rig;

use rig::Rig;
use serde_json::{Value, json};
use serin_rollout::Verdict;
use serin_sim::trace::monitor::Monitor;
use serin_sim::trace::{Report, trace};
use std::path::{Path, PathBuf};

const STATE: &str = "shop";

/// A first start, a release that is promoted although the controller dies under way, and one that goes back.
fn good(dir: &Path) -> PathBuf {
    let state = dir.join(STATE);
    let mut rig = Rig::new(&state);
    rig.release(1, Verdict::Pass);
    rig.begin_release(2, &state);
    rig.release(2, Verdict::Pass);
    rig.release(3, Verdict::Fail);
    state
}

/// One journal as JSON, to be broken.
struct Pages {
    path: PathBuf,
    lines: Vec<Value>,
}

impl Pages {
    fn of(path: PathBuf) -> Pages {
        let text = std::fs::read_to_string(&path).unwrap();
        Pages { path, lines: text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() }
    }

    fn write(&self) {
        let text: String = self.lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&self.path, text).unwrap();
    }

    /// The lines in which the value at `pointer` is there and fits.
    fn all(&self, pointer: &str, fits: impl Fn(&Value) -> bool) -> Vec<usize> {
        let found = |at: &usize| self.lines[*at].pointer(pointer).is_some_and(&fits);
        (0..self.lines.len()).filter(found).collect()
    }

    fn at(&mut self, line: usize, pointer: &str) -> &mut Value {
        self.lines[line].pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}"))
    }

    /// Numbers the lines of each incarnation anew, as if what was taken out had never been.
    fn renumber(&mut self) {
        let mut last = (0, 0);
        for line in &mut self.lines {
            let run = line["run"].as_u64().unwrap();
            last = if last.0 == run { (run, last.1 + 1) } else { (run, 1) };
            line["seq"] = last.1.into();
        }
    }
}

/// Breaks one journal of a good service; what is found then, by the names of the monitors.
fn broken(journal: &str, breaks: impl Fn(&mut Pages)) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let mut pages = Pages::of(good(dir.path()).join(journal));
    breaks(&mut pages);
    pages.write();
    let report = trace(dir.path()).unwrap();
    report.findings.iter().map(|finding| format!("{:?}", finding.monitor)).collect()
}

fn found_by(monitor: &str, journal: &str, breaks: impl Fn(&mut Pages)) {
    let found = broken(journal, breaks);
    assert!(found.iter().any(|name| name == monitor), "{monitor} is not among {found:?}");
}

const DECISIONS: &str = "decisions.jsonl";
const PROXY: &str = "proxy/facts.jsonl";
const INSTANCES: &str = "instances.jsonl";

fn told(report: &Report) -> String {
    report.findings.iter().map(|finding| format!("{finding}\n")).collect()
}

#[test]
fn a_good_service_is_sound() {
    let dir = tempfile::tempdir().unwrap();
    good(dir.path());
    let report = trace(dir.path()).unwrap();
    assert!(report.is_sound(), "{}", told(&report));
    let counted = &report.counted;
    assert_eq!((report.services, counted.started, counted.promoted, counted.returned), (1, 2, 1, 1));
    assert!(counted.writes > 10 && counted.saves > 5 && counted.reached > 20, "{counted:?}");
}

#[test]
fn nothing_is_not_sound_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let why = |says: &str| {
        let report = trace(dir.path()).unwrap();
        let why = report.nothing().unwrap_or_default();
        assert!(!report.is_sound() && why.contains(says), "{why}");
    };
    why("no decisions.jsonl is here or below");
    let state = dir.path().join(STATE);
    std::fs::create_dir(&state).unwrap();
    std::fs::write(state.join(DECISIONS), "").unwrap();
    why("no controller has decided anything yet");
    let mut rig = Rig::new(&state);
    rig.release(1, Verdict::Pass);
    rig.begin_release(2, &state);
    why("none has ended");
    for (name, says) in [("nowhere", "is not there"), ("shop/decisions.jsonl", "is not a directory")] {
        let error = trace(&dir.path().join(name)).unwrap_err();
        assert!(error.contains(says) && error.contains("name the state directory"), "{error}");
    }
}

/// A journal as it is after its file was full: the older half beside it, and nothing of it lost.
#[test]
fn both_halves_of_a_journal_that_was_turned_over_are_read_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let state = good(dir.path());
    let whole = trace(dir.path()).unwrap();
    for journal in [DECISIONS, "instances.jsonl", "proxy/facts.jsonl"] {
        let path = state.join(journal);
        let text = std::fs::read_to_string(&path).unwrap();
        let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        let older = serin_journal::older(&path);
        for end in ends.iter().step_by(7).chain(ends.last()) {
            std::fs::write(&older, &text[..*end]).unwrap();
            std::fs::write(&path, &text[*end..]).unwrap();
            let report = trace(dir.path()).unwrap();
            let count = |report: &Report| (report.lines, report.facts, report.counted.writes, report.counted.promoted);
            assert!(report.is_sound() && count(&report) == count(&whole), "{journal} {end}: {}", told(&report));
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(trace(dir.path()).unwrap().services, 1, "{journal}: the older half alone is there");
        std::fs::write(&path, &text).unwrap();
        std::fs::remove_file(&older).unwrap();
    }
}

/// Facts are fewer than decisions and are kept for longer: that nobody is left who asked is no finding.
#[test]
fn facts_that_are_older_than_every_decision_that_is_left_are_let_be() {
    let dir = tempfile::tempdir().unwrap();
    let whole = Pages::of(good(dir.path()).join(DECISIONS));
    let plan = &whole.lines[whole.all("/what/plan", |_| true)[0]]["what"];
    let cuts = whole.all("/what/decision", |_| true);
    let cuts = cuts.iter().filter(|cut| **cut > 10 && whole.lines[**cut]["run"] == whole.lines[**cut - 1]["run"]);
    assert!(cuts.clone().count() > 30);
    for cut in cuts {
        let mut turned = Pages { path: whole.path.clone(), lines: whole.lines[*cut - 1..].to_vec() };
        turned.lines[0]["what"] = plan.clone(); // which each file begins with
        turned.lines[0]["boot"] = turned.lines[1]["boot"].clone();
        turned.write();
        let report = trace(dir.path()).unwrap();
        assert!(report.findings.is_empty() && report.lines > 1, "{cut}: {}", told(&report));
    }
}

#[test]
fn a_line_that_nobody_finished_is_counted_and_one_that_makes_no_sense_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = good(dir.path()).join(DECISIONS);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}{{\"at\":17000")).unwrap();
    let report = trace(dir.path()).unwrap();
    assert!(report.is_sound() && report.torn == 1, "{}", told(&report));
    std::fs::write(&path, text.replacen("\"what\":", "\"that\":", 1)).unwrap();
    let error = trace(dir.path()).unwrap_err();
    assert!(error.contains("decisions.jsonl:1 makes no sense") && !error.contains("at line"), "{error}");
    std::fs::write(&path, b"\x96\xff rubbish\nand more\n").unwrap();
    assert!(
        trace(dir.path()).unwrap_err().contains("decisions.jsonl:1 makes no sense"),
        "rubbish begins where it begins"
    );
    let cut = text.replacen("\"seq\":5,", "", 1);
    std::fs::write(&path, cut).unwrap();
    assert!(trace(dir.path()).is_err());
}

/// The first line may have gone with an older file, and the last of a dead incarnation may never have been written.
#[test]
fn every_other_line_of_decisions_is_missed_when_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let lines = Pages::of(good(dir.path()).join(DECISIONS)).lines;
    let between = (1..lines.len() - 1).filter(|line| lines[*line]["run"] == lines[*line + 1]["run"]);
    assert!(between.clone().count() > 50);
    for line in between {
        let found = broken(DECISIONS, |pages| drop(pages.lines.remove(line)));
        assert!(!found.is_empty(), "line {}", line + 1);
    }
}

#[test]
fn a_decision_that_was_altered_is_found() {
    found_by("Decides", DECISIONS, |pages| {
        let line = pages.all("/what/decision/choice/wait", |_| true)[3];
        *pages.at(line, "/what/decision/choice") = json!({ "wait": "parked" });
    });
    found_by("Permits", DECISIONS, |pages| {
        let line = pages.all("/what/decision/permit", |_| true)[2];
        *pages.at(line, "/what/decision/permit") = json!({ "refused": "capacity" });
    });
}

#[test]
fn a_write_without_permission_is_found() {
    let lowers = |pages: &Pages| {
        let to_nothing = pages.all("/what/decision/choice/ask/resize/to", |to| to == &json!(0));
        to_nothing[0]
    };
    found_by("Permitted", DECISIONS, |pages| {
        let line = lowers(pages);
        pages.lines[line]["what"]["decision"].as_object_mut().unwrap().remove("permit");
    });
    found_by("Permitted", DECISIONS, |pages| {
        let line = lowers(pages);
        pages.lines.remove(line);
        pages.renumber();
    });
    found_by("Invariant(Drain)", DECISIONS, |pages| {
        let line = lowers(pages);
        let slot = pages.at(line, "/what/decision/choice/ask/resize/slot").as_u64().unwrap();
        *pages.at(line, &format!("/what/decision/fresh/set/{slot}/busy")) = json!(1);
    });
    found_by("Invariant(Destruction)", DECISIONS, |pages| {
        let line = lowers(pages);
        let slot = pages.at(line, "/what/decision/choice/ask/resize/slot").as_u64().unwrap();
        *pages.at(line, "/what/decision/fresh/route/in_force") =
            json!([{ "members": if slot == 0 { [2, 0] } else { [0, 2] } }]);
    });
    found_by("Claims", DECISIONS, |pages| {
        let line = pages.all("/what/decision/choice/ask/route", |_| true)[0];
        *pages.at(line, "/what/decision/fresh/claimed") = json!(false);
    });
}

#[test]
fn a_route_that_is_not_carried_or_jumps_is_found() {
    let second = |pages: &Pages| pages.all("/what/decision/choice/ask/route/split/weighted", |_| true)[0];
    found_by("Invariant(RouteWrite)", DECISIONS, |pages| {
        let line = second(pages);
        *pages.at(line, "/what/decision/fresh/set/1/ready") = json!(0);
    });
    found_by("Invariant(Share)", DECISIONS, |pages| {
        let line = second(pages);
        *pages.at(line, "/what/decision/choice/ask/route/split/weighted") = json!([1_000, 9_000]);
    });
    found_by("Invariant(Pinned)", DECISIONS, |pages| {
        let line = second(pages);
        *pages.at(line, "/what/decision/fresh/set/1/pinned") = json!(false);
    });
}

#[test]
fn a_save_that_skips_or_that_nothing_allows_is_found() {
    let saves =
        |pages: &Pages| pages.all("/what/decision/choice/save/status/phase/step/step", |step| step == &json!(1));
    found_by("Invariant(Acceptance)", DECISIONS, |pages| {
        let line = saves(pages)[0];
        *pages.at(line, "/what/decision/seen/verdict/1") = json!("inconclusive");
    });
    found_by("Skips", DECISIONS, |pages| {
        let line = saves(pages)[0];
        *pages.at(line, "/what/decision/choice/save/status/phase/step/step") = json!(2);
    });
    found_by("Skips", DECISIONS, |pages| {
        let line = saves(pages)[0];
        pages.lines.drain(line..=line + 1);
        pages.renumber();
    });
    found_by("Answered", DECISIONS, |pages| {
        let line = saves(pages)[0];
        pages.lines.remove(line + 1);
        pages.renumber();
    });
}

/// A change of one value in one observation: the line in which a wait is told during a step, after which more follows.
fn seen(pages: &Pages) -> usize {
    let steps = pages.all("/what/decision/status/phase/step", |_| true);
    let settled = |line: &&usize| {
        let seen = &pages.lines[**line]["what"]["decision"];
        let waits = seen["choice"].get("wait").is_some() && seen["seen"]["route"]["acked"] == json!(true);
        waits && seen["status"]["phase"]["step"]["reached"] == json!(true)
    };
    *steps.iter().find(settled).unwrap()
}

#[test]
fn what_the_world_does_not_offer_is_found() {
    let cases: [(&str, &str, Value); 12] = [
        ("Orders", "set/1/rev", json!(7)),
        ("Orders", "set/0/desired", json!(1)),
        ("Orders", "set/0/pinned", json!(false)),
        ("Created", "set/0/total", json!(5)),
        ("Counts", "set/0/ready", json!(9)),
        ("Busy", "set/0/busy", json!(1)),
        ("Stale", "set/1/fresh", json!(false)),
        ("Accepted", "route/accepted/split", json!({ "weighted": [5_500, 4_500] })),
        ("InForce", "route/in_force", json!([{ "weighted": [5_500, 4_500] }])),
        ("Due", "due/window", json!(true)),
        ("Claimed", "claimed", json!(false)),
        ("Failed", "failed", json!("platform")),
    ];
    for (monitor, pointer, value) in cases {
        found_by(monitor, DECISIONS, |pages| {
            let line = seen(pages);
            *pages.at(line, &format!("/what/decision/seen/{pointer}")) = value.clone();
        });
    }
    found_by("Intent", DECISIONS, |pages| {
        let line = seen(pages);
        *pages.at(line, "/what/decision/seen/intent/abort") = json!(77);
    });
    found_by("Verdict", DECISIONS, |pages| {
        let line = seen(pages);
        *pages.at(line, "/what/decision/seen/verdict/0/rollout") = json!(77);
    });
    found_by("Frozen", DECISIONS, |pages| {
        let plan = pages.all("/what/plan", |_| true)[1];
        let mut other = pages.lines[plan].clone();
        let mut text: serin_rollout::Plan = serde_json::from_value(other["what"]["plan"]["plan"].clone()).unwrap();
        text.times.drain_ms += 1;
        let hash = serin_journal::decision::hash(&text);
        other["what"]["plan"] = json!({ "hash": hash, "plan": text });
        let line = seen(pages);
        *pages.at(line, "/what/decision/plan") = json!(hash);
        let boot = pages.lines[line]["boot"].clone();
        other["boot"] = boot;
        pages.lines.insert(line, other);
        pages.renumber();
    });
}

#[test]
fn an_acknowledgement_that_flips_for_no_reason_is_found() {
    found_by("Acknowledged", DECISIONS, |pages| {
        let line = seen(pages);
        let boot = pages.lines[line]["boot"].as_u64().unwrap();
        let mut flipped = pages.lines[line].clone();
        flipped["what"]["decision"]["seen"]["route"]["acked"] = json!(false);
        flipped["boot"] = (boot + 1).into();
        pages.lines.insert(line + 1, flipped);
        pages.renumber();
    });
}

/// As if the proxy had accepted at `boot` what it had accepted before, once more.
fn insert_table(proxy: &mut Pages, boot: u64) {
    let tables = proxy.all("/what/table", |_| true);
    let last = *tables.iter().rfind(|line| proxy.lines[**line]["boot"].as_u64() < Some(boot)).unwrap();
    let mut again = proxy.lines[last].clone();
    let at = (last + 1..proxy.lines.len()).find(|line| proxy.lines[*line]["boot"].as_u64() > Some(boot)).unwrap();
    for line in &mut proxy.lines[at..] {
        for pointer in ["/what/table/version", "/what/acknowledged/version"] {
            if let Some(version) = line.pointer_mut(pointer) {
                *version = json!(version.as_u64().unwrap() + 1);
            }
        }
    }
    again["boot"] = json!(boot);
    again["what"]["table"]["version"] = json!(again["what"]["table"]["version"].as_u64().unwrap() + 1);
    proxy.lines.insert(at, again);
    proxy.renumber();
}

/// What an incarnation writes down first is younger than what it saw first: a table that was accepted between its first
/// look and its second one is older than all of its lines.
#[test]
fn a_table_between_the_first_two_looks_explains_what_the_second_one_shows() {
    let dir = tempfile::tempdir().unwrap();
    let state = good(dir.path());
    let (mut decisions, mut proxy) = (Pages::of(state.join(DECISIONS)), Pages::of(state.join(PROXY)));
    let began = decisions.all("/what/began", |_| true)[1];
    let boot = decisions.at(began, "/boot").as_u64().unwrap();
    *decisions.at(began + 2, "/what/decision/fresh/route/acked") = json!(false);
    decisions.write();
    let report = trace(dir.path()).unwrap();
    assert!(report.findings.iter().any(|finding| finding.monitor == Monitor::Acknowledged), "{}", told(&report));
    insert_table(&mut proxy, boot - 1);
    proxy.write();
    let report = trace(dir.path()).unwrap();
    assert!(report.is_sound(), "{}", told(&report));
}

/// An instance that was to stay is gone: each rule allows that, and no world does it.
#[test]
fn what_each_rule_allows_alone_and_the_world_does_not_is_found() {
    found_by("Reachable", DECISIONS, |pages| {
        let line = seen(pages);
        let set = pages.at(line, "/what/decision/seen/set/0");
        (set["total"], set["ready"], set["healthy"]) = (json!(1), json!(1), json!(1));
    });
}

#[test]
fn facts_that_do_not_fit_are_found() {
    let tables = |pages: &Pages| pages.all("/what/table", |_| true);
    found_by("Versions", PROXY, |pages| {
        let line = tables(pages)[4];
        *pages.at(line, "/what/table/version") = json!(40);
    });
    found_by("Fenced", PROXY, |pages| {
        let line = tables(pages)[4];
        *pages.at(line, "/what/table/epoch") = json!(40);
    });
    found_by("Applied", PROXY, |pages| {
        let line = *tables(pages).last().unwrap();
        *pages.at(line, "/what/table/split") = json!({ "weighted": [1, 9_999] });
    });
    found_by("Sent", PROXY, |pages| {
        let line = pages.all("/what/table/split/weighted", |_| true)[0];
        *pages.at(line, "/what/table/split") = json!({ "weighted": [1, 9_999] });
    });
    found_by("Fallback", PROXY, |pages| {
        let mut line = pages.lines.last().unwrap().clone();
        line["what"] = json!({ "fallback": { "taken": true } });
        pages.lines.push(line);
        pages.renumber();
    });
    found_by("AfterAck", PROXY, |pages| {
        let mut line = pages.lines.last().unwrap().clone();
        line["what"] = json!({ "quiet": { "id": "shop-1", "after_ack": 2 } });
        pages.lines.push(line);
        pages.renumber();
    });
}

#[test]
fn an_instance_that_is_stopped_too_early_is_found() {
    let stops = |pages: &Pages| pages.all("/what/stopped", |_| true)[0];
    found_by("Named", INSTANCES, |pages| {
        let line = stops(pages);
        let boot = pages.lines[line - 1]["boot"].as_u64().unwrap() + 1;
        pages.lines[line]["boot"] = boot.into();
    });
    found_by("Drained", INSTANCES, |pages| {
        let line = stops(pages);
        *pages.at(line, "/what/stopped/open") = json!(3);
    });
}
