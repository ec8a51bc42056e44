//! What is kept of runs and for how long: who wants a run kept, what is held, and how it goes.
//!
//! A row says that its file is gone before the file goes, and the run stays on a list until it has gone: whoever is killed in
//! the middle finds there what is left to do, and no row points to nothing without saying since when.

use headend_model::{RunId, Timestamp, UserName};

use crate::codec::{Columns, Values};
use crate::error::StoreError;
use crate::read::MOST;
use crate::results::{ArtifactRow, KeptClass, PerClass};
use crate::results_read::{artifact, held};
use crate::store::{Store, odd};
use crate::tx::Tx;
use crate::writer::{Answer, Work};

/// Rows of the log of retention that stay.
const LOG_KEPT: u64 = 1_000;

/// A run that somebody wants kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepRow {
    /// The run.
    pub run: RunId,
    /// Whose job it is of.
    pub owner: UserName,
    /// Who wants it.
    pub by: UserName,
    /// Since when.
    pub at: Timestamp,
    /// Why, for people.
    pub note: String,
}

/// What is held of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldRow {
    /// The run.
    pub run: RunId,
    /// When it ended.
    pub ended: Timestamp,
    /// Bytes.
    pub held: PerClass<u64>,
    /// Somebody wants it kept.
    pub kept: bool,
}

/// What is to go of a run: this class, and those that go before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The run.
    pub run: RunId,
    /// The last class that goes.
    pub through: KeptClass,
    /// Bytes of it; the classes that stay have 0.
    pub bytes: PerClass<u64>,
}

/// What retention did at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionLogRow {
    /// When.
    pub at: Timestamp,
    /// `video`, `logs` or `numbers`.
    pub class: String,
    /// Of so many runs.
    pub runs: u64,
    /// Bytes.
    pub bytes: u64,
}

pub(crate) const KEEP: &str = "INSERT INTO run_keeps (run, owner, kept_by, at, note) VALUES ($1, $2, $3, $4, $5) \
                               ON CONFLICT (run) DO UPDATE SET kept_by = excluded.kept_by, at = excluded.at, note = excluded.note";

pub(crate) fn bind_keep(values: &mut Values, row: &KeepRow) {
    values.number(row.run.0).text(row.owner.as_str()).text(row.by.as_str()).time(row.at).text(&row.note);
}

impl Store {
    /// Runs that are to be kept, the newest first, below `before`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] or a failure of the database.
    pub async fn keeps(
        &self,
        owner: Option<&UserName>,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<KeepRow>, StoreError> {
        let mut values = Values::default();
        let before = before.map_or(i64::MAX as u64, |run| run.0.min(i64::MAX as u64));
        values.number(before).number(u64::from(limit.min(MOST)));
        let sql = match owner {
            None => "SELECT * FROM run_keeps WHERE run < $1 ORDER BY run DESC LIMIT $2",
            Some(owner) => {
                values.text(owner.as_str());
                "SELECT * FROM run_keeps WHERE run < $1 AND owner = $3 ORDER BY run DESC LIMIT $2"
            }
        };
        self.reader().rows(sql, values, keep).await
    }

    /// Who wants a run kept, if anybody does.
    ///
    /// # Errors
    /// As [`Store::keeps`].
    pub async fn keep_of(&self, run: RunId) -> Result<Option<KeepRow>, StoreError> {
        let mut values = Values::default();
        values.number(run.0);
        self.reader().row("SELECT * FROM run_keeps WHERE run = $1", values, keep).await
    }

    /// How many runs of a person's are kept.
    ///
    /// # Errors
    /// As [`Store::keeps`].
    pub async fn count_keeps(&self, owner: &UserName) -> Result<u64, StoreError> {
        let mut values = Values::default();
        values.text(owner.as_str());
        let sql = "SELECT count(*) AS n FROM run_keeps WHERE owner = $1";
        Ok(self.reader().row(sql, values, |row| row.number("n")).await?.unwrap_or(0))
    }

    /// Runs of which something is held, those that ended first at the front, after the given one.
    ///
    /// # Errors
    /// As [`Store::keeps`].
    pub async fn held_after(&self, after: Option<(Timestamp, RunId)>, limit: u32) -> Result<Vec<HeldRow>, StoreError> {
        let mut values = Values::default();
        let (ended, run) = after.map_or((i64::MIN, -1), |(at, run)| (at.micros(), run.0.min(i64::MAX as u64) as i64));
        values.int(ended).int(run).number(u64::from(limit.min(MOST)));
        let sql = "SELECT r.run, r.ended, r.video_bytes, r.logs_bytes, r.numbers_bytes, \
                   EXISTS (SELECT 1 FROM run_keeps k WHERE k.run = r.run) AS kept FROM results r \
                   WHERE r.video_bytes + r.logs_bytes + r.numbers_bytes > 0 AND (r.ended, r.run) > ($1, $2) \
                   ORDER BY r.ended, r.run LIMIT $3";
        self.reader().rows(sql, values, held_row).await
    }

    /// Bytes that are held of all runs together.
    ///
    /// # Errors
    /// As [`Store::keeps`].
    pub async fn held_in_all(&self) -> Result<PerClass<u64>, StoreError> {
        let sql = "SELECT coalesce(sum(video_bytes), 0) AS video_bytes, coalesce(sum(logs_bytes), 0) AS logs_bytes, \
                   coalesce(sum(numbers_bytes), 0) AS numbers_bytes FROM results \
                   WHERE video_bytes + logs_bytes + numbers_bytes > 0";
        Ok(self.reader().row(sql, Values::default(), held).await?.unwrap_or_default())
    }

    /// Says of what is to go that it is gone, except of runs that somebody wants kept by now; gives what has gone so. Numbers
    /// are gone then; files are to be deleted after it, see [`Store::removals_due`].
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn remove(&self, removals: Vec<Removal>, at: Timestamp) -> Result<Vec<Removal>, StoreError> {
        match self.ask(Work::Remove { removals, at }).await?.answer().await? {
            Answer::Removed(removed) => Ok(removed),
            other => Err(odd(&other)),
        }
    }

    /// Runs of which files are to be deleted that are gone by their rows.
    ///
    /// # Errors
    /// As [`Store::keeps`].
    pub async fn removals_due(&self, limit: u32) -> Result<Vec<RunId>, StoreError> {
        let mut values = Values::default();
        values.number(u64::from(limit.min(MOST)));
        let sql = "SELECT run FROM retention_due ORDER BY run LIMIT $1";
        self.reader().rows(sql, values, |row| row.number("run").map(RunId)).await
    }

    /// Files of a run that are gone by their rows.
    ///
    /// # Errors
    /// As [`Store::keeps`].
    pub async fn removed_artifacts(&self, run: RunId) -> Result<Vec<ArtifactRow>, StoreError> {
        let mut values = Values::default();
        values.number(run.0);
        let sql = "SELECT * FROM result_artifacts WHERE run = $1 AND removed IS NOT NULL ORDER BY path";
        self.reader().rows(sql, values, artifact).await
    }

    /// Their files are deleted.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn removals_done(&self, runs: Vec<RunId>) -> Result<(), StoreError> {
        self.ask(Work::RemovalsDone { runs }).await?.committed().await.map(drop)
    }

    /// What retention has done, the newest first.
    ///
    /// # Errors
    /// As [`Store::keeps`].
    pub async fn retention_log(&self, limit: u32) -> Result<Vec<RetentionLogRow>, StoreError> {
        let mut values = Values::default();
        values.number(u64::from(limit.min(MOST)));
        self.reader().rows("SELECT * FROM retention_log ORDER BY number DESC LIMIT $1", values, logged).await
    }
}

fn keep(row: &Columns<'_>) -> Result<KeepRow, StoreError> {
    Ok(KeepRow {
        run: RunId(row.number("run")?),
        owner: row.parsed("owner")?,
        by: row.parsed("kept_by")?,
        at: row.time("at")?,
        note: row.text("note")?,
    })
}

fn held_row(row: &Columns<'_>) -> Result<HeldRow, StoreError> {
    Ok(HeldRow {
        run: RunId(row.number("run")?),
        ended: row.time("ended")?,
        held: held(row)?,
        kept: row.int("kept")? != 0,
    })
}

fn logged(row: &Columns<'_>) -> Result<RetentionLogRow, StoreError> {
    Ok(RetentionLogRow {
        at: row.time("at")?,
        class: row.text("class")?,
        runs: row.number("runs")?,
        bytes: row.number("bytes")?,
    })
}

pub(crate) async fn remove(tx: &mut Tx<'_>, removals: &[Removal], at: Timestamp) -> Result<Vec<Removal>, StoreError> {
    let mut gone = Vec::new();
    for removal in removals {
        let mut values = Values::default();
        values.number(removal.run.0);
        let sql = "SELECT video_bytes, logs_bytes, numbers_bytes FROM results WHERE run = $1 \
                   AND NOT EXISTS (SELECT 1 FROM run_keeps k WHERE k.run = $1)";
        let Some(row) = tx.one(sql, values).await? else { continue };
        let there = held(&row)?;
        let mut bytes = PerClass::default();
        for class in KeptClass::ALL.into_iter().filter(|class| *class <= removal.through) {
            *bytes.of_mut(class) = there.of(class);
            say_gone(tx, removal.run, class, at).await?;
        }
        let mut values = Values::default();
        values.number(removal.run.0);
        tx.run("INSERT INTO retention_due (run) VALUES ($1) ON CONFLICT (run) DO NOTHING", values).await?;
        gone.push(Removal { bytes, ..*removal });
    }
    log(tx, &gone, at).await?;
    Ok(gone)
}

async fn say_gone(tx: &mut Tx<'_>, run: RunId, class: KeptClass, at: Timestamp) -> Result<(), StoreError> {
    let (row, file) = (
        match class {
            KeptClass::Video => {
                "UPDATE results SET video_bytes = 0, video_removed = $2 WHERE run = $1 AND video_bytes > 0"
            }
            KeptClass::Logs => {
                "UPDATE results SET logs_bytes = 0, logs_removed = $2, events = CASE events WHEN 'read' THEN 'removed' \
                 ELSE events END WHERE run = $1 AND logs_bytes > 0"
            }
            KeptClass::Numbers => {
                "UPDATE results SET numbers_bytes = 0, numbers_removed = $2 WHERE run = $1 AND numbers_bytes > 0"
            }
        },
        "UPDATE result_artifacts SET removed = $2 WHERE run = $1 AND class = $3 AND removed IS NULL",
    );
    let mut values = Values::default();
    values.number(run.0).time(at);
    tx.run(row, values).await?;
    if class == KeptClass::Numbers {
        for sql in ["DELETE FROM result_steps WHERE run = $1", "DELETE FROM result_measurements WHERE run = $1"] {
            let mut values = Values::default();
            values.number(run.0);
            tx.run(sql, values).await?;
        }
        return Ok(());
    }
    let mut values = Values::default();
    values.number(run.0).time(at).text(class.as_str());
    tx.run(file, values).await.map(drop)
}

async fn log(tx: &mut Tx<'_>, gone: &[Removal], at: Timestamp) -> Result<(), StoreError> {
    for class in KeptClass::ALL {
        let bytes: Vec<u64> = gone.iter().map(|removal| removal.bytes.of(class)).filter(|bytes| *bytes > 0).collect();
        if bytes.is_empty() {
            continue;
        }
        let mut values = Values::default();
        values.time(at).text(class.as_str()).number(bytes.len() as u64).number(bytes.iter().sum::<u64>());
        let sql = "INSERT INTO retention_log (number, at, class, runs, bytes) \
                   SELECT coalesce(max(number), 0) + 1, $1, $2, $3, $4 FROM retention_log";
        tx.run(sql, values).await?;
    }
    let mut values = Values::default();
    values.number(LOG_KEPT);
    let sql = "DELETE FROM retention_log WHERE number <= (SELECT max(number) FROM retention_log) - $1";
    tx.run(sql, values).await.map(drop)
}

/// Where the numbers have gone too, nothing is left to say of files.
pub(crate) async fn done(tx: &mut Tx<'_>, runs: &[RunId]) -> Result<(), StoreError> {
    for run in runs {
        for sql in [
            "DELETE FROM result_artifacts WHERE run = $1 AND removed IS NOT NULL \
             AND EXISTS (SELECT 1 FROM results r WHERE r.run = $1 AND r.numbers_removed IS NOT NULL)",
            "DELETE FROM retention_due WHERE run = $1",
        ] {
            let mut values = Values::default();
            values.number(run.0);
            tx.run(sql, values).await?;
        }
    }
    Ok(())
}
