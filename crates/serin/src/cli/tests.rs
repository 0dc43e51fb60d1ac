//! The renderers, held by golden files under `tests/golden/`. `UPDATE=1 cargo test -p serin` rewrites them.

use std::path::Path;

use jiff::tz::TimeZone;
use serin_api::{
    Addresses, AnalysisView, Answer, Ending, EventView, GateView, InstanceView, LastOutcome, Level, MeasurementView,
    MetricView, ParkedView, PausedView, PhaseWord, Progress, Revision, RolloutDetail, RolloutView, RouteView, SlotView,
    Split, StatusView, StepKey, Strength, Track, Verdict, Waiting,
};

use super::{Output, Terminal, deploy, follow, follow::End, history, send::said, terminal::Paint, tree::tree};

const NOW: u64 = 1_700_000_000_000;
const OLD: &str = "1f3a9c0b7e";
const NEW: &str = "9c2b44d1a0";

/// Compares with the file of this name, or writes it.
pub(crate) fn golden(name: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), made, "{name}: UPDATE=1 takes it over");
}

fn revision(short: &str) -> Revision {
    Revision::new(short.repeat(7)[..64].to_owned())
}

fn instance(id: &str, port: u16, state: &str) -> InstanceView {
    let pid = (state != "crashed").then_some(u32::from(port));
    InstanceView {
        id: id.into(),
        pid,
        port,
        address: format!("127.0.0.1:{port}"),
        state: state.into(),
        since: NOW - 95_000,
        restarts: 0,
        last_exit: None,
        open: 0,
    }
}

fn empty() -> SlotView {
    SlotView { track: None, revision: None, warm: false, desired: 0, total: 0, ready: 0, healthy: 0, instances: vec![] }
}

fn full(track: Track, short: &str, port: u16) -> SlotView {
    let instances =
        vec![instance(&format!("{short}-1"), port, "ready"), instance(&format!("{short}-2"), port + 1, "ready")];
    SlotView {
        track: Some(track),
        revision: Some(revision(short)),
        warm: false,
        desired: 2,
        total: 2,
        ready: 2,
        healthy: 2,
        instances,
    }
}

/// A healthy service of two instances.
fn idle() -> StatusView {
    StatusView {
        service: "podinfo".into(),
        now: NOW,
        seq: 9,
        key: StepKey { rollout: 3, step: 0, attempt: 0 },
        phase: PhaseWord::Idle,
        message: "2 instances serve".into(),
        waiting: None,
        rollout: None,
        slots: [full(Track::Stable, OLD, 40_001), empty()],
        route: RouteView {
            split: Split::Weighted([10_000, 0]),
            fallback: None,
            lease_ms: None,
            in_force: true,
            strength: Strength::Dataplane,
            falling_back: false,
            circuit: [false; 2],
        },
        addresses: Addresses {
            main: "127.0.0.1:8080".into(),
            stable: Some("127.0.0.1:40100".into()),
            canary: Some("127.0.0.1:40101".into()),
        },
        analysis: None,
        gates: vec![],
        parked: None,
        paused: None,
        warnings: vec![],
        last: Some(LastOutcome {
            rollout: 3,
            ending: Ending::Promoted,
            reason: String::new(),
            at: NOW - 7_200_000,
            revision: revision(OLD),
        }),
    }
}

/// The same at the second of six steps, waiting for its bake.
fn stepping() -> StatusView {
    let mut s = idle();
    s.phase = PhaseWord::Step;
    s.message = "the canary takes 20%".into();
    s.last = None;
    s.key = StepKey { rollout: 4, step: 1, attempt: 0 };
    s.waiting = Some(Waiting {
        reason: "bake".into(),
        text: "the step is held while it is judged".into(),
        since: NOW - 12_000,
        deadline: Some(NOW + 18_000),
    });
    let started = NOW - 72_000;
    s.rollout = Some(Progress {
        number: 4,
        from: Some(revision(OLD)),
        to: revision(NEW),
        step: 1,
        steps: 6,
        attempt: 0,
        weight: 2000,
        share: Some(1961),
        requests: 1530,
        started,
        strategy: "weights".into(),
    });
    s.slots[1] = full(Track::Canary, NEW, 40_003);
    s.slots[1].instances[0].open = 3;
    s.route = RouteView {
        split: Split::Weighted([8000, 2000]),
        fallback: Some(Split::Weighted([10_000, 0])),
        lease_ms: Some(15_000),
        ..s.route
    };
    let metrics = vec![
        MetricView {
            name: "success rate".into(),
            value: Some("99.87%".into()),
            limit: ">= 99%".into(),
            result: Verdict::Pass,
            samples: 812,
        },
        MetricView {
            name: "latency p99".into(),
            value: None,
            limit: "<= 500ms".into(),
            result: Verdict::Inconclusive,
            samples: 7,
        },
    ];
    s.analysis = Some(AnalysisView { metrics, consecutive: 0, consecutive_max: 3, total: 1, total_max: 10 });
    s
}

fn rolling_back() -> StatusView {
    let mut s = stepping();
    s.phase = PhaseWord::Back;
    s.message = "returning to the old version: failed checks threshold reached 3".into();
    s.waiting = Some(Waiting {
        reason: "drained".into(),
        text: "requests on the canary are ending".into(),
        since: NOW - 2_000,
        deadline: Some(NOW + 28_000),
    });
    s.route = RouteView {
        split: Split::Weighted([10_000, 0]),
        fallback: None,
        lease_ms: None,
        in_force: false,
        circuit: [false, true],
        ..s.route
    };
    s.slots[1].desired = 0;
    s.slots[1].instances[0].state = "draining".into();
    let mut crashed = instance(&format!("{NEW}-2"), 40_004, "crashed");
    (crashed.restarts, crashed.last_exit) = (4, Some("exit 1".into()));
    s.slots[1].instances[1] = crashed;
    if let Some(a) = &mut s.analysis {
        a.metrics.truncate(1);
        a.metrics[0] = MetricView { value: Some("69.17%".into()), result: Verdict::Fail, ..a.metrics[0].clone() };
        (a.consecutive, a.total) = (3, 3);
    }
    s
}

fn halted() -> StatusView {
    let mut s = stepping();
    s.phase = PhaseWord::Halted;
    s.message = "the old version is broken, the canary carries everything".into();
    s.waiting = Some(Waiting {
        reason: "person".into(),
        text: "a person or a corrected revision is needed".into(),
        since: NOW - 3_700_000,
        deadline: None,
    });
    s.route =
        RouteView { split: Split::Weighted([0, 10_000]), fallback: Some(Split::Weighted([0, 10_000])), ..s.route };
    s.slots[0].ready = 0;
    s.slots[0].instances.iter_mut().for_each(|i| i.state = "unready".into());
    s
}

fn parked() -> StatusView {
    let mut s = stepping();
    s.phase = PhaseWord::Parked;
    s.message = "the canary keeps its 20%".into();
    s.waiting = None;
    s.analysis = None;
    s.parked = Some(ParkedView { by: "ann".into(), reason: "load test until Friday".into(), since: NOW - 90_000_000 });
    s.route = RouteView { fallback: None, lease_ms: None, ..s.route };
    s
}

fn waiting_for_a_person() -> StatusView {
    let mut s = stepping();
    s.waiting = Some(Waiting {
        reason: "approval".into(),
        text: "step 2 waits for a person".into(),
        since: NOW - 600_000,
        deadline: None,
    });
    s.gates = vec![GateView { name: "step 2".into(), key: s.key, opened_by: None }];
    s.paused = Some(PausedView { by: "bob".into(), since: NOW - 30_000 });
    s.warnings = vec!["allow_downtime is on: no instance may serve while the fixed port changes hands".into()];
    s
}

fn starting() -> StatusView {
    let mut s = idle();
    s.message = "the first instances are starting".into();
    s.last = None;
    s.waiting = Some(Waiting {
        reason: "ready".into(),
        text: "0 of 2 instances are ready".into(),
        since: NOW - 4_000,
        deadline: Some(NOW + 296_000),
    });
    s.slots[0].ready = 0;
    s.slots[0].healthy = 0;
    s.slots[0].instances.iter_mut().for_each(|i| i.state = "starting".into());
    s.route.split = Split::Members([0, 0]);
    s.addresses.stable = None;
    s.addresses.canary = None;
    s
}

/// A controller that has just begun, over a service that runs.
fn looking() -> StatusView {
    let mut s = idle();
    s.waiting = Some(Waiting {
        reason: Waiting::LOOKING.into(),
        text: "a first look at every instance since the controller began".into(),
        since: NOW - 400,
        deadline: None,
    });
    s.slots[0].ready = 0;
    s.slots[0].instances.iter_mut().for_each(|i| i.state = "starting".into());
    s
}

#[test]
fn the_status_tree() {
    let situations = [
        ("status-idle.txt", idle()),
        ("status-starting.txt", starting()),
        ("status-looking.txt", looking()),
        ("status-step.txt", stepping()),
        ("status-rolling-back.txt", rolling_back()),
        ("status-halted.txt", halted()),
        ("status-parked.txt", parked()),
        ("status-approval.txt", waiting_for_a_person()),
    ];
    for (name, status) in situations {
        golden(name, &tree(&status, Paint(false)));
        let coloured = tree(&status, Paint(true));
        assert!(
            coloured.contains("\x1b[") && coloured.matches("\x1b[0m").count() * 2 == coloured.matches("\x1b[").count(),
            "{name}: every colour ends"
        );
        assert_eq!(serde_json::from_str::<StatusView>(&serde_json::to_string(&status).unwrap()).unwrap(), status);
    }
}

#[test]
fn the_line_that_shows_how_far_a_release_is() {
    let lines = [stepping(), rolling_back(), waiting_for_a_person(), idle()].map(|s| follow::progress(&s) + "\n");
    golden("progress.txt", &lines.concat());
}

fn event(seq: u64, level: Level, message: &str, did: Option<&str>, ending: Option<Ending>) -> EventView {
    let key = Some(StepKey { rollout: 4, step: 1, attempt: 0 });
    EventView {
        seq,
        at: NOW + seq * 2000,
        kind: "x".into(),
        level,
        key,
        message: message.into(),
        did: did.map(str::to_owned),
        ending,
    }
}

fn bad_release() -> Vec<EventView> {
    vec![
        event(1, Level::Info, "Starting canary analysis for podinfo", None, None),
        event(2, Level::Info, "Advance podinfo canary weight 10", None, None),
        event(
            3,
            Level::Warning,
            "Halt podinfo advancement success rate 69.17% < 99%",
            Some("10% stays on the canary; 1 of 3 failures in a row"),
            None,
        ),
        event(
            4,
            Level::Error,
            "Rolling back podinfo failed checks threshold reached 3",
            Some("all traffic to 1f3a9c0b7e, the canary drains and is retired"),
            Some(Ending::RolledBack),
        ),
    ]
}

#[test]
fn events_as_a_person_reads_them() {
    let lines: String = bad_release().iter().map(|e| follow::told(e, &TimeZone::UTC, Paint(false))).collect();
    golden("events.txt", &lines);
    let coloured: String = bad_release().iter().map(|e| follow::told(e, &TimeZone::UTC, Paint(true))).collect();
    assert!(
        coloured.lines().all(|l| l.matches("\x1b[0m").count() * 2 == l.matches("\x1b[").count()),
        "no colour runs over a line"
    );
}

fn past() -> Vec<RolloutView> {
    let one = |number, from: Option<&str>, to: &str, ending, reason: &str, peak| RolloutView {
        number,
        from: from.map(revision),
        to: revision(to),
        started: NOW + number * 1_000_000,
        ended: Some(NOW + number * 1_000_000 + 192_000),
        ending: Some(ending),
        reason: reason.into(),
        by: "ann".into(),
        peak,
    };
    vec![
        RolloutView { ended: None, ending: None, ..one(4, Some(OLD), NEW, Ending::Halted, "", 2000) },
        one(3, Some(OLD), NEW, Ending::RolledBack, "success rate 69.17% < 99%", 1000),
        one(2, Some(NEW), OLD, Ending::Aborted, "not today", 500),
        one(1, None, NEW, Ending::Promoted, "", 10_000),
    ]
}

#[test]
fn the_history() {
    golden("history.txt", &history::table(&past(), &TimeZone::UTC, Paint(false)));
    assert_eq!(history::table(&[], &TimeZone::UTC, Paint(false)), "nothing has been released yet\n");
    let key = StepKey { rollout: 3, step: 0, attempt: 0 };
    let measurement = MeasurementView {
        at: NOW,
        key,
        metric: "success rate".into(),
        value: Some("69.17%".into()),
        limit: ">= 99%".into(),
        result: Verdict::Fail,
        samples: 94,
    };
    let silent = |after, samples| MeasurementView {
        at: NOW - 6_000 + after,
        value: None,
        result: Verdict::Inconclusive,
        samples,
        ..measurement.clone()
    };
    let detail = RolloutDetail {
        rollout: past().remove(1),
        changes: vec!["- run.env.A: 1".into(), "+ run.env.A: 2".into()],
        events: bad_release(),
        measurements: vec![silent(0, 0), silent(2_000, 3), silent(4_000, 12), measurement.clone(), silent(8_000, 0)],
    };
    golden("history-one.txt", &history::one(&detail, &TimeZone::UTC, Paint(false)));
}

#[test]
fn what_the_options_change() {
    let changes = ["- replicas: 1", "+ replicas: 3", "+ run.env.A: 1"].map(str::to_owned);
    golden("diff.txt", &deploy::differs("serin.yaml", &changes));
    assert_eq!(deploy::differs("serin.yaml", &[]), "The options change nothing in serin.yaml.\n");
}

#[test]
fn every_answer_says_what_became_of_the_command() {
    let terminal = Terminal { output: Output::Text, live: false, paint: Paint(false) };
    let now = StepKey { rollout: 4, step: 2, attempt: 0 };
    let answers = [
        Answer::Done { message: "going on to step 3, weight 30%".into() },
        Answer::Already { message: "ann approved step 2 a minute ago".into() },
        Answer::Late { now, message: "step 2 has passed".into() },
        Answer::Refused { why: "nothing is being released".into(), instead: "`serin deploy` begins a release".into() },
    ];
    let lines: Vec<_> = answers.iter().map(|a| said(a, "promote", "podinfo", &terminal) + "\n").collect();
    golden("answers.txt", &lines.concat());
}

#[test]
fn every_end_has_its_exit_code_and_sentence() {
    let all = [
        Ending::Promoted,
        Ending::RolledBack,
        Ending::Failed,
        Ending::Halted,
        Ending::Aborted,
        Ending::Superseded,
        Ending::Parked,
    ]
    .map(End::Ended);
    let lines: String = all
        .iter()
        .chain(&[End::Left, End::Late])
        .map(|e| format!("{} {}\n", e.code(), deploy::sentence(e, 4, "podinfo").1))
        .collect();
    golden("ends.txt", &lines);
}
