//! The figures as a table that can stand in `docs/measured.md`.

use super::measure::Measured;
use super::proxies::Kind;
use super::{BODIES, CONNECTIONS, Figure};

/// The median of one figure over the rounds.
pub fn median(figures: &[Figure], kind: Kind, body: &str, connections: u32, of: impl Fn(&Measured) -> f64) -> f64 {
    let fits = |f: &&Figure| f.kind == kind && f.body == body && f.connections == connections;
    Spread::of(figures.iter().filter(fits).map(|f| of(&f.measured)).collect()).median
}

/// The middle of some values, and the quartiles around it; all of them no number where there is no value.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    /// Of four values, one is smaller.
    pub low: f64,
    /// The middle.
    pub median: f64,
    /// Of four values, one is larger.
    pub high: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Spread {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = share * values.len().saturating_sub(1) as f64;
            let of = |n: f64| values.get(n as usize).copied().unwrap_or(f64::NAN);
            let (below, above) = (of(place.floor()), of(place.ceil()));
            below + (above - below) * place.fract()
        };
        Spread { low: at(0.25), median: at(0.5), high: at(0.75) }
    }
}

/// Our CPU per request over another's, round by round: what stood side by side.
pub fn ratio(figures: &[Figure], other: Kind, body: &str, connections: u32) -> Spread {
    let cpu = |kind: Kind, round: usize| {
        let fits = |f: &&Figure| f.kind == kind && f.round == round && f.body == body && f.connections == connections;
        figures.iter().find(fits).map(|f| f.measured.cpu_us)
    };
    let rounds = figures.iter().map(|f| f.round).max().unwrap_or(0);
    let ratios = (0..=rounds).filter_map(|round| Some(cpu(Kind::Serin, round)? / cpu(other, round)?));
    Spread::of(ratios.collect())
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
    for other in [Kind::Haproxy, Kind::Nginx] {
        out.push_str(&format!("| serin's CPU over {}'s, round by round (quartiles) | |", other.name()));
        for (body, connections) in &columns {
            let Spread { low, median, high } = ratio(figures, other, body, *connections);
            out.push_str(&format!(" {median:.2} ({low:.2}–{high:.2}) |"));
        }
        out.push('\n');
    }
    let counted: Vec<String> = syscalls.iter().map(|(k, n)| format!("{} {n:.2}", k.name())).collect();
    let counted = if counted.is_empty() { "not counted (no strace)".to_owned() } else { counted.join(", ") };
    out.push_str(&format!("\nSystem calls per request (13 B, 64 connections, traced): {counted}.\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(round: usize, kind: Kind, cpu_us: f64) -> Figure {
        let measured = Measured { requests: 1.0, cpu_us, rate: 1.0, p99_ms: 1.0, rss_mib: 1.0, busy: 1.0, others: 0.0 };
        Figure { round, kind, body: "13B", connections: 64, measured }
    }

    #[test]
    fn what_stood_side_by_side_is_compared() {
        // The machine was twice as slow in the second round, and ours is at 0.8 in all of them.
        let rounds = [(1, 10.0), (2, 20.0), (3, 11.0)];
        let both =
            |(round, cpu): (usize, f64)| [figure(round, Kind::Haproxy, cpu), figure(round, Kind::Serin, 0.8 * cpu)];
        let figures: Vec<Figure> = rounds.into_iter().flat_map(both).collect();
        let found = ratio(&figures, Kind::Haproxy, "13B", 64);
        assert!([found.low, found.median, found.high].iter().all(|r| (r - 0.8).abs() < 1e-9), "{found:?}");
        assert!(ratio(&figures, Kind::Nginx, "13B", 64).median.is_nan());
    }

    #[test]
    fn quartiles_lie_between_values() {
        let spread = Spread::of(vec![4.0, 1.0, 2.0, 3.0]);
        assert_eq!((spread.low, spread.median, spread.high), (1.75, 2.5, 3.25));
        let one = Spread::of(vec![7.0]);
        assert_eq!((one.low, one.median, one.high), (7.0, 7.0, 7.0));
    }
}
