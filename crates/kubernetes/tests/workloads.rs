//! Workloads as a real API server gave them, and what comes out of them: `UPDATE=1 cargo test -p serin-kubernetes` writes
//! the answers anew, and they are reviewed as diffs. Each file holds all Deployments, ReplicaSets and autoscalers of a
//! namespace at one moment; every template that any of them has is in turn the one that was analysed.
#[path = "workloads/patched.rs"]
mod patched;

use patched::patched;
use serde_json::{Value, json};
use serin_kubernetes::Problem;
use serin_kubernetes::route::Owner;
use serin_kubernetes::wanted::Names;
use serin_kubernetes::workload::primary::{self, Primary, SELECTOR_LABELS};
use serin_kubernetes::workload::resize::{self, Asked};
use serin_kubernetes::workload::seen::{self, Now, UNKNOWN};
use serin_kubernetes::workload::{Change, Content, Data, Expected, How, Kind, autoscaler, content};
use serin_rollout::{Rev, SetSeen};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn files() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workloads");
    let entries = std::fs::read_dir(dir).expect("the objects are there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
}

/// The objects of one kind in a file.
struct Objects(Value);

impl Objects {
    fn read(path: &Path) -> Objects {
        let text = std::fs::read_to_string(path).expect("it can be read");
        Objects(serde_json::from_str(&text).expect("it is JSON"))
    }

    fn named(name: &str) -> Objects {
        let path = files().into_iter().find(|path| path.file_stem().is_some_and(|stem| stem == name));
        Objects::read(&path.expect("it is there"))
    }

    fn all(&self, kind: &str) -> Vec<&Value> {
        self.0["items"].as_array().expect("a list").iter().filter(|item| item["kind"] == kind).collect()
    }

    fn content_of(&self, workload: &Value, kind: Kind) -> Content {
        let found = |reference: &content::Reference| {
            let mut all = self.all(reference.kind()).into_iter();
            all.find(|object| object["metadata"]["name"] == reference.name.as_str())
        };
        Content::of(kind, workload, |reference| Data::of(reference, found(reference))).expect("it has a template")
    }
}

#[test]
fn every_object_comes_out_as_expected() {
    let update = std::env::var_os("UPDATE").is_some();
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for path in files() {
        let text = answer(&Objects::read(&path));
        seen += text.lines().count();
        let expected = path.with_extension("expected");
        if update {
            std::fs::write(&expected, &text).expect("the answer can be written");
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != text {
            wrong.push(format!("{}\n{text}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "run with UPDATE=1 and look at the difference:\n{}", wrong.join("\n"));
    assert!(seen > 100, "{seen} lines are not many");
}

fn answer(objects: &Objects) -> String {
    let mut out = String::new();
    let daemon_sets = objects.all("DaemonSet").into_iter().map(|object| (Kind::DaemonSet, object));
    for (kind, object) in objects.all("Deployment").into_iter().map(|o| (Kind::Deployment, o)).chain(daemon_sets) {
        let revision = objects.content_of(object, kind);
        let _ = writeln!(out, "{} revision {}", kind.word(), shown(&revision));
        let mut contents = vec![revision];
        for set in objects.all("ReplicaSet") {
            let other = objects.content_of(set, Kind::Deployment);
            if contents.iter().all(|known| known.hash() != other.hash()) {
                contents.push(other);
            }
        }
        for (i, content) in contents.iter().enumerate() {
            let expected = Expected::of(Rev(i as u32), content);
            let _ = writeln!(out, "analysed {}", shown(content));
            about(&mut out, objects, kind, object, &expected);
        }
    }
    out
}

/// What is seen and what would be written, where this is the analysed revision.
fn about(out: &mut String, objects: &Objects, kind: Kind, workload: &Value, expected: &Expected) {
    let sets = objects.all("ReplicaSet");
    let scaler = objects.all("HorizontalPodAutoscaler").first().copied();
    let now = Now { kind, workload: Some(workload), replica_sets: &sets, autoscaler: scaler };
    let seen = match seen::target(&now, Some(expected), true) {
        Ok(seen) => seen,
        Err(problem) => {
            let _ = writeln!(out, "  {problem}");
            return;
        }
    };
    let _ = writeln!(out, "  {}", set(&seen));
    let desired = workload["spec"]["replicas"].as_u64().and_then(|n| u16::try_from(n).ok()).unwrap_or(1);
    for (to, pin) in [(desired, true), (desired + 2, true), (1, true), (desired, false), (0, false)] {
        let asked = Asked { to, pin, revision: Some(expected) };
        let written = resize::target(&now, &asked);
        let _ = writeln!(out, "  {to}{}: {}", if pin { " pinned" } else { "" }, changes(&written));
    }
}

fn shown(content: &Content) -> String {
    let image = content.template["spec"]["containers"][0]["image"].as_str().unwrap_or("none");
    let configs: Vec<String> = content.configs.keys().map(|reference| reference.clone().into()).collect();
    format!("{} {image} {configs:?}", &content.hash()[..12])
}

fn set(seen: &SetSeen) -> String {
    let rev = match seen.rev {
        Some(UNKNOWN) => "unknown".to_owned(),
        Some(rev) => format!("expected({})", rev.0),
        None => "none".to_owned(),
    };
    let SetSeen { desired, total, ready, healthy, pinned, fresh, .. } = seen;
    format!("rev={rev} desired={desired} total={total} ready={ready} healthy={healthy} pinned={pinned} fresh={fresh}")
}

fn changes(written: &Result<Vec<Change>, Problem>) -> String {
    match written {
        Ok(changes) if changes.is_empty() => "nothing".to_owned(),
        Ok(changes) => changes.iter().map(change).collect::<Vec<String>>().join("; then "),
        Err(problem) => problem.to_string(),
    }
}

fn change(change: &Change) -> String {
    let Change { kind, name, how, .. } = change;
    match how {
        How::Create(object) => format!("create {kind} {name} {object}"),
        How::Patch(patch) => {
            let operations = patch.as_array().expect("a list").iter().skip(1);
            let words: Vec<String> = operations
                .map(|op| {
                    format!(
                        "{} {} {}",
                        op["op"].as_str().unwrap_or("?"),
                        op["path"].as_str().unwrap_or("?"),
                        op["value"]
                    )
                })
                .collect();
            format!("{kind} {name}: {}", words.join(", "))
        }
    }
}

fn names() -> Names {
    let pair = |suffix: &str| ["podinfo-primary".to_owned(), format!("podinfo{suffix}")];
    Names { workload: pair(""), apex: "podinfo".to_owned(), service: pair("-canary") }
}

#[test]
fn the_primary_is_as_expected() {
    let objects = Objects::named("rest");
    let target = objects.all("Deployment")[0];
    let content = objects.content_of(target, Kind::Deployment);
    let (owner, names) = (Owner { name: "podinfo".into(), uid: "1-2-3".into() }.reference(), names());
    let made = |content, rev| Primary {
        rev,
        content,
        target,
        names: &names,
        owner: &owner,
        selector_labels: &SELECTOR_LABELS,
        label_prefixes: &["team"],
    };
    let primary = made(&content, 4);
    let object = primary.object().expect("it can be made");
    let mut text = format!("{object:#}\n");
    for reference in content.configs.keys() {
        let kind = objects.all(reference.kind());
        let config = kind.into_iter().find(|o| o["metadata"]["name"] == reference.name.as_str()).expect("it is there");
        let _ = writeln!(text, "{:#}", primary.config(reference, config).expect("it was not changed"));
    }
    let newer = objects_with_image("2.1.1", target);
    let newer = objects.content_of(&newer, Kind::Deployment);
    let mut there = object.clone();
    there["metadata"]["resourceVersion"] = "7".into();
    let rewrite = primary::rewrite(&there, &made(&newer, 5)).expect("it can be").expect("something changes");
    let _ = writeln!(text, "{rewrite:#?}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workloads/primary.expected");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).expect("it can be written");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text);
    let after = patched(&there, &rewrite);
    assert_eq!(after["spec"]["replicas"], there["spec"]["replicas"]);
    assert_eq!(primary::rewrite(&after, &made(&newer, 5)), Ok(None), "a second time there is nothing to do");
    let back = primary::rewrite(&after, &made(&content, 4)).expect("it can be").expect("something changes");
    assert_eq!(patched(&after, &back)["spec"], there["spec"], "and the way back is exact");
}

fn objects_with_image(tag: &str, target: &Value) -> Value {
    let mut newer = target.clone();
    newer["spec"]["template"]["spec"]["containers"][0]["image"] = format!("serin/podinfo:{tag}").into();
    newer["spec"]["template"]["metadata"]["annotations"] = json!({"only": "here"});
    newer
}

#[test]
fn what_was_real_keeps_its_name() {
    let hash = |name: &str| {
        let objects = Objects::named(name);
        objects.content_of(objects.all("Deployment")[0], Kind::Deployment).hash()
    };
    assert_eq!(hash("scaling"), hash("relabelled"), "labels, annotations and numbers are no part of it");
    assert_eq!(hash("scaling"), hash("paused"), "nor is whether it is paused");
    assert_eq!(hash("paused-newer"), hash("paused-from-zero"));
    assert_ne!(hash("paused-newer"), hash("restarting"), "a restart is a new revision");
    assert_ne!(hash("paused"), hash("paused-newer"));
}

#[test]
fn a_real_autoscaler_is_held_and_becomes_what_it_was() {
    let objects = Objects::named("autoscaled");
    let scaler = objects.all("HorizontalPodAutoscaler")[0];
    let hold = autoscaler::hold(scaler, 6).expect("it can be").expect("something changes");
    let held = patched(scaler, &hold);
    assert_eq!(autoscaler::is_held(&held, 6), Ok(true));
    assert_eq!((&held["spec"]["minReplicas"], &held["spec"]["maxReplicas"]), (&json!(6), &json!(6)));
    let released = patched(&held, &autoscaler::release(&held).expect("it can be").expect("something changes"));
    assert_eq!(released["spec"], scaler["spec"]);
}
