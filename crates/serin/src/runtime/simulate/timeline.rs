//! The story of a played release, for a terminal and for programs.
use super::super::view;
use super::{ending, reason};
use crate::cli::simulate::Job;
use crate::cli::{Output, Paint, ending_word, length, percent, written};
use serin_api::Ending;
use serin_rollout::Event;
use serin_sim::play::{End, Fault, Line, Played, Scene, Track, What};
use std::fmt::Write as _;

/// Cells of the bar.
const BAR: u16 = 10;

/// All of it, as it was asked for.
pub(super) fn told(job: &Job, played: &Played, exit: u8) -> String {
    match job.terminal.output {
        Output::Text => text(job, played, job.terminal.paint),
        Output::Json => {
            let lines = played.lines.iter().map(|line| json_line(line, job));
            lines.chain([json_end(job, played, exit)]).map(|line| format!("{line}\n")).collect()
        }
    }
}

/// The whole story as text.
pub(super) fn text(job: &Job, played: &Played, paint: Paint) -> String {
    let mut out = head(job, paint);
    for line in &played.lines {
        let _ = writeln!(out, "{}  {}", row(line.at_ms, &line.scene), sentence(line, job, paint));
    }
    out.push('\n');
    summary(job, played, paint, &mut out);
    out
}

fn head(job: &Job, paint: Paint) -> String {
    let spec = &job.loaded.spec;
    let most = serin_sim::play::MOST_REPLICAS;
    let n = spec.replicas.min(most);
    let cut =
        if spec.replicas > most { format!(" (of {}: more are not played)", spec.replicas) } else { String::new() };
    let faults: Vec<_> = job.strikes.iter().map(written).collect();
    let faults = if faults.is_empty() { "none".to_owned() } else { faults.join(", ") };
    format!(
        "{}\n{}\n\n{}\n",
        paint.bold(&format!(
            "A release of {}, played on a virtual clock: {n} instance{}{cut}, {} requests/s, seed {}",
            spec.service,
            if n == 1 { "" } else { "s" },
            job.rate,
            job.seed
        )),
        format_args!("Faults: {faults}. Nothing is started; start times, delays and requests are drawn from the seed."),
        paint.dim("   time  the new one's share      old     new   answered  failed"),
    )
}

/// Minutes and seconds, hours where there are any.
fn time(ms: u64) -> String {
    let s = ms / 1_000;
    match s / 3_600 {
        0 => format!("{}:{:02}", s / 60, s % 60),
        hours => format!("{hours}:{:02}:{:02}", s / 60 % 60, s % 60),
    }
}

fn row(at_ms: u64, scene: &Scene) -> String {
    let full = (u32::from(scene.share) * u32::from(BAR)).div_ceil(u32::from(serin_rollout::FULL)) as u16;
    let bar: String = (0..BAR).map(|i| if i < full { '█' } else { '░' }).collect();
    let count = |[ready, desired]: [u16; 2]| format!("{ready}/{desired}");
    let Scene { old, new, tally, .. } = scene;
    format!(
        "{:>7}  {bar} {:>6} {:>8} {:>7} {:>10} {:>7}",
        time(at_ms),
        percent(scene.share),
        count(*old),
        count(*new),
        tally.answered,
        tally.failed + tally.lost
    )
}

fn name(track: Track) -> &'static str {
    match track {
        Track::Old => "old",
        Track::New => "new",
    }
}

/// What happened, in one line.
fn sentence(line: &Line, job: &Job, paint: Paint) -> String {
    match &line.what {
        What::Event(event, text) => match event {
            Event::GoingBack(_) | Event::Halted(_) | Event::CopyFailed(_) => paint.red(text),
            Event::Lost(_) | Event::Replaced(_) | Event::Adopted(_) => paint.yellow(text),
            Event::Promoted(_) => paint.green(text),
            Event::Serving(_)
            | Event::Started(_)
            | Event::Reached(..)
            | Event::Accepted(_)
            | Event::Overridden(..)
            | Event::Skipped(..)
            | Event::WindowClosed
            | Event::Copying(_)
            | Event::Copied(_)
            | Event::Recovered(_)
            | Event::Parked(_)
            | Event::Resumed(_)
            | Event::Ended(..) => text.clone(),
        },
        What::Judged(text) => paint.yellow(text),
        What::Waits(text, deadline) => {
            let left = deadline
                .filter(|at| *at > line.at_ms)
                .map_or(String::new(), |at| format!(" (at most {} more)", length(at - line.at_ms)));
            paint.dim(&format!("… waits for {text}{left}"))
        }
        What::Struck(fault) => {
            let given_up = job.loaded.spec.proxy.timeouts.response.as_millis();
            let more = if matches!(fault, Fault::Slow(ms) if *ms >= given_up) {
                format!("; the proxy gives it up after {} and answers with an error", length(given_up))
            } else {
                String::new()
            };
            paint.yellow(&format!("FAULT: {}{more}", fault_in_words(*fault)))
        }
        What::Lost(track) => {
            paint.yellow(&format!("FAULT: an instance of the {} version ended, and is started again", name(*track)))
        }
        What::Ready(track) => format!("Every instance of the {} version is ready", name(*track)),
        What::Back => "The controller is back, and goes on where the store says".to_owned(),
        What::Saves => "The store can be written again".to_owned(),
        What::FellBack => paint.yellow(&format!(
            "The proxy has heard nothing for the lease of {}: it takes the fallback by itself",
            length(job.loaded.spec.release.lease.as_millis())
        )),
        What::Renewed => "The proxy hears the controller again, and takes its split again".to_owned(),
        What::Approved => {
            let after = job.approve_after.as_millis();
            let when = if after == 0 { "at once".to_owned() } else { format!("after {}", length(after)) };
            format!("A person approves the step, {when} (--approve-after)")
        }
        What::Dark => {
            let hold = &job.loaded.spec.proxy.hold;
            let most = length(hold.timeout.as_millis());
            paint.yellow(&format!("Nothing serves: {} requests may wait, each for at most {most}", hold.max))
        }
        What::Lit(ms) => format!("Ready instances serve again, after {}", length(*ms)),
        What::Refused(why) => {
            let track = |slot| if slot == 0 { "stable" } else { "canary" };
            format!("A write is not safe yet, and waits: {}", view::refusal(*why, track))
        }
    }
}

fn fault_in_words(fault: Fault) -> String {
    match fault {
        Fault::Errors(ppm) => {
            let share = serin_analysis::Ppm::new(ppm).map_or_else(|| format!("{ppm} ppm"), |share| share.to_string());
            format!("the new version answers {share} of its requests with an error")
        }
        Fault::Slow(ms) => format!("the new version takes {} more for every answer", length(ms)),
        Fault::NeverReady => "instances of the new version never become ready".to_owned(),
        Fault::InstanceLost(track) => format!("an instance of the {} version ends", name(track)),
        Fault::ControllerKilled(ms) => {
            format!("the controller is killed, for {}; proxy and instances go on without it", length(ms))
        }
        Fault::NoTraffic => "nobody sends requests any more".to_owned(),
        Fault::RouteLate(ms) => format!("the proxy takes {} to confirm a route", length(ms)),
        Fault::StoreFull(ms) => {
            format!("nothing can be saved for {}: so nothing is changed, and no lease renewed", length(ms))
        }
    }
}

fn outcome(end: &End) -> (&'static str, String) {
    match (end, ending(end)) {
        (End::Broken(rule), _) => ("broken", format!("a rule of Serin is broken: {}", rule.sentence())),
        (End::Still { waits, .. }, Some(_)) => ("halted", format!("halted: waits for {waits}")),
        (End::Still { waits, since_ms, .. }, None) => {
            let since = time(*since_ms);
            ("still", format!("it stands still since {since}, and nothing will change by itself: waits for {waits}"))
        }
        (End::Unfinished { waits }, _) => {
            ("unfinished", format!("not over in the longest time that is played: waits for {waits}"))
        }
        (End::Over(..), Some(ending)) => (ending_word(ending), ending.words().to_owned()),
        (End::Over(..), None) => ("ended", "ended".to_owned()),
    }
}

fn summary(job: &Job, played: &Played, paint: Paint, out: &mut String) {
    let (_, words) = outcome(&played.end);
    let good = ending(&played.end) == Some(Ending::Promoted);
    let words = if good { paint.green(&format!("✔ {words}")) } else { paint.red(&format!("✖ {words}")) };
    let mut say = |name: &str, text: &str| {
        let _ = writeln!(out, "{name:<10} {text}"); // writing to a String cannot fail
    };
    let after = match played.end {
        End::Over(..) | End::Broken(_) => format!(", after {}", length(played.ended_ms)),
        End::Still { .. } | End::Unfinished { .. } => format!(" (looked at for {})", length(played.ended_ms)),
    };
    say("Ended:", &format!("{words}{after}"));
    if let Some(reason) = reason(played).filter(|_| !good) {
        say("Why:", reason);
    }
    if let (Some(bad), Some(back)) = (played.first_bad_ms, played.going_back_ms) {
        let first = played.first_new_ms.unwrap_or(bad);
        say(
            "Found out:",
            &format!(
                "{} after the first bad answer, {} after the first request to the new version",
                length(back.saturating_sub(bad)),
                length(back.saturating_sub(first))
            ),
        );
    } else if played.first_bad_ms.is_some() {
        say("Found out:", "never: the checks of this file let it pass");
    }
    let tally = played.scene.tally;
    say(
        "Requests:",
        &format!(
            "{} sent: {} answered, {} answered with an error by the new version, {} lost",
            tally.sent(),
            tally.answered,
            tally.failed,
            tally.lost
        ),
    );
    let (least, at) = played.least;
    let capacity = if least < serin_rollout::FULL {
        let short = length(played.short_ms);
        format!(
            "for {short} in all, ready instances could carry less than all of the traffic: {} at the least, at {}",
            percent(least),
            time(at)
        )
    } else {
        "ready instances could always carry all of the traffic".to_owned()
    };
    say("Capacity:", &capacity);
    for strike in &played.unstruck {
        say("Unused:", &format!("{} did not strike: the release was over before", written(strike)));
    }
    say("Again:", &format!("the same file, faults, --rate and --seed {} play exactly this", job.seed));
}

fn json_scene(scene: &Scene) -> serde_json::Value {
    let count = |[ready, desired]: [u16; 2]| serde_json::json!({ "ready": ready, "desired": desired });
    serde_json::json!({
        "share": scene.share, "old": count(scene.old), "new": count(scene.new),
        "answered": scene.tally.answered, "failed": scene.tally.failed, "lost": scene.tally.lost,
    })
}

fn kind(what: &What) -> &'static str {
    match what {
        What::Event(..) => "event",
        What::Judged(_) => "failed_round",
        What::Waits(..) => "waits",
        What::Struck(_) | What::Lost(_) => "fault",
        What::Ready(_) => "ready",
        What::Back => "controller_back",
        What::Saves => "store_back",
        What::FellBack => "fell_back",
        What::Renewed => "renewed",
        What::Approved => "approved",
        What::Refused(_) => "refused",
        What::Dark => "nothing_serves",
        What::Lit(_) => "serves_again",
    }
}

fn json_line(line: &Line, job: &Job) -> serde_json::Value {
    serde_json::json!({
        "at_ms": line.at_ms, "kind": kind(&line.what), "text": sentence(line, job, Paint(false)),
        "scene": json_scene(&line.scene),
    })
}

fn json_end(job: &Job, played: &Played, exit: u8) -> serde_json::Value {
    let (word, text) = outcome(&played.end);
    serde_json::json!({
        "outcome": word, "exit": exit, "text": text, "at_ms": played.ended_ms, "reason": reason(played),
        "scene": json_scene(&played.scene), "first_new_ms": played.first_new_ms, "first_bad_ms": played.first_bad_ms,
        "going_back_ms": played.going_back_ms, "least_capacity": played.least.0, "least_capacity_at_ms": played.least.1,
        "short_of_capacity_ms": played.short_ms,
        "unused": played.unstruck.iter().map(written).collect::<Vec<_>>(), "seed": job.seed,
    })
}
