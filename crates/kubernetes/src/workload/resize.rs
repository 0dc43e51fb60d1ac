//! The writes that make a slot have so many instances of a revision, pinned or not. They follow from what is there: what is
//! so already is not written, so that asking twice does nothing, and each is tied to the version that was looked at.
//!
//! Order: while the number is to be kept, the autoscaler is written first and the workload after it, as an autoscaler
//! that is not held could undo the number; when it is let go, the workload is first and the autoscaler last.
//!
//! What becomes of the target:
//!
//! | its spec holds | its ReplicaSet of `rev` | asked | written |
//! |---|---|---|---|
//! | `rev` | is there, and no other has pods | n, pinned | n and `paused: true`, at once: a paused Deployment scales it, from 0 too |
//! | `rev` | has none and others have pods, and it is paused | n | an error: what runs is another revision |
//! | `rev` | is not there, or others have pods | n, pinned | n and `paused: false`; when the controller is done, the same is asked again |
//! | newer | has pods | n, pinned | n; it is paused already |
//! | newer | has none, or others have pods | n | an error: the user's spec is never rewritten, so that revision is gone |
//! | anything | any | fewer | the number; `paused` stays |
//! | anything | any | 0, not pinned | 0 and `paused: false`: nothing runs, so nothing rolls |
//! | `rev` | any | n, not pinned | n and `paused: false` |
//! | newer | has pods | n, not pinned | an error: letting go would roll what serves to what nobody has analysed |
use super::content::template_digest;
use super::primary::{Primary, template_operations};
use super::seen::{Expected, annotated};
use super::sets::{Now, Sets, Told};
use super::{Change, How, annotate, annotation, autoscaler, reading};
use crate::problem::{Problem, Rule};
use serde_json::{Value, json};

/// What is asked of a slot.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// How many instances.
    pub to: u16,
    /// What they run; `None` where what is there only becomes less, whatever it is.
    pub revision: Option<&'a Expected>,
    /// Whether nobody else may lower the number.
    pub pin: bool,
}

/// The writes to the target, in order.
///
/// # Errors
/// A target that is not there or is being deleted, a revision that it does not hold any more, and what is of the wrong
/// kind.
pub fn target(now: &Now<'_>, asked: &Asked<'_>) -> Result<Vec<Change>, Problem> {
    let workload = there(now)?;
    let told = Told::of(workload)?;
    let paused = match asked.revision {
        _ if asked.to == 0 => told.paused && asked.pin,
        None if asked.to > told.desired => return Err(nameless(workload)),
        None => told.paused || asked.pin,
        Some(expected) => pause(workload, now, told, asked, expected)?,
    };
    let mut operations = Vec::new();
    if told.desired != asked.to || reading::at(workload, "/spec/replicas").is_none() {
        operations.push(json!({"op": "add", "path": "/spec/replicas", "value": asked.to}));
    }
    if told.paused != paused {
        operations.push(json!({"op": "add", "path": "/spec/paused", "value": paused}));
    }
    let change = Change::patch("apps/v1", "Deployment", workload, operations)?;
    in_order(change, now.autoscaler, asked)
}

/// Whether the target is to be paused, with `asked.to` instances of `expected`.
fn pause(workload: &Value, now: &Now<'_>, told: Told, asked: &Asked<'_>, expected: &Expected) -> Result<bool, Problem> {
    let sets = Sets::count(workload, now, &expected.template)?;
    if template_digest(reading::template(workload)?) == expected.template {
        // Only the number is lowered: whoever paused it meant it.
        let only_fewer = asked.to < told.desired && told.paused;
        if told.paused && sets.wanted == 0 && sets.others > 0 && !(only_fewer && asked.pin) {
            let message =
                format!("the target {} runs another revision than {}", reading::title(workload), expected.rev.0);
            let help = "scale it to 0 first: what runs is never rolled to what nobody has analysed";
            return Err(Problem::error(Rule::Contradiction, "spec.paused", message, help));
        }
        return Ok(asked.pin && (only_fewer || (sets.exist > 0 && sets.others == 0)));
    }
    let title = reading::title(workload);
    if asked.to < told.desired && asked.pin {
        return Ok(told.paused);
    }
    if sets.wanted == 0 || sets.others > 0 || !told.paused {
        let rev = expected.rev.0;
        let how = if sets.wanted == 0 { "nothing of" } else { "no longer only" };
        let message = format!("the target {title} holds another template, and {how} revision {rev} runs");
        let help = "that revision is gone: release the one that the target holds, or apply the older one again";
        return Err(Problem::error(Rule::Contradiction, "spec.template", message, help));
    }
    if !asked.pin {
        let message =
            format!("letting the target {title} go would roll what serves to a template that nobody has analysed",);
        let help = "release the template that the target holds first, or apply the one that runs again";
        return Err(Problem::error(Rule::Contradiction, "spec.paused", message, help));
    }
    Ok(true)
}

/// The writes to the primary, in order. Where there is none it is created; where it has another revision and nothing runs,
/// it gets this one.
///
/// # Errors
/// A primary that is being deleted, one that runs another revision, and what is of the wrong kind.
pub fn primary(now: &Now<'_>, asked: &Asked<'_>, wanted: Option<&Primary<'_>>) -> Result<Vec<Change>, Problem> {
    let Some(workload) = now.deployment()? else {
        return create(asked, wanted);
    };
    let workload = if now.workload.is_some() { there(now)? } else { workload };
    let told = Told::of(workload)?;
    let mut operations = Vec::new();
    if let Some(expected) = asked.revision.filter(|_| asked.to > 0)
        && annotated(workload, std::slice::from_ref(expected)).is_none()
        && asked.to >= told.desired
    {
        operations.extend(replace(workload, now, told, expected, wanted)?);
    }
    let pinned = (asked.pin && asked.to > 0).then(|| "true".to_owned());
    operations.extend(annotate_more(workload, &operations, &[(annotation::PINNED, pinned)]));
    if told.desired != asked.to || reading::at(workload, "/spec/replicas").is_none() {
        operations.push(json!({"op": "add", "path": "/spec/replicas", "value": asked.to}));
    }
    let change = Change::patch("apps/v1", "Deployment", workload, operations)?;
    in_order(change, now.autoscaler, asked)
}

/// A primary that is not there yet.
fn create(asked: &Asked<'_>, wanted: Option<&Primary<'_>>) -> Result<Vec<Change>, Problem> {
    if asked.to == 0 {
        return Ok(Vec::new());
    }
    let Some(wanted) = wanted else {
        let message = "there is no primary, and nobody said what it is to be made from";
        return Err(Problem::error(Rule::Missing, "", message, "give the revision's content and the target"));
    };
    let mut object = wanted.object()?;
    object["spec"]["replicas"] = asked.to.into();
    if asked.pin {
        object["metadata"]["annotations"][annotation::PINNED] = "true".into();
    }
    let name = reading::name(&object)?;
    Ok(vec![Change { api_version: "apps/v1", kind: "Deployment", name, how: How::Create(object) }])
}

/// The operations that give an empty primary another revision.
fn replace(
    workload: &Value,
    now: &Now<'_>,
    told: Told,
    expected: &Expected,
    wanted: Option<&Primary<'_>>,
) -> Result<Vec<Value>, Problem> {
    let sets = Sets::count(workload, now, "")?;
    let title = reading::title(workload);
    if told.desired > 0 || sets.total > 0 {
        let message = format!("{title} runs another revision than {}, so it cannot just become larger", expected.rev.0);
        return Err(Problem::error(
            Rule::Contradiction,
            "spec.template",
            message,
            "rewrite it while nothing reaches it",
        ));
    }
    let Some(wanted) = wanted.filter(|wanted| wanted.hash() == expected.hash) else {
        let message = format!("nobody said what revision {} of {title} is", expected.rev.0);
        return Err(Problem::error(Rule::Missing, "", message, "give the revision's content and the target"));
    };
    template_operations(workload, wanted)
}

/// Annotations beside operations that may have made the map of annotations already.
fn annotate_more(workload: &Value, before: &[Value], entries: &[(&str, Option<String>)]) -> Vec<Value> {
    let mut operations = annotate(workload, entries);
    let makes = |operation: &Value| operation["path"] == "/metadata/annotations";
    if before.iter().any(makes) {
        operations.retain(|operation| !makes(operation));
    }
    operations
}

/// The writes to the workload and its autoscaler.
fn in_order(change: Option<Change>, scaler: Option<&Value>, asked: &Asked<'_>) -> Result<Vec<Change>, Problem> {
    if asked.pin && asked.to > 0 {
        let hold = scaler.map_or(Ok(None), |scaler| autoscaler::hold(scaler, asked.to))?;
        Ok(hold.into_iter().chain(change).collect())
    } else if asked.pin {
        Ok(change.into_iter().collect())
    } else {
        let release = scaler.map_or(Ok(None), autoscaler::release)?;
        Ok(change.into_iter().chain(release).collect())
    }
}

/// The workload, which is there to stay.
fn there<'a>(now: &Now<'a>) -> Result<&'a Value, Problem> {
    let Some(workload) = now.deployment()? else {
        let message = "the target is not there";
        return Err(Problem::error(Rule::Reference, "spec.targetRef", message, "apply it again, or delete the canary"));
    };
    if Told::of(workload)?.leaving {
        let message = format!("{} is being deleted", reading::title(workload));
        return Err(Problem::error(Rule::Reference, "spec.targetRef", message, "apply it again when it is gone"));
    }
    Ok(workload)
}

fn nameless(workload: &Value) -> Problem {
    let message = format!("{} is to become larger, and nobody said what it is to run", reading::title(workload));
    Problem::error(Rule::Missing, "", message, "name the revision")
}

#[cfg(test)]
mod tests;
