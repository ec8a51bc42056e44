//! Files of areas: what each revision changed, and which blob has which SHA-256.

use std::fmt;
use std::str::FromStr;

use headend_model::{Timestamp, UserName};

use crate::codec::{Columns, Values};
use crate::error::StoreError;
use crate::read::Reader;
use crate::rows::{AreaHead, AreaId};
use crate::store::Store;
use crate::tx::Tx;
use crate::writer::Work;

/// Longest page of a history.
const MOST: u32 = 100_000;

/// What a revision did to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileChange {
    /// It was not there before.
    Added,
    /// It has other bytes.
    Changed,
    /// It is gone.
    Deleted,
}

impl FileChange {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
        }
    }
}

impl fmt::Display for FileChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FileChange {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Added, Self::Changed, Self::Deleted];
        all.into_iter().find(|one| one.as_str() == text).ok_or_else(|| format!("{text:?} is no change of a file"))
    }
}

/// What a revision did to one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRow {
    /// Path with `/`.
    pub path: String,
    /// What happened to it.
    pub change: FileChange,
    /// BLAKE3 of its bytes since then, 64 hex digits; `None`: deleted.
    pub hash: Option<String>,
    /// How many bytes.
    pub size: u64,
    /// When its bytes were last edited, as the uploader says; of a deleted one: when it was deleted.
    pub edited: Timestamp,
}

/// The same with who and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHistoryRow {
    /// The revision.
    pub revision: u64,
    /// Who made it.
    pub by: UserName,
    /// When.
    pub at: Timestamp,
    /// What it did.
    pub file: FileRow,
}

/// Which part of a history to read: newest revision first, in a revision by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHistoryQuery {
    /// Of which area.
    pub area: AreaId,
    /// Only this file, or what is in this folder.
    pub path: Option<String>,
    /// Only what comes after this revision and path in that order.
    pub after: Option<(u64, String)>,
    /// At most so many rows; 100,000 at the very most.
    pub limit: u32,
}

/// How a file differs between two revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDiffRow {
    /// Path with `/`.
    pub path: String,
    /// Hash and bytes in the older revision, if it was there.
    pub old: Option<(String, u64)>,
    /// Hash and bytes in the newer one.
    pub new: Option<(String, u64)>,
    /// The last revision that changed it,
    pub revision: u64,
    /// who made that,
    pub by: UserName,
    /// and when.
    pub at: Timestamp,
}

/// A blob by both of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestRow {
    /// SHA-256 of its bytes, 64 hex digits.
    pub sha256: String,
    /// BLAKE3 of its bytes, 64 hex digits.
    pub hash: String,
    /// How many bytes.
    pub size: u64,
}

/// An area with its owner and its newest revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AreaRow {
    /// `None`: the public area.
    pub owner: Option<UserName>,
    /// Its number.
    pub area: AreaId,
    /// `None`: nothing was ever put there.
    pub head: Option<AreaHead>,
    /// There are rows about its files.
    pub has_history: bool,
}

impl Store {
    /// Writes what revision `revision` of an area does to files, before the revision itself is committed. May be called
    /// several times with some of the rows each; `first` drops what an earlier try has left.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn write_file_rows(
        &self,
        area: AreaId,
        revision: u64,
        first: bool,
        rows: Vec<FileRow>,
    ) -> Result<(), StoreError> {
        self.ask(Work::FileRows { area, revision, first, rows }).await?.committed().await.map(drop)
    }

    /// Keeps under which hash blobs are stored that are named by SHA-256.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn keep_digests(&self, rows: Vec<DigestRow>) -> Result<(), StoreError> {
        self.ask(Work::Digests { rows }).await?.committed().await.map(drop)
    }

    /// Forgets digests whose blobs are gone.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn forget_digests(&self, sha256: Vec<String>) -> Result<(), StoreError> {
        self.ask(Work::DigestsGone { sha256 }).await?.committed().await.map(drop)
    }

    /// All areas by number.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn areas(&self) -> Result<Vec<AreaRow>, StoreError> {
        self.reader().areas().await
    }

    /// The files that an area had in a revision, by path; or those in a folder of it, or the one of that name.
    ///
    /// # Errors
    /// As [`Store::areas`].
    pub async fn files_at(
        &self,
        area: AreaId,
        revision: u64,
        under: Option<&str>,
    ) -> Result<Vec<FileHistoryRow>, StoreError> {
        self.reader().files_at(area, revision, under).await
    }

    /// What changed in an area.
    ///
    /// # Errors
    /// As [`Store::areas`].
    pub async fn file_history(&self, query: &FileHistoryQuery) -> Result<Vec<FileHistoryRow>, StoreError> {
        self.reader().file_history(query).await
    }

    /// The last revision that deleted a file, if any did.
    ///
    /// # Errors
    /// As [`Store::areas`].
    pub async fn last_deletion(&self, area: AreaId, path: &str) -> Result<Option<FileHistoryRow>, StoreError> {
        self.reader().last_deletion(area, path).await
    }

    /// Files that differ between two revisions of an area, by path, at most `limit` of them.
    ///
    /// # Errors
    /// As [`Store::areas`].
    pub async fn file_diff(
        &self,
        area: AreaId,
        (old, new): (u64, u64),
        limit: u32,
    ) -> Result<Vec<FileDiffRow>, StoreError> {
        self.reader().file_diff(area, (old, new), limit).await
    }

    /// The newest revision of an area that had this tree.
    ///
    /// # Errors
    /// As [`Store::areas`].
    pub async fn revision_of(&self, area: AreaId, tree: &str) -> Result<Option<u64>, StoreError> {
        self.reader().revision_of(area, tree).await
    }

    /// Those of these SHA-256 digests that are known.
    ///
    /// # Errors
    /// As [`Store::areas`].
    pub async fn digests(&self, sha256: &[String]) -> Result<Vec<DigestRow>, StoreError> {
        self.reader().digests(sha256).await
    }

    /// Known digests behind this one, in their order.
    ///
    /// # Errors
    /// As [`Store::areas`].
    pub async fn digests_after(&self, sha256: &str, limit: u32) -> Result<Vec<DigestRow>, StoreError> {
        self.reader().digests_after(sha256, limit).await
    }
}

pub(crate) async fn write_rows(
    tx: &mut Tx<'_>,
    (area, revision): (AreaId, u64),
    first: bool,
    rows: &[FileRow],
) -> Result<(), StoreError> {
    if first {
        let mut values = Values::default();
        values.number(u64::from(area.0)).number(revision);
        tx.run("DELETE FROM file_history WHERE area = $1 AND revision = $2", values).await?;
    }
    let head = "INSERT INTO file_history (area, path, revision, change, hash, size, edited) VALUES ";
    tx.insert_all(head, 7, "", rows, |values, row| {
        values.number(u64::from(area.0)).text(&row.path).number(revision).text(row.change.as_str());
        values.maybe_text(row.hash.as_deref()).number(row.size).time(row.edited);
    })
    .await
}

pub(crate) async fn write_digests(tx: &mut Tx<'_>, rows: &[DigestRow]) -> Result<(), StoreError> {
    let tail = " ON CONFLICT (sha256) DO UPDATE SET hash = excluded.hash, size = excluded.size";
    tx.insert_all("INSERT INTO digests (sha256, hash, size) VALUES ", 3, tail, rows, |values, row| {
        values.text(&row.sha256).text(&row.hash).number(row.size);
    })
    .await
}

pub(crate) async fn forget_digests(tx: &mut Tx<'_>, sha256: &[String]) -> Result<(), StoreError> {
    tx.insert_all("DELETE FROM digests WHERE sha256 IN (VALUES ", 1, ")", sha256, |values, one| {
        values.text(one);
    })
    .await
}

/// Rows about files together with who made their revision. Rows without a revision do not count.
macro_rules! history {
    ($rest:literal) => {
        concat!(
            "SELECT h.path, h.revision, h.change, h.hash, h.size, h.edited, r.made_by, r.at FROM file_history h ",
            "JOIN revisions r ON r.area = h.area AND r.revision = h.revision WHERE h.area = $1 ",
            $rest
        )
    };
}

/// `/` is followed by `0`, so this is what is in the folder `$3`, and the file `$3`.
macro_rules! under {
    () => {
        "AND (h.path = $3 OR (h.path > $3 || '/' AND h.path < $3 || '0')) "
    };
}

impl Reader {
    async fn areas(&self) -> Result<Vec<AreaRow>, StoreError> {
        let sql = "SELECT a.area, a.owner, r.revision, r.tree, r.made_by, r.at, \
                   EXISTS (SELECT 1 FROM file_history h WHERE h.area = a.area) AS told FROM areas a \
                   LEFT JOIN revisions r ON r.area = a.area \
                   AND r.revision = (SELECT max(revision) FROM revisions WHERE area = a.area) ORDER BY a.area";
        self.rows(sql, Values::default(), area).await
    }

    async fn files_at(
        &self,
        area: AreaId,
        revision: u64,
        under: Option<&str>,
    ) -> Result<Vec<FileHistoryRow>, StoreError> {
        let mut values = Values::default();
        values.number(u64::from(area.0)).number(revision);
        let all = history!(
            "AND h.revision <= $2 AND h.change <> 'deleted' AND NOT EXISTS (SELECT 1 FROM file_history n \
             WHERE n.area = h.area AND n.path = h.path AND n.revision > h.revision AND n.revision <= $2) \
             ORDER BY h.path"
        );
        let Some(under) = under else { return self.rows(all, values, told).await };
        values.text(under);
        let some = concat!(
            history!("AND h.revision <= $2 AND h.change <> 'deleted' "),
            under!(),
            "AND NOT EXISTS (SELECT 1 FROM file_history n \
             WHERE n.area = h.area AND n.path = h.path AND n.revision > h.revision AND n.revision <= $2) \
             ORDER BY h.path"
        );
        self.rows(some, values, told).await
    }

    async fn file_history(&self, query: &FileHistoryQuery) -> Result<Vec<FileHistoryRow>, StoreError> {
        let (revision, path) = query.after.clone().unwrap_or((i64::MAX as u64, String::new()));
        let mut values = Values::default();
        values.number(u64::from(query.area.0)).number(u64::from(query.limit.min(MOST)));
        let sql = match &query.path {
            None => {
                values.number(revision).text(path);
                history!(
                    "AND (h.revision < $3 OR (h.revision = $3 AND h.path > $4)) \
                     ORDER BY h.revision DESC, h.path LIMIT $2"
                )
            }
            Some(under) => {
                values.text(under).number(revision).text(path);
                concat!(
                    history!(""),
                    under!(),
                    "AND (h.revision < $4 OR (h.revision = $4 AND h.path > $5)) \
                     ORDER BY h.revision DESC, h.path LIMIT $2"
                )
            }
        };
        self.rows(sql, values, told).await
    }

    async fn last_deletion(&self, area: AreaId, path: &str) -> Result<Option<FileHistoryRow>, StoreError> {
        let mut values = Values::default();
        values.number(u64::from(area.0)).text(path);
        let sql = history!("AND h.path = $2 AND h.change = 'deleted' ORDER BY h.revision DESC LIMIT 1");
        self.row(sql, values, told).await
    }

    async fn file_diff(
        &self,
        area: AreaId,
        (old, new): (u64, u64),
        limit: u32,
    ) -> Result<Vec<FileDiffRow>, StoreError> {
        let mut values = Values::default();
        values.number(u64::from(area.0)).number(old).number(new).number(u64::from(limit.min(MOST)));
        // Two rows are one difference only if their bytes differ: a file may have been changed and changed back.
        let sql = "SELECT t.path, o.hash AS old_hash, o.size AS old_size, n.hash AS new_hash, n.size AS new_size, \
                   n.revision, r.made_by, r.at FROM (SELECT path, max(revision) AS last FROM file_history \
                   WHERE area = $1 AND revision > $2 AND revision <= $3 GROUP BY path) t \
                   JOIN file_history n ON n.area = $1 AND n.path = t.path AND n.revision = t.last \
                   JOIN revisions r ON r.area = $1 AND r.revision = t.last \
                   LEFT JOIN file_history o ON o.area = $1 AND o.path = t.path AND o.revision = \
                   (SELECT max(revision) FROM file_history WHERE area = $1 AND path = t.path AND revision <= $2) \
                   WHERE coalesce(o.hash, '') <> coalesce(n.hash, '') ORDER BY t.path LIMIT $4";
        self.rows(sql, values, difference).await
    }

    async fn revision_of(&self, area: AreaId, tree: &str) -> Result<Option<u64>, StoreError> {
        let mut values = Values::default();
        values.number(u64::from(area.0)).text(tree);
        let sql = "SELECT max(revision) AS n FROM revisions WHERE area = $1 AND tree = $2";
        Ok(self.row(sql, values, |row| row.maybe_number("n")).await?.flatten())
    }

    async fn digests(&self, sha256: &[String]) -> Result<Vec<DigestRow>, StoreError> {
        if sha256.is_empty() {
            return Ok(Vec::new());
        }
        let mut values = Values::default();
        values.json(&sha256);
        let sql = "SELECT * FROM digests WHERE sha256 IN (SELECT value FROM json_each($1))";
        self.rows(sql, values, digest).await
    }

    async fn digests_after(&self, sha256: &str, limit: u32) -> Result<Vec<DigestRow>, StoreError> {
        let mut values = Values::default();
        values.text(sha256).number(u64::from(limit.min(MOST)));
        self.rows("SELECT * FROM digests WHERE sha256 > $1 ORDER BY sha256 LIMIT $2", values, digest).await
    }
}

fn area(row: &Columns<'_>) -> Result<AreaRow, StoreError> {
    let area = AreaId(row.number("area")?);
    let head = match row.maybe_number("revision")? {
        None => None,
        Some(revision) => {
            let (tree, by, at) = (row.text("tree")?, row.parsed("made_by")?, row.time("at")?);
            Some(AreaHead { area, revision, tree, by, at })
        }
    };
    Ok(AreaRow { owner: row.maybe_parsed("owner")?, area, head, has_history: row.int("told")? != 0 })
}

fn told(row: &Columns<'_>) -> Result<FileHistoryRow, StoreError> {
    let file = FileRow {
        path: row.text("path")?,
        change: row.parsed("change")?,
        hash: row.maybe_text("hash")?,
        size: row.number("size")?,
        edited: row.time("edited")?,
    };
    Ok(FileHistoryRow { revision: row.number("revision")?, by: row.parsed("made_by")?, at: row.time("at")?, file })
}

fn difference(row: &Columns<'_>) -> Result<FileDiffRow, StoreError> {
    let side = |hash, size| -> Result<Option<(String, u64)>, StoreError> {
        Ok(match row.maybe_text(hash)? {
            Some(hash) => Some((hash, row.number(size)?)),
            None => None,
        })
    };
    Ok(FileDiffRow {
        path: row.text("path")?,
        old: side("old_hash", "old_size")?,
        new: side("new_hash", "new_size")?,
        revision: row.number("revision")?,
        by: row.parsed("made_by")?,
        at: row.time("at")?,
    })
}

fn digest(row: &Columns<'_>) -> Result<DigestRow, StoreError> {
    Ok(DigestRow { sha256: row.text("sha256")?, hash: row.text("hash")?, size: row.number("size")? })
}
