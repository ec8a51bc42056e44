//! What becomes of the tests of a schedule, run by run, and jobs outside their window.

use headend_model::{JobId, JobSpec, ScheduleId, ScheduledTestId, TestIx};

use crate::farm::Farm;
use crate::farm::submit::runs_of;
use crate::schedule::Origin;

impl Farm {
    /// A job is about to be made: its tests have so many runs to come.
    pub(super) fn expect_runs(&mut self, job: JobId, origin: &Origin, spec: &JobSpec) {
        for (test, spec) in origin.tests.iter().zip(&spec.tests) {
            if let Some(entry) = self.schedules.entry(origin.schedule, *test) {
                (entry.open, entry.running, entry.started) = (runs_of(spec), 0, 0);
                entry.last_job = Some(job);
            }
        }
    }

    fn scheduled(&self, job: JobId, test: TestIx) -> Option<(ScheduleId, ScheduledTestId)> {
        let origin = self.jobs.get(&job)?.origin.as_ref()?;
        Some((origin.schedule, *origin.tests.get(test.0 as usize)?))
    }

    /// A run of a job was started.
    pub(in crate::farm) fn scheduled_start(&mut self, job: JobId, test: TestIx) {
        let Some((schedule, test)) = self.scheduled(job, test) else { return };
        let now = self.now;
        if let Some(entry) = self.schedules.entry(schedule, test) {
            entry.running += 1;
            entry.started += 1;
            entry.last_start = Some(now);
        }
        self.note_ran(schedule);
    }

    /// Runs of a job have ended, after a start or without one.
    pub(in crate::farm) fn scheduled_end(&mut self, job: JobId, test: TestIx, runs: u32, started: bool) {
        let Some((schedule, test)) = self.scheduled(job, test).filter(|_| runs > 0) else { return };
        let now = self.now;
        let Some(entry) = self.schedules.entry(schedule, test) else { return };
        if started {
            entry.running = entry.running.saturating_sub(1);
            entry.last_end = Some(now);
        }
        entry.open = entry.open.saturating_sub(runs);
        if entry.open == 0 && entry.started > 0 {
            entry.loops += 1;
        }
    }

    /// The window of a job has closed: what waits leaves the queue, and nobody is asked for it any more.
    pub(super) fn park(&mut self, id: JobId) {
        self.drop_asks_of(id);
        self.end_hold(id);
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.queued() > 0) else { return };
        job.parked = true;
        let (queue, key) = (job.queue, job.key);
        self.queues.remove(queue, key);
    }

    /// A window is open again: it has its old place.
    pub(super) fn unpark(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.parked) else { return };
        job.parked = false;
        if job.queued() > 0 {
            let key = job.key;
            job.queue = self.queues.add(&job.spec.targets, key);
            self.end_if_torn(id);
            self.expect_absent(id);
            self.mark_targets(id);
        }
    }

    /// It will not start anything any more, so it needs no place.
    pub(super) fn unpark_quietly(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.parked = false;
        }
    }
}
