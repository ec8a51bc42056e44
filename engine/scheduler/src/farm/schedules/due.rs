//! Times that come: seen once, and either begun, or recorded as skipped or missed.

use headend_model::schedule::{OccurrenceFate, WhileFormerRuns};
use headend_model::{ScheduleId, ScheduleKind, Span, Timestamp};

use super::book::{Book, Pending, Rounds};
use crate::farm::Farm;
use crate::recurrence::Occurrence;
use crate::schedule::{OccurrenceReason, OccurrenceRecord, ScheduleAction};

impl Farm {
    /// Notes each occurrence whose time has come.
    pub(super) fn see_times(&mut self, id: ScheduleId) {
        let Some(kind) = self.schedules.books.get(&id).map(|book| book.timing.spec().kind) else { return };
        if kind == ScheduleKind::Loop { self.see_round(id) } else { self.see_windows(id) }
    }

    fn see_windows(&mut self, id: ScheduleId) {
        let (Some(recurrence), Some(book)) = (self.recurrence(id), self.schedules.books.get(&id)) else { return };
        let passed = book.passed();
        let Some(last) = recurrence.at_or_before(self.now).filter(|last| last.start > passed) else { return };
        let first = recurrence.after(passed).unwrap_or(last);
        if let Some(book) = self.schedules.books.get_mut(&id) {
            book.seen = Some(last.start);
        }
        if !last.is_open(self.now) {
            return self.miss_times(id, &first, &last, last.place - first.place + 1);
        }
        if let Some(before) = recurrence.at_or_before(last.start - Span::micros(1)).filter(|_| first.start < last.start)
        {
            self.miss_times(id, &first, &before, last.place - first.place);
        }
        self.expect(id, last.start, last.end);
    }

    /// The next round of a Loop, if it is due.
    fn see_round(&mut self, id: ScheduleId) {
        let Some(period) = self.recurrence(id).and_then(|recurrence| recurrence.first()) else { return };
        let now = self.now;
        let Some(book) = self.schedules.books.get_mut(&id) else { return };
        if period.start > now {
            return;
        }
        if book.rounds.period != Some(period.start) {
            if !period.is_open(now) {
                let fresh = period.start > book.passed();
                book.seen = book.seen.max(Some(period.start));
                if fresh {
                    self.miss_times(id, &period, &period, 1);
                }
                return;
            }
            let due = if period.start > book.passed() { period.start } else { now };
            book.rounds = Rounds { period: Some(period.start), begun: 0, due };
            book.seen = book.seen.max(Some(period.start));
        }
        let limit = book.timing.spec().repeat_count;
        let more = limit == 0 || book.rounds.begun < limit;
        let idle = book.pending.is_none() && book.active.is_none();
        if idle && more && period.is_open(now) && book.rounds.due <= now {
            let due = book.rounds.due;
            self.expect(id, due, period.end);
        }
    }

    /// The time of an occurrence has come: it waits for its beginning.
    fn expect(&mut self, id: ScheduleId, planned: Timestamp, end: Option<Timestamp>) {
        let (now, grace) = (self.now, self.config.schedule_grace);
        let Some(book) = self.schedules.books.get_mut(&id) else { return };
        let former = book.pending.take();
        let no = book.number(1);
        let mut reason = (now.since(planned) > grace).then_some(OccurrenceReason::NotSeen);
        if book.timed > planned {
            reason = Some(OccurrenceReason::Edited);
        }
        let pending = Pending { no, planned, end, reason };
        let skip = book.settings.while_former_runs == WhileFormerRuns::Skip;
        let busy = book.active.as_ref().map(|active| OccurrenceReason::FormerRan(active.start.occurrence));
        if let Some(former) = former {
            let reason = former.reason.clone();
            self.record_pending(id, &former, OccurrenceFate::Skipped, reason);
        }
        match busy {
            Some(busy) if skip && !self.is_paused(id) => {
                self.record_pending(id, &pending, OccurrenceFate::Skipped, Some(busy));
            }
            busy => {
                let pending = Pending { reason: busy.or(pending.reason), ..pending };
                if let Some(book) = self.schedules.books.get_mut(&id) {
                    book.pending = Some(pending);
                }
            }
        }
    }

    fn is_paused(&self, id: ScheduleId) -> bool {
        let active = self.schedules.books.get(&id).and_then(|book| book.active.as_ref());
        active.is_some_and(|active| active.paused)
    }

    /// Occurrences that nobody looked at: one record for all in a row.
    fn miss_times(&mut self, id: ScheduleId, first: &Occurrence, last: &Occurrence, count: u64) {
        let now = self.now;
        let Some(book) = self.schedules.books.get_mut(&id) else { return };
        let number = book.number(count);
        let record = OccurrenceRecord {
            schedule: id,
            owner: book.owner.clone(),
            first: number,
            last: headend_model::OccurrenceNo(number.0 + count - 1),
            planned: first.start,
            planned_last: last.start,
            window_end: last.end,
            fate: OccurrenceFate::Missed,
            reason: Some(OccurrenceReason::NotSeen),
            began: None,
            ended: now,
            jobs: Vec::new(),
        };
        self.record(record);
    }

    /// An occurrence that does not begin any more.
    pub(super) fn record_pending(
        &mut self,
        id: ScheduleId,
        pending: &Pending,
        fate: OccurrenceFate,
        reason: Option<OccurrenceReason>,
    ) {
        let Some(book) = self.schedules.books.get(&id) else { return };
        let record = OccurrenceRecord {
            schedule: id,
            owner: book.owner.clone(),
            first: pending.no,
            last: pending.no,
            planned: pending.planned,
            planned_last: pending.planned,
            window_end: pending.end,
            fate,
            // It was left alone never long enough.
            reason: reason.or(Some(OccurrenceReason::Edited)),
            began: None,
            ended: self.now,
            jobs: Vec::new(),
        };
        self.record(record);
    }

    pub(super) fn record(&mut self, record: OccurrenceRecord) {
        if let Some(book) = self.schedules.books.get_mut(&record.schedule) {
            book.keep(record.clone());
        }
        self.tell(ScheduleAction::Ended(record));
    }

    /// The window of what has not begun is over.
    pub(super) fn expire_pending(&mut self, id: ScheduleId) {
        let now = self.now;
        let Some(book) = self.schedules.books.get_mut(&id) else { return };
        let over = book.pending.as_ref().is_some_and(|pending| pending.end.is_some_and(|end| end <= now));
        if let Some(pending) = book.pending.take_if(|_| over) {
            let reason = pending.reason.clone();
            self.record_pending(id, &pending, OccurrenceFate::Skipped, reason);
        }
    }

    /// When the schedule is to be looked at again.
    pub(super) fn next_look(&self, id: ScheduleId) -> Option<Timestamp> {
        let book = self.schedules.books.get(&id)?;
        let pending = book.pending.as_ref();
        let settled = pending.filter(|_| book.active.is_none()).map(|_| book.edited + self.config.schedule_settle);
        let closes = book.active.as_ref().and_then(|active| active.window_end);
        let looks = [self.next_time(id, book), pending.and_then(|pending| pending.end), settled, closes];
        looks.into_iter().flatten().filter(|at| *at > self.now).min()
    }

    /// When its next occurrence (of a Loop: round) is due.
    pub(super) fn next_time(&self, id: ScheduleId, book: &Book) -> Option<Timestamp> {
        let recurrence = self.recurrence(id)?;
        if book.timing.spec().kind != ScheduleKind::Loop {
            return recurrence.after(book.passed()).map(|next| next.start);
        }
        let period = recurrence.first()?;
        if period.start > self.now {
            return Some(period.start);
        }
        let limit = book.timing.spec().repeat_count;
        let more = limit == 0 || book.rounds.begun < limit;
        let idle = book.pending.is_none() && book.active.is_none();
        (idle && more && period.is_open(book.rounds.due)).then_some(book.rounds.due)
    }
}
