//! When a schedule is due: from a [`Timing`] and the rules of a time zone to instants. Pure: no clock, no search for zones.
//!
//! ```text
//!  Timing ──► places: 0, 1, 2, ... ──► dates ──► wall-clock windows ──► instants in the zone
//!             (arithmetic, no walk)               (start, end)            (gap: after it; fold: the first)
//! ```
//!
//! The rules for days on which clocks are moved are in `engine/design/0011-schedules.md`, and are compared with an oracle
//! in `tests/recurrence.rs`. Meet [`Recurrence`] first.

mod places;
#[cfg(test)]
mod tests;

use headend_model::schedule::{Date, TimeOfDay};
use headend_model::{Timestamp, Timing};
use jiff::civil::{self, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};
use places::Places;

/// One window in which a schedule is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Its place in the calendar of the schedule, from 0. (A place whose date the zone left out has no occurrence.)
    pub place: u64,
    /// When it begins.
    pub start: Timestamp,
    /// When nothing of it starts any more; `None`: a period without end.
    pub end: Option<Timestamp>,
}

impl Occurrence {
    /// The window is open at this instant.
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.start <= at && self.end.is_none_or(|end| at < end)
    }
}

/// The occurrences of a timing in a zone.
#[derive(Clone, Debug)]
pub struct Recurrence {
    timing: Timing,
    zone: TimeZone,
}

impl Recurrence {
    /// Takes both as given.
    pub fn new(timing: Timing, zone: TimeZone) -> Self {
        Self { timing, zone }
    }

    /// The first occurrence that begins after an instant. Costs the same however far away it is.
    pub fn after(&self, instant: Timestamp) -> Option<Occurrence> {
        let first = self.place_before(instant);
        self.occurrences_at(first).find(|occurrence| occurrence.start > instant)
    }

    /// The last occurrence that has begun at an instant.
    pub fn at_or_before(&self, instant: Timestamp) -> Option<Occurrence> {
        // A few places around the instant are looked at; with long rates the one before all of them may be the one.
        let first = self.place_before(instant).saturating_sub(1);
        self.occurrences_at(first).take_while(|occurrence| occurrence.start <= instant).last()
    }

    /// The occurrence whose window is open at an instant.
    pub fn open_at(&self, instant: Timestamp) -> Option<Occurrence> {
        self.at_or_before(instant).filter(|occurrence| occurrence.is_open(instant))
    }

    /// Occurrences from an instant on: the one whose window is open, then all that begin later.
    pub fn from(&self, instant: Timestamp) -> impl Iterator<Item = Occurrence> + '_ {
        let open = self.open_at(instant);
        let first = open.map_or_else(|| self.place_before(instant), |occurrence| occurrence.place);
        self.occurrences_at(first).skip_while(move |occurrence| open.is_none() && occurrence.start <= instant)
    }

    /// The first of all.
    pub fn first(&self) -> Option<Occurrence> {
        self.occurrences_at(0).next()
    }

    /// When the last window ends; `None`: there is no last one, or it has no end.
    pub fn end(&self) -> Option<Timestamp> {
        let places = Places::new(&self.timing);
        let last = places.count()?.checked_sub(1)?;
        self.occurrences_at(last.saturating_sub(1)).last()?.end
    }

    /// A place surely not after the first occurrence that begins later than the instant.
    fn place_before(&self, instant: Timestamp) -> u64 {
        let Some(local) = to_jiff(instant).map(|at| self.zone.to_datetime(at)) else {
            // Beyond the calendar: before it everything is later, after it nothing is.
            return if instant < Timestamp::EPOCH { 0 } else { u64::MAX };
        };
        // A zone moves a wall clock by a day at most; two days before is safely before.
        let day = days_of(local.date()).saturating_sub(2);
        Places::new(&self.timing).first_from(day)
    }

    /// All from a place on, in order.
    fn occurrences_at(&self, first: u64) -> impl Iterator<Item = Occurrence> + '_ {
        let places = Places::new(&self.timing);
        let mut place = Some(first);
        std::iter::from_fn(move || {
            loop {
                let at = place?;
                place = at.checked_add(1);
                let Some((start, end)) = places.window(at).and_then(|window| self.resolve(window)) else {
                    place = None;
                    return None;
                };
                let next = places.window(at.saturating_add(1)).and_then(|(start, _)| self.instant(start));
                // The zone left the date out, and its occurrence falls on the next one: that is the one that counts.
                if next.is_some_and(|next| next <= start) {
                    continue;
                }
                // A window ends at the latest when the next one begins.
                let end = end.map(|end| next.map_or(end, |next| end.min(next)));
                return Some(Occurrence { place: at, start, end });
            }
        })
    }

    fn resolve(&self, (start, end): (DateTime, Option<DateTime>)) -> Option<(Timestamp, Option<Timestamp>)> {
        let begin = self.instant(start)?;
        let Some(end) = end else { return Some((begin, None)) };
        let close = self.instant(end)?;
        // The beginning was moved out of a gap and past the end: the window keeps its length on the wall clock.
        let close = if close > begin { close } else { begin + length(start, end) };
        Some((begin, Some(close)))
    }

    /// The instant of a wall clock. In a gap: as far behind it as the wall clock says; in a fold: the first of the two.
    fn instant(&self, wall: DateTime) -> Option<Timestamp> {
        let at = self.zone.to_ambiguous_timestamp(wall).compatible().ok()?;
        Some(Timestamp::from_micros(at.as_microsecond()))
    }
}

fn length(start: DateTime, end: DateTime) -> headend_model::Span {
    let length: SignedDuration = start.duration_until(end);
    headend_model::Span::seconds(length.as_secs())
}

fn to_jiff(at: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_microsecond(at.micros()).ok()
}

/// Days since 1970-01-01.
fn days_of(date: civil::Date) -> i64 {
    civil::Date::constant(1970, 1, 1).duration_until(date).as_hours() / 24
}

fn date_at(days: i64) -> Option<civil::Date> {
    let days = i32::try_from(days).ok()?;
    let date = civil::Date::constant(1970, 1, 1).checked_add(days.days()).ok()?;
    (1..=9999).contains(&date.year()).then_some(date)
}

fn wall(date: Date, time: TimeOfDay) -> Option<DateTime> {
    Some(date_at(date.days())?.to_datetime(time_of(time)))
}

fn time_of(time: TimeOfDay) -> civil::Time {
    civil::Time::new(time.hour() as i8, time.minute() as i8, time.second() as i8, 0).unwrap_or_default()
}
