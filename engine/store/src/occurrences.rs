//! What became of the occurrences of schedules. The farm remembers the last ones; here they stay until they are forgotten
//! by age or number.

use headend_model::{JobId, OccurrenceNo, ScheduleId, Timestamp, UserName};
use headend_scheduler::schedule::OccurrenceRecord;

use crate::codec::{Columns, Values};
use crate::error::StoreError;
use crate::read::MOST;
use crate::store::Store;
use crate::tx::Tx;
use crate::writer::Work;

/// What became of an occurrence, or of several in a row that were missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OccurrenceRow {
    /// The schedule, which may be deleted by now,
    pub schedule: ScheduleId,
    /// and whose it was.
    pub owner: UserName,
    /// Number of the (first) occurrence.
    pub first: OccurrenceNo,
    /// Number of the last one.
    pub last: OccurrenceNo,
    /// When the (first) was to begin.
    pub planned: Timestamp,
    /// When the last was to begin.
    pub planned_last: Timestamp,
    /// When the (last) window was to close; `None`: never.
    pub window_end: Option<Timestamp>,
    /// `ran`, `late`, `skipped` or `missed`.
    pub fate: String,
    /// Why, for people; `None` for one that ran at its time to its end.
    pub reason: Option<String>,
    /// When it began, if it did.
    pub began: Option<Timestamp>,
    /// When its last run ended; of one that did not begin: when that was known.
    pub ended: Timestamp,
    /// Its jobs.
    pub jobs: Vec<JobId>,
}

impl From<&OccurrenceRecord> for OccurrenceRow {
    fn from(record: &OccurrenceRecord) -> Self {
        Self {
            schedule: record.schedule,
            owner: record.owner.clone(),
            first: record.first,
            last: record.last,
            planned: record.planned,
            planned_last: record.planned_last,
            window_end: record.window_end,
            fate: record.fate.to_string(),
            reason: record.reason.as_ref().map(ToString::to_string),
            began: record.began,
            ended: record.ended,
            jobs: record.jobs.clone(),
        }
    }
}

pub(crate) const COLUMNS: usize = 12;
pub(crate) const INSERT: &str = "INSERT INTO occurrences (schedule, first, last, owner, planned, planned_last, window_end, \
                                 fate, reason, began, ended, jobs) VALUES ";
/// Each number has one record; one that is written again says the same.
pub(crate) const AGAIN: &str = " ON CONFLICT (schedule, first) DO NOTHING";

pub(crate) fn bind(values: &mut Values, row: &OccurrenceRow) {
    values.number(row.schedule.0).number(row.first.0).number(row.last.0).text(row.owner.as_str());
    values.time(row.planned).time(row.planned_last).time(row.window_end);
    values.text(&row.fate).maybe_text(row.reason.as_deref()).time(row.began).time(row.ended).json(&row.jobs);
}

fn read(row: &Columns<'_>) -> Result<OccurrenceRow, StoreError> {
    Ok(OccurrenceRow {
        schedule: ScheduleId(row.number("schedule")?),
        owner: row.parsed("owner")?,
        first: OccurrenceNo(row.number("first")?),
        last: OccurrenceNo(row.number("last")?),
        planned: row.time("planned")?,
        planned_last: row.time("planned_last")?,
        window_end: row.maybe_time("window_end")?,
        fate: row.text("fate")?,
        reason: row.maybe_text("reason")?,
        began: row.maybe_time("began")?,
        ended: row.time("ended")?,
        jobs: row.json("jobs")?,
    })
}

impl Store {
    /// What became of a schedule's occurrences, the highest number first, below `before`. At most 1,000 at a time.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] or a failure of the database.
    pub async fn occurrences(
        &self,
        schedule: ScheduleId,
        before: Option<OccurrenceNo>,
        limit: u32,
    ) -> Result<Vec<OccurrenceRow>, StoreError> {
        let before = before.map_or(i64::MAX as u64, |before| before.0.min(i64::MAX as u64));
        let mut values = Values::default();
        values.number(schedule.0.min(i64::MAX as u64)).number(before).number(u64::from(limit.min(MOST)));
        let sql = "SELECT * FROM occurrences WHERE schedule = $1 AND first < $2 ORDER BY first DESC LIMIT $3";
        self.reader().rows(sql, values, read).await
    }

    /// Nothing was ever recorded here: the database is new, or was made before records were kept.
    ///
    /// # Errors
    /// As [`Store::occurrences`].
    pub async fn has_no_occurrences(&self) -> Result<bool, StoreError> {
        let sql = "SELECT 1 AS there FROM occurrences LIMIT 1";
        Ok(self.reader().row(sql, Values::default(), |row| row.int("there")).await?.is_none())
    }

    /// Forgets records that ended before a time, and of each schedule all but its newest `most`. Gives how many went, in
    /// portions between which others may write.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn forget_occurrences(&self, before: Option<Timestamp>, most: Option<u32>) -> Result<u64, StoreError> {
        let mut gone = 0;
        if let Some(before) = before {
            loop {
                let mut values = Values::default();
                values.time(before).number(u64::from(MOST));
                let sql = "SELECT schedule, first FROM occurrences WHERE ended < $1 LIMIT $2";
                let keys = self.reader().rows(sql, values, key).await?;
                if keys.is_empty() {
                    break;
                }
                gone += self.forget_these(keys).await?;
            }
        }
        let Some(most) = most else { return Ok(gone) };
        let mut values = Values::default();
        values.number(u64::from(most));
        let sql = "SELECT schedule, COUNT(*) - $1 AS first FROM occurrences GROUP BY schedule HAVING COUNT(*) > $1";
        for (schedule, mut surplus) in self.reader().rows(sql, values, key).await? {
            while surplus > 0 {
                let mut values = Values::default();
                values.number(schedule).number(surplus.min(u64::from(MOST)));
                let sql = "SELECT schedule, first FROM occurrences WHERE schedule = $1 ORDER BY first LIMIT $2";
                let keys = self.reader().rows(sql, values, key).await?;
                let went = self.forget_these(keys).await?;
                gone += went;
                // Nothing left where there should be more: somebody else was faster.
                surplus = if went == 0 { 0 } else { surplus.saturating_sub(went) };
            }
        }
        Ok(gone)
    }

    async fn forget_these(&self, keys: Vec<(u64, u64)>) -> Result<u64, StoreError> {
        let count = keys.len() as u64;
        self.ask(Work::OccurrencesGone { keys }).await?.committed().await?;
        Ok(count)
    }
}

/// Which record: schedule and number.
fn key(row: &Columns<'_>) -> Result<(u64, u64), StoreError> {
    Ok((row.number("schedule")?, row.number("first")?))
}

pub(crate) async fn forget(tx: &mut Tx<'_>, keys: &[(u64, u64)]) -> Result<(), StoreError> {
    let head = "DELETE FROM occurrences WHERE (schedule, first) IN (VALUES ";
    tx.insert_all(head, 2, ")", keys, |values, (schedule, first)| {
        values.number(*schedule).number(*first);
    })
    .await
}
