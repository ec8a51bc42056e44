//! One transaction of the writer, with the hook before each of its steps.

use std::fmt::Write as _;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::codec::{Columns, Values};
use crate::error::StoreError;
use crate::fault::said;
use crate::open::Places;
use crate::options::{Fault, FaultHook, WriteStep};

/// Statements are kept prepared, so only a few sizes are used.
const CHUNKS: [usize; 5] = [128, 32, 8, 2, 1];

pub(crate) struct Tx<'c> {
    pub(crate) connection: &'c mut SqliteConnection,
    pub(crate) places: &'c Places,
    pub(crate) faults: Option<&'c FaultHook>,
}

impl Tx<'_> {
    pub(crate) fn step(&self, step: WriteStep) -> Result<(), StoreError> {
        match self.faults.and_then(|hook| hook.at(step)) {
            None => Ok(()),
            Some(Fault::Full) => Err(StoreError::Full),
            Some(Fault::Io) => Err(StoreError::Stopped { reason: "the disk failed (drill)".to_owned() }),
        }
    }

    /// Begins. The write lock is taken at once: a reader that turns into a writer could not wait for it.
    pub(crate) async fn begin(&mut self) -> Result<(), StoreError> {
        self.step(WriteStep::Begin)?;
        self.plain("BEGIN IMMEDIATE").await
    }

    pub(crate) async fn commit(&mut self) -> Result<(), StoreError> {
        self.step(WriteStep::Commit)?;
        self.plain("COMMIT").await?;
        self.step(WriteStep::Committed)
    }

    /// Undoes. SQLite may have done so by itself, and says so with an error that means nothing.
    pub(crate) async fn rollback(&mut self) {
        if let Err(error) = self.plain("ROLLBACK").await {
            tracing::debug!(%error, "rollback");
        }
    }

    async fn plain(&mut self, sql: &'static str) -> Result<(), StoreError> {
        let done = sqlx::query(sql).execute(&mut *self.connection).await;
        done.map(drop).map_err(|e| said(self.places, "write", e))
    }

    /// Runs a statement and tells how many rows it changed.
    pub(crate) async fn run(&mut self, sql: &'static str, values: Values) -> Result<u64, StoreError> {
        self.step(WriteStep::Statement)?;
        let done = sqlx::query_with(sql, values.done()?).execute(&mut *self.connection).await;
        done.map(|done| done.rows_affected()).map_err(|e| said(self.places, "write", e))
    }

    /// Runs a statement that gives at most one row.
    pub(crate) async fn one(&mut self, sql: &'static str, values: Values) -> Result<Option<Columns<'_>>, StoreError> {
        self.step(WriteStep::Statement)?;
        let row: Result<Option<SqliteRow>, _> =
            sqlx::query_with(sql, values.done()?).fetch_optional(&mut *self.connection).await;
        let row = row.map_err(|e| said(self.places, "write", e))?;
        Ok(row.map(|row| Columns { places: self.places, row }))
    }

    /// Writes rows with as few statements as can be: `head (…), (…) tail`.
    pub(crate) async fn insert_all<T>(
        &mut self,
        head: &str,
        columns: usize,
        tail: &str,
        rows: &[T],
        bind: impl Fn(&mut Values, &T),
    ) -> Result<(), StoreError> {
        let mut rest = rows;
        while let Some(size) = CHUNKS.into_iter().find(|size| *size <= rest.len()) {
            let (chunk, later) = rest.split_at(size);
            rest = later;
            self.step(WriteStep::Statement)?;
            let mut values = Values::default();
            for row in chunk {
                bind(&mut values, row);
            }
            let sql = AssertSqlSafe(many(head, columns, size, tail));
            let done = sqlx::query_with(sql, values.done()?).execute(&mut *self.connection).await;
            done.map_err(|e| said(self.places, "write", e))?;
        }
        Ok(())
    }
}

/// `head ($1, $2), ($3, $4) tail` for two rows of two columns.
fn many(head: &str, columns: usize, rows: usize, tail: &str) -> String {
    let mut sql = String::with_capacity(head.len() + tail.len() + rows * columns * 6);
    sql.push_str(head);
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            let comma = if column == 0 { "" } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(sql, "{comma}${}", row * columns + column + 1);
        }
        sql.push(')');
    }
    sql.push_str(tail);
    sql
}
