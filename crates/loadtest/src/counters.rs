//! What was done so far, as Prometheus reads it. Source of the form: Prometheus' text format, version 0.0.4.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::gates::{Gates, Kind};

/// Numbers that only grow.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Commands that were started.
    pub(crate) started: AtomicU64,
    /// Commands that were asked for while they ran already.
    pub(crate) repeated: AtomicU64,
    /// Commands that ended with status 0.
    pub(crate) succeeded: AtomicU64,
    /// Commands that ended in another way.
    pub(crate) failed: AtomicU64,
    /// Requests that were refused: who asked may not, or asked for what cannot be.
    pub(crate) refused: AtomicU64,
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    /// The page of metrics, with how many commands run now.
    pub(crate) fn page(&self, running: usize, gates: &Gates) -> String {
        let mut page = String::new();
        for (name, help, counter) in [
            ("commands_started", "Commands that were started.", &self.started),
            ("commands_repeated", "Commands that were asked for while they ran already.", &self.repeated),
            ("commands_succeeded", "Commands that ended with status 0.", &self.succeeded),
            ("commands_failed", "Commands that ended in another way.", &self.failed),
            ("requests_refused", "Requests that were refused.", &self.refused),
        ] {
            let value = counter.load(Ordering::Relaxed);
            // Writing to a String cannot fail.
            let _ = write!(
                page,
                "# HELP serin_loadtest_{name}_total {help}\n# TYPE serin_loadtest_{name}_total counter\nserin_loadtest_{name}_total {value}\n"
            );
        }
        let _ = write!(
            page,
            "# HELP serin_loadtest_commands_running Commands that run now.\n# TYPE serin_loadtest_commands_running gauge\nserin_loadtest_commands_running {running}\n"
        );
        page.push_str(
            "# HELP serin_loadtest_gates_open Gates that are open.\n# TYPE serin_loadtest_gates_open gauge\n",
        );
        for kind in [Kind::Gate, Kind::Rollback] {
            let _ = writeln!(page, "serin_loadtest_gates_open{{kind=\"{}\"}} {}", kind.word(), gates.open(kind));
        }
        page
    }
}
