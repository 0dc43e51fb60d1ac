//! The figures as a table that can stand in `docs/measured.md`.

use super::measure::Measured;
use super::proxies::Kind;
use super::{BODIES, CONNECTIONS, Figure};

/// The median of one figure over the rounds.
pub fn median(figures: &[Figure], kind: Kind, body: &str, connections: u32, of: impl Fn(&Measured) -> f64) -> f64 {
    let fits = |f: &&Figure| f.kind == kind && f.body == body && f.connections == connections;
    let mut all: Vec<f64> = figures.iter().filter(fits).map(|f| of(&f.measured)).collect();
    all.sort_by(f64::total_cmp);
    match all.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => all[n / 2],
        n => (all[n / 2 - 1] + all[n / 2]) / 2.0,
    }
}

/// To two decimals.
pub fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// A figure's name, how it is read from a run, and its decimals.
type Row = (&'static str, fn(&Measured) -> f64, usize);

/// Every figure of the table.
const ROWS: [Row; 6] = [
    ("CPU µs/request", |m| m.cpu_us, 2),
    ("thousand requests/s", |m| m.rate / 1000.0, 1),
    ("p99 ms", |m| m.p99_ms, 2),
    ("resident MiB", |m| m.rss_mib, 1),
    ("busy share of its core", |m| m.busy, 2),
    ("others' share of it", |m| m.others, 2),
];

/// The whole table.
pub fn markdown(figures: &[Figure], syscalls: &[(Kind, f64)]) -> String {
    let columns: Vec<(&str, u32)> = BODIES.iter().flat_map(|(_, b)| CONNECTIONS.map(|c| (*b, c))).collect();
    let mut out = String::from("| median | |");
    columns.iter().for_each(|(body, connections)| out.push_str(&format!(" {body}, {connections} |")));
    out.push_str(&format!("\n|---|---|{}\n", "---|".repeat(columns.len())));
    for (name, of, decimals) in ROWS {
        for kind in Kind::ALL {
            out.push_str(&format!("| {name} | {} |", kind.name()));
            for (body, connections) in &columns {
                let value = median(figures, kind, body, *connections, of);
                out.push_str(&format!(" {value:.decimals$} |"));
            }
            out.push('\n');
        }
    }
    let counted: Vec<String> = syscalls.iter().map(|(k, n)| format!("{} {n:.2}", k.name())).collect();
    let counted = if counted.is_empty() { "not counted (no strace)".to_owned() } else { counted.join(", ") };
    out.push_str(&format!("\nSystem calls per request (13 B, 64 connections, traced): {counted}.\n"));
    out
}
