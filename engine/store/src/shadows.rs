//! What has come of policies that are asked aside.

use headend_model::Timestamp;

use crate::codec::{Columns, Values};
use crate::error::StoreError;
use crate::store::Store;

/// A policy that is asked what a live one is asked, and changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowRow {
    /// Its name.
    pub policy: String,
    /// When it began.
    pub began: Timestamp,
    /// Everything else: JSON text, the server's own.
    pub details: String,
}

pub(crate) const INSERT: &str = "INSERT INTO shadows (policy, began, details) VALUES ($1, $2, $3) \
                                 ON CONFLICT (policy) DO UPDATE SET began = excluded.began, details = excluded.details";

pub(crate) fn bind(values: &mut Values, row: &ShadowRow) {
    values.text(&row.policy).time(row.began).text(&row.details);
}

fn read(row: &Columns<'_>) -> Result<ShadowRow, StoreError> {
    Ok(ShadowRow { policy: row.text("policy")?, began: row.time("began")?, details: row.text("details")? })
}

impl Store {
    /// All shadows, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] or a failure of the database.
    pub async fn shadows(&self) -> Result<Vec<ShadowRow>, StoreError> {
        self.reader().rows("SELECT * FROM shadows ORDER BY began, policy", Values::default(), read).await
    }
}
