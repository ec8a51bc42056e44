//! What the farm remembers of schedules.

use std::collections::{BTreeMap, VecDeque};

use headend_model::{
    JobId, Mode, NewSchedule, OccurrenceNo, PolicyName, Priority, ScheduleId, ScheduleName, ScheduleSettings,
    ScheduledTest, ScheduledTestId, Span, Target, Timestamp, Timing, UserName, ZoneName,
};
use jiff::tz::TimeZone;

use super::zones::Zone;
use crate::recurrence::Recurrence;
use crate::schedule::{OccurrenceReason, OccurrenceRecord, OccurrenceStart};

/// So many records of the past are kept per schedule; the projections keep all.
const MOST_PAST: usize = 50;

/// All schedules, and how they are found.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(in crate::farm) struct Schedules {
    pub(super) books: BTreeMap<ScheduleId, Book>,
    pub(super) names: BTreeMap<UserName, BTreeMap<ScheduleName, ScheduleId>>,
    pub(super) tests: BTreeMap<ScheduledTestId, ScheduleId>,
    pub(super) zones: BTreeMap<ZoneName, Zone>,
}

/// A schedule.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Book {
    pub owner: UserName,
    pub name: ScheduleName,
    pub zone: ZoneName,
    pub timing: Timing,
    pub settings: ScheduleSettings,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "BTreeMap::is_empty"))]
    pub policy_parameters: BTreeMap<PolicyName, String>,
    pub created: Timestamp,
    pub revision: u64,
    /// The last change of its times, targets or tests: it begins nothing until it has been left alone for a while.
    pub edited: Timestamp,
    /// The last change of its times.
    pub timed: Timestamp,
    pub targets: Vec<Target>,
    pub tests: Vec<TestEntry>,
    /// Occurrences that begin up to then are none of its business: they were over before its times were set.
    pub floor: Timestamp,
    /// The beginning of the last occurrence whose time was seen: the key that lets none come twice (D3).
    pub seen: Option<Timestamp>,
    /// Number of the next occurrence.
    pub next: u64,
    pub rounds: Rounds,
    pub pending: Option<Pending>,
    pub active: Option<Active>,
    pub past: VecDeque<OccurrenceRecord>,
    pub timer: Option<Timestamp>,
}

/// How far a Loop is.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Rounds {
    /// The beginning of the period in which they are counted.
    pub period: Option<Timestamp>,
    /// Rounds begun in it.
    pub begun: u32,
    /// When the next may begin.
    pub due: Timestamp,
}

/// A test on the schedule.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct TestEntry {
    pub id: ScheduledTestId,
    pub spec: ScheduledTest,
    pub by: UserName,
    pub created: Timestamp,
    /// Occurrences in which it ran to its end.
    pub loops: u64,
    /// Runs of the occurrence under way that have not ended, those of them that are running, and those that were started.
    pub open: u32,
    pub running: u32,
    pub started: u32,
    pub last_start: Option<Timestamp>,
    pub last_end: Option<Timestamp>,
    pub last_job: Option<JobId>,
}

/// An occurrence whose window is open and that has not begun.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Pending {
    pub no: OccurrenceNo,
    pub planned: Timestamp,
    pub end: Option<Timestamp>,
    /// What last stood in its way.
    pub reason: Option<OccurrenceReason>,
}

/// An occurrence under way.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Active {
    pub start: OccurrenceStart,
    pub began: Timestamp,
    /// End of the window it uses now, unless that has been seen already.
    pub window_end: Option<Timestamp>,
    /// Its window has closed over waiting runs, which wait for the next.
    pub paused: bool,
    /// Its window has closed over waiting runs, which have ended.
    pub cut: bool,
    /// Something of it was started.
    pub ran: bool,
    pub jobs: Vec<JobId>,
}

impl Schedules {
    pub(in crate::farm) fn named(&self, owner: &UserName, name: &str) -> Option<ScheduleId> {
        let name = ScheduleName::new(name).ok()?;
        self.names.get(owner)?.get(&name).copied()
    }

    pub(super) fn zone(&self, name: &ZoneName) -> Option<TimeZone> {
        super::zones::fixed(name).or_else(|| self.zones.get(name).map(|zone| zone.rules().clone()))
    }

    pub(super) fn forget_name(&mut self, owner: &UserName, name: &ScheduleName) {
        if let Some(names) = self.names.get_mut(owner) {
            names.remove(name);
            if names.is_empty() {
                self.names.remove(owner);
            }
        }
    }

    pub(super) fn entry(&mut self, schedule: ScheduleId, test: ScheduledTestId) -> Option<&mut TestEntry> {
        self.books.get_mut(&schedule)?.tests.iter_mut().find(|entry| entry.id == test)
    }
}

impl Book {
    /// What is asked of the policies of these tests.
    pub(super) fn parameters_for(&self, tests: &[&TestEntry]) -> BTreeMap<PolicyName, String> {
        let named = tests.iter().filter_map(|entry| match &entry.spec.test.mode {
            Mode::Policy(name) => Some(name),
            Mode::SingleProcess | Mode::DutCoverage | Mode::TestCoverage => None,
        });
        named.filter_map(|name| Some((name.clone(), self.policy_parameters.get(name)?.clone()))).collect()
    }

    pub(super) fn new(new: &NewSchedule, now: Timestamp, recurrence: &Recurrence) -> Self {
        Self {
            owner: new.owner.clone(),
            name: new.name.clone(),
            zone: new.zone.clone(),
            timing: new.timing,
            settings: new.settings,
            policy_parameters: new.policy_parameters.clone(),
            created: now,
            revision: 1,
            edited: now,
            timed: now,
            targets: Vec::new(),
            tests: Vec::new(),
            floor: floor(recurrence, now),
            seen: None,
            next: 1,
            rounds: Rounds::default(),
            pending: None,
            active: None,
            past: VecDeque::new(),
            timer: None,
        }
    }

    /// Something was changed that the next occurrence will see.
    pub(super) fn edit(&mut self, now: Timestamp) {
        self.revision += 1;
        self.edited = now;
    }

    /// No occurrence that begins up to then comes (again).
    pub(super) fn passed(&self) -> Timestamp {
        self.seen.map_or(self.floor, |seen| seen.max(self.floor))
    }

    pub(super) fn number(&mut self, count: u64) -> OccurrenceNo {
        let first = self.next;
        self.next = self.next.saturating_add(count);
        OccurrenceNo(first)
    }

    pub(super) fn keep(&mut self, record: OccurrenceRecord) {
        self.past.push_back(record);
        if self.past.len() > MOST_PAST {
            self.past.pop_front();
        }
    }

    /// Tests by priority, most urgent first, each in list order: one job for each.
    pub(super) fn tests_by_priority(&self) -> BTreeMap<Priority, Vec<&TestEntry>> {
        let mut jobs: BTreeMap<Priority, Vec<&TestEntry>> = BTreeMap::new();
        for entry in &self.tests {
            jobs.entry(entry.spec.priority).or_default().push(entry);
        }
        jobs
    }
}

/// What began before times were set counts only if its window is still open.
pub(super) fn floor(recurrence: &Recurrence, now: Timestamp) -> Timestamp {
    recurrence.open_at(now).map_or(now, |open| open.start - Span::micros(1))
}
