//! How a change of an area becomes its next revision: whole, durable, or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use headend_files::{Change, Tree};
use headend_model::{Timestamp, TreePath, UserName};
use headend_store::{AreaHead, AreaId, FeedItem, FeedRow, FileChange, FileRow, Projection};
use headend_wire::codes;
use serde_json::json;

use super::{AreaKey, Areas, Head};
use crate::app::Shared;
use crate::crash::crash_point;
use crate::farm_loop::Tell;
use crate::http::{ApiError, ApiResult};

/// Rows of a history that are written in one go: the scheduler's journal waits behind them.
const ROWS_AT_ONCE: usize = 1_000;

/// A change to be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commit {
    /// What to put and delete. The blobs have been looked at a moment ago, so that no sweep takes them.
    pub(crate) change: Change,
    /// When files were edited; those that are not here: now.
    pub(crate) edited: BTreeMap<TreePath, Timestamp>,
}

/// Who makes it, when, and who is to hear of it.
#[derive(Clone)]
pub(crate) struct Maker {
    by: UserName,
    at: Timestamp,
    tell: Arc<Tell>,
}

impl Maker {
    /// This person, now.
    pub(crate) fn now(app: &Shared, by: &UserName) -> Self {
        Self { by: by.clone(), at: app.clock.now(), tell: app.tell.clone() }
    }
}

impl Areas {
    /// Makes a change to an area. Goes to its end even if nobody waits for it any more.
    ///
    /// # Errors
    /// `case_clash`, `not_found` for a delete of what is not there, `invalid` for too many files, `storage_full`.
    pub(crate) async fn commit(self: &Arc<Self>, key: &AreaKey, commit: Commit, maker: Maker) -> ApiResult<Arc<Head>> {
        if self.work.is_closed() {
            return Err(ApiError::new(&codes::UNAVAILABLE, "the server is shutting down"));
        }
        let (areas, key) = (self.clone(), key.clone());
        let done = self.work.spawn(async move { areas.commit_now(&key, &commit, &maker).await });
        done.await.map_err(|error| ApiError::internal("a commit broke", &error))?
    }

    async fn commit_now(&self, key: &AreaKey, commit: &Commit, maker: &Maker) -> ApiResult<Arc<Head>> {
        let _one_at_a_time = self.committing.lock().await;
        let head = self.head(key).await?;
        let tree = head.tree.apply(&commit.change)?;
        self.require_within(key, &head.tree, &tree)?;
        let blob = self.blobs.put_bytes(tree.to_bytes()).await?;
        crash_point("files.after_blob");
        if blob.hash == head.hash {
            self.sent.placed(&maker.by, &commit.change);
            return Ok(head);
        }
        let area = match (head.area, key) {
            (Some(area), _) => area,
            (None, None) => AreaId::PUBLIC,
            (None, Some(user)) => self.store.private_area(user).await?,
        };
        let next = Head { area: Some(area), revision: head.revision + 1, hash: blob.hash, tree: Arc::new(tree) };
        let rows = rows(&head.tree, &next.tree, &commit.edited, maker.at);
        self.write_rows(area, next.revision, rows).await?;
        crash_point("files.after_rows");
        self.store_head(area, &head, &next, key, maker).await?;
        let next = Arc::new(next);
        self.set_head(key, area, next.clone());
        self.sent.placed(&maker.by, &commit.change);
        Ok(next)
    }

    /// What a revision that is yet to come does to files. Without the revision these rows mean nothing.
    pub(super) async fn write_rows(&self, area: AreaId, revision: u64, rows: Vec<FileRow>) -> ApiResult<()> {
        for (at, part) in rows.chunks(ROWS_AT_ONCE).enumerate() {
            self.store.write_file_rows(area, revision, at == 0, part.to_vec()).await?;
        }
        Ok(())
    }

    async fn store_head(
        &self,
        area: AreaId,
        old: &Head,
        new: &Head,
        key: &AreaKey,
        Maker { by, at, tell }: &Maker,
    ) -> ApiResult<()> {
        let item = feed_item(old, new, key, by, *at);
        let row = AreaHead { area, revision: new.revision, tree: new.hash.to_string(), by: by.clone(), at: *at };
        let committed = self.store.commit_area(old.revision, row, vec![Projection::Feed(item.clone())]).await?;
        crash_point("files.after_commit");
        for number in committed.feed {
            tell.bus.publish(FeedRow { number, item: item.clone() });
        }
        Ok(())
    }
}

/// What leads from one tree to the other, file by file.
pub(super) fn rows(old: &Tree, new: &Tree, edited: &BTreeMap<TreePath, Timestamp>, at: Timestamp) -> Vec<FileRow> {
    let diff = old.diff(new);
    let row = |path: &TreePath, change, entry: Option<headend_files::FileEntry>| FileRow {
        path: path.to_string(),
        change,
        hash: entry.map(|entry| entry.hash.to_string()),
        size: entry.map_or(0, |entry| entry.size),
        edited: edited.get(path).copied().filter(|_| entry.is_some()).unwrap_or(at),
    };
    let added = diff.added.iter().map(|(path, entry)| row(path, FileChange::Added, Some(*entry)));
    let changed = diff.changed.iter().map(|(path, entry)| row(path, FileChange::Changed, Some(*entry)));
    let deleted = diff.removed.iter().map(|path| row(path, FileChange::Deleted, None));
    added.chain(changed).chain(deleted).collect()
}

fn feed_item(old: &Head, new: &Head, key: &AreaKey, by: &UserName, at: Timestamp) -> FeedItem {
    let diff = old.tree.diff(&new.tree);
    let area = if key.is_none() { "public" } else { "private" };
    let (added, changed, removed) = (diff.added.len(), diff.changed.len(), diff.removed.len());
    let mut data = json!({
        "area": area, "revision": new.revision, "added": added, "changed": changed, "removed": removed, "by": by.as_str(),
    });
    if let (Some(owner), Some(data)) = (key, data.as_object_mut()) {
        data.insert("owner".to_owned(), owner.as_str().into());
    }
    let text = format!("{area} files, revision {}: {added} added, {changed} changed, {removed} removed", new.revision);
    FeedItem { at, kind: "files_changed".to_owned(), job: None, run: None, text, data }
}
