//! Occurrences that begin, pause at the end of their window, resume, and end.

use std::collections::BTreeSet;

use headend_model::run::Incomplete;
use headend_model::schedule::{AtWindowEnd, OccurrenceFate};
use headend_model::{JobId, JobSpec, ScheduleId, ScheduleKind, ScheduledTestId, Span, TestIx, Timestamp};

use super::book::{Active, Book};
use crate::action::{Refusal, Warning};
use crate::event::Submission;
use crate::farm::Farm;
use crate::schedule::{OccurrenceReason, OccurrenceRecord, OccurrenceStart, Origin, ScheduleAction};

/// Rounds of a Loop begin this far apart at least.
const ROUND_PAUSE: Span = Span::seconds(1);
/// After a round of which nothing could be started, so that a Loop without a rack does not fill the books with jobs.
const EMPTY_ROUND_PAUSE: Span = Span::seconds(60);

/// A job in the making.
struct Draft {
    submission: Submission,
    tests: Vec<ScheduledTestId>,
    warnings: Vec<Warning>,
}

impl Farm {
    /// Begins what is pending, if nothing stands in its way.
    pub(super) fn begin(&mut self, id: ScheduleId) {
        let Some(book) = self.schedules.books.get(&id) else { return };
        if book.pending.is_none() {
            return;
        }
        match self.obstacle(book) {
            Some(Obstacle::Settling) => {}
            Some(Obstacle::Lasting(reason)) => self.note_obstacle(id, reason),
            None => match self.draft(id) {
                Ok(drafts) => self.begin_with(id, drafts),
                Err(refusal) => self.refuse_pending(id, refusal),
            },
        }
    }

    fn obstacle(&self, book: &Book) -> Option<Obstacle> {
        if let Some(active) = &book.active {
            return Some(Obstacle::Lasting(OccurrenceReason::FormerRan(active.start.occurrence)));
        }
        if book.tests.is_empty() {
            return Some(Obstacle::Lasting(OccurrenceReason::NoTests));
        }
        if book.targets.is_empty() {
            return Some(Obstacle::Lasting(OccurrenceReason::NoTargets));
        }
        // Slots and tests are added one by one: an occurrence begins when the schedule has been left alone for a moment.
        (book.edited + self.config.schedule_settle > self.now).then_some(Obstacle::Settling)
    }

    fn note_obstacle(&mut self, id: ScheduleId, reason: OccurrenceReason) {
        let pending = self.schedules.books.get_mut(&id).and_then(|book| book.pending.as_mut());
        if let Some(pending) = pending {
            pending.reason = Some(reason);
        }
    }

    fn refuse_pending(&mut self, id: ScheduleId, refusal: Refusal) {
        let now = self.now;
        let Some(book) = self.schedules.books.get_mut(&id) else { return };
        book.rounds.due = now + EMPTY_ROUND_PAUSE;
        if let Some(pending) = book.pending.take() {
            self.record_pending(id, &pending, OccurrenceFate::Skipped, Some(OccurrenceReason::Refused(refusal)));
        }
    }

    /// One job per priority, checked as any submitted one; one refusal refuses all.
    fn draft(&self, id: ScheduleId) -> Result<Vec<Draft>, Refusal> {
        let Some(book) = self.schedules.books.get(&id) else { return Ok(Vec::new()) };
        let jobs = book.tests_by_priority().into_iter().map(|(priority, entries)| {
            let spec = JobSpec {
                name: book.name.as_str().to_owned(),
                owner: book.owner.clone(),
                priority,
                targets: book.targets.clone(),
                tests: entries.iter().map(|entry| entry.spec.test.clone()).collect(),
                policy_parameters: book.parameters_for(&entries),
            };
            // Whether a script is there is known when its run is given its files.
            let submission = Submission { spec, missing_scripts: BTreeSet::new(), fail_on_warning: false, key: None };
            let warnings = self.check_new(&submission)?;
            Ok(Draft { submission, tests: entries.iter().map(|entry| entry.id).collect(), warnings })
        });
        jobs.collect()
    }

    fn begin_with(&mut self, id: ScheduleId, drafts: Vec<Draft>) {
        let (now, grace) = (self.now, self.config.schedule_grace);
        let Some(book) = self.schedules.books.get_mut(&id) else { return };
        let Some(pending) = book.pending.take() else { return };
        let late = now.since(pending.planned) > grace;
        let start = OccurrenceStart {
            schedule: id,
            owner: book.owner.clone(),
            occurrence: pending.no,
            planned: pending.planned,
            window_end: pending.end,
            late: late.then(|| pending.reason.unwrap_or(OccurrenceReason::Edited)),
        };
        book.rounds.begun = book.rounds.begun.saturating_add(1);
        book.active = Some(Active {
            start: start.clone(),
            began: now,
            window_end: pending.end,
            paused: false,
            cut: false,
            ran: false,
            jobs: Vec::new(),
        });
        self.tell(ScheduleAction::Began(start));
        for draft in drafts {
            let origin = Origin { schedule: id, occurrence: pending.no, tests: draft.tests };
            let job = self.next_job_id();
            self.expect_runs(job, &origin, &draft.submission.spec);
            if let Some(active) = self.active(id) {
                active.jobs.push(job);
            }
            self.accept(&draft.submission, draft.warnings, Some(origin));
        }
    }

    fn active(&mut self, id: ScheduleId) -> Option<&mut Active> {
        self.schedules.books.get_mut(&id)?.active.as_mut()
    }

    /// A test of the occurrence was started.
    pub(super) fn note_ran(&mut self, id: ScheduleId) {
        if let Some(active) = self.active(id) {
            active.ran = true;
        }
    }

    /// At the end of the window nothing new starts: what waits pauses until the next one, or ends.
    pub(super) fn close_window(&mut self, id: ScheduleId) {
        let now = self.now;
        let Some(active) = self.active(id) else { return };
        let closed = active.window_end.is_some_and(|end| end <= now);
        if closed {
            active.window_end = None;
        }
        let waited = active.paused;
        if (!closed && !waited) || self.waiting(id) == 0 {
            return;
        }
        if !self.may_wait(id) {
            return self.cut(id);
        }
        if !waited {
            self.pause(id);
        }
    }

    fn may_wait(&self, id: ScheduleId) -> bool {
        let Some(book) = self.schedules.books.get(&id) else { return false };
        let one_period = book.timing.spec().kind == ScheduleKind::Loop;
        let open = book.pending.as_ref().is_some_and(|pending| pending.end.is_none_or(|end| end > self.now));
        let window = open || self.next_time(id, book).is_some();
        book.settings.at_window_end == AtWindowEnd::Wait && !one_period && window
    }

    fn jobs_of(&self, id: ScheduleId) -> Vec<JobId> {
        let active = self.schedules.books.get(&id).and_then(|book| book.active.as_ref());
        active.map(|active| active.jobs.clone()).unwrap_or_default()
    }

    fn waiting(&self, id: ScheduleId) -> u32 {
        let jobs = self.jobs_of(id).into_iter().filter_map(|job| self.jobs.get(&job));
        jobs.map(crate::farm::state::Job::queued).sum()
    }

    fn pause(&mut self, id: ScheduleId) {
        let waiting = self.waiting(id);
        for job in self.jobs_of(id) {
            self.park(job);
        }
        let Some(active) = self.active(id) else { return };
        active.paused = true;
        let occurrence = active.start.occurrence;
        self.tell(ScheduleAction::Paused { schedule: id, occurrence, waiting });
    }

    fn cut(&mut self, id: ScheduleId) {
        if let Some(active) = self.active(id) {
            active.cut = true;
            active.paused = false;
        }
        self.drop_waiting(id, &Incomplete::WindowClosed);
    }

    /// Ends all waiting runs of the occurrence under way.
    pub(super) fn drop_waiting(&mut self, id: ScheduleId, why: &Incomplete) {
        for job in self.jobs_of(id) {
            self.unpark_quietly(job);
            let tests = self.jobs.get(&job).map_or(0, |job| job.tests.len() as u32);
            for test in (0..tests).map(TestIx) {
                self.drop_runs(job, test, u32::MAX, why);
            }
            self.unqueue_if_done(job);
        }
    }

    /// Ends the waiting runs of one test.
    pub(super) fn drop_waiting_of(&mut self, id: ScheduleId, test: ScheduledTestId, why: &Incomplete) {
        for job in self.jobs_of(id) {
            let origin = self.jobs.get(&job).and_then(|job| job.origin.as_ref());
            let at = origin.and_then(|origin| origin.tests.iter().position(|other| *other == test));
            if let Some(at) = at {
                self.drop_runs(job, TestIx(at as u32), u32::MAX, why);
                self.unqueue_if_done(job);
            }
        }
    }

    /// A window has opened while tests of the former one wait: they go on first.
    pub(super) fn resume(&mut self, id: ScheduleId) {
        let now = self.now;
        let Some(book) = self.schedules.books.get(&id) else { return };
        let Some(pending) = book.pending.as_ref() else { return };
        let end = pending.end;
        if end.is_none_or(|end| end > now) {
            self.reopen(id, end);
        }
    }

    /// What waits for a window goes on until this one ends.
    pub(super) fn reopen(&mut self, id: ScheduleId, end: Option<Timestamp>) {
        let Some(active) = self.active(id).filter(|active| active.paused) else { return };
        active.paused = false;
        active.window_end = end;
        let occurrence = active.start.occurrence;
        let jobs = active.jobs.clone();
        self.tell(ScheduleAction::Resumed { schedule: id, occurrence });
        for job in jobs {
            self.unpark(job);
        }
    }

    /// The last run of the occurrence has ended.
    pub(super) fn finish_active(&mut self, id: ScheduleId) {
        let Some(book) = self.schedules.books.get(&id) else { return };
        let Some(active) = &book.active else { return };
        let over =
            active.jobs.iter().all(|job| self.jobs.get(job).is_none_or(|job| job.tally.ended == job.tally.total));
        if over {
            let cut = active.cut;
            self.end_active(id, cut.then_some(OccurrenceReason::WindowClosed));
        }
    }

    pub(super) fn end_active(&mut self, id: ScheduleId, reason: Option<OccurrenceReason>) {
        let now = self.now;
        let Some(book) = self.schedules.books.get_mut(&id) else { return };
        let Some(active) = book.active.take() else { return };
        let pause = if active.ran { ROUND_PAUSE } else { EMPTY_ROUND_PAUSE };
        book.rounds.due = now.max(active.began + pause);
        let start = active.start;
        let fate = if start.late.is_some() { OccurrenceFate::Late } else { OccurrenceFate::Ran };
        self.record(OccurrenceRecord {
            schedule: id,
            owner: start.owner,
            first: start.occurrence,
            last: start.occurrence,
            planned: start.planned,
            planned_last: start.planned,
            window_end: start.window_end,
            fate,
            reason: start.late.or(reason),
            began: Some(active.began),
            ended: now,
            jobs: active.jobs,
        });
    }
}

/// What stands in the way of a beginning.
enum Obstacle {
    /// It was changed a moment ago.
    Settling,
    /// This.
    Lasting(OccurrenceReason),
}
