//! How far a search is: a line that is drawn again on a terminal, a line every few seconds elsewhere. On standard error.
use crate::cli::{Output, Terminal};
use std::io::{IsTerminal, Write as _};
use std::time::{Duration, Instant};

const REDRAW: Duration = Duration::from_millis(200);
const PLAIN: Duration = Duration::from_secs(5);
/// Cells of the bar.
const BAR: usize = 20;

/// The meter.
pub(super) struct Meter {
    live: bool,
    silent: bool,
    drawn: bool,
    last: Option<Instant>,
}

impl Meter {
    pub(super) fn new(terminal: &Terminal) -> Meter {
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let live = std::io::stderr().is_terminal() && !dumb;
        Meter { live, silent: terminal.output == Output::Json, drawn: false, last: None }
    }

    /// One that says nothing.
    #[cfg(test)]
    pub(super) fn silent() -> Meter {
        Meter { live: false, silent: true, drawn: false, last: None }
    }

    /// How long to wait before it is drawn again.
    pub(super) fn pause(&self) -> Duration {
        REDRAW
    }

    /// Says how far it is, if it is time for that.
    pub(super) fn draw(&mut self, done: usize, of: usize, states: usize, took: Duration) {
        let now = Instant::now();
        let early = !self.live && self.last.map_or(took < PLAIN, |last| now < last + PLAIN);
        if self.silent || early {
            return;
        }
        self.last = Some(now);
        let text = line(done, of, states, took);
        let mut out = std::io::stderr();
        let _ = if self.live { write!(out, "\r\x1b[2K{} {text}", bar(done, of)) } else { writeln!(out, "{text}") };
        self.drawn = self.live;
    }

    /// Takes the drawn line away.
    pub(super) fn wipe(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(std::io::stderr(), "\r\x1b[2K"); // what nobody sees need not be taken away
        }
    }
}

fn bar(done: usize, of: usize) -> String {
    let full = done * BAR / of.max(1);
    (0..BAR).map(|i| if i < full { '█' } else { '░' }).collect()
}

fn line(done: usize, of: usize, states: usize, took: Duration) -> String {
    format!("{done} of {of} searches done, {} states, {}s", super::report::grouped(states), took.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_grows_with_what_is_done() {
        assert_eq!(line(3, 6, 1_234_567, Duration::from_secs(7)), "3 of 6 searches done, 1 234 567 states, 7s");
        assert_eq!((bar(3, 6).as_str(), bar(0, 0).starts_with('░')), ("██████████░░░░░░░░░░", true));
    }
}
