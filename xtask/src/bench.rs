//! `bench proxy`: the proxy beside HAProxy and nginx, in one run, so that the machine is the same for all three.
//!
//! The proxy alone on core 0; the backend and wrk on core 1; loopback, keep-alive, 90/10, X-Forwarded-For, no logs, and
//! statistics on in ours. What counts is CPU time per request (utime + stime of the proxy over wrk's requests): the core
//! of the load limits the rate, so requests a second are lower bounds.
//!
//! A virtual machine is faster or slower from one half minute to the next, by more than the proxies differ. So they
//! take turns within each round, each round in another order, and what is compared is what stood side by side: the
//! ratio is the median of the rounds' ratios.

mod measure;
mod proxies;
mod table;

use crate::parts::debian;
use crate::run::{Run, Stop, fail};
use measure::Measured;
use proxies::{Backend, Kind};
use std::time::Duration;

/// Sizes of the body: its target, and its name in the table.
const BODIES: [(&str, &str); 3] = [("/13", "13B"), ("/1k", "1KB"), ("/64k", "64KB")];
const CONNECTIONS: [u32; 2] = [64, 256];
/// Far under what any of them does: a run with less than this has measured something else.
const LEAST_RATE: f64 = 1000.0;

/// How long, and how often.
struct Effort {
    rounds: usize,
    seconds: u64,
    warm_up: Duration,
}

/// One figure: which proxy, when, under what, and what came.
struct Figure {
    round: usize,
    kind: Kind,
    body: &'static str,
    connections: u32,
    measured: Measured,
}

/// Measures, prints the table, and fails on any error or on too few requests.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    let cores = std::thread::available_parallelism()?.get();
    if cores < 2 {
        return Err(Stop::Skip("the proxy and its load need a core each, and there is one".to_owned()));
    }
    let programs = [("haproxy", "haproxy"), ("nginx", "nginx-light"), ("wrk", "wrk"), ("taskset", "util-linux")];
    debian::need(run, &programs)?;
    run.build(&["--release", "--package", "serin-bench", "--package", "serin-proxy", "--bins"])?;
    let effort = if run.is_long() {
        Effort { rounds: 11, seconds: 2, warm_up: Duration::from_millis(500) }
    } else {
        Effort { rounds: 1, seconds: 2, warm_up: Duration::from_millis(300) }
    };
    let backend = Backend::start(run)?;
    let mut figures = Vec::new();
    for round in 1..=effort.rounds {
        for (target, body) in BODIES {
            for connections in CONNECTIONS {
                for turn in 0..Kind::ALL.len() {
                    let kind = Kind::ALL[(round + turn) % Kind::ALL.len()];
                    let measured = one(run, &backend, kind, target, connections, &effort)?;
                    run.say(format!("round {round}: {} {body} {connections}: {}", kind.name(), measured.line()));
                    figures.push(Figure { round, kind, body, connections, measured });
                }
            }
        }
    }
    let syscalls = syscalls(run, &backend)?;
    report(run, &figures, &syscalls)
}

/// One proxy, freshly started, under one load.
fn one(
    run: &mut Run,
    backend: &Backend,
    kind: Kind,
    target: &str,
    connections: u32,
    effort: &Effort,
) -> Result<Measured, Stop> {
    let proxy = proxies::start(run, kind, backend)?;
    let url = format!("http://{}{target}", proxy.address);
    measure::warm_up(run, &url, connections, effort.warm_up)?;
    let measured = measure::load(run, &proxy, &url, connections, effort.seconds)?;
    if measured.requests < LEAST_RATE * effort.seconds as f64 {
        return fail(format!("{} answered only {} requests in {} s", kind.name(), measured.requests, effort.seconds));
    }
    if kind == Kind::Serin {
        proxies::check_counts(&proxy, measured.requests)?;
    }
    Ok(measured)
}

/// System calls per request, by a tracer, in runs of their own: it slows them, and changes their number hardly.
fn syscalls(run: &mut Run, backend: &Backend) -> Result<Vec<(Kind, f64)>, Stop> {
    if debian::find("strace").is_none() {
        run.say("strace is not there: system calls are not counted");
        return Ok(Vec::new());
    }
    let mut counted = Vec::new();
    for kind in Kind::ALL {
        let proxy = proxies::start(run, kind, backend)?;
        let url = format!("http://{}/13", proxy.address);
        if let Some(calls) = measure::traced(run, &proxy, &url)? {
            counted.push((kind, calls));
        }
    }
    Ok(counted)
}

fn report(run: &mut Run, figures: &[Figure], syscalls: &[(Kind, f64)]) -> Result<(), Stop> {
    let text = table::markdown(figures, syscalls);
    std::fs::write(run.root().join("target/xtask/bench-proxy.md"), &text)?;
    println!("{text}");
    let mut worst: f64 = 0.0;
    for (_, body) in BODIES {
        for connections in CONNECTIONS {
            let ratio = table::ratio(figures, Kind::Haproxy, body, connections).median;
            run.fact(&format!("cpu_vs_haproxy_{body}_{connections}"), table::round(ratio));
            worst = worst.max(ratio);
        }
    }
    run.fact("worst_ratio", table::round(worst));
    let others = figures.iter().map(|f| f.measured.others).fold(0.0, f64::max);
    run.fact("others", table::round(others));
    run.fact("requests", figures.iter().map(|f| f.measured.requests).sum::<f64>());
    run.fact("syscalls", if syscalls.is_empty() { "not-counted" } else { "counted" });
    Ok(())
}
