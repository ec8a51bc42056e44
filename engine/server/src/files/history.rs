//! What happened to files, and what that explains.

use std::collections::HashMap;

use headend_files::BlobHash;
use headend_model::run::Incomplete;
use headend_model::{Timestamp, TreePath};
use headend_store::{FileDiffRow, FileHistoryQuery, FileHistoryRow};
use headend_wire::codes;

use super::{AreaKey, Areas};
use crate::http::{ApiError, ApiResult};

impl Areas {
    /// The files that an area has now with who brought them, by path; or those below a folder, or the one of that name.
    pub(crate) async fn files_of(&self, key: &AreaKey, under: Option<&TreePath>) -> ApiResult<Vec<FileHistoryRow>> {
        let head = self.head(key).await?;
        let Some(area) = head.area else { return Ok(Vec::new()) };
        Ok(self.store.files_at(area, head.revision, under.map(TreePath::as_str)).await?)
    }

    /// What happened in an area, newest first.
    pub(crate) async fn history(
        &self,
        key: &AreaKey,
        under: Option<&TreePath>,
        after: Option<(u64, String)>,
        limit: u32,
    ) -> ApiResult<Vec<FileHistoryRow>> {
        let Some(area) = self.head(key).await?.area else { return Ok(Vec::new()) };
        let path = under.map(ToString::to_string);
        Ok(self.store.file_history(&FileHistoryQuery { area, path, after, limit }).await?)
    }

    /// Why a script that a job named is not in the tree that its run was given.
    pub(crate) async fn why_missing(&self, key: &AreaKey, script: &TreePath) -> ApiResult<Incomplete> {
        let area = self.head(key).await?.area;
        let deletion = match area {
            Some(area) => self.store.last_deletion(area, script.as_str()).await?,
            None => None,
        };
        Ok(deletion
            .map_or(Incomplete::ScriptMissing, |row| Incomplete::ScriptDeleted { revision: row.revision, by: row.by }))
    }

    /// The revision of an area that had this tree; 0 for the empty one.
    ///
    /// # Errors
    /// `not_found` for a tree that the area never had.
    pub(crate) async fn revision_of(&self, key: &AreaKey, tree: &str) -> ApiResult<u64> {
        let found = match self.head(key).await?.area {
            Some(area) => self.store.revision_of(area, tree).await?,
            None => None,
        };
        match found {
            Some(revision) => Ok(revision),
            None if tree == self.empty.to_string() => Ok(0),
            None => Err(ApiError::new(&codes::NOT_FOUND, "the area has no record of the files of this run")),
        }
    }

    /// Files that differ between two revisions of an area, the older one first.
    pub(crate) async fn diff(&self, key: &AreaKey, (old, new): (u64, u64), limit: u32) -> ApiResult<Vec<FileDiffRow>> {
        match self.head(key).await?.area {
            Some(area) => Ok(self.store.file_diff(area, (old, new), limit).await?),
            None => Ok(Vec::new()),
        }
    }
}

/// When bytes were last edited, by their hash.
pub(super) fn edited_times(files: &[FileHistoryRow]) -> HashMap<BlobHash, Timestamp> {
    files.iter().filter_map(|row| Some((row.file.hash.as_ref()?.parse().ok()?, row.file.edited))).collect()
}
