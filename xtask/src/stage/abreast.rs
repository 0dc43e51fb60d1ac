//! Several services beside each other, each with its own state, ports and load: the same in less time.

use crate::run::{Stop, fail};
use std::sync::{Mutex, PoisonError};

/// Does `each` for every one of `shows`, `at_once` of them at a time, and returns what they came to, in no order.
///
/// # Errors
/// The first error, after all have ended.
pub fn abreast<S: Send, T: Send>(
    at_once: usize,
    shows: Vec<S>,
    each: impl Fn(S) -> Result<T, Stop> + Sync,
) -> Result<Vec<T>, Stop> {
    let queue = Mutex::new(shows);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let worker = || std::iter::from_fn(|| next().map(&each)).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..at_once).map(|_| scope.spawn(worker)).collect();
        let joined =
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| vec![fail("a thread panicked")]));
        joined.collect::<Vec<_>>().into_iter().flatten().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn all_are_done_some_at_once_and_an_error_is_returned_after_all() {
        let done = Mutex::new(Vec::new());
        let each = |n: u32| {
            std::thread::sleep(Duration::from_millis(5));
            done.lock().unwrap_or_else(PoisonError::into_inner).push(n);
            if n == 2 { fail("two") } else { Ok(n) }
        };
        assert!(abreast(2, vec![1, 2, 3, 4, 5], each).is_err_and(|stop| format!("{stop:?}").contains("two")));
        assert_eq!(done.lock().map(|all| all.len()).unwrap_or_default(), 5);
        let mut same = abreast(3, vec![1, 3, 5], each).unwrap_or_default();
        same.sort_unstable();
        assert_eq!(same, [1, 3, 5]);
    }
}
