//! What a person sees: lines that stay, and below them, on a terminal, one line that shows what goes on right now.
use super::load::Counts;
use crate::cli::{Output, Terminal, told};
use jiff::tz::TimeZone;
use serin_api::{Client, EventView, StatusView};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// How often the line is drawn, and how often it becomes a line that stays where there is no terminal.
const REDRAW: Duration = Duration::from_millis(250);
const PLAIN: Duration = Duration::from_secs(5);
/// Rates and shares are those of the last moments.
const RECENT: Duration = Duration::from_secs(1);
/// Columns of the bar, and what each version is drawn with.
const BAR: u64 = 24;
const SIGNS: [char; 3] = ['░', '█', '▒'];

/// The screen.
pub(super) struct Screen {
    terminal: Terminal,
    pub client: Client,
    zone: TimeZone,
    drawn: Cell<bool>,
    plain: Cell<Option<Instant>>,
    seen: RefCell<VecDeque<(Instant, Counts)>>,
}

impl Screen {
    pub(super) fn new(terminal: Terminal, client: Client) -> Screen {
        let (drawn, plain, seen) = (Cell::new(false), Cell::new(None), RefCell::new(VecDeque::new()));
        Screen { terminal, client, zone: TimeZone::system(), drawn, plain, seen }
    }

    /// A screen that is gone (a closed terminal, a pipe that nobody reads) changes nothing: what was started must still
    /// be ended.
    fn print(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    fn line(&self, text: &str) {
        if self.terminal.output == Output::Text {
            self.wipe();
            self.print(&format!("{text}\n"));
        }
    }

    /// A new part of the story, and the command that makes it.
    pub(super) fn part(&self, text: &str, command: &str) {
        self.line("");
        self.line(&self.terminal.paint.bold(text));
        if !command.is_empty() {
            self.line(&format!("{} {command}", self.terminal.paint.dim("$")));
        }
    }

    /// A remark.
    pub(super) fn dim(&self, text: &str) {
        self.line(&self.terminal.paint.dim(text));
    }

    /// An event, as `serin deploy` tells it.
    pub(super) fn event(&self, event: &EventView) {
        self.line(told(event, &self.zone, self.terminal.paint).trim_end());
    }

    /// Takes the drawn line away.
    pub(super) fn wipe(&self) {
        if self.drawn.replace(false) {
            self.print("\r\x1b[2K");
        }
    }

    /// Draws what goes on for as long as it is awaited: never ends.
    pub(super) async fn watch(&self, counts: impl Fn() -> Counts) -> std::convert::Infallible {
        let mut tick = tokio::time::interval(REDRAW);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            // A controller that is away for a moment has no weight to show; the load goes on.
            let status = self.client.status().await.ok();
            self.draw(counts(), status.as_ref());
        }
    }

    fn draw(&self, now: Counts, status: Option<&StatusView>) {
        let mut seen = self.seen.borrow_mut();
        let at = Instant::now();
        seen.push_back((at, now.clone()));
        while seen.len() > 2 && seen.get(1).is_some_and(|(then, _)| at - *then >= RECENT) {
            seen.pop_front();
        }
        let Some((then, before)) = seen.front() else { return };
        let millis = u64::try_from((at - *then).as_millis()).unwrap_or(u64::MAX);
        if millis < 200 || self.terminal.output == Output::Json {
            return;
        }
        let text = live(&now, before, millis, status);
        if self.terminal.live {
            let line: String = text.chars().take(self.terminal.width() - 1).collect();
            self.print(&format!("\r\x1b[2K{}", self.coloured(&line)));
            self.drawn.set(true);
        } else if self.plain.get().is_none_or(|last| last.elapsed() >= PLAIN) {
            self.plain.set(Some(at));
            self.line(&text);
        }
    }

    /// The bar in a colour for each version.
    fn coloured(&self, text: &str) -> String {
        let paint = self.terminal.paint;
        let part = |sign: char| text.chars().filter(|c| *c == sign).collect::<String>();
        let [first, second, third] = SIGNS;
        let rest: String = text.chars().filter(|c| !SIGNS.contains(c)).collect();
        format!("{}{}{}{}", part(first), paint.green(&part(second)), paint.yellow(&part(third)), paint.dim(&rest))
    }
}

/// One line: the shares as a bar, requests per second, who answers them, what users saw of failures, and the weight.
fn live(now: &Counts, before: &Counts, millis: u64, status: Option<&StatusView>) -> String {
    let all = now.answered() - before.answered();
    let recent = |version: &String| {
        let (now, before) = (now.of(version), before.of(version));
        now.good + now.bad - before.good - before.bad
    };
    let shares: Vec<(&String, u64)> =
        now.versions.keys().map(|v| (v, recent(v))).filter(|(_, answers)| *answers > 0).collect();
    // Each version ends where the sum of the answers up to it does, so that the bar is always full.
    let ends = shares.iter().scan(0, |sum, (version, answers)| {
        *sum += answers;
        Some((*version, *sum * BAR / all))
    });
    let ends: Vec<(&String, u64)> = ends.collect();
    let sign = |column: u64| {
        let version = ends.iter().find(|(_, end)| column < *end).and_then(|(version, _)| version.parse().ok());
        version.map_or(' ', |version: usize| SIGNS[version.saturating_sub(1) % SIGNS.len()])
    };
    let bar: String = (0..BAR).map(sign).collect();
    let who: Vec<String> = shares.iter().map(|(v, n)| format!("v{v} {}%", (n * 100 + all / 2) / all)).collect();
    let mut text = format!("{bar} {:>4} req/s  {}", all * 1000 / millis.max(1), who.join("  "));
    text.push_str(&match (now.bad(), now.lost()) {
        (0, 0) => "  users saw 0 failures".to_owned(),
        (bad, 0) => format!("  users saw {bad} bad answers, 0 lost"),
        (bad, lost) => format!("  users saw {bad} bad answers, {lost} LOST"),
    });
    if let Some(rollout) = status.and_then(|status| status.rollout.as_ref()) {
        text.push_str(&format!("  weight {}%", rollout.weight / 100));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::load::Answers;
    use super::*;

    #[test]
    fn the_line_shows_the_last_moment_and_all_failures() {
        let counts = |one, two, bad| Counts {
            versions: [("1".to_owned(), Answers { good: one, bad: 0 }), ("2".to_owned(), Answers { good: two, bad })]
                .into(),
            ..Counts::default()
        };
        let line = live(&counts(450, 146, 4), &counts(300, 100, 0), 1000, None);
        assert_eq!(line, "░░░░░░░░░░░░░░░░░░██████  200 req/s  v1 75%  v2 25%  users saw 4 bad answers, 0 lost");
        let quiet = live(&counts(0, 0, 0), &counts(0, 0, 0), 1000, None);
        assert_eq!(quiet, "                            0 req/s    users saw 0 failures");
    }
}
