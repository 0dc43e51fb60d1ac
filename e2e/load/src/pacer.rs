//! When each request starts: on a thread of its own, because the runtime's timers know only milliseconds.

use crate::config::Config;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// What kind of request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The ordinary GET.
    Get,
    /// A POST with a body.
    Post,
    /// A GET that takes its time.
    Slow,
}

/// One request that is due.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    /// Its number, from 0.
    pub number: u64,
    /// Its kind.
    pub kind: Kind,
    /// When it should start.
    pub intended: Instant,
}

/// Ends the pacing, at once and from any thread.
#[derive(Debug, Clone)]
pub struct Brake {
    pulled: Arc<AtomicBool>,
    thread: Thread,
}

impl Brake {
    /// No request becomes due any more.
    pub fn pull(&self) {
        self.pulled.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Starts the thread: request `n` is due `n / rate` seconds after `begin`. The channel closes when no more will come.
///
/// # Errors
/// When the machine has no thread left.
pub fn start(
    config: &Config,
    begin: Instant,
    to: UnboundedSender<Due>,
) -> Result<(Brake, JoinHandle<()>), std::io::Error> {
    let (config, pulled) = (config.clone(), Arc::new(AtomicBool::new(false)));
    let seen = Arc::clone(&pulled);
    let thread =
        std::thread::Builder::new().name("pacer".to_owned()).spawn(move || pace(&config, begin, &seen, &to))?;
    Ok((Brake { pulled, thread: thread.thread().clone() }, thread))
}

fn pace(config: &Config, begin: Instant, pulled: &AtomicBool, to: &UnboundedSender<Due>) {
    let mut random = config.seed;
    for number in 0.. {
        let after = Duration::from_secs_f64(number as f64 / config.rate);
        if config.duration.is_some_and(|most| after >= most) {
            return;
        }
        let intended = begin + after;
        loop {
            if pulled.load(Ordering::Acquire) {
                return;
            }
            let now = Instant::now();
            if now >= intended {
                break;
            }
            std::thread::park_timeout(intended - now);
        }
        let kind = choose(config, &mut random);
        if to.send(Due { number, kind, intended }).is_err() {
            return;
        }
    }
}

fn choose(config: &Config, random: &mut u64) -> Kind {
    let at = uniform(random);
    if at < config.post_share {
        Kind::Post
    } else if at < config.post_share + config.slow_share {
        Kind::Slow
    } else {
        Kind::Get
    }
}

/// The next number in 0..1 (SplitMix64: Steele, Lea and Flood, OOPSLA 2014).
pub fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_come_in_the_shares_asked_for() {
        let mut config = Config::new(([127, 0, 0, 1], 1).into(), 100.0);
        (config.post_share, config.slow_share) = (0.2, 0.1);
        let mut random = 7;
        let kinds: Vec<Kind> = (0..100_000).map(|_| choose(&config, &mut random)).collect();
        let share = |kind| kinds.iter().filter(|k| **k == kind).count() as f64 / kinds.len() as f64;
        assert!((share(Kind::Post) - 0.2).abs() < 0.01, "{}", share(Kind::Post));
        assert!((share(Kind::Slow) - 0.1).abs() < 0.01, "{}", share(Kind::Slow));
        assert!((share(Kind::Get) - 0.7).abs() < 0.01, "{}", share(Kind::Get));
    }

    #[test]
    fn the_brake_stops_a_load_without_an_end() {
        let config = Config::new(([127, 0, 0, 1], 1).into(), 1000.0);
        let (to, mut from) = tokio::sync::mpsc::unbounded_channel();
        let (brake, thread) = start(&config, Instant::now(), to).expect("a thread");
        let first = from.blocking_recv().expect("the first is due at once");
        assert_eq!(first.number, 0);
        brake.pull();
        thread.join().expect("no panic");
        let mut last = 0;
        while let Some(due) = from.blocking_recv() {
            assert_eq!(due.number, last + 1);
            last = due.number;
        }
    }
}
