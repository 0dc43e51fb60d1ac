//! What comes out of an object, as text.
use super::conform::{Schemas, violations};
use super::file::Document;
use serde_json::Value;
use serin_kubernetes::flagger::{AlertProvider, Canary, MetricTemplate};
use serin_kubernetes::wanted::{Question, Source, Templates, Way};
use serin_kubernetes::{Problem, Wanted, duration, wanted};
use serin_rollout::{Accept, Bp};
use std::fmt::Write as _;

/// The answer to one object of a file.
pub fn answer(document: &Document, all: &[Document], schemas: &Schemas) -> String {
    let mut out = String::new();
    let name = document.value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("?");
    let _ = writeln!(out, "{} {name}", if document.kind().is_empty() { "?" } else { document.kind() });
    match document.kind() {
        MetricTemplate::KIND => match MetricTemplate::decode(&document.value) {
            Ok(decoded) => {
                let _ =
                    writeln!(out, "  asks {} at {:?}", decoded.object.provider.kind, decoded.object.provider.address);
                problems(&decoded.problems, &mut out);
            }
            Err(told) => problems(&told, &mut out),
        },
        AlertProvider::KIND => match AlertProvider::decode(&document.value) {
            Ok(decoded) => {
                let room = &decoded.object;
                let _ = writeln!(out, "  tells {} #{} as {}", room.kind, room.channel, room.username);
                problems(&decoded.problems, &mut out);
            }
            Err(told) => problems(&told, &mut out),
        },
        _ => match Canary::decode(&document.value) {
            Ok(decoded) => match wanted(&decoded, &templates(all), &document.target, &document.defaults) {
                Ok(wanted) => show(&wanted, &mut out),
                Err(told) => problems(&told, &mut out),
            },
            Err(told) => problems(&told, &mut out),
        },
    }
    for line in violations(schemas, &document.value) {
        let _ = writeln!(out, "  schema {line}");
    }
    out
}

/// The templates of a file, as far as they can be read.
fn templates(all: &[Document]) -> Templates {
    let decoded = all.iter().filter_map(|document| MetricTemplate::decode(&document.value).ok());
    decoded.map(|d| ((d.object.meta.namespace.clone(), d.object.meta.name.clone()), d.object)).collect()
}

fn problems(told: &[Problem], out: &mut String) {
    for problem in told {
        let _ = writeln!(out, "  {problem}");
    }
}

fn percent(share: Bp) -> String {
    format!("{}%", f64::from(share) / 100.0)
}

fn accept(accept: Accept) -> String {
    let bake = accept.bake_ms.map(|ms| format!(" hold {}", duration::text(ms)));
    let checks = if accept.checks { " checks" } else { "" };
    let manual = if accept.manual { " gate" } else { "" };
    format!("{}{checks}{manual}", bake.unwrap_or_default())
}

fn show(w: &Wanted, out: &mut String) {
    let _ = writeln!(
        out,
        "  provider {:?}, {} {}, every {}",
        w.provider,
        w.target.kind,
        w.names.workload[1],
        duration::text(w.interval_ms)
    );
    let _ = writeln!(
        out,
        "  services {} {} {}, port {} {} -> {}",
        w.names.apex, w.names.service[0], w.names.service[1], w.ports.name, w.ports.port, w.ports.target
    );
    let way = match &w.way {
        Way::Weights(_) => "weights".to_owned(),
        Way::Iterations(n) => format!("{n} looks"),
        Way::Skipped => "unjudged".to_owned(),
    };
    let limits = w.plan.limits;
    let _ = writeln!(
        out,
        "  {way}, {} replicas, floor {}, rolls back at {} failed rounds",
        limits.replicas, limits.floor, w.threshold
    );
    for step in &w.plan.steps {
        let _ = writeln!(out, "    {}{}", percent(step.target.route.split.share(1)), accept(step.accept));
    }
    let home = w.plan.home.as_ref().expect("the service rests at its primary");
    let shares: Vec<String> = home.shares.iter().map(|share| percent(*share)).collect();
    let _ = writeln!(out, "    home to slot {} by [{}], window {}", home.slot, shares.join(" "), w.plan.window);
    let t = w.plan.times;
    let text = duration::text;
    let _ = writeln!(
        out,
        "  healthy after {}, deadlines {} and {}, drain {}",
        text(t.min_healthy_ms),
        text(t.healthy_ms),
        text(t.progress_ms),
        text(t.drain_ms)
    );
    if let Some(checks) = &w.checks {
        let _ = writeln!(out, "  asks in each round: {}", checks.asked.join(", "));
        for check in w.questions.iter().filter_map(|question| question.counted) {
            let _ =
                writeln!(out, "  counts {:?} by {:?}, without data {:?}", check.metric, check.method, check.no_data);
        }
        let _ = writeln!(
            out,
            "  budget {:?}, {} rounds without an answer: {:?}",
            checks.budget, checks.errors, checks.on_error
        );
    }
    w.questions.iter().for_each(|question| show_question(question, out));
    show_others(w, out);
    problems(&w.warnings, out);
}

/// Who is asked and told.
fn show_others(w: &Wanted, out: &mut String) {
    for (i, hook) in w.hooks.iter().enumerate() {
        let _ = writeln!(
            out,
            "  hook {i} {} {} at {} in {}, {} more tries, mute {}, insecure {}, {:?}",
            hook.moment.word(),
            hook.name,
            hook.url,
            duration::text(hook.timeout_ms),
            hook.retries,
            hook.mute_alert,
            hook.insecure,
            hook.metadata
        );
    }
    let g = &w.gates;
    if !(g.rollout.is_empty() && g.traffic_increase.is_empty() && g.promotion.is_empty()) {
        let _ = writeln!(
            out,
            "  gates before the start {:?}, each rise {:?}, the promotion {:?}",
            g.rollout, g.traffic_increase, g.promotion
        );
    }
    for alert in &w.alerts {
        let _ = writeln!(out, "  alert {} from {} by {:?}", alert.name, alert.severity, alert.provider);
    }
}

fn show_question(question: &Question, out: &mut String) {
    let whom = match &question.source {
        Source::BuiltIn(metric, server) => format!("{metric:?} at {}", server.as_deref().unwrap_or("the operator's")),
        Source::Inline(server) => format!("inline at {}", server.as_deref().unwrap_or("the operator's")),
        Source::Template(provider, namespace) => {
            format!("{} at {:?}, secret {:?} in {namespace}", provider.kind, provider.address, provider.secret)
        }
    };
    let (min, max) = (question.limits.min, question.limits.max);
    let _ = writeln!(
        out,
        "  asks for {} over {}: {whom}, good from {min:?} to {max:?}",
        question.name,
        duration::text(question.interval_ms)
    );
    for (slot, query) in question.query.iter().enumerate() {
        for line in query.iter().flat_map(|query| query.lines()) {
            let _ = writeln!(out, "    {slot}: {line}");
        }
    }
}
