//! Progress of whatever takes long: on a terminal one line that is written anew, elsewhere a line now and then.
use crate::quiet::Mode;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a search says of itself while it runs.
#[derive(Default, Debug)]
pub struct Meter {
    states: AtomicU64,
    queue: AtomicU64,
    depth: AtomicU32,
    /// 0 while it searches, then the number of the mode whose quiet runs are taken, from 1.
    mode: AtomicU32,
    rested: AtomicU64,
}

impl Meter {
    /// A search tells after this many states.
    pub const EVERY: usize = 4_096;

    /// So many states were found, of which `queue` were not looked at yet.
    pub fn searched(&self, states: usize, queue: usize, depth: u32) {
        self.states.store(states as u64, Relaxed);
        self.queue.store(queue as u64, Relaxed);
        self.depth.store(depth, Relaxed);
    }

    /// From so many states the quiet run was taken.
    pub fn rested(&self, states: usize, mode: Mode) {
        self.rested.store(states as u64, Relaxed);
        self.mode.store(mode as u32 + 1, Relaxed);
    }

    /// How many states were found when it told last.
    pub fn states(&self) -> u64 {
        self.states.load(Relaxed)
    }

    /// In words: how far it is of `expected` states, after `spent`.
    pub fn words(&self, expected: Option<usize>, spent: Duration) -> String {
        let states = self.states.load(Relaxed);
        let mode = self.mode.load(Relaxed);
        if let Some(mode) = mode.checked_sub(1).and_then(|mode| Mode::ALL.get(mode as usize)) {
            return format!("{} states, {mode:?} from {}", short(states), short(self.rested.load(Relaxed)));
        }
        let rate = (states as f64 / spent.as_secs_f64().max(0.001)) as u64;
        let part = expected.map_or_else(String::new, |all| format!(" ({}%)", states * 100 / (all as u64).max(1)));
        let (queue, depth) = (self.queue.load(Relaxed), self.depth.load(Relaxed));
        format!("{} states{part}, {}/s, depth {depth}, queue {}", short(states), short(rate), short(queue))
    }
}

/// A number for the eye: 1234567 is 1.23M.
pub fn short(x: u64) -> String {
    match x {
        0..10_000 => x.to_string(),
        10_000..1_000_000 => format!("{}k", x / 1_000),
        1_000_000.. => format!("{:.2}M", x as f64 / 1e6),
    }
}

/// Standard error, shared by those who report and the line that is written anew.
pub struct Screen {
    terminal: bool,
    dirty: Mutex<bool>,
    done: Mutex<bool>,
    bell: Condvar,
}

impl Default for Screen {
    fn default() -> Screen {
        Screen {
            terminal: std::io::stderr().is_terminal(),
            dirty: Mutex::default(),
            done: Mutex::default(),
            bell: Condvar::new(),
        }
    }
}

impl Screen {
    /// How often progress is told where nobody watches a terminal.
    const SELDOM: Duration = Duration::from_secs(10);

    /// Writes whole lines that stay. That nobody can read them is no reason to stop.
    pub fn say(&self, text: &str) {
        let mut dirty = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
        let clear = if std::mem::take(&mut *dirty) { "\r\x1b[2K" } else { "" };
        let _ = write!(std::io::stderr().lock(), "{clear}{text}");
    }

    /// Tells progress, which `line` puts in words, until [`Screen::done`] is called. Run it in a thread of its own.
    pub fn watch(&self, line: impl Fn(Duration) -> String) {
        let (began, every) = (Instant::now(), if self.terminal { Duration::from_millis(500) } else { Screen::SELDOM });
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        while !*done {
            let waited = self.bell.wait_timeout(done, every).unwrap_or_else(PoisonError::into_inner);
            done = waited.0;
            if *done || !waited.1.timed_out() {
                continue;
            }
            let text = line(began.elapsed());
            if self.terminal {
                let cut: String = text.chars().take(180).collect();
                *self.dirty.lock().unwrap_or_else(PoisonError::into_inner) = true;
                let _ = write!(std::io::stderr().lock(), "\r\x1b[2K{cut}");
            } else if !text.is_empty() {
                self.say(&format!("{text}\n"));
            }
        }
        self.say("");
    }

    /// Ends [`Screen::watch`].
    pub fn done(&self) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_all();
    }
}

/// Ends the watch when it goes, so that a panic beside it does not leave it watching for ever.
pub struct Watched<'s>(pub &'s Screen);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.0.done();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_says_what_it_was_told() {
        let meter = Meter::default();
        meter.searched(1_500_000, 12_345, 40);
        let words = meter.words(Some(3_000_000), Duration::from_secs(3));
        assert_eq!(words, "1.50M states (50%), 500k/s, depth 40, queue 12k");
        meter.rested(4_096, Mode::Fail);
        assert_eq!(meter.words(None, Duration::ZERO), "1.50M states, Fail from 4096");
    }
}
