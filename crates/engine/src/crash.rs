//! Boundaries at which a test may end the process, as a power cut would. Without the feature `crash-points` this is
//! nothing.

/// A moment between two effects of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// A status is about to be saved.
    BeforeSave,
    /// A status has been saved.
    AfterSave,
    /// A write was permitted and is about to be sent.
    BeforeSend,
    /// A write was carried out; nothing has been made of its answer.
    AfterSend,
    /// The answer was taken in.
    AfterAnswer,
}

/// Ends the process with SIGKILL when `SERIN_CRASH_AT` names this boundary for the n-th time: `after-save:3`.
#[cfg(feature = "crash-points")]
pub fn point(boundary: Boundary) {
    use std::sync::Mutex;
    static COUNTS: Mutex<[u32; 5]> = Mutex::new([0; 5]);
    let Ok(at) = std::env::var("SERIN_CRASH_AT") else { return };
    let (name, index) = match boundary {
        Boundary::BeforeSave => ("before-save", 0),
        Boundary::AfterSave => ("after-save", 1),
        Boundary::BeforeSend => ("before-send", 2),
        Boundary::AfterSend => ("after-send", 3),
        Boundary::AfterAnswer => ("after-answer", 4),
    };
    let Ok(mut counts) = COUNTS.lock() else { return };
    counts[index] += 1;
    if at == format!("{name}:{}", counts[index]) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}

/// Does nothing.
#[cfg(not(feature = "crash-points"))]
pub const fn point(_: Boundary) {}
