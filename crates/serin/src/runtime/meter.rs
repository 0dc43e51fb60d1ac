//! How far something is that takes long: a line that is drawn again on a terminal, a line every few seconds elsewhere. On
//! standard error.
use crate::cli::{Output, Terminal};
use std::io::{IsTerminal, Write as _};
use std::panic::resume_unwind;
use std::thread::{current, park_timeout, scope};
use std::time::{Duration, Instant};

const REDRAW: Duration = Duration::from_millis(200);
const PLAIN: Duration = Duration::from_secs(5);
/// Cells of the bar.
const BAR: usize = 20;

/// How far it is.
pub(super) struct Progress {
    /// So many parts are done, of so many; `None` where nobody knows how many there will be.
    pub part: Option<(usize, usize)>,
    /// The same in words.
    pub text: String,
}

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

    /// Does `work` in a thread of its own, and says meanwhile how far it is; `progress` is told for how long it was done.
    ///
    /// # Panics
    /// As `work` does.
    pub(super) fn watch<T: Send>(
        mut self,
        work: impl FnOnce() -> T + Send,
        progress: impl Fn(Duration) -> Progress,
    ) -> T {
        let (began, watcher) = (Instant::now(), current());
        let result = scope(|scope| {
            let worker = scope.spawn(move || {
                let result = work();
                watcher.unpark();
                result
            });
            while !worker.is_finished() {
                park_timeout(REDRAW);
                self.draw(&progress(began.elapsed()), began.elapsed());
            }
            worker.join()
        });
        self.wipe();
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn draw(&mut self, progress: &Progress, took: Duration) {
        let now = Instant::now();
        let early = if self.live { took < REDRAW } else { self.last.map_or(took < PLAIN, |last| now < last + PLAIN) };
        if self.silent || early {
            return;
        }
        self.last = Some(now);
        let mut out = std::io::stderr();
        let _ = if self.live {
            write!(out, "\r\x1b[2K{}{}", progress.part.map(bar).unwrap_or_default(), progress.text)
        } else {
            writeln!(out, "{}", progress.text)
        };
        self.drawn = self.live;
    }

    /// Takes the drawn line away.
    fn wipe(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(std::io::stderr(), "\r\x1b[2K"); // what nobody sees need not be taken away
        }
    }
}

fn bar((done, of): (usize, usize)) -> String {
    let full = done * BAR / of.max(1);
    (0..BAR).map(|i| if i < full { '█' } else { '░' }).chain([' ']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_grows_with_what_is_done() {
        assert_eq!((bar((3, 6)).as_str(), bar((0, 0)).starts_with('░')), ("██████████░░░░░░░░░░ ", true));
    }

    #[test]
    fn what_is_watched_comes_back_and_so_does_its_panic() {
        let none = |_| Progress { part: None, text: String::new() };
        assert_eq!(Meter::silent().watch(|| 7, none), 7);
        let panicked = std::panic::catch_unwind(|| Meter::silent().watch(|| panic!("as it must"), none));
        assert!(panicked.is_err_and(|panic| panic.downcast_ref() == Some(&"as it must")));
    }
}
