//! Dates, times of day and weekdays as a wall calendar has them, in no zone.

use std::fmt;
use std::str::FromStr;

/// A day of the Gregorian calendar, year 1 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// A time of day, 00:00:00 to 23:59:59.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct TimeOfDay {
    /// Seconds since midnight.
    second: u32,
}

/// A date, time or day that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says it")]
pub enum BadDate {
    #[error("date {0:?} does not exist; give YYYY-MM-DD, from 0001-01-01 to 9999-12-31")]
    Date(String),
    #[error("time {0:?} does not exist; give HH:MM:SS, from 00:00:00 to 23:59:59")]
    Time(String),
    #[error("day {0:?} is not known; give Mon, Tue, Wed, Thu, Fri, Sat or Sun")]
    Day(String),
}

impl Date {
    /// The day.
    ///
    /// # Errors
    /// [`BadDate::Date`] when the calendar has no such day.
    pub fn new(year: u16, month: u8, day: u8) -> Result<Self, BadDate> {
        let exists = (1..=9999).contains(&year) && (1..=12).contains(&month) && day >= 1 && day <= days_in(year, month);
        if exists {
            Ok(Self { year, month, day })
        } else {
            Err(BadDate::Date(format!("{year:04}-{month:02}-{day:02}")))
        }
    }

    /// 1 to 9999.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// 1 to 12.
    pub const fn month(self) -> u8 {
        self.month
    }

    /// 1 to 31.
    pub const fn day(self) -> u8 {
        self.day
    }

    /// Days since 1970-01-01, negative before it.
    pub fn days(self) -> i64 {
        // Years from March on, so that the leap day is the last of its year (the usual trick with 400-year eras).
        let year = i64::from(self.year) - i64::from(self.month <= 2);
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let month = i64::from((self.month + 9) % 12);
        let of_year = (153 * month + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    /// Its weekday.
    pub fn weekday(self) -> Weekday {
        // 1970-01-01 was a Thursday.
        Weekday::ALL[(self.days() + 3).rem_euclid(7) as usize]
    }
}

const fn days_in(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for Date {
    type Err = BadDate;
    fn from_str(text: &str) -> Result<Self, BadDate> {
        let parts: Vec<&str> = text.split('-').collect();
        let parsed = match parts[..] {
            [year, month, day] => digits(year, 4).zip(digits(month, 2)).zip(digits(day, 2)),
            _ => None,
        };
        let date = parsed.and_then(|((year, month), day)| Self::new(year, month as u8, day as u8).ok());
        date.ok_or_else(|| BadDate::Date(shortened(text)))
    }
}

impl TimeOfDay {
    /// 00:00:00.
    pub const MIDNIGHT: Self = Self { second: 0 };

    /// The time.
    ///
    /// # Errors
    /// [`BadDate::Time`] when the day has no such time.
    pub fn new(hour: u8, minute: u8, second: u8) -> Result<Self, BadDate> {
        if hour <= 23 && minute <= 59 && second <= 59 {
            Ok(Self { second: u32::from(hour) * 3_600 + u32::from(minute) * 60 + u32::from(second) })
        } else {
            Err(BadDate::Time(format!("{hour:02}:{minute:02}:{second:02}")))
        }
    }

    /// 0 to 23.
    pub const fn hour(self) -> u8 {
        (self.second / 3_600) as u8
    }

    /// 0 to 59.
    pub const fn minute(self) -> u8 {
        (self.second / 60 % 60) as u8
    }

    /// 0 to 59.
    pub const fn second(self) -> u8 {
        (self.second % 60) as u8
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.hour(), self.minute(), self.second())
    }
}

impl FromStr for TimeOfDay {
    type Err = BadDate;
    /// Takes `HH:MM` and `HH:MM:SS`.
    fn from_str(text: &str) -> Result<Self, BadDate> {
        let parts: Vec<&str> = text.split(':').collect();
        let parsed = match parts[..] {
            [hour, minute] => digits(hour, 2).zip(digits(minute, 2)).zip(Some(0)),
            [hour, minute, second] => digits(hour, 2).zip(digits(minute, 2)).zip(digits(second, 2)),
            _ => None,
        };
        let time = parsed.and_then(|((hour, minute), second)| Self::new(hour as u8, minute as u8, second as u8).ok());
        time.ok_or_else(|| BadDate::Time(shortened(text)))
    }
}

/// A number of exactly so many digits (four at most, so that it fits).
fn digits(text: &str, count: usize) -> Option<u16> {
    let plain = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

/// A day of the week, Monday first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[allow(missing_docs, reason = "the names are the document's own")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Weekday {
    /// All seven.
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    /// The English abbreviation that the document uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mon => "Mon",
            Self::Tue => "Tue",
            Self::Wed => "Wed",
            Self::Thu => "Thu",
            Self::Fri => "Fri",
            Self::Sat => "Sat",
            Self::Sun => "Sun",
        }
    }

    /// 0 for Monday to 6 for Sunday.
    pub const fn index(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Weekday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Weekday {
    type Err = BadDate;
    fn from_str(text: &str) -> Result<Self, BadDate> {
        let found = Self::ALL.into_iter().find(|day| day.name() == text);
        found.ok_or_else(|| BadDate::Day(shortened(text)))
    }
}

/// A set of weekdays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(from = "Vec<Weekday>", into = "Vec<Weekday>")
)]
pub struct DaySet(u8);

impl DaySet {
    /// Monday to Friday.
    pub const WEEKDAYS: Self = Self(0b001_1111);
    /// Saturday and Sunday.
    pub const WEEKEND: Self = Self(0b110_0000);
    /// All seven.
    pub const ALL: Self = Self(0b111_1111);

    /// The day is in it.
    pub const fn contains(self, day: Weekday) -> bool {
        self.0 & (1 << day.index()) != 0
    }

    /// No day is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many days are in it.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Its days, Monday first.
    pub fn iter(self) -> impl Iterator<Item = Weekday> {
        Weekday::ALL.into_iter().filter(move |day| self.contains(*day))
    }
}

impl FromIterator<Weekday> for DaySet {
    fn from_iter<I: IntoIterator<Item = Weekday>>(days: I) -> Self {
        Self(days.into_iter().fold(0, |set, day| set | 1 << day.index()))
    }
}

impl From<Vec<Weekday>> for DaySet {
    fn from(days: Vec<Weekday>) -> Self {
        days.into_iter().collect()
    }
}

impl From<DaySet> for Vec<Weekday> {
    fn from(set: DaySet) -> Self {
        set.iter().collect()
    }
}

impl fmt::Display for DaySet {
    /// `Mon, Wed, Fri`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().map(Weekday::name).collect::<Vec<_>>().join(", "))
    }
}

macro_rules! as_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = BadDate;
            fn try_from(text: String) -> Result<Self, BadDate> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    };
}

as_text!(Date);
as_text!(TimeOfDay);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_the_calendar_has_them() {
        let days = |text: &str| text.parse::<Date>().unwrap().days();
        assert_eq!((days("1970-01-01"), days("2000-02-29"), days("2024-03-01")), (0, 11_016, 19_783));
        assert_eq!((days("0001-01-01"), days("9999-12-31")), (-719_162, 2_932_896));
        assert_eq!("2013-09-17".parse::<Date>().unwrap().weekday(), Weekday::Tue);
    }

    #[test]
    fn what_no_calendar_has_is_refused_with_the_form_that_helps() {
        for bad in
            ["2023-02-29", "1900-02-29", "2024-13-01", "2024-00-01", "0000-01-01", "2024-1-1", "20240101", "+024-01-01"]
        {
            assert!(bad.parse::<Date>().is_err(), "{bad} was taken");
        }
        for bad in ["24:00:00", "10:60", "10", "10:00:61", "1:00", "10:00:00.5"] {
            assert!(bad.parse::<TimeOfDay>().is_err(), "{bad} was taken");
        }
        assert_eq!(
            "2023-02-29".parse::<Date>().unwrap_err().to_string(),
            "date \"2023-02-29\" does not exist; give YYYY-MM-DD, from 0001-01-01 to 9999-12-31"
        );
        assert_eq!(
            "Mo".parse::<Weekday>().unwrap_err().to_string(),
            "day \"Mo\" is not known; give Mon, Tue, Wed, Thu, Fri, Sat or Sun"
        );
    }

    #[test]
    fn a_set_of_days_has_each_once_in_order() {
        let set: DaySet = [Weekday::Fri, Weekday::Mon, Weekday::Fri].into_iter().collect();
        assert_eq!((set.len(), set.to_string()), (2, "Mon, Fri".to_owned()));
        assert_eq!(DaySet::WEEKDAYS.iter().count() + DaySet::WEEKEND.iter().count(), 7);
    }
}
