//! Releases of the examples, played: their timelines are golden files, every fault shows its effect, and whatever is
//! drawn, the rules hold.
use super::*;
use crate::cli::tests::golden;
use crate::cli::{Output, Paint, Terminal};
use crate::config::{Loaded, Overrides, load, parse, quantity::Time};
use serin_rollout::{Outcome, Why};
use serin_sim::invariants::Rule;
use serin_sim::mutants::guards::NoVerdict;
use serin_sim::play::{Fault, Strike, Track};
use std::path::Path;

const EXAMPLES: [&str; 4] = ["podinfo", "static-site", "websocket", "fixed-port"];

fn example(name: &str) -> Loaded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name).join("serin.yaml");
    load(&path, &Overrides::default(), None).expect("the examples can be used")
}

/// A service of two instances whose steps are `release`.
fn shop(release: &str) -> Loaded {
    let text = format!(
        "service: shop\nlisten: 127.0.0.1:8080\nreplicas: 2\nrun:\n  command: ./shop --port {{{{port}}}}\nrelease:\n{release}\n"
    );
    parse("serin.yaml", &text, Path::new("/srv"), &Overrides::default(), None).expect("a file without errors")
}

fn job(loaded: Loaded, strikes: &[(Fault, u64)], seed: u64) -> Job {
    let strikes = strikes.iter().map(|(fault, at_s)| Strike { fault: *fault, at_ms: at_s * 1_000 }).collect();
    let terminal = Terminal { output: Output::Text, live: false, paint: Paint(false) };
    Job { loaded, strikes, seed, rate: 200, approve_after: Time::default(), terminal }
}

fn played(loaded: Loaded, strikes: &[(Fault, u64)]) -> Played {
    rehearse(&job(loaded, strikes, 1), Subject::SOUND, Meter::silent()).expect("a plan that can be")
}

fn count(played: &Played, is: impl Fn(&What) -> bool) -> usize {
    played.lines.iter().filter(|line| is(&line.what)).count()
}

/// An example, the name of a scenario, and its faults with their seconds.
type Golden = (&'static str, &'static str, &'static [(Fault, u64)]);

#[test]
fn timelines_of_the_examples_are_golden() {
    let plays: [Golden; 7] = [
        ("podinfo", "good", &[]),
        ("podinfo", "errors", &[(Fault::Errors(200_000), 30)]),
        ("podinfo", "controller", &[(Fault::ControllerKilled(60_000), 20), (Fault::InstanceLost(Track::Old), 25)]),
        ("podinfo", "store", &[(Fault::StoreFull(40_000), 20)]),
        ("static-site", "slow", &[(Fault::Slow(3_000), 0), (Fault::RouteLate(8_000), 0)]),
        ("websocket", "lost", &[(Fault::InstanceLost(Track::New), 20)]),
        ("fixed-port", "good", &[]),
    ];
    for (name, what, strikes) in plays {
        let job = job(example(name), strikes, 7);
        let played = rehearse(&job, Subject::SOUND, Meter::silent()).expect("a plan that can be");
        golden(&format!("simulate-{name}-{what}.txt"), &timeline::text(&job, &played, Paint(false)));
    }
}

#[test]
fn a_good_release_is_promoted_and_loses_nothing() {
    for name in ["podinfo", "static-site", "websocket"] {
        let played = played(example(name), &[]);
        assert_eq!((exit_code(&played), &played.end), (exit::DONE, &End::Over(Outcome::Succeeded, None)), "{name}");
        assert_eq!((played.scene.tally.failed, played.scene.tally.lost, played.least.0), (0, 0, 10_000), "{name}");
        assert!(played.scene.tally.answered > 5_000 && played.scene.share == 10_000, "{name}: {:?}", played.scene);
    }
}

#[test]
fn errors_end_rolled_back_because_of_the_verdict() {
    let played = played(example("podinfo"), &[(Fault::Errors(200_000), 20)]);
    assert_eq!((exit_code(&played), &played.end), (exit::FAILED, &End::Over(Outcome::Failed, Some(Why::Verdict))));
    assert!(reason(&played).is_some_and(|why| why.contains("success rate")), "{:?}", reason(&played));
    let (bad, back) = (played.first_bad_ms.expect("bad answers"), played.going_back_ms.expect("a way back"));
    assert!(bad >= 20_000 && back > bad && back < bad + 20_000, "{bad} {back}");
    assert!(played.scene.tally.failed > 10 && count(&played, |what| matches!(what, What::Judged(_))) == 3);
}

#[test]
fn slowness_ends_rolled_back_where_a_limit_is_on_it_and_is_let_pass_where_none_is() {
    let slow = [(Fault::Slow(800), 20)];
    let caught = played(example("podinfo"), &slow);
    assert_eq!(caught.end, End::Over(Outcome::Failed, Some(Why::Verdict)));
    assert!(reason(&caught).is_some_and(|why| why.contains("latency p99")));
    let passed = played(shop("  weights: {start: 50%, max: 50%, bake: 30s}"), &slow);
    assert_eq!((exit_code(&passed), passed.going_back_ms), (exit::DONE, None));
    assert!(passed.first_bad_ms.is_some());
}

#[test]
fn what_never_becomes_ready_ends_by_the_deadline() {
    let played = played(shop("  healthy_deadline: 40s\n  progress_deadline: 60s"), &[(Fault::NeverReady, 0)]);
    assert_eq!((exit_code(&played), &played.end), (exit::FAILED, &End::Over(Outcome::Failed, Some(Why::Deadline))));
    assert!((40_000..41_000).contains(&played.going_back_ms.expect("a way back")));
    assert_eq!((played.first_new_ms, played.scene.tally.failed, played.scene.tally.lost), (None, 0, 0));
}

#[test]
fn the_lease_falls_back_only_when_the_controller_is_dead_for_longer() {
    let fell = |dead_ms| {
        let played = played(example("podinfo"), &[(Fault::ControllerKilled(dead_ms), 20)]);
        assert_eq!(exit_code(&played), exit::DONE, "it goes on afterwards");
        let lines = played.lines;
        let at = lines.iter().find(|line| line.what == What::FellBack).map(|line| line.at_ms);
        assert_eq!(lines.iter().filter(|line| line.what == What::Renewed).count(), usize::from(at.is_some()));
        at
    };
    assert_eq!(fell(5_000), None);
    assert_eq!(fell(60_000), Some(35_000), "the lease of 15 s after the death");
}

#[test]
fn of_two_absences_the_longer_one_counts() {
    for (fault, back) in
        [(Fault::ControllerKilled as fn(u64) -> Fault, What::Back), (Fault::StoreFull as fn(u64) -> Fault, What::Saves)]
    {
        let played = played(example("podinfo"), &[(fault(10_000), 20), (fault(2_000), 22)]);
        let at: Vec<u64> = played.lines.iter().filter(|line| line.what == back).map(|line| line.at_ms).collect();
        assert_eq!(at, [30_000], "{back:?}");
    }
}

#[test]
fn what_is_never_over_says_what_it_waits_for() {
    let job = job(example("podinfo"), &[(Fault::ControllerKilled(365 * 86_400_000), 20)], 1);
    let played = rehearse(&job, Subject::SOUND, Meter::silent()).expect("a plan that can be");
    let waits = "the controller to be started again".to_owned();
    assert_eq!((exit_code(&played), &played.end), (exit::OTHERWISE, &End::Unfinished { waits }));
    let text = timeline::text(&job, &played, Paint(false));
    assert!(text.contains("not over in the longest time that is played: waits for the controller"), "{text}");
    assert!(text.contains("(looked at for 30d)") && !text.contains("stands still"), "{text}");
}

#[test]
fn a_gap_is_told_with_its_length() {
    let job = job(example("fixed-port"), &[], 1);
    let gap = rehearse(&job, Subject::SOUND, Meter::silent()).expect("a plan that can be");
    let lengths: Vec<u64> =
        gap.lines.iter().filter_map(|line| if let What::Lit(ms) = line.what { Some(ms) } else { None }).collect();
    assert_eq!((count(&gap, |what| *what == What::Dark), lengths.as_slice()), (1, &[gap.short_ms][..]));
    assert!((100..5_000).contains(&gap.short_ms) && gap.least.0 == 0, "{}", gap.short_ms);
    let text = timeline::text(&job, &gap, Paint(false));
    assert!(text.contains("Nothing serves: 1000 requests may wait, each for at most 10s"), "{text}");
    let whole = played(example("podinfo"), &[]);
    assert_eq!((whole.short_ms, count(&whole, |what| matches!(what, What::Dark | What::Lit(_)))), (0, 0));
}

#[test]
fn what_takes_longer_than_the_proxy_waits_is_an_error() {
    let slow = [(Fault::Slow(86_400_000), 20)];
    let played = played(shop("  weights: {start: 50%, max: 50%, bake: 30s}"), &slow);
    assert_eq!(played.end, End::Over(Outcome::Failed, Some(Why::Verdict)), "without a limit on latency");
    assert!(played.scene.tally.failed > 20);
}

#[test]
fn what_is_waited_for_is_what_was_asked_for() {
    let played = played(shop("  canary_kept: {bake: 5s}"), &[]);
    let waits = played.lines.iter().filter_map(|line| {
        let What::Waits(text, _) = &line.what else { return None };
        text.contains("canary instances").then_some((line.scene.new, text))
    });
    assert!(waits.clone().count() >= 3);
    for ([ready, desired], text) in waits {
        assert!(ready < desired || text.contains(&format!("stay healthy for 10 s (0 of {desired} have)")), "{text}");
    }
}

#[test]
fn what_cannot_be_saved_is_not_done_and_the_lease_runs_out() {
    let played = played(example("podinfo"), &[(Fault::StoreFull(60_000), 20)]);
    let during = |line: &&serin_sim::play::Line| (20_001..80_000).contains(&line.at_ms);
    assert!(played.lines.iter().filter(during).all(|line| line.what == What::FellBack), "{:?}", played.lines);
    assert_eq!((exit_code(&played), count(&played, |what| *what == What::FellBack)), (exit::DONE, 1));
}

#[test]
fn without_requests_it_stands_still_and_says_what_for() {
    let played = played(example("podinfo"), &[(Fault::NoTraffic, 0)]);
    assert_eq!(exit_code(&played), exit::OTHERWISE);
    assert!(
        matches!(&played.end, End::Still { waits, halted: false, since_ms } if waits.contains("0 requests of the 20 needed") && *since_ms < 20_000)
    );
    let text = timeline::text(&job(example("podinfo"), &[], 1), &played, Paint(false));
    assert!(text.contains("it stands still since 0:1") && text.contains("(looked at for 10m)"), "{text}");
    assert_eq!(played.scene.tally.sent(), 0);
}

#[test]
fn a_route_that_is_confirmed_late_makes_every_step_late() {
    let (calm, late) = (played(example("podinfo"), &[]), played(example("podinfo"), &[(Fault::RouteLate(10_000), 0)]));
    assert!(late.ended_ms > calm.ended_ms + 40_000, "{} {}", late.ended_ms, calm.ended_ms);
    assert_eq!((exit_code(&late), late.scene.tally.lost), (exit::DONE, 0));
}

#[test]
fn a_lost_instance_costs_capacity_and_only_its_open_requests() {
    let mut lost = job(example("podinfo"), &[(Fault::InstanceLost(Track::Old), 20)], 1);
    lost.rate = 5_000;
    let played = rehearse(&lost, Subject::SOUND, Meter::silent()).expect("a plan that can be");
    assert!((20_000..30_000).contains(&played.least.1) && played.least.0 < 6_000, "{:?}", played.least);
    assert!((5..200).contains(&played.scene.tally.lost), "{:?}", played.scene.tally);
    let only = job(example("static-site"), &[(Fault::InstanceLost(Track::Old), 5)], 1);
    let held = rehearse(&only, Subject::SOUND, Meter::silent()).expect("a plan that can be");
    assert_eq!(held.least.0, 0, "the one instance is away");
    assert!(held.scene.tally.lost < 20, "requests are held meanwhile: {:?}", held.scene.tally);
}

#[test]
fn a_fault_that_finds_nothing_is_named() {
    let played = played(example("podinfo"), &[(Fault::Errors(1_000_000), 20), (Fault::InstanceLost(Track::New), 200)]);
    assert_eq!(played.unstruck.len(), 1, "{:?}", played.unstruck);
}

#[test]
fn a_person_approves_when_told_to() {
    let mut slow = job(shop("  weights: {steps: [{weight: 10%, approve: true}], bake: 5s}"), &[], 1);
    let at_once = rehearse(&slow, Subject::SOUND, Meter::silent()).expect("a plan that can be");
    slow.approve_after = Time::seconds(3_600);
    let later = rehearse(&slow, Subject::SOUND, Meter::silent()).expect("a plan that can be");
    for played in [&at_once, &later] {
        assert_eq!((exit_code(played), count(played, |what| *what == What::Approved)), (exit::DONE, 1));
    }
    let took = later.ended_ms - at_once.ended_ms;
    assert!((3_590_000..3_610_000).contains(&took), "{took}");
}

#[test]
fn whatever_is_drawn_the_rules_hold_and_the_same_seed_is_the_same_release() {
    let faults = [
        (Fault::Errors(30_000), 15),
        (Fault::Slow(400), 40),
        (Fault::InstanceLost(Track::New), 14),
        (Fault::InstanceLost(Track::Old), 21),
        (Fault::ControllerKilled(17_000), 33),
        (Fault::StoreFull(9_000), 50),
        (Fault::RouteLate(4_000), 18),
        (Fault::NeverReady, 0),
    ];
    for name in EXAMPLES {
        for seed in 1..64u64 {
            let chosen: Vec<_> = faults.iter().enumerate().filter(|(i, _)| seed >> (i % 6) & 1 == 1).collect();
            let chosen: Vec<_> = chosen.into_iter().map(|(_, (fault, at))| (*fault, at + seed % 7)).collect();
            let job = job(example(name), &chosen, seed);
            let once = rehearse(&job, Subject::SOUND, Meter::silent()).expect("a plan that can be");
            assert!(!matches!(once.end, End::Broken(_)), "{name} {seed}: {:?}", once.end);
            assert_eq!(
                once,
                rehearse(&job, Subject::SOUND, Meter::silent()).expect("a plan that can be"),
                "{name} {seed}"
            );
        }
    }
}

#[test]
fn another_seed_is_another_release() {
    let play = |seed| {
        rehearse(&job(example("podinfo"), &[], seed), Subject::SOUND, Meter::silent()).expect("a plan that can be")
    };
    assert_ne!(play(1).scene.tally, play(2).scene.tally);
}

#[test]
fn a_broken_rule_is_named_and_has_an_exit_code_of_its_own() {
    let job = job(example("podinfo"), &[(Fault::NoTraffic, 0)], 1);
    let played = rehearse(&job, Subject::with::<NoVerdict>("no verdict"), Meter::silent()).expect("a plan that can be");
    assert_eq!((&played.end, exit_code(&played)), (&End::Broken(Rule::Acceptance), exit::BROKEN));
    let text = timeline::text(&job, &played, Paint(false));
    assert!(text.contains("a rule of Serin is broken: I4: "), "{text}");
}
