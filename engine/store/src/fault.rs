//! Sorts what SQLite says into what it means for the caller.

use std::sync::Arc;

use crate::error::StoreError;
use crate::open::Places;

/// SQLite's primary result codes (sqlite.org/rescode.html).
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const IO: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CONSTRAINT: i32 = 19;
    pub(super) const NOT_A_DATABASE: i32 = 26;
    /// Extended: the index of the write-ahead log cannot grow. Nothing has been written yet.
    pub(super) const IO_SHM_SIZE: i32 = IO | 19 << 8;
}

/// What an error of the database means.
pub(crate) fn said(places: &Places, doing: &'static str, error: sqlx::Error) -> StoreError {
    let known = error.as_database_error().and_then(|e| {
        let code = match e.code()?.parse::<i32>().ok()? {
            code::IO_SHM_SIZE => code::FULL,
            code => code & 0xff,
        };
        Some((code, e.message().to_owned()))
    });
    match known {
        Some((code::BUSY | code::LOCKED, _)) => StoreError::Busy,
        Some((code::FULL, _)) => StoreError::Full,
        Some((code::IO, message)) => StoreError::Stopped { reason: format!("the disk failed ({message})") },
        Some((code::CORRUPT | code::NOT_A_DATABASE, what)) => places.damaged(what),
        Some((code::CONSTRAINT, what)) => StoreError::Conflict { what },
        // A damaged schema gives a plain error, as does a row of the wrong type.
        Some((_, message)) if message.contains("malformed") => places.damaged(message),
        _ => match error {
            e @ (sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => places.damaged(e.to_string()),
            sqlx::Error::PoolClosed => StoreError::Stopped { reason: "it was closed".to_owned() },
            e => StoreError::Database { doing, source: Arc::new(e) },
        },
    }
}

impl StoreError {
    /// Nothing may be acknowledged after this one.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Stopped { .. } | Self::Damaged { .. })
    }

    /// Concerns the disk or the file, not one request.
    pub(crate) fn is_general(&self) -> bool {
        self.is_final() || matches!(self, Self::Full | Self::Busy)
    }
}
