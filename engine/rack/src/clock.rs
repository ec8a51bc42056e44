//! The rack's own clock: monotonic, and it goes on while the host is suspended (`CLOCK_BOOTTIME`).
//!
//! A lease that runs out while the host sleeps has run out. `std::time::Instant` would not know.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use headend_model::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Microseconds since the host was booted, suspended time included. Means nothing on another machine.
pub fn boot_now() -> Timestamp {
    let now = clock_gettime(ClockId::Boottime);
    Timestamp::from_micros(now.tv_sec * 1_000_000 + now.tv_nsec / 1_000)
}

/// Wall-clock time, for logs and file names only; no decision hangs on it.
pub fn wall_now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// How long until `deadline`; zero if it has passed.
pub fn until(deadline: Timestamp) -> Duration {
    let span = deadline.since(boot_now());
    Duration::from_micros(span.as_micros().unsigned_abs())
}
