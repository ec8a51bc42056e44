//! Between our types and columns.

use headend_model::{JobStatus, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, Row};

use crate::error::StoreError;
use crate::fault::said;
use crate::open::Places;

/// Values for the `$n` of a statement, in order.
#[derive(Default)]
pub(crate) struct Values {
    values: SqliteArguments,
    problem: Option<String>,
}

impl Values {
    pub(crate) fn int(&mut self, value: impl Into<Option<i64>>) -> &mut Self {
        self.add(value.into())
    }

    /// A number of ours. SQLite's are signed: what does not fit is refused, not wrapped.
    pub(crate) fn number(&mut self, value: impl Into<Option<u64>>) -> &mut Self {
        let value = value.into();
        if let Ok(value) = value.map(i64::try_from).transpose() {
            return self.add(value);
        }
        self.problem = Some(format!("number {} is too large", value.unwrap_or_default()));
        self
    }

    pub(crate) fn time(&mut self, at: impl Into<Option<Timestamp>>) -> &mut Self {
        self.add(at.into().map(Timestamp::micros))
    }

    pub(crate) fn text(&mut self, text: impl Into<String>) -> &mut Self {
        self.add(text.into())
    }

    pub(crate) fn maybe_text(&mut self, text: Option<impl Into<String>>) -> &mut Self {
        self.add(text.map(Into::into))
    }

    pub(crate) fn real(&mut self, value: impl Into<Option<f64>>) -> &mut Self {
        self.add(value.into())
    }

    pub(crate) fn bytes(&mut self, bytes: Vec<u8>) -> &mut Self {
        self.add(bytes)
    }

    pub(crate) fn json(&mut self, value: &impl Serialize) -> &mut Self {
        match serde_json::to_string(value) {
            Ok(text) => self.add(text),
            Err(e) => {
                self.problem = Some(e.to_string());
                self
            }
        }
    }

    pub(crate) fn maybe_json(&mut self, value: Option<&impl Serialize>) -> &mut Self {
        match value {
            Some(value) => self.json(value),
            None => self.add(None::<String>),
        }
    }

    fn add<'t, T: sqlx::Encode<'t, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>>(&mut self, value: T) -> &mut Self {
        if let Err(e) = self.values.add(value) {
            self.problem = Some(e.to_string());
        }
        self
    }

    pub(crate) fn done(self) -> Result<SqliteArguments, StoreError> {
        match self.problem {
            None => Ok(self.values),
            Some(what) => Err(StoreError::Conflict { what }),
        }
    }
}

/// Reads columns; whatever does not fit is damage, told with the column's name.
pub(crate) struct Columns<'a> {
    pub(crate) places: &'a Places,
    pub(crate) row: SqliteRow,
}

impl Columns<'_> {
    fn get<'r, T>(&'r self, column: &'static str) -> Result<T, StoreError>
    where
        T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        self.row.try_get(column).map_err(|e| said(self.places, "read a row", e))
    }

    pub(crate) fn bad(&self, column: &str, what: &dyn std::fmt::Display) -> StoreError {
        self.places.damaged(format!("column {column}: {what}"))
    }

    pub(crate) fn int(&self, column: &'static str) -> Result<i64, StoreError> {
        self.get(column)
    }

    pub(crate) fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T, StoreError> {
        let value: i64 = self.get(column)?;
        T::try_from(value).map_err(|_| self.bad(column, &format!("{value} is out of range")))
    }

    pub(crate) fn maybe_number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let value: Option<i64> = self.get(column)?;
        let Some(value) = value else { return Ok(None) };
        T::try_from(value).map(Some).map_err(|_| self.bad(column, &format!("{value} is out of range")))
    }

    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        self.get(column).map(Timestamp::from_micros)
    }

    pub(crate) fn maybe_time(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> = self.get(column)?;
        Ok(at.map(Timestamp::from_micros))
    }

    pub(crate) fn real(&self, column: &'static str) -> Result<f64, StoreError> {
        self.get(column)
    }

    pub(crate) fn maybe_real(&self, column: &'static str) -> Result<Option<f64>, StoreError> {
        self.get(column)
    }

    pub(crate) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.get(column)
    }

    pub(crate) fn maybe_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        self.get(column)
    }

    pub(crate) fn bytes(&self, column: &'static str) -> Result<Vec<u8>, StoreError> {
        self.get(column)
    }

    pub(crate) fn parsed<T>(&self, column: &'static str) -> Result<T, StoreError>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        self.text(column)?.parse().map_err(|e| self.bad(column, &e))
    }

    pub(crate) fn maybe_parsed<T>(&self, column: &'static str) -> Result<Option<T>, StoreError>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        self.maybe_text(column)?.map(|text| text.parse().map_err(|e| self.bad(column, &e))).transpose()
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|e| self.bad(column, &e))
    }

    pub(crate) fn maybe_json<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let text = self.maybe_text(column)?;
        text.map(|text| serde_json::from_str(&text).map_err(|e| self.bad(column, &e))).transpose()
    }

    pub(crate) fn status(&self, column: &'static str) -> Result<JobStatus, StoreError> {
        let code: u8 = self.number(column)?;
        status_of(code).ok_or_else(|| self.bad(column, &format!("{code} is no status")))
    }
}

/// The status with this number of the document's chapter 5.1.
fn status_of(code: u8) -> Option<JobStatus> {
    use JobStatus::{Completed, Idle, NoDaemon, NoDut, Running, SeveralRacks, Stalled, Stopped};
    [Idle, Running, Completed, Stopped, Stalled, NoDaemon, NoDut, SeveralRacks].into_iter().find(|s| s.code() == code)
}

/// Tells a changed row of the journal from a sound one.
pub(crate) fn digest(seq: u64, at: Timestamp, event: &str) -> i64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seq.to_le_bytes()).update(&at.micros().to_le_bytes()).update(event.as_bytes());
    let mut short = [0; 8];
    hasher.finalize_xof().fill(&mut short);
    i64::from_le_bytes(short)
}
