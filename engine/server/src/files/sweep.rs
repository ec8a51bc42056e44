//! What is removed now and then: blobs that nothing needs, their other names, uploads that nobody goes on with.

use std::collections::BTreeSet;
use std::time::Duration;

use headend_files::{BlobHash, Swept, Tree};

use super::Areas;
use crate::http::ApiResult;

/// Former revisions of an area whose blobs stay.
const REVISIONS_KEPT: u32 = 20;
/// A blob may wait this long for its commit.
const UPLOAD_GRACE: Duration = Duration::from_hours(1);
/// Parts of an upload go this long after their last byte.
const PARTS_KEPT: Duration = Duration::from_hours(24);
/// Names of blobs that are looked at in one go.
const NAMES_AT_ONCE: u32 = 5_000;

impl Areas {
    /// Removes blobs that no revision of late, no leased run and no upload of the last hour needs.
    ///
    /// # Errors
    /// When a tree cannot be read: then nothing is removed.
    pub(crate) async fn sweep(&self) -> ApiResult<Swept> {
        let mut keep = BTreeSet::from([self.empty]);
        for text in self.store.live_trees(REVISIONS_KEPT).await? {
            let hash: BlobHash = text.parse()?;
            keep.insert(hash);
            keep.extend(Tree::parse(&self.blobs.read(hash).await?)?.blobs());
        }
        let swept = self.blobs.sweep(keep, UPLOAD_GRACE).await?;
        self.forget_names().await?;
        Ok(swept)
    }

    /// Drops uploads to which nothing has come for a day.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) async fn sweep_parts(&self) -> ApiResult<usize> {
        Ok(self.parts.sweep(PARTS_KEPT).await?)
    }

    /// A name of a blob that has come back meanwhile may go too: its next sender says it anew.
    async fn forget_names(&self) -> ApiResult<()> {
        let mut after = String::new();
        loop {
            let rows = self.store.digests_after(&after, NAMES_AT_ONCE).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after.clone_from(&last.sha256);
            let hashes = rows.iter().filter_map(|row| row.hash.parse().ok()).collect();
            let gone: BTreeSet<String> = self.blobs.gone(hashes).await?.iter().map(ToString::to_string).collect();
            let names: Vec<String> =
                rows.into_iter().filter(|row| gone.contains(&row.hash)).map(|row| row.sha256).collect();
            if !names.is_empty() {
                self.store.forget_digests(names).await?;
            }
        }
    }
}
