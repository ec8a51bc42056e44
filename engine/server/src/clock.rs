//! The server's one clock: the wall at the start plus what a monotonic clock has counted since, so that a step of the
//! wall clock can neither end a lease early nor keep it alive.

use std::time::{Duration, Instant};

use headend_model::Timestamp;

/// A clock that never goes back, not behind what an earlier life has journalled either.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    base: Timestamp,
    started: Instant,
}

impl Clock {
    /// Starts now, or at `floor` if the wall clock is behind it.
    pub(crate) fn starting_at_or_after(floor: Timestamp) -> Self {
        Self { base: wall_now().max(floor), started: Instant::now() }
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.base + headend_model::Span::micros(elapsed)
    }

    /// When `at` comes, on the monotonic clock; now if it has passed.
    pub(crate) fn instant_of(&self, at: Timestamp) -> Instant {
        let us = u64::try_from((at - self.base).as_micros()).unwrap_or(0);
        self.started.checked_add(Duration::from_micros(us)).unwrap_or_else(|| self.started + Duration::from_hours(24))
    }
}

/// The wall clock.
pub(crate) fn wall_now() -> Timestamp {
    Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
}

/// RFC 3339 in UTC with microseconds, as the API shows times.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.micros()).map_or_else(|_| at.micros().to_string(), |t| format!("{t:.6}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_six_digits_and_a_z() {
        assert_eq!(rfc3339(Timestamp::from_micros(1_257_767_625_000_010)), "2009-11-09T11:53:45.000010Z");
    }

    #[test]
    fn the_clock_starts_no_earlier_than_the_last_journalled_time() {
        let floor = wall_now() + headend_model::Span::seconds(3_600);
        let clock = Clock::starting_at_or_after(floor);
        assert!(clock.now() >= floor);
        assert!(clock.instant_of(Timestamp::EPOCH) <= Instant::now());
    }
}
