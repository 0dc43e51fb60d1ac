//! One load by wrk, and what the proxy spent on it.

use super::proxies::Proxy;
use crate::run::{Run, Stop, fail};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What one run of wrk showed.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Requests that were answered.
    pub requests: f64,
    /// Microseconds of CPU of the proxy per request, user and kernel.
    pub cpu_us: f64,
    /// Requests a second.
    pub rate: f64,
    /// The latency in milliseconds that 99 of 100 did not exceed.
    pub p99_ms: f64,
    /// Resident memory of the proxy at the end, in MiB.
    pub rss_mib: f64,
    /// The share of its core that the proxy used.
    pub busy: f64,
    /// The share of its core that others used: near 0 on a quiet machine. What is over 0.1 is worth little.
    pub others: f64,
}

impl Measured {
    /// In one line.
    pub fn line(&self) -> String {
        format!(
            "{:.2} µs CPU, {:.0} requests/s, p99 {:.2} ms, {:.1} MiB, busy {:.2}, others {:.2}",
            self.cpu_us, self.rate, self.p99_ms, self.rss_mib, self.busy, self.others
        )
    }
}

/// A load that is not looked at.
pub fn warm_up(run: &mut Run, url: &str, connections: u32, time: Duration) -> Result<(), Stop> {
    // wrk knows whole seconds only; it is ended after a part of one.
    let mut process = run.start(wrk(url, connections, 2).stdout(Stdio::null()))?;
    process.wait(time)?;
    process.signal("KILL")?;
    process.wait(Duration::from_secs(5))?;
    Ok(())
}

/// A load of so many seconds.
pub fn load(run: &mut Run, proxy: &Proxy, url: &str, connections: u32, seconds: u64) -> Result<Measured, Stop> {
    let (before, core) = (cpu_seconds(proxy)?, core_seconds()?);
    let seen = Seen::read(&output(run, url, connections, seconds)?)?;
    let (spent, all) = (cpu_seconds(proxy)? - before, core_seconds()? - core);
    Ok(Measured {
        requests: seen.requests,
        cpu_us: spent * 1e6 / seen.requests,
        rate: seen.requests / seen.seconds,
        p99_ms: seen.p99_ms,
        rss_mib: rss_mib(proxy)?,
        busy: spent / seen.seconds,
        others: ((all - spent) / seen.seconds).max(0.0),
    })
}

/// System calls per request under 64 connections; `None` when the tracer may not trace here.
pub fn traced(run: &mut Run, proxy: &Proxy, url: &str) -> Result<Option<f64>, Stop> {
    let file = run.scratch().join("strace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-o"]).arg(&file);
    for id in family(proxy)? {
        strace.args(["-p", &id.to_string()]);
    }
    warm_up(run, url, 64, Duration::from_millis(300))?;
    let mut tracer = run.start(strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))?;
    if tracer.wait(Duration::from_millis(500))?.is_some() {
        run.say("strace may not trace here: system calls are not counted");
        return Ok(None);
    }
    let seen = Seen::read(&output(run, url, 64, 2)?)?;
    tracer.signal("INT")?;
    if tracer.wait(Duration::from_secs(10))?.is_none() {
        return fail("strace does not end");
    }
    let text = std::fs::read_to_string(&file)?;
    let total =
        text.lines().find(|l| l.trim_end().ends_with(" total")).map(|l| l.split_whitespace().collect::<Vec<_>>());
    // "100.00 1.23 4 12345 [errors] total": the calls are the fourth column.
    let calls: Option<f64> = total.and_then(|columns| columns.get(3)?.parse().ok());
    Ok(Some(calls.ok_or(Stop::Fail(format!("strace's summary cannot be read: {text}")))? / seen.requests))
}

fn wrk(url: &str, connections: u32, seconds: u64) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "1", "wrk", "-t1", "--latency"]);
    command.args([format!("-c{connections}"), format!("-d{seconds}s"), url.to_owned()]).stdin(Stdio::null());
    command
}

fn output(run: &mut Run, url: &str, connections: u32, seconds: u64) -> Result<String, Stop> {
    let mut process = run.start(wrk(url, connections, seconds).stdout(Stdio::piped()))?;
    let mut text = String::new();
    if let Some(mut out) = process.child.stdout.take() {
        std::io::Read::read_to_string(&mut out, &mut text)?;
    }
    match process.wait(Duration::from_secs(10))? {
        Some(status) if status.success() => Ok(text),
        Some(_) | None => fail(format!("wrk did not end well: {text}")),
    }
}

/// What wrk says.
#[derive(Debug, PartialEq)]
struct Seen {
    requests: f64,
    seconds: f64,
    p99_ms: f64,
}

impl Seen {
    /// Reads wrk's report. Any error in it is one.
    fn read(text: &str) -> Result<Seen, Stop> {
        if text.contains("Socket errors") || text.contains("Non-2xx") {
            return fail(format!("wrk saw errors: {text}"));
        }
        let words =
            |end: &str| text.lines().find(|l| l.contains(end)).map(|l| l.split_whitespace().collect::<Vec<_>>());
        let found = words(" requests in ").and_then(|line| {
            let p99 = words("99%")?;
            let seconds = time_ms(line.get(3)?.trim_end_matches(','))? / 1000.0;
            Some(Seen { requests: line.first()?.parse().ok()?, seconds, p99_ms: time_ms(p99.get(1)?)? })
        });
        found.ok_or(Stop::Fail(format!("wrk's report cannot be read: {text}")))
    }
}

/// `1.23ms`, `45us`, `2.00s` or `1.10m` in milliseconds.
fn time_ms(text: &str) -> Option<f64> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let number: f64 = text[..at].parse().ok()?;
    match &text[at..] {
        "us" => Some(number / 1000.0),
        "ms" => Some(number),
        "s" => Some(number * 1000.0),
        "m" => Some(number * 60_000.0),
        _ => None,
    }
}

/// The proxy's process and its children.
fn family(proxy: &Proxy) -> Result<Vec<u32>, Stop> {
    let id = proxy.process.id();
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
    let children = children.split_whitespace().filter_map(|c| c.parse().ok());
    Ok(std::iter::once(id).chain(children).collect())
}

/// CPU time of all of them, user and kernel (proc(5), fields 14 and 15 of stat, in ticks of 10 ms).
fn cpu_seconds(proxy: &Proxy) -> Result<f64, Stop> {
    let mut ticks = 0.0;
    for id in family(proxy)? {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().skip(11).take(2));
        ticks += fields.into_iter().flatten().filter_map(|f| f.parse::<f64>().ok()).sum::<f64>();
    }
    // USER_HZ is 100 on every Linux that Rust runs on.
    Ok(ticks / 100.0)
}

/// What all processes and the hypervisor took of core 0 (proc(5), `cpu0` of stat: user, nice, system and steal).
fn core_seconds() -> Result<f64, Stop> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let line = stat.lines().find_map(|l| l.strip_prefix("cpu0 "));
    let fields: Vec<f64> = line.into_iter().flat_map(str::split_whitespace).filter_map(|f| f.parse().ok()).collect();
    Ok([0, 1, 2, 7].iter().filter_map(|at| fields.get(*at)).sum::<f64>() / 100.0)
}

fn rss_mib(proxy: &Proxy) -> Result<f64, Stop> {
    let mut kib = 0.0;
    for id in family(proxy)? {
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        kib += line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default();
    }
    Ok(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "Running 3s test @ http://127.0.0.1:1/\n  1 threads and 64 connections\n  Thread Stats   Avg      \
        Stdev     Max   +/- Stdev\n    Latency   450.00us   90.00us   5.00ms   90.00%\n  Latency Distribution\n     50%  \
        440.00us\n     75%  500.00us\n     90%  600.00us\n     99%    1.05ms\n  300000 requests in 3.10s, 60.00MB read\n\
        Requests/sec:  96774.19\nTransfer/sec:     19.00MB\n";

    #[test]
    fn wrks_report_is_read() {
        let seen = Seen::read(REPORT).expect("it can be read");
        assert_eq!((seen.requests, seen.seconds, seen.p99_ms), (300_000.0, 3.1, 1.05));
    }

    #[test]
    fn an_error_in_it_is_one() {
        for bad in ["  Socket errors: connect 0, read 3, write 0, timeout 0\n", "  Non-2xx or 3xx responses: 1\n"] {
            assert!(Seen::read(&format!("{REPORT}{bad}")).is_err());
        }
        assert!(Seen::read("").is_err());
    }
}
