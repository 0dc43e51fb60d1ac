//! `--fault NAME[=VALUE][@TIME]`: what goes wrong in a simulated release, as people write it.

use serin_analysis::Ppm;
use serin_near::nearest;
use serin_sim::play::{Fault, Strike, Track};

use crate::config::quantity::Time;

/// A fault's name, its full form, and what it does.
type Known = (&'static str, &'static str, &'static str);

/// All of them.
const KNOWN: [Known; 9] = [
    ("good", "good", "nothing goes wrong (the default)"),
    ("errors", "errors=20%@30s", "the new version answers so many requests with an error"),
    ("slow", "slow=800ms@30s", "the new version takes so much longer for every answer"),
    ("never-ready", "never-ready", "instances of the new version never become ready"),
    (
        "instance-lost",
        "instance-lost=stable@45s",
        "an instance ends and is started again; without =stable one of the canary",
    ),
    ("controller-killed", "controller-killed=5s@20s", "the controller is killed, and started again so much later"),
    ("no-traffic", "no-traffic@10s", "nobody sends requests any more"),
    ("route-late", "route-late=10s@0s", "the proxy takes so long to confirm a route"),
    ("store-full", "store-full=30s@20s", "nothing can be saved for so long"),
];

/// When a fault strikes that needs a release under way, and does not say when.
const MIDWAY: Time = Time::seconds(30);

/// The most requests in a second that are drawn.
const MOST_RATE: u32 = 100_000;

/// The list for `--help`.
pub(super) fn list() -> String {
    let rows: Vec<_> = KNOWN.iter().map(|(_, form, does)| format!("  {form:<26} {does}")).collect();
    format!(
        "Faults (--fault, may be repeated; @TIME counts from the deploy; what is left out has a default):\n{}\n\n\
         Exits 0 promoted, 1 rolled back or failed, 2 wrong usage or a file with errors, 3 halted,\n\
         4 ended otherwise or stands still, 5 a rule of Serin is broken (a mistake in Serin, never in the service).",
        rows.join("\n")
    )
}

/// Reads one fault; `None` is none at all. The error says what to write.
pub(super) fn parse(text: &str) -> Result<Option<Strike>, String> {
    let (what, at) = match text.split_once('@') {
        None => (text, None),
        Some((what, at)) => (what, Some(time(at, text, "the time after @")?)),
    };
    let (name, value) = match what.split_once('=') {
        None => (what, None),
        Some((name, value)) => (name, Some(value)),
    };
    let Some((_, form, _)) = KNOWN.iter().find(|(known, ..)| *known == name) else { return Err(unknown(name)) };
    let none = |found: Option<&str>| match found {
        None => Ok(()),
        Some(value) => Err(format!("`{name}` takes no value, and `={value}` was given: write `{form}`")),
    };
    let length = |default: Time| value.map_or(Ok(default), |value| time(value, text, "the value"));
    let needed = || value.ok_or_else(|| format!("`{name}` needs a value: write for example `{form}`"));
    let (fault, default) = match name {
        "good" => {
            none(value)?;
            return at.map_or(Ok(None), |_| Err("`good` takes no time: write `good`".to_owned()));
        }
        "errors" => (Fault::Errors(share(needed()?, form)?), Time::default()),
        "slow" => (Fault::Slow(positive(time(needed()?, text, "the value")?, form)?), Time::default()),
        "never-ready" => {
            none(value)?;
            if at.is_some() {
                return Err("`never-ready` takes no time, it holds from the beginning: write `never-ready`".to_owned());
            }
            (Fault::NeverReady, Time::default())
        }
        "instance-lost" => (Fault::InstanceLost(track(value)?), MIDWAY),
        "controller-killed" => (Fault::ControllerKilled(positive(length(Time::seconds(5))?, form)?), MIDWAY),
        "no-traffic" => {
            none(value)?;
            (Fault::NoTraffic, Time::default())
        }
        "route-late" => (Fault::RouteLate(positive(length(Time::seconds(10))?, form)?), Time::default()),
        _ => (Fault::StoreFull(positive(length(Time::seconds(30))?, form)?), MIDWAY),
    };
    Ok(Some(Strike { fault, at_ms: at.unwrap_or(default).as_millis() }))
}

fn unknown(name: &str) -> String {
    let names: Vec<_> = KNOWN.iter().map(|(known, ..)| *known).collect();
    let meant = nearest(name, names.iter().copied()).map_or(String::new(), |near| format!(" Did you mean `{near}`?"));
    format!("`{name}` is no fault.{meant} There are: {}", names.join(", "))
}

fn time(text: &str, whole: &str, what: &str) -> Result<Time, String> {
    Time::parse(text).map_err(|why| format!("{what} of `{whole}`: {why}"))
}

fn positive(time: Time, form: &str) -> Result<u64, String> {
    if time.is_zero() {
        Err(format!("a time of 0 is no fault: write for example `{form}`"))
    } else {
        Ok(time.as_millis())
    }
}

/// A share of the requests, in parts per million.
fn share(text: &str, form: &str) -> Result<u32, String> {
    let share = Ppm::parse_percent(text).map_err(|why| format!("{why}; write for example `{form}`"))?;
    if share.get() == 0 {
        return Err(format!("0% of errors is no fault: write for example `{form}`"));
    }
    Ok(share.get())
}

fn track(value: Option<&str>) -> Result<Track, String> {
    match value {
        None | Some("canary") => Ok(Track::New),
        Some("stable") => Ok(Track::Old),
        Some(other) => {
            Err(format!("`{other}` is no track: write `instance-lost=canary@45s` or `instance-lost=stable@45s`"))
        }
    }
}

/// Reads a seed.
pub(super) fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a seed is a whole number from 0 to {}: write for example `7`", u64::MAX))
}

/// Reads how many requests there are in a second.
pub(super) fn rate(text: &str) -> Result<u32, String> {
    let rate = text.parse().ok().filter(|rate| (1..=MOST_RATE).contains(rate));
    rate.ok_or_else(|| format!("write a whole number of requests per second, from 1 to {MOST_RATE}"))
}

/// What contradicts itself among these, as a sentence; `good` is `None`.
pub(super) fn contradiction(faults: &[Option<Strike>]) -> Option<String> {
    let strikes: Vec<&Strike> = faults.iter().flatten().collect();
    if let (Some(first), true) = (strikes.first(), faults.contains(&None)) {
        let first = written(first);
        return Some(format!("`good` says that nothing goes wrong, and `{first}` is given too: leave one of them out"));
    }
    let same = |a: &Strike, b: &Strike| {
        a.at_ms == b.at_ms && std::mem::discriminant(&a.fault) == std::mem::discriminant(&b.fault)
    };
    strikes.iter().enumerate().find_map(|(i, b)| {
        let several = matches!(b.fault, Fault::InstanceLost(_)); // there is more than one instance to lose
        let a = strikes[..i].iter().find(|a| !several && same(a, b))?;
        if *a == *b {
            return Some(format!("`{}` is given twice: keep one", written(a)));
        }
        Some(format!("`{}` and `{}` begin at the same moment: keep one, or give another @TIME", written(a), written(b)))
    })
}

/// A fault as it is written.
pub(crate) fn written(strike: &Strike) -> String {
    let length = |ms: u64| Time::millis(ms).to_string(); // to the millisecond: it is read again
    let at = length(strike.at_ms);
    match strike.fault {
        Fault::Errors(ppm) => {
            format!("errors={}@{at}", Ppm::new(ppm).map_or_else(|| ppm.to_string(), |share| share.to_string()))
        }
        Fault::Slow(ms) => format!("slow={}@{at}", length(ms)),
        Fault::NeverReady => "never-ready".to_owned(),
        Fault::InstanceLost(Track::New) => format!("instance-lost=canary@{at}"),
        Fault::InstanceLost(Track::Old) => format!("instance-lost=stable@{at}"),
        Fault::ControllerKilled(ms) => format!("controller-killed={}@{at}", length(ms)),
        Fault::NoTraffic => format!("no-traffic@{at}"),
        Fault::RouteLate(ms) => format!("route-late={}@{at}", length(ms)),
        Fault::StoreFull(ms) => format!("store-full={}@{at}", length(ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_as_written() {
        let strike = |fault, at_ms| Ok(Some(Strike { fault, at_ms }));
        for (text, meant) in [
            ("good", Ok(None)),
            ("errors=20%@30s", strike(Fault::Errors(200_000), 30_000)),
            ("errors=0.5", strike(Fault::Errors(5_000), 0)),
            ("slow=800ms@1m30s", strike(Fault::Slow(800), 90_000)),
            ("never-ready", strike(Fault::NeverReady, 0)),
            ("instance-lost", strike(Fault::InstanceLost(Track::New), 30_000)),
            ("instance-lost=stable@45s", strike(Fault::InstanceLost(Track::Old), 45_000)),
            ("controller-killed@20s", strike(Fault::ControllerKilled(5_000), 20_000)),
            ("controller-killed=1m@20s", strike(Fault::ControllerKilled(60_000), 20_000)),
            ("no-traffic", strike(Fault::NoTraffic, 0)),
            ("route-late", strike(Fault::RouteLate(10_000), 0)),
            ("store-full=10s", strike(Fault::StoreFull(10_000), 30_000)),
            ("slow=1500ms@61500ms", strike(Fault::Slow(1_500), 61_500)),
            ("controller-killed=90061s@1h1m1s", strike(Fault::ControllerKilled(90_061_000), 3_661_000)),
        ] {
            assert_eq!(parse(text), meant, "{text}");
            if let Ok(Some(read)) = meant {
                assert_eq!(parse(&written(&read)), Ok(Some(read)), "{text}");
            }
        }
    }

    #[test]
    fn every_form_that_is_shown_can_be_written() {
        for (name, form, _) in KNOWN {
            assert!(parse(form).is_ok(), "{form}");
            assert!(form.starts_with(name), "{form}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_named() {
        let said = |texts: &[&str]| {
            let faults: Vec<_> = texts.iter().map(|text| parse(text).expect("a fault")).collect();
            contradiction(&faults).unwrap_or_default()
        };
        for fine in [
            &["good", "good"][..],
            &["errors=20%@20s", "errors=1%@30s", "slow=1s@20s"],
            &["instance-lost", "instance-lost", "instance-lost=stable"],
        ] {
            assert_eq!(said(fine), "", "{fine:?}");
        }
        assert!(said(&["errors=3%", "good"]).starts_with("`good` says that nothing goes wrong, and `errors=3%@0s`"));
        let twice = said(&["errors=20%@20s", "slow=1s", "errors=1%@20s"]);
        assert!(
            twice.starts_with("`errors=20%@20s` and `errors=1%@20s` begin at the same moment: keep one"),
            "{twice}"
        );
        assert_eq!(said(&["never-ready", "never-ready"]), "`never-ready` is given twice: keep one");
    }

    #[test]
    fn what_cannot_be_read_says_what_to_write() {
        for (text, says) in [
            ("", "`` is no fault. There are: good, errors"),
            ("error=20%", "`error` is no fault. Did you mean `errors`? There are: good"),
            ("never_ready", "Did you mean `never-ready`?"),
            ("crash", "`crash` is no fault. There are: good, errors, slow, never-ready"),
            ("errors", "`errors` needs a value: write for example `errors=20%@30s`"),
            ("errors=lots", "`lots` is not a percentage"),
            ("errors=0%", "0% of errors is no fault"),
            ("errors=120%", "`120%` is not a percentage"),
            ("errors=20%@", "the time after @ of `errors=20%@`: "),
            ("errors=20%@30", "the time after @ of `errors=20%@30`: `30`"),
            ("slow=800", "the value of `slow=800`: `800`"),
            ("slow=0", "a time of 0 is no fault: write for example `slow=800ms@30s`"),
            ("slow", "`slow` needs a value"),
            ("never-ready=1", "`never-ready` takes no value, and `=1` was given: write `never-ready`"),
            ("never-ready@5s", "`never-ready` takes no time"),
            ("good@5s", "`good` takes no time"),
            ("instance-lost=old", "`old` is no track: write `instance-lost=canary@45s` or"),
            ("controller-killed=0s", "a time of 0 is no fault"),
        ] {
            let said = parse(text).expect_err(text);
            assert!(said.contains(says), "{text}: {said}");
        }
    }
}
