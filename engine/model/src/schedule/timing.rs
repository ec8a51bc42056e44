//! The six types of schedule and what may be said together (document 7.1.1).

use std::fmt;
use std::str::FromStr;

use super::calendar::{Date, DaySet, TimeOfDay};

/// The type of a schedule, with the document's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ScheduleKind {
    /// One period; when its tests have ended, they start again.
    Loop,
    /// One period, once.
    OneOff,
    /// Every day, or every n-th.
    Daily,
    /// On some days of every week, or of every n-th.
    Weekly,
    /// Monday to Friday.
    Weekdays,
    /// Saturday and Sunday.
    Weekends,
}

impl ScheduleKind {
    /// All six.
    pub const ALL: [Self; 6] = [Self::Loop, Self::OneOff, Self::Daily, Self::Weekly, Self::Weekdays, Self::Weekends];

    /// The document's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loop => "Loop",
            Self::OneOff => "OneOff",
            Self::Daily => "Daily",
            Self::Weekly => "Weekly",
            Self::Weekdays => "Weekdays",
            Self::Weekends => "Weekends",
        }
    }

    /// One stretch of time from start date and time to end date and time, rather than a window per day.
    pub const fn is_period(self) -> bool {
        matches!(self, Self::Loop | Self::OneOff)
    }
}

impl fmt::Display for ScheduleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ScheduleKind {
    type Err = BadTiming;
    fn from_str(text: &str) -> Result<Self, BadTiming> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| BadTiming::Kind(text.chars().take(40).collect()))
    }
}

/// The arguments of `createSchedule` and `modifySchedule` (document 7.1.1), not checked against each other yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct TimingSpec {
    /// `scheduleType`.
    pub kind: ScheduleKind,
    /// `startDate`: nothing starts before it.
    pub start_date: Date,
    /// `endDate`: the last day on which an occurrence may start; of a period: the day of its end. `None`: no end.
    pub end_date: Option<Date>,
    /// `startTime`: of the window of each occurrence; of a period: of its beginning.
    pub start_time: TimeOfDay,
    /// `endTime` of the window. Not later than `start_time`: it is the next day's. Of a period: of its end.
    pub end_time: TimeOfDay,
    /// `repeatCount`: so many occurrences; 0: no limit.
    pub repeat_count: u32,
    /// `repeatRate`: every n days (Daily) or n weeks (Weekly); 1 for the others.
    pub repeat_rate: u32,
    /// `repeatDays`: for Weekly.
    pub repeat_days: DaySet,
}

/// Checked arguments: what excludes each other is not there together, and there is at least one occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "TimingSpec", into = "TimingSpec")
)]
pub struct Timing(TimingSpec);

/// Why a timing was refused: the argument as the document names it, its value, and what helps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says it")]
pub enum BadTiming {
    #[error("scheduleType {0:?} is not known; give Loop, OneOff, Daily, Weekly, Weekdays or Weekends")]
    Kind(String),
    #[error("endDate {end} is before startDate {start}; give a later endDate, or None for no end")]
    EndBeforeStart { start: Date, end: Date },
    #[error("repeatCount is {count} and endDate is {end}; give one of them: repeatCount 0, or endDate None")]
    CountAndEnd { count: u32, end: Date },
    #[error("repeatCount is {count}, but a OneOff schedule runs once; leave it at 0, or choose another scheduleType")]
    CountOfOneOff { count: u32 },
    #[error("repeatRate is 0; give 1 for every day or week, 2 for every second, and so on")]
    NoRate,
    #[error(
        "repeatRate is {rate}, but a {kind} schedule has none; leave it at 1, or make the schedule Daily or Weekly"
    )]
    RateUnused { kind: ScheduleKind, rate: u32 },
    #[error("repeatDays is empty; a Weekly schedule needs at least one of Mon, Tue, Wed, Thu, Fri, Sat, Sun")]
    NoDays,
    #[error("repeatDays is {days}, but a {kind} schedule has none; leave it out, or make the schedule Weekly")]
    DaysUnused { kind: ScheduleKind, days: DaySet },
    #[error(
        "endDate and endTime {end} {end_time} are not after startDate and startTime {start} {start_time}; give a later end"
    )]
    EmptyPeriod { start: Date, start_time: TimeOfDay, end: Date, end_time: TimeOfDay },
    #[error(
        "endDate {end} comes before the first day of this {kind} schedule from startDate {start} on; give a later one"
    )]
    NeverDue { kind: ScheduleKind, start: Date, end: Date },
}

impl Timing {
    /// Checks what may be said together.
    ///
    /// # Errors
    /// [`BadTiming`] naming the argument, its value and the remedy.
    pub fn new(spec: TimingSpec) -> Result<Self, BadTiming> {
        check_end(&spec)?;
        check_repeat(&spec)?;
        check_due(&spec)?;
        Ok(Self(spec))
    }

    /// The arguments.
    pub const fn spec(&self) -> &TimingSpec {
        &self.0
    }

    /// The days of the week on which occurrences may start; `None` for periods.
    pub fn days(&self) -> Option<DaySet> {
        days_of(&self.0)
    }
}

fn days_of(spec: &TimingSpec) -> Option<DaySet> {
    match spec.kind {
        ScheduleKind::Loop | ScheduleKind::OneOff => None,
        ScheduleKind::Daily => Some(DaySet::ALL),
        ScheduleKind::Weekly => Some(spec.repeat_days),
        ScheduleKind::Weekdays => Some(DaySet::WEEKDAYS),
        ScheduleKind::Weekends => Some(DaySet::WEEKEND),
    }
}

fn check_end(spec: &TimingSpec) -> Result<(), BadTiming> {
    let (start, count) = (spec.start_date, spec.repeat_count);
    if spec.kind == ScheduleKind::OneOff && count > 1 {
        return Err(BadTiming::CountOfOneOff { count });
    }
    let Some(end) = spec.end_date else { return Ok(()) };
    if end < start {
        return Err(BadTiming::EndBeforeStart { start, end });
    }
    if count > 0 {
        return Err(BadTiming::CountAndEnd { count, end });
    }
    if spec.kind.is_period() && (end, spec.end_time) <= (start, spec.start_time) {
        let (start_time, end_time) = (spec.start_time, spec.end_time);
        return Err(BadTiming::EmptyPeriod { start, start_time, end, end_time });
    }
    Ok(())
}

fn check_repeat(spec: &TimingSpec) -> Result<(), BadTiming> {
    let (kind, rate, days) = (spec.kind, spec.repeat_rate, spec.repeat_days);
    if rate == 0 {
        return Err(BadTiming::NoRate);
    }
    if rate > 1 && !matches!(kind, ScheduleKind::Daily | ScheduleKind::Weekly) {
        return Err(BadTiming::RateUnused { kind, rate });
    }
    match kind {
        ScheduleKind::Weekly if days.is_empty() => Err(BadTiming::NoDays),
        ScheduleKind::Weekly => Ok(()),
        _ if days.is_empty() => Ok(()),
        _ => Err(BadTiming::DaysUnused { kind, days }),
    }
}

/// There is a day for it between start and end.
fn check_due(spec: &TimingSpec) -> Result<(), BadTiming> {
    let (Some(days), Some(end)) = (days_of(spec), spec.end_date) else { return Ok(()) };
    let (kind, start) = (spec.kind, spec.start_date);
    let first = i64::from(start.weekday().index());
    // Days from the start on: the rest of its week, or else the first day of the next week that counts.
    let this_week = days.iter().map(|day| i64::from(day.index()) - first).find(|ahead| *ahead >= 0);
    let later = days.iter().next().map(|day| i64::from(day.index()) - first + 7 * i64::from(spec.repeat_rate));
    let due = this_week.or(later).is_some_and(|ahead| start.days() + ahead <= end.days());
    if due { Ok(()) } else { Err(BadTiming::NeverDue { kind, start, end }) }
}

impl TryFrom<TimingSpec> for Timing {
    type Error = BadTiming;
    fn try_from(spec: TimingSpec) -> Result<Self, BadTiming> {
        Self::new(spec)
    }
}

impl From<Timing> for TimingSpec {
    fn from(timing: Timing) -> Self {
        timing.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Weekday;

    fn spec(kind: ScheduleKind, start: &str, end: Option<&str>) -> TimingSpec {
        let days = if kind == ScheduleKind::Weekly { vec![Weekday::Wed, Weekday::Fri] } else { Vec::new() };
        TimingSpec {
            kind,
            start_date: start.parse().unwrap(),
            end_date: end.map(|end| end.parse().unwrap()),
            start_time: "10:00".parse().unwrap(),
            end_time: "20:00".parse().unwrap(),
            repeat_count: 0,
            repeat_rate: 1,
            repeat_days: days.into_iter().collect(),
        }
    }

    fn refused(spec: TimingSpec) -> String {
        Timing::new(spec).expect_err("refused").to_string()
    }

    #[test]
    fn the_documents_examples_are_taken() {
        let daily = TimingSpec { repeat_count: 100, repeat_rate: 2, ..spec(ScheduleKind::Daily, "2013-09-17", None) };
        assert!(Timing::new(daily).is_ok());
        let weekly = TimingSpec { repeat_rate: 3, ..spec(ScheduleKind::Weekly, "2013-09-12", None) };
        assert!(Timing::new(weekly).is_ok());
        assert!(Timing::new(spec(ScheduleKind::Loop, "2013-07-15", Some("2013-07-19"))).is_ok());
    }

    #[test]
    fn each_exclusion_names_argument_value_and_remedy() {
        use ScheduleKind::{Daily, Loop, OneOff, Weekdays, Weekends, Weekly};
        assert_eq!(
            refused(spec(Daily, "2013-09-17", Some("2013-09-16"))),
            "endDate 2013-09-16 is before startDate 2013-09-17; give a later endDate, or None for no end"
        );
        assert_eq!(
            refused(TimingSpec { repeat_count: 5, ..spec(Daily, "2013-09-17", Some("2013-12-25")) }),
            "repeatCount is 5 and endDate is 2013-12-25; give one of them: repeatCount 0, or endDate None"
        );
        assert_eq!(
            refused(TimingSpec { repeat_count: 2, ..spec(OneOff, "2013-09-17", None) }),
            "repeatCount is 2, but a OneOff schedule runs once; leave it at 0, or choose another scheduleType"
        );
        assert_eq!(
            refused(TimingSpec { repeat_rate: 0, ..spec(Daily, "2013-09-17", None) }),
            "repeatRate is 0; give 1 for every day or week, 2 for every second, and so on"
        );
        assert_eq!(
            refused(TimingSpec { repeat_rate: 2, ..spec(Weekdays, "2013-09-17", None) }),
            "repeatRate is 2, but a Weekdays schedule has none; leave it at 1, or make the schedule Daily or Weekly"
        );
        assert_eq!(
            refused(TimingSpec { repeat_days: DaySet::default(), ..spec(Weekly, "2013-09-17", None) }),
            "repeatDays is empty; a Weekly schedule needs at least one of Mon, Tue, Wed, Thu, Fri, Sat, Sun"
        );
        assert_eq!(
            refused(TimingSpec { repeat_days: DaySet::WEEKEND, ..spec(Daily, "2013-09-17", None) }),
            "repeatDays is Sat, Sun, but a Daily schedule has none; leave it out, or make the schedule Weekly"
        );
        assert_eq!(
            refused(TimingSpec { end_time: TimeOfDay::MIDNIGHT, ..spec(Loop, "2013-09-17", Some("2013-09-17")) }),
            "endDate and endTime 2013-09-17 00:00:00 are not after startDate and startTime 2013-09-17 10:00:00; give a later end"
        );
        assert_eq!(
            refused(spec(Weekends, "2013-09-16", Some("2013-09-20"))),
            "endDate 2013-09-20 comes before the first day of this Weekends schedule from startDate 2013-09-16 on; give a later one"
        );
        assert_eq!(
            "Hourly".parse::<ScheduleKind>().unwrap_err().to_string(),
            "scheduleType \"Hourly\" is not known; give Loop, OneOff, Daily, Weekly, Weekdays or Weekends"
        );
    }

    #[test]
    fn a_weekly_schedule_with_a_rate_may_have_to_wait_for_its_second_week() {
        // Thursday; Monday of the week after next is the first.
        let from = |end: &str| TimingSpec {
            repeat_rate: 2,
            repeat_days: [Weekday::Mon].into_iter().collect(),
            ..spec(ScheduleKind::Weekly, "2013-09-12", Some(end))
        };
        assert!(Timing::new(from("2013-09-22")).is_err());
        assert!(Timing::new(from("2013-09-23")).is_ok());
    }
}
