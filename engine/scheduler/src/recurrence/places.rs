//! The calendar of a schedule without a zone: which date is its n-th, and which n has a date. Arithmetic only.

use headend_model::schedule::{TimingSpec, Weekday};
use headend_model::{ScheduleKind, Timing};
use jiff::ToSpan;
use jiff::civil::DateTime;

use super::{date_at, time_of, wall};

/// The places of a timing, numbered from 0 from its start date on.
pub(super) struct Places {
    spec: TimingSpec,
    /// Start date, in days since 1970-01-01.
    start: i64,
    pattern: Pattern,
}

/// Which days count.
enum Pattern {
    /// One stretch of time.
    Period,
    /// Every n-th day.
    Days { every: i64 },
    /// Some days of every n-th week, counted from the Monday of the start date's week.
    Weeks { every: i64, monday: i64, days: Vec<i64>, before: i64 },
}

impl Places {
    pub(super) fn new(timing: &Timing) -> Self {
        let spec = *timing.spec();
        let start = spec.start_date.days();
        let every = i64::from(spec.repeat_rate);
        let pattern = match (spec.kind, timing.days()) {
            (ScheduleKind::Daily, _) => Pattern::Days { every },
            (_, None) => Pattern::Period,
            (_, Some(days)) => {
                let weekday = i64::from(spec.start_date.weekday().index());
                let days: Vec<i64> = days.iter().map(Weekday::index).map(i64::from).collect();
                let before = days.iter().filter(|day| **day < weekday).count() as i64;
                Pattern::Weeks { every, monday: start - weekday, days, before }
            }
        };
        Self { spec, start, pattern }
    }

    /// The date of a place, in days since 1970-01-01, whatever the end says.
    fn day(&self, place: u64) -> Option<i64> {
        let place = i64::try_from(place).ok()?;
        match &self.pattern {
            Pattern::Period => (place == 0).then_some(self.start),
            Pattern::Days { every } => self.start.checked_add(place.checked_mul(*every)?),
            Pattern::Weeks { every, monday, days, before } => {
                let place = place.checked_add(*before)?;
                let (week, at) = (place / days.len() as i64, place % days.len() as i64);
                let ahead = week.checked_mul(7)?.checked_mul(*every)?.checked_add(days[at as usize])?;
                monday.checked_add(ahead)
            }
        }
    }

    /// The first place on or after a day, whatever the end says.
    pub(super) fn first_from(&self, day: i64) -> u64 {
        let place = match &self.pattern {
            Pattern::Period => 0,
            Pattern::Days { every } => {
                let ahead = day - self.start;
                ahead.div_euclid(*every) + i64::from(ahead.rem_euclid(*every) > 0)
            }
            Pattern::Weeks { every, monday, days, before } => {
                let ahead = day - monday;
                let (week, rest) = (ahead.div_euclid(7 * every), ahead.rem_euclid(7 * every));
                let passed = days.iter().filter(|at| **at < rest).count() as i64;
                week * days.len() as i64 + passed - before
            }
        };
        u64::try_from(place).unwrap_or(0)
    }

    /// How many places there are; `None`: no end.
    pub(super) fn count(&self) -> Option<u64> {
        if matches!(self.pattern, Pattern::Period) {
            return Some(1);
        }
        match (self.spec.end_date, self.spec.repeat_count) {
            (Some(end), _) => Some(self.first_from(end.days() + 1)),
            (None, 0) => None,
            (None, count) => Some(u64::from(count)),
        }
    }

    /// The window of a place on the wall clock, if there is such a place.
    pub(super) fn window(&self, place: u64) -> Option<(DateTime, Option<DateTime>)> {
        if self.count().is_some_and(|count| place >= count) {
            return None;
        }
        let spec = &self.spec;
        let date = date_at(self.day(place)?)?;
        let start = date.to_datetime(time_of(spec.start_time));
        if matches!(self.pattern, Pattern::Period) {
            let end = spec.end_date.map(|end| wall(end, spec.end_time));
            return Some((start, end.flatten()));
        }
        let last = if spec.end_time > spec.start_time { date } else { date.checked_add(1.day()).ok()? };
        Some((start, Some(last.to_datetime(time_of(spec.end_time)))))
    }
}
