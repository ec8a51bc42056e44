//! Schedules: named, recurring sources of ordinary jobs (document 7.1; rules in `engine/design/0011-schedules.md`).
//!
//! ```text
//!  a time comes ──► pending ──► active ──► record: ran, late
//!                     │           │ window closes: waiting tests pause (or end), and resume in the next window
//!                     └──► record: skipped       (nothing to run, former still runs, refused, ...)
//!  nobody looked ────────► record: missed
//! ```
//!
//! A schedule has at most one pending and one active occurrence, so two of them never meet on a slot. Each schedule has one
//! timer, so a step costs what is due, however many schedules there are.

mod active;
mod book;
mod commands;
mod due;
mod tests_of;
mod views;
mod zones;

use headend_model::{JobId, ScheduleId, Timestamp};

use super::invariants::{Check, ensure};
use super::state::Timer;
use super::{Farm, Violation};
use crate::schedule::ScheduleAction;
use crate::{Action, recurrence::Recurrence};
pub(super) use book::Schedules;

impl Farm {
    /// The timer of a schedule has fired: its time has come, its window has ended, or its jobs have.
    pub(super) fn schedule_due(&mut self, id: ScheduleId) {
        if let Some(book) = self.schedules.books.get_mut(&id) {
            book.timer = None;
        }
        self.advance(id);
    }

    /// Brings a schedule to where it stands now, and sets its timer.
    fn advance(&mut self, id: ScheduleId) {
        self.finish_active(id);
        self.close_window(id);
        self.see_times(id);
        self.resume(id);
        self.expire_pending(id);
        self.begin(id);
        let at = self.next_look(id);
        self.set_timer(id, at);
    }

    /// A job of a schedule has become final: its occurrence is looked at in the next tick, which is due now.
    pub(super) fn wake_schedule(&mut self, id: ScheduleId) {
        let now = self.now;
        if self.schedules.books.contains_key(&id) {
            self.set_timer(id, Some(now));
        }
    }

    fn set_timer(&mut self, id: ScheduleId, at: Option<Timestamp>) {
        let Some(book) = self.schedules.books.get_mut(&id) else { return };
        let old = std::mem::replace(&mut book.timer, at);
        if old == at {
            return;
        }
        if let Some(old) = old {
            self.timers.remove(&(old, Timer::Schedule(id)));
        }
        if let Some(at) = at {
            self.arm(at, Timer::Schedule(id));
        }
    }

    fn tell(&mut self, action: ScheduleAction) {
        self.emit(Action::Schedule(Box::new(action)));
    }

    fn recurrence(&self, id: ScheduleId) -> Option<Recurrence> {
        let book = self.schedules.books.get(&id)?;
        Some(Recurrence::new(book.timing, self.schedules.zone(&book.zone)?))
    }

    /// What the schedules' own state can show: one timer each, numbers that only rise, jobs that know where they come
    /// from and are parked exactly while their window is closed.
    pub(super) fn check_schedules(&self) -> Result<(), Violation> {
        for (id, book) in &self.schedules.books {
            let named = self.schedules.named(&book.owner, book.name.as_str());
            ensure(named == Some(*id), "D9", || format!("schedule {id} is not found by its name"))?;
            let armed = book.timer.is_none_or(|at| self.timers.contains(&(at, Timer::Schedule(*id))));
            ensure(armed, "D5", || format!("the timer of schedule {id} is lost"))?;
            let ends = book.active.is_none() || book.timer.is_some() || self.has_open_jobs(book);
            ensure(ends, "D6", || format!("the occurrence of schedule {id} never ends"))?;
        }
        self.jobs.iter().try_for_each(|(id, job)| self.check_origin(*id, job))
    }

    fn has_open_jobs(&self, book: &book::Book) -> bool {
        book.active.as_ref().is_some_and(|active| active.jobs.iter().any(|job| self.jobs.contains_key(job)))
    }

    fn check_origin(&self, id: JobId, job: &super::state::Job) -> Check {
        let book = job.origin.as_ref().and_then(|origin| self.schedules.books.get(&origin.schedule));
        let active = book.and_then(|book| book.active.as_ref());
        let paused = active.is_some_and(|active| active.paused && active.jobs.contains(&id));
        ensure(!job.parked || paused, "D6", || format!("job {id} is parked, and no window will open for it"))
    }
}
