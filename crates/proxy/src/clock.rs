//! Time that goes on while the machine sleeps and that nobody can set back.
use rustix::time::{ClockId, clock_gettime};

/// Milliseconds since the machine started (CLOCK_BOOTTIME).
pub fn boot_ms() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
}

/// Milliseconds since the Unix epoch: for people, never for deadlines.
pub fn wall_ms() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
}
