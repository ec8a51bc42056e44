//! What goes in and out about schedules (document 7.1): commands, answers, occurrences, and what is shown of them.
//!
//! ```text
//!  ZoneRules ──► the farm knows a time zone          Schedule(command) ──► Noted | Refused
//!  Tick ──► Began, JobMade... ──► ordinary runs ──► Ended(record)     (or Ended alone: skipped, missed)
//! ```

use std::collections::BTreeMap;
use std::fmt;

use headend_model::schedule::{DaySet, OccurrenceFate, TestChange};
use headend_model::{
    DutId, JobId, NewSchedule, OccurrenceNo, PolicyName, ScheduleId, ScheduleKind, ScheduleName, ScheduleSettings,
    ScheduledTest, ScheduledTestId, SlotId, Target, Timestamp, Timing, UserName, ZoneName,
};

use crate::action::{Refusal, Warning};

/// The rules of a time zone as the IANA database compiles them (`TZif`, RFC 9636). The farm has no database of its own:
/// what it decides by stands in its journal, and a release with newer rules cannot change the past.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct ZoneData(pub Vec<u8>);

/// What is wanted of a schedule. Whether the one who asks may do so is checked at the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum ScheduleCommand {
    /// `createSchedule`. Its zone must be a fixed offset, `UTC`, or one whose rules the farm has been given.
    Create(NewSchedule),
    /// `renameSchedule`.
    Rename {
        /// Which.
        schedule: ScheduleId,
        /// Its name from now on.
        name: ScheduleName,
    },
    /// `modifySchedule`. What has begun goes on; an occurrence whose time was seen does not come again.
    Modify {
        /// Which.
        schedule: ScheduleId,
        /// When, from now on.
        timing: Timing,
        /// Another zone; `None`: it keeps its own.
        zone: Option<ZoneName>,
    },
    /// Sets what happens at the edges of its occurrences.
    Configure {
        /// Which.
        schedule: ScheduleId,
        /// From now on.
        settings: ScheduleSettings,
    },
    /// Sets what is asked of policies, in place of all that was asked before. Counts from the next occurrence on.
    SetParameters {
        /// Which.
        schedule: ScheduleId,
        /// JSON text of an object for each policy.
        parameters: BTreeMap<PolicyName, String>,
    },
    /// `deleteSchedule`. Running tests finish, waiting ones end "Incomplete".
    Delete {
        /// Which.
        schedule: ScheduleId,
    },
    /// `addSlotToSchedule`, `addStbToSchedule`. Counts from the next occurrence on.
    AddTarget {
        /// Which schedule.
        schedule: ScheduleId,
        /// The slot or DUT.
        target: Target,
    },
    /// `removeSlotFromSchedule`, `removeStbFromSchedule`. Counts from the next occurrence on.
    RemoveTarget {
        /// Which schedule.
        schedule: ScheduleId,
        /// The slot or DUT.
        target: Target,
    },
    /// `addTestToSchedule`. Counts from the next occurrence on.
    AddTest {
        /// Which schedule.
        schedule: ScheduleId,
        /// The test, put behind the others.
        test: ScheduledTest,
    },
    /// `updateJob`. Counts from the next occurrence on.
    UpdateTest {
        /// Which test.
        test: ScheduledTestId,
        /// All but its script.
        change: TestChange,
    },
    /// `deleteJob`. Its running runs finish, waiting ones end "Incomplete".
    DeleteTest {
        /// Which test.
        test: ScheduledTestId,
    },
}

/// What the farm says about schedules.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum ScheduleAction {
    /// The answer to a command: it is done.
    Noted {
        /// The schedule that it was about.
        schedule: ScheduleId,
        /// The test that it was about.
        test: Option<ScheduledTestId>,
        /// Revision of the schedule now (of a deleted one: its last).
        revision: u64,
    },
    /// The answer to a command: nothing was changed.
    Refused(ScheduleRefusal),
    /// The answer to zone rules: they count from now on.
    ZoneNoted(ZoneName),
    /// For the record: an occurrence has begun; its jobs follow.
    Began(OccurrenceStart),
    /// For the record: an ordinary job was made for an occurrence. (There is no [`crate::Action::Accepted`] for it.)
    JobMade {
        /// The job.
        job: JobId,
        /// Where it comes from.
        origin: Origin,
        /// What a submitter would have been told.
        warnings: Vec<Warning>,
    },
    /// For the record: the window has closed over waiting tests, which wait for the next one.
    Paused {
        /// The schedule.
        schedule: ScheduleId,
        /// Its occurrence.
        occurrence: OccurrenceNo,
        /// Runs that wait.
        waiting: u32,
    },
    /// For the record: a window has opened for tests that waited for it.
    Resumed {
        /// The schedule.
        schedule: ScheduleId,
        /// Its occurrence.
        occurrence: OccurrenceNo,
    },
    /// For the record: what became of an occurrence. Each appears in exactly one record.
    Ended(OccurrenceRecord),
}

/// Where a job comes from, if a schedule made it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Origin {
    /// The schedule.
    pub schedule: ScheduleId,
    /// Its occurrence.
    pub occurrence: OccurrenceNo,
    /// For each test of the job, the test on the schedule.
    pub tests: Vec<ScheduledTestId>,
}

/// An occurrence that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OccurrenceStart {
    /// The schedule
    pub schedule: ScheduleId,
    /// and its owner.
    pub owner: UserName,
    /// Its number.
    pub occurrence: OccurrenceNo,
    /// When it was to begin.
    pub planned: Timestamp,
    /// When its window ends; `None`: never.
    pub window_end: Option<Timestamp>,
    /// Why it begins late, if it does.
    pub late: Option<OccurrenceReason>,
}

/// What became of an occurrence, or of several in a row that were missed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OccurrenceRecord {
    /// The schedule
    pub schedule: ScheduleId,
    /// and its owner.
    pub owner: UserName,
    /// Number of the occurrence, or of the first one.
    pub first: OccurrenceNo,
    /// The same number, or that of the last one.
    pub last: OccurrenceNo,
    /// When the first was to begin.
    pub planned: Timestamp,
    /// When the last was to begin.
    pub planned_last: Timestamp,
    /// When the (last) window was to end; `None`: never.
    pub window_end: Option<Timestamp>,
    /// What became of it.
    pub fate: OccurrenceFate,
    /// Why; `None` for one that ran at its time to its end.
    pub reason: Option<OccurrenceReason>,
    /// When it began, if it did.
    pub began: Option<Timestamp>,
    /// When its last run ended; of one that did not begin: when that was known.
    pub ended: Timestamp,
    /// Its jobs.
    pub jobs: Vec<JobId>,
}

/// Why an occurrence was late, skipped, missed or cut short.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum OccurrenceReason {
    /// The server was down at its time, or its clock jumped over it.
    NotSeen,
    /// The schedule was created or changed inside the window.
    Edited,
    /// The schedule had no tests.
    NoTests,
    /// The schedule had no slots and no DUTs.
    NoTargets,
    /// A former occurrence was still under way.
    FormerRan(OccurrenceNo),
    /// The jobs could not be made.
    Refused(Refusal),
    /// Its window closed over waiting tests, which have ended "Incomplete (window closed)".
    WindowClosed,
    /// The schedule was changed before it began.
    Changed,
    /// The schedule was deleted.
    Deleted,
}

impl fmt::Display for OccurrenceReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSeen => {
                f.write_str("the server was not running at its time, or its clock was set forward over it")
            }
            Self::Edited => f.write_str("the schedule was created or changed inside the window"),
            Self::NoTests => f.write_str("the schedule had no tests"),
            Self::NoTargets => f.write_str("the schedule had no slots and no DUTs"),
            Self::FormerRan(former) => write!(f, "occurrence {former} was still under way"),
            Self::Refused(refusal) => write!(f, "its jobs were refused: {refusal}"),
            Self::WindowClosed => f.write_str("its window closed while tests were waiting"),
            Self::Changed => f.write_str("the schedule was changed before it began"),
            Self::Deleted => f.write_str("the schedule was deleted"),
        }
    }
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[allow(missing_docs, reason = "each message says it")]
pub enum ScheduleRefusal {
    #[error("there is no schedule {0}; showSchedules lists those of a user")]
    NoSchedule(ScheduleId),
    #[error("there is no test {0} on any schedule; showJobsOnSchedule lists those of a schedule")]
    NoTest(ScheduledTestId),
    #[error("the name \"{name}\" is that of schedule {schedule} of the same user; choose another name")]
    NameTaken { name: ScheduleName, schedule: ScheduleId },
    #[error(
        "time zone {0} is not known; give a name of the IANA database such as Europe/Dublin, or an offset such as +02:00"
    )]
    UnknownZone(ZoneName),
    #[error("the rules of time zone {zone} cannot be read ({problem}); give a TZif file of the IANA database")]
    BadRules { zone: ZoneName, problem: String },
    #[error("slot {0} is not declared by any rack; the slots of a rack are known once it has been started")]
    UnknownSlot(SlotId),
    #[error("DUT {0} is not in the system; findStb lists those that are")]
    UnknownDut(DutId),
    #[error("it is on schedule {0} already; nothing needs to be done")]
    AlreadyThere(ScheduleId),
    #[error("it is not on schedule {0}; nothing needs to be done")]
    NotThere(ScheduleId),
    #[error("slotsNeeded is 0; ask for at least 1")]
    ZeroSlots,
    #[error("the user has {most} schedules, the most that are kept; delete some")]
    TooManySchedules { most: u32 },
    #[error("schedule {schedule} has {most} tests, the most that are kept; delete some, or make another schedule")]
    TooManyTests { schedule: ScheduleId, most: u32 },
    #[error("schedule {schedule} has {most} slots and DUTs, the most that are kept; make another schedule")]
    TooManyTargets { schedule: ScheduleId, most: u32 },
}

/// A schedule as it is shown: the columns of document 7.1.15 in their order, then what the document does not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleView<'a> {
    /// 1: its id.
    pub schedule: ScheduleId,
    /// 2: its name.
    pub name: &'a ScheduleName,
    /// 3: when it was created.
    pub created: Timestamp,
    /// 4: its type; 5 to 11 (start date, end date, start time, end time, count, rate, days) are in here too.
    pub timing: &'a Timing,
    /// 12: the beginning of its first window; `None` beyond the calendar.
    pub combined_start: Option<Timestamp>,
    /// 13: the end of its last window; `None`: no end.
    pub combined_end: Option<Timestamp>,
    /// Whose it is.
    pub owner: &'a UserName,
    /// The zone in which its dates and times are read.
    pub zone: &'a ZoneName,
    /// What happens at the edges.
    pub settings: ScheduleSettings,
    /// What is asked of policies: JSON text of an object each.
    pub policy_parameters: &'a BTreeMap<PolicyName, String>,
    /// Rises with each change of it, its slots, DUTs and tests.
    pub revision: u64,
    /// The occurrence that is under way.
    pub active: Option<ActiveView>,
    /// The occurrence whose window is open and that has not begun, and why.
    pub pending: Option<(OccurrenceNo, OccurrenceReason)>,
    /// The beginning of its next window.
    pub next: Option<Timestamp>,
}

impl ScheduleView<'_> {
    /// 10: the rate; a Loop has none ("NULL").
    pub fn repeat_rate(&self) -> Option<u32> {
        let spec = self.timing.spec();
        (spec.kind != ScheduleKind::Loop).then_some(spec.repeat_rate)
    }

    /// 11: the days of a Weekly schedule.
    pub fn repeat_days(&self) -> DaySet {
        self.timing.spec().repeat_days
    }
}

/// An occurrence that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveView {
    /// Its number.
    pub occurrence: OccurrenceNo,
    /// When it began.
    pub began: Timestamp,
    /// When the present window closes; `None`: never.
    pub window_end: Option<Timestamp>,
    /// Its window has closed: what waits, waits for the next one.
    pub paused: bool,
    /// Its jobs.
    pub jobs: Vec<JobId>,
}

/// A test on a schedule: the columns of document 7.1.18 in their order. (Two of them are not the farm's: the number of
/// the user, and the repository revision, which is that of the trees the last run was given.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledTestView<'a> {
    /// 1: its id.
    pub test: ScheduledTestId,
    /// 2: occurrences (of a Loop: rounds) in which it ran to its end.
    pub loops_completed: u64,
    /// 3: who added it.
    pub by: &'a UserName,
    /// 4: when it was added.
    pub created: Timestamp,
    /// 5, 7, 11, 12, 13: arguments, script, area, slots needed and mode; 9: priority.
    pub spec: &'a ScheduledTest,
    /// 8: how it stands.
    pub status: ScheduledTestStatus,
    /// 14: when a run of it was last started.
    pub last_start: Option<Timestamp>,
    /// 15: when a run of it last ended.
    pub last_end: Option<Timestamp>,
    /// The job that it last was part of.
    pub last_job: Option<JobId>,
}

/// How a test on a schedule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScheduledTestStatus {
    /// It was never part of an occurrence.
    NotRun,
    /// It is part of the occurrence under way, and none of its runs is running.
    Waiting,
    /// A run of it is running.
    Running,
    /// The last occurrence that it was part of is through with it.
    Ran,
}

impl fmt::Display for ScheduledTestStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRun => "not run",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Ran => "ran",
        })
    }
}

impl From<ZoneData> for String {
    fn from(data: ZoneData) -> Self {
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
        data.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }
}

impl TryFrom<String> for ZoneData {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let pairs = text.as_bytes().chunks(2);
        let bytes = pairs.map(|pair| match pair {
            [high, low] => Some((digit(*high)? * 16 + digit(*low)?) as u8),
            _ => None,
        });
        bytes.collect::<Option<_>>().map(Self).ok_or_else(|| "zone rules are pairs of hexadecimal digits".to_owned())
    }
}

impl fmt::Debug for ZoneData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ZoneData({} bytes)", self.0.len())
    }
}
