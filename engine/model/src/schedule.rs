//! Schedules as a client describes them (document 7.1): named, recurring sources of jobs.
//!
//! A value here is already valid: [`Timing`] holds the six types of the document with their exclusions checked. What
//! instants it means in a time zone is the scheduler's `recurrence`; there is no zone data in here.

mod calendar;
mod name;
mod timing;

use std::collections::BTreeMap;
use std::fmt;

pub use calendar::{BadDate, Date, DaySet, TimeOfDay, Weekday};
pub use name::{ScheduleName, ZoneName};
pub use timing::{BadTiming, ScheduleKind, Timing, TimingSpec};

use crate::ids::{PolicyName, UserName};
use crate::job::{Mode, Priority, TestSpec};

/// What `createSchedule` hands in (document 7.1.1). Slots, DUTs and tests come after it, one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NewSchedule {
    /// Whose it is: its jobs are this user's.
    pub owner: UserName,
    /// Its name, unique among the owner's schedules.
    pub name: ScheduleName,
    /// The zone in which its dates and times are read; stays with it.
    pub zone: ZoneName,
    /// When.
    pub timing: Timing,
    /// What happens at the edges.
    pub settings: ScheduleSettings,
    /// What its owner asks of policies that its tests name: JSON text of an object each.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "BTreeMap::is_empty"))]
    pub policy_parameters: BTreeMap<PolicyName, String>,
}

/// What happens at the edges of an occurrence, where the document is silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct ScheduleSettings {
    /// What becomes of tests that have not started when the window ends. Running ones finish in any case.
    pub at_window_end: AtWindowEnd,
    /// What becomes of an occurrence whose time has come while the former is still under way.
    pub while_former_runs: WhileFormerRuns,
}

/// What becomes of waiting tests at the end of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum AtWindowEnd {
    /// They wait for the next window; when none comes, they end "Incomplete (window closed)".
    #[default]
    Wait,
    /// They end "Incomplete (window closed)".
    End,
}

/// What becomes of an occurrence while the former is still under way. It never overlaps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum WhileFormerRuns {
    /// It starts when the former has ended, if its window is still open then.
    #[default]
    Queue,
    /// It is skipped.
    Skip,
}

/// A test on a schedule (document 7.1.12, where it is also called a job and has a job id).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ScheduledTest {
    /// Script, area, slots needed, mode, arguments.
    pub test: TestSpec,
    /// Its own priority, 1 unless given (document 7.1.12).
    pub priority: Priority,
}

/// What `updateJob` sets (document 7.1.13): all but the script.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TestChange {
    /// In the public area, else in the owner's private one.
    pub public: bool,
    /// How many targets it is to run on, at least 1.
    pub slots_needed: u32,
    /// 1 is highest.
    pub priority: Priority,
    /// How it is spread over the targets.
    pub mode: Mode,
    /// Arguments, already split as a shell would.
    pub args: Vec<String>,
}

/// How an occurrence has ended. Each ends in exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum OccurrenceFate {
    /// It began at its time.
    Ran,
    /// It began after its time, inside its window.
    Late,
    /// Its window was seen, and it did not begin.
    Skipped,
    /// Its window passed while nobody looked: the server was down, or its clock jumped.
    Missed,
}

impl fmt::Display for OccurrenceFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ran => "ran",
            Self::Late => "late",
            Self::Skipped => "skipped",
            Self::Missed => "missed",
        })
    }
}
