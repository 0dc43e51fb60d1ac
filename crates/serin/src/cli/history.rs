//! `serin history`: past releases, or one of them with all that is known of it.

use std::{collections::BTreeMap, fmt::Write as _, process::ExitCode};

use clap::Args;
use jiff::tz::TimeZone;
use serin_api::{Ending, MeasurementView, RolloutDetail, RolloutView};

use super::{
    Failure, Global, Output, Place, Terminal, exit,
    follow::told,
    moment::{clock, date, length, percent},
    terminal::Paint,
};

/// What `serin history` takes.
#[derive(Debug, Args)]
pub(super) struct History {
    /// Show this rollout with its events and measurements.
    #[arg(value_name = "NUMBER")]
    number: Option<u64>,
    /// List so many, newest first.
    #[arg(short = 'n', long, default_value_t = 20)]
    limit: usize,
}

impl History {
    pub(super) async fn run(self, global: &Global, terminal: &Terminal) -> Result<ExitCode, Failure> {
        let client = Place::find(global)?.client();
        let zone = TimeZone::system();
        if let Some(number) = self.number {
            let detail = client.rollout(number).await?;
            match terminal.output {
                Output::Json => terminal.json(&detail),
                Output::Text => terminal.print(&one(&detail, &zone, terminal.paint)),
            }
        } else {
            let rollouts = client.history(self.limit).await?;
            match terminal.output {
                Output::Json => terminal.json(&rollouts),
                Output::Text => terminal.print(&table(&rollouts, &zone, terminal.paint)),
            }
        }
        Ok(ExitCode::from(exit::DONE))
    }
}

fn ending(r: &RolloutView, paint: Paint) -> String {
    let padded = |e: Ending| format!("{:<11}", e.words());
    match r.ending {
        Some(e @ Ending::Promoted) => paint.green(&padded(e)),
        Some(e @ (Ending::RolledBack | Ending::Failed | Ending::Halted)) => paint.red(&padded(e)),
        Some(e @ (Ending::Aborted | Ending::Superseded | Ending::Parked)) => paint.yellow(&padded(e)),
        None => format!("{:<11}", "under way"),
    }
}

/// Rollouts as a table.
pub(super) fn table(rollouts: &[RolloutView], zone: &TimeZone, paint: Paint) -> String {
    if rollouts.is_empty() {
        return "nothing has been released yet\n".to_owned();
    }
    let mut out = paint.bold(&format!(
        "{:>6}  {:<19}  {:<8}  {:<11}  {:<10}  {:<10}  {:>6}  {}",
        "NUMBER", "STARTED", "TOOK", "ENDED", "FROM", "TO", "PEAK", "BY"
    )) + "\n";
    for r in rollouts {
        let took = r.ended.map_or("-".to_owned(), |e| length(e.saturating_sub(r.started)));
        let from = r.from.as_ref().map_or("-", |f| f.short.as_str());
        let _ = writeln!(
            out,
            "{:>6}  {:<19}  {took:<8}  {}  {from:<10}  {:<10}  {:>6}  {}",
            r.number,
            date(r.started, zone),
            ending(r, paint),
            r.to.short,
            percent(r.peak),
            r.by
        );
        if !r.reason.is_empty() {
            let _ = writeln!(out, "        {}", paint.dim(&r.reason));
        }
    }
    out
}

/// One rollout with everything.
pub(super) fn one(d: &RolloutDetail, zone: &TimeZone, paint: Paint) -> String {
    let mut out = table(std::slice::from_ref(&d.rollout), zone, paint);
    if !d.changes.is_empty() {
        let _ = writeln!(out, "\n{}", paint.bold("Changes"));
        for change in &d.changes {
            let _ = writeln!(out, "  {change}");
        }
    }
    let _ = writeln!(out, "\n{}", paint.bold("Events"));
    for event in &d.events {
        for row in told(event, zone, paint).lines() {
            let _ = writeln!(out, "  {row}");
        }
    }
    if !d.measurements.is_empty() {
        let _ = writeln!(out, "\n{}", paint.bold("Measurements"));
    }
    measurements(&d.measurements, zone, &mut out);
    out
}

/// Every measurement; of those in a row that found no data, the last.
fn measurements(all: &[MeasurementView], zone: &TimeZone, out: &mut String) {
    let mut before: BTreeMap<&str, u64> = BTreeMap::new();
    for (at, m) in all.iter().enumerate() {
        let next = all[at + 1..].iter().find(|n| n.metric == m.metric);
        if m.value.is_none() && next.is_some_and(|n| n.value.is_none() && n.key == m.key) {
            *before.entry(&m.metric).or_default() += 1;
            continue;
        }
        let times = before.remove(m.metric.as_str()).map_or(String::new(), |n| format!(" ({} times)", n + 1));
        let _ = writeln!(
            out,
            "  {}  step {:<3} {:<16} {:>10} (limit {}), {} requests: {}{times}",
            clock(m.at, zone),
            m.key.step + 1,
            m.metric,
            m.value.as_deref().unwrap_or("no data"),
            m.limit,
            m.samples,
            m.result.word()
        );
    }
}
