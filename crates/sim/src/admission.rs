//! Jobs on all cores, as many at once as fit into memory.
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The most that all jobs together may need, in bytes, on a machine that has more.
const MOST: u64 = 15 << 30;

/// What may be used here: seven tenths of what is free, and never more than 15 GiB.
pub fn budget() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib: Option<u64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.map_or(MOST, |kib| (kib * 1024 / 10 * 7).min(MOST))
}

/// The cores.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The job to begin now, of those that wait: the first that fits into what is `free`; where nothing runs, the first.
fn next(waiting: &[(usize, u64)], free: u64, running: usize) -> Option<usize> {
    let fits = waiting.iter().position(|(_, needs)| *needs <= free);
    fits.or_else(|| (running == 0 && !waiting.is_empty()).then_some(0))
}

struct Hall {
    waiting: Vec<(usize, u64)>,
    free: u64,
    running: usize,
}

struct Door {
    hall: Mutex<Hall>,
    left: Condvar,
}

impl Door {
    fn lock(&self) -> MutexGuard<'_, Hall> {
        self.hall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a job may begin; `None` when there is none any more.
    fn enter(&self) -> Option<(usize, Leave<'_>)> {
        let mut hall = self.lock();
        loop {
            if hall.waiting.is_empty() {
                return None;
            }
            if let Some(at) = next(&hall.waiting, hall.free, hall.running) {
                let (job, needs) = hall.waiting.remove(at);
                let needs = needs.min(hall.free);
                (hall.free, hall.running) = (hall.free - needs, hall.running + 1);
                return Some((job, Leave { door: self, needs }));
            }
            hall = self.left.wait(hall).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Gives the memory of a job back, also when the job panics.
struct Leave<'d> {
    door: &'d Door,
    needs: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut hall = self.door.lock();
        (hall.free, hall.running) = (hall.free + self.needs, hall.running - 1);
        self.door.left.notify_all();
    }
}

/// Runs `work` for every job, in `threads` threads, beginning with those that come first in `order`: pairs of a job and
/// the bytes that it needs. The sum of what runs at once stays within `budget`; a job that needs more runs alone.
pub fn run(order: Vec<(usize, u64)>, threads: usize, budget: u64, work: impl Fn(usize) + Sync) {
    let hall = Hall { waiting: order, free: budget, running: 0 };
    let door = Door { hall: Mutex::new(hall), left: Condvar::new() };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some((job, leave)) = door.enter() {
                    work(job);
                    drop(leave);
                }
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    #[test]
    fn the_first_that_fits_begins() {
        let waiting = [(0, 8), (1, 5), (2, 2)];
        assert_eq!(next(&waiting, 10, 0), Some(0));
        assert_eq!(next(&waiting, 6, 1), Some(1));
        assert_eq!(next(&waiting, 1, 1), None);
        assert_eq!(next(&waiting, 1, 0), Some(0), "alone, it may try");
        assert_eq!(next(&[], 10, 0), None);
    }

    #[test]
    fn every_job_runs_once_and_never_too_much_at_once() {
        let needs: Vec<u64> = vec![9, 7, 5, 5, 4, 3, 3, 2, 1, 1, 1];
        let (now, most, sum) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let order = needs.iter().copied().enumerate().collect();
        run(order, 4, 10, |job| {
            most.fetch_max(now.fetch_add(needs[job], SeqCst) + needs[job], SeqCst);
            std::thread::yield_now();
            now.fetch_sub(needs[job], SeqCst);
            sum.fetch_add(1 << (5 * job), SeqCst);
        });
        assert_eq!(sum.into_inner(), (0..needs.len()).map(|job| 1 << (5 * job)).sum::<u64>());
        assert!(most.into_inner() <= 10);
    }

    #[test]
    fn a_job_that_does_not_fit_runs_alone() {
        let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
        run(vec![(0, 99), (1, 1), (2, 1)], 3, 10, |job| {
            let others = now.fetch_add(1, SeqCst);
            if job == 0 {
                most.fetch_max(others, SeqCst);
            }
            std::thread::yield_now();
            now.fetch_sub(1, SeqCst);
        });
        assert_eq!(most.into_inner(), 0);
    }
}
