//! The examples are safe, a core without one of its guards is not, and the story says why.
use super::*;
use crate::cli::Paint;
use crate::config::{Overrides, load, parse};
use serin_sim::mutants::guards::{NoAck, NoVerdict};
use std::path::Path;

/// Enough for every class but the third version, whose search is cut.
const SMALL: Budget = Budget { time: Duration::from_secs(3_600), states: 70_000, walks: 40 };

fn example(name: &str) -> Spec {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name).join("serin.yaml");
    load(&path, &Overrides::default(), None).expect("the examples can be used").spec
}

fn shop(rest: &str) -> Spec {
    let text = format!("service: shop\nlisten: 127.0.0.1:8080\nrun:\n  command: ./shop --port {{{{port}}}}\n{rest}");
    parse("serin.yaml", &text, Path::new("/srv"), &Overrides::default(), None).expect("a file without errors").spec
}

fn examined(spec: &Spec, subject: Subject) -> Vec<(Search, Found)> {
    examine(spec, subject, SMALL, false, Meter::silent()).expect("a plan that can be")
}

#[test]
fn every_example_is_safe() {
    for name in ["podinfo", "static-site", "websocket", "fixed-port"] {
        let spec = example(name);
        let results = examined(&spec, Subject::SOUND);
        for (search, found) in &results {
            assert_eq!(found.flaw(), None, "{name} {}", search.class);
            match found {
                Found::States(explored) => {
                    let whole = explored.complete || explored.states >= SMALL.states;
                    assert!(whole && explored.states > 800, "{name} {}: {}", search.class, explored.states);
                    let small = ["instances", "controller", "old views", "people"].contains(&search.class);
                    assert!(explored.complete || !small || search.replicas > 1, "{name} {}", search.class);
                }
                Found::Walks(count, _) => assert_eq!(*count, SMALL.walks),
                Found::LeftOut => panic!("{name} {} was left out", search.class),
            }
        }
        let text = report::text(&spec, &results, false, Paint(false));
        assert!(text.contains("\nSafe: ") || text.contains("\nNo flaw in "), "{text}");
        assert_eq!(text.contains("allow_downtime"), name == "fixed-port", "{text}");
    }
}

#[test]
fn a_core_without_a_guard_is_not_safe_and_the_story_says_why() {
    let spec = example("static-site");
    let results = examined(&spec, Subject::with::<NoAck>("no acknowledgement").alone());
    let flaw = results.iter().find_map(|(_, found)| found.flaw()).expect("a flaw");
    assert!(flaw.promise.starts_with('I') && flaw.story.contains("BROKEN"), "{flaw:?}");
    let text = report::text(&spec, &results, false, Paint(false));
    assert!(text.contains("NOT SAFE") && text.contains("a mistake in Serin, not in your file"), "{text}");
    assert!(text.contains("in the beginning") && !text.contains("\nSafe: "), "{text}");
}

#[test]
fn a_flaw_in_the_states_has_the_shortest_story() {
    let plan = convert::plan(&cut(&example("podinfo"), 1, STEPS)).expect("a plan that can be");
    let found =
        serin_sim::explore::explore(Subject::with::<NoVerdict>("no verdict"), plan, CLASSES[0].env, SMALL.states);
    let flaw = found.flaw.expect("a flaw");
    assert!(flaw.promise.starts_with("I4: "), "{}", flaw.promise);
    assert!((5..60).contains(&flaw.story.lines().count()), "{}", flaw.story);
}

#[test]
fn what_is_cut_is_said() {
    let spec = shop("replicas: 12\nmax_unavailable: 3\nrelease:\n  weights: {start: 5%, step: 5%, max: 50%}\n");
    let searches = searches(&spec, SMALL, false).expect("a plan that can be");
    let sizes: Vec<u16> = searches.iter().map(|search| search.replicas).collect();
    assert_eq!(sizes, [10, 1, 1, 1, 1, 1, 2], "more than ten at once are not modelled");
    for search in &searches {
        match &search.what {
            What::States(_, plan) => assert!(plan.steps.len() <= STEPS + 1 && plan.limits.floor >= 1),
            What::Walks(plan, _) => assert_eq!((plan.steps.len(), plan.limits.floor), (11, 7)),
        }
    }
    let two = report::text(&example("podinfo"), &[], false, Paint(false));
    assert!(two.contains("at most 2 of them (1 where a newer version is wanted)"), "{two}");
    let text = report::text(&spec, &[], false, Paint(false));
    for says in [
        "your service has 12 instances; the worlds that are searched have 1 to 2, the random runs have more",
        "your release has 10 steps and the last one",
        "`max_unavailable: 3`: capacity is kept at 9 of 12 instances",
    ] {
        assert!(text.contains(says), "{says}\n{text}");
    }
}

#[test]
fn a_gate_is_among_the_steps_that_are_searched() {
    let spec = shop(
        "release:\n  weights:\n    steps: [{weight: 1%}, {weight: 2%}, {weight: 3%, approve: true}, {weight: 4%}]\n",
    );
    let plan = convert::plan(&cut(&spec, 1, STEPS)).expect("a plan that can be");
    assert_eq!(plan.steps.iter().map(|step| step.accept.manual).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn thousands_stand_apart() {
    for (number, text) in [(0, "0"), (999, "999"), (1_000, "1 000"), (12_345_678, "12 345 678")] {
        assert_eq!(report::grouped(number), text);
    }
}
