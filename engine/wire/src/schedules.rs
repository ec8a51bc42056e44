//! Schedules over REST (document 7.1). Dates are `YYYY-MM-DD` and times of day `HH:MM:SS`, both in the schedule's time
//! zone; instants are RFC 3339 in UTC with microseconds. Ids are numbers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{ModeRef, SlotRef};

/// When a schedule is due (document 7.1.1), as it is given and as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleTiming {
    /// `Loop`, `OneOff`, `Daily`, `Weekly`, `Weekdays` or `Weekends`.
    #[schema(pattern = "^(Loop|OneOff|Daily|Weekly|Weekdays|Weekends)$")]
    pub r#type: String,
    /// Nothing starts before this date.
    #[schema(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    pub start_date: String,
    /// The last date on which a window opens; of a `OneOff` and a `Loop`: the date of their end. None: no end.
    #[schema(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_date: Option<String>,
    /// When the window opens; of a `OneOff` and a `Loop`: when they start. May carry a zone: `10:00:00+02:00`,
    /// `10:00:00[Europe/Berlin]`. Fractions of seconds are dropped.
    pub start_time: String,
    /// When the window closes (on the next day, if that is not later); of a `OneOff` and a `Loop`: when they end.
    pub end_time: String,
    /// So many times; 0: no limit. Not together with `end_date`.
    #[schema(minimum = 0)]
    #[serde(default)]
    pub repeat_count: i64,
    /// Every n days (`Daily`) or weeks (`Weekly`); 1 for the others.
    #[schema(minimum = 0)]
    #[serde(default = "one")]
    pub repeat_rate: i64,
    /// `Mon`, `Tue`, `Wed`, `Thu`, `Fri`, `Sat`, `Sun`: for `Weekly`.
    #[serde(default)]
    pub repeat_days: Vec<String>,
    /// Name of the IANA database (`Europe/Dublin`), `UTC`, or an offset (`+02:00`). None for a new schedule: the
    /// server's; for one that is changed: the one that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

const fn one() -> i64 {
    1
}

/// `POST /schedules`. Slots, DUTs and tests are added afterwards; it begins nothing until it was left alone for 5 s.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleRequest {
    /// What its owner calls it: no other schedule of the same owner has this name.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
    /// When.
    pub timing: ScheduleTiming,
    /// What becomes of tests that have not started when the window closes: `wait` (for the next one, the default) or `end`.
    #[schema(pattern = "^(wait|end)$")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_window_end: Option<String>,
    /// What becomes of an occurrence whose time comes while the former is under way: `queue` (the default) or `skip`.
    #[schema(pattern = "^(queue|skip)$")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub while_former_runs: Option<String>,
    /// What is asked of policies that its tests name as their mode, by the policy's name: an object in the form that the policy takes.
    #[schema(value_type = Object)]
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub parameters: serde_json::Map<String, serde_json::Value>,
}

/// `PATCH /schedules/{schedule}`: what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleChange {
    /// Its name from now on.
    #[schema(min_length = 1, max_length = 128)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `wait` or `end`.
    #[schema(pattern = "^(wait|end)$")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_window_end: Option<String>,
    /// `queue` or `skip`.
    #[schema(pattern = "^(queue|skip)$")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub while_former_runs: Option<String>,
    /// What is asked of policies, by the policy's name; `null` for one that is asked for nothing any more. Policies that are left out keep what they
    /// have. Counts from the next occurrence on.
    #[schema(value_type = Option<Object>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<serde_json::Map<String, serde_json::Value>>,
}

/// The answer to every change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleNoted {
    /// The schedule.
    pub schedule: u64,
    /// The test that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<u64>,
    /// Rises with each change of the schedule, its slots, DUTs and tests.
    pub revision: u64,
    /// False: it was so already, as with a slot that is on the schedule or that is not.
    pub changed: bool,
}

/// A schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleItem {
    /// Its id.
    pub schedule: u64,
    /// Its name.
    pub name: String,
    /// Whose it is: its jobs are this user's.
    pub owner: String,
    /// When it was created.
    pub created: String,
    /// When it is due.
    pub timing: ScheduleTiming,
    /// `wait` or `end`.
    pub at_window_end: String,
    /// `queue` or `skip`.
    pub while_former_runs: String,
    /// Rises with each change of it, its slots, DUTs and tests.
    pub revision: u64,
    /// The beginning of its first window.
    pub first: Option<String>,
    /// The end of its last window; none: no end.
    pub last: Option<String>,
    /// The beginning of its next window; none: no more comes.
    pub next: Option<String>,
    /// The same as the clock on the wall of its zone shows it.
    pub next_local: Option<String>,
    /// Slots and DUTs on it.
    pub targets: u64,
    /// Tests on it.
    pub tests: u64,
    /// The occurrence that is under way.
    pub active: Option<ActiveOccurrence>,
    /// The occurrence whose window is open and that has not begun.
    pub waiting: Option<WaitingOccurrence>,
}

/// An occurrence that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActiveOccurrence {
    /// Its number.
    pub occurrence: u64,
    /// When it began.
    pub began: String,
    /// When the window closes that is open, or was; none: never.
    pub window_end: Option<String>,
    /// The window has closed; what waits, waits for the next one.
    pub paused: bool,
    /// Its jobs.
    pub jobs: Vec<u64>,
}

/// An occurrence that has not begun though its window is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingOccurrence {
    /// Its number.
    pub occurrence: u64,
    /// Why, for people.
    pub why: String,
}

/// `GET /schedules`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleList {
    /// In the order of their ids.
    pub schedules: Vec<ScheduleItem>,
}

/// `GET /schedules/{schedule}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleDetail {
    /// The schedule.
    #[serde(flatten)]
    pub item: ScheduleItem,
    /// Its slots, in the order in which they were added.
    pub slots: Vec<SlotRef>,
    /// Its DUTs, in the order in which they were added.
    pub duts: Vec<u64>,
    /// Its tests, in the order in which they were added.
    pub test_list: Vec<ScheduledTestItem>,
    /// What is asked of policies, by the policy's name.
    #[schema(value_type = Object)]
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub parameters: serde_json::Map<String, serde_json::Value>,
}

/// `POST /schedules/{schedule}/tests` (document 7.1.12).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduledTestRequest {
    /// Path in its area, with either slash.
    #[schema(min_length = 1, max_length = 200)]
    pub script: String,
    /// In the public area; else in that of the schedule's owner.
    #[serde(default = "yes")]
    pub public: bool,
    /// On how many targets; as many as the schedule has by now unless given. Signed, so that nonsense gets a clear answer.
    #[schema(minimum = 1, maximum = 100_000)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots_needed: Option<i64>,
    /// 1 (first, the default) to 9 (last).
    #[schema(minimum = 1, maximum = 9)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// 0, 1, 2 or the name of a coverage policy; 1 unless given.
    #[serde(default)]
    pub mode: ModeRef,
    /// Arguments as one line, split as a shell would, without a shell.
    #[schema(max_length = 32_768)]
    #[serde(default)]
    pub args: String,
    /// Stop it after this many seconds.
    #[schema(minimum = 1, maximum = 604_800)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_s: Option<u64>,
}

const fn yes() -> bool {
    true
}

/// `PATCH /scheduled-tests/{test}` (document 7.1.13): what is left out stays. The script cannot be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduledTestChange {
    /// In the public area; else in that of the schedule's owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<bool>,
    /// On how many targets.
    #[schema(minimum = 1, maximum = 100_000)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots_needed: Option<i64>,
    /// 1 (first) to 9 (last).
    #[schema(minimum = 1, maximum = 9)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// 0, 1, 2 or the name of a coverage policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<ModeRef>,
    /// Arguments as one line.
    #[schema(max_length = 32_768)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<String>,
}

/// A test on a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduledTestItem {
    /// Its id: the document's job id.
    pub test: u64,
    /// As the document shows it: `public/tests/a.py`, or the owner's name in place of `public`.
    pub script: String,
    /// In the public area.
    pub public: bool,
    /// On how many targets.
    pub slots_needed: u32,
    /// 1 (first) to 9 (last).
    pub priority: u8,
    /// 0, 1, 2 or the name of a coverage policy.
    pub mode: ModeRef,
    /// Arguments.
    pub args: Vec<String>,
    /// It is stopped after this many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_s: Option<u64>,
    /// `not run`, `waiting`, `running` or `ran`.
    pub status: String,
    /// Occurrences (of a `Loop`: rounds) in which it ran to its end.
    pub loops_completed: u64,
    /// Who added it.
    pub by: String,
    /// When it was added.
    pub created: String,
    /// When a run of it was last started.
    pub last_start: Option<String>,
    /// When a run of it last ended.
    pub last_end: Option<String>,
    /// The job that it last was part of.
    pub last_job: Option<u64>,
}

/// `GET /schedules/{schedule}/coming`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComingList {
    /// The schedule.
    pub schedule: u64,
    /// Its zone.
    pub time_zone: String,
    /// The windows that come, the next one first; of a `Loop`: its period, until that has begun.
    pub coming: Vec<ComingWindow>,
}

/// A window that comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComingWindow {
    /// When it opens,
    pub starts: String,
    /// and on the wall of the schedule's zone: `2026-11-23 10:00:00+00:00`.
    pub starts_local: String,
    /// When it closes; none: never.
    pub ends: Option<String>,
    /// The same on the wall.
    pub ends_local: Option<String>,
}

/// `GET /schedules/{schedule}/past`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PastList {
    /// The schedule.
    pub schedule: u64,
    /// Its zone.
    pub time_zone: String,
    /// What became of its occurrences, the highest number first.
    pub past: Vec<OccurrenceItem>,
    /// Give as `before` for older ones.
    #[serde(default)]
    pub next: Option<u64>,
}

/// What became of an occurrence, or of several in a row that were missed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OccurrenceItem {
    /// Number of the (first) occurrence.
    pub first: u64,
    /// Number of the last one.
    pub last: u64,
    /// When the (first) was to begin,
    pub planned: String,
    /// and on the wall of the schedule's zone.
    pub planned_local: String,
    /// When the last was to begin.
    pub planned_last: String,
    /// When the (last) window was to close; none: never.
    pub window_end: Option<String>,
    /// `ran`, `late`, `skipped` or `missed`.
    pub fate: String,
    /// Why; none for one that ran at its time to its end.
    pub reason: Option<String>,
    /// When it began, if it did.
    pub began: Option<String>,
    /// When its last run ended; of one that did not begin: when that was known.
    pub ended: String,
    /// Its jobs.
    pub jobs: Vec<u64>,
}
