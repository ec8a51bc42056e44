//! What is shown of schedules.

use headend_model::{OccurrenceNo, ScheduleId, ScheduledTestId, Target, Timestamp, UserName};

use super::book::{Active, Book, Pending, TestEntry};
use crate::farm::Farm;
use crate::recurrence::{Occurrence, Recurrence};
use crate::schedule::{
    ActiveView, OccurrenceReason, OccurrenceRecord, ScheduleView, ScheduledTestStatus, ScheduledTestView,
};

/// So many coming occurrences are listed at most.
const MOST_COMING: usize = 1_000;

impl Farm {
    /// The schedules of a user, in the order of their ids (document 7.1.15).
    pub fn schedules_of(&self, owner: &UserName) -> Vec<ScheduleView<'_>> {
        let names = self.schedules.names.get(owner);
        let mut ids: Vec<ScheduleId> = names.into_iter().flat_map(|names| names.values().copied()).collect();
        ids.sort_unstable();
        ids.into_iter().filter_map(|id| self.schedule(id)).collect()
    }

    /// All schedules, in the order of their ids.
    pub fn schedules(&self) -> impl Iterator<Item = ScheduleView<'_>> {
        self.schedules.books.iter().map(|(id, book)| self.view_schedule(*id, book))
    }

    /// One schedule.
    pub fn schedule(&self, id: ScheduleId) -> Option<ScheduleView<'_>> {
        self.schedules.books.get(&id).map(|book| self.view_schedule(id, book))
    }

    /// The schedule of that name (document 7.1.5).
    pub fn schedule_named(&self, owner: &UserName, name: &str) -> Option<ScheduleId> {
        self.schedules.named(owner, name)
    }

    /// The schedule that a test is on.
    pub fn schedule_of_test(&self, test: ScheduledTestId) -> Option<ScheduleId> {
        self.schedules.tests.get(&test).copied()
    }

    /// Its slots and DUTs in the order in which they were added (document 7.1.16, 7.1.17).
    pub fn schedule_targets(&self, id: ScheduleId) -> Option<&[Target]> {
        self.schedules.books.get(&id).map(|book| book.targets.as_slice())
    }

    /// Its tests in list order (document 7.1.18).
    pub fn schedule_tests(&self, id: ScheduleId) -> Option<Vec<ScheduledTestView<'_>>> {
        self.schedules.books.get(&id).map(|book| book.tests.iter().map(view_test).collect())
    }

    /// The schedules that a target is on.
    pub(in crate::farm) fn schedules_at(&self, target: Target) -> impl Iterator<Item = ScheduleId> + '_ {
        self.schedules.books.iter().filter(move |(_, book)| book.targets.contains(&target)).map(|(id, _)| *id)
    }

    /// The windows that come, the next one first; of a Loop: its period, until that has begun.
    pub fn coming(&self, id: ScheduleId, most: usize) -> Option<Vec<Occurrence>> {
        let book = self.schedules.books.get(&id)?;
        let (recurrence, passed) = (self.recurrence(id)?, book.passed());
        let coming = recurrence.from(passed).filter(|occurrence| occurrence.start > passed);
        Some(coming.take(most.min(MOST_COMING)).collect())
    }

    /// The last records of it, oldest first. (All of them are in what the journal tells.)
    pub fn past(&self, id: ScheduleId) -> Option<impl DoubleEndedIterator<Item = &OccurrenceRecord>> {
        self.schedules.books.get(&id).map(|book| book.past.iter())
    }

    fn view_schedule<'a>(&'a self, id: ScheduleId, book: &'a Book) -> ScheduleView<'a> {
        let recurrence = self.recurrence(id);
        ScheduleView {
            schedule: id,
            name: &book.name,
            created: book.created,
            timing: &book.timing,
            combined_start: recurrence.as_ref().and_then(Recurrence::first).map(|first| first.start),
            combined_end: recurrence.as_ref().and_then(Recurrence::end),
            owner: &book.owner,
            zone: &book.zone,
            settings: book.settings,
            policy_parameters: &book.policy_parameters,
            revision: book.revision,
            active: book.active.as_ref().map(view_active),
            pending: book.pending.as_ref().map(view_pending),
            next: self.next_time(id, book),
        }
    }

    /// The beginning of the next window of a schedule after the one that is open or was seen last.
    pub(in crate::farm) fn next_window(&self, id: ScheduleId) -> Option<Timestamp> {
        self.schedules.books.get(&id).and_then(|book| self.next_time(id, book))
    }
}

/// Without an obstacle, it only waits until the schedule has been left alone.
fn view_pending(pending: &Pending) -> (OccurrenceNo, OccurrenceReason) {
    (pending.no, pending.reason.clone().unwrap_or(OccurrenceReason::Edited))
}

fn view_active(active: &Active) -> ActiveView {
    ActiveView {
        occurrence: active.start.occurrence,
        began: active.began,
        window_end: active.window_end,
        paused: active.paused,
        jobs: active.jobs.clone(),
    }
}

fn view_test(entry: &TestEntry) -> ScheduledTestView<'_> {
    let status = match (entry.running, entry.open, entry.last_job) {
        (1.., ..) => ScheduledTestStatus::Running,
        (0, 1.., _) => ScheduledTestStatus::Waiting,
        (0, 0, Some(_)) => ScheduledTestStatus::Ran,
        (0, 0, None) => ScheduledTestStatus::NotRun,
    };
    ScheduledTestView {
        test: entry.id,
        loops_completed: entry.loops,
        by: &entry.by,
        created: entry.created,
        spec: &entry.spec,
        status,
        last_start: entry.last_start,
        last_end: entry.last_end,
        last_job: entry.last_job,
    }
}
