//! What can go wrong between the server and its database.

use std::path::PathBuf;
use std::sync::Arc;

/// Why something was not read or not stored. Cheap to clone: one failed commit is told to all who waited for it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the data folder.
    #[error("data folder {} is already in use{}; stop that server first, or choose another folder", folder.display(), by(*pid))]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The process that has it, as far as its lock file tells.
        pid: Option<u32>,
    },
    /// The SQLite library has the WAL-reset race.
    #[error("SQLite {found} may damage its file when two connections checkpoint at once; link {needed} or newer")]
    OldSqlite {
        /// What is linked.
        found: String,
        /// What is needed.
        needed: &'static str,
    },
    /// The database does not hold together. It is left as it is.
    #[error(
        "database {} is damaged: {what}; it was left untouched: restore it and its -wal file from a backup, or save \
         what is readable with `sqlite3 {} .recover`",
        path.display(), path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was seen.
        what: String,
    },
    /// The file is a good one, but not ours.
    #[error("{} is not a headend database: {what}; it was left untouched: choose another data folder", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was seen.
        what: String,
    },
    /// The file was written by a newer release.
    #[error(
        "database {} has schema {found}, this release knows up to {known}; use the release that wrote it, or a newer one",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Schema of the file.
        found: i64,
        /// Newest schema known here.
        known: i64,
    },
    /// There was a database here, and it is gone.
    #[error(
        "database {} is gone, though {} says that there was one; restore it from a backup, or remove {} to start empty",
        path.display(), marker.display(), marker.display()
    )]
    Missing {
        /// Where the database was.
        path: PathBuf,
        /// The file that remembers it.
        marker: PathBuf,
    },
    /// The data folder cannot be used.
    #[error("cannot {doing} {}", path.display())]
    Folder {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// The disk is full. Nothing of the request is stored; reading goes on; later writes may succeed again.
    #[error("the disk of the database is full; nothing of this request was stored: free space and try again")]
    Full,
    /// Somebody else holds the write lock, for longer than the busy timeout. Nothing of the request is stored.
    #[error("the database is locked by another program; nothing of this request was stored: try again in a moment")]
    Busy,
    /// An earlier write failed in a way that leaves its outcome unknown: nothing is acknowledged any more.
    #[error("the store has stopped: {reason}; look at the disk, then start the server again")]
    Stopped {
        /// What happened.
        reason: String,
    },
    /// The request does not fit what is stored. Nothing of it is stored.
    #[error("not stored: {what}")]
    Conflict {
        /// What does not fit.
        what: String,
    },
    /// An area has moved on since the caller looked.
    #[error("area {area} is at revision {found}, not {expected}; list it again and repeat the change")]
    StaleRevision {
        /// The area's number.
        area: u32,
        /// What the caller saw.
        expected: u64,
        /// What it is now.
        found: u64,
    },
    /// Anything else that the database said.
    #[error("the database cannot {doing}")]
    Database {
        /// What was tried.
        doing: &'static str,
        /// What it said.
        #[source]
        source: Arc<sqlx::Error>,
    },
}

fn by(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" by process {pid}"))
}
